/* SPDX-License-Identifier: MIT */
/* sockopt.c - options of level SOL_TCP with Linux's numbers, bounds, defaults and errnos, and what
 * TCP does when the core has set one of SOL_SOCKET. */
#include "ports.h"
#include "recovery.h"
#include "stamp.h"

#define SOL_TCP 6
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
#define TCP_THIN_LINEAR_TIMEOUTS 16
#define TCP_THIN_DUPACK 17
#define TCP_USER_TIMEOUT 18
#define TCP_FASTOPEN 23
#define TCP_NOTSENT_LOWAT 25
#define TCP_CC_INFO 26
#define TCP_FASTOPEN_CONNECT 30
#define TCP_ULP 31
#define TCP_FASTOPEN_NO_COOKIE 34
#define TCP_INQ 36

#define KEEP_SECONDS_MAX 32767
#define TRIES_MAX 127
#define MAXSEG_MAX 32767
#define LINGER2_MAX 120
#define CLAMP_MIN 1152 /* half of the smallest SO_RCVBUF */
#define RTO_FIRST 1    /* seconds: RFC 6298 2 */
#define RTO_MAX 120

/* ---- TCP_DEFER_ACCEPT: kept as the seconds after which SYN-ACKs were repeated so often ---- */

static int defer_round(int seconds)
{
	int timeout = RTO_FIRST, period = RTO_FIRST;

	if (seconds <= 0)
		return 0;
	while (seconds > period && period < 255) {
		timeout = min(2 * timeout, RTO_MAX);
		period += timeout;
	}
	return min(period, 255);
}

/* ---- setting ---- */

static int set_between(u32 *to, int v, int low, int high, u32 factor)
{
	if (v < low || v > high)
		return -EINVAL;
	*to = (u32)v * factor;
	return 0;
}

static int set_byte_between(u8 *to, int v, int low, int high)
{
	if (v < low || v > high)
		return -EINVAL;
	*to = v;
	return 0;
}

/* What was held back goes now. */
static int set_push(struct tcp_conn *tc, bool *flag, bool on, bool pushes)
{
	*flag = on;
	if (pushes && tc->tx_next) {
		tcp_push(tc);
		tcp_flush(tc);
	}
	return 0;
}

static int set_maxseg(struct tcp_conn *tc, int v)
{
	if (v && (v < TCP_MSS_MIN || v > MAXSEG_MAX))
		return -EINVAL;
	tc->mss_user = v;
	if (tcp_in(tc, TCP_SYNCHRONIZED))
		tcp_mss_update(tc);
	return 0;
}

static int set_linger2(struct tcp_conn *tc, int v)
{
	tc->linger2_s = v < 0 ? -1 : min(v, LINGER2_MAX);
	return 0;
}

static int set_clamp(struct tcp_conn *tc, int v)
{
	if (!v && tc->state != TCP_CLOSE)
		return -EINVAL;
	tc->window_clamp = v ? max((u32)v, (u32)CLAMP_MIN) : 0;
	return 0;
}

/* No lasting choice: it begins or ends what the protocol does by itself (tcp(7)). */
static int set_quickack(struct tcp_conn *tc, int v)
{
	tc->quickack = v & 1 ? TCP_QUICK_ACKS : 0;
	tc->pingpong = !(v & 1);
	/* what was put off is answered now, also when it is switched off again for later */
	if (v && tc->deadline[TCP_TIMER_DELACK] && tcp_in(tc, TCP_CAN_SEND))
		tcp_send_ack(tc);
	return 0;
}

static int set_fastopen(struct tcp_conn *tc, int v)
{
	if (v < 0 || !tcp_in(tc, TCP_STATE_BIT(TCP_CLOSE) | TCP_STATE_BIT(TCP_LISTEN)))
		return -EINVAL;
	tc->fastopen_qlen = min(v, 0xffff);
	return 0;
}

