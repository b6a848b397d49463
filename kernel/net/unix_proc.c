/* SPDX-License-Identifier: MIT */
/* unix_proc.c - /proc/net/unix in Linux's format: all sockets of the family with their names, those
 * of abstract ones with @ for each zero byte. */
#include <weft/random.h>
#include <weft/seqfile.h>
#include <weft/string.h>

#include "unix.h"

#define FLAG_LISTENS 0x10000 /* Linux's __SO_ACCEPTCON */
#define STATE_UNCONNECTED 1  /* its SS_ numbers */
#define STATE_CONNECTED 3

static struct siphash_key pointer_key;

struct line {
	char name[UNIX_NAME_MAX];
	int refs;
	u32 flags, state;
};

/* A path stands as it is, an abstract name's zero bytes as @. */
static void copy_name(char *to, const struct unix_sock *u)
{
	u32 n = u->name_len > 2 ? u->name_len - 2 : 0;
	bool abstract = n && !u->name[2];

	for (u32 i = 0; i < n; i++) {
		char c = u->name[2 + i];

		if (!c && !abstract)
			break;
		*to++ = c ? c : '@';
	}
	*to = '\0';
}

static void read_line(struct line *l, const struct unix_sock *u)
{
	bool connected = u->type == SOCK_DGRAM ? u->peer != NULL : u->state == UNIX_CONNECTED;

	l->refs = refcount_read(&u->refs) + 1;
	l->flags = u->state == UNIX_LISTENING ? FLAG_LISTENS : 0;
	l->state = connected ? STATE_CONNECTED : STATE_UNCONNECTED;
	copy_name(l->name, u);
}

static void show_socket(struct socket *s, void *arg)
{
	struct seq *seq = arg;
	struct line l;
	bool open;

	if (s->family != AF_UNIX)
		return;
	mutex_lock(&s->lock);
	open = !s->closed && s->priv;
	if (open) {
		spin_lock(&unix_lock);
		read_line(&l, s->priv);
		spin_unlock(&unix_lock);
	}
	mutex_unlock(&s->lock);
	if (!open)
		return;
	/* the pointer column tells sockets apart, no more */
	seq_printf(seq, "%016lx: %08X %08X %08X %04X %02X %5lu",
		   siphash(&s, sizeof(s), &pointer_key), l.refs, 0, l.flags, s->type, l.state,
		   s->ino);
	if (l.name[0])
		seq_printf(seq, " %s", l.name);
	seq_puts(seq, "\n");
}

static int show_sockets(struct seq *s)
{
	seq_puts(s, "Num       RefCount Protocol Flags    Type St Inode Path\n");
	socket_for_each(NULL, show_socket, s);
	return 0;
}

static struct procfile file = { .path = "net/unix", .mode = 0444, .show = show_sockets };

void unix_proc_init(void)
{
	random_bytes(&pointer_key, sizeof(pointer_key));
	procfile_add(&file);
}
