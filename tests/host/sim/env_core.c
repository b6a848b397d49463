/* SPDX-License-Identifier: MIT */
/* env_core.c - the rest of the kernel as far as network code sees it: the log, panics, random numbers,
 * who is calling, files under /proc and /sys. */
#include <core/net.h>
#include <core/module.h>
#include <core/proc.h>
#include <core/sched.h>
#include <core/vfs.h>
#include <stdio.h>
#include <stdlib.h>
#include <weft/alloc.h>
#include <weft/poller.h>
#include <weft/printk.h>
#include <weft/random.h>
#include <weft/seqfile.h>
#include <weft/string.h>

#include "env.h"

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
	fprintf(stderr, "\nthe log ends:\n%s", log_len > 2000 ? log_text + log_len - 2000 : log_text);
	backtrace_here();
	abort();
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

void might_sleep(void)
{
	if (in_atomic() || in_poll_context())
		sim_fatal("something that may sleep is called in atomic context");
}

/* ---- random numbers: two generators, so that a test's choices do not move the kernel's ---- */

static u64 kernel_state = 1, sim_state = 2;

static u32 next(u64 *state)
{
	u64 z = *state += 0x9e3779b97f4a7c15ull;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ull;
	z = (z ^ z >> 27) * 0x94d049bb133111ebull;
	return z >> 32;
}

void sim_seed(u64 seed)
{
	kernel_state = seed * 2 + 1;
	sim_state = seed * 2 + 2;
}

u32 sim_random(void)
{
	return next(&sim_state);
}

