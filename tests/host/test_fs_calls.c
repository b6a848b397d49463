/* SPDX-License-Identifier: MIT */
/* test_fs_calls.c - descriptors and what is done through them: sharing, numbers, positions, holes,
 * limits, locks, directory reading, permissions, mounts, and the text files of /proc and /sys. */
/* cflags: -Itests/host/fs -include tests/host/own_names.h */
/* sources: kernel/fs/[a-z]*.c kernel/time/usertime.c kernel/lib/iter.c kernel/lib/parse.c */
/* sources: kernel/lib/printf.c kernel/lib/string.c kernel/lib/inflate.c */
/* sources: tests/host/fs/model.c tests/host/fake_fs_env.c */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "fake_fs_env.h"
#include <weft/seqfile.h>
#include <weft/string.h>

#define RW_CREATE (O_RDWR | O_CREAT)

static long open_at(const char *path, u32 flags)
{
	return CALL(257, (u64)AT_FDCWD, path, (u64)flags, 0644ul);
}

static void put(const char *path, const char *text)
{
	long fd = open_at(path, RW_CREATE | O_TRUNC);

	assert_true(fd >= 0);
	assert_int_equal(CALL(1, fd, text, strlen(text)), strlen(text));
	assert_int_equal(CALL(3, fd), 0);
}

static const char *get(const char *path)
{
	static char buf[8192];
	long fd = open_at(path, O_RDONLY), n, total = 0;

	if (fd < 0)
		return NULL;
	while ((n = CALL(0, fd, buf + total, sizeof(buf) - 1 - total)) > 0)
		total += n;
	CALL(3, fd);
	buf[total] = 0;
	return n < 0 ? NULL : buf;
}

static void test_numbers(void **state)
{
	struct user_stat st;
	long fd, fds[3];
	int i;

	(void)state;
	for (i = 0; i < 3; i++) {
		fds[i] = open_at("/n", RW_CREATE);
		assert_int_equal(fds[i], i);
	}
	assert_int_equal(CALL(3, 1ul), 0);
	assert_int_equal(CALL(3, 1ul), -EBADF);
	assert_int_equal(CALL(32, 0ul), 1);
	assert_int_equal(CALL(33, 2ul, 200ul), 200);
	assert_int_equal(CALL(33, 200ul, 200ul), 200);
	assert_int_equal(CALL(33, 7ul, 7ul), -EBADF);
	assert_int_equal(CALL(292, 2ul, 2ul, 0ul), -EINVAL);
	assert_int_equal(CALL(33, 2ul, 5000ul), -EBADF);
	assert_int_equal(CALL(72, 0ul, 0ul, 10ul), 10);	   /* F_DUPFD */
	assert_int_equal(CALL(72, 0ul, 1030ul, 10ul), 11); /* F_DUPFD_CLOEXEC */
	assert_int_equal(CALL(72, 11ul, 1ul), 1);
	assert_int_equal(CALL(72, 10ul, 1ul), 0);
	assert_int_equal(CALL(72, 10ul, 3ul), O_RDWR | O_LARGEFILE);
	assert_int_equal(CALL(72, 0ul, 0ul, 100000ul), -EINVAL);
	fd_table_close_on_exec(fake_proc->files);
	assert_int_equal(CALL(5, 11ul, &st), -EBADF);
	assert_int_equal(CALL(436, 10ul, ~0ul & 0xffffffff, 0ul), 0);
	assert_int_equal(CALL(5, 200ul, &st), -EBADF);
	fake_proc->rlim[7].cur = 4;
	fd = open_at("/n", O_RDONLY);
	assert_int_equal(fd, 3);
	assert_int_equal(open_at("/n", O_RDONLY), -EMFILE);
	fake_proc->rlim[7].cur = 1024;
	CALL(436, 0ul, 0xfffffffful, 0ul);
	CALL(87, "/n");
}

