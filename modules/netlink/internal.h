/* SPDX-License-Identifier: MIT */
/* internal.h - a netlink socket, for the files of this module. */
#pragma once

#define LOG_NAME "netlink: "

#include <weft/net/netlink.h>
#include <weft/seqfile.h>
#include <weft/string.h>

struct nl_sock {
	/* fixed once created */
	struct socket *s;
	struct netlink_proto *proto; /* its owner is held by s */
	/* guarded by all_lock (sock.c), pid and groups written with s->lock held too */
	struct list_head all_node;
	u32 pid;    /* 0: none yet */
	u64 groups; /* bit n - 1: group n */
	/* guarded by s->lock */
	u32 peer_pid; /* connect(2): 0 is the kernel */
	bool pktinfo, broadcast_error, cap_ack;
	bool no_enobufs; /* read without it */
	bool ext_ack;	 /* remembered: errors are numbers here */
	struct nl_dump dump;
	u32 dump_seq;
};

static inline struct nl_sock *nl_of(const struct socket *s)
{
	return s->priv;
}

/* ---- proto.c ---- */
/* NULL: nobody speaks it. The caller leaves its door. */
struct netlink_proto *netlink_proto_enter(int number);

/* ---- sock.c ---- */
int netlink_create(struct socket *s);
void netlink_show(struct seq *s);
/* Queues an answer; where there is no room the reader hears ENOBUFS. Consumes p. Lock held. */
void nl_queue(struct nl_sock *ns, struct pkt *p);

/* ---- request.c: all with the socket's lock ---- */
/* All messages of one write. */
void nl_receive(struct nl_sock *ns, const u8 *data, u32 len);
/* Makes the next part of the running dump. -ENOBUFS ends it. */
int nl_dump_continue(struct nl_sock *ns);
/* The running dump, if there is one, is over. */
void nl_dump_stop(struct nl_sock *ns);
