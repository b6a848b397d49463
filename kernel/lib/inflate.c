/* SPDX-License-Identifier: MIT */
/* inflate.c - DEFLATE (RFC 1951) in a gzip wrapping (RFC 1952). Symbols are decoded through one
 * table by the next 10 bits, longer codes by walking the canonical code; output goes through the 32
 * KiB window and leaves it when that is full. Nothing of the input is believed: every length,
 * distance and code is checked, input that ends early is padded with zero bits that are counted and
 * refused. */
#include <core/inflate.h>
#include <weft/alloc.h>
#include <weft/module.h>
#include <weft/string.h>

#define WINDOW 32768u
#define MAX_BITS 15
#define FAST_BITS 10
#define FAST_SIZE (1u << FAST_BITS)
#define NR_LITLEN 288
#define NR_DIST 32
#define END_OF_BLOCK 256

struct code {
	u16 fast[FAST_SIZE];	 /* symbol << 4 | length; 0: longer than FAST_BITS or unused */
	u16 count[MAX_BITS + 1]; /* codes of each length */
	u16 symbol[NR_LITLEN];	 /* in the order of the codes */
};

struct inflate {
	const u8 *in, *end;
	u64 bits;
	u32 nbits;
	u32 overrun; /* zero bytes that stood in for missing input */
	u32 pos;     /* in the window */
	u64 total;
	u32 crc;
	inflate_write_fn write;
	void *arg;
	struct code litlen, dist;
	u8 window[WINDOW];
};

static u32 crc_table[256];

/* ---- CRC-32 of RFC 1952 section 8 ---- */

/* Filled when first used; two CPUs that do it at once write the same values. */
static void crc_init(void)
{
	for (u32 i = 0; i < 256; i++) {
		u32 c = i;

		for (int k = 0; k < 8; k++)
			c = c & 1 ? 0xedb88320u ^ c >> 1 : c >> 1;
		WRITE_ONCE(crc_table[i], c);
	}
}

u32 crc32_update(u32 crc, const void *p, size_t n)
{
	const u8 *b = p;

	if (!READ_ONCE(crc_table[255]))
		crc_init();
	crc = ~crc;
	while (n--)
		crc = crc_table[(crc ^ *b++) & 0xff] ^ crc >> 8;
	return ~crc;
}

/* ---- input ---- */

static inline void need(struct inflate *s, u32 n)
{
	while (s->nbits < n) {
		u64 byte = 0;

		if (likely(s->end - s->in >= 4)) {
			u32 word; /* little-endian machines only */

			__builtin_memcpy(&word, s->in, sizeof(word));
			s->in += sizeof(word);
			s->bits |= (u64)word << s->nbits;
			s->nbits += 32;
			return;
		}
		if (s->in < s->end)
			byte = *s->in++;
		else
			s->overrun++;
		s->bits |= byte << s->nbits;
		s->nbits += 8;
	}
}

static inline void drop(struct inflate *s, u32 n)
{
	s->bits >>= n;
	s->nbits -= n;
}

static inline u32 take(struct inflate *s, u32 n)
{
	u32 v;

	need(s, n);
	v = s->bits & ((1u << n) - 1);
	drop(s, n);
	return v;
}

/* True when bits were used that the input does not have. */
static bool starved(const struct inflate *s)
{
	return s->overrun * 8 > s->nbits;
}

/* ---- output ---- */

static int flush(struct inflate *s)
{
	int err = 0;

	if (s->pos) {
		s->crc = crc32_update(s->crc, s->window, s->pos);
		err = s->write(s->arg, s->window, s->pos);
	}
	s->pos = 0;
	return err;
}

static inline int emit(struct inflate *s, u8 byte)
{
	s->window[s->pos++] = byte;
	s->total++;
	return s->pos == WINDOW ? flush(s) : 0;
}

static int copy_match(struct inflate *s, u32 dist, u32 len)
{
	u32 from;

	if (dist > s->total)
		return -EINVAL; /* before the beginning */
	from = (s->pos - dist) & (WINDOW - 1);
	/* the usual case: neither end wraps */
	if (s->pos + len < WINDOW && from + len <= WINDOW) {
		u8 *d = s->window + s->pos;
		const u8 *f = s->window + from;

		for (u32 i = 0; i < len; i++)
			d[i] = f[i];
		s->pos += len;
		s->total += len;
		return 0;
	}
	while (len--) {
		int err = emit(s, s->window[from]);

		if (err)
			return err;
		from = (from + 1) & (WINDOW - 1);
	}
	return 0;
}

/* ---- Huffman codes, RFC 1951 3.2.2 ---- */

static u32 reverse(u32 v, u32 n)
{
	u32 r = 0;

	while (n--) {
		r = r << 1 | (v & 1);
		v >>= 1;
	}
	return r;
}