static void test_positions(void **state)
{
	char buf[64];
	long fd, other;

	(void)state;
	put("/p", "0123456789");
	fd = open_at("/p", O_RDWR);
	other = CALL(32, fd);
	assert_int_equal(CALL(0, fd, buf, 3ul), 3);
	assert_int_equal(CALL(0, other, buf, 3ul), 3);
	assert_memory_equal(buf, "345", 3);
	assert_int_equal(CALL(17, fd, buf, 4ul, 8ul), 2);
	assert_int_equal(CALL(8, fd, 0ul, 1ul), 6);
	assert_int_equal(CALL(8, fd, -2l, 2ul), 8);
	assert_int_equal(CALL(8, fd, -20l, 1ul), -EINVAL);
	assert_int_equal(CALL(8, fd, 2ul, 3ul), 2);  /* SEEK_DATA */
	assert_int_equal(CALL(8, fd, 2ul, 4ul), 10); /* SEEK_HOLE */
	assert_int_equal(CALL(8, fd, 20ul, 3ul), -ENXIO);
	assert_int_equal(CALL(0, fd, 8ul, 3ul), 0);
	CALL(8, fd, 0ul, 0ul);
	assert_int_equal(CALL(0, fd, 8ul, 3ul), -EFAULT);
	assert_int_equal(CALL(1, fd, 8ul, 3ul), -EFAULT);
	assert_int_equal(CALL(0, fd, buf, -1l), -EINVAL);
	CALL(3, fd);
	CALL(3, other);
	fd = open_at("/p", O_WRONLY | O_APPEND);
	assert_int_equal(CALL(18, fd, "x", 1ul, 0ul), 1); /* Linux appends here too */
	assert_int_equal(CALL(0, fd, buf, 1ul), -EBADF);
	CALL(3, fd);
	assert_string_equal(get("/p"), "0123456789x");
	CALL(87, "/p");
}

/* Random writes, truncates and reads against one plain array. */
static void test_contents(void **state)
{
	static u8 model[300000], buf[300000], zero[4096];
	size_t size = 0;
	u32 i, seed = 3;
	long fd;

	(void)state;
	fd = open_at("/c", RW_CREATE);
	for (i = 0; i < 4000; i++) {
		u32 off, n, k;

		seed = seed * 1664525u + 1013904223u;
		off = (seed >> 4) % 200000;
		n = (seed >> 20) % 3 ? (seed >> 9) % 300 : (seed >> 9) % 20000;
		switch (seed >> 30) {
		case 0:
			if (i % 7)
				break;
			assert_int_equal(CALL(77, fd, (u64)off), 0);
			if (off < size)
				memset(model + off, 0, size - off);
			size = off;
			break;
		case 1:
			assert_int_equal(CALL(17, fd, buf, (u64)n, (u64)off),
					 off >= size	? 0 :
					 off + n > size ? size - off :
							  n);
			if (off < size)
				assert_memory_equal(buf, model + off,
						    off + n > size ? size - off : n);
			break;
		default:
			for (k = 0; k < n; k++)
				model[off + k] = (u8)(i + k);
			assert_int_equal(CALL(18, fd, model + off, (u64)n, (u64)off), n);
			if (n && off + n > size)
				size = off + n;
		}
	}
	CALL(77, fd, 0ul);
	/* far apart: holes cost nothing and read as zeros */
	assert_int_equal(CALL(18, fd, "end", 3ul, 1ul << 42), 3);
	assert_int_equal(CALL(17, fd, buf, 4096ul, 1ul << 41), 4096);
	assert_memory_equal(buf, zero, 4096);
	assert_true(fake_pages < 3);
	assert_int_equal(CALL(18, fd, "end", 3ul, 1ul << 50), -EFBIG);
	assert_int_equal(CALL(285, fd, 0ul, 0ul, 10000ul), 0);
	assert_int_equal(CALL(285, fd, 3ul, 1ul << 42, 1ul), 0);
	assert_int_equal(CALL(17, fd, buf, 3ul, 1ul << 42), 3);
	assert_memory_equal(buf, "\0nd", 3);
	CALL(87, "/c");
	assert_true(fake_pages > 0);
	CALL(3, fd);
	assert_int_equal(fake_pages, 0);
}

