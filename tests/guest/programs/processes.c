/* SPDX-License-Identifier: MIT */
/* processes.c - fork, vfork, exec, wait, sessions, credentials and limits. */
#include "check.h"

#include <fcntl.h>
#include <grp.h>
#include <sys/resource.h>
#include <sys/stat.h>

static void exit_statuses(void)
{
	for (int code = 0; code < 256; code += 51) {
		pid_t pid = fork();

		if (!pid)
			_exit(code);
		int s = status_of(pid);
		check(WIFEXITED(s) && WEXITSTATUS(s) == code);
	}
}

static void killed_statuses(void)
{
	int sigs[] = { SIGKILL, SIGTERM, SIGINT, SIGUSR1, SIGALRM };

	for (size_t i = 0; i < LENGTH(sigs); i++) {
		pid_t pid = fork();

		if (!pid) {
			pause();
			_exit(0);
		}
		kill(pid, sigs[i]);
		int s = status_of(pid);
		check(WIFSIGNALED(s) && WTERMSIG(s) == sigs[i]);
	}
}

static void wait_variants(void)
{
	pid_t a, b;
	int s;

	fails(wait(NULL), ECHILD);
	a = fork();
	if (!a) {
		sleep_ms(100);
		_exit(1);
	}
	check(waitpid(a, &s, WNOHANG) == 0);
	b = fork();
	if (!b)
		_exit(2);
	check(waitpid(b, &s, 0) == b && WEXITSTATUS(s) == 2);
	fails(waitpid(b, &s, 0), ECHILD);
	check(waitpid(-1, &s, 0) == a && WEXITSTATUS(s) == 1);
	a = fork();
	if (!a) {
		setpgid(0, 0);
		_exit(3);
	}
	setpgid(a, a);
	check(waitpid(-a, &s, 0) == a && WEXITSTATUS(s) == 3);
}

static void waitid_leaves_and_takes(void)
{
	siginfo_t info;
	pid_t pid = fork();

	if (!pid)
		_exit(9);
	memset(&info, 0, sizeof(info));
	check(waitid(P_PID, pid, &info, WEXITED | WNOWAIT) == 0);
	check(info.si_pid == pid && info.si_code == CLD_EXITED && info.si_status == 9);
	check(waitid(P_ALL, 0, &info, WEXITED) == 0 && info.si_pid == pid);
	fails(waitid(P_ALL, 0, &info, WEXITED), ECHILD);
}

static volatile int shared_by_vfork;

static void vfork_shares_and_suspends(void)
{
	pid_t pid = vfork();

	if (!pid) {
		shared_by_vfork = 42;
		sleep_ms(50);
		shared_by_vfork++;
		_exit(4);
	}
	check(shared_by_vfork == 43 && WEXITSTATUS(status_of(pid)) == 4);
}

static void vfork_exec(void)
{
	for (int i = 0; i < 10; i++) {
		pid_t pid = vfork();

		if (!pid) {
			execl("/proc/self/exe", "processes", "--exit", "6", NULL);
			_exit(98);
		}
		check(WEXITSTATUS(status_of(pid)) == 6);
	}
}

static void vfork_failed_exec(void)
{
	volatile int err = 0;
	pid_t pid = vfork();

	if (!pid) {
		execl("/nowhere/at/all", "x", NULL);
		err = errno;
		_exit(0);
	}
	status_of(pid);
	check(err == ENOENT);
}

static void fork_copies(void)
{
	char *p = malloc(100 * PAGE);
	pid_t pid;

	memset(p, 1, 100 * PAGE);
	pid = fork();
	if (!pid) {
		for (int i = 0; i < 100; i++) {
			check(p[i * PAGE] == 1);
			p[i * PAGE] = 2;
		}
		_exit(0);
	}
	check(status_of(pid) == 0);
	for (int i = 0; i < 100; i++)
		check(p[i * PAGE] == 1);
}

static void shared_mapping_is_shared(void)
{
	volatile int *p =
		mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	pid_t pid = fork();

	if (!pid) {
		*p = 77;
		_exit(0);
	}
	check(status_of(pid) == 0 && *p == 77);
}

