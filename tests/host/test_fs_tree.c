/* SPDX-License-Identifier: MIT */
/* test_fs_tree.c - names, links, renames and path walks: random operations on random names, each
 * done in the kernel's file system and in a directory of this machine, must give the same results,
 * errno included, and leave the same tree. */
/* cflags: -Itests/host/fs -include tests/host/own_names.h */
/* sources: kernel/fs/[a-z]*.c kernel/time/usertime.c kernel/lib/iter.c kernel/lib/parse.c */
/* sources: kernel/lib/printf.c kernel/lib/string.c kernel/lib/inflate.c
 * tests/host/fs/model.c tests/host/fake_fs_env.c */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "fake_fs_env.h"
#include "tests/host/fs/model.h"

#define ROUNDS 60
#define STEPS 400

static u32 seed;

static u32 rnd(u32 n)
{
	seed = seed * 1664525u + 1013904223u;
	return (seed >> 8) % n;
}

/* A path of up to four components out of few names, so that they meet; sometimes odd. */
static const char *random_path(void)
{
	static const char *const names[] = { "a",
					     "b",
					     "c",
					     "d",
					     "a",
					     "b",
					     "c",
					     "e",
					     "..",
					     ".",
					     "a-name-that-is-longer-than-what-fits-in-the-entry" };
	static char ring[8][256];
	static u32 at;
	char *p = ring[at++ % 8];
	u32 n = 1 + rnd(3) + (rnd(6) == 0), i;

	*p = 0;
	if (rnd(60) == 0)
		return "";
	for (i = 0; i < n; i++) {
		strcat(p, names[rnd(11)]);
		if (i + 1 < n || rnd(12) == 0)
			strcat(p, rnd(10) ? "/" : "//");
	}
	return p;
}

static long ours_create(const char *path, u32 flags, const char *text)
{
	long fd = CALL(2, path, (u64)flags, 0644ul), n;

	if (fd < 0)
		return fd;
	n = CALL(1, fd, text, strlen(text));
	CALL(3, fd);
	return n;
}

static long ours_stat(const char *path, bool follow, u32 *mode, u32 *nlink, long *size)
{
	struct user_stat st;
	long err = CALL(follow ? 4 : 6, path, &st);

	if (err)
		return err;
	*mode = st.st_mode;
	*nlink = (u32)st.st_nlink;
	*size = S_ISDIR(st.st_mode) ? 0 : st.st_size;
	return 0;
}

static void check(const char *what, const char *x, const char *y, u32 arg, long ours, long model)
{
	if (ours != model)
		fail_msg("%s(\"%s\", \"%s\", %u): kernel %ld, model %ld", what, x, y, arg, ours,
			 model);
}

static void compare_object(const char *path)
{
	u32 om = 0, on = 0, mm = 0, mn = 0, follow;
	long osize = 0, msize = 0;
	char o[300], m[300];
	long on_len, mn_len;

	for (follow = 0; follow < 2; follow++) {
		check("stat", path, "", follow, ours_stat(path, follow, &om, &on, &osize),
		      model_stat(path, follow, &mm, &mn, &msize));
		if (om != mm || on != mn || (osize != msize && !S_ISDIR(om)))
			fail_msg("%s: mode %o/%o nlink %u/%u size %ld/%ld", path, om, mm, on, mn,
				 osize, msize);
	}
	on_len = CALL(89, path, o, sizeof(o));
	mn_len = model_readlink(path, m, sizeof(m));
	check("readlink", path, "", 0, on_len, mn_len);
	if (on_len > 0)
		assert_memory_equal(o, m, on_len);
	on_len = CALL(2, path, 0ul);
	if (on_len >= 0) {
		long fd = on_len;

		on_len = CALL(0, fd, o, sizeof(o));
		CALL(3, fd);
	}
	mn_len = model_read(path, m, sizeof(m));
	check("read", path, "", 0, on_len, mn_len);
	if (on_len > 0)
		assert_memory_equal(o, m, on_len);
}