static void test_tmpfs_limit(void **state)
{
	static u8 block[65536];
	u64 st[15];
	long fd, n, total = 0;

	(void)state;
	CALL(83, "/m", 0755ul);
	assert_int_equal(CALL(165, "tmpfs", "/m", "tmpfs", 0ul, "size=1m,mode=0700"), 0);
	assert_int_equal(CALL(84, "/m"), -EBUSY);
	fd = open_at("/m/f", RW_CREATE);
	while ((n = CALL(1, fd, block, sizeof(block))) > 0)
		total += n;
	assert_int_equal(n, -ENOSPC);
	assert_int_equal(total, 1 << 20);
	assert_int_equal(CALL(137, "/m", st), 0);
	assert_int_equal(st[2], 256);
	assert_int_equal(st[3], 0);
	assert_int_equal(CALL(166, "/m", 0ul), -EBUSY);
	assert_non_null(strstr(get("/m/../m/../etc-none") ? "" : "ok", "ok"));
	CALL(83, "/proc", 0755ul);
	assert_int_equal(CALL(165, "proc", "/proc", "proc", 0ul, 0ul), 0);
	assert_non_null(strstr(get("/proc/mounts"), "tmpfs /m tmpfs rw,relatime 0 0\n"));
	assert_non_null(
		strstr(get("/proc/self/mountinfo"), " / /m rw,relatime - tmpfs tmpfs rw\n"));
	/* detached: gone from the tree, alive for who has it open */
	assert_int_equal(CALL(166, "/m", 2ul), 0);
	assert_int_equal(open_at("/m/f", O_RDONLY), -ENOENT);
	assert_int_equal(CALL(17, fd, block, 10ul, 0ul), 10);
	CALL(3, fd);
	assert_int_equal(fake_pages, 0);
	assert_int_equal(CALL(166, "/m", 0ul), -EINVAL);
	assert_int_equal(CALL(166, "/", 0ul), -EBUSY);
	assert_int_equal(CALL(165, "x", "/m", "ext4", 0ul, 0ul), -ENODEV);
	assert_int_equal(CALL(165, "x", "/m", "tmpfs", 0ul, "size=zz"), -EINVAL);
	assert_int_equal(CALL(84, "/m"), 0);
}

static void test_bind_and_chroot(void **state)
{
	char buf[64];

	(void)state;
	CALL(83, "/b1", 0755ul);
	CALL(83, "/b2", 0755ul);
	CALL(83, "/b1/sub", 0755ul);
	put("/b1/sub/f", "bound");
	assert_int_equal(CALL(165, "/b1/sub", "/b2", "", 4096ul, 0ul), 0);
	assert_string_equal(get("/b2/f"), "bound");
	assert_string_equal(get("/b2/../b1/sub/f"), "bound");
	assert_int_equal(CALL(82, "/b2/f", "/b1/f"), -EXDEV);
	assert_int_equal(CALL(165, "", "/b2", "", 4096ul | 32 | 1, 0ul), 0);
	assert_int_equal(open_at("/b2/f", O_WRONLY), -EROFS);
	assert_int_equal(open_at("/b2/new", RW_CREATE), -EROFS);
	assert_int_equal(CALL(80, "/b2"), 0);
	assert_int_equal(CALL(79, buf, sizeof(buf)), 4);
	assert_string_equal(buf, "/b2");
	assert_int_equal(CALL(166, "/b2", 0ul), -EBUSY);
	assert_int_equal(CALL(80, "/"), 0);
	assert_int_equal(CALL(166, "/b2", 0ul), 0);
	/* rename under a bind mount keeps its path right; chroot keeps ".." inside */
	assert_int_equal(CALL(80, "/b1/sub"), 0);
	assert_int_equal(CALL(82, "/b1", "/b3"), 0);
	assert_true(CALL(79, buf, sizeof(buf)) > 0);
	assert_string_equal(buf, "/b3/sub");
	assert_int_equal(CALL(161, "/b3"), 0);
	assert_string_equal(get("/../../sub/f"), "bound");
	assert_int_equal(open_at("/../b2", O_RDONLY), -ENOENT);
	assert_true(CALL(79, buf, sizeof(buf)) > 0);
	assert_string_equal(buf, "/sub");
	assert_int_equal(CALL(80, "/"), 0);
	fs_context_put(fake_proc->fs);
	fake_proc->fs = fs_context_copy(NULL);
	CALL(87, "/b3/sub/f");
	CALL(84, "/b3/sub");
	CALL(84, "/b3");
	CALL(84, "/b2");
}

