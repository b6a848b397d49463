/* SPDX-License-Identifier: MIT */
/* polling.c - pipes, FIFOs, poll, select, epoll, eventfd, and the clocks and timers that wake them.
 */
#include "check.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/select.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/timerfd.h>
#include <sys/uio.h>

static int p[2];

static void nonblock(int fd)
{
	check(fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK) == 0);
}

static short ready(int fd, short events)
{
	struct pollfd f = { fd, events, 0 };

	check(poll(&f, 1, 0) >= 0);
	return f.revents;
}

static void pipe_basics(void)
{
	char buf[16];
	int n;

	check(pipe(p) == 0);
	check(write(p[1], "abcdef", 6) == 6);
	check(ioctl(p[0], FIONREAD, &n) == 0 && n == 6);
	check(read(p[0], buf, 4) == 4 && !memcmp(buf, "abcd", 4));
	check(read(p[0], buf, 16) == 2 && !memcmp(buf, "ef", 2));
	nonblock(p[0]);
	fails(read(p[0], buf, 1), EAGAIN);
	close(p[1]);
	check(read(p[0], buf, 1) == 0);
	fails(lseek(p[0], 0, SEEK_CUR), ESPIPE);
	fails(read(p[1], buf, 1), EBADF);
}

static void pipe_fills(void)
{
	static char buf[4096];
	long total = 0, n;

	check(pipe(p) == 0);
	nonblock(p[1]);
	while ((n = write(p[1], buf, sizeof(buf))) > 0)
		total += n;
	check(errno == EAGAIN && total == 65536);
	check(!(ready(p[1], POLLOUT) & POLLOUT));
	check(read(p[0], buf, 4096) == 4096);
	check(ready(p[1], POLLOUT) & POLLOUT);
}

static void pipe_carries_much(void)
{
	static unsigned char buf[30000];
	unsigned long sum = 0, want = 0, total = 0;
	ssize_t n;
	pid_t pid;

	check(pipe(p) == 0);
	pid = fork();
	if (!pid) {
		close(p[0]);
		for (int i = 0; i < 50; i++) {
			for (size_t k = 0; k < sizeof(buf); k++)
				buf[k] = i * 7 + k;
			check(write(p[1], buf, sizeof(buf)) == sizeof(buf));
		}
		_exit(0);
	}
	close(p[1]);
	while ((n = read(p[0], buf, 7777)) > 0) {
		for (ssize_t i = 0; i < n; i++)
			sum += buf[i];
		total += n;
	}
	check(status_of(pid) == 0 && total == 50 * sizeof(buf));
	for (int i = 0; i < 50; i++)
		for (size_t k = 0; k < sizeof(buf); k++)
			want += (unsigned char)(i * 7 + k);
	check(sum == want);
}

static void pipe_writes_are_atomic(void)
{
	char line[64], expect;
	FILE *f;
	int n = 0;

	check(pipe(p) == 0);
	for (int i = 0; i < 4; i++)
		if (!fork()) {
			memset(line, 'a' + i, 50);
			line[50] = '\n';
			for (int k = 0; k < 300; k++)
				check(write(p[1], line, 51) == 51);
			_exit(0);
		}
	close(p[1]);
	f = fdopen(p[0], "r");
	while (fgets(line, sizeof(line), f)) {
		expect = line[0];
		for (int i = 0; i < 50; i++)
			check(line[i] == expect);
		n++;
	}
	check(n == 1200);
}

static void fifo(void)
{
	char buf[8] = "";
	int fd;
	pid_t pid;

	unlink("/tmp/fifo");
	check(mkfifo("/tmp/fifo", 0600) == 0);
	fails(open("/tmp/fifo", O_WRONLY | O_NONBLOCK), ENXIO);
	pid = fork();
	if (!pid) {
		fd = open("/tmp/fifo", O_WRONLY);
		check(fd >= 0 && write(fd, "hi", 2) == 2);
		_exit(0);
	}
	fd = open("/tmp/fifo", O_RDONLY);
	check(fd >= 0 && read(fd, buf, 8) == 2);
	check(read(fd, buf, 8) == 0);
	check(status_of(pid) == 0);
	unlink("/tmp/fifo");
}

