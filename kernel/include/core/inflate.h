/* SPDX-License-Identifier: MIT */
/* core/inflate.h - decoder of gzip files (RFC 1952, DEFLATE RFC 1951) that hands its output on in
 * pieces. */
#pragma once

#include <weft/err.h>

/* Takes the next n bytes of output; a negative errno ends the decoding with it. */
typedef int (*inflate_write_fn)(void *arg, const u8 *p, size_t n);

bool gzip_detect(const void *p, size_t n);
/* Decodes one gzip member at the start of in; *used becomes its length. Length and CRC are checked
 * after the last piece was written. 0, -EINVAL (corrupt or cut short), -ENOMEM, or what write
 * returned. Process context; any input is safe. */
int gunzip(const void *in, size_t n, size_t *used, inflate_write_fn write, void *arg);
u32 crc32_update(u32 crc, const void *p, size_t n); /* starts with 0 */
