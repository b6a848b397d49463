/* SPDX-License-Identifier: MIT */
/* rcvbuf.c - how much the peer may send: window space out of the receive buffer, the buffer's
 * growth by what the user really reads in a round trip (dynamic right-sizing), and the memory of
 * all connections together (tcp_mem), counted per CPU and folded now and then. */
#include "table.h"
#include "tcp.h"

#include <weft/alloc.h>

#define PAGE_BYTES 4096
#define ROUND_TRIP_MIN (1 * NSEC_PER_MSEC)
#define INITIAL_SEGMENTS 10 /* RFC 6928 */
#define WINDOW_UNSCALED 65535u
#define RTT_MS_MAX 120000u /* a time stamp that says more is a lie */

bool tcp_memory_pressure;
s64 *tcp_memory_local;
static struct atomic64 memory_total; /* bytes, but for what the CPUs have not folded yet */

/* ---- memory ---- */

int tcp_memory_init(void)
{
	tcp_memory_local = kcalloc(percpu_cpus(), 8 * sizeof(s64));
	return tcp_memory_local ? 0 : -ENOMEM;
}

void tcp_memory_exit(void)
{
	kfree(tcp_memory_local);
	tcp_memory_local = NULL;
}

static s64 memory_limit(u32 which)
{
	return (s64)tcp_sysctls.mem[which] * PAGE_BYTES;
}

/* This CPU's share joins the sum, and whether memory is short is seen anew. */
void tcp_memory_fold(void)
{
	s64 *local = &tcp_memory_local[cpu_id() * 8];
	s64 total = atomic64_add(&memory_total, *local);
	/* with hysteresis, as mem[0] and mem[1] say */
	bool pressure = total > memory_limit(tcp_memory_pressure ? 0 : 1);

	*local = 0;
	if (likely(pressure == tcp_memory_pressure))
		return;
	WRITE_ONCE(tcp_memory_pressure, pressure);
	if (pressure)
		tcp_count(TCP_TCPMemoryPressures);
}

u64 tcp_memory_pages(void)
{
	s64 total = atomic64_read(&memory_total);

	for (u32 cpu = 0; cpu < percpu_cpus(); cpu++)
		total += tcp_memory_local[cpu * 8];
	return total > 0 ? DIV_ROUND_UP((u64)total, PAGE_BYTES) : 0;
}

static bool memory_full(void)
{
	return atomic64_read(&memory_total) > memory_limit(2);
}

/* Of what all may have together, is so much no more than one's part? */
static bool within_share(u64 held)
{
	return held * tcp_nr_alive() <= (u64)memory_limit(2);
}

bool tcp_memory_allows_tx(const struct tcp_conn *tc)
{
	u64 tx;

	if (likely(!READ_ONCE(tcp_memory_pressure)))
		return true;
	tx = socket_tx_bytes(tc->is.s);
	/* half of it: who receives that may be on this host as well */
	return !tx || (!memory_full() && within_share(2 * tx));
}

bool tcp_memory_allows(struct tcp_conn *tc, u32 n)
{
	u64 rx = (u64)tc->rx_bytes + tc->ofo_bytes + n;

	if (likely(!READ_ONCE(tcp_memory_pressure) && !READ_ONCE(pkt_rx_scarce)))
		return true;
	/* short: everybody still gets a little, until nothing is left */
	if (memory_full() || READ_ONCE(pkt_rx_last))
		return false;
	if (rx <= (u64)tcp_sysctls.rmem[0])
		return true;
	return !READ_ONCE(pkt_rx_scarce) && within_share(rx);
}

/* ---- window ---- */

static __noinline u32 share_by_scale(u32 buffer, int scale)
{
	return scale <= 0 ? buffer >> -scale : buffer - (buffer >> scale);
}

/* The part of some buffer that may be payload: the rest is for headers and half-filled packets. */
static u32 payload_share(u32 buffer)
{
	int scale = tcp_sysctls.adv_win_scale;

	return likely(scale == 1) ? buffer - buffer / 2 : share_by_scale(buffer, scale);
}

/* The buffer whose payload share is window. */
static u64 buffer_for(u64 window)
{
	int scale = tcp_sysctls.adv_win_scale;

	return scale <= 0 ? window << -scale : (window << scale) / ((1u << scale) - 1);
}

/* Payload bytes that could still be taken. */
static __always_inline u32 rx_space(const struct tcp_conn *tc)
{
	u32 held = tc->rx_bytes + tc->ofo_bytes, space;

	if (held >= tc->rcvbuf)
		return 0;
	space = payload_share(tc->rcvbuf - held);
	if (unlikely(tcp_memory_pressure))
		space = min(space, 4u * tc->mss);
	return unlikely(tc->window_clamp) ? min(space, tc->window_clamp) : space;
}

u8 tcp_wscale_for(const struct tcp_conn *tc)
{
	u32 most = tc->rcvbuf;
	u8 scale = 0;

	if (!tcp_sysctls.window_scaling)
		return 0;
	/* what it may grow to decides: the scale cannot be changed later (RFC 7323 2.2) */
	if (!tc->rcvbuf_locked)
		most = max(most, (u32)tcp_sysctls.rmem[2]);
	if (tc->window_clamp)
		most = min(most, tc->window_clamp);
	if (most > WINDOW_UNSCALED)
		scale = min(16 - __builtin_clz(most), TCP_WSCALE_MAX);
	return scale;
}

u32 tcp_window_initial(const struct tcp_conn *tc)
{
	u32 space = min(rx_space(tc), WINDOW_UNSCALED), mss = tc->mss ? tc->mss : TCP_MSS_DEFAULT;

	/* whole segments, so that the last one is not cut */
	return space > mss ? space / mss * mss : space;
}

