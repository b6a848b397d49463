/* SPDX-License-Identifier: MIT */
/* reno.c - standard congestion control (RFC 5681) as a module: slow start, one segment more each
 * round trip, half of what was in flight after a loss; after a mark of ECN a little more is kept
 * (RFC 8511). */
#include <weft/net/tcp_cc.h>

static unsigned int beta_ecn = 80; /* percent; RFC 8511 3.1 */

static int check_beta(const struct kparam *p, long long value)
{
	return value >= 50 && value <= 95 ? 0 : -EINVAL;
}

struct reno {
	u32 count; /* bytes acknowledged towards the next segment */
};

static struct reno *reno_of(struct tcp_cc *cc)
{
	return (struct reno *)cc->priv;
}

static void reno_acked(struct tcp_cc *cc, const struct tcp_cc_ack *a)
{
	u32 left = a->acked;

	if (tcp_cc_in_slow_start(cc))
		left = tcp_cc_slow_start(cc, left);
	if (left)
		tcp_cc_avoid(cc, &reno_of(cc)->count, left);
}

static u32 reno_reduce(struct tcp_cc *cc, enum tcp_cc_event ev, u32 inflight)
{
	u32 kept = ev == TCP_CC_ECN ? (u64)inflight * beta_ecn / 100 : inflight / 2;

	reno_of(cc)->count = 0;
	return max(kept, 2 * cc->mss);
}

static struct tcp_cc_algo reno = {
	.name = "reno",
	.acked = reno_acked,
	.reduce = reno_reduce,
	.flags = TCP_CC_UNPRIVILEGED,
};

static int __init reno_init(void)
{
	return tcp_cc_register(&reno);
}

static void __exit reno_exit(void)
{
	tcp_cc_unregister(&reno);
}

module_param_uint(beta_ecn, 0644, check_beta, "percent of the window kept after an ECN mark");
module_entry_points(reno_init, reno_exit);
MODULE_LICENSE("MIT");
MODULE_DESCRIPTION("Reno congestion control for TCP");
