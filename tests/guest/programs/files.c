/* SPDX-License-Identifier: MIT */
/* files.c - what a file system in memory owes to POSIX: names, links, permissions, offsets, holes,
 * locks. */
#include "check.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/sysinfo.h>
#include <sys/sysmacros.h>
#include <sys/utsname.h>
#include <sys/xattr.h>

static char buf[8192];

/* Each case works in an empty folder of its own. */
static void here(const char *name)
{
	char path[64];

	snprintf(path, sizeof(path), "/tmp/files-%d-%s", getpid(), name);
	check(mkdir(path, 0755) == 0 && chdir(path) == 0);
}

static int make(const char *path, const char *text)
{
	int fd = open(path, O_RDWR | O_CREAT | O_TRUNC, 0644);

	check(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text));
	return fd;
}

static int links(const char *path)
{
	struct stat st;

	return lstat(path, &st) ? -1 : (int)st.st_nlink;
}

static void open_flags(void)
{
	int fd;

	here("open");
	fails(open("absent", O_RDONLY), ENOENT);
	close(make("file", "12345"));
	fails(open("file", O_RDWR | O_CREAT | O_EXCL, 0600), EEXIST);
	fails(open("file/x", O_RDONLY), ENOTDIR);
	fails(open(".", O_RDWR), EISDIR);
	fails(open("file", O_RDONLY | O_DIRECTORY), ENOTDIR);
	fails(open("", O_RDONLY), ENOENT);
	fails(open((char *)1, O_RDONLY), EFAULT);
	memset(buf, 'n', 5000);
	buf[5000] = 0;
	fails(open(buf, O_RDONLY), ENAMETOOLONG);
	buf[256] = 0;
	fails(open(buf, O_RDONLY | O_CREAT, 0600), ENAMETOOLONG);
	buf[255] = 0;
	fd = open(buf, O_RDONLY | O_CREAT, 0600);
	check(fd >= 0);
	fd = open("file", O_WRONLY | O_APPEND);
	check(lseek(fd, 0, SEEK_SET) == 0 && write(fd, "6", 1) == 1 && lseek(fd, 0, SEEK_END) == 6);
	fails(read(fd, buf, 1), EBADF);
	fd = open("file", O_RDONLY);
	fails(write(fd, "x", 1), EBADF);
	check(open("file", O_RDWR | O_TRUNC) >= 0 && lseek(fd, 0, SEEK_END) == 0);
}

static void offsets(void)
{
	int fd, copy;

	here("offsets");
	fd = make("f", "0123456789");
	copy = dup(fd);
	check(lseek(fd, 3, SEEK_SET) == 3 && read(copy, buf, 2) == 2 && !memcmp(buf, "34", 2));
	check(lseek(fd, 0, SEEK_CUR) == 5 && lseek(fd, -1, SEEK_END) == 9);
	fails(lseek(fd, -1, SEEK_SET), EINVAL);
	fails(lseek(fd, 0, 77), EINVAL);
	check(pread(fd, buf, 4, 8) == 2 && pwrite(fd, "ab", 2, 10) == 2 &&
	      lseek(fd, 0, SEEK_CUR) == 9);
	fails(pread(fd, buf, 1, -1), EINVAL);
	fails(read(fd, (void *)0xffff888000000000, 5), EFAULT);
	check(read(fd, buf, 0) == 0);
	fails(dup2(99, 5), EBADF);
	check(dup2(fd, 77) == 77 && fcntl(77, F_GETFD) == 0 &&
	      fcntl(fd, F_DUPFD_CLOEXEC, 100) == 100);
	check(fcntl(100, F_GETFD) == FD_CLOEXEC);
}

static void holes(void)
{
	struct stat st;
	int fd;

	here("holes");
	fd = make("f", "start");
	check(pwrite(fd, "end", 3, 10 << 20) == 3);
	check(fstat(fd, &st) == 0 && st.st_size == (10 << 20) + 3 && st.st_blocks < 1000);
	check(pread(fd, buf, 4096, 5 << 20) == 4096);
	for (int i = 0; i < 4096; i++)
		check(buf[i] == 0);
	check(ftruncate(fd, 3) == 0 && ftruncate(fd, 10) == 0 && pread(fd, buf, 10, 0) == 10);
	check(!memcmp(buf, "sta\0\0\0\0\0\0\0", 10));
	fails(ftruncate(fd, -1), EINVAL);
	fails(truncate("absent", 0), ENOENT);
}

static void unlinked_but_open(void)
{
	int fd;

	here("unlinked");
	fd = make("f", "still here");
	check(unlink("f") == 0);
	fails(unlink("f"), ENOENT);
	check(pread(fd, buf, 20, 0) == 10 && !memcmp(buf, "still here", 10));
	fails(unlink("."), EISDIR);
}

