/* SPDX-License-Identifier: MIT */
/* unix_proc.c - all sockets of AF_UNIX: as structs, for programs that ask by messages, and as
 * /proc/net/unix in Linux's format, with names in which @ stands for each zero byte of abstract
 * ones. */
#include <core/vfs.h>
#include <weft/alloc.h>
#include <weft/random.h>
#include <weft/seqfile.h>
#include <weft/string.h>
#include <weft/unix.h>

#include "unix.h"

#define FLAG_LISTENS 0x10000 /* Linux's __SO_ACCEPTCON */
#define STATE_UNCONNECTED 1  /* its SS_ numbers */
#define STATE_CONNECTED 3

static struct siphash_key pointer_key;

/* ---- as structs ---- */

/* A path ends at its NUL, an abstract name where it was said to. */
static void copy_name(struct unix_info *i, const struct unix_sock *u)
{
	u32 n = u->name_len > 2 ? u->name_len - 2 : 0;

	_Static_assert(sizeof(i->name) >= UNIX_NAME_MAX - 2, "any name fits");
	if (n && u->name[2])
		n = strnlen((const char *)u->name + 2, n);
	i->name_len = n;
	memcpy(i->name, u->name + 2, n);
}

#define WAITING_MAX 512 /* as many as fit in a message */

/* The clients of u's backlog. unix_lock held. */
static u32 list_waiting(const struct unix_sock *u, u32 *ino, u32 room)
{
	const struct unix_sock *w;
	u32 n = 0;

	list_for_each_entry(w, &u->backlog, backlog_node) {
		if (n == room)
			break;
		ino[n++] = w->peer && w->peer->s ? (u32)w->peer->s->ino : 0;
	}
	return n;
}

/* unix_lock held. */
static void describe(struct unix_info *i, const struct unix_sock *u)
{
	const struct unix_sock *peer = u->peer;

	i->type = u->type;
	i->listening = u->state == UNIX_LISTENING;
	i->connected = u->type == SOCK_DGRAM ? peer != NULL : u->state == UNIX_CONNECTED;
	i->shutdown = (u->no_more_rx ? 1 : 0) | (u->no_more_tx ? 2 : 0);
	i->refs = refcount_read(&u->refs) + 1;
	i->peer_ino = peer && peer->s ? peer->s->ino : 0;
	i->path_ino = u->inode ? u->inode->ino : 0;
	i->path_dev = u->inode ? inode_dev(u->inode) : 0;
	if (i->listening) {
		i->rqueue = u->nr_backlog;
		i->wqueue = u->max_backlog;
	} else if (peer && u->type != SOCK_DGRAM) {
		i->wqueue = peer->rx_bytes;
	}
	copy_name(i, u);
}

struct each {
	void (*fn)(const struct unix_info *i, void *arg);
	void *arg;
};

static void tell(struct socket *s, void *arg)
{
	const struct each *each = arg;
	struct unix_info i = { .s = s };
	u32 room = s->listening ? WAITING_MAX : 0, *waiting = NULL;
	bool open;

	if (s->family != AF_UNIX)
		return;
	if (room)
		waiting = kmalloc(room * sizeof(*waiting));
	i.waiting = waiting;
	mutex_lock(&s->lock);
	open = !s->closed && s->priv;
	if (open) {
		i.rqueue = unix_readable_bytes(s->priv);
		spin_lock(&unix_lock);
		describe(&i, s->priv);
		if (waiting)
			i.nr_waiting = list_waiting(s->priv, waiting, room);
		spin_unlock(&unix_lock);
	}
	mutex_unlock(&s->lock);
	if (open)
		each->fn(&i, each->arg);
	kfree(waiting);
}

void unix_for_each(void (*fn)(const struct unix_info *i, void *arg), void *arg)
{
	struct each each = { fn, arg };

	socket_for_each(NULL, tell, &each);
}
EXPORT(unix_for_each);

/* ---- /proc/net/unix ---- */

static void show_socket(const struct unix_info *i, void *arg)
{
	struct seq *seq = arg;

	/* the pointer column tells sockets apart, no more */
	seq_printf(seq, "%016lx: %08X %08X %08X %04X %02X %5lu",
		   siphash(&i->s, sizeof(i->s), &pointer_key), i->refs, 0,
		   i->listening ? FLAG_LISTENS : 0, i->type,
		   i->connected ? STATE_CONNECTED : STATE_UNCONNECTED, i->s->ino);
	if (i->name_len)
		seq_puts(seq, " ");
	for (u32 n = 0; n < i->name_len; n++)
		seq_write(seq, i->name[n] ? (const char *)&i->name[n] : "@", 1);
	seq_puts(seq, "\n");
}

static int show_sockets(struct seq *s)
{
	seq_puts(s, "Num       RefCount Protocol Flags    Type St Inode Path\n");
	unix_for_each(show_socket, s);
	return 0;
}

static struct procfile file = { .path = "net/unix", .mode = 0444, .show = show_sockets };

void unix_proc_init(void)
{
	random_bytes(&pointer_key, sizeof(pointer_key));
	procfile_add(&file);
}
