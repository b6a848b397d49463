/* SPDX-License-Identifier: MIT */
/* model.h - the same operations on a real directory of this machine: what the kernel's answers are
 * compared with. Paths are relative to it; results are 0 or more, or a negative errno. */
#pragma once

#include <stddef.h>

/* A fresh directory so deep that no walk of a test (40 links of some "..") leaves it. */
#define MODEL_DEPTH 250
void model_start(void);
void model_end(void); /* removes it */
long model_mkdir(const char *path, unsigned mode);
long model_rmdir(const char *path);
long model_unlink(const char *path);
long model_create(const char *path, int flags,
		  const char *text); /* opens, writes text at the end */
long model_rename(const char *from, const char *to, unsigned flags);
long model_link(const char *from, const char *to);
long model_symlink(const char *target, const char *path);
long model_truncate(const char *path, long size);
long model_readlink(const char *path, char *buf, unsigned long size);
/* Type and permission bits, link count (1 for directories), size (0 for directories). */
long model_stat(const char *path, int follow, unsigned *mode, unsigned *nlink, long *size);
long model_read(const char *path, char *buf, unsigned long size);

/* A section of the running program, where it is in memory. */
const void *own_section(const char *name, size_t *size);
