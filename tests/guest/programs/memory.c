/* SPDX-License-Identifier: MIT */
/* memory.c - mmap, munmap, mprotect, mremap, brk and what files look like when they are mapped. */
#include "check.h"

#include <fcntl.h>
#include <setjmp.h>
#include <sys/resource.h>

static sigjmp_buf back;

static void jump_back(int sig)
{
	siglongjmp(back, sig);
}

/* The signal that touching p gives, 0 when none. */
static int touch(volatile char *p, int write)
{
	int sig;

	signal(SIGSEGV, jump_back);
	signal(SIGBUS, jump_back);
	sig = sigsetjmp(back, 1);
	if (!sig) {
		if (write)
			*p = 1;
		else
			(void)*p;
	}
	signal(SIGSEGV, SIG_DFL);
	signal(SIGBUS, SIG_DFL);
	return sig;
}

static char *map(size_t pages, int prot)
{
	char *p = mmap(NULL, pages * PAGE, prot, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	check(p != MAP_FAILED);
	return p;
}

static int file_with(const char *path, const char *text, size_t size)
{
	int fd = open(path, O_RDWR | O_CREAT | O_TRUNC, 0600);

	check(fd >= 0 && write(fd, text, size) == (ssize_t)size);
	unlink(path);
	return fd;
}

static void zero_filled(void)
{
	char *p = map(64, PROT_READ | PROT_WRITE);

	for (size_t i = 0; i < 64 * PAGE; i += 257)
		check(p[i] == 0);
	memset(p, 0xaa, 64 * PAGE);
	munmap(p, 64 * PAGE);
	p = map(64, PROT_READ | PROT_WRITE);
	for (size_t i = 0; i < 64 * PAGE; i += 257)
		check(p[i] == 0);
}

static void bad_arguments(void)
{
	fails(mmap(NULL, 0, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), EINVAL);
	fails(mmap(NULL, PAGE, PROT_READ, MAP_ANONYMOUS, -1, 0), EINVAL);
	fails(mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE, -1, 0), EBADF);
	fails(mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE, 0, 17), EINVAL);
	fails(mmap((void *)17, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0),
	      EINVAL);
	fails(mmap((void *)0xffff800000000000, PAGE, PROT_READ,
		   MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0),
	      ENOMEM);
	fails(mmap(NULL, 1ul << 47, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), ENOMEM);
	fails(mmap(NULL, -1ul, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), ENOMEM);
	fails(munmap((void *)17, PAGE), EINVAL);
	fails(munmap((void *)PAGE, 0), EINVAL);
	fails(munmap((void *)0x7ffffffff000, 1ul << 40), EINVAL);
	fails(syscall(SYS_mprotect, 17, PAGE, PROT_READ), EINVAL); /* musl would round it */
	fails(mprotect((void *)0x10000000000, PAGE, PROT_READ), ENOMEM);
	fails(madvise((void *)17, PAGE, MADV_DONTNEED), EINVAL);
	check(munmap((void *)0x10000000000, PAGE) == 0);
}

static void protections(void)
{
	char *p = map(3, PROT_READ | PROT_WRITE);

	p[PAGE] = 5;
	check(mprotect(p + PAGE, PAGE, PROT_READ) == 0);
	check(touch(p, 1) == 0 && touch(p + PAGE, 1) == SIGSEGV && touch(p + 2 * PAGE, 1) == 0);
	check(touch(p + PAGE, 0) == 0 && p[PAGE] == 5);
	check(mprotect(p + PAGE, PAGE, PROT_NONE) == 0);
	check(touch(p + PAGE, 0) == SIGSEGV);
	check(mprotect(p, 3 * PAGE, PROT_READ | PROT_WRITE) == 0);
	check(p[PAGE] == 5);
}

