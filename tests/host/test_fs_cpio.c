/* SPDX-License-Identifier: MIT */
/* test_fs_cpio.c - the boot image: what a good archive becomes (in place where it is aligned), and
 * that a damaged one does no harm however it is damaged. */
/* cflags: -Itests/host/fs -include tests/host/own_names.h */
/* sources: kernel/fs/[a-z]*.c kernel/time/usertime.c kernel/lib/iter.c kernel/lib/parse.c */
/* sources: kernel/lib/printf.c kernel/lib/string.c kernel/lib/inflate.c */
/* sources: tests/host/fs/model.c tests/host/fake_fs_env.c */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "fake_fs_env.h"

static u8 archive[1 << 20];
static size_t used;

static void pad(size_t to)
{
	while (used % to)
		archive[used++] = 0;
}

/* align: the data begins on a page, by zeros behind the name. */
static void add(const char *name, u32 mode, const void *data, u32 size, u32 ino, u32 nlink,
		bool align)
{
	u32 namesize = (u32)strlen(name) + 1;
	char head[111];

	pad(4);
	if (align)
		namesize += (u32)(-(used + 110 + namesize) & 4095);
	snprintf(head, sizeof(head), "070701%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x",
		 ino, mode, 3u, 4u, nlink, 1000u, size, 0u, 0u, 5u, 6u, namesize, 0u);
	memcpy(archive + used, head, 110);
	used += 110;
	memset(archive + used, 0, namesize);
	memcpy(archive + used, name, strlen(name));
	used += namesize;
	pad(4);
	memcpy(archive + used, data, size);
	used += size;
	pad(4);
}

static void finish(void)
{
	add("TRAILER!!!", 0, "", 0, 0, 1, false);
	pad(512);
}

static void put_text(const char *path, char *buf, size_t size)
{
	long fd = CALL(2, path, (u64)O_RDONLY), n = -1;

	if (fd >= 0) {
		n = CALL(0, fd, buf, size - 1);
		CALL(3, fd);
	}
	buf[n < 0 ? 0 : n] = 0;
}

static u8 big[20000];

static void good_archive(void)
{
	u32 i;

	for (i = 0; i < sizeof(big); i++)
		big[i] = (u8)(i + (i >> 8));
	used = 0;
	add(".", 040755, "", 0, 1, 2, false);
	add("bin", 040711, "", 0, 2, 2, false);
	add("./bin//prog", 0104755, big, sizeof(big), 3, 1, true);
	add("bin/sh", 0120777, "prog", 4, 4, 1, false);
	add("deep/er/file", 0100644, "text", 4, 5, 1, false);
	add("dev0", 020600, "", 0, 6, 1, false);
	add("hard1", 0100644, "", 0, 7, 2, false);
	add("hard2", 0100644, "linked", 6, 7, 2, false);
	add("../outside", 0100644, "bad", 3, 8, 1, false);
	finish();
	add("second", 0100600, "2", 1, 9, 1, false);
	finish();
}

