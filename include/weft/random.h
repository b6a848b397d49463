/* SPDX-License-Identifier: MIT */
/* random.h - the kernel's ChaCha20 generator (RFC 8439 block function, fast key erasure), seeded
 * from RDSEED/RDRAND, virtio-rng and timing jitter. Any context. */
#pragma once

#include <weft/types.h>

void random_bytes(void *p, size_t n);
u32 random_u32(void);
u32 random_below(u32 n); /* uniform in [0, n); n > 0 */
/* Mixes in material; credits bits of true entropy. */
void random_add(const void *p, size_t n, u32 bits);

/* Keyed hash of a short message (SipHash-2-4), for table hashes and sequence numbers. */
struct siphash_key {
	u64 k[2];
};
u64 siphash(const void *p, size_t n, const struct siphash_key *key);
