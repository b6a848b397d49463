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
	struct list_head rx;	     /* of struct pkt */
	u32 rx_bytes;		     /* true size */
	struct list_head backlog, backlog_node;
	u32 nr_backlog, max_backlog;
	struct list_head bound_node;
	struct inode *inode;	/* a path's; NULL: abstract or none */
	u32 name_len;		/* 0: no name */
	u8 name[UNIX_NAME_MAX]; /* struct sockaddr_un */
	struct unix_cred cred, peer_cred;
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

/* ---- unix_data.c ---- */
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

/* ---- unix_proc.c ---- */
void unix_proc_init(void);