static void partial_unmap(void)
{
	char *p = map(5, PROT_READ | PROT_WRITE);

	memset(p, 1, 5 * PAGE);
	check(munmap(p + 2 * PAGE, PAGE) == 0);
	check(touch(p + 2 * PAGE, 0) == SIGSEGV && p[PAGE] == 1 && p[3 * PAGE] == 1);
	fails(mprotect(p, 5 * PAGE, PROT_READ), ENOMEM);
	check(munmap(p, 5 * PAGE) == 0);
	check(touch(p + 4 * PAGE, 0) == SIGSEGV);
}

static void fixed_replaces(void)
{
	char *p = map(3, PROT_READ | PROT_WRITE);

	memset(p, 7, 3 * PAGE);
	check(mmap(p + PAGE, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED,
		   -1, 0) == p + PAGE);
	check(p[0] == 7 && p[PAGE] == 0 && p[2 * PAGE] == 7);
	fails(mmap(p, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0),
	      EEXIST);
}

static void dontneed_clears(void)
{
	char *p = map(2, PROT_READ | PROT_WRITE);

	memset(p, 9, 2 * PAGE);
	check(madvise(p, PAGE, MADV_DONTNEED) == 0);
	check(p[0] == 0 && p[PAGE] == 9);
}

static void remap(void)
{
	char *p = map(4, PROT_READ | PROT_WRITE), *q, *wall;

	for (int i = 0; i < 4; i++)
		p[i * PAGE] = i + 1;
	check(mremap(p, 4 * PAGE, 2 * PAGE, 0) == p);
	check(touch(p + 2 * PAGE, 0) == SIGSEGV);
	wall = mmap(p + 2 * PAGE, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
	check(wall == p + 2 * PAGE);
	fails(mremap(p, 2 * PAGE, 100 * PAGE, 0), ENOMEM);
	q = mremap(p, 2 * PAGE, 100 * PAGE, MREMAP_MAYMOVE);
	check(q != MAP_FAILED && q != p && q[0] == 1 && q[PAGE] == 2 && q[99 * PAGE] == 0);
	check(touch(p, 0) == SIGSEGV);
	check(mremap(q, 100 * PAGE, 2 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, p) == p &&
	      p[PAGE] == 2);
	fails(mremap((void *)17, PAGE, PAGE, 0), EINVAL);
	fails(mremap(p, 2 * PAGE, 0, 0), EINVAL);
	fails(mremap((void *)0x10000000000, PAGE, 2 * PAGE, MREMAP_MAYMOVE), EFAULT);
}

static void program_break(void)
{
	char *start = (void *)syscall(SYS_brk, 0), *end;

	check(syscall(SYS_brk, start + 100) == (long)start + 100); /* exact to the byte */
	check(syscall(SYS_brk, 0) == (long)start + 100);
	end = (void *)syscall(SYS_brk, start + 10 * PAGE);
	check(end == start + 10 * PAGE);
	memset(start, 1, 10 * PAGE);
	check(syscall(SYS_brk, start + PAGE) == (long)start + (long)PAGE);
	check(syscall(SYS_brk, start + 10 * PAGE) == (long)end);
	check(start[5 * PAGE] == 0 && start[0] == 1);
	check(syscall(SYS_brk, 1) == (long)end);
	check(syscall(SYS_brk, 0xffff800000000000) == (long)end);
}

static void private_file(void)
{
	int fd = file_with("/tmp/private", "hello world", 11);
	char *p = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0), buf[12] = "";

	check(p != MAP_FAILED && !memcmp(p, "hello world", 11) && p[11] == 0 && p[PAGE - 1] == 0);
	p[0] = 'J';
	check(pread(fd, buf, 11, 0) == 11 && buf[0] == 'h');
	check(pwrite(fd, "HELLO", 5, 0) == 5 && p[1] == 'e');
	close(fd);
	check(p[6] == 'w');
}

