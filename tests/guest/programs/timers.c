/* SPDX-License-Identifier: MIT */
/* timers.c - timers that send signals, timer_create(2), as Linux has them: what the handler is
 * told, overruns, threads as targets, and when they end. No case depends on how soon a timer fires.
 */
#include "check.h"

#include <limits.h>
#include <pthread.h>
#include <sys/signalfd.h>

#ifndef sigev_notify_thread_id
#define sigev_notify_thread_id _sigev_un._tid
#endif

static volatile int count;
static volatile siginfo_t seen;
static volatile pthread_t seen_by;

static void note(int sig, siginfo_t *info, void *context)
{
	count++;
	seen = *info;
	seen_by = pthread_self();
}

static void handle(int sig)
{
	struct sigaction sa = { .sa_sigaction = note, .sa_flags = SA_SIGINFO };

	check(sigaction(sig, &sa, NULL) == 0);
}

static sigset_t only(int sig)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, sig);
	return set;
}

static void mask(int sig, int how)
{
	sigset_t set = only(sig);

	check(pthread_sigmask(how, &set, NULL) == 0);
}

static timer_t made(int clock, int sig, int value)
{
	struct sigevent ev = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = sig };
	timer_t id;

	ev.sigev_value.sival_int = value;
	check(timer_create(clock, &ev, &id) == 0);
	return id;
}

static void set(timer_t id, long value_ns, long interval_ns)
{
	struct itimerspec it = {
		.it_value = { value_ns / 1000000000, value_ns % 1000000000 },
		.it_interval = { interval_ns / 1000000000, interval_ns % 1000000000 },
	};

	check(timer_settime(id, 0, &it, NULL) == 0);
}

static void wait_count(int n)
{
	while (count < n)
		sleep_ms(1);
}

static void fires_once_with_its_value(void)
{
	timer_t id = made(CLOCK_MONOTONIC, SIGUSR1, 4711);
	struct itimerspec left;

	handle(SIGUSR1);
	check(timer_gettime(id, &left) == 0 && !left.it_value.tv_sec && !left.it_value.tv_nsec);
	set(id, 20000000, 0);
	wait_count(1);
	check(seen.si_signo == SIGUSR1 && seen.si_code == SI_TIMER &&
	      seen.si_value.sival_int == 4711);
	check(seen.si_overrun == 0 && timer_getoverrun(id) == 0);
	check(timer_gettime(id, &left) == 0 && !left.it_value.tv_sec && !left.it_value.tv_nsec);
	sleep_ms(60);
	check(count == 1);
	check(timer_delete(id) == 0);
	fails(syscall(SYS_timer_delete, *(int *)&id), EINVAL);
}

static void tells_what_is_left(void)
{
	timer_t id = made(CLOCK_REALTIME, SIGUSR1, 0);
	struct itimerspec it = { .it_value = { 1000, 0 }, .it_interval = { 7, 5 } }, left,
			  off = { 0 };

	check(timer_settime(id, 0, &it, NULL) == 0);
	check(timer_gettime(id, &left) == 0);
	check(left.it_value.tv_sec >= 900 && left.it_value.tv_sec <= 1000);
	check(left.it_interval.tv_sec == 7 && left.it_interval.tv_nsec == 5);
	check(timer_settime(id, 0, &off, &left) == 0 && left.it_value.tv_sec >= 900);
	check(timer_gettime(id, &left) == 0 && !left.it_value.tv_sec && !left.it_value.tv_nsec);
}

static void absolute_time_that_is_over(void)
{
	timer_t id = made(CLOCK_REALTIME, SIGUSR1, 0);
	struct itimerspec it = { 0 };

	handle(SIGUSR1);
	check(clock_gettime(CLOCK_REALTIME, &it.it_value) == 0);
	it.it_value.tv_sec -= 5;
	check(timer_settime(id, TIMER_ABSTIME, &it, NULL) == 0);
	wait_count(1);
}

/* Without an event: SIGALRM with the timer's number. */
static void default_event(void)
{
	timer_t id;

	check(syscall(SYS_timer_create, CLOCK_BOOTTIME, NULL, &id) == 0);
	handle(SIGALRM);
	struct itimerspec it = { .it_value = { 0, 1000000 } };
	check(syscall(SYS_timer_settime, *(int *)&id, 0, &it, NULL) == 0);
	wait_count(1);
	check(seen.si_signo == SIGALRM && seen.si_value.sival_int == *(int *)&id);
	check(seen.si_timerid == *(int *)&id);
}

/* Blocked, one signal stands for all the intervals; who takes it learns how many. */
static void overruns_are_counted(void)
{
	timer_t id = made(CLOCK_MONOTONIC, SIGRTMIN, 1);
	sigset_t wanted = only(SIGRTMIN);
	struct timespec none = { 0, 0 };
	siginfo_t info;

	mask(SIGRTMIN, SIG_BLOCK);
	set(id, 1000000, 1000000);
	sleep_ms(100);
	check(sigwaitinfo(&wanted, &info) == SIGRTMIN && info.si_code == SI_TIMER);
	check(info.si_overrun >= 50 && timer_getoverrun(id) == info.si_overrun);
	check(sigwaitinfo(&wanted, &info) == SIGRTMIN);
	check(timer_delete(id) == 0);
	while (sigtimedwait(&wanted, &info, &none) == SIGRTMIN)
		;
	check(errno == EAGAIN);
	sleep_ms(20);
	fails(sigtimedwait(&wanted, NULL, &none), EAGAIN);
}

