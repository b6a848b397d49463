/* SPDX-License-Identifier: MIT */
/* test_sim_sock_diag.c - what ss(8) is told: sockets of each family and transport, by state, all or
 * one; many of them in parts; modules that leave meanwhile, and no memory. */
#include "diag_calls.h"

#include <uapi/filter.h>
#include <uapi/packet.h>

/* ---- TCP ---- */

static void tcp_is_told(void **state)
{
	struct tcp_pair p = tcp_pair_up();
	u16 port = c_port(p.client);
	struct told *t;
	u32 rtt;

	assert_int_equal(ask_inet(AF_INET, IPPROTO_TCP, 0, ALL_STATES), 0);
	assert_int_equal(nr_told, 3);
	t = by_port(p.port, ST_LISTEN);
	assert_non_null(t);
	assert_int_equal(t->m.idiag_rqueue, 0);
	assert_int_equal(t->m.idiag_wqueue, 8);
	assert_int_equal(t->m.id.idiag_src[0], htonl(LOOP));
	t = by_port(port, ST_ESTABLISHED);
	assert_non_null(t);
	assert_int_equal(t->m.idiag_family, AF_INET);
	assert_int_equal(t->m.id.idiag_dport, htons(p.port));
	assert_int_equal(t->m.id.idiag_dst[0], htonl(LOOP));
	assert_true(t->m.idiag_inode);
	assert_false(t->has[INET_DIAG_INFO] || t->has[INET_DIAG_CONG] ||
		     t->has[INET_DIAG_SKMEMINFO] || t->has[INET_DIAG_MEMINFO]);
	assert_true(t->has[INET_DIAG_SHUTDOWN] && t->has[INET_DIAG_MARK]);
	/* unread data, and what is asked for beside */
	assert_int_equal(c_send(p.server, "hello", 5, 0), 5);
	sim_run_ms(5);
	assert_int_equal(ask_inet(AF_INET, IPPROTO_TCP, 0xff, 1u << ST_ESTABLISHED), 0);
	assert_int_equal(nr_told, 2);
	t = by_port(port, 0);
	assert_int_equal(t->m.idiag_rqueue, 5);
	assert_int_equal(t->attr_len[INET_DIAG_INFO], 232);
	memcpy(&rtt, t->attr[INET_DIAG_INFO] + 68, 4);
	assert_true(rtt);
	assert_int_equal(t->attr[INET_DIAG_INFO][0], ST_ESTABLISHED);
	assert_int_equal(t->attr_len[INET_DIAG_SKMEMINFO], 36);
	assert_true(word(t->attr[INET_DIAG_SKMEMINFO]) >= 5);
	assert_int_equal(t->attr_len[INET_DIAG_MEMINFO], 16);
	assert_string_equal((char *)t->attr[INET_DIAG_CONG], "newreno");
	/* none of this is IPv6 */
	assert_int_equal(ask_inet(AF_INET6, IPPROTO_TCP, 0, ALL_STATES), 0);
	assert_int_equal(nr_told, 0);
	c_close(p.client);
	p.client = -1;
	c_close(p.server);
	p.server = -1;
	sim_run_ms(10);
	assert_int_equal(ask_inet(AF_INET, IPPROTO_TCP, 0xff, ALL_STATES & ~(1u << ST_LISTEN)), 0);
	tcp_pair_down(&p);
}

static void remains_are_told(void **state)
{
	struct tcp_pair p = tcp_pair_up();
	u16 port = c_port(p.client);
	struct told *t;

	tcp_pair_close(&p);
	assert_int_equal(ask_inet(AF_INET, IPPROTO_TCP, 0xff, 1u << ST_TIME_WAIT), 0);
	assert_int_equal(nr_told, 1);
	t = by_port(port, ST_TIME_WAIT);
	assert_non_null(t);
	assert_int_equal(t->m.idiag_timer, 3);
	assert_in_range(t->m.idiag_expires, 59000, 60000);
	assert_int_equal(t->m.idiag_inode, 0);
	tcp_pair_down(&p);
}

