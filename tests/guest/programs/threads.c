/* SPDX-License-Identifier: MIT */
/* threads.c - POSIX threads as a C library makes them of clone and futex. */
#include "check.h"

#include <fcntl.h>
#include <pthread.h>
#include <semaphore.h>
#include <sys/resource.h>

#define FUTEX_WAIT 0
#define FUTEX_WAKE 1

static int futex(volatile int *p, int op, int val, const struct timespec *t)
{
	return syscall(SYS_futex, p, op, val, t, NULL, 0);
}

static void *plus_one(void *arg)
{
	return (char *)arg + 1;
}

static void create_and_join(void)
{
	pthread_t t;
	void *result;

	for (long i = 0; i < 100; i++) {
		check(pthread_create(&t, NULL, plus_one, (void *)i) == 0);
		check(pthread_join(t, &result) == 0 && result == (void *)(i + 1));
	}
}

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t cond = PTHREAD_COND_INITIALIZER;
static volatile long counter;

static void *count_up(void *arg)
{
	for (int i = 0; i < 2000; i++) {
		pthread_mutex_lock(&mutex);
		counter++;
		pthread_mutex_unlock(&mutex);
	}
	return NULL;
}

static void mutex_excludes(void)
{
	pthread_t t[8];

	for (int i = 0; i < 8; i++)
		check(pthread_create(&t[i], NULL, count_up, NULL) == 0);
	for (int i = 0; i < 8; i++)
		check(pthread_join(t[i], NULL) == 0);
	check(counter == 16000);
}

static volatile int turn;

static void *ping_pong(void *arg)
{
	int me = (int)(long)arg;

	for (int i = 0; i < 200; i++) {
		pthread_mutex_lock(&mutex);
		while (turn != me)
			pthread_cond_wait(&cond, &mutex);
		turn = !me;
		pthread_cond_broadcast(&cond);
		pthread_mutex_unlock(&mutex);
	}
	return NULL;
}

static void condition_variables(void)
{
	pthread_t a, b;

	pthread_create(&a, NULL, ping_pong, (void *)0);
	pthread_create(&b, NULL, ping_pong, (void *)1);
	pthread_join(a, NULL);
	pthread_join(b, NULL);
	check(turn == 0);
}

static __thread int own;

static void *own_value(void *arg)
{
	own = (int)(long)arg;
	for (int i = 0; i < 50; i++) {
		sched_yield();
		if (own != (int)(long)arg)
			return (void *)1;
	}
	return NULL;
}

static void thread_locals(void)
{
	pthread_t t[8];
	void *bad;

	own = -1;
	for (long i = 0; i < 8; i++)
		pthread_create(&t[i], NULL, own_value, (void *)i);
	for (int i = 0; i < 8; i++)
		check(pthread_join(t[i], &bad) == 0 && !bad);
	check(own == -1);
}

static void *get_ids(void *arg)
{
	pid_t *ids = arg;

	ids[0] = getpid();
	ids[1] = syscall(SYS_gettid);
	return NULL;
}

static void ids(void)
{
	pid_t got[2];
	pthread_t t;

	pthread_create(&t, NULL, get_ids, got);
	pthread_join(t, NULL);
	check(got[0] == getpid() && got[1] != getpid());
	check(syscall(SYS_gettid) == getpid());
}

static volatile int handled_by;

static void by_whom(int sig)
{
	handled_by = syscall(SYS_gettid);
}

static volatile int tid_of_waiter;

static void *wait_for_signal(void *arg)
{
	tid_of_waiter = syscall(SYS_gettid);
	while (!handled_by)
		pause();
	return NULL;
}

static void signal_to_one_thread(void)
{
	pthread_t t;

	signal(SIGUSR1, by_whom);
	pthread_create(&t, NULL, wait_for_signal, NULL);
	while (!tid_of_waiter)
		sched_yield();
	while (!handled_by) {
		pthread_kill(t, SIGUSR1);
		sleep_ms(2);
	}
	check(handled_by == tid_of_waiter);
	pthread_join(t, NULL);
	fails(syscall(SYS_tgkill, getpid(), 999999, 0), ESRCH);
}

static void signal_to_the_unblocked(void)
{
	sigset_t set;
	pthread_t t;

	signal(SIGUSR1, by_whom);
	pthread_create(&t, NULL, wait_for_signal, NULL);
	while (!tid_of_waiter)
		sched_yield();
	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	pthread_sigmask(SIG_BLOCK, &set, NULL);
	while (!handled_by) {
		kill(getpid(), SIGUSR1);
		sleep_ms(2);
	}
	check(handled_by == tid_of_waiter);
	pthread_join(t, NULL);
}

