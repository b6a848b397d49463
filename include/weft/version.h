/* SPDX-License-Identifier: MIT */
/* version.h - the release that uname and vermagic show. */
#pragma once

#include <abi.h> /* generated: WEFT_RELEASE, WEFT_ABI_HASH */