u32 random_u32(void)
{
	return next(&kernel_state);
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

/* ---- checksums ---- */

u32 csum_partial(const void *p, size_t n, u32 sum)
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

u16 csum_fold(u32 sum)
{
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return ~sum;
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

/* ---- processes and files: there are none but the test ---- */

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

struct fd_table *proc_files_get(struct proc *p)
{
	return NULL;
}

void fd_table_put(struct fd_table *t)
{
}

void fd_for_each(struct fd_table *t, bool (*fn)(void *arg, int fd, struct file *f), void *arg)
{
}

struct file *fd_get(int fd)
{
	return NULL;
}

struct file *file_anon(const char *label, u32 mode, const struct file_ops *ops, void *priv, u32 flags)
{
	return ERR_PTR(-ENFILE);
}

u64 file_ino(const struct file *f)
{
	return 1;
}

void file_put(struct file *f)
{
}

/* SIGPIPE: nobody would take it. */
int signal_send_thread(struct thread *t, int sig, const struct ksiginfo *info)
{
	return 0;
}

/* Local sockets and the packet pools' files are not simulated. */
void unix_init(void)
{
}

void pkt_show_init(void)
{
}

/* ---- /proc and /sys ---- */

struct node {
	struct list_head list;
	struct procfile *file;		/* NULL: a directory or link */
	char path[128];
	struct ledger_entry ledger;
};

static LIST_HEAD(nodes);

static struct node *node_find(const char *path)
{
	struct node *n;

	list_for_each_entry(n, &nodes, list) {
		if (!strcmp(n->path, path))
			return n;
	}
	return NULL;
}

static void node_free(struct node *n)
{
	ledger_remove(&n->ledger);
	list_del(&n->list);
	if (n->file)
		n->file->node = NULL;
	kfree(n);
}

static void undo_node(struct ledger_entry *e)
{
	node_free(container_of(e, struct node, ledger));
}

static int node_add(const char *root, const char *path, struct procfile *f, struct module *owner)
{
	struct node *n = kzalloc(sizeof(*n));

	if (!n)
		return -ENOMEM;
	snprintf(n->path, sizeof(n->path), "/%s/%s", root, path);
	if (node_find(n->path)) {
		kfree(n);
		return -EEXIST;
	}
	n->file = f;
	if (f)
		f->node = n;
	list_add_tail(&n->list, &nodes);
	ledger_add(&n->ledger, owner, "file", n->path, undo_node);
	return 0;
}

int procfile_add_owner(struct procfile *f, struct module *owner)
{
	return node_add("proc", f->path, f, owner);
}

void procfile_remove(struct procfile *f)
{
	might_sleep();
	if (f->node)
		node_free(f->node);
}

int sysfile_add_owner(struct procfile *f, struct module *owner)
{
	return node_add("sys", f->path, f, owner);
}

void sysfile_remove(struct procfile *f)
{
	procfile_remove(f);
}

int sysfs_link(const char *path, const char *target)
{
	return node_add("sys", path, NULL, NULL);
}

int sysfs_mkdir(const char *path)
{
	return node_add("sys", path, NULL, NULL);
}

void sysfs_remove(const char *path)
{
	char full[140];
	struct node *n, *tmp;
	size_t len = snprintf(full, sizeof(full), "/sys/%s", path);

	list_for_each_entry_safe(n, tmp, &nodes, list) {
		if (!strncmp(n->path, full, len) && (!n->path[len] || n->path[len] == '/'))
			node_free(n);
	}
}

static int sysctl_show(struct seq *s)
{
	struct sysctl *c = s->arg;

	seq_printf(s, "%d\n", *c->value);
	return 0;
}

static int sysctl_write(void *arg, const char *text, size_t len)
{
	struct sysctl *c = arg;
	int v, err = kstrtoint(text, 10, &v);

	if (err || v < c->min || v > c->max)
		return -EINVAL;
	WRITE_ONCE(*c->value, v);
	if (c->changed)
		c->changed(c);
	return 0;
}

int sysctl_add_owner(struct sysctl *s, struct module *owner)
{
	snprintf(s->full, sizeof(s->full), "sys/%s", s->path);
	s->file = (struct procfile){ .path = s->full, .mode = 0644, .show = sysctl_show,
				     .write = sysctl_write, .arg = s };
	return procfile_add_owner(&s->file, owner);
}

void sysctl_remove(struct sysctl *s)
{
	procfile_remove(&s->file);
}

/* Grows by kmalloc, so that printing fails on purpose as well. */
void seq_write(struct seq *s, const void *p, size_t n)
{
	char *bigger;

	if (!s->failed && s->len + n + 1 > s->cap) {
		bigger = krealloc(s->buf, 2 * (s->len + n + 1));
		if (bigger) {
			s->buf = bigger;
			s->cap = 2 * (s->len + n + 1);
		} else {
			s->failed = true;
		}
	}
	if (s->failed)
		return;
	memcpy(s->buf + s->len, p, n);
	s->len += n;
	s->buf[s->len] = 0;
}

void seq_puts(struct seq *s, const char *str)
{
	seq_write(s, str, strlen(str));
}

int seq_printf(struct seq *s, const char *fmt, ...)
{
	char text[1024];
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	seq_write(s, text, min(n, (int)sizeof(text) - 1));
	return s->failed ? -ENOMEM : 0;
}

const char *sim_read(const char *path)
{
	static char text[65536];
	struct node *n = node_find(path);
	struct seq s = { 0 };
	int err;

	if (!n || !n->file || !n->file->show)
		return NULL;
	s.arg = n->file->arg;
	err = n->file->show(&s);
	snprintf(text, sizeof(text), "%s", s.buf ? s.buf : "");
	if (s.failed)
		err = -ENOMEM;
	kfree(s.buf);
	return err ? NULL : text;
}

int sim_write(const char *path, const char *text)
{
	struct node *n = node_find(path);

	if (!n || !n->file)
		return -ENOENT;
	return n->file->write ? n->file->write(n->file->arg, text, strlen(text)) : -EACCES;
}

u32 env_files_count(void)
{
	struct node *n;
	u32 count = 0;

	list_for_each_entry(n, &nodes, list)
		count++;
	return count;
}

void env_files_print(void)
{
	struct node *n;

	list_for_each_entry(n, &nodes, list)
		fprintf(stderr, "  there: %s\n", n->path);
}

/* ---- start ---- */

void env_core_init(void)
{
	sim_log_echo = getenv("SIM_LOG") != NULL;
	pkt_init();
	socket_init();
}
