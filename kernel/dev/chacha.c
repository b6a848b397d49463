/* SPDX-License-Identifier: MIT */
/* chacha.c - the ChaCha20 block function (RFC 8439 2.3). Constant time: no table, no branch on
 * data. */

#include "chacha.h"

#include <weft/string.h>

static inline u32 rotl(u32 v, int n)
{
	return v << n | v >> (32 - n);
}

/* RFC 8439 2.1 */
#define QUARTER_ROUND(a, b, c, d)    \
	do {                         \
		a += b;              \
		d = rotl(d ^ a, 16); \
		c += d;              \
		b = rotl(b ^ c, 12); \
		a += b;              \
		d = rotl(d ^ a, 8);  \
		c += d;              \
		b = rotl(b ^ c, 7);  \
	} while (0)

/* x86 is little-endian, and so is RFC 8439: bytes are copied as they lie. */
void chacha_init(struct chacha *c, const u8 key[CHACHA_KEY_SIZE], u32 counter, const u8 nonce[12])
{
	static const u32 constants[4] = { 0x61707865, 0x3320646e, 0x79622d32, 0x6b206574 };

	memcpy(c->w, constants, sizeof(constants));
	memcpy(c->w + 4, key, CHACHA_KEY_SIZE);
	c->w[12] = counter;
	memcpy(c->w + 13, nonce, 12);
}

void chacha_block(struct chacha *c, u8 out[CHACHA_BLOCK_SIZE])
{
	u32 x[16];

	memcpy(x, c->w, sizeof(x));
	for (int i = 0; i < 10; i++) {
		QUARTER_ROUND(x[0], x[4], x[8], x[12]);
		QUARTER_ROUND(x[1], x[5], x[9], x[13]);
		QUARTER_ROUND(x[2], x[6], x[10], x[14]);
		QUARTER_ROUND(x[3], x[7], x[11], x[15]);
		QUARTER_ROUND(x[0], x[5], x[10], x[15]);
		QUARTER_ROUND(x[1], x[6], x[11], x[12]);
		QUARTER_ROUND(x[2], x[7], x[8], x[13]);
		QUARTER_ROUND(x[3], x[4], x[9], x[14]);
	}
	for (int i = 0; i < 16; i++)
		x[i] += c->w[i];
	memcpy(out, x, CHACHA_BLOCK_SIZE);
	c->w[12]++;
}
