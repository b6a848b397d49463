/* SPDX-License-Identifier: MIT */
/* test_sim_tcp_recv.c - reading from a TCP socket: order, MSG_PEEK, WAITALL, TRUNC, SO_RCVLOWAT,
 * time-outs, the end of the stream and the errors behind it. */
#include "sim/tcp_pair.h"

static u8 out[100000], in[100000];

long sim_sys_recvmsg(u64 a, u64 b, u64 c, u64 d, u64 e, u64 f);

static void fill(u8 *p, size_t n, u32 seed)
{
	for (size_t i = 0; i < n; i++)
		p[i] = (seed = seed * 1103515245 + 12345) >> 16;
}

static void data_comes_in_order_and_whole(void **state)
{
	struct tcp_pair p = tcp_pair_up();
	size_t got = 0, sent = 0;
	long n;

	fill(out, sizeof(out), 1);
	c_nonblock(p.client, true);
	while (got < sizeof(out)) {
		n = c_send(p.client, out + sent, sizeof(out) - sent, 0);
		if (n < 0)
			assert_int_equal(n, -EAGAIN);
		sent += n > 0 ? n : 0;
		n = c_recv(p.server, in + got, min(sizeof(in) - got, (size_t)7777), 0);
		assert_true(n > 0);
		got += n;
	}
	assert_memory_equal(in, out, sizeof(out));
	tcp_pair_down(&p);
}

static void peek_leaves_it_there(void **state)
{
	struct tcp_pair p = tcp_pair_up();

	assert_int_equal(c_send(p.client, "abc", 3, 0), 3);
	assert_int_equal(c_recv(p.server, in, 2, MSG_PEEK), 2);
	assert_memory_equal(in, "ab", 2);
	assert_int_equal(c_send(p.client, "def", 3, 0), 3);
	sim_run_ms(50); /* Nagle waits for the ACK, which is put off */
	assert_int_equal(c_recv(p.server, in, 10, MSG_PEEK), 6);
	assert_memory_equal(in, "abcdef", 6);
	assert_int_equal(c_recv(p.server, in, 10, 0), 6);
	assert_memory_equal(in, "abcdef", 6);
	assert_int_equal(c_recv(p.server, in, 10, MSG_DONTWAIT | MSG_PEEK), -EAGAIN);
	tcp_pair_down(&p);
}

/* SO_PEEK_OFF: a look begins where the last one ended; what is read in between counts. */
static void looks_go_on(void **state)
{
	struct tcp_pair p = tcp_pair_up();

	assert_int_equal(c_setopt(p.server, SOL_SOCKET, SO_PEEK_OFF, &(int){ 0 }, 4), 0);
	assert_int_equal(c_send(p.client, "abc", 3, 0), 3);
	sim_run_ms(50);
	assert_int_equal(c_send(p.client, "def", 3, 0), 3);
	sim_run_ms(50);
	assert_int_equal(c_recv(p.server, in, 2, MSG_PEEK), 2);
	assert_memory_equal(in, "ab", 2);
	assert_int_equal(c_recv(p.server, in, 2, MSG_PEEK), 2);
	assert_memory_equal(in, "cd", 2);
	assert_int_equal(c_recv(p.server, in, 3, 0), 3);
	assert_memory_equal(in, "abc", 3);
	assert_int_equal(c_recv(p.server, in, 9, MSG_PEEK), 2);
	assert_memory_equal(in, "ef", 2);
	assert_int_equal(c_recv(p.server, in, 9, MSG_PEEK | MSG_DONTWAIT), -EAGAIN);
	assert_int_equal(c_setopt(p.server, SOL_SOCKET, SO_PEEK_OFF, &(int){ -1 }, 4), 0);
	assert_int_equal(c_recv(p.server, in, 9, MSG_PEEK), 3);
	tcp_pair_down(&p);
}

/* What TCP_INQ says after a receive of n bytes. */
static int inq_after(int fd, u32 n)
{
	u8 control[64] = { 0 };
	struct iovec iov = { in, n };
	struct user_msghdr m = { .iov = (u64)&iov,
				 .iov_len = 1,
				 .control = (u64)control,
				 .control_len = sizeof(control) };
	struct user_cmsghdr h;
	int left;

	assert_int_equal(sim_sys_recvmsg(fd, (u64)&m, 0, 0, 0, 0), n);
	memcpy(&h, control, sizeof(h));
	memcpy(&left, control + sizeof(h), sizeof(left));
	assert_int_equal(h.len, sizeof(h) + sizeof(left));
	assert_int_equal(h.level, IPPROTO_TCP);
	assert_int_equal(h.type, 36);
	return left;
}

