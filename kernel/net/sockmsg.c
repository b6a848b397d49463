/* SPDX-License-Identifier: MIT */
/* sockmsg.c - messages on their way between a program and a family: the send and receive steps that
 * all calls share, and control messages (RFC 3542, 20.2: header, data, padding to 8). */
#include <core/proc.h>
#include <weft/module.h>
#include <weft/string.h>
#include <weft/time.h>

#include "socket_internal.h"

#define SIGPIPE 13
#define SIGURG 23
#define ABORT_PAUSE (100 * NSEC_PER_MSEC)

static bool is_stream(const struct socket *s)
{
	return s->type == SOCK_STREAM || s->type == SOCK_SEQPACKET;
}

/* The protocol was taken away. Told once at once; a program that goes on asking without caring for
 * the answer (ping does) must not spin. */
long socket_aborted(struct socket *s, const struct msg *m)
{
	if (s->abort_told && !(m->flags & MSG_DONTWAIT))
		sleep_ns_interruptible(ABORT_PAUSE);
	s->abort_told = true;
	return -ECONNABORTED;
}

long socket_sendmsg(struct socket *s, struct msg *m)
{
	long ret = socket_enter(s);

	if (ret)
		return ret;
	if (!s->ops || !s->ops->send)
		ret = -EOPNOTSUPP;
	else if (s->shut & 2)
		ret = socket_take_error(s) ?: -EPIPE;
	else if (unlikely(m->flags & MSG_ZEROCOPY) && s->zerocopy)
		ret = socket_send_zerocopy(s, m);
	else
		ret = s->ops->send(s, m, m->iter.count);
	socket_leave(s);
	if (ret == -EPIPE && is_stream(s) && !(m->flags & MSG_NOSIGNAL))
		signal_send_thread(current(), SIGPIPE, NULL);
	return ret;
}

void socket_urgent(struct socket *s)
{
	const struct file *f = READ_ONCE(s->file);

	if (f)
		signal_send_owner(READ_ONCE(f->owner_pid), SIGURG);
}
EXPORT(socket_urgent);

/* ---- control messages ---- */

void msg_put_control(struct msg *m, int level, int type, const void *data, u32 len)
{
	struct user_cmsghdr h = { .len = sizeof(h) + len, .level = level, .type = type };
	size_t room = m->control_len - m->control_used, whole = ALIGN_UP(h.len, (u64)8);
	u8 *to;

	if (!m->control || room < sizeof(h)) {
		m->flags |= MSG_CTRUNC;
		return;
	}
	to = m->control + m->control_used;
	if (room < h.len) { /* cut, as Linux does */
		m->flags |= MSG_CTRUNC;
		h.len = whole = room;
	}
	memcpy(to, &h, sizeof(h));
	memcpy(to + sizeof(h), data, h.len - sizeof(h));
	whole = min(whole, room);
	memset(to + h.len, 0, whole - h.len);
	m->control_used += whole;
}
EXPORT(msg_put_control);

bool msg_next_control(const struct msg *m, size_t *pos, struct cmsg_view *out)
{
	struct user_cmsghdr h;
	size_t left;

	if (!m->control || *pos >= m->control_len)
		return false;
	left = m->control_len - *pos;
	if (left < sizeof(h))
		return false;
	memcpy(&h, m->control + *pos, sizeof(h));
	if (h.len < sizeof(h) || h.len > left)
		return false;
	out->level = h.level;
	out->type = h.type;
	out->data = m->control + *pos + sizeof(h);
	out->len = h.len - sizeof(h);
	*pos += min(ALIGN_UP(h.len, (u64)8), (u64)left);
	return true;
}
EXPORT(msg_next_control);

/* which: SOCKET_TELLS_* of what is to be told of a moment. */
static void put_stamp(struct msg *m, u8 which, u64 stamp_ns)
{
	s64 stamp[6] = { 0 }; /* struct scm_timestamping: software's, unused, hardware's */
	u64 now = ktime_get(), real;
	s64 short_one[2];

	real = ktime_get_real() - (stamp_ns && stamp_ns < now ? now - stamp_ns : 0);
	stamp[0] = real / NSEC_PER_SEC;
	stamp[1] = real % NSEC_PER_SEC;
	short_one[0] = stamp[0];
	short_one[1] = stamp[1] / NSEC_PER_USEC;
	if (which & SOCKET_TELLS_STAMP)
		msg_put_control(m, SOL_SOCKET, SO_TIMESTAMP, short_one, sizeof(short_one));
	if (which & SOCKET_TELLS_STAMP_NS)
		msg_put_control(m, SOL_SOCKET, SO_TIMESTAMPNS, stamp, 2 * sizeof(*stamp));
	if (which & SOCKET_TELLS_STAMPING)
		msg_put_control(m, SOL_SOCKET, SO_TIMESTAMPING, stamp, sizeof(stamp));
}

void msg_put_stamp(struct socket *s, struct msg *m, u64 stamp_ns)
{
	const u8 wanted = SOCKET_TELLS_STAMP | SOCKET_TELLS_STAMP_NS | SOCKET_TELLS_STAMPING;

	if (s->tells & wanted)
		put_stamp(m, s->tells, stamp_ns);
}
EXPORT(msg_put_stamp);

void msg_put_sent_stamp(struct socket *s, struct msg *m, u64 stamp_ns)
{
	u8 which = s->tells & (SOCKET_TELLS_STAMP | SOCKET_TELLS_STAMP_NS);

	if (s->stamping & SOF_TIMESTAMPING_SOFTWARE)
		which |= SOCKET_TELLS_STAMPING;
	put_stamp(m, which, stamp_ns);
}
EXPORT(msg_put_sent_stamp);