static void one_is_asked_for(void **state)
{
	struct tcp_pair p = tcp_pair_up();
	struct inet_diag_sockid id;
	struct nlmsghdr h;
	struct request r;

	assert_int_equal(ask_inet(AF_INET, IPPROTO_TCP, 0, 1u << ST_ESTABLISHED), 0);
	id = by_port(p.port, 0)->m.id;
	inet_request(&r, SOCK_DIAG_BY_FAMILY, 0, AF_INET, IPPROTO_TCP, 0, 0);
	memcpy(r.b + 16 + 8, &id, sizeof(id));
	put(diag, r.b, r.len);
	assert_true(take(diag, 0) > 0);
	memcpy(&h, answer, sizeof(h));
	assert_int_equal(h.nlmsg_type, SOCK_DIAG_BY_FAMILY);
	assert_memory_equal(answer + 16 + 4, &id, sizeof(id));
	/* a peer that is not connected: the listener is who would hear of it */
	id.idiag_dport = htons(9);
	id.idiag_cookie[0] = id.idiag_cookie[1] = INET_DIAG_NOCOOKIE;
	memcpy(r.b + 16 + 8, &id, sizeof(id));
	put(diag, r.b, r.len);
	assert_true(take(diag, 0) > 0);
	assert_int_equal(answer[16 + 1], ST_LISTEN);
	/* another one's cookie */
	id.idiag_cookie[0] = 1;
	memcpy(r.b + 16 + 8, &id, sizeof(id));
	assert_int_equal(ask(diag, &r), -ENOENT);
	tcp_pair_down(&p);
}

/* ---- many ---- */

static void each_of_many_once(void **state)
{
	static int fds[300];
	static bool seen[300];

	memset(seen, 0, sizeof(seen));
	for (u32 i = 0; i < ARRAY_SIZE(fds); i++)
		fds[i] = udp_at(10000 + i * 16); /* several to a bucket */
	assert_int_equal(ask_inet(AF_INET, IPPROTO_UDP, 0xff, ALL_STATES), 0);
	assert_int_equal(nr_told, ARRAY_SIZE(fds));
	assert_true(nr_parts > 10);
	for (u32 i = 0; i < nr_told; i++) {
		u32 n = (ntohs(list[i].m.id.idiag_sport) - 10000) / 16;

		assert_true(n < ARRAY_SIZE(seen) && !seen[n]);
		seen[n] = true;
	}
	for (u32 i = 0; i < ARRAY_SIZE(fds); i++)
		c_close(fds[i]);
}

/* ---- the other families ---- */

static void unix_is_told(void **state)
{
	struct unix_diag_req q = { .sdiag_family = AF_UNIX,
				   .udiag_states = ~0u,
				   .udiag_show = 0x7f };
	struct socket *s = socket_create(AF_UNIX, SOCK_STREAM, 0);
	struct socket *client = socket_create(AF_UNIX, SOCK_STREAM, 0);
	u8 name[SOCKADDR_MAX] = { AF_UNIX, 0, 0, 'x', 'y' };
	struct unix_diag_msg m;
	struct request r;

	s->ino = 4711;
	assert_int_equal(socket_enter(s), 0);
	assert_int_equal(s->ops->bind(s, name, 5), 0);
	assert_int_equal(s->ops->listen(s, 7), 0);
	s->listening = true;
	socket_leave(s);
	client->ino = 4800;
	assert_int_equal(socket_enter(client), 0);
	assert_int_equal(client->ops->connect(client, name, 5, true), 0);
	socket_leave(client);
	q.udiag_states = 1u << ST_LISTEN;
	begin(&r, SOCK_DIAG_BY_FAMILY, NLM_F_DUMP, &q, sizeof(q));
	put(diag, r.b, r.len);
	assert_true(take(diag, 0) > 0);
	memcpy(&m, answer + 16, sizeof(m));
	assert_int_equal(m.udiag_family, AF_UNIX);
	assert_int_equal(m.udiag_type, SOCK_STREAM);
	assert_int_equal(m.udiag_state, ST_LISTEN);
	assert_int_equal(m.udiag_ino, 4711);
	/* its name, three bytes of them, is the first attribute; who waits (4800) and the queue's
	 * length follow */
	assert_memory_equal(answer + 32, "\7\0\0\0\0xy\0", 8);
	assert_memory_equal(answer + 40, "\10\0\3\0\300\22\0\0", 8);
	assert_memory_equal(answer + 48, "\14\0\4\0\1\0\0\0\7\0\0\0", 12);
	sock_close(client);
	q.udiag_states = 1u << ST_ESTABLISHED;
	begin(&r, SOCK_DIAG_BY_FAMILY, NLM_F_DUMP, &q, sizeof(q));
	put(diag, r.b, r.len);
	assert_int_equal(take(diag, 0), 20); /* the end alone */
	/* by its inode */
	q.udiag_ino = 4711;
	q.udiag_cookie[0] = q.udiag_cookie[1] = ~0u;
	begin(&r, SOCK_DIAG_BY_FAMILY, 0, &q, sizeof(q));
	put(diag, r.b, r.len);
	assert_true(take(diag, 0) > 40);
	q.udiag_ino = 4712;
	begin(&r, SOCK_DIAG_BY_FAMILY, 0, &q, sizeof(q));
	assert_int_equal(ask(diag, &r), -ENOENT);
	begin(&r, SOCK_DESTROY, 0, &q, sizeof(q));
	assert_int_equal(ask(diag, &r), -EOPNOTSUPP);
	sock_close(s);
}

