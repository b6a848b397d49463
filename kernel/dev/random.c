/* SPDX-License-Identifier: MIT */
/* random.c - the kernel's random generator: a base key that takes in entropy, and a key per CPU
 * drawn from it that answers requests. Each answer replaces the key it came from ("fast key
 * erasure"), so that a later look at memory tells nothing about earlier output. The device files
 * are in randomdev.c.
 *
 * base.lock is taken with interrupts off; a CPU's own key is touched by that CPU with interrupts
 * off. */

#include "random_priv.h"

#include "chacha.h"

#include <core/tty.h>
#include <weft/arch.h>
#include <weft/atomic.h>
#include <weft/printk.h>
#include <weft/random.h>
#include <weft/spinlock.h>
#include <weft/string.h>
#include <weft/time.h>
#include <weft/module.h>

#define JITTER_ROUNDS 2048
#define BOOT_COLLECTIONS 8 /* a machine with RDRAND needs none of them */
#define RESEED_INTERVAL (60 * NSEC_PER_SEC)
#define RESEED_CHECK 64 /* requests of one CPU between two looks at the clock */

static struct {
	struct spinlock lock;
	/* guarded by lock */
	u8 key[CHACHA_KEY_SIZE];
	u64 reseed_ns;
	u32 bits;
	/* read without it */
	u64 generation;
} base = { .generation = 1 };

static struct {
	u8 key[CHACHA_KEY_SIZE];
	u64 generation;
	u32 requests;
} __cacheline_aligned crng[MAX_CPUS];

static const u8 zero_nonce[12];

static void wipe(void *p, size_t n)
{
	memset(p, 0, n);
	__asm__ __volatile__("" : : "r"(p) : "memory");
}

/* One block under key: its first half becomes the new key, its second half is the output. */
static void erase_and_draw(u8 key[CHACHA_KEY_SIZE], u8 out[CHACHA_KEY_SIZE])
{
	u8 block[CHACHA_BLOCK_SIZE];
	struct chacha c;

	chacha_init(&c, key, 0, zero_nonce);
	chacha_block(&c, block);
	memcpy(key, block, CHACHA_KEY_SIZE);
	memcpy(out, block + CHACHA_KEY_SIZE, CHACHA_KEY_SIZE);
	wipe(block, sizeof(block));
	wipe(&c, sizeof(c));
}

/* Knowing the old key or the material alone does not tell the new key. Lock held. */
static void absorb_locked(const u8 *p, size_t n)
{
	u8 unused[CHACHA_KEY_SIZE];

	do {
		size_t part = min(n, (size_t)CHACHA_KEY_SIZE);

		for (size_t i = 0; i < part; i++)
			base.key[i] ^= p[i];
		erase_and_draw(base.key, unused);
		p += part;
		n -= part;
	} while (n);
	wipe(unused, sizeof(unused));
}

u32 random_entropy_bits(void)
{
	return READ_ONCE(base.bits);
}

bool random_ready(void)
{
	return random_entropy_bits() >= RANDOM_POOL_BITS;
}

void random_add(const void *p, size_t n, u32 bits)
{
	u64 cycles = arch_cycles();
	unsigned long flags = spin_lock_irqsave(&base.lock);
	bool was_ready = base.bits >= RANDOM_POOL_BITS;

	absorb_locked(p, n);
	absorb_locked((const u8 *)&cycles, sizeof(cycles));
	base.bits += min(bits, RANDOM_POOL_BITS - base.bits);
	/* CPUs draw new keys when what came in is worth it: always before the pool is full */
	if (bits >= RANDOM_POOL_BITS || !was_ready)
		base.generation++;
	spin_unlock_irqrestore(&base.lock, flags);
}
EXPORT(random_add);

