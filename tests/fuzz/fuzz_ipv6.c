/* SPDX-License-Identifier: MIT */
/* fuzz_ipv6.c - IPv6 frames: extension headers in any order with what the input says inside them,
 * fragments of a few datagrams among them. A record: flags, addresses, how many headers and the
 * transport, payload / 8, then each header: type, length in 8 bytes, its contents behind the first
 * two bytes. */
#include "fuzz6.h"

#define RECORD 4
#define LIE_LENGTH 1	 /* the fixed header's length is the payload byte */
#define LIE_HEADER 2	 /* a header's length field is its second content byte */
#define PART 4		 /* the payload starts in the middle of the datagram */
#define NO_HOPS 8	 /* hop limit 0 */
#define OTHER_VERSION 16 /* of the IP header */

static u32 take_headers(struct chain6 *c, u32 nr, bool lie, const u8 *data, u32 size)
{
	static const u8 types[] = {
		0, 60, 43, 44, 44, 51, 59, 135, 140, 50, 60, 0, 44, 43, 58, 253
	};
	u32 used = 0;

	while (nr-- && size - used >= 2) {
		u32 units = 1 + data[used + 1] % 16, n;
		u8 type = types[data[used] % ARRAY_SIZE(types)];
		u32 at = c->len;

		if (type == 44)
			units = 1;
		used += 2;
		n = min(units * 8 - 2, size - used);
		chain6_raw(c, type, units, units - 1);
		memcpy(c->bytes + at + 2, data + used, n);
		if (type == 44) { /* few datagrams, so that fragments meet */
			put_be32(c->bytes + at + 4, c->bytes[at + 7] & 3);
			c->bytes[at + 2] &= 7;
		}
		if (lie && n)
			c->bytes[at + 1] = data[used];
		used += n;
	}
	return used;
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	static const u8 transports[] = { 58, 58, 17, 6, 59, 253, 0, 44 };
	static u8 payload[1480];
	u32 i;

	fuzz_begin6();
	for (i = 0; i < sizeof(payload); i++)
		payload[i] = i;
	payload[0] = 128;
	payload[1] = 0;
	while (size >= RECORD) {
		struct chain6 c = { 0 };
		struct ipv6_fields h = { .src = fuzz6_source(data[1]),
					 .dst = fuzz6_dest(data[1] >> 4),
					 .next = transports[data[2] >> 5],
					 .chain = &c,
					 .lie_len = data[0] & LIE_LENGTH,
					 .payload_len = data[3],
					 .hop_limit_0 = data[0] & NO_HOPS,
					 .version = data[0] & OTHER_VERSION ? data[3] & 15 : 0 };
		u32 len = data[3] * 8 % 1200 + (data[0] >> 5),
		    used = take_headers(&c, data[2] & 15, data[0] & LIE_HEADER, data + RECORD,
					size - RECORD);

		if (c.len + len > 1400)
			len = 1400 - min(c.len, 1400u);
		peer6_send(&peer, NULL, &h, payload + (data[0] & PART ? 40 : 0), len);
		data += RECORD + used;
		size -= RECORD + used;
	}
	fuzz_end6();
	return 0;
}
