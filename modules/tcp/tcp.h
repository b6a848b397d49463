/* SPDX-License-Identifier: MIT */
/* tcp.h - the Transmission Control Protocol (RFC 9293) inside: control blocks, where segments find
 * them, and what the module's files give each other. One implementation for IPv4 and IPv6.
 *
 *	table.c  4-tuples, listeners -> ends	ports.c   who holds which local port
 *	segment.c parse and build headers	input.c   a segment comes in (9293 3.10.7)
 *	coalesce.c segments in order, together
 *	listen.c  SYNs, accept queue		request.c SYN-RECEIVED
 *	conn.c   states, from open to done	child.c cookies.c  out of a listener  timewait.c
 *	error.c  ICMP   isn.c			respond.c RST, ACKs without a connection
 *	output.c what may be sent, and sending	txq.c     the byte stream until it is acknowledged
 *	ack.c    acknowledgements, RTT, SACK	recovery.c RACK-TLP, PRR, F-RTO   timer.c  cc.c
 *	sock.c   socket calls  send.c recv.c	rxq.c rcvbuf.c urgent.c  received data
 *	sockopt.c info.c			sysctl.c proc.c diag.c
 *	rate.c	 delivery rate  pace.c bounded	mtuprobe.c path MTU, told of or found out
 *	fastopen.c, as a server, fastclient.c, as a client (RFC 7413)
 *
 * Locks: the socket's mutex (process context) > the listener's conn lock > a connection's lock >
 * the ports' lock > a bucket's, the listeners'. A connection's lock is a plain spin lock, taken by
 * the poll context too, so user memory is never touched under it. Tables are read under RCU. */
#pragma once

#include <weft/net/sock.h>
#include <weft/net/tcp_cc.h>
#include <weft/poller.h>
#include <weft/printk.h>
#include <weft/random.h>
#include <weft/string.h>
#include <weft/time.h>

#include "segment.h"
#include "sysctl.h"

/* Numbers of /proc/net/tcp and TCP_INFO. */
enum tcp_state {
	TCP_ESTABLISHED = 1,
	TCP_SYN_SENT,
	TCP_SYN_RECV,
	TCP_FIN_WAIT1,
	TCP_FIN_WAIT2,
	TCP_TIME_WAIT,
	TCP_CLOSE,
	TCP_CLOSE_WAIT,
	TCP_LAST_ACK,
	TCP_LISTEN,
	TCP_CLOSING,
};
#define TCP_STATE_BIT(st) (1u << (st))

/* What a received packet's cb holds once it is in a connection's queue, not struct ip_rx. */
struct tcp_rx_cb {
	u32 seq, end; /* of the payload left; p->data is at seq. A FIN is not counted */
	/* the first packet of a run in tc->ofo: the others without a hole between, their end */
	u32 run_end;
	struct list_head rest;
};
/* What a packet of the send queue holds: its payload is p->data .. p->len, all of it stream. */
struct tcp_tx_cb {
	u32 seq;      /* of the first payload byte */
	u32 sent;     /* bytes sent at least once, from the front */
	bool push;    /* PSH at its end; not set (MSG_MORE): a short end waits for more */
	bool tried;   /* a clone went down but did not leave: it may still be somewhere */
	bool filling; /* the user's bytes are being copied behind its end: not sent now */
};
static inline struct tcp_rx_cb *tcp_rx_cb(struct pkt *p)
{
	return (struct tcp_rx_cb *)p->cb;
}
static inline struct tcp_tx_cb *tcp_tx_cb(struct pkt *p)
{
	return (struct tcp_tx_cb *)p->cb;
}

/* ---- ends: what the tables find ---- */
enum tcp_end_kind { TCP_END_CONN, TCP_END_REQUEST, TCP_END_TIMEWAIT };

/* tcp_end.bind: how it holds its port */
#define TCP_BIND_REUSEADDR BIT(0) /* the socket's options at the time */
#define TCP_BIND_REUSEPORT BIT(1)
#define TCP_BIND_V6ONLY BIT(2)
#define TCP_BIND_EXPLICIT BIT(3) /* by bind(2) or listen(2): connect(2) picks another port */
#define TCP_BIND_LISTEN BIT(4)

/* Addresses and ports do not change while it is in a table. Those of a connection are those of its
 * inet_sock, which stay when it is over. */
struct tcp_end {
	struct hlist_node node; /* 4-tuple table, or the listeners' */
	/* tables, socket, accept queue, armed timer, hung batch end: one each */
	struct refcount refs;
	u8 kind;	  /* enum tcp_end_kind */
	u8 hashed;	  /* in which table, if any; guarded by the bucket's lock */
	u8 bind;	  /* TCP_BIND_*; guarded by the ports' lock, as are uid and the last two */
	u8 family;	  /* AF_* of the socket that it is, was or will be */
	u16 lport, rport; /* host order */
	struct ip_addr laddr, raddr;
	u32 hash;
	u32 bound_if; /* 0: any */
	u32 uid;      /* of the socket that bound the port */
	struct rcu_head rcu;
	struct tcp_port *port; /* that it occupies */
	struct list_head port_node;
};

struct tcp_conn;

/* One transmission: a run of sequence numbers that left together (up to a TSO packet), split where
 * SACK or loss tells its parts apart, joined again where all is SACKed. In sequence order, snd_una
 * .. snd_nxt without gaps. */