static int set_fastopen_connect(struct tcp_conn *tc, int v)
{
	if (v < 0 || v > 1)
		return -EINVAL;
	if (!(tcp_sysctls.fastopen & 1))
		return -EOPNOTSUPP;
	if (tc->state != TCP_CLOSE)
		return -EINVAL;
	tc->fastopen_connect = v;
	return 0;
}

static int set_fastopen_no_cookie(struct tcp_conn *tc, int v)
{
	if (v < 0 || v > 1 || !tcp_in(tc, TCP_STATE_BIT(TCP_CLOSE) | TCP_STATE_BIT(TCP_LISTEN)))
		return -EINVAL;
	tc->fastopen_no_cookie = v;
	return 0;
}

static int set_keep(struct tcp_conn *tc, u32 *to, int v)
{
	int err = set_between(to, v, 1, KEEP_SECONDS_MAX, 1000);

	if (!err && tc->is.s->keepalive)
		tcp_keepalive_restart(tc);
	return err;
}

/* Lock held. */
static int set_number(struct tcp_conn *tc, int opt, int v)
{
	switch (opt) {
	case TCP_NODELAY:
		return set_push(tc, &tc->nodelay, v != 0, v != 0);
	case TCP_CORK:
		return set_push(tc, &tc->cork, v != 0, tc->cork && !v);
	case TCP_MAXSEG:
		return set_maxseg(tc, v);
	case TCP_KEEPIDLE:
		return set_keep(tc, &tc->keep_idle_ms, v);
	case TCP_KEEPINTVL:
		return set_keep(tc, &tc->keep_intvl_ms, v);
	case TCP_KEEPCNT:
		return set_byte_between(&tc->keep_cnt, v, 1, TRIES_MAX);
	case TCP_SYNCNT:
		return set_byte_between(&tc->syn_retries, v, 1, TRIES_MAX);
	case TCP_LINGER2:
		return set_linger2(tc, v);
	case TCP_DEFER_ACCEPT:
		tc->defer_accept_s = defer_round(v);
		return 0;
	case TCP_WINDOW_CLAMP:
		return set_clamp(tc, v);
	case TCP_QUICKACK:
		return set_quickack(tc, v);
	case TCP_THIN_LINEAR_TIMEOUTS:
	case TCP_THIN_DUPACK:
		return v < 0 || v > 1 ? -EINVAL : 0;
	case TCP_USER_TIMEOUT:
		return set_between(&tc->user_timeout_ms, v, 0, 0x7fffffff, 1);
	case TCP_FASTOPEN:
		return set_fastopen(tc, v);
	case TCP_FASTOPEN_CONNECT:
		return set_fastopen_connect(tc, v);
	case TCP_FASTOPEN_NO_COOKIE:
		return set_fastopen_no_cookie(tc, v);
	case TCP_NOTSENT_LOWAT:
		tc->notsent_lowat = v;
		return 0;
	case TCP_INQ:
		return tcp_set_inq(tc, v);
	default:
		return -ENOPROTOOPT;
	}
}

static int set_congestion(struct tcp_conn *tc, const void *val, u32 len)
{
	char name[TCP_CC_NAME_MAX] = "";

	if (!len)
		return -EINVAL;
	memcpy(name, val, min(len, (u32)TCP_CC_NAME_MAX - 1));
	return tcp_cc_choose(tc, name);
}

static int set_tcp(struct tcp_conn *tc, int opt, const void *val, u32 len)
{
	int v, err;

	if (opt == TCP_CONGESTION)
		return set_congestion(tc, val, len);
	if (opt == TCP_ULP)
		return len ? -ENOENT : -EINVAL; /* there is none: as Linux without tls.ko */
	if (len < sizeof(v))
		return -EINVAL;
	memcpy(&v, val, sizeof(v));
	spin_lock(&tc->lock);
	err = set_number(tc, opt, v);
	spin_unlock(&tc->lock);
	if (opt == TCP_NOTSENT_LOWAT)
		socket_wake(tc->is.s, POLLOUT | POLLWRNORM);
	return err;
}

