/* SPDX-License-Identifier: MIT */
/* fuzz_frame.c - frames as they come off the wire, into the whole stack: two bytes of length, then
 * as many bytes of frame, and so on. The top bit of a length asks for our address as the
 * destination. */
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	u8 f[2048];

	fuzz_begin();
	while (size > 2) {
		u32 spec = get_be16(data), len = min((size_t)(spec & 2047), size - 2);

		memcpy(f, data + 2, len);
		if ((spec & 0x8000) && len >= 6)
			memcpy(f, host_mac, 6);
		peer_send(&peer, f, len);
		data += 2 + len;
		size -= 2 + len;
	}
	fuzz_end();
	return 0;
}