struct tcp_rec {
	struct list_head node; /* by sequence number */
	/* On the wire: in recs_by_time, by time of the last transmission (RACK). LOST: in
	 * recs_lost, waiting to be sent again. SACKED: in none. */
	struct list_head time_node;
	u32 seq, end;
	u64 sent_ns;
	struct pkt *data; /* of the txq, holds seq; NULL: a SYN or a FIN alone */
	u16 mss;	  /* it was cut into segments of this many bytes */
	u8 tries;
	u8 flags; /* TCP_REC_* */
	/* as they were when it left, of the connection: rate.c */
	u64 delivered, delivered_ns, first_ns;
};
#define TCP_REC_SACKED BIT(0)
#define TCP_REC_LOST BIT(1)
#define TCP_REC_RETRANS BIT(2)	   /* was sent more than once */
#define TCP_REC_APP_LIMITED BIT(3) /* the user had no more to send, rate.c */
#define TCP_REC_SYN BIT(4)
#define TCP_REC_FIN BIT(5)

/* tcp_conn.todo: what the end of the batch does for a connection */
#define TCP_TODO_ACK BIT(0)    /* an ACK must go now */
#define TCP_TODO_OUTPUT BIT(1) /* window or data came: try to send */
#define TCP_TODO_READ BIT(2)   /* wake readers */
#define TCP_TODO_WRITE BIT(3)  /* wake writers */
#define TCP_TODO_STATE BIT(4)  /* wake everybody: connected, closed, error */

/* tcp_conn.fastopen */
#define TCP_FO_HELD BIT(0)	 /* connect(2) is through, the SYN waits for data to carry */
#define TCP_FO_ASK BIT(1)	 /* our first SYN brings a cookie and data, or asks for a cookie */
#define TCP_FO_LEFT BIT(2)	 /* that one has left: those that repeat it are as any other's */
#define TCP_FO_DATA_ACKED BIT(3) /* data in a SYN was acknowledged by the SYN-ACK, or by ours */

/* tcp_conn.options: agreed on with the peer */
#define TCP_OPT_TS BIT(0)
#define TCP_OPT_SACK BIT(1)
#define TCP_OPT_WSCALE BIT(2)
#define TCP_OPT_ECN BIT(3)

/* The one timer of a connection serves all of these; 0: not armed. ktime ns. */
enum tcp_timer_id {
	TCP_TIMER_RETRANS, /* RTO, TLP's probe, or RACK's reordering time-out: retrans_kind */
	TCP_TIMER_PERSIST,
	TCP_TIMER_DELACK,
	TCP_TIMER_KEEPALIVE,
	TCP_TIMER_LINGER, /* FIN-WAIT-2 without a reader, orphans (tcp_fin_timeout) */
	TCP_TIMER_PACE,	  /* asks for output again: ring full, no buffer, cork */
	TCP_NR_TIMERS,
};

/* What holds a sender, rate.c. */
enum tcp_limit { TCP_LIMIT_NONE, TCP_LIMIT_BUSY, TCP_LIMIT_RWND, TCP_LIMIT_SNDBUF, TCP_NR_LIMITS };
#define TCP_RATE_SHIFT 10 /* nanoseconds by this */

/* 1920 bytes, 17 to a slab of 32 KiB: one more costs each connection 64 to 100. */
struct tcp_conn {
	struct inet_sock is; /* first: s->priv. is.s is NULL before accept and after close */
	struct tcp_end end;
	struct spinlock lock; /* guards all below, and is.s, is.flow, is.waiter's arming */
	u8 state;	      /* enum tcp_state */
	u8 todo;
	u8 options;  /* TCP_OPT_* */
	u8 ca_state; /* enum of recovery.c, as TCP_INFO shows it */
	struct batch_end batch;
	bool batch_hung; /* batch holds a reference; its fn clears this first */
	bool orphan;	 /* closed by its user, and saying goodbye */
	int error;	 /* why it ended, for a socket that it does not have yet (accept) */
	u64 deadline[TCP_NR_TIMERS];
	struct timer timer; /* armed for the earliest deadline or earlier */
	u64 timer_at;	    /* when, 0: it is not armed */
	bool timer_kicked;  /* by the waiter: changed without the lock */
	bool own_rec_used;

	/* send sequence space, RFC 9293 3.3.1 */
	u32 iss, snd_una, snd_nxt, snd_wnd, snd_wl1, snd_wl2, snd_up;
	u32 snd_max_wnd; /* largest window seen: SWS avoidance */
	u32 write_seq;	 /* behind the last byte that the user gave */
	u8 snd_wscale, rcv_wscale;
	bool fin_queued, fin_sent, urgent_out;
	bool pushing; /* Nagle and cork do not hold what is before push_seq */
	u32 push_seq;
	u32 snd_small;		/* end of the last short segment sent (Minshall's Nagle) */
	u16 mss;		/* payload bytes of a full segment, time stamps subtracted */
	u16 mss_now;		/* SACK blocks subtracted too; output.c */
	u16 mss_peer, mss_user; /* the peer's MSS option; TCP_MAXSEG, 0: not set */
	u64 cork_ns;		/* since when cork or MSG_MORE hold a short segment, 0: none */
	struct list_head txq;	/* of struct pkt with tcp_tx_cb: snd_una .. write_seq */
	struct pkt *tx_next;	/* holds snd_nxt; NULL: everything is sent */
	u32 txq_bytes;
	u32 nr_recs;
	struct list_head recs, recs_by_time, recs_lost; /* of struct tcp_rec */
	struct tcp_rec own_rec;				/* one that costs no allocation */
	u32 path_mtu;					/* that mss was made from */

