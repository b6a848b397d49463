/* SPDX-License-Identifier: MIT */
/* fuzzcalls SEED ROUNDS [user] - every system call with bad pointers in each argument, then random
 * calls in children. Nothing but the child may be hurt. What would end the machine or the test on
 * purpose is left out: reboot, kill of others, sleeping for ever is ended by an alarm. */
#include "check.h"

#include <fcntl.h>
#include <grp.h>
#include <sys/resource.h>
#include <sys/time.h>

#define CALLS 451
#define PER_CHILD 200

static const short left_out[] = {
	SYS_reboot,
	SYS_kill,
	SYS_tkill,
	SYS_tgkill,
	SYS_rt_sigqueueinfo,
	SYS_rt_tgsigqueueinfo,
	SYS_exit,
	SYS_exit_group,
	SYS_pause,
	SYS_rt_sigsuspend,
	SYS_umount2,
	SYS_pivot_root,
	SYS_chroot,
	SYS_syslog,
	SYS_settimeofday,
	SYS_clock_settime,
	SYS_sethostname,
	SYS_setdomainname,
	SYS_vhangup,
	SYS_delete_module,
	SYS_fork,
	SYS_vfork,
	SYS_clone,
	435 /* clone3 */,
	SYS_setsid,
	SYS_rt_sigreturn,
	SYS_setrlimit,
	SYS_prlimit64,
	SYS_ptrace,
	SYS_setpgid,
	SYS_unlink,
	SYS_unlinkat,
	SYS_rmdir,
	SYS_rename,
	SYS_renameat,
	SYS_renameat2,
	SYS_mount,
	SYS_swapoff,
	SYS_alarm,
	SYS_setitimer,
	SYS_rt_sigprocmask,
	SYS_rt_sigaction,
	424 /* pidfd_send_signal */,
	SYS_setpriority,
};

static unsigned long seed;

static unsigned long next(void)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return seed * 0x2545f4914f6cdd1d;
}

static int skipped(long nr)
{
	for (size_t i = 0; i < LENGTH(left_out); i++)
		if (left_out[i] == nr)
			return 1;
	return 0;
}

static char *pages; /* readable and writable, read only, none, executable: one each */
static volatile long *progress;

static unsigned long interesting(void)
{
	unsigned long r = next();
	static const unsigned long pool[] = {
		0,
		1,
		2,
		3,
		4,
		7,
		8,
		15,
		16,
		100,
		255,
		256,
		4095,
		4096,
		4097,
		65535,
		65536,
		0x7fffffff,
		0x80000000,
		0xffffffff,
		0x100000000,
		0x7fffffffefff,
		0x7ffffffff000,
		0x800000000000,
		0x7fffffffffffffff,
		0x8000000000000000,
		0xffff800000000000,
		0xffff888000100000,
		0xffffffff80100000,
		0xffffffffa0000000,
		0xfffffffffffff000,
		-100ul,
		-2ul,
		-1ul,
		0x8933,
		0x5401,
		0x5413,
		0x541b,
	};

	switch (r >> 60) {
	case 0:
	case 1:
	case 2:
	case 3:
	case 4:
	case 5:
		return pool[(r >> 8) % LENGTH(pool)];
	case 6:
	case 7:
	case 8:
		return (unsigned long)pages + (r >> 8) % (4 * PAGE);
	case 9:
		return (unsigned long)pages + ((r >> 8) % 4 + 1) * PAGE - (r >> 20) % 24;
	case 10:
	case 11:
		return (r >> 8) % 12; /* a descriptor */
	case 12:
		return r >> 8 & 0xffff;
	case 13:
		return 1ul << (r >> 8) % 64;
	}
	return next();
}

static void fill_pages(void)
{
	unsigned long *words = (void *)pages;

	for (size_t i = 0; i < PAGE / 8; i++)
		words[i] = next() & 1 ? interesting() : next();
	strcpy(pages, "/tmp/fuzz");
	strcpy(pages + 64, "/proc/self/maps");
	strcpy(pages + 128, "/dev/null");
}

static void on_alarm(int sig)
{
}