static void packet_and_netlink_are_told(void **state)
{
	struct packet_diag_req q = { .sdiag_family = AF_PACKET, .pdiag_show = 0x3f };
	struct netlink_diag_req nq = { .sdiag_family = AF_NETLINK,
				       .sdiag_protocol = NDIAG_PROTO_ALL,
				       .ndiag_show = 0xf };
	struct socket *s[20];
	struct sock_filter all = { BPF_RET | BPF_K, 0, 0, 96 };
	struct sock_fprog prog = { .len = 1, .filter = (u64)(unsigned long)&all };
	struct packet_diag_msg m;
	struct netlink_diag_msg nm;
	static struct seen one;
	struct request r;
	u32 n = 0, filter_len;
	long len;

	for (u32 i = 0; i < ARRAY_SIZE(s); i++)
		s[i] = socket_create(AF_PACKET, SOCK_RAW, htons(0x1234 + i));
	assert_int_equal(sock_setopt(s[7], SOL_SOCKET, SO_ATTACH_FILTER, &prog, sizeof(prog)), 0);
	begin(&r, SOCK_DIAG_BY_FAMILY, NLM_F_DUMP, &q, sizeof(q));
	put(diag, r.b, r.len);
	while ((len = take(diag, 0)) > 0) {
		for (long at = 0; at < len; at += word(answer + at)) {
			if (word(answer + at + 4) << 16 == NLMSG_DONE << 16)
				break;
			memcpy(&m, answer + at + 16, sizeof(m));
			assert_int_equal(m.pdiag_family, AF_PACKET);
			assert_int_equal(m.pdiag_num, 0x1234 + n);
			read_attrs(&one, answer + at + 16 + sizeof(m),
				   word(answer + at) - 16 - sizeof(m));
			filter_len = one.attr_len[PACKET_DIAG_FILTER];
			assert_int_equal(filter_len, n == 7 ? sizeof(all) : 0);
			assert_memory_equal(one.attr[PACKET_DIAG_FILTER], &all, filter_len);
			n++;
		}
	}
	assert_int_equal(n, ARRAY_SIZE(s));
	for (u32 i = 0; i < ARRAY_SIZE(s); i++)
		sock_close(s[i]);
	begin(&r, SOCK_DIAG_BY_FAMILY, 0, &q, sizeof(q));
	assert_int_equal(ask(diag, &r), -EOPNOTSUPP);
	begin(&r, SOCK_DIAG_BY_FAMILY, NLM_F_DUMP, &nq, sizeof(nq));
	put(diag, r.b, r.len);
	assert_true(take(diag, 0) > 0);
	memcpy(&nm, answer + 16, sizeof(nm));
	assert_int_equal(nm.ndiag_family, AF_NETLINK);
	assert_int_equal(nm.ndiag_protocol, NETLINK_SOCK_DIAG);
	assert_int_equal(nm.ndiag_portid, pid_of(diag));
}

/* ---- what is not there, and modules that leave ---- */