static void poll_states(void)
{
	struct pollfd f[3];
	long start;

	check(pipe(p) == 0);
	check(ready(p[0], POLLIN) == 0 && ready(p[1], POLLOUT) == POLLOUT);
	check(write(p[1], "x", 1) == 1 && ready(p[0], POLLIN) == POLLIN);
	close(p[1]);
	check(ready(p[0], POLLIN) == (POLLIN | POLLHUP));
	check(ready(999, POLLIN) == POLLNVAL);
	check(pipe(p) == 0);
	close(p[0]);
	check(ready(p[1], POLLOUT) & POLLERR);
	start = now_ms();
	check(poll(NULL, 0, 50) == 0 && now_ms() - start >= 49);
	f[0] = (struct pollfd){ -1, POLLIN, 99 };
	check(poll(f, 1, 0) == 0 && f[0].revents == 0);
	fails(poll((void *)1, 1, 0), EFAULT);
}

static void poll_wakes(void)
{
	struct pollfd f;
	pid_t pid;

	check(pipe(p) == 0);
	pid = fork();
	if (!pid) {
		sleep_ms(50);
		check(write(p[1], "x", 1) == 1);
		_exit(0);
	}
	f = (struct pollfd){ p[0], POLLIN, 0 };
	check(poll(&f, 1, 5000) == 1 && f.revents == POLLIN);
	status_of(pid);
}

static void select_works(void)
{
	struct timeval t = { 0, 30000 };
	fd_set r, w;

	check(pipe(p) == 0);
	FD_ZERO(&r);
	FD_SET(p[0], &r);
	check(select(p[1] + 1, &r, NULL, NULL, &t) == 0 && !FD_ISSET(p[0], &r));
	FD_SET(p[0], &r);
	FD_ZERO(&w);
	FD_SET(p[1], &w);
	check(write(p[1], "x", 1) == 1);
	t.tv_sec = 1;
	check(select(p[1] + 1, &r, &w, NULL, &t) == 2 && FD_ISSET(p[0], &r) && FD_ISSET(p[1], &w));
	FD_ZERO(&r);
	FD_SET(50, &r);
	fails(select(51, &r, NULL, NULL, &t), EBADF);
	fails(select(-1, NULL, NULL, NULL, &t), EINVAL);
}

static void pselect_swaps_the_mask_handler(int sig)
{
}

static void pselect_swaps_the_mask(void)
{
	struct timespec t = { 5, 0 };
	sigset_t block, none;
	pid_t pid;

	sigemptyset(&none);
	sigemptyset(&block);
	sigaddset(&block, SIGUSR1);
	signal(SIGUSR1, pselect_swaps_the_mask_handler);
	sigprocmask(SIG_BLOCK, &block, NULL);
	pid = fork();
	if (!pid) {
		sleep_ms(50);
		kill(getppid(), SIGUSR1);
		_exit(0);
	}
	fails(pselect(0, NULL, NULL, NULL, &t, &none), EINTR);
	status_of(pid);
}

static void epoll_levels_and_edges(void)
{
	struct epoll_event e = { .events = EPOLLIN, .data.u64 = 0x1234567890abcdef }, got[4];
	int ep = epoll_create1(EPOLL_CLOEXEC);
	char c;

	check(ep >= 0 && pipe(p) == 0);
	check(epoll_ctl(ep, EPOLL_CTL_ADD, p[0], &e) == 0);
	fails(epoll_ctl(ep, EPOLL_CTL_ADD, p[0], &e), EEXIST);
	fails(epoll_ctl(ep, EPOLL_CTL_DEL, p[1], &e), ENOENT);
	fails(epoll_ctl(ep, EPOLL_CTL_ADD, ep, &e), EINVAL);
	fails(epoll_ctl(ep, EPOLL_CTL_ADD, 999, &e), EBADF);
	check(epoll_wait(ep, got, 4, 0) == 0);
	check(write(p[1], "xy", 2) == 2);
	check(epoll_wait(ep, got, 4, 0) == 1 && got[0].data.u64 == 0x1234567890abcdef &&
	      got[0].events == EPOLLIN);
	check(epoll_wait(ep, got, 4, 0) == 1); /* level */
	e.events = EPOLLIN | EPOLLET;
	check(epoll_ctl(ep, EPOLL_CTL_MOD, p[0], &e) == 0);
	check(epoll_wait(ep, got, 4, 0) == 1 && epoll_wait(ep, got, 4, 0) == 0); /* edge */
	check(write(p[1], "z", 1) == 1 && epoll_wait(ep, got, 4, 0) == 1);
	e.events = EPOLLIN | EPOLLONESHOT;
	check(epoll_ctl(ep, EPOLL_CTL_MOD, p[0], &e) == 0);
	check(epoll_wait(ep, got, 4, 0) == 1);
	check(write(p[1], "z", 1) == 1 && epoll_wait(ep, got, 4, 0) == 0);
	while (read(p[0], &c, 1) == 1 && c != 'z')
		;
	check(epoll_ctl(ep, EPOLL_CTL_DEL, p[0], NULL) == 0);
}

