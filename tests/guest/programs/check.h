/* SPDX-License-Identifier: MIT */
/* check.h - what the test programs share: each case runs in a child of its own with a time limit
 * and prints one line, `ok NAME` or `FAIL NAME: why`; the last line counts them. */
#pragma once

#define _GNU_SOURCE
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define LENGTH(a) (sizeof(a) / sizeof((a)[0]))
#define PAGE 4096ul

struct test {
	const char *name;
	void (*fn)(void);
	int dies; /* the signal that must end it; 0: it must return; ANY: some signal */
};
#define ANY (-1)
#define TEST(f)          \
	{                \
#f, f, 0 \
	}
#define DIES(f, sig)       \
	{                  \
#f, f, sig \
	}

/* Ends the case when the condition does not hold. */
#define check(cond)                                                                      \
	do {                                                                             \
		if (!(cond)) {                                                           \
			int e_ = errno;                                                  \
			printf("%s:%d: %s (errno %d)\n", __FILE__, __LINE__, #cond, e_); \
			fflush(stdout);                                                  \
			_exit(99);                                                       \
		}                                                                        \
	} while (0)
/* What is on its way must come true; the condition may be asked often. */
#define soon(cond)                                                       \
	do {                                                             \
		for (long end_ = now_ms() + 10000; !(cond); sleep_ms(2)) \
			if (now_ms() > end_)                             \
				check(!"within ten seconds: " #cond);    \
	} while (0)
/* The call must give this errno. */
#define fails(call, err)                                                                    \
	do {                                                                                \
		errno = 0;                                                                  \
		long r_ = (long)(call);                                                     \
		if (r_ != -1 || errno != (err)) {                                           \
			printf("%s:%d: %s gave %ld, errno %d, wanted " #err "\n", __FILE__, \
			       __LINE__, #call, r_, errno);                                 \
			fflush(stdout);                                                     \
			_exit(99);                                                          \
		}                                                                           \
	} while (0)

static inline long now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static inline void sleep_ms(long ms)
{
	struct timespec t = { ms / 1000, ms % 1000 * 1000000 };

	while (nanosleep(&t, &t) && errno == EINTR)
		;
}

static inline int status_of(pid_t pid)
{
	int status;

	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return -1;
	return status;
}

static int run_one(const struct test *t, int seconds)
{
	pid_t pid;
	int status;

	fflush(stdout);
	pid = fork();
	if (!pid) {
		alarm(seconds);
		t->fn();
		fflush(stdout);
		_exit(0);
	}
	status = pid < 0 ? -1 : status_of(pid);
	if (t->dies ? WIFSIGNALED(status) && (t->dies == ANY || WTERMSIG(status) == t->dies) :
		      status == 0) {
		printf("ok %s\n", t->name);
		return 0;
	}
	if (WIFSIGNALED(status))
		printf("FAIL %s: killed by signal %d\n", t->name, WTERMSIG(status));
	else
		printf("FAIL %s: status %#x\n", t->name, status);
	return 1;
}

/* All cases, or those named on the command line. */
static inline int run_tests(int argc, char **argv, const struct test *tests, size_t n, int seconds)
{
	int ok = 0, failed = 0;

	for (size_t i = 0; i < n; i++) {
		int wanted = argc < 2;

		for (int a = 1; a < argc; a++)
			wanted |= !strcmp(argv[a], tests[i].name);
		if (!wanted)
			continue;
		if (run_one(&tests[i], seconds))
			failed++;
		else
			ok++;
	}
	printf("%d ok, %d failed\n", ok, failed);
	return failed != 0;
}
