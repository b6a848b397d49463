/* SPDX-License-Identifier: MIT */
/* cc.c - congestion control's registry. Algorithms come and go as modules while connections use
 * them: each knows its users, and when it leaves they go on with the one built in here, RFC 5681's.
 * Order: a connection's lock > cc_lock. */
#include <weft/sched.h>

#include "recovery.h"

#define WINDOW_MAX 0x40000000u

static struct spinlock cc_lock = SPINLOCK_INIT;
/* guarded by cc_lock */
static LIST_HEAD(algorithms);
static char default_name[TCP_CC_NAME_MAX] = "cubic";
static bool default_tried;		 /* its module was asked for */
static struct tcp_cc_algo *default_algo; /* of that name; the built-in one while it is not there */

/* ---- RFC 5681 ---- */

/* No bound on what one ACK brings (RFC 3465's L): peers that coalesce what they receive acknowledge
 * dozens of segments at once, and what is acknowledged has left the network. */
u32 tcp_cc_slow_start(struct tcp_cc *cc, u32 acked)
{
	u32 n = min(acked, cc->ssthresh > cc->cwnd ? cc->ssthresh - cc->cwnd : 0);

	cc->cwnd += n;
	return acked - n;
}
EXPORT(tcp_cc_slow_start);

void tcp_cc_avoid(struct tcp_cc *cc, u32 *count, u32 acked)
{
	*count += acked;
	if (*count >= cc->cwnd) {
		*count -= cc->cwnd;
		cc->cwnd += cc->mss;
	}
}
EXPORT(tcp_cc_avoid);

static void newreno_acked(struct tcp_cc *cc, const struct tcp_cc_ack *a)
{
	u32 left = a->acked, count = cc->priv[0];

	if (tcp_cc_in_slow_start(cc))
		left = tcp_cc_slow_start(cc, left);
	if (left) {
		tcp_cc_avoid(cc, &count, left);
		cc->priv[0] = count;
	}
}

static u32 newreno_reduce(struct tcp_cc *cc, enum tcp_cc_event ev, u32 inflight)
{
	return max(inflight / 2, 2 * cc->mss);
}

static struct tcp_cc_algo newreno = {
	.name = "newreno",
	.acked = newreno_acked,
	.reduce = newreno_reduce,
	.flags = TCP_CC_UNPRIVILEGED,
};

/* ---- the registry ---- */

static struct tcp_cc_algo *find_locked(const char *name)
{
	struct tcp_cc_algo *a;

	list_for_each_entry(a, &algorithms, node) {
		if (!strcmp(a->name, name))
			return a;
	}
	return NULL;
}

/* After a change of the algorithms, or of the default's name. */
static void find_default_locked(void)
{
	struct tcp_cc_algo *a = find_locked(default_name);

	default_algo = a ? a : &newreno;
}

static bool known(const char *name)
{
	struct tcp_cc_algo *a;

	spin_lock(&cc_lock);
	a = find_locked(name);
	spin_unlock(&cc_lock);
	return a != NULL;
}

/* Both the connection's lock and cc_lock. */
static void attach_locked(struct tcp_conn *tc, struct tcp_cc_algo *a)
{
	list_del(&tc->cc_node);
	list_add_tail(&tc->cc_node, &a->users);
	tc->cc.algo = a;
	memset(tc->cc.priv, 0, sizeof(tc->cc.priv));
	if (a->init)
		a->init(&tc->cc);
}

static void unregister_entry(struct ledger_entry *e)
{
	tcp_cc_unregister(container_of(e, struct tcp_cc_algo, ledger));
}

int tcp_cc_register_owner(struct tcp_cc_algo *a, struct module *owner)
{
	int err = -EEXIST;

	spin_lock(&cc_lock);
	if (!find_locked(a->name)) {
		a->owner = owner;
		list_init(&a->users);
		list_add_tail(&a->node, &algorithms);
		find_default_locked();
		err = 0;
	}
	spin_unlock(&cc_lock);
	if (!err)
		ledger_add(&a->ledger, owner, "congestion control", a->name, unregister_entry);
	return err;
}
EXPORT(tcp_cc_register_owner);

