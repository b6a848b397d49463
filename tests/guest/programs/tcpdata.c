/* SPDX-License-Identifier: MIT */
/* tcpdata.c - TCP sockets over loopback: reading and writing, shutdown, close and reset, urgent
 * data. */
#include "tcpcheck.h"

#include <pthread.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/time.h>
#include <sys/uio.h>

#define SIOCATMARK 0x8905
#define SIOCOUTQ 0x5411

/* ---- moving data ---- */

static void *echo(void *arg)
{
	int fd = (int)(long)arg;
	static char own[65536];
	ssize_t n;

	while ((n = read(fd, own, sizeof(own))) > 0) {
		for (ssize_t done = 0, w; done < n; done += w) {
			w = write(fd, own + done, n - done);
			check(w > 0);
		}
	}
	shutdown(fd, SHUT_WR);
	return NULL;
}

static void there_and_back(void)
{
	size_t sent = 0, got = 0;
	pthread_t t;
	ssize_t n;

	pair();
	for (size_t i = 0; i < sizeof(buf); i++)
		buf[i] = i * 31 + (i >> 8);
	check(pthread_create(&t, NULL, echo, (void *)(long)server) == 0);
	nonblock(client);
	while (got < sizeof(buf)) {
		struct pollfd p = { .fd = client,
				    .events = POLLIN | (sent < sizeof(buf) ? POLLOUT : 0) };

		check(poll(&p, 1, 5000) == 1);
		if (p.revents & POLLOUT) {
			n = send(client, buf + sent, sizeof(buf) - sent, 0);
			check(n > 0 || errno == EAGAIN);
			sent += n > 0 ? n : 0;
			if (sent == sizeof(buf))
				check(shutdown(client, SHUT_WR) == 0);
		}
		if (p.revents & POLLIN) {
			n = recv(client, back + got, sizeof(back) - got, 0);
			check(n > 0);
			got += n;
		}
	}
	check(!memcmp(buf, back, sizeof(buf)));
	check(wait_events(client, POLLIN) & POLLIN);
	check(recv(client, back, 1, 0) == 0);
	pthread_join(t, NULL);
}

static void reading(void)
{
	struct iovec v[2] = { { back, 3 }, { back + 100, 10 } };
	struct msghdr m = { .msg_iov = v, .msg_iovlen = 2, .msg_namelen = 77 };
	char name[100];

	pair();
	check(send(client, "abcdef", 6, 0) == 6);
	check(wait_events(server, POLLIN) == POLLIN);
	check(recv(server, back, 2, MSG_PEEK) == 2 && !memcmp(back, "ab", 2));
	check(queued(server, FIONREAD) == 6);
	m.msg_name = name;
	check(recvmsg(server, &m, 0) == 6 && !memcmp(back, "abc", 3));
	check(!memcmp(back + 100, "def", 3) && m.msg_namelen == 0 && m.msg_flags == 0);
	fails(recv(server, back, 1, MSG_DONTWAIT), EAGAIN);
	fails(recv(server, back, 1, MSG_DONTWAIT | MSG_WAITALL), EAGAIN);
	check(send(client, "0123456789", 10, 0) == 10);
	check(wait_events(server, POLLIN) == POLLIN);
	memset(back, 'x', 4);
	check(recv(server, back, 4, MSG_TRUNC) == 4 && back[0] == 'x');
	check(recv(server, back, 20, MSG_DONTWAIT | MSG_WAITALL) == 6 && back[0] == '4');
	fails(recv(server, (void *)8, 1, MSG_DONTWAIT), EAGAIN);
	check(send(client, "x", 1, 0) == 1);
	check(wait_events(server, POLLIN) == POLLIN);
	fails(recv(server, (void *)8, 1, 0), EFAULT);
	check(recv(server, back, 1, 0) == 1);
	fails(send(client, (void *)8, 1, 0), EFAULT);
	check(send(client, "", 0, 0) == 0);
}