static void epoll_forgets_closed(void)
{
	struct epoll_event e = { .events = EPOLLIN }, got[4];
	int ep = epoll_create1(0);

	check(pipe(p) == 0 && epoll_ctl(ep, EPOLL_CTL_ADD, p[0], &e) == 0);
	check(write(p[1], "x", 1) == 1);
	close(p[0]);
	check(epoll_wait(ep, got, 4, 0) == 0);
}

static void epoll_nests(void)
{
	struct epoll_event e = { .events = EPOLLIN }, got[4];
	int a = epoll_create1(0), b = epoll_create1(0);

	check(pipe(p) == 0);
	check(epoll_ctl(a, EPOLL_CTL_ADD, p[0], &e) == 0 &&
	      epoll_ctl(b, EPOLL_CTL_ADD, a, &e) == 0);
	fails(epoll_ctl(a, EPOLL_CTL_ADD, b, &e), ELOOP);
	check(epoll_wait(b, got, 4, 0) == 0);
	check(write(p[1], "x", 1) == 1 && epoll_wait(b, got, 4, 1000) == 1);
}

/* Wake-ups go along a chain of instances: one that grows downwards must end as well. */
static void epoll_chain(void)
{
	struct epoll_event e = { .events = EPOLLIN };
	int ep[64], n = 0;

	ep[0] = epoll_create1(0);
	while (++n < 64) {
		ep[n] = epoll_create1(0);
		if (epoll_ctl(ep[n - 1], EPOLL_CTL_ADD, ep[n], &e))
			break;
	}
	check(n >= 4 && n < 10 && errno == ELOOP);
}

static void epoll_wakes(void)
{
	struct epoll_event e = { .events = EPOLLIN }, got[4];
	int ep = epoll_create1(0);
	long start;
	pid_t pid;

	check(pipe(p) == 0 && epoll_ctl(ep, EPOLL_CTL_ADD, p[0], &e) == 0);
	start = now_ms();
	check(epoll_wait(ep, got, 4, 50) == 0 && now_ms() - start >= 49);
	pid = fork();
	if (!pid) {
		sleep_ms(50);
		close(p[0]);
		close(p[1]);
		_exit(0);
	}
	close(p[1]);
	check(epoll_wait(ep, got, 4, 5000) == 1 && got[0].events & EPOLLHUP);
	status_of(pid);
}

static void eventfds(void)
{
	int fd = eventfd(3, EFD_NONBLOCK);
	unsigned long v;

	check(fd >= 0 && read(fd, &v, 8) == 8 && v == 3);
	fails(read(fd, &v, 8), EAGAIN);
	v = 5;
	check(write(fd, &v, 8) == 8 && write(fd, &v, 8) == 8);
	check(ready(fd, POLLIN) == POLLIN);
	check(read(fd, &v, 8) == 8 && v == 10);
	v = -1ul;
	fails(write(fd, &v, 8), EINVAL);
	v = -2ul;
	check(write(fd, &v, 8) == 8);
	v = 1;
	fails(write(fd, &v, 8), EAGAIN);
	check(!(ready(fd, POLLOUT) & POLLOUT));
	fails(read(fd, &v, 7), EINVAL);
	fd = eventfd(2, EFD_SEMAPHORE | EFD_NONBLOCK);
	check(read(fd, &v, 8) == 8 && v == 1 && read(fd, &v, 8) == 8 && v == 1);
	fails(read(fd, &v, 8), EAGAIN);
}

static void vectors(void)
{
	char a[3] = "abc", b[4] = "defg", c[8] = "";
	struct iovec out[3] = { { a, 3 }, { NULL, 0 }, { b, 4 } },
		     in[2] = { { c, 2 }, { c + 2, 6 } };

	check(pipe(p) == 0);
	check(writev(p[1], out, 3) == 7 && readv(p[0], in, 2) == 7 && !memcmp(c, "abcdefg", 7));
	fails(writev(p[1], out, -1), EINVAL);
	fails(writev(p[1], out, 1025), EINVAL);
	out[0].iov_len = -1ul;
	fails(writev(p[1], out, 3), EINVAL);
	out[0] = (struct iovec){ (void *)0xffff888000000000, 3 };
	fails(writev(p[1], out, 1), EFAULT);
}

