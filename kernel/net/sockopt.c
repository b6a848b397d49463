/* SPDX-License-Identifier: MIT */
/* sockopt.c - options of level SOL_SOCKET, with Linux's defaults and bounds. They are fields of
 * struct socket which the families read when they need them. */
#include <uapi/filter.h>
#include <weft/sched.h>
#include <weft/string.h>

#include "socket_internal.h"

#define SO_SNDLOWAT_VALUE 1
#define SECONDS_MAX (0xffffffffu / 1000)

struct timeval64 {
	s64 sec, usec;
};

static u32 buffer_size(int want, int limit, u32 lowest)
{
	/* Linux doubles what is asked, for the room that headers and structs take. */
	u32 v = want < 0 || want > limit ? (u32)limit : (u32)want;

	return max(2 * v, lowest);
}

static int set_timeout(u32 *ms, const void *val, u32 len)
{
	struct timeval64 tv;

	if (len < sizeof(tv))
		return -EINVAL;
	memcpy(&tv, val, sizeof(tv));
	if (tv.usec < 0 || tv.usec >= 1000000)
		return -EDOM;
	if (tv.sec < 0)
		*ms = 1; /* Linux: a negative time-out is over at once */
	else if (tv.sec >= SECONDS_MAX)
		*ms = 0;
	else
		*ms = tv.sec * 1000 + DIV_ROUND_UP(tv.usec, 1000);
	return 0;
}

static int get_timeout(u32 ms, void *val, u32 *len)
{
	struct timeval64 tv = { .sec = ms / 1000, .usec = ms % 1000 * 1000 };

	*len = min(*len, (u32)sizeof(tv));
	memcpy(val, &tv, *len);
	return 0;
}

static int set_linger(struct socket *s, const void *val, u32 len)
{
	int v[2]; /* l_onoff, l_linger */

	if (len < sizeof(v))
		return -EINVAL;
	memcpy(v, val, sizeof(v));
	s->linger = v[0] ? max(v[1], 0) : -1;
	return 0;
}

/* A name of up to 15 characters, terminated or not; programs also pass a whole struct ifreq. */
static int set_bound_if(struct socket *s, const void *val, u32 len)
{
	char name[IFNAMSIZ] = "";
	u32 index = 0;

	if (require_root() && s->bound_if)
		return -EPERM;
	memcpy(name, val, min(len, (u32)IFNAMSIZ - 1));
	if (name[0]) {
		index = socket_netif_index(name);
		if (!index)
			return -ENODEV;
	}
	s->bound_if = index;
	return 0;
}

static int set_bound_index(struct socket *s, int index)
{
	char name[IFNAMSIZ];
	int err = index < 0 ? -EINVAL : index ? socket_netif_name(index, name) : 0;

	if (err)
		return err;
	if (require_root() && s->bound_if)
		return -EPERM;
	s->bound_if = index;
	return 0;
}

static int get_bound_if(struct socket *s, void *val, u32 *len)
{
	char name[IFNAMSIZ] = "";
	u32 n;
	int err;

	if (!s->bound_if) {
		*len = 0;
		return 0;
	}
	if (*len < IFNAMSIZ)
		return -EINVAL;
	err = socket_netif_name(s->bound_if, name);
	if (err)
		return err;
	n = strnlen(name, IFNAMSIZ - 1) + 1;
	memcpy(val, name, n);
	*len = n;
	return 0;
}

static bool *bool_option(struct socket *s, int opt)
{
	switch (opt) {
	case SO_REUSEADDR:
		return &s->reuseaddr;
	case SO_REUSEPORT:
		return &s->reuseport;
	case SO_BROADCAST:
		return &s->broadcast;
	case SO_KEEPALIVE:
		return &s->keepalive;
	case SO_DONTROUTE:
		return &s->dontroute;
	case SO_OOBINLINE:
		return &s->oobinline;
	case SO_PASSCRED:
		return &s->passcred;
	case SO_NO_CHECK:
		return &s->no_check;
	default:
		return NULL;
	}
}