/* The core has set an option of its own. A buffer that the user chose is no longer tuned. */
static void socket_option_changed(struct tcp_conn *tc, int opt)
{
	struct socket *s = tc->is.s;
	u32 want;

	if (opt == SO_REUSEADDR || opt == SO_REUSEPORT) {
		tcp_bind_options(tc);
		return;
	}
	spin_lock(&tc->lock);
	switch (opt) {
	case SO_KEEPALIVE:
		tcp_keepalive_restart(tc);
		break;
	case SO_RCVBUF:
	case SO_RCVBUFFORCE:
		tc->rcvbuf = s->rcvbuf;
		tc->rcvbuf_locked = true;
		break;
	case SO_SNDBUF:
	case SO_SNDBUFFORCE:
		tc->sndbuf = s->sndbuf;
		tc->sndbuf_locked = true;
		break;
	case SO_RCVLOWAT:
		/* it has to fit, or the reader would wait for ever */
		want = (tc->rcvbuf_locked ? tc->rcvbuf : (u32)tcp_sysctls.rmem[2]) / 2;
		s->rcvlowat = min((u32)s->rcvlowat, want);
		if (!tc->rcvbuf_locked && 2u * s->rcvlowat > tc->rcvbuf)
			tc->rcvbuf = s->rcvbuf = 2u * s->rcvlowat;
		tcp_wake(tc, POLLIN | POLLRDNORM);
		break;
	default:
		break;
	}
	spin_unlock(&tc->lock);
}

static bool is_form(const struct socket *s, int level, int opt)
{
	return level == SOL_IPV6 && opt == IPV6_ADDRFORM && s->family == AF_INET6;
}

static int set_form(struct tcp_conn *tc, const void *val, u32 len)
{
	bool connected = tcp_in(tc, TCP_STATE_BIT(TCP_ESTABLISHED));
	int err = inet_may_become_v4(&tc->is, connected, val, len);

	if (err)
		return err;
	inet_become_v4(&tc->is);
	tc->end.family = AF_INET;
	return 0;
}

static int set_ip(struct tcp_conn *tc, int level, int opt, const void *val, u32 len)
{
	int err;

	if (is_form(tc->is.s, level, opt))
		err = set_form(tc, val, len);
	else
		err = inet_setsockopt(&tc->is, level, opt, val, len);
	spin_lock(&tc->lock);
	tc->is.flow.tos = inet_settings(&tc->is, &tc->is.raddr)->tos;
	tc->is.flow.ttl = inet_settings(&tc->is, &tc->is.raddr)->ttl;
	spin_unlock(&tc->lock);
	return err;
}

int tcp_setsockopt(struct socket *s, int level, int opt, const void *val, u32 len)
{
	struct tcp_conn *tc = tcp_of(s);

	if (level == SOL_TCP)
		return set_tcp(tc, opt, val, len);
	if (level != SOL_SOCKET)
		return set_ip(tc, level, opt, val, len);
	if (opt == SO_MAX_PACING_RATE)
		return tcp_pace_setsockopt(tc, val, len);
	if (opt == SO_TIMESTAMPING)
		return tcp_stamping_set(s, *(const u32 *)val);
	if (opt == SO_PEEK_OFF) /* the core keeps it */
		return 0;
	socket_option_changed(tc, opt);
	return -ENOPROTOOPT;
}

/* ---- asking ---- */

static int get_maxseg(const struct tcp_conn *tc)
{
	if (tc->mss_user && tcp_in(tc, TCP_STATE_BIT(TCP_CLOSE) | TCP_STATE_BIT(TCP_LISTEN)))
		return tc->mss_user;
	return tc->mss ? tc->mss : TCP_MSS_DEFAULT;
}

