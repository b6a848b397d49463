/* SPDX-License-Identifier: MIT */
/* events.c - what an event loop waits for besides data: timers and signals behind descriptors, the
 * counters of eventfd, and epoll with many waiters, nested, or closed under a waiter. */
#include "check.h"

#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdint.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/timerfd.h>

static short ready(int fd, short events)
{
	struct pollfd f = { fd, events, 0 };

	check(poll(&f, 1, 0) >= 0);
	return f.revents;
}

/* ---- timerfd ---- */

static struct itimerspec every(long value_ms, long interval_ms)
{
	return (struct itimerspec){ { interval_ms / 1000, interval_ms % 1000 * 1000000 },
				    { value_ms / 1000, value_ms % 1000 * 1000000 } };
}

static void timer_once(void)
{
	struct itimerspec it = every(30, 0), left;
	int fd = timerfd_create(CLOCK_MONOTONIC, 0);
	long start = now_ms();
	uint64_t n;

	check(fd >= 0);
	check(timerfd_gettime(fd, &left) == 0 && !left.it_value.tv_sec && !left.it_value.tv_nsec);
	check(timerfd_settime(fd, 0, &it, NULL) == 0);
	check(!ready(fd, POLLIN));
	check(timerfd_gettime(fd, &left) == 0 && left.it_value.tv_nsec > 0 &&
	      left.it_value.tv_nsec <= 30000000);
	fails(read(fd, &n, 7), EINVAL);
	check(read(fd, &n, 8) == 8 && n == 1 && now_ms() - start >= 29);
	check(fcntl(fd, F_SETFL, O_NONBLOCK) == 0);
	fails(read(fd, &n, 8), EAGAIN);
	check(timerfd_gettime(fd, &left) == 0 && !left.it_value.tv_sec && !left.it_value.tv_nsec);
	fails(write(fd, &n, 8), EINVAL);
}

static void timer_counts_intervals(void)
{
	struct itimerspec it = every(10, 10), off = every(0, 0), old;
	int fd = timerfd_create(CLOCK_BOOTTIME, TFD_NONBLOCK | TFD_CLOEXEC);
	uint64_t n;

	check(fd >= 0 && fcntl(fd, F_GETFD) == FD_CLOEXEC);
	check(timerfd_settime(fd, 0, &it, NULL) == 0);
	sleep_ms(105);
	check(ready(fd, POLLIN | POLLOUT) == POLLIN);
	check(read(fd, &n, 8) == 8 && n >= 9 && n <= 40);
	check(timerfd_settime(fd, 0, &off, &old) == 0);
	check(old.it_interval.tv_nsec == 10000000 && old.it_value.tv_nsec <= 10000000);
	sleep_ms(25);
	fails(read(fd, &n, 8), EAGAIN);
}

static void timer_absolute(void)
{
	int fd = timerfd_create(CLOCK_REALTIME, 0);
	struct itimerspec it = every(0, 0);
	uint64_t n;

	check(clock_gettime(CLOCK_REALTIME, &it.it_value) == 0);
	it.it_value.tv_sec -= 5;
	it.it_interval.tv_sec = 1;
	check(timerfd_settime(fd, TFD_TIMER_ABSTIME, &it, NULL) == 0);
	check(read(fd, &n, 8) == 8 && (n == 6 || n == 7)); /* what had gone by counts too */
	it.it_interval.tv_sec = 0;
	it.it_value.tv_sec += 5;
	it.it_value.tv_nsec += 20000000;
	if (it.it_value.tv_nsec >= 1000000000) {
		it.it_value.tv_nsec -= 1000000000;
		it.it_value.tv_sec++;
	}
	check(timerfd_settime(fd, TFD_TIMER_ABSTIME, &it, NULL) == 0);
	check(read(fd, &n, 8) == 8 && n == 1);
}

