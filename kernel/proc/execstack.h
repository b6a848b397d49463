/* SPDX-License-Identifier: MIT */
/* execstack.h - the strings of a new program and the image that will use them, between the parts of
 * exec: gathering, loading, laying out the stack. */
#pragma once

#include "proc.h"

/* Arguments, then environment, one after another, each terminated. */
struct exec_strings {
	char *buf;
	size_t len, cap;
	u32 argc, envc;
};

/* -EFAULT, -E2BIG, -ENOMEM, -EINTR; what was gathered so far stays the caller's to kfree(buf). */
int exec_strings_from_user(struct exec_strings *s, u64 argv, u64 envp);
int exec_strings_from_kernel(struct exec_strings *s, char *const *argv, char *const *envp);
int exec_strings_add(struct exec_strings *s, const char *str, size_t len);
int exec_strings_replace_first(struct exec_strings *s, const char *text, size_t len, u32 count);
/* Maps the stack of mm and fills it; *sp is the program's first stack pointer. */
int exec_stack_build(struct proc_mm *mm, const struct exec_strings *s, const struct exec_image *img,
		     const char *execfn, const struct cred *cred, bool secure, u64 *sp);