/* Those of s->tells. */
static u8 tells_option(int opt)
{
	switch (opt) {
	case SO_TIMESTAMP:
		return SOCKET_TELLS_STAMP;
	case SO_TIMESTAMPNS:
		return SOCKET_TELLS_STAMP_NS;
	case SO_RXQ_OVFL:
		return SOCKET_TELLS_DROPS;
	default:
		return 0;
	}
}

static void set_tells(struct socket *s, u8 what, bool on)
{
	u8 tells = s->tells;
	struct pkt *p;

	/* one of the two formats at a time */
	if (on && (what & (SOCKET_TELLS_STAMP | SOCKET_TELLS_STAMP_NS)))
		tells &= ~(SOCKET_TELLS_STAMP | SOCKET_TELLS_STAMP_NS);
	spin_lock(&s->rx_lock);
	/* those that wait already were not told how many are lost */
	if (what == SOCKET_TELLS_DROPS && on && !(tells & what)) {
		list_for_each_entry(p, &s->rx, node)
			p->lost_before = 0;
	}
	WRITE_ONCE(s->tells, on ? tells | what : tells & ~what);
	spin_unlock(&s->rx_lock);
}

/* Does the family look from an offset on? It is told which. */
static bool takes_peek_off(struct socket *s, int v)
{
	return s->ops && s->ops->setsockopt &&
	       !s->ops->setsockopt(s, SOL_SOCKET, SO_PEEK_OFF, &v, sizeof(v));
}

static int set_peek_off(struct socket *s, int v)
{
	if (!takes_peek_off(s, v))
		return -EOPNOTSUPP;
	s->peek_off = v;
	set_tells(s, SOCKET_TELLS_PEEKED, v >= 0);
	return 0;
}

/* Linux 6.1's, and 6.12's OPT_ID_TCP and OPT_RX_FILTER. */
#define STAMPING_KNOWN 0x3ffff

/* An int, or a struct so_timestamping, which begins with it. What hardware would do is remembered,
 * as on Linux with a card that does not. The family is told what
 * it was before, and may refuse by -EINVAL. */
static int set_stamping(struct socket *s, u32 v)
{
	const u32 told = SOF_TIMESTAMPING_SOFTWARE | SOF_TIMESTAMPING_RX_SOFTWARE;
	u32 before = s->stamping;

	if (v & ~(u32)STAMPING_KNOWN)
		return -EINVAL;
	if ((v & SOF_TIMESTAMPING_OPT_ID_TCP) && !(v & SOF_TIMESTAMPING_OPT_ID))
		return -EINVAL;
	if ((v & SOF_TIMESTAMPING_OPT_STATS) && !(v & SOF_TIMESTAMPING_OPT_TSONLY))
		return -EINVAL;
	/* no clock of hardware, and nobody collects the statistics that would go with an ACK */
	if ((v & SOF_TIMESTAMPING_BIND_PHC) ||
	    (v & SOF_TIMESTAMPING_OPT_STATS && v & SOF_TIMESTAMPING_TX_ACK))
		return -EOPNOTSUPP;
	if (v & SOF_TIMESTAMPING_OPT_ID & ~before)
		s->stamp_key = 0;
	s->stamping = v;
	if (s->ops && s->ops->setsockopt &&
	    s->ops->setsockopt(s, SOL_SOCKET, SO_TIMESTAMPING, &before, sizeof(before)) ==
		    -EINVAL) {
		s->stamping = before;
		return -EINVAL;
	}
	set_tells(s, SOCKET_TELLS_STAMPING, (v & told) == told);
	return 0;
}

static int get_stamping(const struct socket *s, void *val, u32 *len)
{
	const u32 v[2] = { s->stamping }; /* flags, bind_phc */

	*len = min(*len, (u32)sizeof(v));
	memcpy(val, v, *len);
	return 0;
}

/* Linux: of TCP and UDP alone. */
static int set_zerocopy(struct socket *s, int v)
{
	if ((s->family != AF_INET && s->family != AF_INET6) ||
	    (s->protocol != IPPROTO_TCP && s->protocol != IPPROTO_UDP))
		return -EOPNOTSUPP;
	if (v < 0 || v > 1)
		return -EINVAL;
	s->zerocopy = v;
	return 0;
}

