/* SPDX-License-Identifier: MIT */
/* ptys.c - terminals: line discipline, controlling terminal, job control and window size, on a
 * pseudo-terminal pair. */
#include "check.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <termios.h>

static int m, t;

static void open_pair(void)
{
	int zero = 0, n;
	char name[32];

	m = open("/dev/ptmx", O_RDWR | O_NOCTTY);
	check(m >= 0 && ioctl(m, TIOCSPTLCK, &zero) == 0 && ioctl(m, TIOCGPTN, &n) == 0);
	snprintf(name, sizeof(name), "/dev/pts/%d", n);
	t = open(name, O_RDWR | O_NOCTTY);
	check(t >= 0 && isatty(t));
}

static void type(const char *text)
{
	check(write(m, text, strlen(text)) == (ssize_t)strlen(text));
}

/* What arrives on fd within a moment. */
static const char *got(int fd)
{
	static char buf[1024];
	struct pollfd f = { fd, POLLIN, 0 };
	size_t n = 0;

	while (n < sizeof(buf) - 1 && poll(&f, 1, 100) == 1 && f.revents & POLLIN) {
		ssize_t r = read(fd, buf + n, sizeof(buf) - 1 - n);

		if (r <= 0)
			break;
		n += r;
	}
	buf[n] = 0;
	return buf;
}

static void mode(tcflag_t lflag_off, tcflag_t iflag_off)
{
	struct termios tio;

	check(tcgetattr(t, &tio) == 0);
	tio.c_lflag &= ~lflag_off;
	tio.c_iflag &= ~iflag_off;
	check(tcsetattr(t, TCSANOW, &tio) == 0);
}

static void cooked_lines(void)
{
	open_pair();
	type("half");
	check(!strcmp(got(t), ""));
	type(" a line\r");
	check(!strcmp(got(t), "half a line\n"));
	check(!strcmp(got(m), "half a line\r\n")); /* echo */
}

static void editing(void)
{
	open_pair();
	mode(ECHO, 0);
	type("wrongg\177ly\177\177\r");
	check(!strcmp(got(t), "wrong\n"));
	type("gone\025kept\r");
	check(!strcmp(got(t), "kept\n"));
	type("two words\027one\r");
	check(!strcmp(got(t), "two one\n"));
	type("literal \026\003\r");
	check(!strcmp(got(t), "literal \003\n"));
}

static void end_of_file(void)
{
	char buf[16];

	open_pair();
	type("tail\004");
	check(read(t, buf, 16) == 4);
	type("\004");
	check(read(t, buf, 16) == 0);
}

static void output_processing(void)
{
	open_pair();
	check(write(t, "a\nb", 3) == 3 && !strcmp(got(m), "a\r\nb"));
}

static void raw_bytes(void)
{
	struct termios tio;
	char buf[16];

	open_pair();
	check(tcgetattr(t, &tio) == 0);
	cfmakeraw(&tio);
	check(tcsetattr(t, TCSAFLUSH, &tio) == 0);
	type("x\003\r");
	check(read(t, buf, 16) == 3 && !memcmp(buf, "x\003\r", 3));
	tio.c_cc[VMIN] = 0;
	tio.c_cc[VTIME] = 1;
	tcsetattr(t, TCSANOW, &tio);
	long start = now_ms();
	check(read(t, buf, 16) == 0 && now_ms() - start >= 90);
}

static volatile int interrupted, resized, stopped_by;

static void on_signal(int sig)
{
	if (sig == SIGINT)
		interrupted++;
	if (sig == SIGWINCH)
		resized++;
	if (sig == SIGTTIN || sig == SIGTTOU)
		stopped_by = sig;
}

static void control_characters_and_size(void)
{
	struct winsize w = { 50, 132, 0, 0 }, seen;

	open_pair();
	check(setsid() > 0 && ioctl(t, TIOCSCTTY, 0) == 0);
	check(tcgetpgrp(t) == getpgrp());
	signal(SIGINT, on_signal);
	signal(SIGWINCH, on_signal);
	type("\003");
	for (int i = 0; i < 100 && !interrupted; i++)
		sleep_ms(5);
	check(interrupted == 1);
	check(ioctl(m, TIOCSWINSZ, &w) == 0 && ioctl(t, TIOCGWINSZ, &seen) == 0);
	check(seen.ws_row == 50 && seen.ws_col == 132);
	for (int i = 0; i < 100 && !resized; i++)
		sleep_ms(5);
	check(resized == 1);
	int fd = open("/dev/tty", O_RDWR);
	check(fd >= 0 && write(fd, "!", 1) == 1 && strchr(got(m), '!'));
}