static void fork_tree(void)
{
	/* 2^6 processes; each sums its children's exit codes */
	int depth = 0, sum;

again:
	sum = 1;
	if (depth < 6) {
		pid_t pid = fork();

		depth++;
		if (!pid)
			goto again;
		int mine = 1;
		while (depth <= 6) {
			mine += WEXITSTATUS(status_of(pid));
			if (depth == 6)
				break;
			pid = fork();
			depth++;
			if (!pid)
				goto again;
		}
		sum = mine;
	}
	if (getppid() != 1 && sum != 64)
		_exit(sum);
	check(sum == 64);
}

static void exec_errors(void)
{
	char *argv[] = { "x", NULL }, *huge[3] = { NULL };
	int fd;

	fails(execv("/nowhere", argv), ENOENT);
	fails(execv("/tmp", argv), EACCES);
	fails(execv("", argv), ENOENT);
	fails(execv((char *)1, argv), EFAULT);
	fails(execv("/proc/self/exe", (char **)1), EFAULT);
	fd = open("/tmp/not-executable", O_CREAT | O_WRONLY | O_TRUNC, 0644);
	check(fd >= 0 && write(fd, "#!/bin/sh\n", 10) == 10);
	close(fd);
	fails(execv("/tmp/not-executable", argv), EACCES);
	check(chmod("/tmp/not-executable", 0755) == 0);
	fd = open("/tmp/not-executable", O_WRONLY | O_TRUNC);
	check(write(fd, "garbage\n", 8) == 8);
	close(fd);
	fails(execv("/tmp/not-executable", argv), ENOEXEC);
	fd = open("/tmp/not-executable", O_WRONLY | O_TRUNC);
	check(write(fd, "#!/nowhere/interpreter\n", 23) == 23);
	close(fd);
	fails(execv("/tmp/not-executable", argv), ENOENT);
	huge[0] = malloc(4 << 20);
	memset(huge[0], 'a', (4 << 20) - 1);
	huge[0][(4 << 20) - 1] = 0;
	fails(execv("/proc/self/exe", huge), E2BIG);
	unlink("/tmp/not-executable");
}

static void script(void)
{
	int fd = open("/tmp/script", O_CREAT | O_WRONLY | O_TRUNC, 0755);
	char line[64];
	pid_t pid;

	check(fd >= 0);
	snprintf(line, sizeof(line), "#!/bin/sh\nexit $(($1 + $2))\n");
	check(write(fd, line, strlen(line)) == (ssize_t)strlen(line));
	close(fd);
	pid = fork();
	if (!pid) {
		execl("/tmp/script", "script", "20", "22", NULL);
		_exit(98);
	}
	check(WEXITSTATUS(status_of(pid)) == 42);
	unlink("/tmp/script");
}

static void script_of_itself(void)
{
	int fd = open("/tmp/loop", O_CREAT | O_WRONLY | O_TRUNC, 0755);
	char *argv[] = { "loop", NULL };

	check(fd >= 0 && write(fd, "#!/tmp/loop\n", 12) == 12);
	close(fd);
	fails(execv("/tmp/loop", argv), ELOOP);
	unlink("/tmp/loop");
}

static void many_arguments(void)
{
	char *argv[2003], buf[16];
	pid_t pid;

	argv[0] = "processes";
	argv[1] = "--count";
	for (int i = 2; i < 2002; i++) {
		snprintf(buf, sizeof(buf), "arg%d", i);
		argv[i] = strdup(buf);
	}
	argv[2002] = NULL;
	pid = fork();
	if (!pid) {
		execv("/proc/self/exe", argv);
		_exit(98);
	}
	check(WEXITSTATUS(status_of(pid)) == 2002 % 251);
}

static void close_on_exec(void)
{
	int a = open("/dev/null", O_RDONLY), b = open("/dev/null", O_RDONLY | O_CLOEXEC);
	char as[8], bs[8];
	pid_t pid;

	snprintf(as, sizeof(as), "%d", a);
	snprintf(bs, sizeof(bs), "%d", b);
	pid = fork();
	if (!pid) {
		execl("/proc/self/exe", "processes", "--fds", as, bs, NULL);
		_exit(98);
	}
	check(WEXITSTATUS(status_of(pid)) == 1); /* a open, b closed */
}