void random_reseed(void)
{
	u64 seed[4] = { 0 };
	u32 bits = 0;

	for (u32 i = 0; i < ARRAY_SIZE(seed); i++)
		bits += arch_random_seed(&seed[i]);
	WRITE_ONCE(base.reseed_ns, ktime_get());
	random_add(seed, sizeof(seed), bits);
	__atomic_fetch_add(&base.generation, 1, __ATOMIC_RELAXED);
	wipe(seed, sizeof(seed));
}

/* How long the same work takes varies with caches, buses and what else the machine does. A sample
 * counts an eighth of a bit, if first and second difference are not those of the one before. */
void random_collect_jitter(void)
{
	u64 last = arch_cycles(), last_delta = 0, last_delta2 = 0;
	u64 pool[8] = { 0 };
	u32 good = 0;

	for (u32 i = 0; i < JITTER_ROUNDS; i++) {
		u64 now, delta, delta2;

		for (u32 j = 0; j < 4 + (i & 3); j++)
			WRITE_ONCE(pool[(i + j) & 7],
				   pool[(i + j + 1) & 7] * 6364136223846793005ull + last);
		now = arch_cycles();
		delta = now - last;
		delta2 = delta - last_delta;
		if (delta && delta2 && delta2 != last_delta2)
			good++;
		pool[i & 7] ^= delta << (i & 31);
		last = now;
		last_delta = delta;
		last_delta2 = delta2;
	}
	random_add(pool, sizeof(pool), good / 8);
	wipe(pool, sizeof(pool));
}

/* A fresh key from this CPU's generator. */
static void draw_key(u8 out[CHACHA_KEY_SIZE])
{
	unsigned long flags = irq_save();
	u32 cpu = cpu_id();
	bool stale = ++crng[cpu].requests % RESEED_CHECK == 0 &&
		     ktime_get() - READ_ONCE(base.reseed_ns) > RESEED_INTERVAL;

	if (unlikely(stale))
		random_reseed();
	if (unlikely(crng[cpu].generation != READ_ONCE(base.generation))) {
		spin_lock(&base.lock);
		erase_and_draw(base.key, crng[cpu].key);
		crng[cpu].generation = base.generation;
		spin_unlock(&base.lock);
	}
	erase_and_draw(crng[cpu].key, out);
	irq_restore(flags);
}

void random_bytes(void *p, size_t n)
{
	u8 key[CHACHA_KEY_SIZE], block[CHACHA_BLOCK_SIZE];
	struct chacha c;
	u8 *d = p;

	draw_key(key);
	if (n <= sizeof(key)) {
		memcpy(d, key, n);
		wipe(key, sizeof(key));
		return;
	}
	chacha_init(&c, key, 0, zero_nonce);
	wipe(key, sizeof(key));
	while (n >= sizeof(block)) {
		chacha_block(&c, d);
		d += sizeof(block);
		n -= sizeof(block);
	}
	if (n) {
		chacha_block(&c, block);
		memcpy(d, block, n);
		wipe(block, sizeof(block));
	}
	wipe(&c, sizeof(c));
}
EXPORT(random_bytes);

u32 random_u32(void)
{
	u32 v;

	random_bytes(&v, sizeof(v));
	return v;
}
EXPORT(random_u32);

/* The high half of a 64-bit product is uniform once the few low values that occur once too often
 * are thrown away. */
u32 random_below(u32 n)
{
	u32 unfair = -n % n;
	u64 m;

	do {
		m = (u64)random_u32() * n;
	} while ((u32)m < unfair);
	return m >> 32;
}
EXPORT(random_below);

void random_init(void)
{
	u64 where[3] = { arch_cycles(), boot_info.entry_tsc, arch_rtc_seconds() };

	random_add(where, sizeof(where), 0);
	random_reseed();
	for (u32 i = 0; i < BOOT_COLLECTIONS && !random_ready(); i++)
		random_collect_jitter();
	if (!random_ready())
		pr_warn("random: %u of %u bits of entropy at boot\n", random_entropy_bits(),
			RANDOM_POOL_BITS);
}
