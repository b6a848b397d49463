/* SPDX-License-Identifier: MIT */
/* test_socket.c - the socket layer with a family of the test's own: queue and bounds, waiting and
 * time-outs, errors reported once, send buffer, options as Linux has them, control messages, and
 * sockets that are killed under their users. */
/* cflags: -Itests/host/module */
/* sources: kernel/net/socket.c kernel/net/sockqueue.c kernel/net/sockmsg.c kernel/net/socknotice.c
 * kernel/net/sockopt.c */
/* sources: kernel/net/sockfilter.c kernel/net/bpf.c */
/* sources: kernel/net/registry.c kernel/net/pkt.c kernel/net/pkt_budget.c kernel/net/pkt_large.c
 * kernel/net/pkt_data.c kernel/net/pkt_depot.c kernel/module/list.c */
/* sources: kernel/module/refs.c kernel/module/ledger.c tests/host/fake_module_env.c */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <core/module.h>
#include <core/proc.h>
#include <core/vfs.h>

#include "fake_module_env.h"
#include "kernel/module/internal.h"
#include "kernel/net/socket_internal.h"

/* ---- what the rest of the core would do ---- */

u32 random_u32(void)
{
	return 1;
}

struct socket_sysctls socket_sysctls = {
	.rmem_default = 212992,
	.wmem_default = 212992,
	.rmem_max = 212992,
	.wmem_max = 212992,
};
const struct file_ops socket_file_ops;
static u32 modprobes;

int request_module(const char *fmt, ...)
{
	modprobes++;
	return -ENOENT;
}

struct file *file_anon(const char *label, u32 mode, const struct file_ops *ops, void *priv,
		       u32 flags)
{
	return ERR_PTR(-ENFILE);
}

u64 file_ino(const struct file *f)
{
	return 1;
}

struct file *fd_borrow(int fd, bool *put)
{
	*put = false;
	return NULL;
}

struct proc *proc_next_get(int after_pid)
{
	return NULL;
}

void proc_put(struct proc *p)
{
}

struct fd_table *proc_files_get(struct proc *p)
{
	return NULL;
}

void fd_table_put(struct fd_table *t)
{
}

void fd_for_each(struct fd_table *t, bool (*fn)(void *arg, int fd, struct file *f), void *arg)
{
}

long iter_copy_to(const void *src, size_t n, struct iov_iter *it)
{
	n = min(n, it->count);
	memcpy((u8 *)it->iov->base + it->offset, src, n);
	it->offset += n;
	it->count -= n;
	return n;
}

/* ---- the family ---- */

static struct module_state *owner_state;
static struct module owner = { .name = "tester" };
static u32 closed;

static void t_close(struct socket *s)
{
	closed++;
	assert_true(s->lock.locked);
}

static long t_recv(struct socket *s, struct msg *m, size_t len)
{
	struct pkt *p = socket_dequeue(s, m->flags);
	long ret;

	if (!p || IS_ERR(p))
		return p ? PTR_ERR(p) : 0;
	ret = socket_copy_datagram(s, m, p, 0, len);
	pkt_free(p);
	return ret;
}

static long t_send(struct socket *s, struct msg *m, size_t len)
{
	return len;
}

static const struct socket_ops t_ops = { .close = t_close, .recv = t_recv, .send = t_send };

static int t_create(struct socket *s)
{
	if (s->protocol == 9)
		return -EPROTONOSUPPORT;
	s->ops = &t_ops;
	return 0;
}

static struct socket_family family = { .family = 40, .name = "test", .create = t_create };

static struct socket *s;

static int open_socket(void **state)
{
	closed = 0;
	assert_int_equal(socket_family_register_owner(&family, &owner), 0);
	s = socket_create(40, SOCK_DGRAM, 0);
	assert_false(IS_ERR(s));
	assert_int_equal(owner_state->nr_refs, 1);
	return 0;
}

static int close_socket(void **state)
{
	struct pkt_stats st;

	if (s)
		socket_close(s);
	assert_int_equal(closed, 1);
	assert_int_equal(owner_state->nr_refs, 0);
	socket_family_unregister(&family); /* a grace period passes */
	assert_int_equal(ledger_count(&owner), 0);
	pkt_stats_get(&st);
	assert_int_equal(st.alive, 0);
	return 0;
}

