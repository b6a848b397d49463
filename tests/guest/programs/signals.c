/* SPDX-License-Identifier: MIT */
/* signals.c - POSIX signals as Linux does them: masks, queueing, restart, alternate stacks,
 * nesting, and what SIGCHLD and wait report. */
#include "check.h"

#include <setjmp.h>
#include <sys/time.h>
#include <ucontext.h>

static volatile int count, last, depth, deepest;
static volatile siginfo_t seen;

static void counter(int sig)
{
	count++;
	last = sig;
}

static void noter(int sig, siginfo_t *info, void *context)
{
	count++;
	seen = *info;
}

static void handle(int sig, void (*fn)(int), int flags)
{
	struct sigaction sa = { .sa_handler = fn, .sa_flags = flags };

	check(sigaction(sig, &sa, NULL) == 0);
}

static void note(int sig, int flags)
{
	struct sigaction sa = { .sa_sigaction = noter, .sa_flags = SA_SIGINFO | flags };

	check(sigaction(sig, &sa, NULL) == 0);
}

static void block(int sig, int how)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, sig);
	check(sigprocmask(how, &set, NULL) == 0);
}

static void handler_runs(void)
{
	handle(SIGUSR1, counter, 0);
	raise(SIGUSR1);
	check(count == 1 && last == SIGUSR1);
	kill(getpid(), SIGUSR1);
	check(count == 2);
}

static void blocked_waits_once(void)
{
	sigset_t set;

	handle(SIGUSR1, counter, 0);
	block(SIGUSR1, SIG_BLOCK);
	raise(SIGUSR1);
	raise(SIGUSR1);
	check(count == 0);
	sigpending(&set);
	check(sigismember(&set, SIGUSR1) && !sigismember(&set, SIGUSR2));
	block(SIGUSR1, SIG_UNBLOCK);
	check(count == 1); /* ordinary signals do not queue */
}

static void realtime_queues_in_order(void)
{
	note(SIGRTMIN + 1, 0);
	block(SIGRTMIN + 1, SIG_BLOCK);
	for (int i = 0; i < 5; i++)
		check(sigqueue(getpid(), SIGRTMIN + 1, (union sigval){ .sival_int = i }) == 0);
	block(SIGRTMIN + 1, SIG_UNBLOCK);
	check(count == 5 && seen.si_value.sival_int == 4 && seen.si_code == SI_QUEUE);
}

static void siginfo_of_kill(void)
{
	note(SIGUSR1, 0);
	kill(getpid(), SIGUSR1);
	check(seen.si_code == SI_USER && seen.si_pid == getpid() && seen.si_uid == getuid());
}

static void nested_handler(int sig)
{
	depth++;
	if (depth > deepest)
		deepest = depth;
	if (sig == SIGUSR1)
		raise(SIGUSR2);
	depth--;
}

static void nested(void)
{
	handle(SIGUSR1, nested_handler, 0);
	handle(SIGUSR2, nested_handler, 0);
	raise(SIGUSR1);
	check(deepest == 2 && depth == 0);
}

static void self_raiser(int sig)
{
	depth++;
	if (depth > deepest)
		deepest = depth;
	if (count++ < 5)
		raise(sig);
	depth--;
}

static void masked_while_handled(void)
{
	handle(SIGUSR1, self_raiser, 0);
	raise(SIGUSR1);
	check(deepest == 1 && count == 6);
}

static void nodefer_nests(void)
{
	handle(SIGUSR1, self_raiser, SA_NODEFER);
	raise(SIGUSR1);
	check(deepest == 6);
}

static void resethand(void)
{
	struct sigaction old;

	handle(SIGUSR1, counter, SA_RESETHAND);
	raise(SIGUSR1);
	check(count == 1);
	sigaction(SIGUSR1, NULL, &old);
	check(old.sa_handler == SIG_DFL);
}

static char *stack_low, *stack_high;
static volatile int on_it;

static void where(int sig)
{
	char here;

	on_it = &here > stack_low && &here < stack_high;
	count++;
}

static void alternate_stack(void)
{
	stack_t st = { .ss_size = 65536 }, old;

	st.ss_sp = stack_low = malloc(st.ss_size);
	stack_high = stack_low + st.ss_size;
	check(sigaltstack(&st, NULL) == 0);
	handle(SIGUSR1, where, SA_ONSTACK);
	handle(SIGUSR2, where, 0);
	raise(SIGUSR1);
	check(on_it == 1);
	raise(SIGUSR2);
	check(on_it == 0 && count == 2);
	check(sigaltstack(NULL, &old) == 0 && old.ss_sp == stack_low && old.ss_flags == 0);
	st.ss_size = 100;
	fails(sigaltstack(&st, NULL), ENOMEM);
}