static void timer_refuses(void)
{
	struct itimerspec it = every(10, 0);
	int fd = timerfd_create(CLOCK_MONOTONIC, 0), other = dup(0);

	fails(timerfd_create(CLOCK_PROCESS_CPUTIME_ID, 0), EINVAL);
	fails(timerfd_create(CLOCK_MONOTONIC, 1), EINVAL);
	fails(timerfd_settime(fd, 4, &it, NULL), EINVAL);
	fails(timerfd_settime(other, 0, &it, NULL), EINVAL);
	fails(timerfd_settime(999, 0, &it, NULL), EBADF);
	it.it_value.tv_nsec = 1000000000;
	fails(timerfd_settime(fd, 0, &it, NULL), EINVAL);
	fails(timerfd_settime(fd, 0, (void *)8, NULL), EFAULT);
}

/* Only root may set the clock; it goes back to where it was. */
static void timer_sees_the_clock_set(void)
{
	struct itimerspec far = every(0, 0), near = every(40, 0);
	int fd = timerfd_create(CLOCK_REALTIME, TFD_NONBLOCK);
	int relative = timerfd_create(CLOCK_REALTIME, 0);
	struct timespec now, then;
	uint64_t n;

	check(clock_gettime(CLOCK_REALTIME, &now) == 0);
	far.it_value.tv_sec = now.tv_sec + 1000;
	check(timerfd_settime(fd, TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET, &far, NULL) == 0);
	check(timerfd_settime(relative, 0, &near, NULL) == 0);
	fails(read(fd, &n, 8), EAGAIN);
	then = (struct timespec){ now.tv_sec - 3600, now.tv_nsec };
	if (clock_settime(CLOCK_REALTIME, &then)) {
		check(errno == EPERM);
		return;
	}
	check(ready(fd, POLLIN) == POLLIN);
	fails(read(fd, &n, 8), ECANCELED);
	check(read(relative, &n, 8) == 8 && n == 1); /* a time from now on is not moved */
	check(timerfd_settime(fd, TFD_TIMER_ABSTIME, &far, NULL) == 0);
	then.tv_sec = far.it_value.tv_sec + 1;
	check(clock_settime(CLOCK_REALTIME, &then) == 0);
	sleep_ms(20);
	check(read(fd, &n, 8) == 8 && n == 1);
	check(clock_settime(CLOCK_REALTIME, &now) == 0);
}

static void timer_in_epoll(void)
{
	struct epoll_event e = { EPOLLIN | EPOLLET, { .u32 = 7 } };
	struct itimerspec it = every(20, 20);
	int fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK), ep = epoll_create1(0);
	uint64_t n;

	check(epoll_ctl(ep, EPOLL_CTL_ADD, fd, &e) == 0);
	check(timerfd_settime(fd, 0, &it, NULL) == 0);
	for (int i = 0; i < 3; i++) {
		check(epoll_wait(ep, &e, 1, 1000) == 1 && e.data.u32 == 7);
		check(read(fd, &n, 8) == 8 && n >= 1);
	}
}

/* ---- signalfd ---- */

static int signals(int flags, int a, int b)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, a);
	sigaddset(&set, b);
	check(sigprocmask(SIG_BLOCK, &set, NULL) == 0);
	return signalfd(-1, &set, flags);
}

static void signal_is_read(void)
{
	int fd = signals(SFD_NONBLOCK, SIGUSR1, SIGRTMIN + 1);
	union sigval v = { .sival_int = 42 };
	struct signalfd_siginfo info[4];

	check(fd >= 0 && sizeof(info[0]) == 128);
	fails(read(fd, info, sizeof(info)), EAGAIN);
	check(!ready(fd, POLLIN));
	check(kill(getpid(), SIGUSR1) == 0 && ready(fd, POLLIN | POLLOUT) == POLLIN);
	check(sigqueue(getpid(), SIGRTMIN + 1, v) == 0 && sigqueue(getpid(), SIGRTMIN + 1, v) == 0);
	fails(read(fd, info, 127), EINVAL);
	check(read(fd, info, sizeof(info)) == 3 * 128);
	check(info[0].ssi_signo == SIGUSR1 && info[0].ssi_code == SI_USER &&
	      info[0].ssi_pid == (uint32_t)getpid() && info[0].ssi_uid == getuid());
	check(info[2].ssi_signo == (uint32_t)SIGRTMIN + 1 && info[2].ssi_int == 42 &&
	      info[2].ssi_code == SI_QUEUE);
	fails(read(fd, info, sizeof(info)), EAGAIN);
}

