/* SPDX-License-Identifier: MIT */
/* own_names.h - gives the kernel's string functions names of their own, so that a host test links
 * them beside the C library's. Put in front of every file of such a test by its cflags line. */
#pragma once

#define memchr weft_memchr
#define strlen weft_strlen
#define strnlen weft_strnlen
#define strcmp weft_strcmp
#define strncmp weft_strncmp
#define strchr weft_strchr
#define strrchr weft_strrchr
#define strstr weft_strstr
#define snprintf weft_snprintf
#define vsnprintf weft_vsnprintf