/* Over-subscribed codes are refused; incomplete ones only where RFC 1951 3.2.7 has them: a single
 * code, or none. */
static int code_build(struct code *c, const u8 *lengths, u32 n)
{
	u16 offset[MAX_BITS + 2], next[MAX_BITS + 2];
	int left = 1;
	u32 code = 0, used;

	memset(c->count, 0, sizeof(c->count));
	memset(c->fast, 0, sizeof(c->fast));
	for (u32 i = 0; i < n; i++)
		c->count[lengths[i]]++;
	used = n - c->count[0];
	c->count[0] = 0;
	offset[1] = 0;
	for (u32 len = 1; len <= MAX_BITS; len++) {
		left = (left << 1) - c->count[len];
		if (left < 0)
			return -EINVAL;
		offset[len + 1] = offset[len] + c->count[len];
		code = (code + c->count[len - 1]) << 1;
		next[len] = code;
	}
	if (left > 0 && used > 1)
		return -EINVAL;
	for (u32 i = 0; i < n; i++) {
		u32 len = lengths[i];

		if (!len)
			continue;
		c->symbol[offset[len]++] = i;
		if (len <= FAST_BITS) {
			for (u32 k = reverse(next[len], len); k < FAST_SIZE; k += 1u << len)
				c->fast[k] = i << 4 | len;
		}
		next[len]++;
	}
	return 0;
}

/* Codes longer than the table: bit by bit, counting how many codes lie before (RFC 1951 3.2.2). */
static int decode_long(struct inflate *s, const struct code *c)
{
	int code = 0, first = 0, index = 0;

	for (u32 len = 1; len <= MAX_BITS; len++) {
		code |= s->bits >> (len - 1) & 1;
		if (code - c->count[len] < first) {
			drop(s, len);
			return c->symbol[index + code - first];
		}
		index += c->count[len];
		first = (first + c->count[len]) << 1;
		code <<= 1;
	}
	return -EINVAL;
}

static inline int decode(struct inflate *s, const struct code *c)
{
	u32 e;

	need(s, MAX_BITS);
	e = c->fast[s->bits & (FAST_SIZE - 1)];
	if (!e)
		return decode_long(s, c);
	drop(s, e & 15);
	return e >> 4;
}

/* ---- blocks ---- */

static int stored_block(struct inflate *s)
{
	u32 len, check;

	drop(s, s->nbits & 7);
	len = take(s, 16);
	check = take(s, 16);
	if (starved(s) || len != (~check & 0xffff))
		return -EINVAL;
	while (len--) {
		int err = emit(s, take(s, 8));

		if (err)
			return err;
		if (starved(s))
			return -EINVAL;
	}
	return 0;
}

static int coded_block(struct inflate *s)
{
	static const u16 len_base[29] = { 3,  4,  5,  6,   7,	8,   9,	  10,  11, 13,
					  15, 17, 19, 23,  27,	31,  35,  43,  51, 59,
					  67, 83, 99, 115, 131, 163, 195, 227, 258 };
	static const u8 len_extra[29] = { 0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2,
					  2, 3, 3, 3, 3, 4, 4, 4, 4, 5, 5, 5, 5, 0 };
	static const u16 dist_base[30] = { 1,	 2,    3,    4,	    5,	   7,	 9,    13,
					   17,	 25,   33,   49,    65,	   97,	 129,  193,
					   257,	 385,  513,  769,   1025,  1537, 2049, 3073,
					   4097, 6145, 8193, 12289, 16385, 24577 };
	int err = 0;

	while (!err) {
		int sym = decode(s, &s->litlen);
		u32 len, dist;

		if (sym < 0 || starved(s))
			return -EINVAL;
		if (sym < END_OF_BLOCK) {
			err = emit(s, sym);
			continue;
		}
		if (sym == END_OF_BLOCK)
			return 0;
		sym -= END_OF_BLOCK + 1;
		if (sym >= 29)
			return -EINVAL;
		len = len_base[sym] + take(s, len_extra[sym]);
		sym = decode(s, &s->dist);
		if (sym < 0 || sym >= 30)
			return -EINVAL;
		dist = dist_base[sym] + take(s, sym < 4 ? 0 : sym / 2 - 1);
		if (starved(s))
			return -EINVAL;
		err = copy_match(s, dist, len);
	}
	return err;
}

/* RFC 1951 3.2.6 */
static int fixed_codes(struct inflate *s)
{
	u8 lengths[NR_LITLEN];

	memset(lengths, 8, 144);
	memset(lengths + 144, 9, 112);
	memset(lengths + 256, 7, 24);
	memset(lengths + 280, 8, 8);
	code_build(&s->litlen, lengths, NR_LITLEN);
	memset(lengths, 5, NR_DIST);
	return code_build(&s->dist, lengths, NR_DIST);
}

