/* SPDX-License-Identifier: MIT */
/* unixsock.c - AF_UNIX sockets, and what socket calls say without any network module. */
#include "check.h"

#include <fcntl.h>
#include <poll.h>
#include <stddef.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/un.h>

static int s[2];

static socklen_t address(struct sockaddr_un *a, const char *path)
{
	memset(a, 0, sizeof(*a));
	a->sun_family = AF_UNIX;
	strcpy(a->sun_path, path);
	return offsetof(struct sockaddr_un, sun_path) + strlen(path) + 1;
}

static void pair_of_streams(void)
{
	char buf[32];

	check(socketpair(AF_UNIX, SOCK_STREAM, 0, s) == 0);
	check(write(s[0], "hello", 5) == 5 && read(s[1], buf, 3) == 3 &&
	      read(s[1], buf + 3, 20) == 2);
	check(!memcmp(buf, "hello", 5));
	check(send(s[1], "back", 4, 0) == 4 && recv(s[0], buf, 32, MSG_PEEK) == 4 &&
	      recv(s[0], buf, 32, 0) == 4);
	fails(recv(s[0], buf, 1, MSG_DONTWAIT), EAGAIN);
	check(shutdown(s[0], SHUT_WR) == 0 && read(s[1], buf, 1) == 0);
	fails(send(s[0], "x", 1, MSG_NOSIGNAL), EPIPE);
	check(write(s[1], "still", 5) == 5 && read(s[0], buf, 5) == 5);
	close(s[1]);
	check(read(s[0], buf, 1) == 0);
}

static void pair_of_datagrams(void)
{
	char buf[32];

	check(socketpair(AF_UNIX, SOCK_DGRAM, 0, s) == 0);
	check(send(s[0], "one", 3, 0) == 3 && send(s[0], "two!", 4, 0) == 4);
	check(recv(s[1], buf, 2, MSG_TRUNC) == 3); /* cut, real length told */
	check(recv(s[1], buf, 32, 0) == 4 && !memcmp(buf, "two!", 4));
}

/* Nobody of another type is there; of an abstract name the type is a part. */
static void other_type(const struct sockaddr_un *a, socklen_t len, int why)
{
	int fd = socket(AF_UNIX, SOCK_DGRAM, 0);

	fails(connect(fd, (const void *)a, len), why);
	close(fd);
}

static void named_stream(void)
{
	struct sockaddr_un a, peer;
	socklen_t len = address(&a, "/tmp/unix-stream"), plen = sizeof(peer);
	struct sockaddr_un none = { AF_UNIX, "\0stream" };
	int l = socket(AF_UNIX, SOCK_STREAM, 0), c, hidden = socket(AF_UNIX, SOCK_STREAM, 0);
	char buf[8];
	pid_t pid;

	unlink(a.sun_path);
	c = socket(AF_UNIX, SOCK_STREAM, 0);
	fails(connect(c, (void *)&a, len), ENOENT);
	check(l >= 0 && bind(l, (void *)&a, len) == 0);
	fails(connect(c, (void *)&a, len), ECONNREFUSED);
	fails(bind(c, (void *)&a, len), EADDRINUSE);
	check(listen(l, 5) == 0);
	other_type(&a, len, EPROTOTYPE);
	check(bind(hidden, (void *)&none, 2 + sizeof("stream")) == 0 && listen(hidden, 1) == 0);
	other_type(&none, 2 + sizeof("stream"), ECONNREFUSED);
	close(hidden);
	pid = fork();
	if (!pid) {
		check(connect(c, (void *)&a, len) == 0 && write(c, "ping", 4) == 4);
		check(read(c, buf, 8) == 4 && !memcmp(buf, "pong", 4));
		_exit(0);
	}
	int got = accept(l, (void *)&peer, &plen);
	check(got >= 0 && peer.sun_family == AF_UNIX);
	check(read(got, buf, 8) == 4 && write(got, "pong", 4) == 4);
	check(status_of(pid) == 0);
	struct ucred cred;
	socklen_t clen = sizeof(cred);
	check(getsockopt(got, SOL_SOCKET, SO_PEERCRED, &cred, &clen) == 0 && cred.pid == pid);
	unlink(a.sun_path);
}

/* Whoever has gone before accept is let in all the same, and both ends keep knowing each other. */
static void accepts_who_left(void)
{
	struct sockaddr_un a, peer;
	socklen_t len = address(&a, "/tmp/unix-left"), plen = sizeof(peer);
	int l = socket(AF_UNIX, SOCK_STREAM, 0), c = socket(AF_UNIX, SOCK_STREAM, 0), got;
	char buf[8];

	unlink(a.sun_path);
	check(bind(l, (void *)&a, len) == 0 && listen(l, 5) == 0);
	check(connect(c, (void *)&a, len) == 0 && write(c, "bye", 3) == 3 && close(c) == 0);
	got = accept(l, (void *)&peer, &plen);
	check(got >= 0 && peer.sun_family == AF_UNIX && plen == 2);
	plen = sizeof(peer);
	check(getpeername(got, (void *)&peer, &plen) == 0 && plen == 2);
	check(read(got, buf, 8) == 3 && read(got, buf, 8) == 0);
	fails(send(got, "x", 1, MSG_NOSIGNAL), EPIPE);
	close(got);
	c = socket(AF_UNIX, SOCK_STREAM, 0);
	check(connect(c, (void *)&a, len) == 0);
	close(accept(l, NULL, NULL));
	plen = sizeof(peer);
	check(getpeername(c, (void *)&peer, &plen) == 0 && !strcmp(peer.sun_path, a.sun_path));
	check(read(c, buf, 8) == 0);
	close(c);
	close(l);
	unlink(a.sun_path);
}