	/* receive sequence space */
	u32 irs, rcv_nxt, rcv_wnd, rcv_wup; /* rcv_wup: rcv_nxt when the window was last sent */
	u32 copied_seq;			    /* what the user has taken */
	u32 rcv_up;	 /* sequence number of the urgent byte, when urgent_state is not 0 */
	u8 urgent_state; /* TCP_URGENT_*, urgent.c */
	u8 urgent_byte;
	bool urgent_skip; /* urgent_skip_seq was urgent and is no data, though unread */
	bool fin_seen;	  /* a FIN came; it stands at fin_seq, maybe behind holes */
	bool fin_received;
	u16 nr_runs; /* in ofo */
	u32 urgent_skip_seq;
	u32 fin_seq;
	u32 collapsed_at;     /* rcv_nxt when rxq was last collapsed */
	struct list_head rxq; /* in order, struct pkt with tcp_rx_cb */
	/* guarded by the socket's lock instead: taken off rxq by the reader, copied_seq's packet
	 * first */
	struct list_head reading;
	struct list_head ofo;	 /* out of order: the first packet of each run, by sequence */
	u32 rx_bytes, ofo_bytes; /* true sizes */
	struct tcp_range sack_out[TCP_SACK_BLOCKS_OUT]; /* newest first (RFC 2018 4) */
	struct tcp_range dsack;				/* start == end: none (RFC 2883) */
	u8 nr_sack_out;
	u8 quick_acks;		      /* ACK at once this many times: start, after a hole */
	bool pingpong;		      /* interactive: delay ACKs */
	u32 rcv_mss;		      /* guess of the peer's segment size */
	u32 ts_recent, last_ack_sent; /* RFC 7323 4.3 */
	u64 ts_recent_ns;
	u32 ts_offset; /* our time stamps start at random (RFC 7323 7.1) */
	/* the peer's round trip as data shows it, rcvbuf.c: 0: not known; the next sample's place
	 * in the stream, and when that became known to the peer */
	u32 rcv_rtt_seq;
	u64 rcv_rtt_ns, rcv_rtt_since_ns;

	/* ACKs, RTT and recovery (ack.c, recovery.c) */
	u64 srtt_ns, rttvar_ns, rto_ns, min_rtt_ns; /* RFC 6298 */
	u8 backoff;				    /* doublings of the RTO */
	u8 retrans_kind;			    /* what TCP_TIMER_RETRANS means now */
	u8 dupacks;
	bool undo_marker;	  /* the last reduction can be undone */
	u32 sacked_out, lost_out; /* bytes; without SACK one mss for each duplicate ACK */
	u32 retrans_out;	  /* bytes sent again and still out */
	u32 sack_high;		  /* end of the highest byte SACKed, or snd_una */
	struct tcp_range sack_seen[TCP_SACK_BLOCKS_IN]; /* blocks already worked in */
	struct tcp_rec *sack_hint;			/* where the last one was found */
	u32 recover;					/* snd_nxt when recovery began */
	u32 undo_una;
	s32 undo_retrans;	       /* retransmitted bytes that no D-SACK has named */
	u32 retrans_ts;		       /* time stamp of the first retransmission (Eifel), 0: none */
	u64 retrans_start_ns;	       /* first time-out of what is at snd_una, 0: none */
	u64 rack_sent_ns, rack_rtt_ns; /* RFC 8985 6.2 */
	u32 rack_end, rack_dsack_end;
	u8 rack_reo_mult, rack_reo_persist;
	bool rack_reordering_seen, rack_dsack_round;
	u32 tlp_end;
	bool tlp_out, tlp_retrans;
	u8 frto;		/* RFC 5682: 0, or which of its steps comes next */
	bool rate_app_limited;	/* the sample of rate_delivered is */
	u8 limit;		/* enum tcp_limit, since limit_since_ns */
	bool ecn_cwr, ecn_echo; /* we owe a CWR; we owe ECEs (RFC 3168 6.1) */
	u64 rto_base_ns;	/* when the RTO was restarted last: an ACK of something new */
	u32 prr_delivered, prr_out, prr_recover_fs;
	u32 delivered_segs;
	/* rate.c */
	u64 delivered;		    /* bytes */
	u64 delivered_ns, first_ns; /* when, last; when the flight began that was delivered */
	u64 app_limited;	    /* delivered when the present bubble is through, 0: none */
	u64 rate_delivered, rate_interval; /* the last sample; in units of TCP_RATE_SHIFT */
	u64 limit_since_ns, limit_ns[TCP_NR_LIMITS];
	u32 limited_seq; /* cc.cwnd_limited holds until this is acknowledged */
	u32 ecn_recover;
	struct tcp_cc cc;
	struct list_head cc_node; /* of cc.algo's users; guarded by cc.c's lock */
	u64 last_sent_ns, last_recv_ns, last_data_recv_ns;
	/* told by TCP_INFO alone; empty: without text */
	u32 total_retrans, dsack_dups, reord_seen, rcv_ooopack;
	u32 segs_in, empty_in, segs_out, data_segs_out;
	u32 delivered_ce;
	u32 challenge_left;	       /* RFC 5961 7, per connection */
	u64 bytes_retrans, bytes_read; /* read: before rcv_space_seq */
	/* mtuprobe.c (RFC 4821), sizes as MSSs */
	u16 mtu_mss;	 /* gets through where the path's does not; 0: that does */
	u16 mtu_failed;	 /* did not; 0: none is known */
	u16 mtu_probe;	 /* is tried by the segment at mtu_seq; 0: none is on its way */
	u8 mtu_timeouts; /* of the same full segment */
	bool mtu_lost;	 /* the segment that tries was */
	u8 watched;	 /* TCP_WATCHED_*: an ACK of something new is of interest */
	u32 mtu_seq;
	u64 mtu_next_ns;	  /* no other one before */
	struct tcp_stamp *stamps; /* stamp.c; in order, NULL: none */
	u64 challenge_ns;
	u64 last_oow_ns;  /* an ACK answered a segment out of the window, see input.c */
	u8 fastopen;	  /* TCP_FO_*: what our SYN asks and carries, fastclient.c */
	u8 fastopen_fail; /* TCP_INFO's: why it carried nothing, or in vain */
	u16 syn_data;	  /* bytes of the stream in our SYN; sent once it is acknowledged */

