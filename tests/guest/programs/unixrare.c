/* SPDX-License-Identifier: MIT */
/* unixrare.c - what few programs ask of AF_UNIX: the urgent byte of a stream (MSG_OOB), and sockets
 * that were sent over each other and closed. */
#include "sockets.h"

#include <sys/un.h>

#define AT_MARK 0x8905 /* SIOCATMARK */

static int s[2];

/* ---- MSG_OOB ---- */

static void pair(void)
{
	check(socketpair(AF_UNIX, SOCK_STREAM, 0, s) == 0);
}

static void put(const char *data, int flags)
{
	check(send(s[0], data, strlen(data), flags) == (long)strlen(data));
}

/* A receive of at most len bytes gives just these. */
static void gives(size_t len, int flags, const char *data)
{
	char buf[32] = { 0 };
	struct iovec v = { buf, len };
	struct msghdr m = { .msg_iov = &v, .msg_iovlen = 1 };
	long n = recvmsg(s[1], &m, flags | MSG_DONTWAIT);

	if (n != (long)strlen(data) || strcmp(buf, data))
		printf("%ld '%s', wanted '%s'\n", n, buf, data);
	check(n == (long)strlen(data) && !strcmp(buf, data));
	check(m.msg_flags == (flags & MSG_OOB));
}

static void gives_no(int flags, int why)
{
	char buf[32];

	errno = 0;
	check(recv(s[1], buf, sizeof(buf), flags | MSG_DONTWAIT) == -1 && errno == why);
}

static void state(int at_mark, int readable, int events)
{
	struct pollfd p = { s[1], POLLIN | POLLPRI, 0 };
	int mark = -1, n = -1;

	check(ioctl(s[1], AT_MARK, &mark) == 0 && ioctl(s[1], FIONREAD, &n) == 0);
	poll(&p, 1, 0);
	if (mark != at_mark || n != readable || p.revents != events)
		printf("mark %d, %d bytes, events %#x\n", mark, n, p.revents);
	check(mark == at_mark && n == readable && p.revents == events);
}

static void read_out_of_turn(void)
{
	pair();
	put("hello", MSG_OOB);
	state(0, 5, POLLIN | POLLPRI);
	gives(10, MSG_OOB | MSG_PEEK, "o");
	gives(10, MSG_OOB, "o");
	state(0, 4, POLLIN);
	gives_no(MSG_OOB, EINVAL);
	gives(10, 0, "hell");
	state(1, 0, POLLIN); /* the mark is left */
	gives_no(0, EAGAIN);
	state(0, 0, 0);
	put("k", 0);
	gives(10, 0, "k");
}

static void read_in_turn(void)
{
	pair();
	put("hello", MSG_OOB);
	gives(10, 0, "hell");
	state(1, 1, POLLIN | POLLPRI);
	gives_no(MSG_PEEK, EAGAIN);
	gives_no(0, EAGAIN); /* passed by, and gone */
	gives_no(MSG_OOB, EINVAL);
	put("more", 0);
	gives(10, 0, "more");
}

static void a_later_one(void)
{
	pair();
	put("ab", MSG_OOB);
	put("cd", MSG_OOB);
	state(0, 4, POLLIN | POLLPRI);
	gives(10, 0, "abc"); /* the first one is data */
	state(1, 1, POLLIN | POLLPRI);
	gives(10, MSG_OOB, "d");
	state(1, 0, POLLIN);
	put("ef", 0);
	gives(10, 0, "ef");
	gives_no(0, EAGAIN);
}

static void marks_part_the_stream(void)
{
	pair();
	put("ab", MSG_OOB);
	put("cd", 0);
	gives(10, MSG_OOB, "b");
	state(0, 3, POLLIN);
	gives(10, MSG_PEEK, "a");
	gives(10, MSG_WAITALL, "a");
	state(1, 2, POLLIN);
	gives(10, 0, "cd");
	state(0, 0, 0);
	put("abc", MSG_OOB);
	put("de", 0);
	gives(9, MSG_WAITALL, "ab");
	gives(9, 0, "de");
	/* a mark before another one parts nothing */
	pair();
	put("xa", MSG_OOB);
	gives(1, MSG_OOB, "a");
	put("yb", MSG_OOB);
	state(0, 3, POLLIN | POLLPRI);
	gives(9, 0, "xy");
	state(1, 1, POLLIN | POLLPRI);
}

