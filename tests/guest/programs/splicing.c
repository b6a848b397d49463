/* SPDX-License-Identifier: MIT */
/* splicing.c - data that moves without passing through the program: splice, tee, vmsplice,
 * sendfile, copy_file_range; memory behind a descriptor; openat2's restricted ways to a file. */
#include "check.h"

#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdint.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>

static int p[2], q[2], s[2];
static char buf[70000];

static int scratch(const char *text)
{
	char name[] = "/tmp/splicing.XXXXXX";
	int fd = mkstemp(name);

	check(fd >= 0 && unlink(name) == 0);
	check(write(fd, text, strlen(text)) == (ssize_t)strlen(text));
	check(lseek(fd, 0, SEEK_SET) == 0);
	return fd;
}

static void pipes(void)
{
	check(pipe(p) == 0 && pipe(q) == 0);
}

static void file_to_pipe_to_file(void)
{
	int in = scratch("0123456789"), out = scratch("");
	loff_t off = 3;

	pipes();
	check(splice(in, &off, p[1], NULL, 4, 0) == 4 && off == 7);
	check(lseek(in, 0, SEEK_CUR) == 0);
	check(splice(in, NULL, p[1], NULL, 100, 0) == 10);
	check(lseek(in, 0, SEEK_CUR) == 10);
	check(splice(in, NULL, p[1], NULL, 100, 0) == 0);
	off = 2;
	check(splice(p[0], NULL, out, &off, 6, 0) == 6 && off == 8);
	check(splice(p[0], NULL, out, NULL, 100, 0) == 8);
	check(pread(out, buf, 20, 0) == 8 && !memcmp(buf, "23456789", 8));
	close(p[1]);
	check(splice(p[0], NULL, out, NULL, 1, 0) == 0);
}

static void splice_refuses(void)
{
	int in = scratch("abc"), out = scratch("");
	loff_t off = 0;

	pipes();
	fails(splice(in, NULL, out, NULL, 1, 0), EINVAL);
	fails(splice(in, NULL, p[1], &off, 1, 0), ESPIPE);
	fails(splice(p[0], NULL, p[1], NULL, 1, 0), EINVAL);
	fails(splice(p[1], NULL, out, NULL, 1, 0), EBADF);
	fails(splice(in, NULL, p[0], NULL, 1, 0), EBADF);
	fails(splice(in, NULL, p[1], NULL, 1, 16), EINVAL);
	fails(splice(p[0], NULL, out, NULL, 1, SPLICE_F_NONBLOCK), EAGAIN);
	check(splice(in, NULL, p[1], NULL, 0, 0) == 0);
	fails(tee(in, p[1], 1, 0), EINVAL);
	check(fcntl(out, F_SETFL, O_APPEND) == 0 && write(p[1], "x", 1) == 1);
	fails(splice(p[0], NULL, out, NULL, 1, 0), EINVAL);
	signal(SIGPIPE, SIG_IGN);
	close(p[0]);
	fails(splice(in, NULL, p[1], NULL, 1, 0), EPIPE);
}

static void pipe_to_pipe(void)
{
	pipes();
	check(write(p[1], "hello world", 11) == 11);
	check(tee(p[0], q[1], 5, 0) == 5);
	check(read(q[0], buf, 20) == 5 && !memcmp(buf, "hello", 5));
	check(splice(p[0], NULL, q[1], NULL, 100, 0) == 11);
	check(read(q[0], buf, 20) == 11 && !memcmp(buf, "hello world", 11));
	fails(tee(p[0], q[1], 5, SPLICE_F_NONBLOCK), EAGAIN);
	close(p[1]);
	check(tee(p[0], q[1], 5, 0) == 0 && splice(p[0], NULL, q[1], NULL, 5, 0) == 0);
}

static unsigned char at(size_t i)
{
	return (unsigned char)(i * 131 + (i >> 9));
}

/* socket -> pipe -> socket, as a proxy does it, with pieces of odd sizes */
static void proxies(void)
{
	size_t total = 600000, got = 0;
	int t[2];
	pid_t pid;

	check(pipe(p) == 0);
	check(socketpair(AF_UNIX, SOCK_STREAM, 0, s) == 0 &&
	      socketpair(AF_UNIX, SOCK_STREAM, 0, t) == 0);
	pid = fork();
	if (!pid) {
		for (size_t i = 0; i < total;) {
			size_t n = total - i < 7777 ? total - i : 7777;

			for (size_t k = 0; k < n; k++)
				buf[k] = (char)at(i + k);
			check(write(s[1], buf, n) == (ssize_t)n);
			i += n;
		}
		_exit(0);
	}
	close(s[1]);
	if (!fork()) {
		ssize_t n;

		while ((n = splice(s[0], NULL, p[1], NULL, 65536, SPLICE_F_MOVE)) > 0)
			while (n > 0) {
				ssize_t m = splice(p[0], NULL, t[1], NULL, n, SPLICE_F_MORE);

				check(m > 0);
				n -= m;
			}
		check(n == 0);
		_exit(0);
	}
	close(t[1]);
	for (ssize_t n; (n = read(t[0], buf, sizeof(buf))) > 0;) {
		for (ssize_t k = 0; k < n; k++)
			check((unsigned char)buf[k] == at(got + k));
		got += n;
	}
	check(got == total);
	check(status_of(-1) == 0 && status_of(-1) == 0);
}