/* What was not told of is read by the next call, whatever a bad address has cut off. */
static void reading_to_the_edge(void)
{
	const char *text = "0123456789abcdef";
	long page = sysconf(_SC_PAGESIZE);
	char *edge =
		mmap(NULL, 2 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ssize_t n;

	check(edge != MAP_FAILED && munmap(edge + page, page) == 0);
	pair();
	check(send(client, text, 16, 0) == 16);
	check(wait_events(server, POLLIN) == POLLIN);
	n = recv(server, edge + page - 10, 100, 0);
	check(n == 10 || (n < 0 && errno == EFAULT));
	if (n < 0)
		n = 0;
	check(!memcmp(edge + page - 10, text, n));
	check(queued(server, FIONREAD) == 16 - n);
	check(recv(server, back, 100, 0) == 16 - n && !memcmp(back, text + n, 16 - n));
	fails(recv(server, back, 1, MSG_DONTWAIT), EAGAIN);
}

static void lowat(void)
{
	int four = 4;

	pair();
	check(setsockopt(server, SOL_SOCKET, SO_RCVLOWAT, &four, sizeof(four)) == 0);
	check(get(server, SOL_SOCKET, SO_RCVLOWAT) == 4);
	check(send(client, "abc", 3, 0) == 3);
	arrived(server, 3);
	check(events(server, POLLIN) == 0);
	check(send(client, "d", 1, 0) == 1);
	check(wait_events(server, POLLIN) == POLLIN);
	check(recv(server, back, 10, 0) == 4);
	check(send(client, "e", 1, 0) == 1);
	check(shutdown(client, SHUT_WR) == 0);
	check(wait_events(server, POLLIN) == POLLIN);
	check(recv(server, back, 10, 0) == 1);
}

static void full(void)
{
	struct timeval tv = { 0, 50000 };
	long start;
	size_t total;

	pair();
	total = stuff(client);
	check(events(client, POLLOUT) == 0);
	check(setsockopt(client, SOL_SOCKET, SO_SNDTIMEO, &tv, sizeof(tv)) == 0);
	start = now_ms();
	fails(send(client, buf, 1, 0), EAGAIN);
	check(now_ms() - start >= 50);
	check(queued(client, SIOCOUTQ) > 0);
	while (total) {
		ssize_t n = recv(server, back, sizeof(back), 0);

		check(n > 0);
		total -= n;
	}
	check(wait_events(client, POLLOUT) == POLLOUT);
	soon(queued(client, SIOCOUTQ) == 0);
}

static void more_and_cork(void)
{
	int on = 1;

	pair();
	check(send(client, "a", 1, MSG_MORE) == 1);
	fails(recv(server, back, 10, MSG_DONTWAIT), EAGAIN);
	check(send(client, "b", 1, 0) == 1);
	check(wait_events(server, POLLIN) == POLLIN);
	check(recv(server, back, 10, 0) == 2);
	check(setsockopt(client, IPPROTO_TCP, TCP_CORK, &on, sizeof(on)) == 0);
	check(send(client, "a", 1, 0) == 1 && send(client, "b", 1, 0) == 1);
	sleep_ms(20); /* none shall come */
	fails(recv(server, back, 10, MSG_DONTWAIT), EAGAIN);
	on = 0;
	check(setsockopt(client, IPPROTO_TCP, TCP_CORK, &on, sizeof(on)) == 0);
	check(wait_events(server, POLLIN) == POLLIN);
	check(recv(server, back, 10, 0) == 2);
}

static void from_a_file(void)
{
	int fd = open("/tmp/tcpsock.data", O_RDWR | O_CREAT | O_TRUNC, 0600);
	off_t at = 100;
	size_t got = 0;
	ssize_t n;

	check(fd >= 0 && unlink("/tmp/tcpsock.data") == 0);
	for (size_t i = 0; i < 300000; i++)
		buf[i] = i * 7 + (i >> 9);
	check(write(fd, buf, 300000) == 300000);
	pair();
	if (!fork()) {
		while (at < 300000)
			check(sendfile(client, fd, &at, 300000 - at) > 0);
		_exit(0);
	}
	close(client);
	while ((n = recv(server, back + got, sizeof(back) - got, 0)) > 0)
		got += n;
	check(n == 0 && got == 299900 && !memcmp(back, buf + 100, got));
}

/* ---- the end ---- */

static void half_closed(void)
{
	pair();
	check(send(client, "x", 1, 0) == 1 && shutdown(client, SHUT_WR) == 0);
	fails(send(client, "x", 1, MSG_NOSIGNAL), EPIPE);
	soon(events(server, ALL) == (POLLIN | POLLOUT | POLLRDHUP));
	check(events(client, ALL) == POLLOUT);
	check(recv(server, back, 10, 0) == 1 && recv(server, back, 10, 0) == 0);
	check(send(server, "back", 4, 0) == 4);
	check(recv(client, back, 10, 0) == 4);
	check(shutdown(server, SHUT_WR) == 0);
	check(recv(client, back, 10, 0) == 0);
	check(events(client, ALL) == (POLLIN | POLLOUT | POLLRDHUP | POLLHUP));
	fails(shutdown(client, SHUT_RDWR), ENOTCONN);
	fails(shutdown(tcp(), SHUT_RDWR), ENOTCONN);
}

static void reading_shut(void)
{
	pair();
	check(shutdown(server, SHUT_RD) == 0);
	check(events(server, ALL) == (POLLIN | POLLOUT | POLLRDHUP));
	check(recv(server, back, 1, 0) == 0);
	/* what comes all the same may be read */
	check(send(client, "x", 1, 0) == 1);
	arrived(server, 1);
	check(recv(server, back, 1, 0) == 1);
	check(recv(server, back, 1, 0) == 0);
	check(send(server, "y", 1, 0) == 1);
	check(recv(client, back, 1, 0) == 1);
}

static void pipe_broken(void)
{
	pair();
	signal(SIGPIPE, SIG_IGN);
	reset(&server);
	soon(events(client, ALL) == (POLLIN | POLLOUT | POLLERR | POLLHUP | POLLRDHUP));
	fails(send(client, "x", 1, 0), ECONNRESET);
	fails(send(client, "x", 1, 0), EPIPE);
	check(recv(client, back, 1, 0) == 0);
	signal(SIGPIPE, SIG_DFL);
	send(client, "x", 1, 0);
}

/* Closing with unread data resets (RFC 2525 2.17). */
static void unread(void)
{
	pair();
	check(send(client, "x", 1, 0) == 1);
	arrived(server, 1);
	close(server);
	fails(recv(client, back, 1, 0), ECONNRESET);
}

static void closed_peer(void)
{
	pair();
	close(server);
	check(recv(client, back, 1, 0) == 0);
	check(send(client, "x", 1, MSG_NOSIGNAL) == 1); /* answered by a RST */
	soon(events(client, 0) & POLLHUP);
	fails(send(client, "x", 1, MSG_NOSIGNAL), EPIPE);
	check(recv(client, back, 1, 0) == 0);
}

static void data_before_reset(void)
{
	pair();
	check(send(client, "last", 4, 0) == 4);
	arrived(server, 4);
	reset(&client);
	soon(events(server, 0) & POLLERR);
	check(recv(server, back, 10, 0) == 4);
	fails(recv(server, back, 10, 0), ECONNRESET);
	check(recv(server, back, 10, 0) == 0);
}

static void lingering(void)
{
	struct linger l = { 1, 5 };
	long start = now_ms();

	pair();
	check(setsockopt(client, SOL_SOCKET, SO_LINGER, &l, sizeof(l)) == 0);
	check(send(client, "x", 1, 0) == 1);
	close(client);
	check(now_ms() - start < 1000);
	check(recv(server, back, 10, 0) == 1 && recv(server, back, 10, 0) == 0);
}

/* ---- urgent data ---- */

static void urgent(void)
{
	pair();
	check(send(client, "abc", 3, 0) == 3);
	check(send(client, "dU", 2, MSG_OOB) == 2);
	check(send(client, "ef", 2, 0) == 2);
	check(wait_events(server, POLLPRI) == POLLPRI);
	soon(events(server, ALL) == (POLLIN | POLLOUT | POLLPRI));
	check(queued(server, FIONREAD) == 4 && queued(server, SIOCATMARK) == 0);
	check(recv(server, back, 1, MSG_OOB | MSG_PEEK) == 1 && back[0] == 'U');
	check(recv(server, back, 1, MSG_OOB) == 1 && back[0] == 'U');
	fails(recv(server, back, 1, MSG_OOB), EINVAL);
	check(events(server, POLLPRI) == 0);
	/* data stops at the mark, and goes on behind it */
	check(recv(server, back, 10, 0) == 4 && !memcmp(back, "abcd", 4));
	check(queued(server, SIOCATMARK) == 1);
	check(recv(server, back, 10, 0) == 2 && !memcmp(back, "ef", 2));
	check(queued(server, SIOCATMARK) == 0);
	fails(recv(server, back, 1, MSG_OOB), EINVAL);
}

static void urgent_inline(void)
{
	int on = 1;

	pair();
	check(setsockopt(server, SOL_SOCKET, SO_OOBINLINE, &on, sizeof(on)) == 0);
	check(send(client, "ab", 2, 0) == 2 && send(client, "U", 1, MSG_OOB) == 1);
	check(send(client, "cd", 2, 0) == 2);
	arrived(server, 5);
	fails(recv(server, back, 1, MSG_OOB), EINVAL);
	check(recv(server, back, 10, 0) == 2 && queued(server, SIOCATMARK) == 1);
	check(recv(server, back, 10, 0) == 3 && !memcmp(back, "Ucd", 3));
}

static volatile int urgent_signals;

static void on_urgent(int sig)
{
	urgent_signals++;
}

static void urgent_signal(void)
{
	pair();
	signal(SIGURG, on_urgent);
	check(fcntl(server, F_SETOWN, getpid()) == 0 && fcntl(server, F_GETOWN) == getpid());
	check(send(client, "U", 1, MSG_OOB) == 1);
	soon(urgent_signals);
	check(urgent_signals == 1);
}

static const struct test tests[] = {
	TEST(there_and_back),
	TEST(reading),
	TEST(reading_to_the_edge),
	TEST(lowat),
	TEST(full),
	TEST(more_and_cork),
	TEST(from_a_file),
	TEST(half_closed),
	TEST(reading_shut),
	DIES(pipe_broken, SIGPIPE),
	TEST(unread),
	TEST(closed_peer),
	TEST(data_before_reset),
	TEST(lingering),
	TEST(urgent),
	TEST(urgent_inline),
	TEST(urgent_signal),
};

int main(int argc, char **argv)
{
	return run_tests(argc, argv, tests, LENGTH(tests), 20);
}
