/* SPDX-License-Identifier: MIT */
/* machine_core.c - the rest of the kernel as far as network code sees it: the log, panics, random
 * numbers, who is calling. There are no processes but the test. */
#include <core/module.h>
#include <core/net.h>
#include <core/proc.h>
#include <core/sched.h>
#include <core/vfs.h>
#include <sanitizer/common_interface_defs.h>
#include <stdio.h>
#include <stdlib.h>
#include <weft/poller.h>
#include <weft/printk.h>
#include <weft/random.h>
#include <weft/string.h>

#include "machine.h"
#include "world.h"

/* A crash is the sanitizer's to report, with the stack it happened on, not the test framework's. */
const char *__asan_default_options(void)
{
	return "handle_segv=2:handle_sigfpe=2:handle_sigbus=2:handle_sigill=2";
}

/* ---- the log ---- */

#define LOG_SIZE (256 * 1024)

static char log_text[LOG_SIZE];
static size_t log_len;
bool sim_log_echo;

int vprintk(const char *fmt, va_list ap)
{
	char line[1024];
	const char *text = line;
	int n = vsnprintf(line, sizeof(line), fmt, ap);

	if (text[0] == '\001' && text[1])
		text += 2;
	if (log_len + strlen(text) + 1 > LOG_SIZE)
		log_len = 0;
	memcpy(log_text + log_len, text, strlen(text) + 1);
	log_len += strlen(text);
	if (sim_log_echo)
		fprintf(stderr, "[%10.6f] %s", sim_now() / 1e9, text);
	return n;
}

int printk(const char *fmt, ...)
{
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vprintk(fmt, ap);
	va_end(ap);
	return n;
}

bool printk_ratelimit(struct ratelimit *rl, const char *func)
{
	u64 t = sim_now();

	if (!rl->start_ns || t - rl->start_ns > 5 * NSEC_PER_SEC)
		*rl = (struct ratelimit){ .start_ns = t };
	if (rl->printed >= 10) {
		rl->missed++;
		return false;
	}
	rl->printed++;
	return true;
}

bool sim_log_has(const char *text)
{
	return strstr(log_text, text) != NULL;
}

void sim_log_clear(void)
{
	log_len = 0;
	log_text[0] = 0;
}

void sim_fatal(const char *fmt, ...)
{
	va_list ap;

	fprintf(stderr, "simulation: ");
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fprintf(stderr, "\n");
	world_die();
}

void machine_log_tail(void)
{
	fprintf(stderr, "the log ends:\n%s", log_len > 2000 ? log_text + log_len - 2000 : log_text);
}

void panic(const char *fmt, ...)
{
	char text[256];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	sim_fatal("panic: %s", text);
}

/* What only warns in the kernel fails a test. */
void warn_at(const char *file, int line, const char *what)
{
	sim_fatal("WARN_ON(%s) at %s:%d", what, file, line);
}

void bug_at(const char *file, int line, const char *what)
{
	sim_fatal("BUG_ON(%s) at %s:%d", what, file, line);
}

#ifdef WEFT_DEBUG
void might_sleep(void)
{
	if (in_atomic() || in_poll_context())
		sim_fatal("something that may sleep is called in atomic context");
}
#endif

/* ---- random numbers: two generators, so that a test's choices do not move the kernel's ---- */

static u64 kernel_state = 1;

void machine_seed(u64 seed)
{
	kernel_state = seed * 2 + 1;
}

void sim_seed(u64 seed)
{
	machine_seed(seed);
	world_seed(seed);
}

u32 random_u32(void)
{
	u64 z = kernel_state += 0x9e3779b97f4a7c15ull;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ull;
	z = (z ^ z >> 27) * 0x94d049bb133111ebull;
	return z >> 32;
}

u32 random_below(u32 n)
{
	return (u64)random_u32() * n >> 32;
}

void random_bytes(void *p, size_t n)
{
	u8 *b = p;

	while (n--)
		*b++ = random_u32();
}

void random_add(const void *p, size_t n, u32 bits)
{
}

/* ---- checksums and text ---- */

__weak u32 csum_partial(const void *p, size_t n, u32 sum)
{
	const u8 *b = p;
	u64 s = sum;

	for (; n > 1; n -= 2, b += 2)
		s += b[0] | b[1] << 8;
	if (n)
		s += *b;
	while (s >> 32)
		s = (s & 0xffffffff) + (s >> 32);
	return s;
}

int scnprintf(char *buf, size_t size, const char *fmt, ...)
{
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(buf, size, fmt, ap);
	va_end(ap);
	return !size ? 0 : n >= (int)size ? (int)size - 1 : n;
}

/* ---- who is calling; user memory is the process's own ---- */

bool sim_root = true;

int require_root(void)
{
	return sim_root ? 0 : -EPERM;
}

u32 current_uid(void)
{
	return sim_root ? 0 : 1000;
}

u32 current_gid(void)
{
	return sim_root ? 0 : 1000;
}

size_t arch_copy_from_user(void *dst, const void __user *src, size_t n)
{
	memcpy(dst, (const void *)src, n);
	return 0;
}

size_t arch_copy_to_user(void __user *dst, const void *src, size_t n)
{
	memcpy((void *)dst, src, n);
	return 0;
}

s64 arch_get_user32(const u32 __user *p)
{
	u32 v;

	memcpy(&v, (const void *)p, sizeof(v));
	return v;
}

int arch_put_user32(u32 __user *p, u32 v)
{
	memcpy((void *)p, &v, sizeof(v));
	return 0;
}

u64 ktime_get_real(void)
{
	return 1700000000ull * NSEC_PER_SEC + ktime_get();
}

void realtime_init(void)
{
}

static int last_pid;

int pid_alloc(void)
{
	return ++last_pid;
}

void pid_put(int pid)
{
}

void proc_put(struct proc *p)
{
}

struct proc *proc_next_get(int after)
{
	return NULL;
}

/* SIGPIPE: nobody would take it. */
int signal_send_thread(struct thread *t, int sig, const struct ksiginfo *info)
{
	return 0;
}

void signal_send_owner(int owner, int sig)
{
}

void symbol_name(u64 addr, char *buf, size_t size)
{
	__sanitizer_symbolize_pc((void *)addr, "%f", buf, size);
}

/* The packet pools' files are not simulated. */
void pkt_show_init(void)
{
}

void machine_core_init(void)
{
	sim_log_echo = getenv("SIM_LOG") != NULL;
	pkt_init();
}

void machine_core_start(void)
{
	socket_init();
}