	/* the user's wishes; also inherited by accepted connections */
	bool nodelay, cork;
	u8 quickack; /* so many ACKs more, unless data that we send takes them along before */
	u8 keep_cnt, syn_retries, defer_accept_s;
	u8 keep_probes;			 /* unanswered */
	u32 keep_idle_ms, keep_intvl_ms; /* 0: the sysctl's */
	u32 user_timeout_ms;
	int linger2_s;
	u32 window_clamp;
	bool fastopen_connect, fastopen_no_cookie;
	u16 fastopen_qlen; /* TCP_FASTOPEN: how many may be pending, 0: off */
	struct atomic fastopen_pending;
	struct tcp_conn *fastopen_from; /* not NULL: our SYN-ACK is not acknowledged (RFC 7413) */
	bool rcvbuf_locked, sndbuf_locked; /* set by the user: no autotuning */
	u32 rcvbuf, sndbuf;		   /* in force; the socket's where locked */
	u32 rcv_space; /* autotuning, rxq.c: bytes read in the best round trip so far */
	u64 rcv_space_ns;
	u32 rcv_space_seq;
	u32 notsent_lowat;
	struct tcp_pace *pace; /* pace.c; NULL: as fast as it goes */
	int soft_error;	       /* of ICMP, told when we give up (RFC 1122 4.2.3.9) */
	u8 shutdown;	       /* SHUT bits: 1 receive (a FIN counts), 2 send; 3 once it is over */
	u8 phase;	       /* sock.c: what connect(2) has told. The socket's lock */
	bool addr_bound;       /* likewise: is.laddr is bind(2)'s choice */
	u32 nr_accepting;      /* likewise: threads that sleep in accept */
	bool tx_waiting;       /* a writer or poller wants to hear of room */
	bool reader_waits;     /* in recv, for whatever comes; SO_RCVLOWAT is for pollers */

	/* a listener's; the same lock */
	struct tcp_listen *listen; /* listen.c; NULL: is not one */
	/* a connection's that waits for accept; guarded by its listener's lock */
	struct tcp_conn *parent;
	struct list_head accept_node;
};

static inline struct tcp_conn *tcp_of(const struct socket *s)
{
	return s->priv;
}
static inline struct tcp_conn *tcp_of_end(struct tcp_end *e)
{
	return container_of(e, struct tcp_conn, end);
}
static inline bool tcp_in(const struct tcp_conn *tc, u32 state_bits)
{
	return TCP_STATE_BIT(tc->state) & state_bits;
}
/* May carry data from the user (9293 3.10.2). */
#define TCP_CAN_SEND (TCP_STATE_BIT(TCP_ESTABLISHED) | TCP_STATE_BIT(TCP_CLOSE_WAIT))
#define TCP_CAN_RECV                                                     \
	(TCP_STATE_BIT(TCP_ESTABLISHED) | TCP_STATE_BIT(TCP_FIN_WAIT1) | \
	 TCP_STATE_BIT(TCP_FIN_WAIT2))
#define TCP_SYNCHRONIZED \
	(TCP_CAN_SEND | TCP_CAN_RECV | TCP_STATE_BIT(TCP_CLOSING) | TCP_STATE_BIT(TCP_LAST_ACK))

/* ---- counters, Linux's names (/proc/net/snmp Tcp, /proc/net/netstat TcpExt): proc.c ---- */
#include "count.h" /* TCP_COUNTERS(X), enum tcp_counter, tcp_count(id), tcp_count_add(id, n) */

/* ================= A: tables, states, input ================= */

/* table.c. Sizes are the module parameters hash_bits, listen_bits. */
int tcp_table_init(void);
void tcp_table_exit(void);
/* The end for a received segment: the 4-tuple's, else NULL. Under RCU; no reference taken. */
struct tcp_end *tcp_find(const struct ip_addr *laddr, u16 lport, const struct ip_addr *raddr,
			 u16 rport, u32 ifindex);
/* The listener: best fit of address and interface, of a SO_REUSEPORT group by hash. Under RCU. */
struct tcp_conn *tcp_find_listener(const struct ip_addr *laddr, u16 lport,
				   const struct ip_addr *raddr, u16 rport, u32 ifindex);
/* A child of a listener: shares its port, goes into the table in place of req (may be NULL).
 * -EEXIST somebody was faster. */