static void named_datagrams(void)
{
	struct sockaddr_un a;
	socklen_t len = address(&a, "/tmp/unix-dgram");
	int l = socket(AF_UNIX, SOCK_DGRAM, 0), c = socket(AF_UNIX, SOCK_DGRAM, 0);
	char buf[8];

	unlink(a.sun_path);
	check(bind(l, (void *)&a, len) == 0);
	check(sendto(c, "abc", 3, 0, (void *)&a, len) == 3 && recv(l, buf, 8, 0) == 3);
	check(connect(c, (void *)&a, len) == 0 && send(c, "defg", 4, 0) == 4 &&
	      recv(l, buf, 8, 0) == 4);
	close(l);
	fails(send(c, "x", 1, 0), ECONNREFUSED);
	unlink(a.sun_path);
}

static void passes_descriptors(void)
{
	char data = 'f', control[CMSG_SPACE(sizeof(int))];
	struct iovec iov = { &data, 1 };
	struct msghdr m = { .msg_iov = &iov,
			    .msg_iovlen = 1,
			    .msg_control = control,
			    .msg_controllen = sizeof(control) };
	struct cmsghdr *c;
	int p[2], got;

	check(socketpair(AF_UNIX, SOCK_STREAM, 0, s) == 0 && pipe(p) == 0);
	c = CMSG_FIRSTHDR(&m);
	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(c), &p[1], sizeof(int));
	if (sendmsg(s[0], &m, 0) < 0) {
		check(errno == EOPNOTSUPP || errno == EINVAL);
		return;
	}
	close(p[1]);
	memset(control, 0, sizeof(control));
	m.msg_controllen = sizeof(control);
	check(recvmsg(s[1], &m, 0) == 1);
	c = CMSG_FIRSTHDR(&m);
	if (!c)
		return; /* SCM_RIGHTS is optional */
	memcpy(&got, CMSG_DATA(c), sizeof(int));
	check(got != p[1] || fcntl(got, F_GETFD) >= 0);
	check(write(got, "via", 3) == 3);
	char buf[4];
	check(read(p[0], buf, 4) == 3);
}

static void send_with(const char *text, int fd)
{
	char control[CMSG_SPACE(sizeof(int))] = { 0 };
	struct iovec v = { (void *)text, strlen(text) };
	struct msghdr m = { .msg_iov = &v, .msg_iovlen = 1 };
	struct cmsghdr *c;

	if (fd >= 0) {
		m.msg_control = control;
		m.msg_controllen = sizeof(control);
		c = CMSG_FIRSTHDR(&m);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(c), &fd, sizeof(int));
	}
	check(sendmsg(s[0], &m, 0) == (ssize_t)v.iov_len);
}

/* The descriptor that comes with text, -1: none. */
static int take_with(int flags, const char *text)
{
	char control[CMSG_SPACE(sizeof(int))], buf[16];
	struct iovec v = { buf, sizeof(buf) };
	struct msghdr m = { .msg_iov = &v,
			    .msg_iovlen = 1,
			    .msg_control = control,
			    .msg_controllen = sizeof(control) };
	struct cmsghdr *c;
	int fd = -1;

	check(recvmsg(s[1], &m, flags) == (ssize_t)strlen(text) &&
	      !memcmp(buf, text, strlen(text)));
	c = CMSG_FIRSTHDR(&m);
	if (c)
		memcpy(&fd, CMSG_DATA(c), sizeof(int));
	return fd;
}

/* A look gives what a receive would: bytes end behind descriptors, which come with their own. */
static void a_look_ends_where_descriptors_do(void)
{
	int fd;

	check(socketpair(AF_UNIX, SOCK_STREAM, 0, s) == 0);
	send_with("aa", -1);
	send_with("bb", 1);
	send_with("cc", -1);
	fd = take_with(MSG_PEEK, "aabb");
	check(fd >= 0 && close(fd) == 0);
	fd = take_with(0, "aabb");
	check(fd >= 0 && close(fd) == 0);
	check(take_with(MSG_PEEK, "cc") == -1);
	send_with("dd", 1);
	fd = take_with(MSG_PEEK, "ccdd");
	check(fd >= 0 && close(fd) == 0);
	check(recv(s[1], (char[3]){ 0 }, 3, MSG_PEEK) == 3);
	fd = take_with(0, "ccdd");
	check(fd >= 0 && close(fd) == 0);
}