static struct pkt *data(u32 n, u8 stamp)
{
	struct pkt *p = pkt_alloc(PKT_POOL_RX, 0, n);

	memset(pkt_put(p, n), stamp, n);
	return p;
}

static long receive(u8 *buf, size_t n, u32 flags, u32 *out)
{
	struct iovec iov = { buf, n };
	struct msg m = { .iter = { .iov = &iov, .nr = 1, .count = n, .kernel = true },
			 .flags = flags };
	long ret = socket_recvmsg(s, &m);

	if (out)
		*out = m.flags;
	return ret;
}

/* ---- tests ---- */

static void families(void **state)
{
	struct socket_family twin = { .family = 40, .name = "twin", .create = t_create };

	assert_int_equal(socket_family_register_owner(&twin, NULL), -EEXIST);
	assert_int_equal(PTR_ERR(socket_create(-1, 1, 0)), -EAFNOSUPPORT);
	assert_int_equal(PTR_ERR(socket_create(46, 1, 0)), -EAFNOSUPPORT);
	modprobes = 0;
	assert_int_equal(PTR_ERR(socket_create(39, 1, 0)), -EAFNOSUPPORT);
	assert_int_equal(modprobes, 1);
	assert_int_equal(PTR_ERR(socket_create(40, 1, 9)), -EPROTONOSUPPORT);
	assert_int_equal(owner_state->nr_refs, 1);
	/* the module is leaving: no new sockets */
	owner_state->stage = MODULE_GOING;
	assert_int_equal(PTR_ERR(socket_create(40, 1, 0)), -EAFNOSUPPORT);
	assert_int_equal(socket_set_owner(s, NULL), 0);
	assert_int_equal(socket_set_owner(s, &owner), -EAGAIN);
	owner_state->stage = MODULE_LIVE;
	assert_int_equal(socket_set_owner(s, &owner), 0);
}

static void datagrams_in_order(void **state)
{
	u8 buf[100];
	u32 flags;

	socket_queue(s, data(10, 1));
	socket_queue(s, data(50, 2));
	socket_queue(s, data(0, 3));
	assert_int_equal(receive(buf, 100, MSG_PEEK, &flags), 10);
	assert_int_equal(receive(buf, 100, 0, &flags), 10);
	assert_int_equal(buf[9], 1);
	assert_int_equal(flags & MSG_TRUNC, 0);
	assert_int_equal(receive(buf, 20, MSG_PEEK | MSG_TRUNC, &flags), 50);
	assert_int_equal(flags & MSG_TRUNC, MSG_TRUNC);
	assert_int_equal(receive(buf, 20, 0, &flags), 20);
	assert_int_equal(flags & MSG_TRUNC, MSG_TRUNC);
	assert_int_equal(receive(buf, 20, 0, &flags), 0);
	assert_int_equal(s->rx_bytes, 0);
	assert_int_equal(receive(buf, 20, MSG_DONTWAIT, &flags), -EAGAIN);
}

static void queue_is_bounded(void **state)
{
	u32 n = 0;

	while (!socket_queue(s, data(100, 0)))
		n++;
	assert_true(n > 50 && n < 120);
	assert_int_equal(s->rx_drops, 1);
	socket_queue(s, data(1, 0));
	assert_int_equal(s->rx_drops, 2);
	/* close frees what is left */
}

static void waits_for_its_time_out(void **state)
{
	u64 before = ktime_get();
	u8 buf[4];

	s->rcvtimeo_ms = 250;
	assert_int_equal(receive(buf, 4, 0, NULL), -EAGAIN);
	assert_int_equal(ktime_get() - before, 250 * NSEC_PER_MSEC);
}

static void wake_before_wait_is_seen(void **state)
{
	assert_int_equal(socket_enter(s), 0);
	socket_wake(s,
		    POLLIN); /* after the lock was taken, before it sleeps: sleeping would abort */
	assert_int_equal(socket_wait(s, 0), 0);
	socket_leave(s);
}