static void *for_ever(void *arg)
{
	for (;;)
		pause();
	return NULL;
}

static void exit_takes_all(void)
{
	pid_t pid = fork();

	if (!pid) {
		pthread_t t;

		for (int i = 0; i < 5; i++)
			pthread_create(&t, NULL, for_ever, NULL);
		exit(3);
	}
	check(WEXITSTATUS(status_of(pid)) == 3);
}

static void *crash(void *arg)
{
	*(volatile int *)0 = 0;
	return NULL;
}

static void a_crash_takes_all(void)
{
	pid_t pid = fork();

	if (!pid) {
		pthread_t t;

		pthread_create(&t, NULL, crash, NULL);
		for (;;)
			pause();
	}
	int s = status_of(pid);
	check(WIFSIGNALED(s) && WTERMSIG(s) == SIGSEGV);
}

static void *exec_here(void *arg)
{
	execl("/proc/self/exe", "threads", "--exit", NULL);
	return NULL;
}

static void exec_in_a_thread(void)
{
	pid_t pid = fork();

	if (!pid) {
		pthread_t t;

		for (int i = 0; i < 3; i++)
			pthread_create(&t, NULL, for_ever, NULL);
		pthread_create(&t, NULL, exec_here, NULL);
		for (;;)
			pause();
	}
	check(WEXITSTATUS(status_of(pid)) == 33);
}

static void *leave_last(void *arg)
{
	sleep_ms(100);
	exit(4);
}

static void leader_exits_first(void)
{
	pid_t pid = fork();

	if (!pid) {
		pthread_t t;

		pthread_create(&t, NULL, leave_last, NULL);
		pthread_exit(NULL);
	}
	sleep_ms(30);
	check(waitpid(pid, NULL, WNOHANG) == 0);
	check(WEXITSTATUS(status_of(pid)) == 4);
}

static void *fork_here(void *arg)
{
	pid_t pid = fork();

	if (!pid)
		_exit(5);
	return (void *)(long)WEXITSTATUS(status_of(pid));
}

static void fork_in_threads(void)
{
	pthread_t t[4];
	void *code;

	for (int i = 0; i < 4; i++)
		pthread_create(&t[i], NULL, fork_here, NULL);
	for (int i = 0; i < 4; i++)
		check(pthread_join(t[i], &code) == 0 && code == (void *)5);
}

static void futex_values(void)
{
	struct timespec t = { 0, 30000000 };
	volatile int word = 1;
	long start = now_ms();

	fails(futex(&word, FUTEX_WAIT, 2, NULL), EAGAIN);
	fails(futex(&word, FUTEX_WAIT, 1, &t), ETIMEDOUT);
	check(now_ms() - start >= 29);
	check(futex(&word, FUTEX_WAKE, 100, NULL) == 0);
	fails(futex((int *)0x10, FUTEX_WAIT, 1, NULL), EFAULT);
	fails(futex((int *)((char *)&word + 1), FUTEX_WAIT, 1, NULL), EINVAL);
	fails(futex((int *)0xffff888000000000, FUTEX_WAIT, 1, NULL), EFAULT);
}

static volatile int *shared_word;

static void futex_between_processes(void)
{
	pid_t pid;

	shared_word = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	pid = fork();
	if (!pid) {
		while (*shared_word == 0)
			futex(shared_word, FUTEX_WAIT, 0, NULL);
		_exit(6);
	}
	sleep_ms(50);
	*shared_word = 1;
	futex(shared_word, FUTEX_WAKE, 1, NULL);
	check(WEXITSTATUS(status_of(pid)) == 6);
}

static sem_t sem;

static void *post_later(void *arg)
{
	sleep_ms(20);
	sem_post(&sem);
	return NULL;
}

static void semaphores(void)
{
	struct timespec t;
	pthread_t thread;

	sem_init(&sem, 0, 1);
	check(sem_wait(&sem) == 0);
	fails(sem_trywait(&sem), EAGAIN);
	clock_gettime(CLOCK_REALTIME, &t);
	t.tv_nsec += 20000000;
	if (t.tv_nsec >= 1000000000) {
		t.tv_sec++;
		t.tv_nsec -= 1000000000;
	}
	fails(sem_timedwait(&sem, &t), ETIMEDOUT);
	pthread_create(&thread, NULL, post_later, NULL);
	check(sem_wait(&sem) == 0);
	pthread_join(thread, NULL);
}

