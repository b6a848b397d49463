/* SPDX-License-Identifier: MIT */
/* link.c - the simulated wire. */
#include "link.h"

#include <stdio.h>
#include <stdlib.h>
#include <weft/string.h>

#define REORDER_NS (100 * NSEC_PER_USEC)
#define ETHER_HEADER 14

struct flight {
	struct sim_event event; /* first */
	struct sim_link *link;
	struct sim_end *to;
	u32 len;
	u8 data[];
};

void sim_link_init(struct sim_link *l, struct sim_end *a, struct sim_end *b)
{
	*l = (struct sim_link){ .end = { a, b },
				.delay_ns = 10 * NSEC_PER_USEC,
				.reorder_ns = REORDER_NS };
	a->link = b->link = l;
}

/* ---- captures ---- */

bool sim_link_trace(struct sim_link *l, const char *path)
{
	/* magic of nanosecond captures, version 2.4, whole frames, Ethernet */
	const u32 header[6] = { 0xa1b23c4d, 2 | 4 << 16, 0, 0, 65535, 1 };

	l->trace = fopen(path, "w");
	if (!l->trace)
		return false;
	return fwrite(header, sizeof(header), 1, l->trace) == 1;
}

void sim_link_trace_end(struct sim_link *l)
{
	if (l->trace)
		fclose(l->trace);
	l->trace = NULL;
}

static void record(struct sim_link *l, const u8 *frame, u32 len)
{
	u64 t = sim_now();
	const u32 header[4] = { t / NSEC_PER_SEC, t % NSEC_PER_SEC, len, len };

	fwrite(header, sizeof(header), 1, l->trace);
	fwrite(frame, len, 1, l->trace);
}

/* ---- frames ---- */

static bool chance(u32 per_thousand)
{
	return per_thousand && sim_random() % 1000 < per_thousand;
}

/* Damage is what gets past a link's own check: where there is no other, as in ARP, everything that
 * follows would go astray for a minute. */
static bool has_checksum(const u8 *frame, u32 len)
{
	return len > ETHER_HEADER && (frame[12] != 8 || frame[13] != 6);
}

static void arrive(struct sim_event *e)
{
	struct flight *f = container_of(e, struct flight, event);

	f->link->in_flight--;
	f->to->frames++;
	if (f->to->receive && f->to->link)
		f->to->receive(f->to, f->data, f->len);
	free(f);
}

static void launch(struct sim_link *l, u32 way, const u8 *frame, u32 len, u64 at)
{
	struct flight *f = calloc(1, sizeof(*f) + len);

	at += l->delay_ns;
	if (l->jitter_ns)
		at += ((u64)sim_random() * l->jitter_ns) >> 32;
	l->last_at[way] = at = max(at, l->last_at[way]);
	f->link = l;
	f->to = l->end[way];
	f->len = len;
	memcpy(f->data, frame, len);
	if (has_checksum(frame, len) && chance(l->corrupt))
		f->data[sim_random() % len] ^= 1 << sim_random() % 8;
	if (chance(l->reorder))
		at += l->reorder_ns + sim_random() % l->reorder_ns;
	f->event.fn = arrive;
	l->in_flight++;
	sim_event_set(&f->event, at);
}

/* When the last bit has left, behind all that is queued. 0: the queue is full. */
static u64 serialize(struct sim_link *l, u32 way, u32 len)
{
	u64 start = max(sim_now(), l->free_at[way]);

	if (!l->rate)
		return sim_now();
	if (l->queue_bytes && (start - sim_now()) * l->rate / NSEC_PER_SEC + len > l->queue_bytes)
		return 0;
	return l->free_at[way] = start + len * NSEC_PER_SEC / l->rate;
}

void sim_link_send(struct sim_end *from, const u8 *frame, u32 len)
{
	struct sim_link *l = from->link;
	u32 way;
	u64 at;

	if (!l)
		return;
	if (l->trace)
		record(l, frame, len);
	way = from == l->end[0];
	at = serialize(l, way, len);
	if (!at || (l->mtu && len > l->mtu + ETHER_HEADER)) {
		l->tail_dropped++;
		return;
	}
	if (chance(l->loss)) {
		l->lost++;
		return;
	}
	launch(l, way, frame, len, at);
	if (chance(l->duplicate))
		launch(l, way, frame, len, at);
}
