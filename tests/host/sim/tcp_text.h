/* SPDX-License-Identifier: MIT */
/* tcp_text.h - segments as scripts write them (tcp_peer.h has the grammar), between tcp_peer.c and
 * tcp_text.c. */
#pragma once

#include <weft/types.h>

#define ANY 0xffffffff /* not there, or whatever it is */

enum { FIN = 1, SYN = 2, RST = 4, PSH = 8, ACK = 16, URG = 32, ECE = 64, CWR = 128, AE = 256 };

/* A segment as written, or as it came. */
struct segment {
	u16 flags;
	bool has_seq, has_ack, has_win, has_urg, has_options, push;
	u32 seq, end, len, ack, win, urg;
	u32 mss, wscale, ts_val, ts_ecr; /* ANY: not there, or whatever */
	bool sack_ok, ts;
	u32 nr_sacks, sack[4][2];
	u8 raw[40];
	u32 raw_len;
};

extern const char *tp_text; /* the step at hand, for what is said of it */
void tp_mismatch(const char *fmt, ...) __printf(1, 2) __noreturn;
u32 tp_mss(void); /* what a full link takes, without options */
void segment_parse(struct segment *g, const char *s);
void segment_describe(const struct segment *g, char *text, size_t size);