static void hard_links(void)
{
	here("links");
	close(make("a", "x"));
	check(link("a", "b") == 0 && links("a") == 2);
	fails(link("a", "b"), EEXIST);
	fails(link("absent", "c"), ENOENT);
	fails(link(".", "c"), EPERM);
	check(unlink("a") == 0 && links("b") == 1);
}

static void symbolic_links(void)
{
	here("symlinks");
	close(make("target", "x"));
	check(symlink("target", "l") == 0 && readlink("l", buf, 100) == 6 &&
	      !memcmp(buf, "target", 6));
	check(readlink("l", buf, 3) == 3);
	fails(readlink("target", buf, 100), EINVAL);
	fails(open("l", O_RDONLY | O_NOFOLLOW), ELOOP);
	check(open("l", O_RDONLY) >= 0);
	check(symlink("loop", "loop") == 0);
	fails(open("loop", O_RDONLY), ELOOP);
	check(symlink("nowhere", "dangling") == 0);
	fails(open("dangling", O_RDONLY), ENOENT);
	check(close(open("dangling", O_WRONLY | O_CREAT, 0600)) == 0 && links("nowhere") == 1);
	check(symlink(".", "self") == 0);
	strcpy(buf, "self");
	for (int i = 0; i < 39; i++)
		strcat(buf, "/self");
	check(chdir(buf) == 0);
	strcat(buf, "/self");
	fails(chdir(buf), ELOOP);
	fails(symlink("", "empty"), ENOENT);
}

static void directories(void)
{
	here("dirs");
	check(mkdir("d", 0700) == 0 && links("d") == 2 && mkdir("d/e", 0700) == 0 &&
	      links("d") == 3);
	fails(mkdir("d", 0700), EEXIST);
	fails(mkdir("x/y", 0700), ENOENT);
	fails(rmdir("d"), ENOTEMPTY);
	fails(rmdir("d/e/."), EINVAL);
	fails(rmdir("/"), EBUSY);
	check(rmdir("d/e") == 0 && rmdir("d") == 0);
	check(mkdir("gone", 0700) == 0 && chdir("gone") == 0 && rmdir("../gone") == 0);
	fails(open("x", O_CREAT | O_WRONLY, 0600), ENOENT);
	fails(syscall(SYS_getcwd, buf, sizeof(buf)), ENOENT);
	check(chdir("/tmp") == 0 && getcwd(buf, sizeof(buf)) && !strcmp(buf, "/tmp"));
	fails(syscall(SYS_getcwd, buf, 3), ERANGE);
}

static void renames(void)
{
	here("rename");
	close(make("a", "A"));
	close(make("b", "B"));
	check(rename("a", "b") == 0 && links("a") == -1);
	check(read(open("b", O_RDONLY), buf, 1) == 1 && buf[0] == 'A');
	check(mkdir("d", 0700) == 0 && mkdir("d/e", 0700) == 0);
	fails(rename("d", "d/e/f"), EINVAL);
	fails(rename("b", "d"), EISDIR);
	fails(rename("d", "b"), ENOTDIR);
	fails(rename("absent", "x"), ENOENT);
	check(mkdir("empty", 0700) == 0);
	fails(rename("empty", "d"), ENOTEMPTY);
	check(rename("d", "empty") == 0 && links("empty/e") == 2);
	check(rename("b", "b") == 0 && link("b", "c") == 0 && rename("b", "c") == 0 &&
	      links("b") == 2);
}

static int count_entries(const char *path)
{
	DIR *d = opendir(path);
	int n = 0;

	check(d);
	while (readdir(d))
		n++;
	closedir(d);
	return n;
}

static void reading_directories(void)
{
	struct dirent *e;
	char name[16];
	DIR *d;

	here("readdir");
	for (int i = 0; i < 500; i++) {
		snprintf(name, sizeof(name), "f%03d", i);
		close(make(name, ""));
	}
	check(count_entries(".") == 502);
	d = opendir(".");
	/* removing what was read must neither lose nor repeat the rest */
	int n = 0;
	while ((e = readdir(d)))
		if (e->d_name[0] == 'f') {
			check(e->d_type == DT_REG && unlink(e->d_name) == 0);
			n++;
		}
	closedir(d);
	check(n == 500 && count_entries(".") == 2);
	fails(syscall(SYS_getdents64, open(".", O_RDONLY), buf, 8), EINVAL);
	fails(syscall(SYS_getdents64, open("/dev/null", O_RDONLY), buf, 100), ENOTDIR);
}