static void shared_file(void)
{
	int fd = file_with("/tmp/shared", "hello world", 11);
	char *p = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0), buf[12] = "";
	char *q = mmap(NULL, PAGE, PROT_READ, MAP_SHARED, fd, 0);

	check(p != MAP_FAILED && q != MAP_FAILED && p != q);
	p[0] = 'J';
	check(q[0] == 'J' && pread(fd, buf, 11, 0) == 11 && buf[0] == 'J');
	check(pwrite(fd, "xyz", 3, 4) == 3 && !memcmp(q + 4, "xyz", 3));
	pid_t pid = fork();
	if (!pid) {
		p[1] = '!';
		_exit(0);
	}
	check(status_of(pid) == 0 && q[1] == '!');
	check(msync(p, PAGE, MS_SYNC) == 0);
}

static void read_only_file(void)
{
	int fd = open("/proc/self/exe", O_RDONLY);

	check(fd >= 0);
	fails(mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0), EACCES);
	check(mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0) != MAP_FAILED);
	fd = open("/dev/null", O_WRONLY);
	fails(mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE, fd, 0), EACCES);
}

static void truncated_file(void)
{
	int fd = file_with("/tmp/truncated", "x", 1);
	char *p;

	check(ftruncate(fd, 3 * PAGE) == 0);
	p = mmap(NULL, 3 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	memset(p, 1, 3 * PAGE);
	check(ftruncate(fd, PAGE + 10) == 0);
	check(touch(p + PAGE, 0) == 0 && touch(p + 2 * PAGE, 0) == SIGBUS);
	check(p[PAGE + 9] == 1 && p[PAGE + 10] == 0);
	check(ftruncate(fd, 3 * PAGE) == 0);
	check(touch(p + 2 * PAGE, 0) == 0 && p[2 * PAGE] == 0);
}

static void copies_between_mappings(void)
{
	char *p = map(40, PROT_READ | PROT_WRITE);
	int pipes[2], n = 0;

	check(pipe(pipes) == 0);
	memset(p, 3, 40 * PAGE);
	munmap(p + 20 * PAGE, PAGE);
	fcntl(pipes[1], F_SETFL, O_NONBLOCK);
	/* into the hole: what came before it counts, a start in it is EFAULT */
	n = write(pipes[1], p + 19 * PAGE, 2 * PAGE);
	check(n == (int)PAGE || (n == -1 && errno == EFAULT));
	fails(write(pipes[1], p + 20 * PAGE, 10), EFAULT);
	fails(read(open("/dev/zero", O_RDONLY), p + 20 * PAGE, 10), EFAULT);
}

static void fork_and_write_storm(void)
{
	char *p = map(200, PROT_READ | PROT_WRITE);

	for (int round = 0; round < 10; round++) {
		pid_t pid;

		memset(p, round, 200 * PAGE);
		pid = fork();
		if (!pid) {
			for (int i = 0; i < 200; i += 2)
				p[i * PAGE] = 99;
			for (int i = 1; i < 200; i += 2)
				check(p[i * PAGE] == round);
			_exit(0);
		}
		for (int i = 0; i < 200; i += 3)
			p[i * PAGE] = 55;
		check(status_of(pid) == 0);
		check(p[2 * PAGE] == round && p[3 * PAGE] == 55);
	}
}

static void many_mappings(void)
{
	static char *p[2000];

	for (int i = 0; i < 2000; i++)
		p[i] = map(1, i & 1 ? PROT_READ : PROT_READ | PROT_WRITE);
	for (int i = 0; i < 2000; i += 2)
		p[i][0] = i;
	for (int i = 0; i < 2000; i += 2)
		check(p[i][0] == (char)i);
	for (int i = 0; i < 2000; i++)
		check(munmap(p[i], PAGE) == 0);
}

static void limit_of_address_space(void)
{
	struct rlimit lim = { 64 << 20, 64 << 20 };

	check(setrlimit(RLIMIT_AS, &lim) == 0);
	fails(mmap(NULL, 128 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0),
	      ENOMEM);
	check(map(256, PROT_READ | PROT_WRITE) != NULL);
}

static void huge_reservation(void)
{
	char *p = mmap(NULL, 1ul << 36, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1,
		       0);

	check(p != MAP_FAILED);
	check(mprotect(p + (1ul << 35), PAGE, PROT_READ | PROT_WRITE) == 0);
	p[1ul << 35] = 1;
	check(munmap(p, 1ul << 36) == 0);
}

static void executable_memory(void)
{
	char *p = map(1, PROT_READ | PROT_WRITE);

	memcpy(p, "\xb8\x2a\x00\x00\x00\xc3", 6); /* mov $42, %eax; ret */
	check(mprotect(p, PAGE, PROT_READ | PROT_EXEC) == 0);
	check(((int (*)(void))p)() == 42);
}

static void stack_grows(void)
{
	volatile char room[2 << 20];

	for (size_t i = sizeof(room); i > 0; i -= PAGE)
		room[i - 1] = 1;
	check(room[sizeof(room) - 1] == 1);
}

static void maps_lists_them(void)
{
	char line[256], *p = map(3, PROT_NONE), want[64];
	FILE *f = fopen("/proc/self/maps", "r");
	int found = 0, stack = 0;

	check(f);
	check(mprotect(p + PAGE, PAGE, PROT_READ | PROT_EXEC) == 0);
	snprintf(want, sizeof(want), "%lx-%lx r-xp", (unsigned long)p + PAGE,
		 (unsigned long)p + 2 * PAGE);
	while (fgets(line, sizeof(line), f)) {
		found |= !strncmp(line, want, strlen(want));
		stack |= strstr(line, "[stack]") != NULL;
	}
	check(stack && found);
	fclose(f);
}

/* A descriptor that only names a file cannot be mapped, and nothing can lie where NULL points. */
static void nothing_to_map(void)
{
	int fd = open("/proc/self/exe", O_PATH);
	char *low;

	check(fd >= 0);
	fails(mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE, fd, 0), EBADF);
	close(fd);
	check(seteuid(1000) == 0);
	low = mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
	check(low == MAP_FAILED && errno == EPERM);
}