/* Buffer sizes. -ENOIOCTLCMD: another option. */
static int set_buffer(struct socket *s, int opt, int v)
{
	switch (opt) {
	case SO_SNDBUF:
		s->sndbuf = buffer_size(v, socket_sysctls.wmem_max, SOCK_SNDBUF_MIN);
		socket_wake(s, POLLOUT | POLLWRNORM);
		return 0;
	case SO_RCVBUF:
		s->rcvbuf = buffer_size(v, socket_sysctls.rmem_max, SOCK_RCVBUF_MIN);
		return 0;
	case SO_SNDBUFFORCE:
		if (require_root())
			return -EPERM;
		s->sndbuf = buffer_size(max(v, 0), 0x3fffffff, SOCK_SNDBUF_MIN);
		return 0;
	case SO_RCVBUFFORCE:
		if (require_root())
			return -EPERM;
		s->rcvbuf = buffer_size(max(v, 0), 0x3fffffff, SOCK_RCVBUF_MIN);
		return 0;
	default:
		return -ENOIOCTLCMD;
	}
}

static int set_number(struct socket *s, int opt, int v)
{
	bool *flag = bool_option(s, opt);
	int err;

	if (flag) {
		*flag = v != 0;
		return 0;
	}
	if (tells_option(opt)) {
		set_tells(s, tells_option(opt), v);
		return 0;
	}
	err = set_buffer(s, opt, v);
	if (err != -ENOIOCTLCMD)
		return err;
	switch (opt) {
	case SO_DEBUG:
		return v ? require_root() : 0;
	case SO_PRIORITY:
		if ((v < 0 || v > 6) && require_root())
			return -EPERM;
		s->priority = v;
		return 0;
	case SO_MARK:
		if (require_root())
			return -EPERM;
		s->mark = v;
		return 0;
	case SO_RCVLOWAT:
		s->rcvlowat = v < 0 ? 0x7fffffff : max(v, 1);
		return 0;
	case SO_BINDTOIFINDEX:
		return set_bound_index(s, v);
	case SO_ZEROCOPY:
		return set_zerocopy(s, v);
	case SO_BUSY_POLL: /* who waits polls anyway for a moment, and no longer for asking */
		return v < 0 ? -EINVAL : 0;
	case SO_INCOMING_CPU: /* a wish: flows stay where their interface's interrupts are */
		return 0;
	case SO_TYPE:
	case SO_ERROR:
	case SO_PROTOCOL:
	case SO_DOMAIN:
	case SO_ACCEPTCONN:
	case SO_SNDLOWAT:
	case SO_PEERCRED:
	case SO_BPF_EXTENSIONS:
	case SO_MEMINFO:
	case SO_COOKIE:
	case SO_NETNS_COOKIE:
		return -ENOPROTOOPT; /* to be read only */
	default:
		return -ENOIOCTLCMD;
	}
}

/* -ENOIOCTLCMD: not the core's; the family is asked. Socket's lock held. */
int socket_setsockopt_core(struct socket *s, int opt, const void *val, u32 len)
{
	int v;

	switch (opt) {
	case SO_LINGER:
		return set_linger(s, val, len);
	case SO_RCVTIMEO:
	case SO_RCVTIMEO_NEW: /* one layout on a 64-bit machine */
		return set_timeout(&s->rcvtimeo_ms, val, len);
	case SO_SNDTIMEO:
	case SO_SNDTIMEO_NEW:
		return set_timeout(&s->sndtimeo_ms, val, len);
	case SO_BINDTODEVICE:
		return set_bound_if(s, val, len);
	case SO_ATTACH_FILTER:
	case SO_DETACH_FILTER:
	case SO_LOCK_FILTER:
		return socket_filter_setsockopt(s, opt, val, len);
	default:
		break;
	}
	if (len < sizeof(v))
		return -EINVAL;
	memcpy(&v, val, sizeof(v));
	if (opt == SO_PEEK_OFF)
		return set_peek_off(s, v);
	if (opt == SO_TIMESTAMPING)
		return set_stamping(s, v);
	return set_number(s, opt, v);
}