static void what_waits_is_told(void **state)
{
	struct tcp_pair p = tcp_pair_up();

	assert_int_equal(c_setopt(p.server, IPPROTO_TCP, 36, &(int){ 2 }, 4), -EINVAL);
	assert_int_equal(c_setopt(p.server, IPPROTO_TCP, 36, &(int){ 1 }, 4), 0);
	assert_int_equal(c_send(p.client, "abcdef", 6, 0), 6);
	sim_run_ms(50);
	assert_int_equal(inq_after(p.server, 4), 2);
	assert_int_equal(inq_after(p.server, 2), 0);
	c_shutdown(p.client, SHUT_WR);
	sim_run_ms(50);
	assert_int_equal(inq_after(p.server, 0), 1); /* the end counts */
	tcp_pair_down(&p);
}

static void trunc_discards(void **state)
{
	struct tcp_pair p = tcp_pair_up();

	assert_int_equal(c_send(p.client, "abcdef", 6, 0), 6);
	memset(in, 'x', 6);
	assert_int_equal(c_recv(p.server, in, 4, MSG_TRUNC), 4);
	assert_memory_equal(in, "xxxx", 4);
	assert_int_equal(c_recv(p.server, in, 4, 0), 2);
	assert_memory_equal(in, "ef", 2);
	tcp_pair_down(&p);
}

static int late_sender(void *arg)
{
	int fd = (int)(long)arg;

	sleep_ns(20 * NSEC_PER_MSEC);
	c_send(fd, "123", 3, 0);
	sleep_ns(20 * NSEC_PER_MSEC);
	c_send(fd, "456", 3, 0);
	return 0;
}

static void waitall_and_lowat_wait(void **state)
{
	struct tcp_pair p = tcp_pair_up();
	struct thread *t;

	t = kthread_run(late_sender, (void *)(long)p.client, "sender");
	assert_int_equal(c_recv(p.server, in, 6, MSG_WAITALL), 6);
	assert_memory_equal(in, "123456", 6);
	kthread_stop(t);
	assert_int_equal(c_setint(p.server, SOL_SOCKET, SO_RCVLOWAT, 4), 0);
	t = kthread_run(late_sender, (void *)(long)p.client, "sender");
	assert_int_equal(c_poll(p.server, POLLIN, 30), 0);
	assert_int_equal(c_recv(p.server, in, 10, 0), 6);
	kthread_stop(t);
	/* what is less is given to who does not wait */
	assert_int_equal(c_send(p.client, "7", 1, 0), 1);
	sim_run_ms(50);
	assert_int_equal(c_recv(p.server, in, 10, MSG_DONTWAIT), 1);
	tcp_pair_down(&p);
}

static void timeout_ends_the_wait(void **state)
{
	struct tcp_pair p = tcp_pair_up();
	s64 tv[2] = { 0, 50000 };
	u64 before = sim_now();

	assert_int_equal(c_setopt(p.server, SOL_SOCKET, SO_RCVTIMEO, tv, sizeof(tv)), 0);
	assert_int_equal(c_recv(p.server, in, 1, 0), -EAGAIN);
	assert_true(sim_now() - before >= 50 * NSEC_PER_MSEC);
	assert_int_equal(c_send(p.client, "ab", 2, 0), 2);
	assert_int_equal(c_recv(p.server, in, 4, MSG_WAITALL), 2);
	tcp_pair_down(&p);
}

static void end_comes_behind_the_data(void **state)
{
	struct tcp_pair p = tcp_pair_up();

	assert_int_equal(c_send(p.client, "last", 4, 0), 4);
	assert_int_equal(c_shutdown(p.client, SHUT_WR), 0);
	sim_run_ms(10);
	assert_int_equal(c_recv(p.server, in, 2, 0), 2);
	assert_int_equal(c_recv(p.server, in, 10, 0), 2);
	assert_int_equal(c_recv(p.server, in, 10, 0), 0);
	assert_int_equal(c_recv(p.server, in, 10, 0), 0);
	/* the other direction goes on */
	assert_int_equal(c_send(p.server, "still", 5, 0), 5);
	assert_int_equal(c_recv(p.client, in, 10, 0), 5);
	tcp_pair_down(&p);
}

