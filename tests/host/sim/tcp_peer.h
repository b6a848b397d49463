/* SPDX-License-Identifier: MIT */
/* tcp_peer.h - a TCP peer by script: segments go in as written, those that come out are compared
 * with what is written. Text of a segment:
 *
 *	FLAGS [SEQ[:END](LEN)] [ack N] [win N] [urg N] [<option,...>]
 *
 * FLAGS are of S F R P U E W A (AE) and . (ACK); numbers count from the sender's first;
 * options: mss N (max: the link's), wscale N, sackOK, ts VAL ECR, sack A:B (of the other's
 *numbers), raw HEX. What is not written of an outgoing segment is not compared, P never unless
 *written; an incoming one has window 65535 and, once agreed on, a time stamp; "ts N *" echoes the
 *host's. Payload is the same function of the sequence number on both sides, and is checked. A
 *mismatch ends the program. */
#pragma once

#include "calls.h"
#include "stack6.h"

struct tcp_peer {
	u16 port, host_port;
	u32 iss, host_iss;
	bool heard_host; /* host_iss is known */
	bool ts;	 /* incoming segments have time stamps: value, echo */
	u32 ts_value, ts_echo;
	u8 host_wscale;		  /* of the host's SYN */
	u8 tos;			  /* ECN bits of what is sent */
	u8 ttl;			  /* and hop limit; 0: 64 */
	bool bad_sum, bad_ip_sum; /* IPv6 has no such */
	/* of the last segment that came out */
	u64 at, last_at; /* when; and when the script last did or saw something */
	u32 seq, ack, win, len, ts_val, ts_ecr;
	u8 ip_tos;
	bool ip_df;
	bool fastopen; /* it had that option (RFC 7413), with this cookie */
	u8 cookie_len, cookie[16];
	u32 ack_high; /* behind the last octet that ever came out */
};
extern struct tcp_peer tp;

#define TP_PEER_PORT 5000
#define TP_HOST_PORT 80

/* Stack, tcp and its congestion modules, the peer's address known. */
void tp_up(void);
void tp_up6(void); /* the same over IPv6: everything below is for either */
/* What tp_up does. tp_run runs a file's tests over IPv4, then over IPv6. */
extern bool tp_over_ipv6;
#define tp_run(tests)                                 \
	(cmocka_run_group_tests(tests, NULL, NULL) || \
	 (tp_over_ipv6 = true, cmocka_run_group_tests_name("over IPv6", tests, NULL, NULL)))
void tp_up_quiet(void); /* as tp_up, without loss probes, which would come within silences */
void tp_sysctl(const char *name, const char *value); /* of net/ipv4 */
void tp_down(void); /* connections' ends are the script's; nothing may be left */
/* A fresh connection's script: other ports and sequence numbers. */
void tp_new(u16 peer_port, u16 host_port);

/* Sends a segment into the host. */
void tp_in(const char *text);
/* The same, and time stands still: it comes at once with the next ones. */
void tp_put(const char *text);
/* The same without text; options are as on the wire, a time stamp goes before them. */
struct tcp_segment {
	u16 flags, win, urg;
	u32 seq, ack, len;
	const u8 *options;
	u32 nr_options;
	bool ts;
	u32 ts_value, ts_echo;
};
void tp_in_raw(const struct tcp_segment *g);
void tp_watch(void); /* learns from all that has come, compares nothing */
/* The next segment must come now (within a millisecond), or between two times after the step
 * before, in ms. */
void tp_out(int line, const char *text);
void tp_out_within(int line, u32 from_ms, u32 to_ms, const char *text);
/* Nothing may come for so long. */
void tp_silence(int line, u32 ms);
void tp_forget(void); /* what has come and was not looked at */
u32 tp_waiting(void); /* how many segments have come and were not looked at */
bool tp_next(void);   /* takes the next one into tp, whatever it is; false: none */

#define in(text) tp_in(text)
#define put(text) tp_put(text)
#define out(text) tp_out(__LINE__, text)
#define out_within(from, to, text) tp_out_within(__LINE__, from, to, text)
#define silence(ms) tp_silence(__LINE__, ms)

/* The same with numbers put in, as printf does. */
const char *tp_format(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
#define inf(...) tp_in(tp_format(__VA_ARGS__))
#define outf(...) tp_out(__LINE__, tp_format(__VA_ARGS__))
/* n segments of 1000 octets come out, the first at seq. */
#define segments(seq, n) tp_segments(__LINE__, seq, n)
void tp_segments(int line, u32 seq, u32 n);

/* An ICMP (over IPv6: ICMPv6) error about the host's segment at a (relative) sequence number. */
void tp_icmp(u8 type, u8 code, u32 rest, u32 seq);

/* ---- the host's program ---- */
int tp_listen(void); /* a listener on tp.host_port */
/* The peer calls a listener: its SYN and the answer; with the ACK that makes it a connection. */
#define tp_syn() (in("S 0(0) <mss 1460>"), out("S. 0(0) ack 1"))
#define tp_call() (tp_syn(), in(". 1(0) ack 1"))
/* What is in the listener's queue: the descriptor, not less than 0. */
#ifndef SIM_NO_CMOCKA
static inline int tp_take(int listener)
{
	int fd = c_accept(listener, SOCK_NONBLOCK);

	assert_true(fd >= 0);
	return fd;
}
#endif
/* Listener, handshake with options of the peer's SYN and accept: the connection's descriptor, not
 * blocking. */
int tp_accepted(const char *syn_options);
/* A socket, not blocking, whose SYN is on its way. */
int tp_connecting(void);
/* Active open through to established; the peer's SYN-ACK has these options. */
int tp_connected(const char *syn_options);
/* The host closes first, the peer at once: TIME-WAIT, which has nothing more to say. */
void tp_time_wait(int fd);
/* Writes so many octets (of the pattern, from relative sequence number 1 on by itself). */
long tp_write(int fd, u32 n);
/* The same with flags; MSG_FASTOPEN names the peer. */
long tp_send(int fd, u32 n, int flags);
/* Reads what is there, up to n; checks it. */
long tp_read(int fd, u32 n);
int tp_state(int fd); /* TCP_INFO's state */
/* The whole life of one connection is over: both ends closed, TIME-WAIT waited for. */
void tp_finish(int fd);

#define TCP_NODELAY 1
#define TCP_MAXSEG 2
#define TCP_CORK 3
#define TCP_KEEPIDLE 4
#define TCP_KEEPINTVL 5
#define TCP_KEEPCNT 6
#define TCP_SYNCNT 7
#define TCP_LINGER2 8
#define TCP_DEFER_ACCEPT 9
#define TCP_WINDOW_CLAMP 10
#define TCP_INFO 11
#define TCP_QUICKACK 12
#define TCP_CONGESTION 13
#define TCP_USER_TIMEOUT 18

enum {
	ST_ESTABLISHED = 1,
	ST_SYN_SENT,
	ST_SYN_RECV,
	ST_FIN_WAIT1,
	ST_FIN_WAIT2,
	ST_TIME_WAIT,
	ST_CLOSE,
	ST_CLOSE_WAIT,
	ST_LAST_ACK,
	ST_LISTEN,
	ST_CLOSING,
};