/* An option that is on or off. */
static bool get_flag(struct socket *s, int opt, int *v)
{
	bool *flag = bool_option(s, opt);
	u8 bit = tells_option(opt);

	if (flag)
		*v = *flag;
	else if (bit)
		*v = !!(s->tells & bit);
	return flag || bit;
}

static int get_number(struct socket *s, int opt, int *v)
{
	if (get_flag(s, opt, v))
		return 0;
	*v = 0;
	switch (opt) {
	case SO_DEBUG:
	case SO_BUSY_POLL:
		break;
	case SO_TYPE:
		*v = s->type;
		break;
	case SO_ERROR:
		*v = -socket_take_error(s);
		break;
	case SO_SNDBUF:
		*v = s->sndbuf;
		break;
	case SO_RCVBUF:
		*v = s->rcvbuf;
		break;
	case SO_PRIORITY:
		*v = s->priority;
		break;
	case SO_MARK:
		*v = s->mark;
		break;
	case SO_RCVLOWAT:
		*v = s->rcvlowat;
		break;
	case SO_SNDLOWAT:
		*v = SO_SNDLOWAT_VALUE;
		break;
	case SO_ACCEPTCONN:
		*v = s->listening;
		break;
	case SO_PROTOCOL:
		*v = s->protocol;
		break;
	case SO_DOMAIN:
		*v = s->family;
		break;
	case SO_BINDTOIFINDEX:
		*v = s->bound_if;
		break;
	case SO_PEEK_OFF:
		*v = s->peek_off;
		return takes_peek_off(s, s->peek_off) ? 0 : -EOPNOTSUPP;
	case SO_ZEROCOPY:
		*v = s->zerocopy;
		break;
	case SO_INCOMING_CPU:
		*v = cpu_id();
		break;
	default:
		return -ENOIOCTLCMD;
	}
	return 0;
}

/* Linux: the buffer has to take all of it. */
static int get_u64(u64 v, void *val, u32 *len)
{
	if (*len < sizeof(v))
		return -EINVAL;
	memcpy(val, &v, sizeof(v));
	*len = sizeof(v);
	return 0;
}

/* linux/sock_diag.h, SK_MEMINFO_*: what there is of it here. */
static int get_meminfo(struct socket *s, void *val, u32 *len)
{
	u32 v[9] = {
		READ_ONCE(s->rx_bytes), s->rcvbuf, socket_tx_bytes(s), s->sndbuf, [8] = s->rx_drops,
	};

	*len = min(*len, (u32)sizeof(v));
	memcpy(val, v, *len);
	return 0;
}

int socket_getsockopt_core(struct socket *s, int opt, void *val, u32 *len)
{
	int v[2];
	int err = 0;

	switch (opt) {
	case SO_LINGER:
		v[0] = s->linger >= 0;
		v[1] = max(s->linger, 0);
		*len = min(*len, (u32)sizeof(v));
		memcpy(val, v, *len);
		return 0;
	case SO_RCVTIMEO:
	case SO_RCVTIMEO_NEW:
		return get_timeout(s->rcvtimeo_ms, val, len);
	case SO_SNDTIMEO:
	case SO_SNDTIMEO_NEW:
		return get_timeout(s->sndtimeo_ms, val, len);
	case SO_BINDTODEVICE:
		return get_bound_if(s, val, len);
	case SO_COOKIE:
		return get_u64(s->ino, val, len);
	case SO_NETNS_COOKIE:
		return get_u64(1, val, len);
	case SO_MEMINFO:
		return get_meminfo(s, val, len);
	case SO_TIMESTAMPING:
		return get_stamping(s, val, len);
	default:
		break;
	}
	if (opt == SO_LOCK_FILTER)
		v[0] = s->filter_locked;
	else if (opt == SO_BPF_EXTENSIONS)
		v[0] = SKF_AD_MAX;
	else
		err = get_number(s, opt, &v[0]);
	if (err)
		return err;
	*len = min(*len, (u32)sizeof(v[0]));
	memcpy(val, v, *len);
	return 0;
}
