/* SPDX-License-Identifier: MIT */
/* cubic.c - CUBIC congestion control (RFC 9438): after a reduction the window is a cubic function
 * of time with its flat part where it last was too large; where Reno would be faster, it is Reno.
 * All in integers: bytes and milliseconds. */
#include "cubic.h"

#define BETA_UNIT 1024

static unsigned int beta = 717; /* RFC 9438 4.6: 0.7, of 1024 */
static bool fast_convergence = true;
static bool tcp_friendliness = true;

static int check_beta(const struct kparam *p, long long value)
{
	return value >= BETA_UNIT / 2 && value < BETA_UNIT ? 0 : -EINVAL;
}

/* The integer part of the cube root, by bits. */
static u32 cube_root(u64 a)
{
	u64 y = 0;

	for (int s = 63; s >= 0; s -= 3) {
		u64 b;

		y *= 2;
		b = 3 * y * (y + 1) + 1;
		if ((a >> s) >= b) {
			a -= b << s;
			y++;
		}
	}
	return y;
}

/* C * t^3 in bytes, C = 0.4 segments / s^3 (RFC 9438 5.1). */
static u64 cubic_term(u32 mss, u64 t_ms)
{
	u64 t = min(t_ms, 100000ull);

	return t * t * t / 1000 * mss / 2500000;
}

/* RFC 9438 4.2, figure 1 */
static u64 w_cubic(const struct cubic *c, u32 mss, u64 t_ms)
{
	u64 term;

	if (t_ms >= c->k_ms)
		return c->w_max + cubic_term(mss, t_ms - c->k_ms);
	term = cubic_term(mss, c->k_ms - t_ms);
	return c->w_max > term ? c->w_max - term : 0;
}

static void begin_epoch(struct tcp_cc *cc, struct cubic *c, u64 now)
{
	c->epoch_ns = c->last_ns = now;
	c->w_est = cc->cwnd;
	c->rest = c->est_rest = 0;
	/* 4.8: after a time-out the plateau is here */
	if (c->timed_out || cc->cwnd >= c->w_max) {
		c->w_max = cc->cwnd;
		c->k_ms = 0;
	} else {
		c->k_ms = cube_root((u64)(c->w_max - cc->cwnd) * 2500000000ull / cc->mss);
	}
	c->timed_out = false;
}

/* 4.3: Reno's average rate needs more than half a segment a round trip for our milder reduction. */
static void grow_estimate(struct tcp_cc *cc, struct cubic *c, u32 acked)
{
	u64 alpha = 3 * (BETA_UNIT - beta) * BETA_UNIT / (BETA_UNIT + beta);

	if (c->w_est >= c->cwnd_prior)
		alpha = BETA_UNIT;
	c->est_rest += alpha * acked * cc->mss / BETA_UNIT;
	c->w_est += c->est_rest / cc->cwnd;
	c->est_rest %= cc->cwnd;
}

static void avoid(struct tcp_cc *cc, const struct tcp_cc_ack *a, u32 acked)
{
	struct cubic *c = cubic_of(cc);
	u64 t_ms, target;

	if (!c->epoch_ns)
		begin_epoch(cc, c, a->now_ns);
	/* 4.2, 5.8: time that the sender had nothing to send does not count */
	if (a->now_ns - c->last_ns > 1000000000ull)
		c->epoch_ns += a->now_ns - c->last_ns;
	c->last_ns = a->now_ns;
	t_ms = (a->now_ns - c->epoch_ns) / 1000000;
	grow_estimate(cc, c, acked);
	if (tcp_friendliness && w_cubic(c, cc->mss, t_ms) < c->w_est) {
		cc->cwnd = max(cc->cwnd, c->w_est);
		return;
	}
	/* where the curve will be a round trip from now, at most half more than here */
	target = w_cubic(c, cc->mss, t_ms + cc->srtt_us / 1000);
	target = min(max(target, (u64)cc->cwnd), (u64)cc->cwnd + cc->cwnd / 2);
	c->rest += (target - cc->cwnd) * acked;
	cc->cwnd += c->rest / cc->cwnd;
	c->rest %= cc->cwnd;
}

static void cubic_acked(struct tcp_cc *cc, const struct tcp_cc_ack *a)
{
	u32 left = a->acked;

	if (tcp_cc_in_slow_start(cc)) {
		left = tcp_cc_slow_start(cc, hystart_acked(cc, a));
		if (tcp_cc_in_slow_start(cc))
			return;
	}
	if (left)
		avoid(cc, a, left);
}

static u32 cubic_reduce(struct tcp_cc *cc, enum tcp_cc_event ev, u32 inflight)
{
	struct cubic *c = cubic_of(cc);

	c->prior_w_max = c->w_max;
	/* 4.7: a plateau lower than the last one means somebody new wants room */
	if (fast_convergence && cc->cwnd < c->w_max)
		c->w_max = (u64)cc->cwnd * (BETA_UNIT + beta) / (2 * BETA_UNIT);
	else
		c->w_max = cc->cwnd;
	c->cwnd_prior = cc->cwnd;
	c->epoch_ns = 0;
	c->timed_out = ev == TCP_CC_TIMEOUT;
	hystart_reset(&c->hs);
	return max((u32)((u64)cc->cwnd * beta / BETA_UNIT), 2 * cc->mss);
}

/* 4.9 */
static void cubic_undo(struct tcp_cc *cc)
{
	struct cubic *c = cubic_of(cc);

	c->w_max = c->prior_w_max;
	c->epoch_ns = 0;
	c->timed_out = false;
}

static void cubic_idle(struct tcp_cc *cc)
{
	struct cubic *c = cubic_of(cc);

	c->epoch_ns = 0;
	hystart_reset(&c->hs);
}

static struct tcp_cc_algo cubic = {
	.name = "cubic",
	.acked = cubic_acked,
	.reduce = cubic_reduce,
	.undo = cubic_undo,
	.idle = cubic_idle,
	.flags = TCP_CC_UNPRIVILEGED,
};

static int __init cubic_init(void)
{
	return tcp_cc_register(&cubic);
}

static void __exit cubic_exit(void)
{
	tcp_cc_unregister(&cubic);
}

module_param_uint(beta, 0644, check_beta, "what a reduction leaves of the window, of 1024");
module_param_bool(fast_convergence, 0644, "make room for new flows");
module_param_bool(tcp_friendliness, 0644, "never slower than Reno");
module_param_bool(hystart, 0644, "leave slow start when round trips grow (HyStart++)");
module_entry_points(cubic_init, cubic_exit);
MODULE_LICENSE("MIT");
MODULE_DESCRIPTION("CUBIC congestion control for TCP");
