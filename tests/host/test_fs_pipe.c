/* SPDX-License-Identifier: MIT */
/* test_fs_pipe.c - pipes, FIFOs, eventfds and waiting for them: atomic writes, ends that close,
 * sizes, poll, select and epoll (level, edge, one shot, nested, closed files), in real threads. */
/* cflags: -Itests/host/fs -include tests/host/own_names.h */
/* sources: kernel/fs/[a-z]*.c kernel/time/usertime.c kernel/lib/iter.c kernel/lib/parse.c */
/* sources: kernel/lib/printf.c kernel/lib/string.c kernel/lib/inflate.c */
/* sources: tests/host/fs/model.c tests/host/fake_fs_env.c */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "fake_fs_env.h"

#define EPOLLET (1u << 31)
#define EPOLLONESHOT (1u << 30)

struct event {
	u32 events;
	u64 data;
} __attribute__((packed));

struct pollfd {
	int fd;
	s16 events, revents;
};

static int fds[2];

static void make_pipe(u64 flags)
{
	assert_int_equal(CALL(293, fds, flags), 0);
}

static void close_both(void)
{
	CALL(3, (u64)fds[0]);
	CALL(3, (u64)fds[1]);
}

static long rd(void *buf, size_t n)
{
	return CALL(0, (u64)fds[0], buf, n);
}

static long wr(const void *buf, size_t n)
{
	return CALL(1, (u64)fds[1], buf, n);
}

static void test_bounds(void **state)
{
	static u8 big[200000], back[200000];
	struct user_stat st;
	long n;
	u32 i;

	(void)state;
	for (i = 0; i < sizeof(big); i++)
		big[i] = (u8)(i * 7 + (i >> 8));
	make_pipe(O_NONBLOCK);
	assert_int_equal(rd(back, 1), -EAGAIN);
	assert_int_equal(wr(big, sizeof(big)), 65536);
	assert_int_equal(wr(big, 1), -EAGAIN);
	assert_int_equal(rd(back, 100), 100);
	assert_int_equal(wr(big, 1), -EAGAIN); /* room comes by whole pages, as Linux */
	assert_int_equal(rd(back + 100, 4000), 4000);
	assert_int_equal(wr(big, 4096), 4096);
	assert_int_equal(rd(back + 4100, 4096), 4096);
	assert_int_equal(wr(big, 100), 100);
	assert_int_equal(wr(big, 4096), -EAGAIN); /* all of it or nothing */
	assert_int_equal(wr(big, 5000), 3996);	  /* larger ones may be cut */
	assert_int_equal(rd(back + 8196, 57340), 57340);
	assert_memory_equal(back, big, 65536);
	assert_int_equal(rd(back, 9000), 8192);
	assert_memory_equal(back, big, 4096);
	assert_memory_equal(back + 4096, big, 100);
	assert_memory_equal(back + 4196, big, 3996);
	assert_int_equal(CALL(72, (u64)fds[0], 1032ul), 65536);
	assert_int_equal(CALL(72, (u64)fds[0], 1031ul, 131072ul), 131072);
	n = wr(big, sizeof(big));
	assert_int_equal(n, 131072);
	assert_int_equal(CALL(72, (u64)fds[0], 1031ul, 4096ul), -EBUSY);
	assert_int_equal(rd(back, 130000), 130000);
	assert_int_equal(CALL(72, (u64)fds[0], 1031ul, 4096ul), 4096);
	assert_int_equal(rd(back + 130000, 5000), 1072);
	assert_memory_equal(back, big, 131072);
	assert_int_equal(CALL(5, (u64)fds[0], &st), 0);
	assert_int_equal(st.st_mode, S_IFIFO | 0600);
	assert_int_equal(CALL(8, (u64)fds[0], 0ul, 1ul), -ESPIPE);
	assert_int_equal(CALL(17, (u64)fds[0], back, 1ul, 0ul), -ESPIPE);
	assert_int_equal(rd((void *)8, 1), -EAGAIN);
	assert_int_equal(wr((void *)8, 1), -EFAULT);
	close_both();
	assert_int_equal(fake_pages, 0);
}