/* ---- the window we offer ---- */

/* What is left of the window that the peer was told. */
static u32 offered(const struct tcp_conn *tc)
{
	u32 edge = tc->rcv_wup + tc->rcv_wnd;

	return seq_gt(edge, tc->rcv_nxt) ? edge - tc->rcv_nxt : 0;
}

/* RFC 9293 3.8.6.2.2: the edge moves by a segment or half the buffer, or not at all. The buffer is
 * counted by true size, twice the window it is good for. */
static u32 window_step(const struct tcp_conn *tc)
{
	return max(min(tc->rcv_mss, tc->rcvbuf / 4), 1u);
}

/* From none, or to none. */
static __noinline void count_zero_window(u32 wnd)
{
	tcp_count(wnd ? TCP_TCPFromZeroWindowAdv : TCP_TCPToZeroWindowAdv);
}

u16 tcp_window_field(struct tcp_conn *tc)
{
	u32 scale = tc->rcv_wscale, hidden = (1u << scale) - 1; /* bits that the field has not */
	u32 wnd = offered(tc), room = rx_space(tc);

	if (room >= wnd + window_step(tc))
		wnd = max(wnd, room & ~hidden);
	/* a unit can hide bytes that the peer has already used: rounding up takes nothing back */
	wnd = min((wnd + hidden) >> scale, 0xffffu);
	if (unlikely(!wnd != !tc->rcv_wnd))
		count_zero_window(wnd);
	tc->rcv_wnd = wnd << scale;
	tc->rcv_wup = tc->rcv_nxt;
	return wnd;
}

bool tcp_window_opened(struct tcp_conn *tc)
{
	u32 now = offered(tc), room = rx_space(tc);

	room = min(room, 0xffffu << tc->rcv_wscale);
	/* twice what the peer has, or it would hear of every read */
	return room >= 2 * now && room >= now + window_step(tc);
}

/* ---- the peer's round trip, as a receiver sees it ---- */

/* With time stamps any data will do that answers an ACK, so as much as usually comes in a round
 * trip is waited for; without them only what lies beyond the window that the peer knows now. */
static void rtt_round(struct tcp_conn *tc, u64 now)
{
	u32 n = tc->rcv_wup + tc->rcv_wnd - tc->rcv_nxt;

	if (tc->options & TCP_OPT_TS)
		n = min(n, tc->rcv_space);
	tc->rcv_rtt_seq = tc->rcv_nxt + max(n, 1u);
	tc->rcv_rtt_since_ns = now;
}

void tcp_rcv_rtt(struct tcp_conn *tc, const struct tcp_seg *seg, u64 now)
{
	u64 rtt = now - tc->rcv_rtt_since_ns;

	if (seg->has_ts) {
		u32 ms = (u32)(now / NSEC_PER_MSEC) + tc->ts_offset - seg->tsecr;

		/* a short one may be the late answer of a program */
		if (seg->len < tc->rcv_mss || ms > RTT_MS_MAX)
			return;
		rtt = max(ms, 1u) * NSEC_PER_MSEC;
		rtt = tc->rcv_rtt_ns ? (7 * tc->rcv_rtt_ns + rtt) / 8 : rtt;
	} else if (tc->rcv_rtt_ns) {
		rtt = min(rtt, tc->rcv_rtt_ns); /* at least one passed */
	}
	tc->rcv_rtt_ns = rtt;
	rtt_round(tc, now);
}

void tcp_rcvbuf_init(struct tcp_conn *tc)
{
	tc->rcv_space = min(tc->rcv_wnd, (u32)INITIAL_SEGMENTS * tc->mss);
	tc->rcv_space_seq = tc->copied_seq;
	tc->rcv_space_ns = ktime_get();
	tc->rcv_mss = max((u32)min(tc->mss, (u16)TCP_MSS_DEFAULT), 1u);
	rtt_round(tc, tc->rcv_space_ns);
}

/* ---- growth ---- */

void tcp_rcvbuf_set(struct tcp_conn *tc, u32 size)
{
	tc->rcvbuf = size;
	if (tc->is.s)
		WRITE_ONCE(tc->is.s->rcvbuf, size);
}

/* A sender that keeps up doubles what it sends in the next round trip, so the window has to be
 * twice of what was read in this one, and some segments for the case that it just began. Time is
 * looked at only when a round trip's worth has been read: most calls end at the first line. */
void tcp_rcvbuf_grow(struct tcp_conn *tc)
{
	u64 rtt = max(tc->srtt_ns, ROUND_TRIP_MIN), now, passed, want;
	u32 copied = tc->copied_seq - tc->rcv_space_seq;

	if (likely(copied <= tc->rcv_space))
		return;
	now = ktime_get();
	passed = now - tc->rcv_space_ns;
	if (passed < rtt)
		return;
	tc->rcv_space_seq = tc->copied_seq;
	tc->rcv_space_ns = now;
	tc->bytes_read += copied;
	copied = (u64)copied * rtt / passed;
	if (copied <= tc->rcv_space)
		return;
	want = 2ull * copied + 16u * tc->mss;
	/* still accelerating: by as much again */
	want += 2 * (want * (copied - tc->rcv_space) / max(tc->rcv_space, 1u));
	tc->rcv_space = copied;
	if (!tcp_sysctls.moderate_rcvbuf || tc->rcvbuf_locked || tcp_memory_pressure)
		return;
	want = min(buffer_for(want), (u64)tcp_sysctls.rmem[2]);
	if (want > tc->rcvbuf)
		tcp_rcvbuf_set(tc, want);
}
