/* SPDX-License-Identifier: MIT */
/* siphash.c - SipHash-2-4 (Aumasson, Bernstein, 2012): a keyed hash of short messages, so that a
 * peer who chooses addresses and ports cannot choose the buckets they fall into. */
#include <weft/module.h>
#include <weft/random.h>
#include <weft/string.h>

struct state {
	u64 v0, v1, v2, v3;
};

static inline u64 rotl(u64 x, int n)
{
	return x << n | x >> (64 - n);
}

static inline void round_once(struct state *s)
{
	s->v0 += s->v1;
	s->v2 += s->v3;
	s->v1 = rotl(s->v1, 13) ^ s->v0;
	s->v3 = rotl(s->v3, 16) ^ s->v2;
	s->v0 = rotl(s->v0, 32);
	s->v2 += s->v1;
	s->v0 += s->v3;
	s->v1 = rotl(s->v1, 17) ^ s->v2;
	s->v3 = rotl(s->v3, 21) ^ s->v0;
	s->v2 = rotl(s->v2, 32);
}

static inline void absorb(struct state *s, u64 word)
{
	s->v3 ^= word;
	round_once(s);
	round_once(s);
	s->v0 ^= word;
}

u64 siphash(const void *p, size_t n, const struct siphash_key *key)
{
	struct state s = {
		key->k[0] ^ 0x736f6d6570736575ull, /* "somepseudorandomlygeneratedbytes" */
		key->k[1] ^ 0x646f72616e646f6dull,
		key->k[0] ^ 0x6c7967656e657261ull,
		key->k[1] ^ 0x7465646279746573ull,
	};
	const u8 *b = p;
	u64 last = (u64)n << 56;

	for (; n >= 8; n -= 8, b += 8) {
		u64 word;

		__builtin_memcpy(&word, b, sizeof(word)); /* little-endian machines only */
		absorb(&s, word);
	}
	if (n & 4) { /* the end of three words, as addresses and ports often are */
		u32 half;

		__builtin_memcpy(&half, b + (n & 3), sizeof(half));
		last |= (u64)half << (8 * (n & 3));
	}
	for (size_t i = 0; i < (n & 3); i++)
		last |= (u64)b[i] << (8 * i);
	absorb(&s, last);
	s.v2 ^= 0xff;
	for (int i = 0; i < 4; i++)
		round_once(&s);
	return s.v0 ^ s.v1 ^ s.v2 ^ s.v3;
}
EXPORT(siphash);