static void test_permissions(void **state)
{
	(void)state;
	CALL(83, "/t", 0777ul);
	CALL(90, "/t", 01777ul);
	put("/t/root", "r");
	CALL(90, "/t/root", 0640ul);
	CALL(83, "/t/dir", 0700ul);
	fake_proc->cred.fsuid = fake_proc->cred.uid = fake_proc->cred.euid = 1000;
	fake_proc->cred.fsgid = fake_proc->cred.gid = 1000;
	assert_int_equal(open_at("/t/root", O_RDONLY), -EACCES);
	assert_int_equal(open_at("/t/dir/x", RW_CREATE), -EACCES);
	assert_int_equal(CALL(87, "/t/root"), -EPERM); /* sticky */
	assert_int_equal(CALL(90, "/t/root", 0666ul), -EPERM);
	put("/t/mine", "m");
	assert_int_equal(CALL(90, "/t/mine", 0400ul), 0);
	assert_int_equal(open_at("/t/mine", O_RDWR), -EACCES);
	assert_int_equal(CALL(21, "/t/mine", 4ul), 0);
	assert_int_equal(CALL(21, "/t/mine", 2ul), -EACCES);
	assert_int_equal(CALL(92, "/t/mine", 0ul, -1l), -EPERM);
	fake_proc->cred.ngroups = 1;
	fake_proc->cred.groups[0] = 50;
	assert_int_equal(CALL(92, "/t/mine", -1l, 50ul), 0);
	assert_int_equal(CALL(165, "x", "/t", "tmpfs", 0ul, 0ul), -EPERM);
	assert_int_equal(CALL(161, "/t"), -EPERM);
	assert_int_equal(CALL(133, "/t/dev", 020666ul, 0x103ul), -EPERM);
	assert_int_equal(CALL(133, "/t/fifo", 010666ul, 0ul), 0);
	assert_int_equal(CALL(82, "/t/fifo", "/t/fifo2"), 0);
	assert_int_equal(CALL(87, "/t/fifo2"), 0);
	assert_int_equal(CALL(87, "/t/mine"), 0);
	memset(&fake_proc->cred, 0, sizeof(fake_proc->cred));
	CALL(87, "/t/root");
	CALL(84, "/t/dir");
	CALL(84, "/t");
}

static void test_getdents(void **state)
{
	u8 buf[256];
	long fd, n, at, names = 0;
	char name[16];
	u32 i, seen[300] = { 0 };

	(void)state;
	CALL(83, "/g", 0755ul);
	for (i = 0; i < 300; i++) {
		snprintf(name, sizeof(name), "/g/%u", i);
		put(name, "");
	}
	fd = open_at("/g", O_RDONLY | O_DIRECTORY);
	while ((n = CALL(217, fd, buf, sizeof(buf))) > 0) {
		for (at = 0; at < n; at += *(u16 *)(buf + at + 16)) {
			const char *e = (char *)buf + at + 19;
			int v;

			if (kstrtoint(e, 10, &v))
				continue;
			seen[v]++;
			names++;
			/* removing what was read must not disturb what comes */
			snprintf(name, sizeof(name), "/g/%d", v);
			assert_int_equal(CALL(87, name), 0);
		}
	}
	assert_int_equal(n, 0);
	assert_int_equal(names, 300);
	for (i = 0; i < 300; i++)
		assert_int_equal(seen[i], 1);
	assert_int_equal(CALL(8, fd, 0ul, 0ul), 0);
	assert_int_equal(CALL(217, fd, buf, 10ul), -EINVAL);
	assert_int_equal(CALL(84, "/g"), 0);
	assert_int_equal(CALL(217, fd, buf, sizeof(buf)), -ENOENT);
	CALL(3, fd);
	fd = open_at("/proc", O_RDONLY);
	for (i = 0; (n = CALL(78, fd, buf, sizeof(buf))) > 0; i++)
		;
	assert_true(n == 0 && i > 2);
	CALL(3, fd);
}

