/* SPDX-License-Identifier: MIT */
/* parse.c - text to numbers, strictly: the whole string has to be one, and to fit; and the one copy
 * of a string that says when it did not fit. */
#include <weft/err.h>
#include <weft/module.h>
#include <weft/string.h>

static int digit_of(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'z' ? c - 'a' + 10 : 99;
}

static const char *skip_prefix(const char *s, unsigned int *base)
{
	bool hex = s[0] == '0' && (s[1] | 0x20) == 'x' && digit_of(s[2]) < 16;

	if (hex && (*base == 0 || *base == 16)) {
		*base = 16;
		return s + 2;
	}
	if (*base == 0)
		*base = s[0] == '0' ? 8 : 10;
	return s;
}

static int parse_unsigned(const char *s, unsigned int base, unsigned long long *out)
{
	unsigned long long v = 0;
	bool over = false;

	s = skip_prefix(s, &base);
	if (base < 2 || base > 36 || digit_of(*s) >= (int)base)
		return -EINVAL;
	for (; digit_of(*s) < (int)base; s++) {
		over |= __builtin_mul_overflow(v, base, &v);
		over |= __builtin_add_overflow(v, digit_of(*s), &v);
	}
	if (*s == '\n')
		s++;
	if (*s)
		return -EINVAL;
	if (over)
		return -ERANGE;
	*out = v;
	return 0;
}

int kstrtoull(const char *s, unsigned int base, unsigned long long *out)
{
	return parse_unsigned(*s == '+' ? s + 1 : s, base, out);
}
EXPORT(kstrtoull);

int kstrtoll(const char *s, unsigned int base, long long *out)
{
	bool negative = *s == '-';
	unsigned long long v;
	int err = parse_unsigned(*s == '-' || *s == '+' ? s + 1 : s, base, &v);

	if (err)
		return err;
	if (v > (unsigned long long)INT64_MAX + negative)
		return -ERANGE;
	*out = negative ? (long long)-v : (long long)v;
	return 0;
}
EXPORT(kstrtoll);

int kstrtoint(const char *s, unsigned int base, int *out)
{
	long long v;
	int err = kstrtoll(s, base, &v);

	if (err)
		return err;
	if (v != (int)v)
		return -ERANGE;
	*out = v;
	return 0;
}
EXPORT(kstrtoint);

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

int kstrtoints(const char *s, int *out, u32 n)
{
	char word[16];

	for (u32 i = 0; i < n; i++) {
		u32 len = 0;
		int err;

		while (is_blank(*s))
			s++;
		while (*s && *s != '\n' && !is_blank(*s) && len < sizeof(word) - 1)
			word[len++] = *s++;
		word[len] = 0;
		err = kstrtoint(word, 0, &out[i]);
		if (err)
			return err;
	}
	while (is_blank(*s) || *s == '\n')
		s++;
	return *s ? -EINVAL : 0;
}
EXPORT(kstrtoints);

long strscpy(char *d, const char *s, size_t size)
{
	size_t n;

	if (!size)
		return -E2BIG;
	n = strnlen(s, size);
	if (n == size) {
		memcpy(d, s, size - 1);
		d[size - 1] = '\0';
		return -E2BIG;
	}
	memcpy(d, s, n + 1);
	return n;
}
EXPORT(strscpy);
