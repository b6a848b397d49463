/* SPDX-License-Identifier: MIT */
/* test_fs_inotify.c - watching files: which events come in which order, what is merged, when a
 * watch ends and what that lets go, the limits, and all of it from several threads at once. */
/* cflags: -Itests/host/fs -include tests/host/own_names.h */
/* sources: kernel/fs/[a-z]*.c kernel/time/usertime.c kernel/lib/iter.c kernel/lib/parse.c */
/* sources: kernel/lib/printf.c kernel/lib/string.c kernel/lib/inflate.c */
/* sources: tests/host/fs/model.c tests/host/fake_fs_env.c */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "fake_fs_env.h"
#include "kernel/fs/inotify.h"
#include <weft/string.h>

#define RW_CREATE (O_RDWR | O_CREAT)
#define NR_WATCH 254
#define NR_RM 255

struct seen {
	s32 wd;
	u32 mask, cookie, len;
	char name[256];
};

static long in; /* the instance of the test */

static long open_at(const char *path, u32 flags)
{
	return CALL(257, (u64)AT_FDCWD, path, (u64)flags, 0644ul);
}

static void touch(const char *path)
{
	long fd = open_at(path, RW_CREATE);

	assert_true(fd >= 0);
	assert_int_equal(CALL(3, fd), 0);
}

static long watch(const char *path, u32 mask)
{
	return CALL(NR_WATCH, in, path, (u64)mask);
}

static int next_event(struct seen *s)
{
	u8 buf[16 + 256];
	long n;
	int avail = 0;

	assert_int_equal(CALL(16, in, 0x541bul, &avail), 0);
	if (!avail) {
		assert_int_equal(CALL(0, in, buf, sizeof(buf)), -EAGAIN);
		return 0;
	}
	memset(s, 0, sizeof(*s));
	/* room for exactly one */
	for (u64 room = 16; (n = CALL(0, in, buf, room)) == -EINVAL; room += 16)
		;
	assert_true(n >= 16);
	memcpy(s, buf, (size_t)n);
	assert_int_equal(n, 16 + s->len);
	assert_int_equal(s->len % 16, 0);
	return 1;
}

/* The next event; its cookie. */
static u32 expect_(int line, long wd, u32 mask, const char *name)
{
	struct seen s;

	if (!next_event(&s) || s.wd != wd || s.mask != mask || strcmp(s.name, name))
		fail_msg("line %d: wd %d mask %x '%s'", line, s.wd, s.mask, s.name);
	return s.cookie;
}
#define expect(wd, mask, name) expect_(__LINE__, wd, mask, name)

static void expect_none_(int line)
{
	struct seen s;

	if (next_event(&s))
		fail_msg("line %d: wd %d mask %x '%s'", line, s.wd, s.mask, s.name);
}
#define expect_none() expect_none_(__LINE__)

static void test_arguments(void **state)
{
	char buf[64];
	long fd;

	(void)state;
	CALL(83, "/a", 0755ul);
	touch("/a/f");
	CALL(88, "f", "/a/link");
	assert_int_equal(CALL(294, 1ul), -EINVAL);
	assert_int_equal(watch("/a", 0), -EINVAL);
	assert_int_equal(watch("/a", 0x10000), -EINVAL);
	assert_int_equal(watch("/none", IN_OPEN), -ENOENT);
	assert_int_equal(watch("/a/f", IN_OPEN | IN_ONLYDIR), -ENOTDIR);
	assert_int_equal(watch("/a/f", IN_OPEN | IN_MASK_ADD | IN_MASK_CREATE), -EINVAL);
	assert_int_equal(CALL(NR_WATCH, 99ul, "/a", 1ul), -EBADF);
	fd = open_at("/a/f", O_RDONLY);
	assert_int_equal(CALL(NR_WATCH, fd, "/a", 1ul), -EINVAL);
	assert_int_equal(CALL(NR_RM, fd, 1ul), -EINVAL);
	CALL(3, fd);
	assert_int_equal(CALL(NR_RM, in, 1ul), -EINVAL);
	assert_int_equal(watch("/a/f", IN_OPEN), 1);
	assert_int_equal(watch("/a/link", IN_OPEN), 1);
	assert_int_equal(watch("/a/link", IN_OPEN | IN_DONT_FOLLOW), 2);
	assert_int_equal(watch("/a/f", IN_ATTRIB | IN_MASK_CREATE), -EEXIST);
	assert_int_equal(watch("/a/f", IN_ATTRIB | IN_MASK_ADD), 1);
	touch("/a/f");
	CALL(90, "/a/f", 0600ul);
	expect(1, IN_OPEN, "");
	expect(1, IN_ATTRIB, "");
	assert_int_equal(watch("/a/f", IN_ATTRIB), 1);
	touch("/a/f");
	expect_none();
	assert_int_equal(CALL(NR_RM, in, 1ul), 0);
	assert_int_equal(CALL(NR_RM, in, 1ul), -EINVAL);
	expect(1, IN_IGNORED, "");
	assert_int_equal(watch("/a/f", IN_OPEN), 3); /* numbers are not given out again */
	CALL(NR_RM, in, 2ul);
	CALL(NR_RM, in, 3ul);
	assert_int_equal(CALL(0, in, buf, 15ul), -EINVAL);
	expect(2, IN_IGNORED, "");
	expect(3, IN_IGNORED, "");
	fake_proc->cred.fsuid = 1000;
	CALL(90, "/a/f", 0600ul);
	assert_int_equal(watch("/a/f", IN_OPEN), -EACCES);
	fake_proc->cred.fsuid = 0;
}