static void clocks(void)
{
	struct timespec a, b, r;
	struct timeval tv;
	long last = 0;

	for (int i = 0; i < 20000; i++) {
		check(clock_gettime(CLOCK_MONOTONIC, &a) == 0);
		long t = a.tv_sec * 1000000000 + a.tv_nsec;
		check(t >= last && a.tv_nsec >= 0 && a.tv_nsec < 1000000000);
		last = t;
	}
	check(clock_gettime(CLOCK_REALTIME, &r) == 0 && gettimeofday(&tv, NULL) == 0);
	check(tv.tv_sec - r.tv_sec <= 1 && r.tv_sec > 1600000000);
	check(clock_getres(CLOCK_MONOTONIC, &r) == 0 && r.tv_sec == 0 && r.tv_nsec <= 10000000);
	check(clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &b) == 0 && b.tv_sec < 60);
	fails(syscall(SYS_clock_gettime, 99, &a), EINVAL);
	fails(syscall(SYS_clock_gettime, CLOCK_REALTIME, 1), EFAULT);
}

static void sleeps(void)
{
	struct timespec t = { 0, 20000000 }, bad = { 0, 1000000000 }, past = { 0, 1 }, when;
	long start = now_ms();

	for (int i = 0; i < 5; i++)
		check(nanosleep(&t, NULL) == 0);
	check(now_ms() - start >= 100 && now_ms() - start < 2000);
	fails(nanosleep(&bad, NULL), EINVAL);
	check(clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &past, NULL) == 0);
	clock_gettime(CLOCK_MONOTONIC, &when);
	when.tv_sec++;
	start = now_ms();
	check(clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &when, NULL) == 0);
	check(now_ms() - start >= 990);
}

static volatile int alarms;

static void on_alarm(int sig)
{
	alarms++;
}

static void interval_timers(void)
{
	struct itimerval it = { { 0, 20000 }, { 0, 20000 } }, left;
	long end = now_ms() + 500;

	signal(SIGALRM, on_alarm);
	check(setitimer(ITIMER_REAL, &it, NULL) == 0);
	while (now_ms() < end)
		pause();
	check(alarms >= 10 && alarms <= 26);
	check(getitimer(ITIMER_REAL, &left) == 0 && left.it_interval.tv_usec == 20000);
	memset(&it, 0, sizeof(it));
	check(setitimer(ITIMER_REAL, &it, NULL) == 0);
	alarm(100);
	check(alarm(0) >= 99);
	it.it_value.tv_usec = 1000000;
	fails(setitimer(ITIMER_REAL, &it, NULL), EINVAL);
}

static void virtual_timer(void)
{
	struct itimerval it = { { 0, 0 }, { 0, 50000 } };

	signal(SIGVTALRM, on_alarm);
	if (setitimer(ITIMER_VIRTUAL, &it, NULL) < 0) {
		check(errno == EOPNOTSUPP);
		return;
	}
	while (!alarms)
		;
}

static void timerfds(void)
{
	struct itimerspec it = { { 0, 10000000 }, { 0, 10000000 } };
	int fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK);
	unsigned long n;

	if (fd < 0) {
		check(errno == ENOSYS); /* optional */
		return;
	}
	fails(read(fd, &n, 8), EAGAIN);
	check(timerfd_settime(fd, 0, &it, NULL) == 0);
	sleep_ms(55);
	check(ready(fd, POLLIN) == POLLIN && read(fd, &n, 8) == 8 && n >= 4 && n <= 50);
}

static const struct test tests[] = {
	TEST(pipe_basics),
	TEST(pipe_fills),
	TEST(pipe_carries_much),
	TEST(pipe_writes_are_atomic),
	TEST(fifo),
	TEST(poll_states),
	TEST(poll_wakes),
	TEST(select_works),
	TEST(pselect_swaps_the_mask),
	TEST(epoll_levels_and_edges),
	TEST(epoll_forgets_closed),
	TEST(epoll_nests),
	TEST(epoll_chain),
	TEST(epoll_wakes),
	TEST(eventfds),
	TEST(vectors),
	TEST(clocks),
	TEST(sleeps),
	TEST(interval_timers),
	TEST(virtual_timer),
	TEST(timerfds),
};

int main(int argc, char **argv)
{
	return run_tests(argc, argv, tests, LENGTH(tests), 20);
}