static void background_reads_stop(void)
{
	int status;
	pid_t pid;

	open_pair();
	check(setsid() > 0 && ioctl(t, TIOCSCTTY, 0) == 0);
	pid = fork();
	if (!pid) {
		char c;

		setpgid(0, 0);
		_exit(read(t, &c, 1) == 1 ? 0 : 1);
	}
	setpgid(pid, pid);
	check(waitpid(pid, &status, WUNTRACED) == pid && WIFSTOPPED(status) &&
	      WSTOPSIG(status) == SIGTTIN);
	check(tcsetpgrp(t, pid) == 0);
	type("x\r");
	kill(-pid, SIGCONT);
	check(waitpid(pid, &status, 0) == pid && status == 0);
}

static void suspend_character(void)
{
	int status;
	pid_t pid;

	open_pair();
	check(setsid() > 0 && ioctl(t, TIOCSCTTY, 0) == 0);
	signal(SIGTTOU, SIG_IGN);
	pid = fork();
	if (!pid) {
		setpgid(0, 0);
		tcsetpgrp(t, getpid());
		for (;;)
			pause();
	}
	setpgid(pid, pid);
	check(tcsetpgrp(t, pid) == 0);
	sleep_ms(30);
	type("\032");
	check(waitpid(pid, &status, WUNTRACED) == pid && WIFSTOPPED(status) &&
	      WSTOPSIG(status) == SIGTSTP);
	kill(pid, SIGCONT);
	type("\034");
	check(waitpid(pid, &status, 0) == pid && WIFSIGNALED(status) &&
	      WTERMSIG(status) == SIGQUIT);
}

static void hangup(void)
{
	int status;
	pid_t pid;

	open_pair();
	pid = fork();
	if (!pid) {
		close(m);
		check(setsid() > 0 && ioctl(t, TIOCSCTTY, 0) == 0);
		for (;;)
			pause();
	}
	sleep_ms(50);
	close(t);
	close(m);
	check(waitpid(pid, &status, 0) == pid && WIFSIGNALED(status) && WTERMSIG(status) == SIGHUP);
}

static void closed_ends(void)
{
	char c;

	open_pair();
	close(t);
	fails(read(m, &c, 1), EIO);
	open_pair();
	close(m);
	check(read(t, &c, 1) == 0 || errno == EIO);
	fails(write(t, "x", 1), EIO);
}

/* A session leader gets a controlling terminal by opening one, unless it says that it does not want
 * it; then another session may have it. */
static void not_controlling_unasked(void)
{
	int status, fd;
	pid_t pid;

	open_pair();
	if (!fork()) {
		check(setsid() > 0);
		fd = open(ptsname(m), O_RDWR | O_NOCTTY);
		check(fd >= 0 && !(fcntl(fd, F_GETFL) & O_NOCTTY));
		fails(open("/dev/tty", O_RDWR), ENXIO);
		pid = fork();
		if (!pid) {
			check(setsid() > 0 && ioctl(fd, TIOCSCTTY, 0) == 0);
			check(open("/dev/tty", O_RDWR) >= 0);
			_exit(0);
		}
		check(waitpid(pid, &status, 0) == pid && status == 0);
		check(open(ptsname(m), O_RDWR) >= 0);
		check(open("/dev/tty", O_RDWR) >= 0);
		_exit(0);
	}
	check(wait(&status) > 0 && status == 0);
}

static void many_pairs(void)
{
	for (int round = 0; round < 3; round++) {
		int a[20], b[20];

		for (int i = 0; i < 20; i++) {
			open_pair();
			a[i] = m;
			b[i] = t;
		}
		for (int i = 0; i < 20; i++) {
			close(a[i]);
			close(b[i]);
		}
	}
}

static const struct test tests[] = {
	TEST(cooked_lines),	     TEST(editing),	      TEST(end_of_file),
	TEST(output_processing),     TEST(raw_bytes),	      TEST(control_characters_and_size),
	TEST(background_reads_stop), TEST(suspend_character), TEST(hangup),
	TEST(closed_ends),	     TEST(many_pairs),	      TEST(not_controlling_unasked),
};

int main(int argc, char **argv)
{
	return run_tests(argc, argv, tests, LENGTH(tests), 20);
}