static void test_ends(void **state)
{
	char buf[8];

	(void)state;
	make_pipe(0);
	assert_int_equal(wr("ab", 2), 2);
	CALL(3, (u64)fds[1]);
	assert_int_equal(rd(buf, 8), 2);
	assert_int_equal(rd(buf, 8), 0);
	CALL(3, (u64)fds[0]);
	make_pipe(0);
	CALL(3, (u64)fds[0]);
	fake_signals = 0;
	assert_int_equal(wr("", 0), 0);
	assert_int_equal(fake_signals, 0);
	assert_int_equal(wr("x", 1), -EPIPE);
	assert_int_equal(fake_signals, 1 << 13);
	CALL(3, (u64)fds[1]);
}

/* Writers of whole records against readers: no record is torn, none is lost. */
#define WRITERS 3
#define RECORDS 2000
#define RECORD 1500

static void *writer(void *arg)
{
	u8 rec[RECORD];
	int i;

	fake_join();
	memset(rec, (int)(long)arg, sizeof(rec));
	for (i = 0; i < RECORDS; i++) {
		if (wr(rec, sizeof(rec)) != RECORD)
			return (void *)1;
	}
	return NULL;
}

static void test_atomic_writes(void **state)
{
	u32 seen[WRITERS] = { 0 }, got = 0, i;
	pthread_t t[WRITERS];
	u8 rec[RECORD];
	void *ret;
	long n;

	(void)state;
	make_pipe(0);
	fd_table_get(fake_proc->files); /* threads share the table: no borrowing */
	for (i = 0; i < WRITERS; i++)
		pthread_create(&t[i], NULL, writer, (void *)(long)i);
	while (got < WRITERS * RECORDS) {
		size_t have = 0;

		while (have < RECORD) {
			n = rd(rec + have, RECORD - have);
			assert_true(n > 0);
			have += (size_t)n;
		}
		for (i = 1; i < RECORD; i++)
			assert_int_equal(rec[i], rec[0]);
		seen[rec[0]]++;
		got++;
	}
	for (i = 0; i < WRITERS; i++) {
		pthread_join(t[i], &ret);
		assert_null(ret);
		assert_int_equal(seen[i], RECORDS);
	}
	close_both();
}

static void *open_writer(void *arg)
{
	long fd;

	fake_join();
	usleep(20000);
	fd = CALL(2, arg, (u64)O_WRONLY);
	CALL(1, fd, "hello", 5ul);
	CALL(3, fd);
	return NULL;
}

static void test_fifo(void **state)
{
	struct pollfd p = { .events = POLLIN };
	char buf[8];
	pthread_t t;
	long fd;

	(void)state;
	assert_int_equal(CALL(133, "/fifo", 010644ul, 0ul), 0);
	assert_int_equal(CALL(2, "/fifo", (u64)(O_WRONLY | O_NONBLOCK)), -ENXIO);
	fd = CALL(2, "/fifo", (u64)(O_RDONLY | O_NONBLOCK));
	p.fd = (int)fd;
	assert_int_equal(CALL(7, &p, 1ul, 0ul), 0);
	assert_int_equal(CALL(0, fd, buf, 8ul), 0);
	CALL(3, fd);
	pthread_create(&t, NULL, open_writer, (void *)"/fifo");
	fd = CALL(2, "/fifo", (u64)O_RDONLY);
	assert_true(fd >= 0);
	assert_int_equal(CALL(0, fd, buf, 8ul), 5);
	pthread_join(t, NULL);
	assert_int_equal(CALL(0, fd, buf, 8ul), 0);
	p.fd = (int)fd;
	assert_int_equal(CALL(7, &p, 1ul, 0ul), 1);
	assert_int_equal(p.revents, POLLHUP);
	CALL(3, fd);
	/* an interrupted open leaves nothing behind */
	fake_signal_pending = true;
	assert_int_equal(CALL(2, "/fifo", (u64)O_RDONLY), -ERESTARTSYS);
	fake_signal_pending = false;
	assert_int_equal(CALL(2, "/fifo", (u64)(O_WRONLY | O_NONBLOCK)), -ENXIO);
	CALL(87, "/fifo");
}