/* Which pages are there; and barriers on all CPUs at once. */
static void residence_and_barriers(void)
{
	char *p = mmap(NULL, 4 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	unsigned char there[4];
	long commands = syscall(SYS_membarrier, 0, 0);

	p[2 * PAGE] = 1;
	check(mincore(p, 4 * PAGE, there) == 0);
	check(!(there[0] & 1) && !(there[1] & 1) && (there[2] & 1) && !(there[3] & 1));
	fails(mincore(p + 1, PAGE, there), EINVAL);
	check(munmap(p + PAGE, PAGE) == 0);
	fails(mincore(p, 4 * PAGE, there), ENOMEM);
	check(syscall(SYS_mlock2, p, PAGE, 1) == 0);
	fails(syscall(SYS_mlock2, p, PAGE, 2), EINVAL);
	check(commands & 1 && commands & 8 && commands & 16);
	check(syscall(SYS_membarrier, 16, 0) == 0);
	for (int i = 0; i < 100; i++)
		check(syscall(SYS_membarrier, 8, 0) == 0);
	check(syscall(SYS_membarrier, 1, 0) == 0);
	fails(syscall(SYS_membarrier, 0x4000, 0), EINVAL);
}

static const struct test tests[] = {
	TEST(zero_filled),
	TEST(bad_arguments),
	TEST(protections),
	TEST(partial_unmap),
	TEST(fixed_replaces),
	TEST(dontneed_clears),
	TEST(remap),
	TEST(program_break),
	TEST(private_file),
	TEST(shared_file),
	TEST(read_only_file),
	TEST(truncated_file),
	TEST(copies_between_mappings),
	TEST(fork_and_write_storm),
	TEST(many_mappings),
	TEST(limit_of_address_space),
	TEST(huge_reservation),
	TEST(executable_memory),
	TEST(stack_grows),
	TEST(maps_lists_them),
	TEST(nothing_to_map),
	TEST(residence_and_barriers),
};

int main(int argc, char **argv)
{
	return run_tests(argc, argv, tests, LENGTH(tests), 20);
}
