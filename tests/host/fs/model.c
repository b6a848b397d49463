/* SPDX-License-Identifier: MIT */
/* model.c - model.h by the system calls of this machine. Knows nothing of the kernel under test. */
#define _GNU_SOURCE
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <link.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "tests/host/fs/model.h"

static char top[] = "/dev/shm/weft-model-XXXXXX";

static long result(long r)
{
	return r < 0 ? -errno : r;
}

void model_start(void)
{
	int i;

	strcpy(top + sizeof(top) - 7, "XXXXXX");
	if (!mkdtemp(top) || chmod(top, 0755) || chdir(top))
		abort();
	umask(022);
	for (i = 0; i < MODEL_DEPTH; i++) {
		if (mkdir("t", 0755) || chdir("t"))
			abort();
	}
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

void model_end(void)
{
	if (chdir("/") || nftw(top, remove_one, 16, FTW_DEPTH | FTW_PHYS))
		abort();
}

long model_mkdir(const char *path, unsigned mode)
{
	return result(mkdir(path, mode));
}

long model_rmdir(const char *path)
{
	return result(rmdir(path));
}

long model_unlink(const char *path)
{
	return result(unlink(path));
}

long model_create(const char *path, int flags, const char *text)
{
	int fd = open(path, flags, 0644);
	long n;

	if (fd < 0)
		return -errno;
	n = result(write(fd, text, strlen(text)));
	close(fd);
	return n;
}

long model_rename(const char *from, const char *to, unsigned flags)
{
	return result(syscall(SYS_renameat2, AT_FDCWD, from, AT_FDCWD, to, flags));
}

long model_link(const char *from, const char *to)
{
	return result(link(from, to));
}

long model_symlink(const char *target, const char *path)
{
	return result(symlink(target, path));
}

long model_truncate(const char *path, long size)
{
	return result(truncate(path, size));
}

long model_readlink(const char *path, char *buf, unsigned long size)
{
	return result(readlink(path, buf, size));
}

long model_stat(const char *path, int follow, unsigned *mode, unsigned *nlink, long *size)
{
	struct stat st;

	if ((follow ? stat : lstat)(path, &st))
		return -errno;
	*mode = st.st_mode;
	*nlink = (unsigned)st.st_nlink;
	*size = S_ISDIR(st.st_mode) ? 0 : st.st_size;
	return 0;
}

long model_read(const char *path, char *buf, unsigned long size)
{
	int fd = open(path, O_RDONLY);
	long n;

	if (fd < 0)
		return -errno;
	n = result(read(fd, buf, size));
	close(fd);
	return n;
}

static int first_object(struct dl_phdr_info *info, size_t size, void *base)
{
	(void)size;
	*(unsigned long *)base = info->dlpi_addr;
	return 1;
}

const void *own_section(const char *name, size_t *size)
{
	int fd = open("/proc/self/exe", O_RDONLY), i;
	off_t length = lseek(fd, 0, SEEK_END);
	char *image = mmap(NULL, (size_t)length, PROT_READ, MAP_PRIVATE, fd, 0);
	unsigned long base = 0, at = 0;
	const char *names;
	Elf64_Ehdr *eh;
	Elf64_Shdr *sh;

	if (image == MAP_FAILED)
		abort();
	eh = (Elf64_Ehdr *)image;
	sh = (Elf64_Shdr *)(image + eh->e_shoff);
	names = image + sh[eh->e_shstrndx].sh_offset;
	for (i = 0; i < eh->e_shnum; i++) {
		if (strcmp(names + sh[i].sh_name, name) == 0) {
			at = sh[i].sh_addr;
			*size = sh[i].sh_size;
		}
	}
	munmap(image, (size_t)length);
	close(fd);
	dl_iterate_phdr(first_object, &base);
	if (!at)
		abort();
	return (const void *)(base + at);
}
