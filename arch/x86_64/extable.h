/* SPDX-License-Identifier: MIT */
/* extable.h - where a fault at a listed instruction goes on (usercopy.c, trap.c). */
#pragma once

#include <weft/types.h>

u64 ex_table_find(u64 rip); /* 0: not listed */