static void *late_writer(void *arg)
{
	(void)arg;
	fake_join();
	usleep(20000);
	wr("x", 1);
	return NULL;
}

static void test_poll(void **state)
{
	struct pollfd p[40];
	u64 in[1], out[1];
	s64 tv[2] = { 5, 0 };
	pthread_t t;
	u32 i;

	(void)state;
	make_pipe(0);
	for (i = 0; i < 40; i++)
		p[i] = (struct pollfd){ fds[0], POLLIN, 0 };
	p[3].fd = -1;
	assert_int_equal(CALL(7, p, 40ul, 10ul), 0);
	pthread_create(&t, NULL, late_writer, NULL);
	assert_int_equal(CALL(7, p, 40ul, -1l), 39);
	pthread_join(t, NULL);
	assert_int_equal(p[39].revents, POLLIN);
	assert_int_equal(p[3].revents, 0);
	p[0] = (struct pollfd){ 500, POLLIN, 0 };
	assert_int_equal(CALL(7, p, 1ul, -1l), 1);
	assert_int_equal(p[0].revents, POLLNVAL);
	in[0] = 1ul << fds[0];
	out[0] = 1ul << fds[1];
	assert_int_equal(CALL(23, 64ul, in, out, 0ul, tv), 2);
	assert_true(in[0] == 1ul << fds[0] && out[0] == 1ul << fds[1]);
	rd(&i, 1);
	pthread_create(&t, NULL, late_writer, NULL);
	in[0] = 1ul << fds[0];
	assert_int_equal(CALL(23, 64ul, in, 0ul, 0ul, tv), 1);
	assert_true(tv[0] == 4);
	pthread_join(t, NULL);
	in[0] = 1ul << 60;
	assert_int_equal(CALL(23, 64ul, in, 0ul, 0ul, tv), -EBADF);
	rd(&i, 1);
	fake_signal_pending = true;
	in[0] = 1ul << fds[0];
	assert_int_equal(CALL(23, 64ul, in, 0ul, 0ul, tv), -ERESTARTNOHAND);
	assert_int_equal(CALL(7, p + 1, 1ul, -1l), -ERESTART_RESTARTBLOCK);
	fake_signal_pending = false;
	close_both();
}