static void orphans_go_to_init(void)
{
	int p[2];
	pid_t pid, seen = 0;

	check(pipe(p) == 0);
	pid = fork();
	if (!pid) {
		pid_t middle = getpid();

		if (!fork()) {
			pid_t parent;

			while (getppid() == middle)
				sleep_ms(5);
			parent = getppid();
			check(write(p[1], &parent, sizeof(parent)) == sizeof(parent));
		}
		_exit(0);
	}
	status_of(pid);
	check(read(p[0], &seen, sizeof(seen)) == sizeof(seen) && seen >= 1 && seen != getpid());
}

static void sessions(void)
{
	pid_t pid = fork();

	if (!pid) {
		check(setsid() == getpid() && getsid(0) == getpid() && getpgrp() == getpid());
		fails(setsid(), EPERM);
		fails(open("/dev/tty", O_RDWR), ENXIO);
		_exit(0);
	}
	check(status_of(pid) == 0);
	fails(setpgid(999999, 0), ESRCH);
	fails(setpgid(0, -1), EINVAL);
	fails(getsid(999999), ESRCH);
}

static void credentials(void)
{
	gid_t groups[3] = { 5, 6, 7 };
	uid_t r, e, s;

	if (getuid() != 0)
		return;
	check(setgroups(3, groups) == 0 && getgroups(0, NULL) == 3);
	check(setresgid(100, 101, 102) == 0 && getgid() == 100 && getegid() == 101);
	check(setresuid(1000, 1001, 1000) == 0 && getuid() == 1000 && geteuid() == 1001);
	check(getresuid(&r, &e, &s) == 0 && r == 1000 && e == 1001 && s == 1000);
	fails(setuid(0), EPERM);
	fails(setgroups(1, groups), EPERM);
	check(seteuid(1000) == 0);
	fails(open("/etc/shadow", O_WRONLY), EACCES);
	fails(chown("/etc/passwd", 1000, 1000), EPERM);
	fails(sethostname("x", 1), EPERM);
	fails(setpriority(PRIO_PROCESS, 0, -5), EACCES);
	fails(syscall(SYS_reboot, 0xfee1dead, 672274793, 0x4321fedc, 0), EPERM);
	fails(syscall(SYS_delete_module, "ip", 0), EPERM);
	fails(syscall(SYS_init_module, "", 0, ""), EPERM);
	fails(syscall(SYS_mount, "none", "/mnt", "tmpfs", 0, 0), EPERM);
}

static void limit_of_processes(void)
{
	struct rlimit lim = { 20, 20 };
	int n = 0;
	pid_t pid;

	if (getuid() != 0)
		return;
	check(setrlimit(RLIMIT_NPROC, &lim) == 0);
	check(setuid(12345) == 0);
	while ((pid = fork()) > 0)
		n++;
	if (!pid) {
		pause();
		_exit(0);
	}
	check(errno == EAGAIN && n >= 15 && n <= 20);
	kill(0, SIGTERM); /* ... and ourselves */
}

static void limit_of_files(void)
{
	struct rlimit lim = { 32, 32 };
	int n = 0;

	check(setrlimit(RLIMIT_NOFILE, &lim) == 0);
	while (open("/dev/null", O_RDONLY) >= 0)
		n++;
	check(errno == EMFILE && n >= 20 && n < 32);
	int p[2];
	fails(pipe(p), EMFILE);
	fails(dup(0), EMFILE);
	fails(dup2(0, 32), EBADF);
}

static void limit_of_file_size(void)
{
	struct rlimit lim = { 5000, 5000 };
	int fd = open("/tmp/limited", O_CREAT | O_RDWR | O_TRUNC, 0600);
	char buf[4096] = "";

	check(setrlimit(RLIMIT_FSIZE, &lim) == 0);
	check(write(fd, buf, 4096) == 4096);
	check(write(fd, buf, 4096) == 904);
	unlink("/tmp/limited");
	write(fd, buf, 1);
}

