/* SPDX-License-Identifier: MIT */
/* printf.c - formatted text into a buffer: the subset of C99 that string.h promises, always
 * terminated. An unknown conversion is copied as it stands, so that a mistake shows instead of
 * eating arguments. */
#include <weft/module.h>
#include <weft/string.h>

struct out {
	char *buf;
	size_t size, len; /* len: what would have been written */
};

#define LEFT BIT(0)
#define ZERO BIT(1)
#define PLUS BIT(2)
#define SPACE BIT(3)
#define ALT BIT(4)
#define UPPER BIT(5)
#define SIGNED BIT(6)

struct spec {
	u32 flags;
	int width, precision; /* precision -1: none */
	int size;	      /* -2 hh, -1 h, 0, 1 l, 2 ll; z is 1 */
};

static void put(struct out *o, char c)
{
	if (o->len < o->size)
		o->buf[o->len] = c;
	o->len++;
}

static void pad(struct out *o, char c, int n)
{
	while (n-- > 0)
		put(o, c);
}

static void put_bytes(struct out *o, const char *s, size_t n)
{
	size_t room = o->len < o->size ? o->size - o->len : 0;

	memcpy(o->buf + (room ? o->len : 0), s, min(n, room));
	o->len += n;
}

static void put_string(struct out *o, const struct spec *sp, const char *s)
{
	int n;

	if (!s)
		s = "(null)";
	n = sp->precision >= 0 ? strnlen(s, sp->precision) : strlen(s);
	if (!(sp->flags & LEFT))
		pad(o, ' ', sp->width - n);
	if (n && o->size)
		put_bytes(o, s, n);
	else
		o->len += n;
	if (sp->flags & LEFT)
		pad(o, ' ', sp->width - n);
}

/* Digits of v into the end of buf[24]; returns their start. */
static char *digits_of(u64 v, u32 base, bool upper, char *end)
{
	const char *set = upper ? "0123456789ABCDEF" : "0123456789abcdef";

	if (base == 16) {
		for (; v; v >>= 4)
			*--end = set[v & 15];
	} else if (base == 8) {
		for (; v; v >>= 3)
			*--end = set[v & 7];
	} else {
		/* a 32-bit division is several times cheaper than a 64-bit one */
		for (; v >> 32; v /= 10)
			*--end = set[v % 10];
		for (u32 w = v; w; w /= 10)
			*--end = set[w % 10];
	}
	return end;
}

static void put_number(struct out *o, struct spec *sp, u64 v, u32 base)
{
	char buf[24], prefix[2];
	char *end = buf + sizeof(buf), *d;
	int nprefix = 0, zeros, n;

	if (sp->flags & SIGNED) {
		if ((s64)v < 0) {
			prefix[nprefix++] = '-';
			v = -v;
		} else if (sp->flags & (PLUS | SPACE)) {
			prefix[nprefix++] = sp->flags & PLUS ? '+' : ' ';
		}
	} else if (sp->flags & ALT && base == 16 && v) {
		prefix[nprefix++] = '0';
		prefix[nprefix++] = sp->flags & UPPER ? 'X' : 'x';
	}
	d = digits_of(v, base, sp->flags & UPPER, end);
	n = end - d;
	zeros = (sp->precision >= 0 ? sp->precision : 1) - n;
	if (sp->flags & ALT && base == 8 && zeros <= 0)
		zeros = 1;
	if (sp->precision < 0 && sp->flags & ZERO && !(sp->flags & LEFT))
		zeros = max(zeros, sp->width - nprefix - n);
	zeros = max(zeros, 0);
	if (!(sp->flags & LEFT))
		pad(o, ' ', sp->width - nprefix - zeros - n);
	for (int i = 0; i < nprefix; i++)
		put(o, prefix[i]);
	pad(o, '0', zeros);
	while (d < end)
		put(o, *d++);
	if (sp->flags & LEFT)
		pad(o, ' ', sp->width - nprefix - zeros - n);
}

static const char *parse_flags(const char *f, struct spec *sp)
{
	for (;; f++) {
		if (*f == '-')
			sp->flags |= LEFT;
		else if (*f == '0')
			sp->flags |= ZERO;
		else if (*f == '+')
			sp->flags |= PLUS;
		else if (*f == ' ')
			sp->flags |= SPACE;
		else if (*f == '#')
			sp->flags |= ALT;
		else
			return f;
	}
}

