/* SPDX-License-Identifier: MIT */
/* netlink.h - netlink sockets and messages on one side, the tables of the IP core on the other.
 * Requests are checked to the last byte before a handler sees them; answers are made in packets of
 * one page, which every reader's buffer holds, and a dump goes on when its last part was read. */
#pragma once

#define LOG_NAME "rtnetlink: "

#include <uapi/netlink.h>
#include <weft/net/ifaddr.h>
#include <weft/net/neigh.h>
#include <weft/net/netif.h>
#include <weft/net/route.h>
#include <weft/pkt.h>
#include <weft/printk.h>
#include <weft/seqfile.h>
#include <weft/socket.h>
#include <weft/string.h>

#define NL_PART_SIZE 4096
#define NL_ALIGN(n) ALIGN_UP(n, 4u)
#define NL_BODY_MAX 16 /* of what a dump looks at in its request */
#define NL_ATTRS 64    /* attribute types below it are looked at */

struct nl_out;
struct nl_dump;
struct nl_request;

/* What a request may ask: each is NULL where Linux's errno is EOPNOTSUPP. */
struct nl_handler {
	u16 body_len; /* bytes of struct rtmsg and its like; a dump may bring fewer */
	/* Puts an answer into out, or changes something (then root asked). Errno. */
	int (*doit)(const struct nl_request *rq, struct nl_out *out);
	/* Shows every entry to nl_dump_next and makes the message of those it wants. */
	void (*dump)(struct nl_dump *d);
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
	struct nl_attr attr[NL_ATTRS];
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
	struct nl_out out;
};

/* ---- message.c ---- */
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

/* Splits attributes; -EINVAL when they do not add up. */
int nl_parse(const u8 *p, u32 len, struct nl_attr attr[NL_ATTRS]);
/* 0 when absent; -EINVAL when present and not of that kind. */
int nl_get_u32(const struct nl_attr *a, u32 *v);
int nl_get_addr(const struct nl_attr *a, u16 af, struct ip_addr *addr);
int nl_get_name(const struct nl_attr *a, char name[IFNAMSIZ]);

/* Is the entry at hand to be told in this part? After it nl_dump_end says that its message is made.
 */
bool nl_dump_next(struct nl_dump *d);
void nl_dump_end(struct nl_dump *d);

/* ---- netlink.c: sockets ---- */
int netlink_create(struct socket *s);
/* To all members of group (RTNLGRP_*); frees o's packet. Process or poll context. */
void netlink_broadcast(struct nl_out *o, u32 group);
bool netlink_has_listeners(u32 group);
void netlink_missed(u32 group); /* there was no memory to tell them */
void netlink_show(struct seq *s);

/* ---- request.c ---- */
/* All messages of one write. */
void nl_receive(struct socket *s, const u8 *data, u32 len);
/* Fills d's packet with the next messages and its end; d is over once told_done. */
void nl_dump_part(struct nl_dump *d);

/* ---- link.c, addr.c, route.c, neigh.c, addrlabel.c ---- */
extern const struct nl_handler link_get, link_set, link_del, addr_get, addr_new, addr_del,
	route_get, route_new, route_delete, neigh_get, neigh_new, neigh_delete, label_get,
	label_new, label_delete;
void link_message(struct nl_out *o, struct netif *nif, u16 type);
void addr_message(struct nl_out *o, const struct ifaddr *a, u16 type);
void route_message(struct nl_out *o, const struct route *r, u16 type);
void neigh_message(struct nl_out *o, const struct neigh_info *i, u16 type);

/* ---- event.c ---- */
void events_init(void);
void events_exit(void);