static void test_directory(void **state)
{
	long wd, fd;

	(void)state;
	CALL(83, "/d", 0755ul);
	CALL(83, "/d/old", 0755ul);
	touch("/d/there");
	wd = watch("/d", IN_ALL_EVENTS);
	assert_true(wd > 0);
	fd = open_at("/d/new", RW_CREATE);
	CALL(1, fd, "abc", 3ul);
	CALL(1, fd, "abc", 3ul); /* merged with the one before */
	CALL(8, fd, 0ul, 0ul);
	CALL(0, fd, &(char[4]){ 0 }, 3ul);
	CALL(77, fd, 1ul);
	CALL(3, fd);
	expect(wd, IN_CREATE, "new");
	expect(wd, IN_OPEN, "new");
	expect(wd, IN_MODIFY, "new");
	expect(wd, IN_ACCESS, "new");
	expect(wd, IN_MODIFY, "new");
	expect(wd, IN_CLOSE_WRITE, "new");
	expect_none();
	/* one that was there before the watch */
	CALL(3, open_at("/d/there", O_WRONLY | O_TRUNC));
	expect(wd, IN_MODIFY, "there");
	expect(wd, IN_OPEN, "there");
	expect(wd, IN_CLOSE_WRITE, "there");
	CALL(90, "/d/there", 0600ul);
	CALL(90, "/d/old", 0700ul);
	CALL(90, "/d", 0700ul);
	expect(wd, IN_ATTRIB, "there");
	expect(wd, IN_ATTRIB | IN_ISDIR, "old");
	expect(wd, IN_ATTRIB | IN_ISDIR, "");
	CALL(83, "/d/sub", 0755ul);
	CALL(88, "x", "/d/sym");
	CALL(86, "/d/there", "/d/hard");
	CALL(133, "/d/fifo", 010600ul, 0ul);
	expect(wd, IN_CREATE | IN_ISDIR, "sub");
	expect(wd, IN_CREATE, "sym");
	expect(wd, IN_CREATE, "hard");
	expect(wd, IN_CREATE, "fifo");
	CALL(84, "/d/sub");
	CALL(87, "/d/sym");
	CALL(87, "/d/hard");
	CALL(87, "/d/fifo");
	expect(wd, IN_DELETE | IN_ISDIR, "sub");
	expect(wd, IN_DELETE, "sym");
	expect(wd, IN_DELETE, "hard");
	expect(wd, IN_DELETE, "fifo");
	fd = open_at("/d", O_RDONLY | O_DIRECTORY);
	CALL(217, fd, &(char[512]){ 0 }, 512ul);
	CALL(3, fd);
	expect(wd, IN_OPEN | IN_ISDIR, "");
	expect(wd, IN_ACCESS | IN_ISDIR, "");
	expect(wd, IN_CLOSE_NOWRITE | IN_ISDIR, "");
	CALL(3, open_at("/d/there", O_PATH)); /* opens nothing */
	expect_none();
	CALL(NR_RM, in, wd);
	expect(wd, IN_IGNORED, "");
	touch("/d/there");
	expect_none();
}