static void reset_comes_behind_the_data(void **state)
{
	struct tcp_pair p = tcp_pair_up();
	int linger[2] = { 1, 0 };

	assert_int_equal(c_send(p.client, "last", 4, 0), 4);
	sim_run_ms(10);
	assert_int_equal(c_setopt(p.client, SOL_SOCKET, SO_LINGER, linger, sizeof(linger)), 0);
	c_close(p.client);
	p.client = -1;
	sim_run_ms(10);
	assert_int_equal(c_recv(p.server, in, 10, 0), 4);
	assert_int_equal(c_recv(p.server, in, 10, 0), -ECONNRESET);
	assert_int_equal(c_recv(p.server, in, 10, 0), 0);
	assert_int_equal(c_send(p.server, in, 1, MSG_NOSIGNAL), -EPIPE);
	tcp_pair_down(&p);
}

static void states_without_data(void **state)
{
	struct tcp_pair p = tcp_pair_up();
	int fd = c_socket(AF_INET, SOCK_STREAM, 0);

	assert_int_equal(c_recv(fd, in, 1, 0), -ENOTCONN);
	assert_int_equal(c_send(fd, in, 1, MSG_NOSIGNAL), -EPIPE);
	assert_int_equal(c_recv(p.listener, in, 1, 0), -ENOTCONN);
	assert_int_equal(c_send(p.listener, in, 1, MSG_NOSIGNAL), -EPIPE);
	assert_int_equal(c_shutdown(p.server, SHUT_RD), 0);
	assert_int_equal(c_recv(p.server, in, 1, 0), 0);
	c_close(fd);
	tcp_pair_down(&p);
}

static void small_segments_share_buffers(void **state)
{
	struct tcp_pair p = tcp_pair_up();
	int v = 1;

	c_setopt(p.client, SOL_TCP, 1, &v, sizeof(v));
	fill(out, 5000, 3);
	for (u32 i = 0; i < 5000; i++)
		assert_int_equal(c_send(p.client, out + i, 1, 0), 1);
	sim_run_ms(100);
	assert_int_equal(c_recv(p.server, in, 5000, MSG_WAITALL), 5000);
	assert_memory_equal(in, out, 5000);
	tcp_pair_down(&p);
}

/* Large buffers that are hardly a quarter full (lo lends the sender's): what is held is copied
 * together instead of being refused, and nothing of it changes. */
static void sparse_buffers_collapse(void **state)
{
	struct tcp_pair p;
	int fd;

	p.listener = c_socket(AF_INET, SOCK_STREAM, 0);
	assert_int_equal(c_setint(p.listener, SOL_SOCKET, SO_RCVBUF, 65000), 0);
	assert_int_equal(c_bind(p.listener, LOOP, 0), 0);
	assert_int_equal(c_listen(p.listener, 4), 0);
	p.port = c_port(p.listener);
	p.client = fd = c_socket(AF_INET, SOCK_STREAM, 0);
	assert_int_equal(c_connect(fd, LOOP, p.port), 0);
	p.server = c_accept(p.listener, 0);
	assert_int_equal(c_setint(fd, SOL_TCP, 1, 1), 0);
	assert_int_equal(c_setint(fd, SOL_SOCKET, SO_SNDBUF, 200000), 0);
	fill(out, 51000, 9);
	for (u32 i = 0; i < 3; i++) {
		assert_int_equal(c_send(fd, out + 17000 * i, 17000, MSG_DONTWAIT), 17000);
		sim_run_ms(50);
	}
	assert_int_equal(c_recv(p.server, in, 51000, MSG_WAITALL), 51000);
	assert_memory_equal(in, out, 51000);
	tcp_pair_down(&p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		tcp_host_test(data_comes_in_order_and_whole),
		tcp_host_test(peek_leaves_it_there),
		tcp_host_test(looks_go_on),
		tcp_host_test(what_waits_is_told),
		tcp_host_test(trunc_discards),
		tcp_host_test(waitall_and_lowat_wait),
		tcp_host_test(timeout_ends_the_wait),
		tcp_host_test(end_comes_behind_the_data),
		tcp_host_test(reset_comes_behind_the_data),
		tcp_host_test(states_without_data),
		tcp_host_test(small_segments_share_buffers),
		tcp_host_test(sparse_buffers_collapse),
	};

	sim_boot();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