static void fills_a_pipe(void)
{
	int in = scratch("");
	struct pollfd f;
	ssize_t n;

	memset(buf, 'x', sizeof(buf));
	for (int i = 0; i < 3; i++)
		check(write(in, buf, sizeof(buf)) == sizeof(buf));
	check(lseek(in, 0, SEEK_SET) == 0);
	pipes();
	check(splice(in, NULL, p[1], NULL, sizeof(buf) * 3, 0) == 65536);
	fails(splice(in, NULL, p[1], NULL, 1, SPLICE_F_NONBLOCK), EAGAIN);
	f = (struct pollfd){ p[1], POLLOUT, 0 };
	check(poll(&f, 1, 0) == 0);
	for (size_t left = 65536; left; left -= n) {
		n = read(p[0], buf, sizeof(buf));
		check(n > 0);
	}
	check(splice(in, NULL, p[1], NULL, 1000, 0) == 1000);
	check(read(p[0], buf, 4096) == 1000);
}

static void user_memory(void)
{
	struct iovec out[2] = { { "abc", 3 }, { "defg", 4 } },
		     in[2] = { { buf, 2 }, { buf + 10, 9 } };

	pipes();
	check(vmsplice(p[1], out, 2, 0) == 7);
	check(vmsplice(p[0], in, 2, 0) == 7 && !memcmp(buf, "ab", 2) &&
	      !memcmp(buf + 10, "cdefg", 5));
	fails(vmsplice(p[0], in, 2, SPLICE_F_NONBLOCK), EAGAIN);
	fails(vmsplice(scratch(""), out, 1, 0), EBADF);
}

static void sendfile_to_anything(void)
{
	int in = scratch("0123456789"), out = scratch("");
	off_t off = 5;

	check(socketpair(AF_UNIX, SOCK_STREAM, 0, s) == 0);
	pipes();
	check(sendfile(s[0], in, &off, 100) == 5 && off == 10);
	check(read(s[1], buf, 20) == 5 && !memcmp(buf, "56789", 5));
	check(sendfile(p[1], in, NULL, 4) == 4 && lseek(in, 0, SEEK_CUR) == 4);
	check(read(p[0], buf, 20) == 4 && !memcmp(buf, "0123", 4));
	check(sendfile(out, in, NULL, 0x7ffff000) == 6);
	check(pread(out, buf, 20, 0) == 6 && !memcmp(buf, "456789", 6));
	fails(sendfile(out, s[1], NULL, 1), EINVAL);
	fails(sendfile(s[0], 999, NULL, 1), EBADF);
}

static void copies_ranges(void)
{
	int in = scratch("0123456789"), out = scratch("abcdefgh");
	loff_t from = 2, to = 4;

	check(copy_file_range(in, &from, out, &to, 5, 0) == 5 && from == 7 && to == 9);
	check(pread(out, buf, 20, 0) == 9 && !memcmp(buf, "abcd23456", 9));
	check(copy_file_range(in, NULL, out, NULL, 100, 0) == 10);
	check(lseek(in, 0, SEEK_CUR) == 10 && lseek(out, 0, SEEK_CUR) == 10);
	check(copy_file_range(in, NULL, out, NULL, 100, 0) == 0);
	from = 0, to = 3;
	fails(copy_file_range(in, &from, in, &to, 5, 0), EINVAL);
	check(copy_file_range(in, &from, in, &to, 3, 0) == 3);
	check(pread(in, buf, 20, 0) == 10 && !memcmp(buf, "0120126789", 10));
	fails(copy_file_range(in, NULL, out, NULL, 1, 1), EINVAL);
	pipes();
	fails(copy_file_range(in, NULL, p[1], NULL, 1, 0), EINVAL);
	fails(copy_file_range(in, NULL, open("/tmp", O_RDONLY), NULL, 1, 0), EISDIR);
	fails(copy_file_range(in, NULL, open("/dev/null", O_RDONLY), NULL, 1, 0), EINVAL);
	fails(copy_file_range(in, NULL, open("/proc/self/exe", O_RDONLY), NULL, 1, 0), EBADF);
}

/* not in every C library; the position comes in two halves */
static long preadv2(int fd, const struct iovec *v, int n, long pos, int flags)
{
	return syscall(SYS_preadv2, fd, v, n, pos, 0, flags);
}

static long pwritev2(int fd, const struct iovec *v, int n, long pos, int flags)
{
	return syscall(SYS_pwritev2, fd, v, n, pos, 0, flags);
}