static void test_rename(void **state)
{
	long from, to, self, victim;
	u32 cookie;

	(void)state;
	CALL(83, "/r", 0755ul);
	CALL(83, "/r/x", 0755ul);
	CALL(83, "/r/y", 0755ul);
	touch("/r/x/f");
	touch("/r/y/v");
	from = watch("/r/x", IN_MOVED_FROM | IN_MOVED_TO | IN_OPEN);
	to = watch("/r/y", IN_MOVED_FROM | IN_MOVED_TO | IN_OPEN);
	self = watch("/r/x/f", IN_MOVE_SELF);
	victim = watch("/r/y/v", IN_ATTRIB | IN_DELETE_SELF);
	assert_int_equal(CALL(82, "/r/x/f", "/r/y/v"), 0);
	cookie = expect(from, IN_MOVED_FROM, "f");
	assert_true(cookie);
	assert_int_equal(expect(to, IN_MOVED_TO, "v"), cookie);
	expect(victim, IN_ATTRIB, "");
	assert_int_equal(expect(self, IN_MOVE_SELF, ""), 0);
	expect(victim, IN_DELETE_SELF, "");
	expect(victim, IN_IGNORED, "");
	/* under its new name it is known */
	CALL(3, open_at("/r/y/v", O_RDONLY));
	expect(to, IN_OPEN, "v");
	CALL(82, "/r/y/v", "/r/out");
	CALL(3, open_at("/r/out", O_RDONLY));
	assert_true(expect(to, IN_MOVED_FROM, "v") != cookie);
	expect(self, IN_MOVE_SELF, "");
	touch("/r/x/one");
	expect(from, IN_OPEN, "one");
	CALL(83, "/r/y/two", 0755ul);
	assert_int_equal(CALL(316, (u64)AT_FDCWD, "/r/x/one", (u64)AT_FDCWD, "/r/y/two", 2ul), 0);
	cookie = expect(from, IN_MOVED_FROM, "one");
	assert_int_equal(expect(to, IN_MOVED_TO, "two"), cookie);
	cookie = expect(to, IN_MOVED_FROM | IN_ISDIR, "two");
	assert_int_equal(expect(from, IN_MOVED_TO | IN_ISDIR, "one"), cookie);
	expect_none();
}

/* A watch holds neither a removed file's contents nor its inode. */
static void test_end(void **state)
{
	long wd, dir, fd, other, pages;

	(void)state;
	CALL(83, "/e", 0755ul);
	dir = watch("/e", IN_DELETE | IN_CLOSE_WRITE | IN_MODIFY);
	pages = fake_pages;
	fd = open_at("/e/f", RW_CREATE);
	CALL(1, fd, "x", 1ul);
	wd = watch("/e/f", IN_DELETE_SELF | IN_ATTRIB);
	CALL(86, "/e/f", "/e/g");
	CALL(87, "/e/g"); /* two changes of the link count in a row are one event */
	CALL(87, "/e/f");
	assert_int_equal(watch("/e/f", IN_OPEN), -ENOENT);
	expect(dir, IN_MODIFY, "f");
	expect(wd, IN_ATTRIB, "");
	expect(dir, IN_DELETE, "g");
	expect(wd, IN_ATTRIB, "");
	expect(dir, IN_DELETE, "f");
	/* open: the file is there, and its directory still hears of it by its last name */
	CALL(1, fd, "x", 1ul);
	expect(dir, IN_MODIFY, "f");
	assert_true(fake_pages > pages);
	CALL(3, fd);
	expect(dir, IN_CLOSE_WRITE, "f");
	expect(wd, IN_DELETE_SELF, "");
	expect(wd, IN_IGNORED, "");
	expect_none();
	assert_int_equal(fake_pages, pages);
	assert_int_equal(CALL(NR_RM, in, wd), -EINVAL);
	/* IN_EXCL_UNLINK: not after that */
	watch("/e", IN_MODIFY | IN_EXCL_UNLINK);
	fd = open_at("/e/h", RW_CREATE);
	CALL(1, fd, "x", 1ul);
	expect(dir, IN_MODIFY, "h");
	CALL(87, "/e/h");
	CALL(1, fd, "x", 1ul);
	CALL(3, fd);
	expect_none();
	/* a directory; an instance that is closed says nothing and lets all go */
	CALL(83, "/e/sub", 0755ul);
	wd = watch("/e/sub", IN_DELETE_SELF);
	other = CALL(294, 0ul);
	assert_true(CALL(NR_WATCH, other, "/e/sub", (u64)IN_OPEN) == 1);
	CALL(3, other);
	CALL(84, "/e/sub");
	expect(wd, IN_DELETE_SELF, "");
	expect(wd, IN_IGNORED, "");
	expect_none();
}

/* Two names, one in a watched directory: what is done by the other one, even when it is gone, does
 * not make it forget that. */