static void *compute(void *arg)
{
	double x = (long)arg, sum = 0;

	for (int i = 1; i < 100000; i++)
		sum += x / i;
	return sum > 12.09 * x && sum < 12.1 * x ? NULL : (void *)1;
}

static void floating_point_is_per_thread(void)
{
	pthread_t t[6];
	void *bad;

	for (long i = 0; i < 6; i++)
		pthread_create(&t[i], NULL, compute, (void *)(i + 1));
	for (int i = 0; i < 6; i++)
		check(pthread_join(t[i], &bad) == 0 && !bad);
}

static void *cancel_point(void *arg)
{
	sleep(100);
	return NULL;
}

static void cancellation(void)
{
	pthread_t t;
	void *result;

	pthread_create(&t, NULL, cancel_point, NULL);
	sleep_ms(20);
	check(pthread_cancel(t) == 0);
	check(pthread_join(t, &result) == 0 && result == PTHREAD_CANCELED);
}

static void *open_files(void *arg)
{
	for (int i = 0; i < 500; i++) {
		int fd = open("/dev/null", O_RDONLY);

		if (fd < 0)
			return (void *)1;
		close(fd);
	}
	return NULL;
}

static void shared_descriptors(void)
{
	pthread_t t[4];
	void *bad;

	for (int i = 0; i < 4; i++)
		pthread_create(&t[i], NULL, open_files, NULL);
	for (int i = 0; i < 4; i++)
		check(pthread_join(t[i], &bad) == 0 && !bad);
}

static void *map_and_touch(void *arg)
{
	for (int i = 0; i < 100; i++) {
		char *p = mmap(NULL, 8 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
			       -1, 0);

		if (p == MAP_FAILED)
			return (void *)1;
		for (int k = 0; k < 8; k++)
			p[k * PAGE] = k;
		if (mprotect(p, PAGE, PROT_READ) || munmap(p, 8 * PAGE))
			return (void *)1;
	}
	return NULL;
}

static void shared_address_space(void)
{
	pthread_t t[4];
	void *bad;

	for (int i = 0; i < 4; i++)
		pthread_create(&t[i], NULL, map_and_touch, NULL);
	for (int i = 0; i < 4; i++)
		check(pthread_join(t[i], &bad) == 0 && !bad);
}

static void *read_one(void *arg)
{
	char c = 0;

	return read(*(int *)arg, &c, 1) == 1 && c == 'x' ? arg : NULL;
}

/* The file must live for as long as somebody reads from it. */
static void close_under_a_reader(void)
{
	for (int i = 0; i < 20; i++) {
		int p[2], more[8];
		pthread_t t;
		void *result;

		check(pipe(p) == 0 && pthread_create(&t, NULL, read_one, &p[0]) == 0);
		sleep_ms(20);
		check(close(p[0]) == 0);
		for (int j = 0; j < 8; j += 2)
			check(pipe(more + j) == 0);
		check(write(p[1], "x", 1) == 1 && pthread_join(t, &result) == 0 && result);
		for (int j = 0; j < 8; j++)
			close(more[j]);
		close(p[1]);
	}
}

static void bad_tls(void)
{
	fails(syscall(SYS_clone, CLONE_SETTLS | SIGCHLD, NULL, NULL, NULL, 1ul << 63), EPERM);
}

static int sleep_long(void *arg)
{
	sleep_ms(300);
	_exit(0);
}

static void *open_and_close(void *arg)
{
	for (;;)
		close(open("/dev/null", O_RDONLY));
	return NULL;
}

/* The descriptors are shared with a process that ends while one thread executes a program and
 * others use them. */
static void exec_with_shared_descriptors(void)
{
	static char stack[16384] __attribute__((aligned(16)));

	for (int i = 0; i < 20; i++) {
		pid_t pid = fork();

		check(pid >= 0);
		if (!pid) {
			pthread_t t[3];

			for (int j = 0; j < 3; j++)
				pthread_create(&t[j], NULL, open_and_close, NULL);
			clone(sleep_long, stack + sizeof(stack), CLONE_VM | CLONE_FILES | SIGCHLD,
			      NULL);
			sleep_ms(5);
			execl("/proc/self/exe", "threads", "--exit", NULL);
			_exit(1);
		}
		check(WEXITSTATUS(status_of(pid)) == 33);
	}
	sleep_ms(500); /* the last of them sleep a little longer than their parents lived */
}

