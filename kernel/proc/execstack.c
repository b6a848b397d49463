/* SPDX-License-Identifier: MIT */
/* execstack.c - what a new program finds on its stack: argc, argv, envp and the auxiliary vector,
 * with their strings above (System V ABI x86-64 3.4.1; the entries' order is Linux's). And the
 * gathering of those strings from the caller. */
#include "execstack.h"

#include <core/vfs.h>
#include <weft/alloc.h>
#include <weft/random.h>
#include <weft/string.h>

#define MAX_STRING (128u << 10) /* Linux's MAX_ARG_STRLEN */
#define MAX_STRINGS (2ul << 20) /* with the pointers to them */
#define CHUNK 4096ul
#define STACK_ROOM (128ul << 10) /* mapped below from the start */

#define AT_PHDR 3
#define AT_PHENT 4
#define AT_PHNUM 5
#define AT_PAGESZ 6
#define AT_BASE 7
#define AT_FLAGS 8
#define AT_ENTRY 9
#define AT_UID 11
#define AT_EUID 12
#define AT_GID 13
#define AT_EGID 14
#define AT_PLATFORM 15
#define AT_HWCAP 16
#define AT_CLKTCK 17
#define AT_SECURE 23
#define AT_RANDOM 25
#define AT_HWCAP2 26
#define AT_EXECFN 31
#define AT_MINSIGSTKSZ 51
#define AUX_PAIRS 20
#define USER_HZ 100
#define SIGFRAME_FIXED 1024 /* what a signal frame needs beside the FPU state, rounded up */

static const char platform[] = "x86_64";

/* ---- strings ---- */

static int reserve(struct exec_strings *s, size_t more)
{
	size_t cap = s->cap ? s->cap : CHUNK;
	char *p;

	if (s->len + more + (s->argc + s->envc) * sizeof(u64) > MAX_STRINGS)
		return -E2BIG;
	if (s->len + more <= s->cap)
		return 0;
	while (cap < s->len + more)
		cap *= 2;
	p = krealloc(s->buf, cap);
	if (!p)
		return -ENOMEM;
	s->buf = p;
	s->cap = cap;
	return 0;
}

int exec_strings_add(struct exec_strings *s, const char *str, size_t len)
{
	int err = reserve(s, len + 1);

	if (err)
		return err;
	memcpy(s->buf + s->len, str, len);
	s->buf[s->len + len] = 0;
	s->len += len + 1;
	return 0;
}

static int add_user_string(struct exec_strings *s, u64 user)
{
	size_t done = 0;
	long n;
	int err;

	for (;;) {
		err = reserve(s, CHUNK);
		if (err)
			return err;
		n = arch_strncpy_from_user(s->buf + s->len, uptr(user + done), CHUNK);
		if (n < 0)
			return -EFAULT;
		if ((size_t)n < CHUNK) {
			s->len += (size_t)n + 1;
			s->buf[s->len - 1] = 0;
			return 0;
		}
		s->len += CHUNK;
		done += CHUNK;
		if (done >= MAX_STRING)
			return -E2BIG;
	}
}

int exec_strings_from_user(struct exec_strings *s, u64 argv, u64 envp)
{
	u64 lists[2] = { argv, envp }, at;
	u32 *counts[2] = { &s->argc, &s->envc };
	int err, i;

	for (i = 0; i < 2; i++) {
		for (; lists[i]; lists[i] += sizeof(u64)) {
			if (copy_from_user(&at, uptr(lists[i]), sizeof(at)))
				return -EFAULT;
			if (!at)
				break;
			err = add_user_string(s, at);
			if (err)
				return err;
			++*counts[i];
			if (fatal_signal_pending())
				return -EINTR;
		}
		/* a program without a name would take its environment for its arguments */
		if (i == 0 && !s->argc) {
			err = exec_strings_add(s, "", 0);
			if (err)
				return err;
			s->argc = 1;
		}
	}
	return 0;
}

int exec_strings_from_kernel(struct exec_strings *s, char *const *argv, char *const *envp)
{
	int err = 0;

	for (; *argv && !err; argv++, s->argc++)
		err = exec_strings_add(s, *argv, strlen(*argv));
	for (; envp && *envp && !err; envp++, s->envc++)
		err = exec_strings_add(s, *envp, strlen(*envp));
	return err;
}

/* A script: argv[0] gives way to text, which is count strings of len bytes in all. */
int exec_strings_replace_first(struct exec_strings *s, const char *text, size_t len, u32 count)
{
	size_t first = strlen(s->buf) + 1;
	int err = reserve(s, len);

	if (err)
		return err;
	memmove(s->buf + len, s->buf + first, s->len - first);
	memcpy(s->buf, text, len);
	s->len += len - first;
	s->argc += count - 1;
	return 0;
}

/* ---- the stack ---- */

struct aux {
	u64 *at;
};