static void fall_back(struct tcp_conn *tc, struct tcp_cc_algo *from)
{
	spin_lock(&tc->lock);
	spin_lock(&cc_lock);
	if (tc->cc.algo == from)
		attach_locked(tc, &newreno);
	spin_unlock(&cc_lock);
	spin_unlock(&tc->lock);
}

void tcp_cc_unregister(struct tcp_cc_algo *a)
{
	struct tcp_conn *tc;
	bool held;

	spin_lock(&cc_lock);
	list_del(&a->node);
	find_default_locked();
	while (!list_empty(&a->users)) {
		tc = list_first_entry(&a->users, struct tcp_conn, cc_node);
		held = tcp_end_get_not_zero(&tc->end);
		if (!held) {
			list_del(&tc->cc_node); /* being freed: it calls nothing any more */
			continue;
		}
		spin_unlock(&cc_lock);
		fall_back(tc, a);
		tcp_end_put(&tc->end);
		spin_lock(&cc_lock);
	}
	spin_unlock(&cc_lock);
	ledger_remove(&a->ledger);
}
EXPORT(tcp_cc_unregister);

/* ---- for connections ---- */

/* RFC 6928; RFC 5681 3.1: one segment after a SYN that was lost twice */
u32 tcp_initial_window(const struct tcp_conn *tc)
{
	return (tc->total_retrans > 1 ? 1 : 10) * max((u32)tc->mss, 1u);
}

u32 tcp_restart_window(const struct tcp_conn *tc)
{
	return 10 * max((u32)tc->mss, 1u);
}

static void attach_default(struct tcp_conn *tc)
{
	spin_lock(&cc_lock);
	attach_locked(tc, default_algo);
	spin_unlock(&cc_lock);
}

void tcp_cc_start(struct tcp_conn *tc)
{
	struct tcp_cc *cc = &tc->cc;

	cc->mss = max((u32)tc->mss, 1u);
	cc->cwnd = tcp_initial_window(tc);
	cc->ssthresh = TCP_CC_SSTHRESH_INFINITE;
	cc->srtt_us = tc->srtt_ns / NSEC_PER_USEC;
	cc->min_rtt_us = tc->min_rtt_ns / NSEC_PER_USEC;
	cc->cwnd_limited = false;
	tc->recover = tc->iss;
	tc->ecn_recover = tc->limited_seq = tc->sack_high = tc->snd_small = tc->snd_una;
	tc->ca_state = TCP_CA_OPEN;
	if (!cc->algo)
		attach_default(tc);
	else if (cc->algo->init)
		cc->algo->init(cc); /* chosen before there was a window */
}

void tcp_cc_stop(struct tcp_conn *tc)
{
	if (!tc->cc.algo)
		return;
	spin_lock(&cc_lock);
	list_del(&tc->cc_node);
	tc->cc.algo = NULL;
	spin_unlock(&cc_lock);
}

void tcp_cc_inherit(struct tcp_conn *child, const struct tcp_conn *listener)
{
	/* the listener's lock is held, so it does not get one meanwhile */
	if (!listener->cc.algo)
		return;
	spin_lock(&cc_lock);
	attach_locked(child, (struct tcp_cc_algo *)listener->cc.algo);
	spin_unlock(&cc_lock);
}

void tcp_cc_acked(struct tcp_conn *tc, const struct tcp_ack_info *info)
{
	struct tcp_cc *cc = &tc->cc;
	struct tcp_cc_ack a;

	if (!info->una_advanced)
		return;
	/* RFC 7661: a window that is not used is not known to be good */
	if (!cc->cwnd_limited && info->prior_pipe + cc->mss < cc->cwnd &&
	    !(tcp_cc_in_slow_start(cc) && 2 * info->prior_pipe >= cc->cwnd))
		return;
	a = (struct tcp_cc_ack){
		.now_ns = info->now,
		.acked = info->delivered,
		.rtt_us = info->last_sent ? (info->now - info->last_sent) / NSEC_PER_USEC : 0,
		.snd_una = tc->snd_una,
		.snd_nxt = tc->snd_nxt,
		.inflight = info->prior_pipe,
	};
	/* RFC 3465 2.3: after a time-out an ACK may cover what arrived long ago */
	if (unlikely(tc->ca_state == TCP_CA_LOSS) && !tcp_has_sack(tc))
		a.acked = min(a.acked, cc->mss);
	cc->algo->acked(cc, &a);
	if (unlikely(cc->cwnd > WINDOW_MAX))
		cc->cwnd = WINDOW_MAX;
	if (seq_gt(tc->snd_una, tc->limited_seq))
		cc->cwnd_limited = false;
}