static void test_two_names(void **state)
{
	long wd, fd;

	(void)state;
	CALL(83, "/h1", 0755ul);
	CALL(83, "/h2", 0755ul);
	touch("/h1/a");
	wd = watch("/h2", IN_OPEN);
	CALL(86, "/h1/a", "/h2/b");
	touch("/h1/a");
	expect_none();
	touch("/h2/b");
	expect(wd, IN_OPEN, "b");
	fd = open_at("/h1/a", O_WRONLY);
	CALL(87, "/h1/a");
	CALL(1, fd, "x", 1ul);
	CALL(3, fd);
	touch("/h2/b");
	expect(wd, IN_OPEN, "b");
	expect_none();
}

static void test_unmount(void **state)
{
	long root, file, covered;

	(void)state;
	CALL(83, "/u", 0755ul);
	covered = watch("/u", IN_ALL_EVENTS);
	assert_int_equal(CALL(165, "tmpfs", "/u", "tmpfs", 0ul, 0ul), 0);
	touch("/u/f");
	CALL(83, "/u/d", 0755ul);
	touch("/u/d/g");
	root = watch("/u", IN_OPEN);
	file = watch("/u/d/g", IN_OPEN);
	assert_true(root != covered && file > 0);
	assert_int_equal(CALL(166, "/u", 0ul), 0);
	expect(file, IN_UNMOUNT, "");
	expect(file, IN_IGNORED, "");
	expect(root, IN_UNMOUNT | IN_ISDIR, "");
	expect(root, IN_IGNORED, "");
	expect_none();
	assert_int_equal(CALL(NR_RM, in, covered), 0);
}

static void test_oneshot(void **state)
{
	long wd;

	(void)state;
	CALL(83, "/o", 0755ul);
	wd = watch("/o", IN_CREATE | IN_ONESHOT);
	touch("/o/1");
	touch("/o/2");
	expect(wd, IN_CREATE, "1");
	expect(wd, IN_IGNORED, "");
	expect_none();
	/* what a removed watch marked is forgotten at the first event */
	touch("/o/1");
	touch("/o/1");
	expect_none();
}

static void put(const char *path, const char *text)
{
	long fd = open_at(path, O_WRONLY);

	assert_true(fd >= 0);
	assert_int_equal(CALL(1, fd, text, strlen(text)), strlen(text));
	CALL(3, fd);
}

static void test_limits(void **state)
{
	static const char queued[] = "/proc/sys/fs/inotify/max_queued_events";
	static const char watches[] = "/proc/sys/fs/inotify/max_user_watches";
	static const char instances[] = "/proc/sys/fs/inotify/max_user_instances";
	long second, old = in, wd, n;
	char name[32], buf[64];

	(void)state;
	CALL(83, "/l", 0755ul);
	n = CALL(17, open_at(watches, O_RDONLY), buf, 63ul, 0ul);
	assert_true(n > 0 && !strncmp(buf, "8192\n", 5));
	put(queued, "4\n");
	in = second = CALL(294, (u64)O_NONBLOCK);
	put(queued, "16384\n");
	wd = watch("/l", IN_CREATE | IN_DELETE);
	for (int i = 0; i < 9; i++) {
		snprintf(name, sizeof(name), "/l/%d", i);
		touch(name);
	}
	for (int i = 0; i < 4; i++) {
		snprintf(name, sizeof(name), "%d", i);
		expect(wd, IN_CREATE, name);
	}
	expect(-1, IN_Q_OVERFLOW, "");
	expect_none();
	CALL(87, "/l/0");
	expect(wd, IN_DELETE, "0");
	put(watches, "1\n");
	assert_int_equal(watch("/l/1", IN_OPEN), -ENOSPC);
	assert_int_equal(watch("/l", IN_OPEN), wd); /* the one that is there may change */
	CALL(NR_RM, in, wd);
	assert_int_equal(watch("/l/1", IN_OPEN), wd + 1);
	put(watches, "8192\n");
	put(instances, "2\n");
	assert_int_equal(CALL(294, 0ul), -EMFILE);
	fake_proc->cred.euid = 1000; /* each user his own */
	n = CALL(253);
	assert_true(n > 0);
	fake_proc->cred.euid = 0;
	CALL(3, n);
	CALL(3, second);
	put(instances, "128\n");
	in = old;
}

/* ---- without memory; in several threads ---- */

static void test_no_memory(void **state)
{
	long blocks;

	(void)state;
	CALL(83, "/n", 0755ul);
	touch("/n/f");
	blocks = fake_blocks;
	for (u32 every = 1; every < 12; every++) {
		long fd;

		fake_fail_every = every;
		fd = CALL(294, (u64)O_NONBLOCK);
		if (fd >= 0) {
			CALL(NR_WATCH, fd, "/n", (u64)IN_ALL_EVENTS);
			CALL(90, "/n/f", 0600ul);
			CALL(3, open_at("/n/f", O_RDONLY));
		}
		fake_fail_every = 0;
		if (fd >= 0)
			CALL(3, fd);
	}
	assert_int_equal(fake_blocks, blocks);
}