static void signal_wakes_reader(void)
{
	int fd = signals(0, SIGCHLD, SIGUSR2), ep = epoll_create1(0);
	struct epoll_event e = { EPOLLIN, { .u32 = 5 } };
	struct signalfd_siginfo info;
	pid_t pid = fork();

	if (!pid) {
		sleep_ms(50);
		_exit(3);
	}
	check(epoll_ctl(ep, EPOLL_CTL_ADD, fd, &e) == 0);
	check(epoll_wait(ep, &e, 1, 5000) == 1 && e.data.u32 == 5);
	check(read(fd, &info, sizeof(info)) == 128 && info.ssi_signo == SIGCHLD &&
	      info.ssi_code == CLD_EXITED && info.ssi_status == 3 && info.ssi_pid == (uint32_t)pid);
	check(epoll_wait(ep, &e, 1, 0) == 0);
	check(waitpid(pid, NULL, 0) == pid);
	pid = fork();
	if (!pid) {
		sleep_ms(50);
		kill(getppid(), SIGUSR2);
		_exit(0);
	}
	do
		check(read(fd, &info, sizeof(info)) == 128);
	while (info.ssi_signo != SIGUSR2);
	check(info.ssi_pid == (uint32_t)pid);
	check(waitpid(pid, NULL, 0) == pid);
}

static void signalfd_refuses(void)
{
	int fd = signals(SFD_CLOEXEC, SIGUSR1, SIGUSR2);
	struct signalfd_siginfo info;
	sigset_t set;

	sigemptyset(&set);
	fails(signalfd(0x7fff, &set, 0), EBADF);
	fails(signalfd(1, &set, 0), EINVAL);
	fails(signalfd(-1, &set, 1), EINVAL);
	fails(syscall(SYS_signalfd4, -1, &set, 4, 0), EINVAL);
	/* the mask can be changed */
	check(fcntl(fd, F_SETFL, O_NONBLOCK) == 0);
	sigaddset(&set, SIGUSR2);
	check(signalfd(fd, &set, 0) == fd);
	raise(SIGUSR1);
	fails(read(fd, &info, sizeof(info)), EAGAIN);
	raise(SIGUSR2);
	check(read(fd, &info, sizeof(info)) == 128 && info.ssi_signo == SIGUSR2);
}

/* ---- eventfd ---- */

static void eventfd_semaphore(void)
{
	int fd = eventfd(2, EFD_SEMAPHORE | EFD_NONBLOCK);
	uint64_t n;

	check(read(fd, &n, 8) == 8 && n == 1);
	check(ready(fd, POLLIN | POLLOUT) == (POLLIN | POLLOUT));
	check(read(fd, &n, 8) == 8 && n == 1);
	fails(read(fd, &n, 8), EAGAIN);
	n = ~0ull - 1;
	check(write(fd, &n, 8) == 8 && !(ready(fd, POLLOUT) & POLLOUT));
	n = 1;
	fails(write(fd, &n, 8), EAGAIN);
	n = ~0ull;
	fails(write(fd, &n, 8), EINVAL);
}

/* ---- epoll ---- */

static int ep, wakes;

static void *wait_once(void *arg)
{
	struct epoll_event e;

	if (epoll_wait(ep, &e, 1, (int)(long)arg) == 1)
		__atomic_fetch_add(&wakes, 1, __ATOMIC_SEQ_CST);
	return NULL;
}

static void start(pthread_t *t, int n, long ms)
{
	for (int i = 0; i < n; i++)
		check(pthread_create(&t[i], NULL, wait_once, (void *)ms) == 0);
	sleep_ms(50);
}