static void permissions(void)
{
	struct stat st;

	if (getuid() != 0)
		return;
	here("permissions");
	umask(027);
	close(make("f", "secret"));
	check(stat("f", &st) == 0 && (st.st_mode & 07777) == 0640);
	check(chmod("f", 0604) == 0 && chown("f", 100, 200) == 0);
	check(mkdir("private", 0700) == 0 && mkdir("sticky", 0777) == 0 &&
	      chmod("sticky", 01777) == 0);
	close(make("private/x", ""));
	close(make("sticky/mine", ""));
	check(chmod(".", 0777) == 0);
	check(syscall(SYS_setgid, 300) == 0 && syscall(SYS_setuid, 400) == 0);
	check(open("f", O_RDONLY) >= 0);
	fails(open("f", O_WRONLY), EACCES);
	fails(chmod("f", 0777), EPERM);
	fails(chown("f", 400, 300), EPERM);
	fails(open("private/x", O_RDONLY), EACCES);
	fails(unlink("private/x"), EACCES);
	fails(unlink("sticky/mine"), EPERM);
	fails(rename("sticky/mine", "mine"), EPERM);
	fails(mknod("dev", S_IFCHR | 0600, makedev(1, 3)), EPERM);
	fails(access("f", W_OK), EACCES);
	check(access("f", R_OK) == 0);
	check(make("own", "") >= 0);
	fails(chown("own", 0, 0), EPERM);
	check(chmod("own", 04755) == 0 && stat("own", &st) == 0 && (st.st_mode & 04000));
	check(write(open("own", O_WRONLY), "x", 1) == 1 && stat("own", &st) == 0 &&
	      !(st.st_mode & 04000));
}

static void times(void)
{
	struct timespec set[2] = { { 1000, 0 }, { 2000, 5 } };
	struct stat st;
	int fd;

	here("times");
	fd = make("f", "x");
	check(futimens(fd, set) == 0 && fstat(fd, &st) == 0);
	check(st.st_atim.tv_sec == 1000 && st.st_mtim.tv_sec == 2000 && st.st_mtim.tv_nsec == 5);
	check(write(fd, "y", 1) == 1 && fstat(fd, &st) == 0 && st.st_mtim.tv_sec > 2000);
}

static void device_nodes(void)
{
	int fd = open("/dev/zero", O_RDWR);
	struct stat st;

	memset(buf, 1, 4096);
	check(read(fd, buf, 4096) == 4096 && buf[0] == 0 && buf[4095] == 0 &&
	      write(fd, buf, 100) == 100);
	fd = open("/dev/null", O_RDWR);
	check(read(fd, buf, 10) == 0 && write(fd, buf, 10) == 10);
	fd = open("/dev/full", O_RDWR);
	check(read(fd, buf, 10) == 10);
	fails(write(fd, buf, 1), ENOSPC);
	fd = open("/dev/urandom", O_RDONLY);
	check(read(fd, buf, 4096) == 4096);
	int bits = 0;
	for (int i = 0; i < 4096; i++)
		bits += __builtin_popcount((unsigned char)buf[i]);
	check(bits > 15500 && bits < 17300);
	check(stat("/dev/null", &st) == 0 && S_ISCHR(st.st_mode) && st.st_rdev == makedev(1, 3));
	fails(ioctl(open("/dev/null", O_RDONLY), 0x12345678, 0), ENOTTY);
}

static void random_numbers(void)
{
	unsigned long a[4], b[4];

	check(getrandom(a, sizeof(a), 0) == sizeof(a) &&
	      getrandom(b, sizeof(b), GRND_NONBLOCK) == sizeof(b));
	check(memcmp(a, b, sizeof(a)) && a[0] != a[1]);
	check(getrandom(buf, sizeof(buf), 0) == sizeof(buf));
	fails(getrandom((void *)1, 10, 0), EFAULT);
	fails(getrandom(buf, 10, 0x80), EINVAL);
	int fd = open("/dev/random", O_RDONLY);
	check(fd >= 0 && read(fd, buf, 64) == 64);
}

static void record_locks(void)
{
	struct flock l = { .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 0, .l_len = 10 };
	int fd;
	pid_t pid;

	here("locks");
	fd = make("f", "0123456789");
	check(fcntl(fd, F_SETLK, &l) == 0);
	pid = fork();
	if (!pid) {
		struct flock mine = {
			.l_type = F_RDLCK, .l_whence = SEEK_SET, .l_start = 5, .l_len = 1
		};

		check(fcntl(fd, F_SETLK, &mine) == -1 && (errno == EAGAIN || errno == EACCES));
		check(fcntl(fd, F_GETLK, &mine) == 0 && mine.l_type == F_WRLCK &&
		      mine.l_pid == getppid());
		_exit(0);
	}
	check(status_of(pid) == 0);
}

