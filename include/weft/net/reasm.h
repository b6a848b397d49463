/* SPDX-License-Identifier: MIT */
/* reasm.h - pieces of datagrams wait here for the others (RFC 791 3.2, RFC 815, RFC 8200 4.5). A
 * network layer says what makes pieces belong together, where in the datagram each one lies and
 * what of the first one's headers stays; ranges, time and memory are the IP core's. Memory is
 * bounded by the true size of the buffers held, for each source and in all: beyond it the oldest
 * datagram goes. */
#pragma once

#include <weft/net/netif.h>
#include <weft/random.h>
#include <weft/seqfile.h>
#include <weft/spinlock.h>
#include <weft/time.h>

#define REASM_BUCKETS 64
#define REASM_SOURCES 64
#define REASM_KEY_WORDS 10
#define REASM_MAX_PIECES 256 /* a datagram; keeps insertion and memory linear */

enum reasm_event {
	REASM_WHOLE,
	REASM_FAILED,	  /* a datagram, for any reason */
	REASM_OVERLAPPED, /* likewise; comes beside FAILED, as does the next one */
	REASM_TIMED_OUT,
};

/* Hashed by source: what the pieces of one sender cost. */
struct reasm_source {
	struct list_head kin; /* its datagrams, oldest first */
	u32 nr, bytes;
};

/* One network layer's datagrams under way; static, with the first two parts filled in. */
struct reasm {
	const char *name;
	const char *file;			/* below /proc: how much is held */
	const char *time_sysctl, *bytes_sysctl; /* below /proc/sys: the settings */
	/* Of a piece's key: all of it, and of that the sender, which stands in front. */
	u8 key_words, source_words;
	/* RFC 5722: only an exact repeat is forgiven, and what is still to come of a datagram with
	 * overlaps is dropped until its time is over. Else a piece inside of another is a repeat
	 * too, and the datagram is forgotten with its pieces. */
	bool strict;
	u32 max_len; /* of a whole datagram with its headers */
	/* One source may have one part in so many of max_bytes, and so many datagrams. */
	u32 source_part, source_datagrams;
	/* Poll or process context, preemption off. */
	void (*count)(enum reasm_event e);

	/* settings, read at each piece */
	int time_s, max_bytes;

	/* the core's; guarded by lock, bytes and datagrams may be read without */
	struct spinlock lock;
	struct list_head bucket[REASM_BUCKETS];
	struct reasm_source source[REASM_SOURCES];
	struct list_head by_age; /* oldest first */
	u32 bytes, datagrams;
	struct siphash_key hash_key;
	struct timer expiry;
	struct netif_watcher watcher;
	struct procfile procfile;
	struct sysctl sysctl[2];
};

/* What a fragment says of itself. */
struct reasm_piece {
	u32 key[REASM_KEY_WORDS];
	u32 head;	/* bytes in front of what it carries */
	u32 start, end; /* of the datagram's payload; end > start, and all of it is in the packet */
	bool last;
	/* Of the one at 0: how many of its bytes the whole begins with, and what the caller wants
	 * to hear again then. */
	u32 keep, note;
};

/* Before the first piece. -ENOMEM, -EEXIST. Process context, without netif_lock. */
int reasm_init_owner(struct reasm *r, struct module *owner);
#define reasm_init(r) reasm_init_owner(r, THIS_MODULE)
/* After the last piece: drops what is there. Process context, without netif_lock. */
void reasm_exit(struct reasm *r);
/* p: data and net_off at its network header, ip_rx filled. The whole datagram when this completes
 * it, with *f telling keep and note of its first piece; else NULL. It begins with the first one's
 * headers as they came, to be put right; ip_rx is the first one's, with the congestion that any of
 * them met in tos (RFC 3168 5.3). Of one that is never completed the sender hears, if the first
 * piece came (RFC 1122 3.3.2, RFC 8200 4.5). Consumes. Poll context. */
struct pkt *reasm_add(struct reasm *r, struct pkt *p, struct reasm_piece *f);
/* The line of /proc/net/sockstat that begins with name. */
void reasm_show(const struct reasm *r, struct seq *s, const char *name);