static void error_once(void **state)
{
	u8 buf[4];
	int v;
	u32 len = sizeof(v);

	socket_set_error(s, ECONNREFUSED);
	assert_true(socket_poll_default(s) & POLLERR);
	assert_int_equal(receive(buf, 4, MSG_DONTWAIT, NULL), -ECONNREFUSED);
	assert_int_equal(receive(buf, 4, MSG_DONTWAIT, NULL), -EAGAIN);
	socket_set_error(s, EHOSTUNREACH);
	assert_int_equal(socket_getsockopt_core(s, SO_ERROR, &v, &len), 0);
	assert_int_equal(v, EHOSTUNREACH);
	socket_getsockopt_core(s, SO_ERROR, &v, &len);
	assert_int_equal(v, 0);
}

static void shutdown_ends_it(void **state)
{
	struct msg m = { .flags = MSG_NOSIGNAL };
	u8 buf[4];

	s->shut = 1;
	assert_int_equal(receive(buf, 4, 0, NULL), 0);
	assert_int_equal(socket_queue(s, data(1, 1)), -ENOBUFS);
	assert_true(socket_poll_default(s) & POLLRDHUP);
	assert_int_equal(socket_sendmsg(s, &m), 0);
	s->shut = 3;
	assert_int_equal(socket_sendmsg(s, &m), -EPIPE);
	assert_true(socket_poll_default(s) & POLLHUP);
}

static void send_buffer(void **state)
{
	struct pkt *held[200];
	u32 n;

	socket_enter(s);
	for (n = 0; n < 200; n++) {
		held[n] = socket_tx_alloc(s, MSG_DONTWAIT, 64, 1000);
		if (IS_ERR(held[n]))
			break;
	}
	assert_int_equal(PTR_ERR(held[n]), -EAGAIN);
	assert_true(socket_tx_bytes(s) < s->sndbuf + held[0]->truesize && n > 50);
	assert_false(socket_poll_default(s) & POLLOUT);
	assert_true(s->tx_waiting);
	u32 seq = s->wake_seq;
	pkt_free(held[--n]);
	assert_int_equal(s->wake_seq, seq + 1); /* said once: nobody asks any more */
	pkt_free(held[--n]);
	assert_int_equal(s->wake_seq, seq + 1);
	socket_leave(s);
	/* the socket goes first, its packets later: memory lives until the last */
	socket_close(s);
	s = NULL;
	while (n)
		pkt_free(held[--n]);
}

static void options(void **state)
{
	int v, pair[2];
	s64 tv[2];
	u32 len = sizeof(v);

#define SET(o, x) (v = (x), socket_setsockopt_core(s, o, &v, sizeof(v)))
#define GET(o) (len = sizeof(v), assert_int_equal(socket_getsockopt_core(s, o, &v, &len), 0), v)
	assert_int_equal(GET(SO_RCVBUF), 212992);
	assert_int_equal(SET(SO_RCVBUF, 32768), 0);
	assert_int_equal(GET(SO_RCVBUF), 65536);
	SET(SO_RCVBUF, 1);
	assert_int_equal(GET(SO_RCVBUF), 2304);
	SET(SO_SNDBUF, 1);
	assert_int_equal(GET(SO_SNDBUF), 4608);
	SET(SO_SNDBUF, 1 << 30);
	assert_int_equal(GET(SO_SNDBUF), 2 * 212992);
	assert_int_equal(GET(SO_TYPE), SOCK_DGRAM);
	assert_int_equal(GET(SO_DOMAIN), 40);
	assert_int_equal(SET(SO_TYPE, 1), -ENOPROTOOPT);
	SET(SO_REUSEADDR, 5);
	assert_int_equal(GET(SO_REUSEADDR), 1);
	assert_int_equal(socket_setsockopt_core(s, SO_BROADCAST, &v, 3), -EINVAL);
	assert_int_equal(socket_setsockopt_core(s, SO_ATTACH_FILTER, &v, 16), -ENOPROTOOPT);
	pair[0] = 1;
	pair[1] = 30;
	assert_int_equal(socket_setsockopt_core(s, SO_LINGER, pair, 8), 0);
	assert_int_equal(s->linger, 30);
	tv[0] = 2;
	tv[1] = 500001;
	assert_int_equal(socket_setsockopt_core(s, SO_RCVTIMEO, tv, 16), 0);
	assert_int_equal(s->rcvtimeo_ms, 2501);
	tv[1] = 1000000;
	assert_int_equal(socket_setsockopt_core(s, SO_RCVTIMEO, tv, 16), -EDOM);
	assert_int_equal(socket_setsockopt_core(s, SO_BINDTODEVICE, "eth0", 4), -ENODEV);
	assert_int_equal(socket_setsockopt_core(s, SO_BINDTODEVICE, "", 0), 0);
}