static void test_good(void **state)
{
	struct user_stat st;
	static char buf[30000];
	long fd;

	(void)state;
	good_archive();
	memcpy(fake_image(used), archive, used);
	assert_int_equal(initramfs_unpack(fake_image(used), 0), -EINVAL);
	{
		u8 *image = fake_image(used);

		memcpy(image, archive, used);
		assert_int_equal(initramfs_unpack(image, used), 0);
	}
	assert_int_equal(fake_image_adopted(), 4);
	fd = CALL(2, "/bin/sh", (u64)O_RDWR);
	assert_true(fd >= 0);
	assert_int_equal(CALL(0, fd, buf, sizeof(buf)), sizeof(big));
	assert_memory_equal(buf, big, sizeof(big));
	/* behind the end there is nothing of the archive */
	assert_int_equal(CALL(77, fd, 24576ul), 0);
	assert_int_equal(CALL(17, fd, buf, 4576ul, 20000ul), 4576);
	assert_int_equal(buf[0] | buf[100] | buf[4575], 0);
	CALL(3, fd);
	assert_int_equal(CALL(4, "/bin/prog", &st), 0);
	assert_int_equal(st.st_mode, 0104755);
	assert_true(st.st_uid == 3 && st.st_gid == 4 && st.st_mtime_sec >= 1000);
	assert_int_equal(CALL(4, "/bin", &st), 0);
	assert_int_equal(st.st_mode, 040711);
	put_text("/deep/er/file", buf, sizeof(buf));
	assert_string_equal(buf, "text");
	assert_int_equal(CALL(4, "/dev0", &st), 0);
	assert_true(st.st_mode == 020600 && st.st_rdev == makedev(5, 6));
	put_text("/hard1", buf, sizeof(buf));
	assert_string_equal(buf, "linked");
	assert_int_equal(CALL(4, "/hard1", &st), 0);
	assert_int_equal(st.st_nlink, 2);
	put_text("/second", buf, sizeof(buf));
	assert_string_equal(buf, "2");
	assert_int_equal(CALL(4, "/outside", &st), -ENOENT);
	assert_int_equal(CALL(4, "/dev/stdin", &st), -ENOENT);
	assert_int_equal(CALL(6, "/dev/stdin", &st), 0);
	assert_int_equal(CALL(87, "/bin/prog"), 0);
	assert_int_equal(fake_image_adopted(), 0);
	assert_int_equal(CALL(166, "/dev", 2ul), 0);
}

/* Stored blocks in a gzip member: header, one block of at most 65535 bytes, CRC and length. */
static u32 crc(const u8 *p, size_t n)
{
	u32 c = ~0u;
	int k;

	while (n--) {
		c ^= *p++;
		for (k = 0; k < 8; k++)
			c = c >> 1 ^ (c & 1 ? 0xedb88320u : 0);
	}
	return ~c;
}

static void test_gzip(void **state)
{
	static u8 gz[70000];
	static const u8 head[] = { 0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3 };
	char buf[16];
	size_t n = sizeof(head);
	u32 sum, len;

	(void)state;
	used = 0;
	add("packed", 0100644, "inside", 6, 1, 1, false);
	finish();
	memcpy(gz, head, n);
	gz[n++] = 1;
	len = (u32)used;
	gz[n++] = (u8)len;
	gz[n++] = (u8)(len >> 8);
	gz[n++] = (u8)~len;
	gz[n++] = (u8)(~len >> 8);
	memcpy(gz + n, archive, used);
	n += used;
	sum = crc(archive, used);
	memcpy(gz + n, &sum, 4);
	memcpy(gz + n + 4, &len, 4);
	n += 8;
	assert_int_equal(initramfs_unpack(gz, n), 0);
	put_text("/packed", buf, sizeof(buf));
	assert_string_equal(buf, "inside");
	CALL(87, "/packed");
	CALL(166, "/dev", 2ul);
	gz[60] ^= 1;
	initramfs_unpack(gz, n);
	CALL(166, "/dev", 2ul);
}

static u32 seed = 99;

static u32 rnd(u32 n)
{
	seed = seed * 1664525u + 1013904223u;
	return (seed >> 8) % n;
}

/* Cut, flipped and rewritten archives: whatever comes of them, nothing outside the buffer is
 * touched (a buffer of exact size, so that ASan sees it). */
static void test_damaged(void **state)
{
	static const char digits[] = "0123456789abcdefFxX/. \0";
	u32 round, i;

	(void)state;
	for (round = 0; round < 3000; round++) {
		size_t n;
		u8 *copy;

		good_archive();
		n = rnd(3) ? used : rnd((u32)used);
		copy = malloc(n ? n : 1);
		memcpy(copy, archive, n);
		for (i = 0; n && i < rnd(12); i++) {
			/* mostly in headers, and there mostly digits */
			size_t at = rnd(2) ? rnd((u32)n) : rnd((u32)min(n, (size_t)600));

			copy[at] = rnd(3) ? (u8)digits[rnd(sizeof(digits))] : (u8)rnd(256);
		}
		initramfs_unpack(copy, n);
		free(copy);
		CALL(166, "/dev", 2ul);
	}
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
		cmocka_unit_test(test_good),
		cmocka_unit_test(test_gzip),
		cmocka_unit_test(test_damaged),
	};

	return cmocka_run_group_tests(tests, boot, NULL);
}
