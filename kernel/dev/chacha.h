/* SPDX-License-Identifier: MIT */
/* chacha.h - the ChaCha20 block function of RFC 8439 section 2.3. */
#pragma once

#include <weft/types.h>

#define CHACHA_KEY_SIZE 32
#define CHACHA_BLOCK_SIZE 64

/* Constants, key, counter and nonce laid out as in RFC 8439 2.3; words are in host order. */
struct chacha {
	u32 w[16];
};

void chacha_init(struct chacha *c, const u8 key[CHACHA_KEY_SIZE], u32 counter, const u8 nonce[12]);
/* One block of key stream; the counter moves on. */
void chacha_block(struct chacha *c, u8 out[CHACHA_BLOCK_SIZE]);