static void usage_counts(void)
{
	struct rusage ru;
	volatile long n = 0;
	pid_t pid = fork();
	int status;

	if (!pid) {
		long end = now_ms() + 150;

		while (now_ms() < end)
			n++;
		_exit(0);
	}
	check(wait4(pid, &status, 0, &ru) == pid);
	check(ru.ru_utime.tv_usec + ru.ru_stime.tv_usec + 1000000 * ru.ru_utime.tv_sec > 50000);
}

static void zombies_hold_little(void)
{
	for (int round = 0; round < 4; round++) {
		for (int i = 0; i < 50; i++) {
			pid_t pid = fork();

			check(pid >= 0);
			if (!pid)
				_exit(0);
		}
		for (int i = 0; i < 50; i++)
			check(wait(NULL) > 0);
	}
	fails(wait(NULL), ECHILD);
}

/* By the calls themselves: the C library has its own opinion of some. */
static long policy_of(pid_t pid)
{
	return syscall(SYS_sched_getscheduler, pid);
}

static void policies_are_remembered(void)
{
	int none = 0, one = 1;
	pid_t pid;

	check(policy_of(0) == 0);
	check(syscall(SYS_sched_setscheduler, 0, 5 /* SCHED_IDLE */, &none) == 0 &&
	      policy_of(0) == 5);
	check(syscall(SYS_sched_setparam, 0, &none) == 0 && policy_of(0) == 5);
	pid = fork();
	if (!pid)
		_exit(policy_of(0) != 5 || policy_of(getppid()) != 5);
	check(status_of(pid) == 0);
	fails(syscall(SYS_sched_setscheduler, 0, 3, &one), EINVAL);
	fails(syscall(SYS_sched_setscheduler, 0, -1, &none), EINVAL);
	fails(syscall(SYS_sched_setscheduler, 0, 77, &none), EINVAL);
	check(policy_of(0) == 5);
	check(syscall(SYS_sched_setscheduler, 0, 3 | 0x40000000 /* SCHED_RESET_ON_FORK */, &none) ==
	      0);
	check(policy_of(0) == (3 | 0x40000000));
	pid = fork();
	if (!pid)
		_exit(policy_of(0) != 0);
	check(status_of(pid) == 0);
	check(setuid(65534) == 0);
	fails(syscall(SYS_sched_setscheduler, 1, 3, &none), EPERM);
}

static const struct test tests[] = {
	TEST(exit_statuses),
	TEST(killed_statuses),
	TEST(wait_variants),
	TEST(waitid_leaves_and_takes),
	TEST(vfork_shares_and_suspends),
	TEST(vfork_exec),
	TEST(vfork_failed_exec),
	TEST(fork_copies),
	TEST(shared_mapping_is_shared),
	TEST(fork_tree),
	TEST(exec_errors),
	TEST(script),
	TEST(script_of_itself),
	TEST(many_arguments),
	TEST(close_on_exec),
	TEST(orphans_go_to_init),
	TEST(sessions),
	TEST(credentials),
	DIES(limit_of_processes, SIGTERM),
	TEST(limit_of_files),
	DIES(limit_of_file_size, SIGXFSZ),
	TEST(usage_counts),
	TEST(zombies_hold_little),
	TEST(policies_are_remembered),
};

int main(int argc, char **argv)
{
	if (argc == 3 && !strcmp(argv[1], "--exit"))
		return atoi(argv[2]);
	if (argc > 1 && !strcmp(argv[1], "--count"))
		return !strcmp(argv[argc - 1], "arg2001") ? argc % 251 : 97;
	if (argc == 4 && !strcmp(argv[1], "--fds"))
		return (fcntl(atoi(argv[2]), F_GETFD) >= 0) +
		       2 * (fcntl(atoi(argv[3]), F_GETFD) >= 0);
	setpgid(0, 0);
	return run_tests(argc, argv, tests, LENGTH(tests), 20);
}