/* RFC 1951 3.2.7 */
static int dynamic_codes(struct inflate *s)
{
	static const u8 order[19] = { 16, 17, 18, 0, 8,	 7, 9,	6, 10, 5,
				      11, 4,  12, 3, 13, 2, 14, 1, 15 };
	u8 lengths[NR_LITLEN + NR_DIST] = { 0 };
	u32 nlit = take(s, 5) + 257, ndist = take(s, 5) + 1, ncode = take(s, 4) + 4;
	u32 n = 0;

	if (nlit > 286 || ndist > 30)
		return -EINVAL;
	for (u32 i = 0; i < ncode; i++)
		lengths[order[i]] = take(s, 3);
	if (code_build(&s->litlen, lengths, 19))
		return -EINVAL;
	memset(lengths, 0, 19);
	while (n < nlit + ndist) {
		int sym = decode(s, &s->litlen);
		u32 repeat;
		u8 value = 0;

		if (sym < 0 || starved(s))
			return -EINVAL;
		if (sym < 16) {
			lengths[n++] = sym;
			continue;
		}
		if (sym == 16) {
			if (!n)
				return -EINVAL;
			value = lengths[n - 1];
			repeat = 3 + take(s, 2);
		} else {
			repeat = sym == 17 ? 3 + take(s, 3) : 11 + take(s, 7);
		}
		if (n + repeat > nlit + ndist)
			return -EINVAL;
		while (repeat--)
			lengths[n++] = value;
	}
	if (!lengths[END_OF_BLOCK])
		return -EINVAL;
	if (code_build(&s->litlen, lengths, nlit))
		return -EINVAL;
	return code_build(&s->dist, lengths + nlit, ndist);
}

static int inflate_blocks(struct inflate *s)
{
	bool last = false;

	while (!last) {
		int err;
		u32 type;

		last = take(s, 1);
		type = take(s, 2);
		if (type == 0)
			err = stored_block(s);
		else if (type == 3)
			err = -EINVAL;
		else
			err = type == 1 ? fixed_codes(s) : dynamic_codes(s);
		if (!err && type)
			err = coded_block(s);
		if (err)
			return err;
	}
	return starved(s) ? -EINVAL : flush(s);
}

/* ---- gzip, RFC 1952 2.3 ---- */

#define GZ_HCRC BIT(1)
#define GZ_EXTRA BIT(2)
#define GZ_NAME BIT(3)
#define GZ_COMMENT BIT(4)
#define GZ_RESERVED 0xe0

bool gzip_detect(const void *p, size_t n)
{
	const u8 *b = p;

	return n >= 18 && b[0] == 0x1f && b[1] == 0x8b && b[2] == 8;
}

static int skip_string(struct inflate *s)
{
	while (s->in < s->end) {
		if (!*s->in++)
			return 0;
	}
	return -EINVAL;
}

static int skip_header(struct inflate *s)
{
	u8 flags = s->in[3];

	if (flags & GZ_RESERVED)
		return -EINVAL;
	s->in += 10;
	if (flags & GZ_EXTRA) {
		size_t n;

		if (s->end - s->in < 2)
			return -EINVAL;
		n = s->in[0] | s->in[1] << 8;
		s->in += 2;
		if ((size_t)(s->end - s->in) < n)
			return -EINVAL;
		s->in += n;
	}
	if (flags & GZ_NAME && skip_string(s))
		return -EINVAL;
	if (flags & GZ_COMMENT && skip_string(s))
		return -EINVAL;
	if (flags & GZ_HCRC) {
		if (s->end - s->in < 2)
			return -EINVAL;
		s->in += 2;
	}
	return 0;
}

static int check_trailer(struct inflate *s)
{
	u32 crc, len;

	drop(s, s->nbits & 7);
	crc = take(s, 16);
	crc |= take(s, 16) << 16;
	len = take(s, 16);
	len |= take(s, 16) << 16;
	return starved(s) || crc != s->crc || len != (u32)s->total ? -EINVAL : 0;
}

int gunzip(const void *in, size_t n, size_t *used, inflate_write_fn write, void *arg)
{
	struct inflate *s;
	int err;

	if (!gzip_detect(in, n))
		return -EINVAL;
	s = vmalloc(sizeof(*s));
	if (!s)
		return -ENOMEM;
	s->in = in;
	s->end = s->in + n;
	s->bits = s->nbits = s->overrun = s->pos = s->crc = 0;
	s->total = 0;
	s->write = write;
	s->arg = arg;
	err = skip_header(s);
	if (!err)
		err = inflate_blocks(s);
	if (!err)
		err = check_trailer(s);
	/* whole bytes that were fetched but not used belong to what follows */
	if (!err && used)
		*used = s->in - (const u8 *)in - (s->nbits / 8 - s->overrun);
	vfree(s);
	return err;
}