int tcp_insert_child(struct tcp_conn *child, struct tcp_conn *listener, struct tcp_end *req);
int tcp_insert_end(struct tcp_end *e); /* requests; -EEXIST */
/* e, fresh, goes in where old is, in one step for readers. False: old was in no table. */
bool tcp_replace_end(struct tcp_end *old, struct tcp_end *e);
int tcp_insert_listener(struct tcp_conn *tc); /* takes the port for it too; -EADDRINUSE */
/* Out of whatever table it is in; drops that reference. Idempotent. */
void tcp_unhash(struct tcp_end *e);
/* Calls fn for every end in the tables, each under RCU; the caller is not. */
void tcp_for_each(void (*fn)(struct tcp_end *e, void *arg), void *arg);
/* The same from *bucket on, which says where it is, until fn says no. */
void tcp_walk(u32 *bucket, bool (*fn)(struct tcp_end *e, void *arg), void *arg);
/* A new end with one reference. */
void tcp_end_init(struct tcp_end *e, enum tcp_end_kind kind);
static inline void tcp_end_get(struct tcp_end *e)
{
	refcount_inc(&e->refs);
}
static inline bool tcp_end_get_not_zero(struct tcp_end *e)
{
	return refcount_inc_not_zero(&e->refs);
}
/* Frees after a grace period when it was the last; any context but interrupt. */
void tcp_end_put(struct tcp_end *e);

/* input.c: registered with ip. */
int tcp_input(struct pkt *p, struct ip_rx *rx);
/* The steps of 9293 3.10.7.4. Takes p, data at the TCP header. Lock held. */
void tcp_segment_arrives(struct tcp_conn *tc, struct pkt *p, const struct tcp_seg *seg, u8 tos,
			 u64 now);
/* error.c: ICMP (RFC 5927, 5461). */
void tcp_error(const struct ip_error *e, const u8 *quote, u32 quote_len);

/* conn.c. A fresh control block in TCP_CLOSE with sysctl defaults, one reference. s may be NULL.
 * NULL without memory. Any context but interrupt. */
struct tcp_conn *tcp_conn_new(struct socket *s);
/* Back to what it was when new, but for what the user set (options, buffers, TCP_MAXSEG) and the
 * port he bound: connect after a failure or AF_UNSPEC. State is TCP_CLOSE. Lock held. */
void tcp_conn_reset(struct tcp_conn *tc);
/* State changes with what they imply (counters, wake-ups, timers of the new state). */
void tcp_set_state(struct tcp_conn *tc, enum tcp_state st);
/* The connection is over: out of the tables, timers off, queues freed, err (positive, 0: none) for
 * the user, everybody woken. Lock held; idempotent. The caller still has a reference. */
void tcp_done(struct tcp_conn *tc, int err);
/* Sends a RST (9293 3.5.2) where the state wants one, then tcp_done. Lock held. */
void tcp_abort(struct tcp_conn *tc, int err);
/* A FIN came, all data before it is queued (9293 3.10.7.4, eighth). Lock held. */
void tcp_fin_received(struct tcp_conn *tc);
/* Our FIN is acknowledged (input.c asks after each tcp_ack: fin_sent && snd_una == snd_nxt; tcp_ack
 * does not call it). Lock held. May move to TIME-WAIT: then tc is done. */
void tcp_fin_acked(struct tcp_conn *tc);
/* SHUT_WR and close: the state moves on (9293 3.10.4) and the FIN is queued behind the data. Does
 * nothing where it is on its way already. Lock held. */
void tcp_close_send(struct tcp_conn *tc);
/* close(2): unread data or a linger time of 0 reset (RFC 2525 2.17), a listener stops, else the
 * connection says goodbye by itself as an orphan (bounded). Gives back the socket's reference; is.s
 * is NULL afterwards. Socket's lock, without tc's. sock.c has waited for SO_LINGER before. */
void tcp_close(struct tcp_conn *tc);
/* TCP_TIMER_LINGER is due. Lock held; tc is done afterwards. */
void tcp_linger_expired(struct tcp_conn *tc);
/* The window as the peer knows it: how far beyond rcv_nxt it may send (9293 3.3.1). */
static inline u32 tcp_rcv_window(const struct tcp_conn *tc)
{
	s32 left = tc->rcv_wup + tc->rcv_wnd - tc->rcv_nxt;

	return left > 0 ? left : 0;
}
/* An active open, in SYN-SENT: tcp_send_syn is next. Lock held. */
void tcp_connect_start(struct tcp_conn *tc);
/* The handshake is over: mss, wscale, cc, buffers. Lock held. */
void tcp_established(struct tcp_conn *tc);
/* MSS from path MTU, peer and user (RFC 9293 3.7.1, RFC 6691); what mtuprobe.c found out and
 * options in every segment are subtracted from it for tc->mss. Lock held. */
