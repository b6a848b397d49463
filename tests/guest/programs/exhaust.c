/* SPDX-License-Identifier: MIT */
/* exhaust WHAT - takes all there is of something: memory, processes, descriptors, pipes, threads,
 * mappings, files. It ends by an errno or by the kernel's hand; who else lives must not notice. */
#include "check.h"

#include <fcntl.h>
#include <pthread.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>

static void memory(void)
{
	for (;;) {
		char *p = mmap(NULL, 1 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
			       -1, 0);

		if (p == MAP_FAILED) {
			printf("ok mmap errno %d\n", errno);
			return;
		}
		memset(p, 1, 1 << 20);
	}
}

static void processes(void)
{
	struct rlimit lim = { 100, 100 };
	int n = 0;

	setrlimit(RLIMIT_NPROC, &lim);
	if (setuid(65534))
		return;
	setpgid(0, 0);
	for (long end = now_ms() + 3000; now_ms() < end;)
		if (fork() > 0)
			n++;
	if (getpid() == getpgrp())
		printf("ok forked %d\n", n > 0);
	fflush(stdout);
	kill(0, SIGKILL);
}

static void descriptors(void)
{
	struct rlimit lim = { 4096, 4096 };
	int n = 0;

	setrlimit(RLIMIT_NOFILE, &lim);
	while (open("/dev/null", O_RDONLY) >= 0)
		n++;
	printf("ok %d descriptors, errno %d\n", n, errno);
}

static void pipes(void)
{
	static char block[4096];
	struct rlimit lim = { 1024, 1024 };
	int p[2], n = 0;

	setrlimit(RLIMIT_NOFILE, &lim);
	while (pipe2(p, O_NONBLOCK) == 0) {
		while (write(p[1], block, sizeof(block)) > 0)
			;
		n++;
	}
	printf("ok %d pipes, errno %d\n", n, errno);
}

/* As a common user. They stay until the caller is killed or two seconds have passed. */
static void datagram_sockets(void)
{
	struct sockaddr any = { .sa_family = AF_INET };
	struct rlimit lim = { 100000, 100000 };
	int fd, n = 0, bound = 0;

	check(setrlimit(RLIMIT_NOFILE, &lim) == 0 && setuid(65534) == 0);
	while ((fd = socket(AF_INET, SOCK_DGRAM, 0)) >= 0) {
		bound += bind(fd, &any, sizeof(any)) == 0;
		n++;
	}
	printf("ok %d datagram sockets, %d bound, errno %d\n", n, bound, errno);
	fflush(stdout);
	sleep(2);
}

static void sockets(void)
{
	static char block[4096];
	struct rlimit lim = { 1024, 1024 };
	int s[2], n = 0;

	setrlimit(RLIMIT_NOFILE, &lim);
	while (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, s) == 0) {
		while (write(s[1], block, sizeof(block)) > 0)
			;
		n++;
	}
	printf("ok %d socket pairs, errno %d\n", n, errno);
}

static void *idle(void *arg)
{
	for (;;)
		pause();
	return NULL;
}

static void threads(void)
{
	pthread_attr_t attr;
	pthread_t t;
	int n = 0;

	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, 16384);
	while (n < 3000 && pthread_create(&t, &attr, idle, NULL) == 0)
		n++;
	printf("ok %d threads\n", n);
}

static void mappings(void)
{
	int n = 0;

	while (n < 70000 && mmap(NULL, PAGE, n & 1 ? PROT_READ : PROT_NONE,
				 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) != MAP_FAILED)
		n++;
	printf("ok %d mappings\n", n);
}

static void files(void)
{
	char name[32];
	int n = 0, fd;

	mkdir("/tmp/exhaust", 0700);
	if (chdir("/tmp/exhaust"))
		return;
	for (; n < 20000; n++) {
		snprintf(name, sizeof(name), "%d", n);
		fd = open(name, O_CREAT | O_WRONLY, 0600);
		if (fd < 0)
			break;
		close(fd);
	}
	int err = errno;
	for (int i = 0; i < n; i++) {
		snprintf(name, sizeof(name), "%d", i);
		unlink(name);
	}
	printf("ok %d files, errno %d\n", n, n == 20000 ? 0 : err);
}

int main(int argc, char **argv)
{
	static const struct {
		const char *name;
		void (*fn)(void);
	} kinds[] = {
		{ "memory", memory },
		{ "processes", processes },
		{ "descriptors", descriptors },
		{ "pipes", pipes },
		{ "datagrams", datagram_sockets },
		{ "sockets", sockets },
		{ "threads", threads },
		{ "mappings", mappings },
		{ "files", files },
	};

	for (size_t i = 0; argc > 1 && i < LENGTH(kinds); i++)
		if (!strcmp(argv[1], kinds[i].name)) {
			kinds[i].fn();
			return 0;
		}
	return 2;
}
