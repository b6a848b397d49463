/* SPDX-License-Identifier: MIT */
/* fuzz_ipv4.c - sequences of IPv4 datagrams with sound checksums: options and fragments of a few
 * datagrams in any order. Each record: id, offset (2, in the header's form), length / 8, words of
 * options, protocol, then the options. */
#include "fuzz.h"

#define RECORD 6

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	static const u8 protocols[] = { 1, 1, 6, 17, 253 };
	u8 payload[1480];
	u32 i;

	fuzz_begin();
	for (i = 0; i < sizeof(payload); i++)
		payload[i] = i;
	payload[0] = 8;
	while (size >= RECORD) {
		struct ipv4_fields h = { .src = PEER, .dst = HOST, .id = data[0] & 7 };
		u32 len = data[3] * 8 % 1300,
		    options = min((size_t)(data[4] % 11) * 4, size - RECORD);

		h.flags_off = get_be16(data + 1) & (data[0] & 8 ? 0xffff : 0x200f);
		if (data[0] & 16)
			len -= min(len, (u32)data[0] >> 5);
		h.proto = protocols[data[5] % ARRAY_SIZE(protocols)];
		h.options = data + RECORD;
		h.option_len = options & ~3u;
		peer_ipv4(&peer, host_mac, &h, payload, len);
		data += RECORD + options;
		size -= RECORD + options;
	}
	fuzz_end();
	return 0;
}