static void test_epoll(void **state)
{
	struct event ev = { POLLIN, 11 }, got[4];
	long ep = CALL(291, 0ul), ep2 = CALL(291, 0ul), regular;
	pthread_t t;
	char c;

	(void)state;
	make_pipe(0);
	regular = CALL(2, "/reg", (u64)(O_RDWR | O_CREAT), 0644ul);
	assert_int_equal(CALL(233, ep, 1ul, regular, &ev), -EPERM);
	assert_int_equal(CALL(233, ep, 1ul, ep, &ev), -EINVAL);
	assert_int_equal(CALL(233, ep, 1ul, (u64)fds[0], &ev), 0);
	assert_int_equal(CALL(233, ep, 1ul, (u64)fds[0], &ev), -EEXIST);
	assert_int_equal(CALL(233, ep, 3ul, (u64)fds[1], &ev), -ENOENT);
	assert_int_equal(CALL(232, ep, got, 4ul, 0ul), 0);
	/* level: again and again until it is read */
	wr("ab", 2);
	assert_int_equal(CALL(232, ep, got, 4ul, -1l), 1);
	assert_true(got[0].events == POLLIN && got[0].data == 11);
	assert_int_equal(CALL(232, ep, got, 4ul, -1l), 1);
	/* nested, and the loop it must not become */
	ev.data = 22;
	assert_int_equal(CALL(233, ep2, 1ul, ep, &ev), 0);
	assert_int_equal(CALL(233, ep, 1ul, ep2, &ev), -ELOOP);
	assert_int_equal(CALL(232, ep2, got, 4ul, 0ul), 1);
	assert_int_equal(got[0].data, 22);
	rd(&c, 1);
	rd(&c, 1);
	assert_int_equal(CALL(232, ep2, got, 4ul, 0ul), 0);
	assert_int_equal(CALL(232, ep, got, 4ul, 0ul), 0);
	/* edge: once for each arrival */
	ev = (struct event){ POLLIN | EPOLLET, 33 };
	assert_int_equal(CALL(233, ep, 3ul, (u64)fds[0], &ev), 0);
	wr("a", 1);
	assert_int_equal(CALL(232, ep, got, 4ul, 0ul), 1);
	assert_int_equal(CALL(232, ep, got, 4ul, 0ul), 0);
	wr("b", 1);
	assert_int_equal(CALL(232, ep, got, 4ul, 0ul), 1);
	/* one shot: off until it is set again */
	ev.events = POLLIN | EPOLLONESHOT;
	assert_int_equal(CALL(233, ep, 3ul, (u64)fds[0], &ev), 0);
	assert_int_equal(CALL(232, ep, got, 4ul, 0ul), 1);
	wr("c", 1);
	assert_int_equal(CALL(232, ep, got, 4ul, 0ul), 0);
	assert_int_equal(CALL(233, ep, 3ul, (u64)fds[0], &ev), 0);
	assert_int_equal(CALL(232, ep, got, 4ul, 0ul), 1);
	assert_int_equal(CALL(232, ep, (struct event *)8, 4ul, 0ul), 0);
	ev.events = POLLIN;
	CALL(233, ep, 3ul, (u64)fds[0], &ev);
	assert_int_equal(CALL(232, ep, (struct event *)8, 4ul, 0ul), -EFAULT);
	assert_int_equal(CALL(232, ep, got, 4ul, 0ul), 1); /* and it is not lost by that */
	while (CALL(232, ep, got, 4ul, 0ul))
		rd(&c, 1);
	pthread_create(&t, NULL, late_writer, NULL);
	assert_int_equal(CALL(232, ep, got, 4ul, 5000ul), 1);
	pthread_join(t, NULL);
	/* a closed file is gone from the set; closing the set first is fine as well */
	close_both();
	assert_int_equal(CALL(232, ep, got, 4ul, 0ul), 0);
	make_pipe(0);
	assert_int_equal(CALL(233, ep, 1ul, (u64)fds[1], &(struct event){ POLLOUT, 1 }), 0);
	CALL(3, ep);
	assert_int_equal(CALL(232, ep2, got, 4ul, 0ul), 0);
	CALL(3, ep2);
	close_both();
	CALL(3, regular);
	CALL(87, "/reg");
}

static void test_many_watched(void **state)
{
	long ep = CALL(291, 0ul), fd[200];
	struct event ev = { POLLIN, 0 }, got[8];
	u64 one = 1;
	u32 i;

	(void)state;
	for (i = 0; i < 200; i++) {
		fd[i] = CALL(290, 0ul, 0ul);
		ev.data = i;
		assert_int_equal(CALL(233, ep, 1ul, fd[i], &ev), 0);
	}
	CALL(1, fd[123], &one, 8ul);
	assert_int_equal(CALL(232, ep, got, 8ul, -1l), 1);
	assert_int_equal(got[0].data, 123);
	for (i = 0; i < 200; i += 2)
		assert_int_equal(CALL(233, ep, 2ul, fd[i], 0ul), 0);
	for (i = 0; i < 200; i++)
		CALL(1, fd[i], &one, 8ul);
	assert_int_equal(CALL(232, ep, got, 8ul, -1l), 8);
	for (i = 0; i < 200; i++)
		CALL(3, fd[i]);
	assert_int_equal(CALL(232, ep, got, 8ul, 0ul), 0);
	CALL(3, ep);
}