static void step(void)
{
	static const u32 opens[] = { O_RDONLY,
				     O_WRONLY,
				     O_RDWR | O_CREAT,
				     O_WRONLY | O_CREAT | O_EXCL,
				     O_WRONLY | O_TRUNC,
				     O_WRONLY | O_APPEND,
				     O_WRONLY | O_CREAT | O_NOFOLLOW,
				     O_RDONLY | O_DIRECTORY,
				     O_WRONLY | O_CREAT | O_APPEND };
	static const u32 renames[] = { 0, 0, 0, 1, 2 };
	const char *x = random_path(), *y = random_path();
	u32 arg;

	switch (rnd(10)) {
	case 0:
	case 1:
		check("mkdir", x, "", 0, CALL(83, x, 0755ul), model_mkdir(x, 0755));
		break;
	case 2:
		check("rmdir", x, "", 0, CALL(84, x), model_rmdir(x));
		break;
	case 3:
		check("unlink", x, "", 0, CALL(87, x), model_unlink(x));
		break;
	case 4:
	case 5:
		arg = opens[rnd(ARRAY_SIZE(opens))];
		check("open", x, y, arg, ours_create(x, arg, y), model_create(x, (int)arg, y));
		break;
	case 6:
		arg = renames[rnd(5)];
		check("rename", x, y, arg, CALL(316, (u64)AT_FDCWD, x, (u64)AT_FDCWD, y, (u64)arg),
		      model_rename(x, y, arg));
		break;
	case 7:
		check("link", x, y, 0, CALL(86, x, y), model_link(x, y));
		break;
	case 8:
		check("symlink", x, y, 0, CALL(88, x, y), model_symlink(x, y));
		break;
	default:
		arg = rnd(3) ? rnd(20) : rnd(20000);
		check("truncate", x, "", arg, CALL(76, x, (u64)arg), model_truncate(x, arg));
	}
	compare_object(y);
	compare_object(x);
}

/* Directory listings as one sorted string. */
static void clear_top(void)
{
	u8 buf[4096];
	long fd, n, at;

	for (;;) {
		bool any = false;

		fd = CALL(2, ".", (u64)(O_RDONLY | O_DIRECTORY));
		assert_true(fd >= 0);
		n = CALL(217, fd, buf, sizeof(buf));
		CALL(3, fd);
		assert_true(n > 0);
		for (at = 0; at < n; at += *(u16 *)(buf + at + 16)) {
			char *name = (char *)buf + at + 19;

			if (!strcmp(name, ".") || !strcmp(name, ".."))
				continue;
			if (CALL(87, name) && CALL(84, name)) {
				assert_int_equal(CALL(80, name), 0);
				clear_top();
				assert_int_equal(CALL(80, ".."), 0);
			}
			any = true;
		}
		if (!any)
			return;
	}
}

/* The counterpart of model_start. */
static void go_deep(void)
{
	u32 i;

	assert_int_equal(CALL(80, "/top"), 0);
	for (i = 0; i < MODEL_DEPTH; i++) {
		assert_int_equal(CALL(83, "t", 0755ul), 0);
		assert_int_equal(CALL(80, "t"), 0);
	}
}

static void test_against_model(void **state)
{
	u32 round, i;

	(void)state;
	CALL(83, "/top", 0755ul);
	for (round = 0; round < ROUNDS; round++) {
		seed = round * 7919 + 1;
		model_start();
		go_deep();
		for (i = 0; i < STEPS; i++)
			step();
		assert_int_equal(CALL(80, "/top"), 0);
		clear_top();
		model_end();
	}
}

/* The same names while allocations fail: nothing may crash, and nothing is left behind. */
static void test_failing_memory(void **state)
{
	long blocks, pages;
	u32 i;

	(void)state;
	assert_int_equal(CALL(80, "/top"), 0);
	blocks = fake_blocks;
	pages = fake_pages;
	go_deep();
	seed = 5;
	fake_fail_every = 7;
	for (i = 0; i < 20000; i++) {
		const char *x = random_path(), *y = random_path();

		switch (rnd(6)) {
		case 0:
			CALL(83, x, 0755ul);
			break;
		case 1:
			ours_create(x, O_WRONLY | O_CREAT, y);
			break;
		case 2:
			CALL(316, (u64)AT_FDCWD, x, (u64)AT_FDCWD, y, (u64)(rnd(2) * 2));
			break;
		case 3:
			CALL(88, x, y);
			break;
		case 4:
			CALL(86, x, y);
			break;
		default:
			CALL(87, x);
			CALL(84, x);
		}
	}
	fake_fail_every = 0;
	assert_int_equal(CALL(80, "/top"), 0);
	clear_top();
	assert_int_equal(fake_blocks, blocks);
	assert_int_equal(fake_pages, pages);
}

static int boot(void **state)
{
	(void)state;
	fake_boot();
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_against_model),
		cmocka_unit_test(test_failing_memory),
	};

	return cmocka_run_group_tests(tests, boot, NULL);
}