/* An edge is one waiter's; a level is everybody's who looks. */
static void waiters_of_one_instance(void)
{
	struct epoll_event e = { EPOLLIN | EPOLLET, { 0 } };
	int fd = eventfd(0, 0);
	pthread_t t[4];
	uint64_t one = 1;

	ep = epoll_create1(0);
	check(epoll_ctl(ep, EPOLL_CTL_ADD, fd, &e) == 0);
	start(t, 4, 300);
	check(write(fd, &one, 8) == 8);
	for (int i = 0; i < 4; i++)
		pthread_join(t[i], NULL);
	check(wakes == 1);
	wakes = 0;
	e.events = EPOLLIN;
	check(epoll_ctl(ep, EPOLL_CTL_DEL, fd, NULL) == 0 && read(fd, &one, 8) == 8);
	check(epoll_ctl(ep, EPOLL_CTL_ADD, fd, &e) == 0);
	start(t, 4, 2000);
	check(write(fd, &one, 8) == 8);
	for (int i = 0; i < 4; i++)
		pthread_join(t[i], NULL);
	check(wakes == 4);
}

static void oneshot(void)
{
	struct epoll_event e = { EPOLLIN | EPOLLONESHOT, { .u32 = 1 } };
	int fd = eventfd(1, 0);

	ep = epoll_create1(0);
	check(epoll_ctl(ep, EPOLL_CTL_ADD, fd, &e) == 0);
	check(epoll_wait(ep, &e, 1, 0) == 1);
	check(epoll_wait(ep, &e, 1, 0) == 0);
	e = (struct epoll_event){ EPOLLIN | EPOLLONESHOT, { .u32 = 2 } };
	check(epoll_ctl(ep, EPOLL_CTL_MOD, fd, &e) == 0);
	check(epoll_wait(ep, &e, 1, 0) == 1 && e.data.u32 == 2);
	check(epoll_wait(ep, &e, 1, 0) == 0);
}

/* Each of several instances that share an event is woken, but of exclusive ones one alone. */
static void exclusive(void)
{
	struct epoll_event e = { EPOLLIN | EPOLLEXCLUSIVE, { 0 } };
	int p[2], eps[3], hits = 0;
	pid_t pid[3];

	check(pipe(p) == 0);
	for (int i = 0; i < 3; i++) {
		eps[i] = epoll_create1(0);
		check(epoll_ctl(eps[i], EPOLL_CTL_ADD, p[0], &e) == 0);
		pid[i] = fork();
		if (!pid[i])
			_exit(epoll_wait(eps[i], &e, 1, 400) == 1);
	}
	sleep_ms(100);
	check(write(p[1], "x", 1) == 1);
	for (int i = 0; i < 3; i++)
		hits += WEXITSTATUS(status_of(pid[i]));
	check(hits >= 1 && hits < 3);
	fails(epoll_ctl(eps[0], EPOLL_CTL_MOD, p[0], &e), EINVAL);
	e.events = EPOLLIN | EPOLLEXCLUSIVE | EPOLLONESHOT;
	fails(epoll_ctl(eps[0], EPOLL_CTL_ADD, p[1], &e), EINVAL);
}

static void pwait2(void)
{
	struct timespec t = { 0, 30000000 }, bad = { 0, 1000000000 };
	struct epoll_event e;
	sigset_t none;
	long begin = now_ms();

	ep = epoll_create1(0);
	sigemptyset(&none);
	check(syscall(SYS_epoll_pwait2, ep, &e, 1, &t, NULL, 8) == 0);
	check(now_ms() - begin >= 29 && now_ms() - begin < 1000);
	fails(syscall(SYS_epoll_pwait2, ep, &e, 1, &bad, NULL, 8), EINVAL);
	t.tv_nsec = 0;
	check(syscall(SYS_epoll_pwait2, ep, &e, 1, &t, &none, 8) == 0);
	check(epoll_pwait(ep, &e, 1, 0, &none) == 0);
}

static void *close_soon(void *arg)
{
	sleep_ms(50);
	close((int)(long)arg);
	return NULL;
}