/* Which has other fields than siginfo_t for the timer's number and the overruns. */
static void read_from_signalfd(void)
{
	struct sigevent ev = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGRTMIN };
	sigset_t wanted = only(SIGRTMIN);
	struct signalfd_siginfo info;
	int unused, id, fd;

	mask(SIGRTMIN, SIG_BLOCK);
	fd = signalfd(-1, &wanted, 0);
	ev.sigev_value.sival_ptr = (void *)0x123456789a;
	/* the first one's number may be 0 */
	check(syscall(SYS_timer_create, CLOCK_MONOTONIC, NULL, &unused) == 0);
	check(syscall(SYS_timer_create, CLOCK_MONOTONIC, &ev, &id) == 0 && id);
	struct itimerspec it = { .it_value = { 0, 1000000 }, .it_interval = { 0, 1000000 } };
	check(syscall(SYS_timer_settime, id, 0, &it, NULL) == 0);
	sleep_ms(50);
	check(read(fd, &info, sizeof(info)) == sizeof(info));
	check(info.ssi_signo == (uint32_t)SIGRTMIN && info.ssi_code == SI_TIMER);
	check(info.ssi_tid == (uint32_t)id && info.ssi_overrun >= 20);
	check(info.ssi_pid == 0 && info.ssi_uid == 0);
	check(info.ssi_ptr == 0x123456789a && info.ssi_int == 0x3456789a);
}

/* Another program hears of signals that were sent, but not of timers it has not made. */
static void exec_forgets_them(void)
{
	static const char script[] = "while read -r name set rest; do case $name in ShdPnd:) "
				     "[ $set = $0 ]; exit $?;; esac; "
				     "done < /proc/$$/status; exit 2";
	sigset_t pending;
	char left[20];
	pid_t pid = fork();

	if (!pid) {
		snprintf(left, sizeof(left), "%016lx", 1ul << (SIGRTMIN + 1));
		mask(SIGRTMIN, SIG_BLOCK);
		mask(SIGRTMIN + 2, SIG_BLOCK);
		set(made(CLOCK_MONOTONIC, SIGRTMIN, 0), 1, 1);
		set(made(CLOCK_MONOTONIC, SIGRTMIN + 2, 0), 1, 0);
		check(sigqueue(getpid(), SIGRTMIN + 2, (union sigval){ 0 }) == 0);
		do {
			check(sigpending(&pending) == 0);
		} while (!sigismember(&pending, SIGRTMIN));
		sleep_ms(5);
		execl("/bin/sh", "sh", "-c", script, left, NULL);
		_exit(3);
	}
	check(status_of(pid) == 0);
}

/* A pending one of a deleted timer may still come, whole or not at all, and breaks nothing. */
static void deleted_while_pending(void)
{
	sigset_t wanted = only(SIGRTMIN + 1), pending;
	struct timespec none = { 0, 0 };
	timer_t id;
	int i;

	mask(SIGRTMIN + 1, SIG_BLOCK);
	for (i = 0; i < 50; i++) {
		id = made(CLOCK_MONOTONIC, SIGRTMIN + 1, i);
		set(id, 1, 0);
		do {
			check(sigpending(&pending) == 0);
		} while (!sigismember(&pending, SIGRTMIN + 1));
		check(timer_delete(id) == 0);
		if (i % 2)
			sigtimedwait(&wanted, NULL, &none);
	}
}

static timer_t endless;

static void stopper(int sig)
{
	struct itimerspec off = { 0 };

	if (++count == 200)
		check(timer_settime(endless, 0, &off, NULL) == 0);
}

/* An interval that nobody can keep up with, as on Linux the program gets to nothing but its
 * handler: but that runs, and can stop it. */
static void shortest_interval(void)
{
	struct sigaction sa = { .sa_handler = stopper };

	endless = made(CLOCK_MONOTONIC, SIGUSR2, 0);
	check(sigaction(SIGUSR2, &sa, NULL) == 0);
	set(endless, 1, 1);
	wait_count(200);
	check(timer_delete(endless) == 0);
}

static void two_timers_one_signal(void)
{
	timer_t a = made(CLOCK_MONOTONIC, SIGUSR1, 1), b = made(CLOCK_MONOTONIC, SIGUSR1, 2);
	sigset_t wanted = only(SIGUSR1);
	siginfo_t first, second;

	mask(SIGUSR1, SIG_BLOCK);
	set(a, 1000000, 0);
	set(b, 2000000, 0);
	sleep_ms(30);
	check(sigwaitinfo(&wanted, &first) == SIGUSR1 && sigwaitinfo(&wanted, &second) == SIGUSR1);
	check(first.si_value.sival_int + second.si_value.sival_int == 3);
}