static void in_line(void)
{
	int on = 1;

	pair();
	check(setsockopt(s[1], SOL_SOCKET, SO_OOBINLINE, &on, sizeof(on)) == 0);
	put("ab", MSG_OOB);
	put("cd", 0);
	gives_no(MSG_OOB, EINVAL);
	state(0, 4, POLLIN | POLLPRI);
	gives(10, 0, "a");
	state(1, 3, POLLIN | POLLPRI);
	gives(10, MSG_PEEK, "bcd");
	gives(10, 0, "bcd");
	state(0, 0, 0);
}

static void alone(void)
{
	char none[1];

	pair();
	put("a", MSG_OOB);
	state(1, 1, POLLIN | POLLPRI);
	check(recv(s[1], none, 0, MSG_OOB) == 1);
	state(1, 0, POLLIN);
	gives_no(MSG_PEEK, EAGAIN);
	put("bc", 0);
	gives(10, MSG_PEEK, "bc");
	gives(10, 0, "bc");
	put("a", MSG_OOB);
	gives(1, MSG_OOB, "a");
	put("b", MSG_OOB);
	state(1, 1, POLLIN | POLLPRI);
	gives(1, MSG_OOB, "b");
	state(1, 0, POLLIN);
	put("cd", 0);
	state(1, 2, POLLIN);
	gives(9, MSG_PEEK, "cd");
	gives(9, 0, "cd");
	state(0, 0, 0);
	put("a", MSG_OOB);
	gives(1, MSG_OOB, "a");
	/* a mark is nothing unread: the other end sees no reset */
	check(close(s[1]) == 0 && recv(s[0], none, 1, 0) == 0);
}

static void other_kinds(void)
{
	char buf[4];
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	fails(recv(fd, buf, 1, MSG_OOB), EINVAL);
	pair();
	fails(send(s[0], "", 0, MSG_OOB), EOPNOTSUPP);
	gives_no(MSG_OOB, EINVAL);
	check(socketpair(AF_UNIX, SOCK_DGRAM, 0, s) == 0);
	fails(send(s[0], "a", 1, MSG_OOB), EOPNOTSUPP);
	gives_no(MSG_OOB, EOPNOTSUPP);
	check(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, s) == 0);
	fails(send(s[0], "a", 1, MSG_OOB), EOPNOTSUPP);
	gives_no(MSG_OOB, EOPNOTSUPP);
}

static volatile int urgent;

static void on_urgent(int sig)
{
	urgent++;
}

static void signalled(void)
{
	pair();
	signal(SIGURG, on_urgent);
	check(fcntl(s[1], F_SETOWN, getpid()) == 0);
	put("a", 0);
	check(urgent == 0);
	put("b", MSG_OOB);
	for (int i = 0; i < 1000 && !urgent; i++)
		sleep_ms(5);
	check(urgent == 1);
}

/* ---- rings ---- */

static void send_fd(int over, int fd)
{
	check(send_with_int(over, "x", SCM_RIGHTS, fd) == 1);
}

static int receive_fd(int from)
{
	char control[CMSG_SPACE(sizeof(int))], data;
	struct iovec v = { &data, 1 };
	struct msghdr m = { .msg_iov = &v,
			    .msg_iovlen = 1,
			    .msg_control = control,
			    .msg_controllen = sizeof(control) };
	int fd;

	check(recvmsg(from, &m, 0) == 1 && CMSG_FIRSTHDR(&m));
	memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&m)), sizeof(int));
	return fd;
}

/* Sockets that end make the kernel look; then the pipe's last writer is gone. */
static int ends(int reader, int ms)
{
	struct pollfd p = { reader, 0, 0 };
	long until = now_ms() + ms;
	int other[2];

	do {
		check(socketpair(AF_UNIX, SOCK_STREAM, 0, other) == 0);
		close(other[0]);
		close(other[1]);
		if (poll(&p, 1, 20) == 1)
			return p.revents == POLLHUP;
	} while (now_ms() < until);
	return 0;
}