/* ---- names ---- */

void tcp_cc_prepare(void)
{
	char name[TCP_CC_NAME_MAX];
	bool ask;

	if (likely(READ_ONCE(default_tried)))
		return;
	spin_lock(&cc_lock);
	ask = !default_tried && !find_locked(default_name);
	default_tried = true;
	memcpy(name, default_name, sizeof(name));
	spin_unlock(&cc_lock);
	if (ask)
		request_module("tcp_%s", name);
}

/* Loads the module if need be. Process context. */
static int make_known(const char *name)
{
	if (known(name))
		return 0;
	if (!*name || strnlen(name, TCP_CC_NAME_MAX) >= TCP_CC_NAME_MAX || strchr(name, '/'))
		return -ENOENT;
	if (current_uid() == 0)
		request_module("tcp_%s", name);
	return known(name) ? 0 : -ENOENT;
}

int tcp_cc_choose(struct tcp_conn *tc, const char *name)
{
	struct tcp_cc_algo *a;
	int err = make_known(name);

	if (err)
		return err;
	spin_lock(&tc->lock);
	spin_lock(&cc_lock);
	a = find_locked(name);
	if (!a)
		err = -ENOENT;
	else if (!(a->flags & TCP_CC_UNPRIVILEGED) && current_uid() != 0)
		err = -EPERM;
	else if (tc->cc.algo != a)
		attach_locked(tc, a);
	spin_unlock(&cc_lock);
	spin_unlock(&tc->lock);
	return err;
}

void tcp_cc_names(char *buf, size_t n, bool allowed_only)
{
	struct tcp_cc_algo *a;
	size_t len = 0;

	buf[0] = 0;
	spin_lock(&cc_lock);
	list_for_each_entry(a, &algorithms, node) {
		if (!allowed_only || (a->flags & TCP_CC_UNPRIVILEGED))
			len += scnprintf(buf + len, n - len, "%s%s", len ? " " : "", a->name);
	}
	spin_unlock(&cc_lock);
}

void tcp_cc_default(char name[TCP_CC_NAME_MAX])
{
	spin_lock(&cc_lock);
	memcpy(name, default_name, TCP_CC_NAME_MAX);
	spin_unlock(&cc_lock);
}

int tcp_cc_set_default(const char *name)
{
	int err = make_known(name);

	if (err)
		return err;
	spin_lock(&cc_lock);
	strscpy(default_name, name, sizeof(default_name));
	find_default_locked();
	default_tried = true;
	spin_unlock(&cc_lock);
	return 0;
}

/* One word of names into word; returns what is behind it, NULL at the end. */
static const char *next_word(const char *names, char word[TCP_CC_NAME_MAX])
{
	u32 n = 0;

	while (*names == ' ' || *names == '\t')
		names++;
	if (!*names)
		return NULL;
	for (; *names && *names != ' ' && *names != '\t'; names++) {
		if (n < TCP_CC_NAME_MAX - 1)
			word[n++] = *names;
	}
	word[n] = 0;
	return names;
}

int tcp_cc_set_allowed(const char *names)
{
	char word[TCP_CC_NAME_MAX];
	struct tcp_cc_algo *a;
	const char *at;

	for (at = names; (at = next_word(at, word));) {
		if (!known(word))
			return -ENOENT;
	}
	spin_lock(&cc_lock);
	list_for_each_entry(a, &algorithms, node)
		a->flags &= ~(u32)TCP_CC_UNPRIVILEGED;
	for (at = names; (at = next_word(at, word));) {
		a = find_locked(word);
		if (a)
			a->flags |= TCP_CC_UNPRIVILEGED;
	}
	spin_unlock(&cc_lock);
	return 0;
}

int tcp_cc_init(void)
{
	return tcp_cc_register(&newreno);
}

/* The connections are gone by now, and modules with algorithms need this one. */
void tcp_cc_exit(void)
{
	spin_lock(&cc_lock);
	list_del(&newreno.node);
	spin_unlock(&cc_lock);
	ledger_remove(&newreno.ledger);
}