u32 tcp_path_mss(const struct tcp_conn *tc);
void tcp_mss_update(struct tcp_conn *tc);
static inline u32 tcp_fixed_options(const struct tcp_conn *tc)
{
	return tc->options & TCP_OPT_TS ? TCP_TIMESTAMP_ROOM : 0;
}
/* What our MSS option says: what fits into a packet of that flow's interface, without options. */
u16 tcp_mss_announce(const struct flow *f);
extern struct atomic tcp_nr_established, tcp_nr_orphans; /* conn.c, for /proc */
void tcp_timewait_start(struct tcp_conn *tc); /* tc becomes a struct tcp_timewait and is done */
/* pace.c: SO_MAX_PACING_RATE, in bytes a second. The options with the socket's lock held. */
#define TCP_PACE_NONE (~0ull)
u64 tcp_pace_rate(const struct tcp_conn *tc);
bool tcp_pace_inherit(struct tcp_conn *child, const struct tcp_conn *l); /* false: no memory */
void tcp_pace_free(struct tcp_conn *tc);
int tcp_pace_setsockopt(struct tcp_conn *tc, const void *val, u32 len);
int tcp_pace_getsockopt(const struct tcp_conn *tc, void *val, u32 *len);
/* isn.c (RFC 6528) */
int tcp_isn_init(void);
u32 tcp_isn(const struct tcp_end *e, u32 *ts_offset); /* of a new connection between these */
static inline u32 tcp_ts_now(const struct tcp_conn *tc)
{
	return (u32)(ktime_get() / NSEC_PER_MSEC) + tc->ts_offset;
}
/* Rate limit for challenge ACKs (RFC 5961 7): per connection and at random, no side channel. */
bool tcp_challenge_allowed(struct tcp_conn *tc);

/* fastopen.c: our SYN is acknowledged, or tc is over. Lock held. */
void tcp_fastopen_settled(struct tcp_conn *tc);
/* fastclient.c */
/* connect(2) or send has asked for it: does our SYN carry data (true), should there be some? Else
 * it may ask for a cookie. Lock held. */
bool tcp_fastopen_begin(struct tcp_conn *tc);
/* How many bytes the SYN surely takes; 0: begin said no. Lock held. */
u32 tcp_fastopen_room(struct tcp_conn *tc);
/* A SYN-ACK, or the ACK of a simultaneous open: what of syn_data it acknowledges counts as sent;
 * what it says of cookies is remembered. Before tcp_ack. Lock held. */
void tcp_fastopen_answered(struct tcp_conn *tc, const struct tcp_seg *seg);
/* Nothing answered our SYN so often, or for ever (last). Lock held. */
void tcp_fastopen_timeout(struct tcp_conn *tc, bool last);
void tcp_fastopen_client_init(void);

/* listen.c */
int tcp_listen_start(struct tcp_conn *tc,
		     int backlog);	   /* also changes the backlog. Socket's lock */
void tcp_listen_stop(struct tcp_conn *tc); /* requests dropped, unaccepted connections reset */
/* The first complete connection, with a reference, off the queue; NULL: none. */
struct tcp_conn *tcp_accept_take(struct tcp_conn *listener);
bool tcp_accept_ready(struct tcp_conn *listener);

/* ================= B: output, acknowledgements, timers, congestion ================= */

/* txq.c: the byte stream. Lock held. */
/* How many payload bytes a buffer should have for the next `left` bytes of the user: whole
 * segments, up to TCP_PAYLOAD_MAX where the interface cuts (flow.features), else one mss. */
u32 tcp_tx_chunk(const struct tcp_conn *tc, size_t left);
u32 tcp_tx_headroom(const struct tcp_conn *tc);
/* Appends payload p->data .. p->len behind write_seq. Takes p (charged to the socket). */
void tcp_txq_append(struct tcp_conn *tc, struct pkt *p, bool push);
/* The last packet, with a reference, when bytes may be added to it: not sent yet, tail room left,
 * no more than a chunk. The caller (under the socket's lock, without this one) fills the tail room
 * and then calls tcp_txq_extend, which also works when it was sent or acknowledged meanwhile. */
struct pkt *tcp_txq_tail(struct tcp_conn *tc, u32 *room);
void tcp_txq_extend(struct tcp_conn *tc, struct pkt *p, u32 n, bool push);
void tcp_txq_free(struct tcp_conn *tc, u32 una); /* bytes before una are acknowledged */
void tcp_txq_purge(struct tcp_conn *tc);	 /* and what is in flight */
void tcp_send_init(
	struct tcp_conn *tc); /* a fresh connection's sending half, its timer and waiter */
int tcp_records_init(void);
void tcp_records_exit(void);

/* output.c. Lock held, poll or process context. */
/* Sends what window, congestion, Nagle and cork allow. Arms timers. */
void tcp_output(struct tcp_conn *tc);
/* Pushes over Nagle and cork (NODELAY set, cork off, close). */
void tcp_push(struct tcp_conn *tc);
void tcp_send_ack(
	struct tcp_conn *tc); /* now; without a buffer the delayed ACK timer tries again */
void tcp_ack_later(
	struct tcp_conn *tc); /* RFC 1122 4.2.3.2, RFC 5681 4.2: decides now or delayed */
void tcp_send_challenge(struct tcp_conn *tc); /* rate limited */
void tcp_send_syn(struct tcp_conn *tc);	      /* SYN, or SYN-ACK of a simultaneous open */
void tcp_send_fin(struct tcp_conn *tc);	      /* queues it behind the data, and tries */
void tcp_send_rst(struct tcp_conn *tc);
/* Sends what r describes, at most limit bytes, again as a fresh copy; r shrinks to what was sent.
 * -ENOBUFS, -EAGAIN: later. */
int tcp_retransmit(struct tcp_conn *tc, struct tcp_rec *r, u32 limit);
/* A probe at snd_una - 1 without data (keepalive) or with one byte (zero window). */
int tcp_send_probe(struct tcp_conn *tc, bool zero_window);
void tcp_flow_fill(struct tcp_conn *tc, struct flow *f); /* is.flow for this connection */