static sigjmp_buf back;

static void jump_back(int sig, siginfo_t *info, void *context)
{
	seen = *info;
	siglongjmp(back, 1);
}

static int deeper(volatile char *p);
static int (*volatile deeper_yet)(volatile char *p) = deeper;
static int __attribute__((noinline)) deeper(volatile char *p)
{
	volatile char room[4096];

	room[0] = *p;
	return deeper_yet(room) + room[1];
}

static void stack_overflow_is_survived(void)
{
	struct sigaction sa = { .sa_sigaction = jump_back, .sa_flags = SA_SIGINFO | SA_ONSTACK };
	stack_t st = { .ss_sp = malloc(65536), .ss_size = 65536 };
	char c = 0;

	sigaltstack(&st, NULL);
	sigaction(SIGSEGV, &sa, NULL);
	for (volatile int i = 0; i < 3; i++)
		if (!sigsetjmp(back, 1))
			deeper(&c);
	check(seen.si_signo == SIGSEGV);
}

static void fault_address(void)
{
	struct sigaction sa = { .sa_sigaction = jump_back, .sa_flags = SA_SIGINFO };
	char *p = mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	sigaction(SIGSEGV, &sa, NULL);
	if (!sigsetjmp(back, 1))
		*(volatile char *)0x1234 = 0;
	check(seen.si_addr == (void *)0x1234 && seen.si_code == SEGV_MAPERR);
	if (!sigsetjmp(back, 1))
		p[17] = 1;
	check(seen.si_addr == p + 17 && seen.si_code == SEGV_ACCERR);
}

static void fault_fixed_and_resumed_handler(int sig, siginfo_t *info, void *context)
{
	count++;
	check(mprotect((void *)((unsigned long)info->si_addr & -PAGE), PAGE,
		       PROT_READ | PROT_WRITE) == 0);
}

