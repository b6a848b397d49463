/* SPDX-License-Identifier: MIT */
/* err.h - negative errno inside a pointer. Every function that can fail returns a negative errno,
 * or for a pointer result one of these, or NULL where the only possible failure is -ENOMEM. */
#pragma once

#include <uapi/errno.h>
#include <weft/types.h>

#define MAX_ERRNO 4095

static inline void *ERR_PTR(long err)
{
	return (void *)err;
}

static inline long PTR_ERR(const void *p)
{
	return (long)p;
}

static inline bool IS_ERR(const void *p)
{
	return unlikely((unsigned long)p >= (unsigned long)-MAX_ERRNO);
}
