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
	case SO_TIMESTAMP:
		return &s->timestamp;
	case SO_TIMESTAMPNS:
		return &s->timestampns;
	default:
		return NULL;
	}
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
		/* one of the two formats at a time */
		if (v && opt == SO_TIMESTAMP)
			s->timestampns = false;
		if (v && opt == SO_TIMESTAMPNS)
			s->timestamp = false;
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
	return set_number(s, opt, v);
}

static int get_number(struct socket *s, int opt, int *v)
{
	bool *flag = bool_option(s, opt);

	*v = 0;
	if (flag) {
		*v = *flag;
		return 0;
	}
	switch (opt) {
	case SO_DEBUG:
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
	case SO_BUSY_POLL:
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