static void ignored_then_handled(void)
{
	timer_t id = made(CLOCK_MONOTONIC, SIGUSR1, 0);

	signal(SIGUSR1, SIG_IGN);
	set(id, 1000000, 1000000);
	sleep_ms(30);
	handle(SIGUSR1);
	wait_count(3);
	check(timer_delete(id) == 0);
}

static void *waiter(void *tid)
{
	*(volatile pid_t *)tid = gettid();
	while (!count)
		sleep_ms(1);
	return NULL;
}

static void goes_to_the_thread_named(void)
{
	struct sigevent ev = { .sigev_notify = SIGEV_THREAD_ID, .sigev_signo = SIGUSR1 };
	volatile pid_t tid = 0;
	pthread_t thread;
	timer_t id;

	handle(SIGUSR1);
	check(pthread_create(&thread, NULL, waiter, (void *)&tid) == 0);
	while (!tid)
		sleep_ms(1);
	ev.sigev_notify_thread_id = tid;
	check(timer_create(CLOCK_MONOTONIC, &ev, &id) == 0);
	set(id, 1000000, 5000000);
	check(pthread_join(thread, NULL) == 0);
	check(pthread_equal(seen_by, thread));
	/* nobody is left to take it */
	sleep_ms(30);
	check(timer_delete(id) == 0);
	ev.sigev_notify_thread_id = getppid();
	fails(timer_create(CLOCK_MONOTONIC, &ev, &id), EINVAL);
}

static void children_have_none(void)
{
	timer_t id = made(CLOCK_MONOTONIC, SIGUSR1, 0);
	struct itimerspec left;
	pid_t pid;

	handle(SIGUSR1);
	set(id, 1000000000, 0);
	pid = fork();
	if (!pid) {
		fails(timer_gettime(id, &left), EINVAL);
		_exit(0);
	}
	check(status_of(pid) == 0);
	check(timer_gettime(id, &left) == 0);
}

/* The process ends with timers in all states. */
static void ends_armed(void)
{
	int i;

	for (i = 0; i < 20; i++) {
		pid_t pid = fork();

		if (!pid) {
			mask(SIGRTMIN, SIG_BLOCK);
			for (int n = 0; n < 20; n++)
				set(made(n % 2 ? CLOCK_REALTIME : CLOCK_MONOTONIC, SIGRTMIN, n),
				    1 + n * 50000, n);
			if (i % 3 == 0)
				execl("/bin/true", "true", NULL);
			_exit(0);
		}
		check(status_of(pid) == 0);
	}
}

static void kills_by_default(void)
{
	set(made(CLOCK_MONOTONIC, SIGUSR1, 0), 1000000, 0);
	for (;;)
		pause();
}

static void refused(void)
{
	struct sigevent ev = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = 65 };
	struct itimerspec bad = { .it_value = { 0, 1000000000 } };
	timer_t id = made(CLOCK_MONOTONIC, SIGUSR1, 0), other;

	fails(timer_create(CLOCK_MONOTONIC, &ev, &other), EINVAL);
	ev.sigev_notify = 99;
	fails(timer_create(CLOCK_MONOTONIC, &ev, &other), EINVAL);
	fails(syscall(SYS_timer_create, 77, NULL, &other), EINVAL);
	fails(syscall(SYS_timer_create, CLOCK_MONOTONIC, NULL, 8), EFAULT);
	fails(syscall(SYS_timer_create, CLOCK_MONOTONIC, 8, &other), EFAULT);
	fails(timer_settime(id, 0, &bad, NULL), EINVAL);
	fails(syscall(SYS_timer_settime, *(int *)&id, 0, NULL, NULL), EINVAL);
	fails(syscall(SYS_timer_getoverrun, 12345), EINVAL);
}

static void no_more_than_the_limit(void)
{
	struct sigevent ev = { .sigev_notify = SIGEV_NONE };
	timer_t id;
	int n = 0;

	while (n < 100000 && timer_create(CLOCK_MONOTONIC, &ev, &id) == 0)
		n++;
	check(n >= 100 && n < 100000 && errno == EAGAIN);
}

static const struct test tests[] = {
	TEST(fires_once_with_its_value),  TEST(tells_what_is_left),
	TEST(absolute_time_that_is_over), TEST(default_event),
	TEST(overruns_are_counted),	  TEST(deleted_while_pending),
	TEST(shortest_interval),	  TEST(two_timers_one_signal),
	TEST(ignored_then_handled),	  TEST(goes_to_the_thread_named),
	TEST(children_have_none),	  TEST(ends_armed),
	DIES(kills_by_default, SIGUSR1),  TEST(refused),
	TEST(no_more_than_the_limit),	  TEST(read_from_signalfd),
	TEST(exec_forgets_them),
};

int main(int argc, char **argv)
{
	return run_tests(argc, argv, tests, LENGTH(tests), 20);
}