/* Work that a batch of segments needs once: noted in tc->todo under the lock. Whoever notes it in
 * process context or a timer calls tcp_flush before unlocking; tcp_input hangs tc->batch instead
 * (after unlocking, with a reference), whose fn takes the lock and flushes. Lock held for both. */
static inline void tcp_defer(struct tcp_conn *tc, u32 todo)
{
	tc->todo |= todo;
}
void tcp_flush(struct tcp_conn *tc);
/* True: the caller adds tc->batch to the batch after it has unlocked. Lock held. */
static inline bool tcp_hang_prepare(struct tcp_conn *tc)
{
	/* an orphan that is just over had its last reference in the table */
	if (!tc->todo || tc->batch_hung || !tcp_end_get_not_zero(&tc->end))
		return false;
	tc->batch_hung = true;
	return true;
}
void tcp_batch_end(struct batch_end *b); /* tc->batch.fn */

/* ack.c. The ACK field of an acceptable segment (9293 3.10.7.4 fifth): frees, samples RTT, marks
 * SACKs, finds losses, feeds cc, grows the send window. Returns false when the segment must be
 * dropped (it acknowledges what was never sent, or is too old: RFC 5961 5.2; it was answered). */
bool tcp_ack(struct tcp_conn *tc, const struct tcp_seg *seg);
void tcp_update_window(struct tcp_conn *tc, const struct tcp_seg *seg);
void tcp_rtt_init(struct tcp_conn *tc);
void tcp_rtt_sample(struct tcp_conn *tc, u64 rtt_ns);
void tcp_recs_purge(struct tcp_conn *tc);
/* ECN bits of a received data segment's IP header (RFC 3168). */
void tcp_ecn_received(struct tcp_conn *tc, const struct tcp_seg *seg, u8 tos);
/* Path MTU has shrunk (error.c checked it): mss, and what is too long goes again. */
void tcp_pmtu_reduced(struct tcp_conn *tc);
/* At establishment: does it begin with small segments (tcp_mtu_probing 2)? mtuprobe.c */
void tcp_mtu_start(struct tcp_conn *tc);

/* timer.c. Lock held. */
void tcp_timer_set(struct tcp_conn *tc, enum tcp_timer_id id, u64 at_ns); /* takes a reference */
void tcp_timers_stop(struct tcp_conn *tc);
void tcp_timer_init(struct tcp_conn *tc);
void tcp_rearm_rto(struct tcp_conn *tc);
void tcp_keepalive_restart(struct tcp_conn *tc); /* option changed, or something came */

/* cc.c */
void tcp_cc_start(struct tcp_conn *tc); /* initial window (RFC 6928), the default algorithm */
/* Switches. May load tcp_NAME. -ENOENT, -EPERM. Process context, without
 * the connection's lock. */
int tcp_cc_choose(struct tcp_conn *tc, const char *name);
void tcp_cc_stop(struct tcp_conn *tc);
/* A listener's choice is its children's. Before tcp_cc_start; the child's lock, or nobody knows it.
 */
void tcp_cc_inherit(struct tcp_conn *child, const struct tcp_conn *listener);
/* Loads the default algorithm's module, once. Process context, no locks. */
void tcp_cc_prepare(void);
int tcp_cc_init(void);
void tcp_cc_exit(void);
void tcp_cc_names(char *buf, size_t n, bool allowed_only); /* for the sysctls */
void tcp_cc_default(char name[TCP_CC_NAME_MAX]);
int tcp_cc_set_default(const char *name);
int tcp_cc_set_allowed(const char *names); /* with blanks between; -ENOENT */

/* ================= C: sockets, received data, options, /proc ================= */

/* rxq.c. Lock held. */
/* Payload (and FIN) of an acceptable segment: queues or discards. Takes p (data at the TCP header;
 * neither p nor seg is trimmed). Advances rcv_nxt over what became contiguous, keeps SACK blocks,
 * sets todo, calls tcp_fin_received when the FIN is reached. */
void tcp_rx_data(struct tcp_conn *tc, struct pkt *p, const struct tcp_seg *seg);
/* Data that came a second time (RFC 2883): the next ACK will say so. */
void tcp_dsack(struct tcp_conn *tc, u32 start, u32 end, enum tcp_counter which);
/* In order, no hole, room there: the fast path's append. Takes p. False: take the slow path (p is
 * still the caller's). */
bool tcp_rx_fast(struct tcp_conn *tc, struct pkt *p, const struct tcp_seg *seg);
/* The same for several, which follow each other up to end: payload only, cb filled. longest: of
 * them; truesize: all of theirs. */
bool tcp_rx_list(struct tcp_conn *tc, struct list_head *packets, u32 end, u32 truesize,
		 u32 longest);
void tcp_rxq_purge(struct tcp_conn *tc); /* the socket's lock too, if there is a socket */
/* Bytes in order that the user has not taken, urgent ones included. */
static inline u32 tcp_readable(const struct tcp_conn *tc)
{
	return tc->rcv_nxt - tc->copied_seq - tc->fin_received;
}

/* rcvbuf.c. Lock held. */
/* The window to advertise now, from what the receive side has room for; never shrinks (9293 3.8.6).
 * Sets rcv_wnd and rcv_wup; returns the field's value. */
