/* SPDX-License-Identifier: MIT */
/* cc.h - what lwIP asks of a compiler and a platform. */
#pragma once

#include <stdio.h>
#include <stdlib.h>

#define LWIP_PLATFORM_DIAG(x)
#define LWIP_PLATFORM_ASSERT(x) abort()
#define LWIP_RAND() ((u32_t)rand())