static void polls(void)
{
	struct pollfd f;

	check(socketpair(AF_UNIX, SOCK_STREAM, 0, s) == 0);
	f = (struct pollfd){ s[0], POLLIN | POLLOUT, 0 };
	check(poll(&f, 1, 0) == 1 && f.revents == POLLOUT);
	check(write(s[1], "x", 1) == 1 && poll(&f, 1, 0) == 1 && f.revents == (POLLIN | POLLOUT));
	close(s[1]);
	check(poll(&f, 1, 0) == 1 && f.revents & POLLHUP);
}

static void fills_up(void)
{
	static char block[4096];
	long total = 0, n;

	check(socketpair(AF_UNIX, SOCK_STREAM, 0, s) == 0);
	fcntl(s[0], F_SETFL, O_NONBLOCK);
	while ((n = write(s[0], block, sizeof(block))) > 0)
		total += n;
	check(errno == EAGAIN && total >= 16384 && total < 16 << 20);
	while (total > 0 && (n = read(s[1], block, sizeof(block))) > 0)
		total -= n;
	check(total == 0 && write(s[0], block, 1) == 1);
}

static void errors(void)
{
	struct sockaddr_un a;
	char buf[4];
	int fd;

	fails(socket(99, SOCK_STREAM, 0), EAFNOSUPPORT);
	fails(socket(AF_UNIX, 77, 0), EINVAL);
	fails(socketpair(AF_UNIX, SOCK_STREAM, 0, (int *)8), EFAULT);
	fd = socket(AF_UNIX, SOCK_STREAM, 0);
	check(fd >= 0);
	fails(recv(fd, buf, 4, MSG_DONTWAIT), EINVAL);
	fails(send(fd, buf, 4, MSG_NOSIGNAL), ENOTCONN);
	fails(accept(fd, NULL, NULL), EINVAL);
	fails(bind(fd, (void *)&a, 1), EINVAL);
	fails(bind(fd, (void *)8, 20), EFAULT);
	fails(listen(0x7fff, 1), EBADF);
	fails(listen(open("/dev/null", O_RDONLY), 1), ENOTSOCK);
	fails(setsockopt(fd, SOL_SOCKET, 9999, buf, 4), ENOPROTOOPT);
	fails(getsockname(fd, (void *)8, (void *)8), EFAULT);
}

static void carries_much(void)
{
	static char block[20000];
	long total = 0, n;
	pid_t pid;

	check(socketpair(AF_UNIX, SOCK_STREAM, 0, s) == 0);
	pid = fork();
	if (!pid) {
		close(s[0]);
		for (int i = 0; i < 100; i++)
			for (long left = sizeof(block); left > 0; left -= n) {
				n = write(s[1], block, left);
				check(n > 0);
			}
		_exit(0);
	}
	close(s[1]);
	while ((n = read(s[0], block, sizeof(block))) > 0)
		total += n;
	check(status_of(pid) == 0 && total == 100 * (long)sizeof(block));
}

/* Is there a line of /proc/net/unix with that name, and these flags and state? */
static int has_line(const char *name, const char *flags_type_state)
{
	char line[512];
	FILE *f = fopen("/proc/net/unix", "r");
	int found = 0;

	check(f);
	check(fgets(line, sizeof(line), f) &&
	      !strcmp(line, "Num       RefCount Protocol Flags    Type St Inode Path\n"));
	while (fgets(line, sizeof(line), f)) {
		size_t n = strlen(line);

		line[--n] = 0;
		if (n > strlen(name) && !strcmp(line + n - strlen(name), name) &&
		    strstr(line, flags_type_state))
			found = 1;
	}
	fclose(f);
	return found;
}

static void listed(void)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	char path[64];
	int l = socket(AF_UNIX, SOCK_STREAM, 0), d = socket(AF_UNIX, SOCK_DGRAM, 0);

	snprintf(path, sizeof(path), "/tmp/listed.%d", getpid());
	strcpy(a.sun_path, path);
	check(bind(l, (void *)&a, sizeof(a)) == 0);
	check(has_line(path, " 00000000 00000000 0001 01 "));
	check(listen(l, 1) == 0);
	check(has_line(path, " 00000000 00010000 0001 01 "));
	a.sun_path[0] = 0;
	check(bind(d, (void *)&a, 2 + strlen(path)) == 0);
	path[0] = '@';
	check(has_line(path, " 00000000 00000000 0002 01 "));
	close(d);
	check(!has_line(path, " 0002 01 "));
	path[0] = '/';
	close(l);
	unlink(path);
}

static const struct test tests[] = {
	TEST(pair_of_streams),
	TEST(pair_of_datagrams),
	TEST(named_stream),
	TEST(named_datagrams),
	TEST(passes_descriptors),
	TEST(a_look_ends_where_descriptors_do),
	TEST(polls),
	TEST(fills_up),
	TEST(errors),
	TEST(carries_much),
	TEST(listed),
	TEST(accepts_who_left),
};

int main(int argc, char **argv)
{
	return run_tests(argc, argv, tests, LENGTH(tests), 20);
}
