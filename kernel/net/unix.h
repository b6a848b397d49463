/* SPDX-License-Identifier: MIT */
/* unix.h - AF_UNIX inside: one control block an end, linked to its peer. One lock guards all links
 * and queues; data is copied outside of it. */
#pragma once

#include <core/net.h>
#include <weft/socket.h>
#include <weft/spinlock.h>

#define UNIX_PATH_MAX 108
#define UNIX_NAME_MAX (2 + UNIX_PATH_MAX + 1) /* struct sockaddr_un and a NUL */
#define UNIX_FILES_MAX 253		      /* SCM_MAX_FD */

struct inode;

struct unix_cred { /* struct ucred */
	int pid;
	u32 uid, gid;
};

enum unix_state { UNIX_IDLE, UNIX_LISTENING, UNIX_CONNECTED, UNIX_ENDED };

struct unix_sock {
	struct refcount refs; /* its socket, and each pointer from a peer */
	u16 type;
	/* guarded by unix_lock */
	struct socket *s;      /* NULL: not accepted yet, or closed */
	enum unix_state state; /* of stream and seqpacket; datagrams only use peer */
	struct unix_sock *peer;
	bool no_more_rx, no_more_tx; /* shut down by either side, or the peer went */
	struct list_head rx; /* of struct pkt; in a stream an empty one is a mark, unix_oob.c */
	struct pkt *oob;     /* of rx: the urgent byte, not read yet */
	u32 rx_bytes;	     /* true size */
	struct list_head backlog, backlog_node;
	u32 nr_backlog, max_backlog;
	struct list_head bound_node;
	struct inode *inode;	/* a path's; NULL: abstract or none */
	u32 name_len;		/* 0: no name */
	u8 name[UNIX_NAME_MAX]; /* struct sockaddr_un */
	struct unix_cred cred, peer_cred;
	/* unix_gc.c */
	u32 inflight; /* references that descriptors on their way hold to its file */
	u32 trial;    /* of these, what no suspect's queue accounts for */
	bool suspect, reached;
	struct list_head inflight_node, reach_node;
	struct wait_queue space; /* datagram senders to a full queue, connects to a full backlog */
};

extern struct spinlock unix_lock;

struct unix_sock *unix_new(u16 type); /* NULL */
void unix_get(struct unix_sock *u);
void unix_put(struct unix_sock *u);
struct unix_cred unix_current_cred(void);
/* unix_lock held: tells the socket of u, if it has one, that events may be true now. */
void unix_wake_locked(struct unix_sock *u, u32 events);
/* Waits on other's space queue with the socket's lock dropped; 0, -ERESTARTSYS, -EAGAIN. */
#define UNIX_WAIT_SPACE(sock, other, cond)                                                \
	({                                                                                \
		u64 uw_end = socket_deadline(sock, true);                                 \
		int uw_err;                                                               \
		mutex_unlock(&(sock)->lock);                                              \
		uw_err = wait_event_interruptible_timeout(&(other)->space, cond, uw_end); \
		mutex_lock(&(sock)->lock);                                                \
		uw_err == -ETIMEDOUT ? -EAGAIN : uw_err;                                  \
	})

/* ---- unix_name.c ---- */
int unix_bind(struct socket *s, const u8 *name, u32 len);
/* The bound socket of a name, with a reference. -ECONNREFUSED, -ENOENT, -EACCES, -EPROTOTYPE. */
struct unix_sock *unix_find(const u8 *name, u32 len, u16 type);
void unix_unbind(struct unix_sock *u);

/* ---- unix_oob.c: the urgent byte of a stream ---- */
/* unix_lock held. p, of u's queue, becomes its urgent byte. */
void unix_oob_mark_locked(struct unix_sock *u, struct pkt *p);
/* unix_lock held. Where a read that has come to p of the stream goes on; mid: it has some bytes
 * already. What it passes by, unless it only looks, moves to gone. NULL: not any further for now.
 */
struct pkt *unix_oob_pass_locked(struct unix_sock *u, struct pkt *p, bool peek, bool mid,
				 struct list_head *gone);
long unix_recv_oob(struct socket *s, struct msg *m, size_t len);
bool unix_at_mark(struct unix_sock *u);
/* unix_lock held. Is there something that nobody has read? */
bool unix_has_unread_locked(const struct unix_sock *u);

/* ---- unix_data.c ---- */
void unix_data_free(struct pkt *p);
long unix_send(struct socket *s, struct msg *m, size_t len);
long unix_recv(struct socket *s, struct msg *m, size_t len);
void unix_drain(struct unix_sock *u);
void unix_data_init(void);
u32 unix_readable_bytes(struct unix_sock *u);

/* ---- unix_scm.c: descriptors and credentials that travel with data ---- */
struct unix_scm {
	struct file **files;
	u32 nr_files;
	u32 user; /* whose bound they count for */
	struct unix_cred cred;
};
int unix_scm_parse(const struct msg *m, struct unix_scm *scm);
void unix_scm_free(struct unix_scm *scm);
/* Gives the receiver what its socket asked for; peek: copies stay with the message. */
void unix_scm_deliver(struct socket *s, struct msg *m, struct unix_scm *scm, bool peek);

/* ---- unix_gc.c: sockets that only each other's queues hold ---- */
/* f, with a reference that is on its way from here on, or no more: before that is given back. */
void unix_file_leaves(struct file *f);
void unix_file_arrives(struct file *f);
void unix_gc_schedule(void); /* looks for such sockets soon, if any are on their way */
void unix_gc_init(void);

/* ---- unix_data.c, for it ---- */
/* unix_lock held. Files that are on their way to u: fn of each that is a socket of the family. */
void unix_each_inflight_locked(struct unix_sock *u, void (*fn)(struct unix_sock *held, void *arg),
			       void *arg);
/* unix_lock held. What brings files to u is never read; a work item frees it. */
void unix_discard_files_locked(struct unix_sock *u);
/* The family's control block behind f; NULL: it is something else. */
struct unix_sock *unix_of_file(const struct file *f);

/* ---- unix_proc.c ---- */
void unix_proc_init(void);