static void rings_are_collected(void)
{
	int p[2], a[2], b[2];

	/* each end waits in the queue of the other */
	check(pipe(p) == 0);
	pair();
	send_fd(s[0], p[1]);
	send_fd(s[0], s[0]);
	send_fd(s[1], s[1]);
	close(p[1]);
	close(s[0]);
	check(!ends(p[0], 100)); /* it may still be received from s[1] */
	close(s[1]);
	check(ends(p[0], 10000));
	close(p[0]);
	/* two pairs, and the pipe hangs on the ring */
	check(pipe(p) == 0);
	check(socketpair(AF_UNIX, SOCK_DGRAM, 0, a) == 0);
	check(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, b) == 0);
	send_fd(a[0], b[1]); /* waits at a[1] */
	send_fd(b[0], a[1]); /* waits at b[1] */
	send_fd(a[0], p[1]);
	close(p[1]);
	close(a[1]);
	close(b[1]);
	check(ends(p[0], 10000));
	/* those that were left notice */
	fails(send(a[0], "x", 1, MSG_NOSIGNAL), ECONNREFUSED);
	fails(send(b[0], "x", 1, MSG_NOSIGNAL), EPIPE);
}

static void what_is_held_stays(void)
{
	int p[2], a[2], b[2], got;

	check(pipe(p) == 0 && socketpair(AF_UNIX, SOCK_STREAM, 0, a) == 0);
	check(socketpair(AF_UNIX, SOCK_STREAM, 0, b) == 0);
	/* a chain: the pipe at b[1], b[1] at a[1], which is open */
	send_fd(b[0], p[1]);
	send_fd(a[0], b[1]);
	send_fd(b[0], b[1]); /* and b[1] at itself */
	close(p[1]);
	close(b[1]);
	close(b[0]);
	close(a[0]);
	check(!ends(p[0], 200));
	got = receive_fd(a[1]);
	p[1] = receive_fd(got);
	close(got);
	check(write(p[1], "there", 5) == 5);
	close(p[1]);
	check(read(p[0], (char[8]){ 0 }, 8) == 5);
}

static void listeners_too(void)
{
	struct sockaddr_un name = { .sun_family = AF_UNIX };
	int l = socket(AF_UNIX, SOCK_STREAM, 0), c = socket(AF_UNIX, SOCK_STREAM, 0), p[2];
	socklen_t len = 2 + snprintf(name.sun_path + 1, 64, "ring.%d", getpid()) + 1;

	check(pipe(p) == 0 && bind(l, (void *)&name, len) == 0 && listen(l, 1) == 0);
	check(connect(c, (void *)&name, len) == 0);
	send_fd(c, l); /* waits with the connection, for the listener to accept it */
	send_fd(c, p[1]);
	close(p[1]);
	close(c);
	close(l);
	check(ends(p[0], 10000));
}

/* As many as the bound of files on their way allows, and more: all come back. */
static void many_rings(void)
{
	int p[2];

	check(pipe(p) == 0);
	for (int i = 0; i < 400; i++) {
		pair();
		send_fd(s[0], p[1]);
		for (int k = 0; k < 20; k++)
			send_fd(s[1], s[1]);
		send_fd(s[0], s[0]);
		close(s[0]);
		close(s[1]);
	}
	close(p[1]);
	check(ends(p[0], 20000));
}

static const struct test tests[] = {
	TEST(read_out_of_turn),	     TEST(read_in_turn),  TEST(a_later_one),
	TEST(marks_part_the_stream), TEST(in_line),	  TEST(alone),
	TEST(other_kinds),	     TEST(signalled),	  TEST(rings_are_collected),
	TEST(what_is_held_stays),    TEST(listeners_too), TEST(many_rings),
};

int main(int argc, char **argv)
{
	return run_tests(argc, argv, tests, LENGTH(tests), 60);
}