static void fault_fixed_and_resumed(void)
{
	struct sigaction sa = { .sa_sigaction = fault_fixed_and_resumed_handler,
				.sa_flags = SA_SIGINFO };
	volatile char *p = mmap(NULL, 8 * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	sigaction(SIGSEGV, &sa, NULL);
	for (int i = 0; i < 8; i++)
		p[i * PAGE] = i;
	check(count == 8 && p[7 * PAGE] == 7);
}

static void registers_survive_handler(int sig, siginfo_t *info, void *context)
{
	volatile double d = count;

	for (int i = 0; i < 10; i++)
		d = d * 3.5 + i;
	count++;
}

static void registers_survive(void)
{
	struct sigaction sa = { .sa_sigaction = registers_survive_handler, .sa_flags = SA_SIGINFO };
	struct itimerval it = { { 0, 1000 }, { 0, 1000 } };
	long end = now_ms() + 300;

	sigaction(SIGALRM, &sa, NULL);
	setitimer(ITIMER_REAL, &it, NULL);
	while (now_ms() < end) {
		double a = 1, b = 0;
		long n = 0;

		for (long i = 0; i < 1000; i++) {
			a *= 1.0009765625;
			b += i;
			n += i;
		}
		check(b == 499500 && n == 499500 && a > 2.65 && a < 2.66);
	}
	check(count > 20);
}

static void restart_read(void)
{
	int p[2];
	char c = 0;
	pid_t pid;

	check(pipe(p) == 0);
	handle(SIGUSR1, counter, SA_RESTART);
	pid = fork();
	if (!pid) {
		sleep_ms(50);
		kill(getppid(), SIGUSR1);
		sleep_ms(50);
		check(write(p[1], "x", 1) == 1);
		_exit(0);
	}
	check(read(p[0], &c, 1) == 1 && c == 'x' && count == 1);
	handle(SIGUSR2, counter, 0);
	pid = fork();
	if (!pid) {
		sleep_ms(50);
		kill(getppid(), SIGUSR2);
		_exit(0);
	}
	fails(read(p[0], &c, 1), EINTR);
	while (wait(NULL) > 0)
		;
}

static void restart_wait(void)
{
	pid_t pid, kicker;

	handle(SIGUSR1, counter, SA_RESTART);
	pid = fork();
	if (!pid) {
		sleep_ms(150);
		_exit(7);
	}
	kicker = fork();
	if (!kicker) {
		sleep_ms(50);
		kill(getppid(), SIGUSR1);
		_exit(0);
	}
	int status;
	check(waitpid(pid, &status, 0) == pid && WEXITSTATUS(status) == 7 && count == 1);
	check(waitpid(kicker, &status, 0) == kicker);
}

static void nanosleep_tells_the_rest(void)
{
	struct timespec t = { 5, 0 }, rest = { 0, 0 };
	pid_t pid;

	handle(SIGUSR1, counter, SA_RESTART);
	pid = fork();
	if (!pid) {
		sleep_ms(100);
		kill(getppid(), SIGUSR1);
		_exit(0);
	}
	fails(nanosleep(&t, &rest), EINTR);
	check(rest.tv_sec == 4 && rest.tv_nsec > 0);
	status_of(pid);
}

static void sleep_goes_on_after_stop(void)
{
	long start = now_ms();
	pid_t pid = fork();
	int status;

	if (!pid) {
		struct timespec t = { 0, 400000000 };

		_exit(nanosleep(&t, NULL) != 0);
	}
	sleep_ms(100);
	kill(pid, SIGSTOP);
	check(waitpid(pid, &status, WUNTRACED) == pid && WIFSTOPPED(status) &&
	      WSTOPSIG(status) == SIGSTOP);
	kill(pid, SIGCONT);
	check(waitpid(pid, &status, WCONTINUED) == pid && WIFCONTINUED(status));
	check(waitpid(pid, &status, 0) == pid && WIFEXITED(status) && WEXITSTATUS(status) == 0);
	check(now_ms() - start >= 400);
}

static void sigchld_codes(void)
{
	pid_t pid;

	note(SIGCHLD, SA_RESTART);
	block(SIGCHLD, SIG_BLOCK);
	pid = fork();
	if (!pid)
		_exit(5);
	check(status_of(pid) == 5 << 8);
	block(SIGCHLD, SIG_UNBLOCK);
	check(seen.si_code == CLD_EXITED && seen.si_status == 5 && seen.si_pid == pid);
	pid = fork();
	if (!pid) {
		pause();
		_exit(1);
	}
	kill(pid, SIGSTOP);
	for (int i = 0; i < 200 && seen.si_code != CLD_STOPPED; i++)
		sleep_ms(10);
	check(seen.si_code == CLD_STOPPED && seen.si_status == SIGSTOP && seen.si_pid == pid);
	kill(pid, SIGCONT);
	for (int i = 0; i < 200 && seen.si_code != CLD_CONTINUED; i++)
		sleep_ms(10);
	check(seen.si_code == CLD_CONTINUED);
	kill(pid, SIGKILL);
	check(status_of(pid) == SIGKILL);
	for (int i = 0; i < 200 && seen.si_code != CLD_KILLED; i++)
		sleep_ms(10);
	check(seen.si_code == CLD_KILLED && seen.si_status == SIGKILL);
}

static void nocldstop(void)
{
	pid_t pid;

	note(SIGCHLD, SA_NOCLDSTOP);
	pid = fork();
	if (!pid) {
		pause();
		_exit(1);
	}
	kill(pid, SIGSTOP);
	sleep_ms(100);
	check(count == 0);
	kill(pid, SIGKILL);
	status_of(pid);
	check(count == 1);
}

static void ignored_children_vanish(void)
{
	signal(SIGCHLD, SIG_IGN);
	for (int i = 0; i < 20; i++)
		if (!fork())
			_exit(0);
	fails(wait(NULL), ECHILD);
}

static void suspend(void)
{
	sigset_t none;
	pid_t pid;

	handle(SIGUSR1, counter, 0);
	block(SIGUSR1, SIG_BLOCK);
	pid = fork();
	if (!pid) {
		kill(getppid(), SIGUSR1);
		_exit(0);
	}
	sigemptyset(&none);
	fails(sigsuspend(&none), EINTR);
	check(count == 1);
	status_of(pid);
}

static void timedwait(void)
{
	struct timespec zero = { 0, 0 }, some = { 0, 50000000 };
	siginfo_t info;
	sigset_t set;
	long start;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigprocmask(SIG_BLOCK, &set, NULL);
	fails(sigtimedwait(&set, &info, &zero), EAGAIN);
	start = now_ms();
	fails(sigtimedwait(&set, &info, &some), EAGAIN);
	check(now_ms() - start >= 49);
	raise(SIGUSR1);
	check(sigtimedwait(&set, &info, &zero) == SIGUSR1 && info.si_pid == getpid());
}

static void kill_and_stop_cannot_be_caught(void)
{
	struct sigaction sa = { .sa_handler = counter };
	sigset_t all, old;

	fails(sigaction(SIGKILL, &sa, NULL), EINVAL);
	fails(sigaction(SIGSTOP, &sa, NULL), EINVAL);
	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, NULL);
	sigprocmask(SIG_SETMASK, NULL, &old);
	check(!sigismember(&old, SIGKILL) && !sigismember(&old, SIGSTOP) &&
	      sigismember(&old, SIGTERM));
	raise(SIGKILL);
}