static void test_eventfd(void **state)
{
	u64 v = 5;
	long fd = CALL(290, 3ul, (u64)O_NONBLOCK);

	(void)state;
	assert_int_equal(CALL(1, fd, &v, 8ul), 8);
	assert_int_equal(CALL(0, fd, &v, 8ul), 8);
	assert_int_equal(v, 8);
	assert_int_equal(CALL(0, fd, &v, 8ul), -EAGAIN);
	assert_int_equal(CALL(0, fd, &v, 4ul), -EINVAL);
	v = ~0ull;
	assert_int_equal(CALL(1, fd, &v, 8ul), -EINVAL);
	v = ~0ull - 1;
	assert_int_equal(CALL(1, fd, &v, 8ul), 8);
	v = 1;
	assert_int_equal(CALL(1, fd, &v, 8ul), -EAGAIN);
	CALL(3, fd);
	fd = CALL(290, 2ul, 1ul); /* semaphore */
	assert_int_equal(CALL(0, fd, &v, 8ul), 8);
	assert_int_equal(v, 1);
	CALL(3, fd);
}

static void test_sendfile(void **state)
{
	static u8 data[20000], back[20000];
	long in = CALL(2, "/in", (u64)(O_RDWR | O_CREAT), 0644ul), out;
	u64 off = 10;
	u32 i;

	(void)state;
	for (i = 0; i < sizeof(data); i++)
		data[i] = (u8)(i * 3);
	CALL(1, in, data, sizeof(data));
	CALL(8, in, 0ul, 0ul);
	make_pipe(O_NONBLOCK);
	assert_int_equal(CALL(40, (u64)fds[1], in, 0ul, 1ul << 62), 20000);
	assert_int_equal(rd(back, sizeof(back)), 20000);
	assert_memory_equal(back, data, 20000);
	assert_int_equal(CALL(8, in, 0ul, 1ul), 20000);
	assert_int_equal(CALL(40, (u64)fds[1], in, &off, 100ul), 100);
	assert_int_equal(off, 110);
	assert_int_equal(CALL(40, in, (u64)fds[0], 0ul, 100ul), -EINVAL);
	out = CALL(2, "/out", (u64)(O_RDWR | O_CREAT), 0644ul);
	CALL(8, in, 0ul, 0ul);
	assert_int_equal(CALL(40, out, in, 0ul, 1ul << 24), 20000);
	assert_int_equal(CALL(17, out, back, 20000ul, 0ul), 20000);
	assert_memory_equal(back, data, 20000);
	close_both();
	CALL(3, in);
	CALL(3, out);
	CALL(87, "/in");
	CALL(87, "/out");
}

/* Everything made above is gone again. */
static long blocks;

static int boot(void **state)
{
	(void)state;
	fake_boot();
	return 0;
}

static int before(void **state)
{
	(void)state;
	blocks = fake_blocks;
	return 0;
}

static int after(void **state)
{
	(void)state;
	return fake_blocks == blocks ? 0 : -1;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_bounds, before, after),
		cmocka_unit_test_setup_teardown(test_ends, before, after),
		cmocka_unit_test_setup_teardown(test_eventfd, before, after),
		cmocka_unit_test_setup_teardown(test_epoll, before, after),
		cmocka_unit_test(test_many_watched),
		cmocka_unit_test_setup_teardown(test_sendfile, before, after),
		cmocka_unit_test_setup_teardown(test_atomic_writes, before, after),
		cmocka_unit_test_setup_teardown(test_fifo, before, after),
		cmocka_unit_test_setup_teardown(test_poll, before, after),
	};

	return cmocka_run_group_tests(tests, boot, NULL);
}