static int get_linger2(const struct tcp_conn *tc)
{
	return tc->linger2_s ? tc->linger2_s : tcp_sysctls.fin_timeout;
}

static int get_number(const struct tcp_conn *tc, int opt, int *v)
{
	switch (opt) {
	case TCP_NODELAY:
		*v = tc->nodelay;
		return 0;
	case TCP_CORK:
		*v = tc->cork;
		return 0;
	case TCP_MAXSEG:
		*v = get_maxseg(tc);
		return 0;
	case TCP_KEEPIDLE:
		*v = tc->keep_idle_ms ? (int)tc->keep_idle_ms / 1000 : tcp_sysctls.keepalive_time;
		return 0;
	case TCP_KEEPINTVL:
		*v = tc->keep_intvl_ms ? (int)tc->keep_intvl_ms / 1000 :
					 tcp_sysctls.keepalive_intvl;
		return 0;
	case TCP_KEEPCNT:
		*v = tc->keep_cnt ? tc->keep_cnt : tcp_sysctls.keepalive_probes;
		return 0;
	case TCP_SYNCNT:
		*v = tc->syn_retries ? tc->syn_retries : tcp_sysctls.syn_retries;
		return 0;
	case TCP_LINGER2:
		*v = get_linger2(tc);
		return 0;
	case TCP_DEFER_ACCEPT:
		*v = tc->defer_accept_s;
		return 0;
	case TCP_WINDOW_CLAMP:
		*v = tc->window_clamp;
		return 0;
	case TCP_QUICKACK:
		*v = !tc->pingpong;
		return 0;
	case TCP_THIN_LINEAR_TIMEOUTS:
	case TCP_THIN_DUPACK:
		*v = 0;
		return 0;
	case TCP_USER_TIMEOUT:
		*v = tc->user_timeout_ms;
		return 0;
	case TCP_FASTOPEN:
		*v = tc->fastopen_qlen;
		return 0;
	case TCP_FASTOPEN_CONNECT:
		*v = tc->fastopen_connect;
		return 0;
	case TCP_FASTOPEN_NO_COOKIE:
		*v = tc->fastopen_no_cookie;
		return 0;
	case TCP_NOTSENT_LOWAT:
		*v = tc->notsent_lowat;
		return 0;
	default:
		return -ENOPROTOOPT;
	}
}

static int get_congestion(struct tcp_conn *tc, void *val, u32 *len)
{
	char name[TCP_CC_NAME_MAX] = "";

	spin_lock(&tc->lock);
	if (tc->cc.algo)
		strscpy(name, tc->cc.algo->name, sizeof(name));
	else
		tcp_cc_default(name);
	spin_unlock(&tc->lock);
	*len = min(*len, (u32)sizeof(name));
	memcpy(val, name, *len);
	return 0;
}

int tcp_getsockopt(struct socket *s, int level, int opt, void *val, u32 *len)
{
	struct tcp_conn *tc = tcp_of(s);
	int v, err;

	if (is_form(s, level, opt) && !tcp_in(tc, TCP_STATE_BIT(TCP_ESTABLISHED)))
		return -ENOTCONN;
	if (level == SOL_SOCKET && opt == SO_MAX_PACING_RATE)
		return tcp_pace_getsockopt(tc, val, len);
	if (level != SOL_TCP)
		return inet_getsockopt(&tc->is, level, opt, val, len);
	switch (opt) {
	case TCP_INFO:
		return tcp_get_info(tc, val, len);
	case TCP_CONGESTION:
		return get_congestion(tc, val, len);
	case TCP_CC_INFO: /* no algorithm tells more */
	case TCP_ULP:
		*len = 0;
		return 0;
	case TCP_INQ:
		return tcp_get_inq(tc, val, len);
	default:
		break;
	}
	err = get_number(tc, opt, &v);
	if (err)
		return err;
	*len = min(*len, (u32)sizeof(v));
	memcpy(val, &v, *len);
	return 0;
}