struct user_flock {
	s16 type, whence;
	s32 pad;
	s64 start, len;
	s32 pid, pad2;
};

static void test_locks(void **state)
{
	struct user_flock k = { .type = 1, .start = 10, .len = 10 };
	struct fd_table *mine = fake_proc->files, *theirs;
	long fd = open_at("/l", RW_CREATE), other;

	(void)state;
	assert_int_equal(CALL(72, fd, 6ul, &k), 0);
	k = (struct user_flock){ .type = 2, .start = 13, .len = 2 }; /* a hole in the middle */
	assert_int_equal(CALL(72, fd, 6ul, &k), 0);
	theirs = fake_proc->files = fd_table_copy(NULL);
	other = open_at("/l", O_RDWR);
	k = (struct user_flock){ .type = 1, .start = 13, .len = 2 };
	assert_int_equal(CALL(72, other, 6ul, &k), 0);
	k = (struct user_flock){ .type = 0, .start = 0, .len = 0 };
	assert_int_equal(CALL(72, other, 6ul, &k), -EAGAIN);
	k.type = 1;
	assert_int_equal(CALL(72, other, 5ul, &k), 0);
	assert_true(k.type == 1 && k.start == 10 && k.len == 3 && k.pid == 7);
	assert_int_equal(CALL(73, other, 2ul), 0);
	fake_proc->files = mine;
	assert_int_equal(CALL(73, fd, 2ul | 4), -EAGAIN);
	assert_int_equal(CALL(73, fd, 99ul), -EINVAL);
	fd_table_put(theirs);
	assert_int_equal(CALL(73, fd, 2ul | 4), 0);
	k = (struct user_flock){ .type = 1 };
	assert_int_equal(CALL(72, fd, 6ul, &k), 0);
	CALL(3, fd);
	CALL(87, "/l");
}

/* ---- /proc and /sys ---- */

static int shown;

static int show_count(struct seq *s)
{
	return seq_printf(s, "%d %s\n", ++shown, (const char *)s->arg);
}

static char written[32];

static int take_text(void *arg, const char *text, size_t len)
{
	(void)arg;
	strscpy(written, text, sizeof(written));
	return len == 3 ? 0 : -EINVAL;
}