/* Continued and stopped again at once: the parent hears of each stop. */
static void stops_with_threads(void)
{
	int status;
	pid_t pid = fork();

	if (!pid) {
		pthread_t t;

		pthread_create(&t, NULL, open_and_close, NULL);
		for (;;)
			pause();
	}
	sleep_ms(30);
	for (int i = 0; i < 50; i++) {
		check(kill(pid, SIGSTOP) == 0 && waitpid(pid, &status, WUNTRACED) == pid &&
		      WIFSTOPPED(status));
		check(kill(pid, SIGCONT) == 0);
	}
	kill(pid, SIGKILL);
	check(WTERMSIG(status_of(pid)) == SIGKILL);
}

static int runs_on(pid_t pid)
{
	char text[1024], *p;
	int fd, n;

	snprintf(text, sizeof(text), "/proc/%d/stat", pid);
	fd = open(text, O_RDONLY);
	n = read(fd, text, sizeof(text) - 1);
	close(fd);
	check(n > 0);
	text[n] = 0;
	p = strrchr(text, ')');
	for (int field = 2; field < 39; field++)
		p = strchr(p + 1, ' ');
	return atoi(p);
}

/* A program that never enters the kernel leaves a CPU that is taken from it. */
static void moved_while_running(void)
{
	long cpus = sysconf(_SC_NPROCESSORS_ONLN);
	pid_t pid = fork();

	if (!pid)
		for (;;)
			;
	for (int i = 0; i < 10; i++) {
		cpu_set_t set;

		CPU_ZERO(&set);
		CPU_SET(i % cpus, &set);
		check(sched_setaffinity(pid, sizeof(set), &set) == 0);
		sleep_ms(20);
		check(runs_on(pid) == i % cpus);
	}
	kill(pid, SIGKILL);
	check(WTERMSIG(status_of(pid)) == SIGKILL);
}

static volatile int racing = 1;

static void *change_something_else(void *arg)
{
	for (long i = 0; racing; i++)
		syscall(SYS_setfsuid, 1000 + (i & 7));
	return arg;
}

/* What one thread changes of the credentials another one's change does not undo. */
static void credentials_are_not_undone(void)
{
	pthread_t t;

	if (geteuid())
		return;
	check(pthread_create(&t, NULL, change_something_else, NULL) == 0);
	for (int i = 0; i < 3000; i++) {
		check(syscall(SYS_setresgid, 5 + (i & 1), -1, -1) == 0);
		check(syscall(SYS_getgid) == 5 + (i & 1));
	}
	racing = 0;
	check(pthread_join(t, NULL) == 0);
}

static void *wait_for_end(void *arg)
{
	sleep_ms(300);
	return arg;
}

/* RLIMIT_NPROC counts a user's threads, and does not bind root. */
static void threads_are_counted(void)
{
	struct rlimit few = { 3, 3 };
	pthread_t t[3];

	if (geteuid())
		return;
	check(setrlimit(RLIMIT_NPROC, &few) == 0 && setuid(54321) == 0);
	check(pthread_create(&t[0], NULL, wait_for_end, NULL) == 0);
	check(pthread_create(&t[1], NULL, wait_for_end, NULL) == 0);
	check(pthread_create(&t[2], NULL, wait_for_end, NULL) == EAGAIN);
	fails(fork(), EAGAIN);
	check(pthread_join(t[0], NULL) == 0 && pthread_join(t[1], NULL) == 0);
}

static const struct test tests[] = {
	TEST(create_and_join),
	TEST(mutex_excludes),
	TEST(condition_variables),
	TEST(thread_locals),
	TEST(ids),
	TEST(signal_to_one_thread),
	TEST(signal_to_the_unblocked),
	TEST(exit_takes_all),
	TEST(a_crash_takes_all),
	TEST(exec_in_a_thread),
	TEST(leader_exits_first),
	TEST(fork_in_threads),
	TEST(futex_values),
	TEST(futex_between_processes),
	TEST(semaphores),
	TEST(floating_point_is_per_thread),
	TEST(cancellation),
	TEST(shared_descriptors),
	TEST(shared_address_space),
	TEST(close_under_a_reader),
	TEST(bad_tls),
	TEST(exec_with_shared_descriptors),
	TEST(stops_with_threads),
	TEST(moved_while_running),
	TEST(credentials_are_not_undone),
	TEST(threads_are_counted),
};

int main(int argc, char **argv)
{
	if (argc == 2 && !strcmp(argv[1], "--exit"))
		return 33;
	return run_tests(argc, argv, tests, LENGTH(tests), 20);
}