u16 tcp_window_field(struct tcp_conn *tc);
/* Has the user taken so much that the peer should hear of it (RFC 9293 3.8.6.2.2)? */
bool tcp_window_opened(struct tcp_conn *tc);
void tcp_rcvbuf_init(struct tcp_conn *tc); /* at establishment */
void tcp_rcvbuf_grow(struct tcp_conn *tc); /* the user has read */
void tcp_rcvbuf_set(struct tcp_conn *tc, u32 size);
/* Data has come from rcv_rtt_seq on: the peer had heard of rcv_rtt_since_ns. */
void tcp_rcv_rtt(struct tcp_conn *tc, const struct tcp_seg *seg, u64 now);
u8 tcp_wscale_for(const struct tcp_conn *tc); /* what our SYN should ask for */
u32 tcp_window_initial(const struct tcp_conn *tc);
/* Memory of all connections together (tcp_mem): may this one take n more? Preemption off. */
extern bool tcp_memory_pressure;
extern s64 *tcp_memory_local; /* a cache line each CPU: what is not folded into the sum yet */
#define TCP_MEMORY_FOLD (64 * 1024)
bool tcp_memory_allows(struct tcp_conn *tc, u32 n);
/* May its socket queue another packet? Whoever has nothing queued always gets on. Any context. */
bool tcp_memory_allows_tx(const struct tcp_conn *tc);
void tcp_memory_fold(void);
static inline void tcp_memory_add(s64 bytes)
{
	s64 *local = &tcp_memory_local[cpu_id() * 8];

	*local += bytes;
	if (unlikely((u64)(*local + TCP_MEMORY_FOLD) > 2 * TCP_MEMORY_FOLD))
		tcp_memory_fold();
}
u64 tcp_memory_pages(void);
int tcp_memory_init(void);
void tcp_memory_exit(void);

/* urgent.c (RFC 6093): one byte beside the stream, as BSD's. Lock held. */
#define TCP_URGENT_NONE 0
#define TCP_URGENT_PENDING 1 /* told of, the byte has not come */
#define TCP_URGENT_VALID 2   /* urgent_byte may be read */
#define TCP_URGENT_READ 3    /* was read; the mark at rcv_up is still ahead of the reader */
/* For acceptable segments with URG, and all while one is pending; before tcp_rx_data. */
void tcp_rx_urgent(struct tcp_conn *tc, const struct tcp_seg *seg, const struct pkt *p);
long tcp_recv_urgent(struct socket *s, struct msg *m, size_t len); /* socket's lock only */
bool tcp_at_mark(struct tcp_conn *tc);
u32 tcp_fionread(struct tcp_conn *tc);

/* send.c. Room came back (ACK): autotuning of sndbuf. True: writers wait, and have room now. Lock
 * held. */
bool tcp_sndbuf_grow(struct tcp_conn *tc);
bool tcp_writable(const struct tcp_conn *tc); /* POLLOUT; without a lock */

/* send.c, recv.c, sockopt.c, info.c: of struct socket_ops */
long tcp_send(struct socket *s, struct msg *m, size_t len);
long tcp_recv(struct socket *s, struct msg *m, size_t len);
/* recvopt.c: what s->tells says, after a receive with those flags gave n bytes, the last of which
 * came at stamp_ns. */
void tcp_recv_told(struct socket *s, struct msg *m, u32 flags, long n, u64 stamp_ns);
int tcp_set_inq(struct tcp_conn *tc, int v); /* TCP_INQ; -EINVAL */
int tcp_get_inq(const struct tcp_conn *tc, void *val, u32 *len);
int tcp_setsockopt(struct socket *s, int level, int opt, const void *val, u32 len);
int tcp_getsockopt(struct socket *s, int level, int opt, void *val, u32 *len);
int tcp_get_info(struct tcp_conn *tc, void *val, u32 *len); /* TCP_INFO */
#define TCP_INFO_SIZE 232				    /* of Linux 6.1's struct tcp_info */
/* The same for who has tc's lock; info has TCP_INFO_SIZE bytes and is aligned as a u64 is. */
void tcp_fill_info(struct tcp_conn *tc, void *info);

/* sock.c */
int tcp_socket(struct socket *s); /* struct ip_proto's */
int tcp_connect(struct socket *s, const u8 *name, u32 len, bool nonblock);
/* sendto(MSG_FASTOPEN): as connect, but the SYN does not leave yet (TCP_FO_HELD), unless it has
 * left before: then as a second connect. */
int tcp_connect_held(struct socket *s, const u8 *name, u32 len, bool nonblock);
/* The SYN of a held connect leaves, with p if it is not NULL (taken, charged). Then waits for the
 * end of the handshake, as connect does. */
int tcp_connect_release(struct socket *s, struct pkt *p, bool nonblock);
/* Tells the socket, if there is one, of state and errors. Lock held. */
void tcp_wake(struct tcp_conn *tc, u32 poll_events);
/* sysctl.c, proc.c: /proc/sys/net/ipv4/tcp_*; /proc/net/tcp, tcp6, lines of snmp, netstat, sockstat
 */
int tcp_sysctl_init(void);
void tcp_sysctl_exit(void);
/* diag.c: what /proc and ss(8) tell of an end, *d zeroed or not. A connection's lock held. */
struct diag_sock;
void tcp_describe(struct tcp_end *e, struct diag_sock *d, u64 now);
int tcp_diag_init(void);
void tcp_diag_exit(void);
int tcp_proc_init(void); /* after tcp_count_init */
void tcp_proc_exit(void);