static void test_procfiles(void **state)
{
	static int value = 5;
	static struct sysctl ctl = { .path = "net/test/value", .value = &value, .max = 9 };
	struct procfile f = { .path = "net/deep/file",
			      .mode = 0644,
			      .show = show_count,
			      .write = take_text,
			      .arg = (void *)"arg" };
	struct procfile twin = f;
	char buf[64];
	long fd;

	(void)state;
	assert_int_equal(procfile_add_owner(&f, NULL), 0);
	assert_int_equal(procfile_add_owner(&twin, NULL), -EEXIST);
	procfile_remove(&twin);
	fd = open_at("/proc/net/deep/file", O_RDWR);
	assert_int_equal(CALL(0, fd, buf, 2ul), 2);
	assert_int_equal(CALL(0, fd, buf + 2, 60ul), 4);
	assert_memory_equal(buf, "1 arg\n", 6);
	assert_int_equal(CALL(0, fd, buf, 60ul), 0);
	CALL(8, fd, 0ul, 0ul);
	assert_int_equal(CALL(0, fd, buf, 60ul), 6);
	assert_memory_equal(buf, "2 arg\n", 6);
	assert_int_equal(CALL(1, fd, "abc\n", 4ul), 4);
	assert_string_equal(written, "abc");
	assert_int_equal(CALL(1, fd, "abcd", 4ul), -EINVAL);
	procfile_remove(&f);
	procfile_remove(&f);
	CALL(8, fd, 0ul, 0ul);
	assert_int_equal(CALL(0, fd, buf, 60ul), 0);
	assert_int_equal(CALL(1, fd, "abc", 3ul), -ENODEV);
	CALL(3, fd);
	assert_int_equal(open_at("/proc/net/deep", O_RDONLY), -ENOENT);
	assert_int_equal(open_at("/proc/nothing", RW_CREATE | O_TRUNC), -ENOENT);
	assert_int_equal(CALL(83, "/proc/dir", 0755ul), -EPERM);
	assert_int_equal(CALL(87, "/proc/version"), -EPERM);
	assert_int_equal(open_at("/proc/version", O_WRONLY), -EACCES);

	assert_int_equal(sysctl_add_owner(&ctl, NULL), 0);
	assert_string_equal(get("/proc/sys/net/test/value"), "5\n");
	put("/proc/sys/net/test/value", "9\n");
	assert_int_equal(value, 9);
	fd = open_at("/proc/sys/net/test/value", O_WRONLY | O_TRUNC);
	assert_int_equal(CALL(1, fd, "10\n", 3ul), -EINVAL);
	CALL(3, fd);
	sysctl_remove(&ctl);
	assert_null(get("/proc/sys/net/test/value"));
}

static void test_sysfiles(void **state)
{
	struct procfile f = {
		.path = "class/net/x0/mtu", .mode = 0444, .show = show_count, .arg = (void *)"mtu"
	};
	struct procfile g = {
		.path = "devices/x/mtu", .mode = 0444, .show = show_count, .arg = (void *)"dev"
	};
	char buf[64];

	(void)state;
	CALL(83, "/sys", 0755ul);
	assert_int_equal(CALL(165, "sysfs", "/sys", "sysfs", 0ul, 0ul), 0);
	assert_int_equal(sysfile_add_owner(&f, NULL), 0);
	assert_int_equal(sysfile_add_owner(&g, NULL), 0);
	assert_int_equal(sysfs_link("class/net/x0/device", "../../../devices/x"), 0);
	assert_int_equal(sysfs_link("class/net/x0/device", "again"), -EEXIST);
	shown = 0;
	assert_string_equal(get("/sys/class/net/x0/device/mtu"), "1 dev\n");
	assert_int_equal(CALL(89, "/sys/class/net/x0/device", buf, sizeof(buf)), 18);
	sysfs_remove("class/net/x0");
	assert_null(f.node);
	sysfile_remove(&f);
	assert_null(get("/sys/class/net/x0/mtu"));
	assert_int_equal(CALL(80, "/sys/class/net"), 0);
	assert_int_equal(CALL(80, "/"), 0);
	sysfile_remove(&g);
	assert_int_equal(open_at("/sys/devices/x", O_RDONLY), -ENOENT);
}