static void prepare(int user)
{
	struct itimerval it = { { 0, 30000 }, { 0, 30000 } };
	struct rlimit cpu = { 10, 10 }, size = { 1 << 20, 1 << 20 }, as = { 64 << 20, 64 << 20 };
	struct sigaction sa = { .sa_handler = on_alarm };
	int p[2];

	setsid();
	setrlimit(RLIMIT_CPU, &cpu);
	setrlimit(RLIMIT_FSIZE, &size);
	setrlimit(RLIMIT_AS, &as);
	if (user) {
		setgroups(0, NULL);
		if (setgid(65534) || setuid(65534))
			_exit(97);
	}
	pages = mmap(NULL, 4 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	mprotect(pages + PAGE, PAGE, PROT_READ);
	mprotect(pages + 2 * PAGE, PAGE, PROT_NONE);
	mprotect(pages + 3 * PAGE, PAGE, PROT_READ | PROT_EXEC);
	/* descriptors 0..11 of many kinds; never the terminal */
	for (int fd = 0; fd < 12; fd++)
		close(fd);
	open("/dev/null", O_RDWR);
	open("/dev/zero", O_RDWR);
	open("/tmp/fuzz", O_RDWR | O_CREAT, 0666);
	open("/tmp", O_RDONLY);
	if (pipe(p)) {
	}
	syscall(SYS_eventfd2, 1, 0);
	syscall(SYS_epoll_create1, 0);
	syscall(SYS_socket, 1, 1, 0);
	syscall(SYS_socket, 2, 3, 1);
	open("/proc/self/stat", O_RDONLY);
	open("/dev/ptmx", O_RDWR | O_NOCTTY);
	sigaction(SIGALRM, &sa, NULL);
	setitimer(ITIMER_REAL, &it, NULL);
}

static void random_calls(void)
{
	for (int i = 0; i < PER_CHILD; i++) {
		long nr = next() % CALLS;

		if (skipped(nr))
			continue;
		if (i % 16 == 0)
			fill_pages();
		*progress = nr;
		syscall(nr, interesting(), interesting(), interesting(), interesting(),
			interesting(), interesting());
	}
}

/* Each bad address in each argument, the others plausible. */
static void bad_pointers(long nr)
{
	static const unsigned long bad[] = { 1,
					     0x1000,
					     0x7ffffffff000,
					     0x800000000000,
					     0xffff888000100000,
					     0xffffffff80100000,
					     0xfffffffffffffff0 };

	for (size_t b = 0; b < LENGTH(bad); b++) {
		for (int arg = 0; arg < 6; arg++) {
			unsigned long a[6] = { 3, (unsigned long)pages, 16, 0, 0, 0 };

			if (b & 1)
				a[0] = (unsigned long)pages;
			a[arg] = bad[b];
			*progress = nr;
			syscall(nr, a[0], a[1], a[2], a[3], a[4], a[5]);
		}
	}
}

static void reap(pid_t pid, const char *what)
{
	int status;

	for (int i = 0; i < 300; i++) {
		if (waitpid(pid, &status, WNOHANG) == pid) {
			kill(-pid, SIGKILL);
			return;
		}
		sleep_ms(i < 50 ? 2 : 20);
	}
	printf("%s: call %ld did not come back, killed\n", what, *progress);
	fflush(stdout);
	kill(-pid, SIGKILL);
	kill(pid, SIGKILL);
	for (int i = 0; i < 200; i++) {
		if (waitpid(pid, &status, WNOHANG) == pid)
			return;
		sleep_ms(20);
	}
	printf("FAIL %s: call %ld cannot be killed\n", what, *progress);
	fflush(stdout);
}

int main(int argc, char **argv)
{
	int rounds = argc > 2 ? atoi(argv[2]) : 10, user = argc > 3;
	unsigned long first = argc > 1 ? strtoul(argv[1], NULL, 0) : 1;
	pid_t pid;

	progress = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	for (long nr = 0; nr < CALLS; nr++) {
		if (skipped(nr))
			continue;
		pid = fork();
		if (!pid) {
			prepare(user);
			bad_pointers(nr);
			_exit(0);
		}
		reap(pid, "pointers");
	}
	printf("ok pointers\n");
	fflush(stdout);
	for (int i = 0; i < rounds; i++) {
		pid = fork();
		if (!pid) {
			seed = (first + i) * 0x9e3779b97f4a7c15;
			prepare(user);
			random_calls();
			_exit(0);
		}
		reap(pid, "random");
	}
	printf("ok random\ndone\n");
	return 0;
}
