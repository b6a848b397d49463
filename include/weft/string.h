/* SPDX-License-Identifier: MIT */
/* string.h - memory and strings. memcpy, memset and csum_partial are chosen by timing at boot (they
 * are the bulk of a packet's cost); the rest is plain C. strscpy and snprintf always terminate. */
#pragma once

#include <weft/types.h>

void *memcpy(void *restrict d, const void *restrict s, size_t n);
void *memmove(void *d, const void *s, size_t n);
void *memset(void *d, int c, size_t n);
int memcmp(const void *a, const void *b, size_t n);
void *memchr(const void *s, int c, size_t n);
size_t strlen(const char *s);
size_t strnlen(const char *s, size_t max);
int strcmp(const char *a, const char *b);
int strncmp(const char *a, const char *b, size_t n);
char *strchr(const char *s, int c);
char *strrchr(const char *s, int c);
char *strstr(const char *hay, const char *needle);

/* Of a small known size they are a few moves in place, which a freestanding compiler does not do
 * unasked; else the functions above. */
#define memcpy(...) __builtin_memcpy(__VA_ARGS__)
#define memset(...) __builtin_memset(__VA_ARGS__)

/* Copies at most size-1 bytes and terminates. Returns the length copied, or -E2BIG when cut. */
long strscpy(char *d, const char *s, size_t size);

/* C99 subset: d i u x X o c s p %, widths, precision, h hh l ll z. Returns the untruncated
 * length. */
int snprintf(char *buf, size_t size, const char *fmt, ...) __printf(3, 4);
int vsnprintf(char *buf, size_t size, const char *fmt, va_list ap);
/* As snprintf, but returns what was really written (never more than size - 1). */
int scnprintf(char *buf, size_t size, const char *fmt, ...) __printf(3, 4);

/* Parses a whole string (one trailing newline allowed); base 0 knows 0x and 0 prefixes.
 * 0, -EINVAL (not a number) or -ERANGE. */
int kstrtoull(const char *s, unsigned int base, unsigned long long *out);
int kstrtoll(const char *s, unsigned int base, long long *out);
int kstrtoint(const char *s, unsigned int base, int *out);
/* Exactly n numbers with spaces or tabs between; base 0. -EINVAL, -ERANGE. */
int kstrtoints(const char *s, int *out, u32 n);

/* Internet checksum (RFC 1071): adds n bytes at p to a running 32-bit one's complement sum. A
 * buffer may be summed in parts if each part but the last is of even length. */
u32 csum_partial(const void *p, size_t n, u32 sum);
/* Folds to the 16-bit complement, in the byte order of memory: store it as it is. */
static inline u16 csum_fold(u32 sum)
{
	/* the upper half of a number and its halves exchanged is the halves' sum, end-around carry
	 * and all */
	return (u16) ~((sum + (sum << 16 | sum >> 16)) >> 16);
}