static void test_process_files(void **state)
{
	char buf[64];
	long fd;
	u32 i;
	static const char *const all[] = { "stat",   "statm",	"status",  "cmdline",
					   "comm",   "environ", "maps",	   "mounts",
					   "limits", "cgroup",	"fdinfo/0" };

	(void)state;
	fd = open_at("/n", RW_CREATE);
	assert_int_equal(fd, 0);
	for (i = 0; i < ARRAY_SIZE(all); i++) {
		snprintf(buf, sizeof(buf), "/proc/self/%s", all[i]);
		assert_non_null(get(buf));
		snprintf(buf, sizeof(buf), "/proc/7/task/7/%s", all[i]);
		assert_non_null(get(buf));
	}
	assert_memory_equal(get("/proc/7/stat"), "7 (test) R 0 0 0 ", 17);
	assert_int_equal(CALL(89, "/proc/self", buf, sizeof(buf)), 1);
	assert_int_equal(CALL(89, "/proc/self/fd/0", buf, sizeof(buf)), 2);
	assert_memory_equal(buf, "/n", 2);
	CALL(87, "/n");
	assert_int_equal(CALL(89, "/proc/self/fd/0", buf, sizeof(buf)), 12);
	assert_memory_equal(buf, "/n (deleted)", 12);
	/* reopening a removed file by its descriptor */
	assert_int_equal(CALL(1, 0ul, "still", 5ul), 5);
	assert_string_equal(get("/proc/self/fd/0"), "still");
	assert_int_equal(CALL(89, "/proc/self/cwd", buf, sizeof(buf)), 1);
	assert_int_equal(CALL(89, "/proc/self/fd/9", buf, sizeof(buf)), -ENOENT);
	assert_int_equal(open_at("/proc/8/stat", O_RDONLY), -ENOENT);
	assert_int_equal(open_at("/proc/07/stat", O_RDONLY), -ENOENT);
	assert_int_equal(CALL(80, "/proc/self/fd"), 0);
	assert_true(CALL(79, buf, sizeof(buf)) > 0);
	assert_string_equal(buf, "/proc/7/fd");
	assert_int_equal(CALL(80, "../../.."), 0);
	CALL(3, 0ul);
}

static void test_exec_and_times(void **state)
{
	s64 ts[4] = { 100, 5, 0, 0x3ffffffe };
	struct user_stat st;
	struct file *f;
	char c;
	long fd;

	(void)state;
	put("/x", "#!");
	assert_int_equal(PTR_ERR(vfs_open_exec("/x")), -EACCES);
	CALL(90, "/x", 0755ul);
	fd = open_at("/x", O_WRONLY);
	assert_int_equal(PTR_ERR(vfs_open_exec("/x")), -ETXTBSY);
	CALL(3, fd);
	f = vfs_open_exec("/x");
	assert_false(IS_ERR(f));
	assert_int_equal(vfs_read_at(f, &c, 1, 1), 1);
	assert_int_equal(c, '!');
	assert_int_equal(open_at("/x", O_WRONLY), -ETXTBSY);
	assert_int_equal(CALL(76, "/x", 0ul), -ETXTBSY);
	file_put(f);
	assert_int_equal(CALL(280, (u64)AT_FDCWD, "/x", ts, 0ul), 0);
	assert_int_equal(CALL(262, (u64)AT_FDCWD, "/x", &st, 0ul), 0);
	assert_true(st.st_atime_sec == 100 && st.st_atime_nsec == 5 && st.st_mtime_sec > 1000);
	fd = open_at("/x", O_RDONLY);
	assert_int_equal(CALL(262, fd, "", &st, 0x1000ul), 0);
	assert_int_equal(st.st_size, 2);
	assert_int_equal(CALL(191, "/x", "user.a", 0ul, 0ul), -EOPNOTSUPP);
	assert_int_equal(CALL(191, "/y", "user.a", 0ul, 0ul), -ENOENT);
	CALL(3, fd);
	CALL(87, "/x");
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
		cmocka_unit_test(test_numbers),		cmocka_unit_test(test_positions),
		cmocka_unit_test(test_contents),	cmocka_unit_test(test_tmpfs_limit),
		cmocka_unit_test(test_bind_and_chroot), cmocka_unit_test(test_permissions),
		cmocka_unit_test(test_getdents),	cmocka_unit_test(test_locks),
		cmocka_unit_test(test_procfiles),	cmocka_unit_test(test_sysfiles),
		cmocka_unit_test(test_process_files),	cmocka_unit_test(test_exec_and_times),
	};

	return cmocka_run_group_tests(tests, boot, NULL);
}