static void aux_add(struct aux *x, u64 type, u64 value)
{
	*x->at++ = type;
	*x->at++ = value;
}

/* The pointers to n strings that begin at address at; the address behind the last one. */
static u64 point_at(u64 **table, const char **str, u64 at, u32 n)
{
	while (n--) {
		size_t len = strlen(*str) + 1;

		*(*table)++ = at;
		at += len;
		*str += len;
	}
	*(*table)++ = 0;
	return at;
}

static void aux_fill(struct aux *x, const struct exec_image *img, const struct cred *cred,
		     u64 random, u64 execfn, u64 plat, bool secure)
{
	aux_add(x, AT_MINSIGSTKSZ, arch_fpu_size() + SIGFRAME_FIXED);
	aux_add(x, AT_HWCAP, arch_hwcap());
	aux_add(x, AT_PAGESZ, PAGE_SIZE);
	aux_add(x, AT_CLKTCK, USER_HZ);
	aux_add(x, AT_PHDR, img->phdr);
	aux_add(x, AT_PHENT, img->phent);
	aux_add(x, AT_PHNUM, img->phnum);
	aux_add(x, AT_BASE, img->base);
	aux_add(x, AT_FLAGS, 0);
	aux_add(x, AT_ENTRY, img->exec_entry);
	aux_add(x, AT_UID, cred->uid);
	aux_add(x, AT_EUID, cred->euid);
	aux_add(x, AT_GID, cred->gid);
	aux_add(x, AT_EGID, cred->egid);
	aux_add(x, AT_SECURE, secure);
	aux_add(x, AT_RANDOM, random);
	aux_add(x, AT_HWCAP2, 0);
	aux_add(x, AT_EXECFN, execfn);
	aux_add(x, AT_PLATFORM, plat);
	aux_add(x, 0, 0);
}

/* The words below the strings: argc to AT_NULL. at: where the strings will lie. */
static void table_fill(u64 *table, struct proc_mm *mm, const struct exec_strings *s,
		       const struct exec_image *img, const struct cred *cred, const u64 places[4],
		       bool secure)
{
	const char *str = s->buf;
	u64 *p = table;
	struct aux x;

	*p++ = s->argc;
	mm->arg_start = places[0];
	mm->arg_end = mm->env_start = point_at(&p, &str, places[0], s->argc);
	mm->env_end = point_at(&p, &str, mm->env_start, s->envc);
	x.at = p;
	aux_fill(&x, img, cred, places[3], places[1], places[2], secure);
	mm->auxv_len = (u32)((u8 *)x.at - (u8 *)p);
	memcpy(mm->auxv, p, mm->auxv_len);
}

static int put(struct proc_mm *mm, u64 at, const void *p, size_t n)
{
	long done = mm_access(mm, at, (void *)p, n, true);

	if (done == (long)n)
		return 0;
	return done == -ENOMEM ? -ENOMEM : -E2BIG;
}

int exec_stack_build(struct proc_mm *mm, const struct exec_strings *s, const struct exec_image *img,
		     const char *execfn, const struct cred *cred, bool secure, u64 *sp)
{
	size_t fn_len = strlen(execfn) + 1;
	size_t above = s->len + fn_len + sizeof(platform) + 16;
	size_t words = 1 + s->argc + 1 + s->envc + 1 + 2 * AUX_PAIRS;
	u64 base = ALIGN_DOWN(mm->stack_top - 2 * sizeof(u64) - above, 16), low;
	/* strings, AT_EXECFN, AT_PLATFORM, AT_RANDOM */
	u64 places[4] = { base, base + s->len, base + s->len + fn_len,
			  base + s->len + fn_len + sizeof(platform) };
	u8 random[16];
	u64 *table;
	int err;

	*sp = ALIGN_DOWN(base - words * sizeof(u64), 16);
	low = ALIGN_DOWN(*sp, PAGE_SIZE) - STACK_ROOM;
	if (mm->stack_top - *sp > mm->stack_limit / 4 * 3)
		return -E2BIG;
	err = mm_map_area(mm, low, mm->stack_top - low,
			  VM_READ | VM_WRITE | VM_STACK | (img->exec_stack ? VM_EXEC : 0), NULL, 0,
			  0);
	if (err)
		return err;
	table = vmalloc(words * sizeof(u64));
	if (!table)
		return -ENOMEM;
	table_fill(table, mm, s, img, cred, places, secure);
	random_bytes(random, sizeof(random));
	err = put(mm, *sp, table, words * sizeof(u64));
	vfree(table);
	if (!err)
		err = put(mm, places[0], s->buf, s->len);
	if (!err)
		err = put(mm, places[1], execfn, fn_len);
	if (!err)
		err = put(mm, places[2], platform, sizeof(platform));
	if (!err)
		err = put(mm, places[3], random, sizeof(random));
	return err;
}