static void control_messages(void **state)
{
	u8 room[64];
	struct msg m = { .control = room, .control_len = sizeof(room) };
	struct cmsg_view view;
	size_t pos = 0;
	int v = 0x11223344;

	msg_put_control(&m, 0, 8, &v, 4);
	assert_int_equal(m.control_used, 24);
	msg_put_control(&m, 1, 29, "0123456789abcdef", 16);
	assert_int_equal(m.control_used, 56);
	assert_int_equal(m.flags, 0);
	msg_put_control(&m, 2, 2, &v, 4);
	assert_int_equal(m.flags, MSG_CTRUNC);
	m.control_len = m.control_used;
	assert_true(msg_next_control(&m, &pos, &view));
	assert_int_equal(view.type, 8);
	assert_int_equal(view.len, 4);
	assert_true(msg_next_control(&m, &pos, &view));
	assert_int_equal(view.len, 16);
	assert_false(msg_next_control(&m, &pos, &view));
	/* lengths that lie */
	pos = 0;
	room[0] = 200;
	assert_false(msg_next_control(&m, &pos, &view));
	room[0] = 3;
	assert_false(msg_next_control(&m, &pos, &view));
}

static void kill_one(struct socket *sock, void *arg)
{
	socket_kill(sock);
	++*(u32 *)arg;
}

static void killed(void **state)
{
	u8 buf[4];
	u32 n = 0;

	socket_queue(s, data(10, 1));
	socket_for_each(NULL, kill_one, &n);
	assert_int_equal(n, 0);
	socket_for_each(&owner, kill_one, &n);
	assert_int_equal(n, 1);
	assert_int_equal(closed, 1);
	assert_int_equal(owner_state->nr_refs, 0);
	assert_int_equal(receive(buf, 4, 0, NULL), -ECONNABORTED);
	assert_int_equal(socket_queue(s, data(10, 1)), -ENOBUFS);
}

static long claim(struct socket *sock, u32 cmd, unsigned long arg)
{
	return cmd == 0x8933 ? (long)arg : -ENOIOCTLCMD;
}

static void ioctl_ranges(void **state)
{
	struct socket_ioctl a = { .first = 0x8930, .last = 0x893f, .fn = claim };
	struct socket_ioctl b = { .first = 0x8933, .last = 0x8933, .fn = claim };

	assert_int_equal(socket_ioctl_registered(s, 0x8933, 5), -ENOIOCTLCMD);
	assert_int_equal(socket_ioctl_register_owner(&a, &owner), 0);
	assert_int_equal(socket_ioctl_register_owner(&b, &owner), 0);
	assert_int_equal(socket_ioctl_registered(s, 0x8933, 5), 5);
	assert_int_equal(socket_ioctl_registered(s, 0x8934, 5), -ENOIOCTLCMD);
	socket_ioctl_unregister(&a);
	assert_int_equal(socket_ioctl_registered(s, 0x8933, 6), 6);
	/* the sweep takes what was forgotten */
	assert_int_equal(ledger_count(&owner), 2);
	b.ledger.undo(&b.ledger);
	assert_int_equal(socket_ioctl_registered(s, 0x8933, 6), -ENOIOCTLCMD);
}

static int set_up(void **state)
{
	pkt_init();
	owner_state = module_state_new("tester");
	owner_state->module = &owner;
	owner_state->stage = MODULE_LIVE;
	owner.state = owner_state;
	return 0;
}

static int tear_down(void **state)
{
	kfree(owner_state);
	return 0;
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, open_socket, close_socket)
	const struct CMUnitTest tests[] = {
		T(families),
		T(datagrams_in_order),
		T(queue_is_bounded),
		T(waits_for_its_time_out),
		T(wake_before_wait_is_seen),
		T(error_once),
		T(shutdown_ends_it),
		T(send_buffer),
		T(options),
		T(control_messages),
		T(killed),
		T(ioctl_ranges),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
