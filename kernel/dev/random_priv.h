/* SPDX-License-Identifier: MIT */
/* random_priv.h - what the generator shows its device files. */
#pragma once

#include <weft/types.h>

#define RANDOM_POOL_BITS 256u

bool random_ready(void); /* the pool has been filled once */
u32 random_entropy_bits(void);
void random_collect_jitter(void); /* some 100 us of sampling the clock */
void random_reseed(void);	  /* every CPU draws a new key at its next request */

/* randomdev.c, called by dev_init */
void randomdev_init(void);