#define ROUNDS 3000

static void *maker(void *arg)
{
	char a[32], b[32];

	fake_join();
	for (int i = 0; i < ROUNDS; i++) {
		long fd;

		snprintf(a, sizeof(a), "/w/%c%d", 'a' + (int)(long)arg, i % 5);
		snprintf(b, sizeof(b), "/w/s/%c", 'a' + (i + (int)(long)arg) % 2);
		fd = open_at(a, RW_CREATE);
		if (fd >= 0) {
			CALL(1, fd, "x", 1ul);
			CALL(86, a, "/w/s/hard");
			CALL(82, a, b);
			CALL(3, fd);
		}
		CALL(87, i % 2 ? a : b);
		CALL(87, "/w/s/hard");
	}
	return NULL;
}

static void *watcher(void *arg)
{
	static u8 buf[2][4096];

	fake_join();
	for (int i = 0; i < ROUNDS; i++) {
		static const char *const names[] = { "/w", "/w/s", "/w/s/a", "/w/a1", "/w/s/hard" };
		long wd = CALL(NR_WATCH, in, names[i % 5],
			       (u64)(IN_ALL_EVENTS | (i % 3 ? 0 : IN_ONESHOT)));

		if (wd > 0 && i % 4 == 0)
			CALL(NR_RM, in, wd);
		CALL(0, in, buf[(long)arg], sizeof(buf[0]));
	}
	return NULL;
}

static void test_threads(void **state)
{
	pthread_t t[4];

	(void)state;
	CALL(83, "/w", 0755ul);
	CALL(83, "/w/s", 0755ul);
	for (long i = 0; i < 4; i++)
		pthread_create(&t[i], NULL, i < 2 ? maker : watcher, (void *)(i % 2));
	for (int i = 0; i < 4; i++)
		pthread_join(t[i], NULL);
}

static void *late_maker(void *arg)
{
	fake_join();
	for (int i = 0; i < 100; i++)
		sched_yield();
	touch(arg);
	return NULL;
}

/* A reader waits for the event; poll says when there is one. */
static void test_wait(void **state)
{
	struct {
		int fd;
		s16 events, revents;
	} p;
	long fd = CALL(253), wd;
	struct seen s;
	pthread_t t;

	(void)state;
	CALL(83, "/k", 0755ul);
	wd = CALL(NR_WATCH, fd, "/k", (u64)IN_CREATE);
	p.fd = (int)fd;
	p.events = POLLIN | POLLOUT;
	assert_int_equal(CALL(7, &p, 1ul, 0ul), 0);
	pthread_create(&t, NULL, late_maker, (void *)"/k/f");
	assert_int_equal(CALL(0, fd, &s, sizeof(s)), 32);
	pthread_join(t, NULL);
	assert_true(s.wd == wd && s.mask == IN_CREATE && !strcmp(s.name, "f"));
	touch("/k/g");
	assert_int_equal(CALL(7, &p, 1ul, 0ul), 1);
	assert_int_equal(p.revents, POLLIN);
	assert_int_equal(CALL(1, fd, "x", 1ul), -EBADF);
	CALL(3, fd);
}

static int boot(void **state)
{
	(void)state;
	fake_boot();
	CALL(83, "/proc", 0755ul);
	CALL(165, "proc", "/proc", "proc", 0ul, 0ul);
	return 0;
}

static int fresh(void **state)
{
	(void)state;
	in = CALL(294, (u64)O_NONBLOCK);
	return in < 0;
}

static int closed(void **state)
{
	(void)state;
	return CALL(3, in) != 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_arguments, fresh, closed),
		cmocka_unit_test_setup_teardown(test_directory, fresh, closed),
		cmocka_unit_test_setup_teardown(test_rename, fresh, closed),
		cmocka_unit_test_setup_teardown(test_end, fresh, closed),
		cmocka_unit_test_setup_teardown(test_two_names, fresh, closed),
		cmocka_unit_test_setup_teardown(test_unmount, fresh, closed),
		cmocka_unit_test_setup_teardown(test_oneshot, fresh, closed),
		cmocka_unit_test_setup_teardown(test_limits, fresh, closed),
		cmocka_unit_test_setup_teardown(test_threads, fresh, closed),
		cmocka_unit_test_setup_teardown(test_no_memory, fresh, closed),
		cmocka_unit_test_setup_teardown(test_wait, fresh, closed),
	};

	return cmocka_run_group_tests(tests, boot, NULL);
}
