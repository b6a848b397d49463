/* SPDX-License-Identifier: MIT */
/* stack.h - what simulation tests include: the machine, and shorthands for a stack that is loaded,
 * configured and taken down again. */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "sim.h"