/* A watched file that is closed under a waiter is forgotten, and the waiter goes on waiting. */
static void closed_under_a_waiter(void)
{
	struct epoll_event e = { EPOLLIN, { 0 } };
	pthread_t t;
	int p[2];

	ep = epoll_create1(0);
	for (int i = 0; i < 5; i++) {
		check(pipe(p) == 0);
		check(epoll_ctl(ep, EPOLL_CTL_ADD, p[0], &e) == 0);
		check(pthread_create(&t, NULL, close_soon, (void *)(long)p[0]) == 0);
		check(epoll_wait(ep, &e, 1, 100) == 0);
		pthread_join(t, NULL);
		fails(epoll_ctl(ep, EPOLL_CTL_DEL, p[0], &e), EBADF);
		close(p[1]);
	}
}

static int churn_stop;

static void *churn(void *arg)
{
	struct epoll_event e = { EPOLLIN | EPOLLET, { 0 } };
	int s[2];

	while (!__atomic_load_n(&churn_stop, __ATOMIC_SEQ_CST)) {
		check(socketpair(AF_UNIX, SOCK_STREAM, 0, s) == 0);
		check(epoll_ctl(ep, EPOLL_CTL_ADD, s[0], &e) == 0);
		check(write(s[1], "x", 1) == 1);
		if ((long)arg)
			close(s[0]);
		close(s[1]);
		if (!(long)arg)
			close(s[0]);
	}
	return NULL;
}

static void waits_while_others_close(void)
{
	struct epoll_event e[8];
	pthread_t t[3];
	long end = now_ms() + 700, n = 0;

	ep = epoll_create1(0);
	for (long i = 0; i < 3; i++)
		check(pthread_create(&t[i], NULL, churn, (void *)(i & 1)) == 0);
	while (now_ms() < end)
		n += epoll_wait(ep, e, 8, 10);
	churn_stop = 1;
	for (int i = 0; i < 3; i++)
		pthread_join(t[i], NULL);
	check(n > 0);
	check(epoll_wait(ep, e, 8, 0) == 0);
}

/* Somebody polls the instance itself while a thread waits in it: neither may take the other's
 * wake-up away. */
static void *poll_it(void *arg)
{
	while (!__atomic_load_n(&churn_stop, __ATOMIC_SEQ_CST))
		ready(ep, POLLIN);
	return arg;
}

static void polled_while_waited_in(void)
{
	struct epoll_event e = { EPOLLIN, { 0 } };
	int fd = eventfd(0, EFD_NONBLOCK);
	uint64_t one = 1;
	pthread_t t, w;

	ep = epoll_create1(0);
	check(epoll_ctl(ep, EPOLL_CTL_ADD, fd, &e) == 0);
	check(pthread_create(&t, NULL, poll_it, NULL) == 0);
	for (int i = 0; i < 300; i++) {
		long begin = now_ms();

		wakes = 0;
		check(pthread_create(&w, NULL, wait_once, (void *)3000l) == 0);
		if (i & 1)
			sched_yield();
		check(write(fd, &one, 8) == 8);
		pthread_join(w, NULL);
		check(wakes == 1 && now_ms() - begin < 2500);
		check(read(fd, &one, 8) == 8);
	}
	churn_stop = 1;
	pthread_join(t, NULL);
}

static const struct test tests[] = {
	TEST(timer_once),
	TEST(timer_counts_intervals),
	TEST(timer_absolute),
	TEST(timer_refuses),
	TEST(timer_sees_the_clock_set),
	TEST(timer_in_epoll),
	TEST(signal_is_read),
	TEST(signal_wakes_reader),
	TEST(signalfd_refuses),
	TEST(eventfd_semaphore),
	TEST(waiters_of_one_instance),
	TEST(oneshot),
	TEST(exclusive),
	TEST(pwait2),
	TEST(closed_under_a_waiter),
	TEST(waits_while_others_close),
	TEST(polled_while_waited_in),
};

int main(int argc, char **argv)
{
	return run_tests(argc, argv, tests, LENGTH(tests), 20);
}