static const char *parse_int(const char *f, int *out)
{
	int n = 0;

	for (; *f >= '0' && *f <= '9'; f++) {
		if (n < 100000)
			n = n * 10 + *f - '0';
	}
	*out = n;
	return f;
}

static const char *parse_size(const char *f, struct spec *sp)
{
	sp->size = 0;
	if (*f == 'z') {
		sp->size = 1;
		return f + 1;
	}
	for (; *f == 'l' && sp->size < 2; f++)
		sp->size++;
	if (sp->size)
		return f;
	for (; *f == 'h' && sp->size > -2; f++)
		sp->size--;
	return f;
}

/* va_list passed on by reference: an array type on x86-64 decays, a struct holds it. */
struct args {
	va_list ap;
};

static u64 next_number(struct args *a, const struct spec *sp)
{
	bool sign = sp->flags & SIGNED;

	if (sp->size > 0)
		return va_arg(a->ap, u64);
	if (sign) {
		int v = va_arg(a->ap, int);

		return sp->size == -1 ? (s64)(short)v : sp->size == -2 ? (s64)(signed char)v : v;
	}
	{
		u32 v = va_arg(a->ap, u32);

		return sp->size == -1 ? (u16)v : sp->size == -2 ? (u8)v : v;
	}
}

/* Everything between '%' and the conversion's letter. */
static const char *parse_spec(const char *f, struct spec *sp, struct args *a)
{
	f = parse_flags(f, sp);
	if (*f == '*') {
		sp->width = va_arg(a->ap, int);
		if (sp->width < 0) {
			sp->flags |= LEFT;
			sp->width = -sp->width;
		}
		f++;
	} else {
		f = parse_int(f, &sp->width);
	}
	if (*f == '.') {
		if (f[1] == '*') {
			sp->precision = va_arg(a->ap, int);
			f += 2;
		} else {
			f = parse_int(f + 1, &sp->precision);
		}
	}
	return parse_size(f, sp);
}

static void put_char(struct out *o, const struct spec *sp, char c)
{
	if (!(sp->flags & LEFT))
		pad(o, ' ', sp->width - 1);
	put(o, c);
	if (sp->flags & LEFT)
		pad(o, ' ', sp->width - 1);
}

/* One conversion, f behind its '%'. Returns the text behind it. */
static const char *convert(struct out *o, const char *f, struct args *a)
{
	const char *start = f - 1;
	struct spec sp = { .precision = -1 };

	f = parse_spec(f, &sp, a);
	switch (*f) {
	case 'd':
	case 'i':
		sp.flags |= SIGNED;
		put_number(o, &sp, next_number(a, &sp), 10);
		break;
	case 'u':
		put_number(o, &sp, next_number(a, &sp), 10);
		break;
	case 'X':
		sp.flags |= UPPER;
		/* fallthrough */
	case 'x':
		put_number(o, &sp, next_number(a, &sp), 16);
		break;
	case 'o':
		put_number(o, &sp, next_number(a, &sp), 8);
		break;
	case 'p':
		sp.flags |= ALT;
		put_number(o, &sp, (u64)va_arg(a->ap, void *), 16);
		break;
	case 's':
		put_string(o, &sp, va_arg(a->ap, const char *));
		break;
	case 'c':
		put_char(o, &sp, va_arg(a->ap, int));
		break;
	case '%':
		put(o, '%');
		break;
	default:
		while (start < f)
			put(o, *start++);
		return f;
	}
	return f + 1;
}

int vsnprintf(char *buf, size_t size, const char *fmt, va_list ap)
{
	struct out o = { buf, size, 0 };
	struct args a;

	va_copy(a.ap, ap);
	while (*fmt) {
		if (*fmt == '%')
			fmt = convert(&o, fmt + 1, &a);
		else
			put(&o, *fmt++);
	}
	va_end(a.ap);
	if (size)
		buf[min(o.len, size - 1)] = '\0';
	return o.len;
}
EXPORT(vsnprintf);

int snprintf(char *buf, size_t size, const char *fmt, ...)
{
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(buf, size, fmt, ap);
	va_end(ap);
	return n;
}
EXPORT(snprintf);

int scnprintf(char *buf, size_t size, const char *fmt, ...)
{
	va_list ap;
	int n;

	if (!size)
		return 0;
	va_start(ap, fmt);
	n = vsnprintf(buf, size, fmt, ap);
	va_end(ap);
	return min(n, (int)size - 1);
}
EXPORT(scnprintf);
