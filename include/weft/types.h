/* SPDX-License-Identifier: MIT */
/* types.h - fixed-width integers and the few macros that every file uses. Only the compiler's own
 * freestanding headers are included, so the same source compiles for the kernel and for a host
 * test. */
#pragma once

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef uint8_t u8;
typedef uint16_t u16;
typedef uint32_t u32;
typedef uint64_t u64;
typedef int8_t s8;
typedef int16_t s16;
typedef int32_t s32;
typedef int64_t s64;
typedef u64 phys_addr_t;

#ifndef __packed
#define __packed __attribute__((packed))
#endif
#ifndef __aligned
#define __aligned(n) __attribute__((aligned(n)))
#endif
#define __printf(f, a) __attribute__((format(printf, f, a)))
#define __noreturn __attribute__((noreturn))
#define __must_check __attribute__((warn_unused_result))
#define __weak __attribute__((weak))
#ifndef __always_inline
#define __always_inline inline __attribute__((always_inline))
#endif
#define __noinline __attribute__((noinline)) /* seldom wanted: keep it out of the common path */
#define __section(s) __attribute__((section(s), used))
#define __cacheline_aligned __attribute__((aligned(64)))
#define __user /* a pointer into user space: only uaccess.h may follow it */

#define likely(x) __builtin_expect(!!(x), 1)
#define unlikely(x) __builtin_expect(!!(x), 0)
#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))
#define BIT(n) (1u << (n))
#define BIT64(n) (1ull << (n))
#define DIV_ROUND_UP(n, d) (((n) + (d)-1) / (d))
#define ALIGN_UP(x, a) (((x) + (a)-1) & ~((__typeof__(x))(a)-1))
#define ALIGN_DOWN(x, a) ((x) & ~((__typeof__(x))(a)-1))
#define container_of(ptr, type, member) ((type *)((char *)(ptr)-offsetof(type, member)))
/* Each argument is evaluated once; the counter keeps nested uses from shadowing each other. */
#define min_named(a, b, x, y)          \
	({                             \
		__typeof__(a) x = (a); \
		__typeof__(b) y = (b); \
		x < y ? x : y;         \
	})
#define max_named(a, b, x, y)          \
	({                             \
		__typeof__(a) x = (a); \
		__typeof__(b) y = (b); \
		x > y ? x : y;         \
	})
#define min(a, b) min_named(a, b, CONCAT(min_a, __COUNTER__), CONCAT(min_b, __COUNTER__))
#define max(a, b) max_named(a, b, CONCAT(max_a, __COUNTER__), CONCAT(max_b, __COUNTER__))
#define READ_ONCE(x) (*(const volatile __typeof__(x) *)&(x))
#define WRITE_ONCE(x, v) (*(volatile __typeof__(x) *)&(x) = (v))

#define STRINGIFY_(x) #x
#define STRINGIFY(x) STRINGIFY_(x)
#define CONCAT_(a, b) a##b
#define CONCAT(a, b) CONCAT_(a, b)
