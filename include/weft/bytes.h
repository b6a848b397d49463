/* SPDX-License-Identifier: MIT */
/* bytes.h - big-endian fields of wire headers, read and written at any alignment, and the swaps for
 * values that the BSD API keeps in network order. Wire headers are byte arrays; nothing is cast. */
#pragma once

#include <weft/types.h>

static inline u16 get_be16(const u8 *p)
{
	u16 v;

	__builtin_memcpy(&v, p, sizeof(v));
	return __builtin_bswap16(v);
}

static inline u32 get_be32(const u8 *p)
{
	u32 v;

	__builtin_memcpy(&v, p, sizeof(v));
	return __builtin_bswap32(v);
}

static inline void put_be16(u8 *p, u16 v)
{
	v = __builtin_bswap16(v);
	__builtin_memcpy(p, &v, sizeof(v));
}

static inline void put_be32(u8 *p, u32 v)
{
	v = __builtin_bswap32(v);
	__builtin_memcpy(p, &v, sizeof(v));
}

#ifndef htons
#define htons(v) __builtin_bswap16((u16)(v))
#define ntohs(v) __builtin_bswap16((u16)(v))
#define htonl(v) __builtin_bswap32((u32)(v))
#define ntohl(v) __builtin_bswap32((u32)(v))
#endif