static void system_information(void)
{
	struct statfs fs;
	struct sysinfo si;
	struct utsname u;

	check(uname(&u) == 0 && !strcmp(u.sysname, "Linux") && !strcmp(u.machine, "x86_64"));
	check(sysinfo(&si) == 0 && si.totalram > si.freeram && si.procs > 0 && si.mem_unit >= 1);
	check(statfs("/tmp", &fs) == 0 && fs.f_bsize == 4096 && fs.f_namelen == 255);
	fails(statfs("/absent", &fs), ENOENT);
	check(getxattr("/tmp", "user.x", buf, 10) == -1);
}

static void proc_of_self(void)
{
	int fd = open("/proc/self/stat", O_RDONLY), n;
	char want[32];

	n = read(fd, buf, sizeof(buf));
	check(n > 20);
	snprintf(want, sizeof(want), "%d (files) R %d ", getpid(), getppid());
	buf[n] = 0;
	check(!strncmp(buf, want, strlen(want)));
	check(lseek(fd, 0, SEEK_SET) == 0 && read(fd, buf, 10) == 10);
	n = readlink("/proc/self/exe", buf, sizeof(buf));
	check(n > 6 && !memcmp(buf + n - 6, "/files", 6));
	check(readlink("/proc/self", buf, sizeof(buf)) > 0 && atoi(buf) == getpid());
	snprintf(want, sizeof(want), "/proc/self/fd/%d", fd);
	n = readlink(want, buf, sizeof(buf));
	check(n > 5 && !memcmp(buf + n - 5, "/stat", 5));
	check(count_entries("/proc/self/task") == 3);
	fails(open("/proc/999999/stat", O_RDONLY), ENOENT);
}

static void proc_of_others_while_they_die(void)
{
	for (int i = 0; i < 100; i++) {
		char path[64];
		pid_t pid = fork();
		int fd;

		if (!pid)
			_exit(0);
		snprintf(path, sizeof(path), "/proc/%d/stat", pid);
		fd = open(path, O_RDONLY);
		check(status_of(pid) == 0);
		if (fd >= 0) {
			ssize_t n = read(fd, buf, sizeof(buf));

			check(n >= 0 || errno == ESRCH);
			close(fd);
		}
	}
}

static void no_space_is_reported(void)
{
	/* A file larger than memory: the writer is told, nobody is killed for it. */
	static char big[1 << 20];
	struct sysinfo si;
	int fd;
	long n = 0, written = 0;

	sysinfo(&si);
	if (si.totalram * si.mem_unit > (512ul << 20))
		return;
	here("space");
	fd = make("f", "");
	memset(big, 7, sizeof(big));
	while (written < (600l << 20) && (n = write(fd, big, sizeof(big))) > 0)
		written += n;
	int err = errno;
	check(ftruncate(fd, 0) == 0 && unlink("f") == 0);
	check(n == -1 && (err == ENOSPC || err == ENOMEM));
}

/* RLIMIT_FSIZE bounds what a file may grow to by any call. */
static void size_limit(void)
{
	struct rlimit limit = { 1000, 1000 };
	int fd;

	here("limit");
	fd = make("limited", "");
	check(ftruncate(fd, 2000) == 0);
	check(signal(SIGXFSZ, SIG_IGN) != SIG_ERR && setrlimit(RLIMIT_FSIZE, &limit) == 0);
	check(ftruncate(fd, 1500) == 0 && ftruncate(fd, 500) == 0 && ftruncate(fd, 1000) == 0);
	fails(ftruncate(fd, 1001), EFBIG);
	fails(truncate("limited", 1001), EFBIG);
	fails(pwrite(fd, "x", 1, 1000), EFBIG);
	check(pwrite(fd, "xyz", 3, 998) == 2);
	fails(syscall(SYS_fallocate, fd, 0, 0l, 2000l), EFBIG);
}

static const struct test tests[] = {
	TEST(open_flags),
	TEST(offsets),
	TEST(holes),
	TEST(unlinked_but_open),
	TEST(hard_links),
	TEST(symbolic_links),
	TEST(directories),
	TEST(renames),
	TEST(reading_directories),
	TEST(permissions),
	TEST(times),
	TEST(device_nodes),
	TEST(random_numbers),
	TEST(record_locks),
	TEST(system_information),
	TEST(proc_of_self),
	TEST(proc_of_others_while_they_die),
	TEST(no_space_is_reported),
	TEST(size_limit),
};

int main(int argc, char **argv)
{
	return run_tests(argc, argv, tests, LENGTH(tests), 60);
}
