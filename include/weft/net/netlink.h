/* SPDX-License-Identifier: MIT */
/* netlink.h - AF_NETLINK for those who speak a protocol over it: they register its number, find the
 * handler of each message, and make answers, dumps and events with the functions below. Requests
 * are checked to the last byte before a handler sees them; answers are made in packets of one page,
 * which every reader's buffer holds, and a dump goes on when its last part was read. */
#pragma once

#include <uapi/netlink.h>
#include <weft/ledger.h>
#include <weft/module.h>
#include <weft/net/addr.h>
#include <weft/pkt.h>
#include <weft/socket.h>

#define NL_PART_SIZE 4096
#define NL_ALIGN(n) ALIGN_UP(n, 4u)
#define NL_BODY_MAX 16 /* of what every dump keeps of its request */
#define NL_ATTRS 64    /* attribute types below it are looked at */
#define NL_GROUPS_MAX 64

struct nl_out;
struct nl_dump;
struct nl_request;

/* What a request may ask: each is NULL where Linux's errno is EOPNOTSUPP. In process context, with
 * the asking socket's lock. */
struct nl_handler {
	u16 body_len; /* bytes of struct rtmsg and its like; a dump may bring fewer */
	bool answers; /* doit puts an answer into out, and NLM_F_DUMP asks for all; else out is
		       * empty and doit changes something */
	int (*doit)(const struct nl_request *rq, struct nl_out *out); /* errno */
	/* Shows every entry to nl_dump_next and makes the message of those it wants, or keeps in
	 * d->priv where it was and stops when out is full. */
	void (*dump)(struct nl_dump *d);
	/* Optional: reads the request, len bytes behind the header, and may set d->priv; done then
	 * frees it, whatever ends the dump. Errno: the request is no good, and done is not called.
	 */
	int (*start)(struct nl_dump *d, const struct nl_request *rq, u32 len);
	void (*done)(struct nl_dump *d);
};

/* One attribute: data NULL when it is not there. */
struct nl_attr {
	const u8 *data;
	u32 len;
};

struct nl_request {
	struct nlmsghdr h;
	u32 pid; /* the asking socket's */
	const u8 *body;
	struct nl_attr attr[NL_ATTRS]; /* filled for doit */
};

/* Messages being made in one packet. What does not fit sets full and undoes its message. */
struct nl_out {
	struct pkt *p;
	u32 start; /* of the message at hand */
	bool full;
	u16 flags; /* for each header: NLM_F_MULTI */
	u32 seq, pid;
};

struct nl_dump {
	const struct nl_handler *handler; /* NULL: none is running */
	u8 family;			  /* asked for, 0: all */
	u8 body[NL_BODY_MAX];		  /* of the request, zeroes behind it */
	u32 pos;			  /* entries told so far */
	u32 seen;			  /* of this round */
	u32 generation;			  /* of the tables when it began */
	bool told_done;
	void *priv; /* the handler's */
	struct nl_out out;
};

/* ---- protocols ---- */
struct netlink_proto {
	u16 number; /* NETLINK_* */
	const char *name;
	u32 nr_groups;	       /* at most NL_GROUPS_MAX */
	const u32 *generation; /* counts changes of what is dumped; NULL: a dump may be mixed */
	/* Who handles rq, of which header and body are filled, with len bytes behind the header;
	 * asks for root where that is wanted. NULL: *err, which may be 0: nothing is to be said.
	 */
	const struct nl_handler *(*find)(const struct nl_request *rq, u32 len, int *err);
	struct module *owner;
	struct list_head node;
	struct ledger_entry ledger;
	struct door door;
};
/* -EEXIST. After unregister nobody is on the way in; open sockets hold the owner. */
int netlink_register_owner(struct netlink_proto *np, struct module *owner);
void netlink_unregister(struct netlink_proto *np);
#define netlink_register(np) netlink_register_owner(np, THIS_MODULE)

/* ---- making messages ---- */
/* Room for size bytes of messages; false without memory. */
bool nl_out_init(struct nl_out *o, enum pkt_pool pool, u32 size);
void nl_begin(struct nl_out *o, u16 type, const void *body, u32 len);
void nl_append(struct nl_out *o, const void *data, u32 len); /* to the body */
void nl_put(struct nl_out *o, u16 type, const void *data, u32 len);
void nl_put_u32(struct nl_out *o, u16 type, u32 v);
void nl_put_u8(struct nl_out *o, u16 type, u8 v);
void nl_put_str(struct nl_out *o, u16 type, const char *s);
void nl_put_addr(struct nl_out *o, u16 type, const struct ip_addr *a, u16 af);
u32 nl_nest(struct nl_out *o, u16 type);
void nl_nest_end(struct nl_out *o, u32 at);
bool nl_end(struct nl_out *o); /* false: it did not fit and is gone */

/* ---- reading them ---- */
/* Splits attributes; -EINVAL when they do not add up. */
int nl_parse(const u8 *p, u32 len, struct nl_attr attr[NL_ATTRS]);
/* 0 when absent; -EINVAL when present and not of that kind. */
int nl_get_u32(const struct nl_attr *a, u32 *v);
int nl_get_addr(const struct nl_attr *a, u16 af, struct ip_addr *addr);
int nl_get_name(const struct nl_attr *a, char name[IFNAMSIZ]);

/* ---- dumps ---- */
/* Is the entry at hand to be told in this part? After it nl_dump_end says that its message is made.
 */
bool nl_dump_next(struct nl_dump *d);
void nl_dump_end(struct nl_dump *d);

/* ---- events ---- */
/* To all of np's sockets that joined group (1 ..); frees o's packet. Process or poll context. */
void netlink_broadcast(struct netlink_proto *np, struct nl_out *o, u32 group);
bool netlink_has_listeners(struct netlink_proto *np, u32 group);
void netlink_missed(struct netlink_proto *np, u32 group); /* there was no memory to tell them */

/* ---- all sockets ---- */
struct netlink_info {
	const struct socket *s;
	u16 protocol;
	u32 pid, peer_pid;
	u64 groups;
	bool dumping, pktinfo, broadcast_error, no_enobufs, cap_ack;
};
/* Calls fn for each, under a lock. */
void netlink_for_each(void (*fn)(const struct netlink_info *i, void *arg), void *arg);
