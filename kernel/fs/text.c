/* SPDX-License-Identifier: MIT */
/* text.c - files whose text is printed when they are read: the growing buffer (struct seq) and the
 * open file around it. The text is made at the first read, and again by a read that starts at 0, so
 * that a reader who goes on sees one state, and one who rewinds sees the present. */
#include "fs.h"
#include "tree.h"

#include <weft/module.h>

#define TEXT_MAX (4ul << 20)
#define SEEK_CUR 1

/* ---- struct seq ---- */

static bool seq_reserve(struct seq *s, size_t n)
{
	size_t cap = s->cap ? s->cap : 512;
	char *buf;

	if (s->failed)
		return false;
	if (s->len + n + 1 <= s->cap)
		return true;
	while (cap < s->len + n + 1 && cap < TEXT_MAX)
		cap *= 2;
	buf = cap >= s->len + n + 1 ? krealloc(s->buf, cap) : NULL;
	if (!buf) {
		s->failed = true;
		return false;
	}
	s->buf = buf;
	s->cap = cap;
	return true;
}

void seq_write(struct seq *s, const void *p, size_t n)
{
	if (!seq_reserve(s, n))
		return;
	memcpy(s->buf + s->len, p, n);
	s->len += n;
}

void seq_puts(struct seq *s, const char *str)
{
	seq_write(s, str, strlen(str));
}

int seq_printf(struct seq *s, const char *fmt, ...)
{
	size_t room;
	va_list ap;
	int n;

	if (!seq_reserve(s, 128))
		return -ENOMEM;
	room = s->cap - s->len;
	va_start(ap, fmt);
	n = vsnprintf(s->buf + s->len, room, fmt, ap);
	va_end(ap);
	if (n >= 0 && (size_t)n >= room) {
		if (!seq_reserve(s, (size_t)n))
			return -ENOMEM;
		va_start(ap, fmt);
		n = vsnprintf(s->buf + s->len, s->cap - s->len, fmt, ap);
		va_end(ap);
	}
	if (n < 0)
		return n;
	s->len += (size_t)n;
	return 0;
}

/* ---- open text ---- */

struct text {
	struct mutex lock;
	int (*fill)(struct inode *ino, struct seq *s);
	/* guarded by lock */
	struct seq seq;
	bool filled;
};

int text_open(struct file *f, int (*fill)(struct inode *ino, struct seq *s))
{
	struct text *t = kzalloc(sizeof(*t));

	if (!t)
		return -ENOMEM;
	mutex_init(&t->lock);
	t->fill = fill;
	f->priv = t;
	return 0;
}

void text_release(struct file *f)
{
	struct text *t = f->priv;

	kfree(t->seq.buf);
	kfree(t);
}

static int text_fill(struct text *t, struct inode *ino)
{
	int err;

	t->seq.len = 0;
	t->seq.failed = false;
	t->filled = false;
	err = t->fill(ino, &t->seq);
	if (!err && t->seq.failed)
		err = -ENOMEM;
	t->filled = !err;
	return err;
}

long text_read(struct file *f, struct iov_iter *to, u64 *pos)
{
	struct text *t = f->priv;
	long n = 0;

	mutex_lock(&t->lock);
	if (!t->filled || *pos == 0)
		n = text_fill(t, f->inode);
	if (!n && *pos < t->seq.len)
		n = iter_copy_to(t->seq.buf + *pos, min(to->count, (size_t)(t->seq.len - *pos)),
				 to);
	mutex_unlock(&t->lock);
	if (n > 0)
		*pos += n;
	return n;
}

s64 text_seek(struct file *f, s64 off, int whence)
{
	return whence <= SEEK_CUR ? seek_in(f, off, whence, 0) : -EINVAL;
}

EXPORT(seq_printf);
EXPORT(seq_puts);
EXPORT(seq_write);