static void positioned_vectors(void)
{
	struct iovec v[2] = { { "AB", 2 }, { "CD", 2 } }, r[2] = { { buf, 3 }, { buf + 5, 3 } };
	int fd = scratch("0123456789");

	check(pwritev2(fd, v, 2, 4, 0) == 4 && lseek(fd, 0, SEEK_CUR) == 0);
	check(preadv2(fd, r, 2, 3, 0) == 6 && !memcmp(buf, "3AB", 3) && !memcmp(buf + 5, "CD8", 3));
	check(preadv2(fd, r, 1, -1, 0) == 3 && lseek(fd, 0, SEEK_CUR) == 3);
	fails(preadv2(fd, r, 1, 0, 0x4000000), EOPNOTSUPP);
}

static void memory_file(void)
{
	int fd = memfd_create("name", MFD_CLOEXEC);
	char link[64], path[32];
	struct stat st;
	char *m;

	check(fd >= 0 && fcntl(fd, F_GETFD) == FD_CLOEXEC);
	check(ftruncate(fd, 3 * PAGE) == 0);
	m = mmap(NULL, 3 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	check(m != MAP_FAILED && !m[PAGE]);
	memcpy(m + PAGE, "shared", 6);
	check(pread(fd, buf, 6, PAGE) == 6 && !memcmp(buf, "shared", 6));
	check(write(fd, "file", 4) == 4 && !memcmp(m, "file", 4));
	check(fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_size == 3 * PAGE &&
	      st.st_nlink == 0);
	sprintf(path, "/proc/self/fd/%d", fd);
	check(readlink(path, link, sizeof(link)) > 10 && !memcmp(link, "/memfd:name", 11));
	if (!fork()) {
		m[0] = 'F';
		_exit(0);
	}
	check(status_of(-1) == 0 && m[0] == 'F');
	fails(memfd_create("name", 0x8000), EINVAL);
}

/* ---- openat2 ---- */

struct how {
	uint64_t flags, mode, resolve;
};
#define NO_XDEV 1
#define NO_MAGIC 2
#define NO_LINKS 4
#define BENEATH 8
#define IN_ROOT 16

static int dir;

static int way(const char *name, uint64_t flags, uint64_t resolve)
{
	struct how how = { flags, flags & O_CREAT ? 0600 : 0, resolve };

	return (int)syscall(437, dir, name, &how, sizeof(how));
}

static void restricted_ways(void)
{
	char top[] = "/tmp/ways.XXXXXX", odd[16] = { 0 };
	struct how how = { 0, 0, 0 };

	check(mkdtemp(top) && chdir(top) == 0 && mkdir("sub", 0755) == 0);
	check(symlink("/etc/passwd", "abs") == 0 && symlink("../sub/..", "up") == 0 &&
	      symlink("sub", "rel") == 0 && symlink("/sub", "rooted") == 0);
	dir = open(".", O_RDONLY | O_DIRECTORY);
	check(way("sub", O_RDONLY, 0) >= 0 && way("abs", O_RDONLY, 0) >= 0);
	check(way("file", O_CREAT | O_RDWR, BENEATH) >= 0);
	check(way("sub/../file", O_RDONLY, BENEATH) >= 0 && way("rel", O_RDONLY, BENEATH) >= 0);
	fails(way("..", O_RDONLY, BENEATH), EXDEV);
	fails(way("sub/../../x", O_RDONLY, BENEATH), EXDEV);
	fails(way("up", O_RDONLY, BENEATH), EXDEV);
	fails(way("abs", O_RDONLY, BENEATH), EXDEV);
	fails(way("/etc", O_RDONLY, BENEATH), EXDEV);
	fails(way("rel", O_RDONLY, NO_LINKS), ELOOP);
	fails(way("rel/x", O_RDONLY, NO_LINKS), ELOOP);
	check(way("rooted", O_RDONLY, IN_ROOT) >= 0 && way("/../../file", O_RDONLY, IN_ROOT) >= 0);
	fails(way("abs", O_RDONLY, IN_ROOT), ENOENT);
	fails(way("/proc/self/exe", O_RDONLY, NO_MAGIC), ELOOP);
	fails(way("/proc/self/stat", O_RDONLY, NO_XDEV), EXDEV);
	fails(way("sub", 1ull << 40, 0), EINVAL);
	fails(way("sub", O_RDONLY, 64), EINVAL);
	fails(way("sub", O_RDONLY, BENEATH | IN_ROOT), EINVAL);
	how.mode = 0600;
	fails(syscall(437, dir, "sub", &how, sizeof(how)), EINVAL);
	fails(syscall(437, dir, "sub", odd, 16), EINVAL);
	check(unlink("abs") == 0 && unlink("up") == 0 && unlink("rel") == 0 &&
	      unlink("rooted") == 0 && unlink("file") == 0 && rmdir("sub") == 0 &&
	      chdir("/") == 0 && rmdir(top) == 0);
}

static const struct test tests[] = {
	TEST(file_to_pipe_to_file), TEST(splice_refuses),
	TEST(pipe_to_pipe),	    TEST(proxies),
	TEST(fills_a_pipe),	    TEST(user_memory),
	TEST(sendfile_to_anything), TEST(copies_ranges),
	TEST(positioned_vectors),   TEST(memory_file),
	TEST(restricted_ways),
};

int main(int argc, char **argv)
{
	return run_tests(argc, argv, tests, LENGTH(tests), 20);
}