static void what_is_not_there(void **state)
{
	struct request r;
	u32 mptcp = 262;

	assert_int_equal(ask_inet(AF_INET, 132, 0, ALL_STATES), -ENOENT);
	assert_int_equal(ask_inet(99, 0, 0, ALL_STATES), -EINVAL);
	assert_int_equal(ask_inet(AF_UNSPEC, IPPROTO_TCP, 0, ALL_STATES), -ENOENT);
	inet_request(&r, SOCK_DIAG_BY_FAMILY, NLM_F_DUMP, AF_INET, IPPROTO_TCP, 0, ALL_STATES);
	attr(&r, INET_DIAG_REQ_PROTOCOL, &mptcp, 4);
	assert_int_equal(ask_all(&r), -ENOENT);
	begin(&r, SOCK_DIAG_BY_FAMILY, NLM_F_DUMP, "\2\6", 2);
	assert_int_equal(ask(diag, &r), -EINVAL);
	begin(&r, SOCK_DIAG_BY_FAMILY, 0, "\2\6", 2);
	assert_int_equal(ask(diag, &r), -EINVAL);
	begin(&r, SOCK_DIAG_BY_FAMILY, 0, "\2", 1);
	assert_int_equal(ask(diag, &r), -EINVAL);
	begin(&r, TCPDIAG_GETSOCK, NLM_F_DUMP, "\2\6\0\0", 4);
	assert_int_equal(ask(diag, &r), -EOPNOTSUPP);
	begin(&r, 99, NLM_F_DUMP, "\2\6\0\0", 4);
	assert_int_equal(ask(diag, &r), -EINVAL);
	assert_int_equal(PTR_ERR(socket_create(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE)),
			 -EPROTONOSUPPORT);
}

static void modules_leave(void **state)
{
	struct request r;
	int fds[50];
	long n;

	assert_int_equal(sim_rmmod("sock_diag", false), -EAGAIN);
	assert_true(sim_log_has("sock_diag: 1 socket"));
	assert_int_equal(sim_rmmod("netlink", false), -EAGAIN);
	/* UDP leaves in the middle of a dump of it, with its sockets */
	for (u32 i = 0; i < ARRAY_SIZE(fds); i++)
		fds[i] = udp_at(1000 + i);
	inet_request(&r, SOCK_DIAG_BY_FAMILY, NLM_F_DUMP, AF_INET, IPPROTO_UDP, 0xff, ALL_STATES);
	put(diag, r.b, r.len);
	assert_true(take(diag, 0) > 3000);
	assert_int_equal(sim_rmmod("udp", true), 0);
	do
		n = take(diag, 0);
	while (n > 20);
	assert_int_equal(n, 20);
	assert_int_equal(ask_inet(AF_INET, IPPROTO_UDP, 0, ALL_STATES), -ENOENT);
	for (u32 i = 0; i < ARRAY_SIZE(fds); i++)
		c_close(fds[i]);
	/* and sock_diag itself, by force, in the middle of one: nothing of it may be left */
	assert_int_equal(sim_insmod("udp", NULL), 0);
	for (u32 i = 0; i < ARRAY_SIZE(fds); i++)
		fds[i] = udp_at(1000 + i);
	put(diag, r.b, r.len);
	assert_true(take(diag, 0) > 3000);
	assert_int_equal(sim_rmmod("sock_diag", true), 0);
	assert_int_equal(take(diag, 0), -ECONNABORTED);
	for (u32 i = 0; i < ARRAY_SIZE(fds); i++)
		c_close(fds[i]);
	sock_close(diag);
	assert_int_equal(PTR_ERR(socket_create(AF_NETLINK, SOCK_RAW, NETLINK_SOCK_DIAG)),
			 -EPROTONOSUPPORT);
	diag = NULL;
}

static void without_memory(void **state)
{
	struct tcp_pair p = tcp_pair_up();
	struct program f = { 0 };
	struct request r;
	int udp = udp_at(1000);

	op(&f, INET_DIAG_BC_S_GE, 8, 12);
	op(&f, 0, 0, 1);
	sim_fail_every(3);
	for (u32 i = 0; i < 300; i++) {
		static const u8 protocols[] = { IPPROTO_TCP, IPPROTO_UDP, IPPROTO_RAW };

		inet_request(&r, SOCK_DIAG_BY_FAMILY, i % 4 ? NLM_F_DUMP : 0, AF_INET,
			     protocols[i % 3], 0xff, ALL_STATES);
		attr(&r, INET_DIAG_REQ_BYTECODE, f.b, f.len);
		put(diag, r.b, r.len);
		r.b[16] = i % 2 ? AF_UNIX : AF_PACKET;
		put(diag, r.b, r.len);
		for (u32 j = 0; j < 10; j++)
			take(diag, 0);
	}
	sim_fail_every(0);
	c_close(udp);
	tcp_pair_down(&p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(tcp_is_told),	 TEST(remains_are_told), TEST(one_is_asked_for),
		TEST(each_of_many_once), TEST(unix_is_told),	 TEST(packet_and_netlink_are_told),
		TEST(what_is_not_there), TEST(modules_leave),	 TEST(without_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
