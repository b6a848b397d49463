/* SPDX-License-Identifier: MIT */
/* app.h - simulated programs that talk over TCP: one thread an end, the octets of each stream told
 * by its number, so that the reader knows every one. What goes wrong is noted and judged by the
 * driver. */
#pragma once

#include <weft/net/addr.h>

/* One direction of a conversation, as its writer and its reader behave. */
struct app_stream {
	u64 key;			/* of its octets */
	u64 bytes;			/* to be written before the end */
	u32 chunk;			/* octets a send */
	u32 pause_every, read_pause_ms; /* the reader rests after so many octets; 0: never */
	u32 first_pause_ms;		/* before the reader's first octet: a window of zero */
	u32 oob_every;			/* an urgent octet in every so many sends (in line) */
};

enum app_end {
	APP_FINISH, /* half close behind the last octet, read to the other's end, close */
	APP_ABORT,  /* reset after having read or written abort_at octets */
	APP_LEAVE,  /* close at once behind the last octet written, whatever is unread */
};

/* One end of a conversation. */
struct app {
	bool server;
	u16 af;			      /* of its socket: AF_INET, AF_INET6 for both versions */
	struct ip_addr local, remote; /* IPv4 ones mapped */
	u16 local_port, remote_port;
	bool simultaneous; /* both ends connect, from fixed ports */
	u32 start_ms;	   /* waits so long first */
	const struct app_stream *out, *in;
	u32 rounds;  /* 0: both directions at once, else so many requests and answers */
	u32 idle_ms; /* after connecting */
	enum app_end end;
	u64 abort_at;
	/* socket options; 0: not set */
	int rcvbuf, sndbuf;
	bool nodelay, cork, keepalive, quickack;
	u32 user_timeout_ms;
	const char *congestion;
	/* what came of it */
	u64 written, read;
	int error; /* the first one, a negative errno */
	const char *where;
	bool connected, saw_end, again; /* again: it took more than one connection */
	u64 wrong_at;			/* first octet that differed, + 1 */
	u64 done_ns;
};

/* A server's thread: serves one connection after the other until its listener is shut down. A
 * client from port first_port + n talks with end[n]; nr_ends 1: whoever comes with end[0]. */
struct app_worker {
	int listener;
	struct app *end;
	u32 nr_ends, stride; /* bytes from one to the next */
	u16 first_port;
};

struct app_ops {
	long (*connect)(void *app);  /* struct app; a job apart */
	long (*serve)(void *worker); /* struct app_worker; a job apart */
	long (*listen)(void *req);   /* struct app_listen: a listening socket's number, or errno */
	long (*close)(void *number); /* int *: shuts a listener down and closes it */
};
struct app_listen {
	u16 af;
	struct ip_addr addr;
	u16 port;
	int backlog;
	int rcvbuf, sndbuf;
};
extern const struct app_ops app_ops;

/* ---- datagrams ---- */
struct app_datagrams {
	u16 af;
	struct ip_addr local, remote;
	u16 port; /* the echo server's */
	u64 key;
	u32 count, gap_us, linger_ms; /* linger: for the last answers */
	bool stop;		      /* tells the server */
	/* what came of it; wrong must stay 0 */
	u32 sent, received, wrong;
};
struct app_udp_ops {
	long (*echo)(void *datagrams); /* jobs apart */
	long (*send)(void *datagrams);
};
extern const struct app_udp_ops app_udp_ops;
