/* SPDX-License-Identifier: MIT */
/* unix.h - what AF_UNIX tells of its sockets, for whoever shows them. */
#pragma once

#include <weft/types.h>

struct socket;

struct unix_info {
	const struct socket *s; /* open; good for as long as the call that gets it */
	u16 type;
	bool listening, connected; /* a datagram socket's is to its default peer */
	u8 shutdown;		   /* 1: receive, 2: send */
	u32 refs;
	u64 peer_ino; /* 0: no peer, or nobody has accepted it yet */
	u64 path_ino; /* of the file that it is bound to, 0: none */
	u32 path_dev;
	/* bytes that may be read and those that the peer has not read yet; of a listener:
	 * connections that wait, and how many may */
	u32 rqueue, wqueue;
	/* of a listener: the inodes of those that wait for accept(2), the first ones of many; 0: it
	 * has closed meanwhile */
	u32 nr_waiting;
	const u32 *waiting;
	u32 name_len; /* without the family */
	u8 name[109]; /* a path without its NUL, or NUL and an abstract name */
};

/* Calls fn for each open socket of the family, without locks. Process context. */
void unix_for_each(void (*fn)(const struct unix_info *i, void *arg), void *arg);
