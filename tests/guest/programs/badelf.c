/* SPDX-License-Identifier: MIT */
/* badelf FILE SEED COUNT - executes damaged copies of FILE: cut at every length of its headers, and
 * with seeded bits and fields of the headers changed. exec may fail or the program may die; nobody
 * else may. */
#include "check.h"

#include <elf.h>
#include <fcntl.h>
#include <sys/resource.h>

#define COPY "/tmp/badelf"

static unsigned char image[1 << 16], good[1 << 16];
static size_t size;
static unsigned long seed;
static int ran, refused, died;

static unsigned long next(void)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return seed * 0x2545f4914f6cdd1d;
}

static void try(size_t length)
{
	struct rlimit cpu = { 1, 2 }, as = { 256 << 20, 256 << 20 };
	char *argv[] = { COPY, NULL };
	int fd, status = 0;
	pid_t pid;

	unlink(COPY);
	fd = open(COPY, O_WRONLY | O_CREAT | O_EXCL, 0755);
	check(fd >= 0 && write(fd, image, length) == (ssize_t)length);
	close(fd);
	pid = vfork();
	if (!pid) {
		setrlimit(RLIMIT_CPU, &cpu);
		setrlimit(RLIMIT_AS, &as);
		alarm(3);
		execv(COPY, argv);
		_exit(127);
	}
	check(pid > 0);
	status = status_of(pid);
	if (WIFSIGNALED(status))
		died++;
	else if (WEXITSTATUS(status) == 127)
		refused++;
	else
		ran++;
}

static void damage(void)
{
	static const unsigned long values[] = {
		0,
		1,
		2,
		0xfff,
		0x1000,
		0x1001,
		0x7fffffff,
		0x80000000,
		0xffffffff,
		0x7fffffffe000,
		0x7ffffffff000,
		0x800000000000,
		0x7fffffffffffffff,
		0x8000000000000000,
		0xffff888000000000,
		0xffffffff80100000,
		0xfffffffffffff000,
		0xffffffffffffffff,
	};
	Elf64_Ehdr *e = (void *)image;
	size_t headers = sizeof(*e) + e->e_phnum * sizeof(Elf64_Phdr);
	int n = 1 + next() % 3;

	if (headers > size)
		headers = size;
	while (n--) {
		size_t at = next() % headers;

		switch (next() % 3) {
		case 0:
			image[at] ^= 1 << next() % 8;
			break;
		case 1:
			image[at] = next();
			break;
		default:
			at &= -8ul;
			if (at + 8 <= headers)
				memcpy(image + at, &values[next() % LENGTH(values)], 8);
		}
	}
}

int main(int argc, char **argv)
{
	int fd = open(argc > 1 ? argv[1] : "/test/tiny", O_RDONLY),
	    count = argc > 3 ? atoi(argv[3]) : 1000;
	Elf64_Ehdr *e = (void *)good;
	size_t headers;

	seed = argc > 2 ? strtoul(argv[2], NULL, 0) : 1;
	check(fd >= 0);
	size = read(fd, good, sizeof(good));
	check(size > sizeof(*e));
	headers = sizeof(*e) + e->e_phnum * sizeof(Elf64_Phdr);
	memcpy(image, good, size);
	try(size);
	check(ran == 1);
	for (size_t length = 0; length <= headers; length += 1 + length / 64)
		try(length);
	for (size_t length = headers; length < size; length += 500)
		try(length);
	printf("ok truncated\n");
	fflush(stdout);
	for (int i = 0; i < count; i++) {
		memcpy(image, good, size);
		damage();
		try(size);
	}
	memcpy(image, good, size);
	ran = 0;
	try(size);
	check(ran == 1);
	printf("ok damaged (%d refused, %d died)\n", refused, died);
	unlink(COPY);
	return 0;
}