static void default_ignored(void)
{
	raise(SIGCHLD);
	raise(SIGURG);
	raise(SIGWINCH);
	raise(SIGCONT);
}

static void exec_resets_handlers(void)
{
	char *argv[] = { "signals", "--after-exec", NULL };
	pid_t pid = fork();

	if (!pid) {
		handle(SIGUSR1, counter, 0);
		signal(SIGUSR2, SIG_IGN);
		block(SIGTERM, SIG_BLOCK);
		execv("/proc/self/exe", argv);
		_exit(98);
	}
	check(status_of(pid) == 0);
}

static int after_exec(void)
{
	struct sigaction sa;
	sigset_t set;

	sigaction(SIGUSR1, NULL, &sa);
	if (sa.sa_handler != SIG_DFL)
		return 1;
	sigaction(SIGUSR2, NULL, &sa);
	if (sa.sa_handler != SIG_IGN)
		return 2;
	sigprocmask(SIG_SETMASK, NULL, &set);
	return sigismember(&set, SIGTERM) ? 0 : 3;
}

static void broken_pipe(void)
{
	int p[2];

	check(pipe(p) == 0);
	close(p[0]);
	signal(SIGPIPE, SIG_IGN);
	fails(write(p[1], "x", 1), EPIPE);
	signal(SIGPIPE, SIG_DFL);
	write(p[1], "x", 1);
}

static void kill_errors(void)
{
	fails(kill(getpid(), 65), EINVAL);
	fails(kill(999999, 0), ESRCH);
	check(kill(getpid(), 0) == 0);
	check(setuid(65534) == 0);
	fails(kill(1, SIGTERM), EPERM);
}

static void groups(void)
{
	pid_t kids[3], pgid = 0;

	for (int i = 0; i < 3; i++) {
		kids[i] = fork();
		if (!kids[i]) {
			pause();
			_exit(1);
		}
		check(setpgid(kids[i], pgid) == 0);
		if (!pgid)
			pgid = kids[0];
	}
	check(getpgid(kids[2]) == kids[0]);
	check(kill(-pgid, SIGTERM) == 0);
	for (int i = 0; i < 3; i++)
		check(status_of(kids[i]) == SIGTERM);
	fails(kill(-pgid, SIGTERM), ESRCH);
}

static void many(void)
{
	pid_t pid, parent = getpid();
	long end;

	handle(SIGUSR1, counter, SA_RESTART);
	pid = fork();
	if (!pid) {
		for (int i = 0; i < 5000; i++)
			kill(parent, SIGUSR1);
		_exit(0);
	}
	check(status_of(pid) == 0);
	end = now_ms() + 2000;
	while (!count && now_ms() < end)
		;
	check(count > 0 && count <= 5000);
}

static const struct test tests[] = {
	TEST(handler_runs),
	TEST(blocked_waits_once),
	TEST(realtime_queues_in_order),
	TEST(siginfo_of_kill),
	TEST(nested),
	TEST(masked_while_handled),
	TEST(nodefer_nests),
	TEST(resethand),
	TEST(alternate_stack),
	TEST(stack_overflow_is_survived),
	TEST(fault_address),
	TEST(fault_fixed_and_resumed),
	TEST(registers_survive),
	TEST(restart_read),
	TEST(restart_wait),
	TEST(nanosleep_tells_the_rest),
	TEST(sleep_goes_on_after_stop),
	TEST(sigchld_codes),
	TEST(nocldstop),
	TEST(ignored_children_vanish),
	TEST(suspend),
	TEST(timedwait),
	DIES(kill_and_stop_cannot_be_caught, SIGKILL),
	TEST(default_ignored),
	TEST(exec_resets_handlers),
	DIES(broken_pipe, SIGPIPE),
	TEST(kill_errors),
	TEST(groups),
	TEST(many),
};

int main(int argc, char **argv)
{
	if (argc == 2 && !strcmp(argv[1], "--after-exec"))
		return after_exec();
	return run_tests(argc, argv, tests, LENGTH(tests), 10);
}
