/* SPDX-License-Identifier: MIT */
/* plan.c - draws the plan of a seed. */
#include "plan.h"

#include <stdio.h>
#include <stdlib.h>
#include <weft/net/netif.h>
#include <weft/string.h>

#include "world.h"

#define KB 1024ull
#define MB (1024 * KB)

static u32 below(u32 n)
{
	return n ? sim_random() % n : 0;
}

static u32 between(u32 low, u32 high)
{
	return low + below(high - low + 1);
}

static bool one_in(u32 n)
{
	return !below(n);
}

/* Small ones mostly, of every order of magnitude. */
static u64 size_up_to(u64 max)
{
	u64 n = 1;

	if (one_in(12))
		return 0;
	while (n < max && !one_in(6))
		n *= 3;
	n = n > max ? max : n;
	return n / 2 + below(n / 2 + 1);
}

static void draw_faults(struct plan *p)
{
	struct sim_link *l = &p->faults;

	l->delay_ns = NSEC_PER_USEC * (one_in(3) ? between(1, 100) : between(100, 40000));
	l->reorder_ns = 1 + l->delay_ns / between(1, 4);
	switch (p->kind) {
	case PLAN_LOSSY:
		l->loss = below(201);
		l->reorder = one_in(2) ? below(200) : 0;
		l->duplicate = one_in(2) ? below(200) : 0;
		l->corrupt = one_in(2) ? below(50) : 0;
		if (one_in(4))
			l->delay_ns = between(40, 500) * NSEC_PER_MSEC;
		break;
	case PLAN_NARROW:
		l->rate = between(5, 500) * 1000;
		l->queue_bytes = between(3, 60) * 1500;
		l->delay_ns = between(1, 500) * NSEC_PER_MSEC;
		l->jitter_ns = one_in(2) ? l->delay_ns / 4 : 0;
		break;
	case PLAN_ROUTED:
		l->rate = one_in(2) ? between(200, 5000) * 1000 : 0;
		l->queue_bytes = 64 * KB;
		l->loss = one_in(2) ? below(30) : 0;
		break;
	case PLAN_CLEAN:
		l->rate = one_in(2) ? between(1, 100) * 1000000 : 0;
		l->queue_bytes = 128 * KB;
		break;
	default:
		l->loss = one_in(2) ? below(50) : 0;
		l->reorder = one_in(3) ? below(50) : 0;
		l->duplicate = one_in(4) ? below(50) : 0;
	}
}

static void draw_stream(struct plan *p, struct app_stream *s, u64 max)
{
	*s = (struct app_stream){
		.key = sim_random() | 1ull << 40,
		.bytes = size_up_to(max),
		.chunk = one_in(4) ? between(1, 100) : between(100, 60000),
	};
	if (s->bytes > 64 * KB && s->chunk < 500)
		s->chunk = 500;
	if (one_in(10))
		s->oob_every = between(1, 50);
	if (p->kind == PLAN_WINDOWS) {
		s->first_pause_ms = one_in(2) ? between(1, 30000) : 0;
		s->pause_every = one_in(2) ? between(500, 20000) : 0;
		s->read_pause_ms = between(1, 3000);
	}
	p->bytes += s->bytes;
}

static void draw_options(struct plan *p, struct app *a)
{
	static const char *const algorithms[] = { NULL, NULL, "reno", "cubic" };

	a->nodelay = one_in(3);
	a->cork = one_in(10);
	a->quickack = one_in(6);
	a->keepalive = one_in(5);
	a->congestion = algorithms[below(4)];
	a->idle_ms = one_in(6) ? between(1, 20000) : 0;
	if (p->kind == PLAN_WINDOWS) {
		a->rcvbuf = one_in(2) ? between(1, 8000) : 0;
		a->sndbuf = one_in(2) ? between(1, 16000) : 0;
	} else if (one_in(5)) {
		a->rcvbuf = between(4000, 1000000);
		a->sndbuf = between(4000, 1000000);
	}
}

static void draw_ends(struct plan *p, struct conversation *c)
{
	struct app *a;
	u32 who;

	if (p->kind != PLAN_ABRUPT)
		return;
	if (one_in(4)) {
		c->end[0].simultaneous = c->end[1].simultaneous = true;
		return;
	}
	who = below(3);
	if (who == 2)
		return;
	a = &c->end[who];
	if (one_in(2)) {
		a->end = APP_LEAVE;
	} else {
		a->end = APP_ABORT;
		a->abort_at = below(c->up.bytes + c->down.bytes + 1);
	}
	/* the other end would never hear of it when the reset is lost */
	c->end[!who].keepalive = true;
}

static void draw_conversation(struct plan *p, struct conversation *c, u64 max, u32 spread_ms)
{
	u32 i;

	draw_stream(p, &c->up, max);
	draw_stream(p, &c->down, max);
	if (one_in(3))
		c->end[0].rounds = c->end[1].rounds = between(1, 20);
	for (i = 0; i < 2; i++) {
		struct app *a = &c->end[i];

		a->server = i;
		a->out = i ? &c->down : &c->up;
		a->in = i ? &c->up : &c->down;
		draw_options(p, a);
	}
	c->end[0].start_ms = c->end[1].start_ms = below(spread_ms + 1);
	draw_ends(p, c);
}

/* How many conversations of up to how many octets, begun within how many ms. */
static const struct {
	const char *name;
	u32 low, high;
	u64 max;
	u32 spread_ms;
} kinds[PLAN_KINDS] = {
	[PLAN_CLEAN] = { "clean", 1, 12, 4 * MB, 50 },
	[PLAN_LOSSY] = { "lossy", 1, 40, 200 * KB, 1000 },
	[PLAN_MANY] = { "many", 300, 2500, 3 * KB, 3000 },
	[PLAN_NARROW] = { "narrow", 1, 20, 200 * KB, 2000 },
	[PLAN_WINDOWS] = { "windows", 1, 40, 60 * KB, 1000 },
	[PLAN_ROUTED] = { "routed", 1, 20, 300 * KB, 1000 },
	[PLAN_NO_MEMORY] = { "no memory", 1, 40, 200 * KB, 2000 },
	[PLAN_LOCAL] = { "local", 1, 60, 1 * MB, 500 },
	[PLAN_ABRUPT] = { "abrupt", 10, 150, 60 * KB, 5000 },
};

/* Behind all the other draws, so that a seed's plan is the same for each version. */
static void draw_versions(struct plan *p)
{
	u32 i;

	p->ip = below(3);
	if (p->ip == PLAN_IPV4)
		return;
	if (p->far_mtu && p->far_mtu < 1280)
		p->far_mtu = 1280; /* RFC 8200 5 */
	for (i = 0; i < 2; i++) {
		if (p->features[i] & NETIF_F_TSO4 && one_in(2))
			p->features[i] |= NETIF_F_TSO6;
	}
	for (i = 0; i < p->nr; i++)
		p->talk[i].six = p->ip == PLAN_IPV6 || one_in(2);
}

void plan_draw(struct plan *p, u64 seed, bool ipv6)
{
	u32 i;

	memset(p, 0, sizeof(*p));
	world_seed(seed);
	p->seed = seed;
	p->kind = seed % PLAN_KINDS;
	p->name = kinds[p->kind].name;
	p->nr_links = p->kind == PLAN_ROUTED ? 2 : 1;
	p->far_mtu = p->kind == PLAN_ROUTED ? between(576, 1500) : 0;
	draw_faults(p);
	for (i = 0; i < 2; i++) {
		p->features[i] = one_in(2) ? NETIF_F_TX_CSUM | NETIF_F_RX_CSUM : 0;
		if (p->features[i] && one_in(2))
			p->features[i] |= NETIF_F_TSO4;
	}
	if (p->kind == PLAN_NO_MEMORY)
		p->fail_every = between(3, 100); /* 1 to 33 % */
	p->backlog = one_in(3) ? between(1, 10) : 4096;
	p->shared_listener = p->kind == PLAN_MANY ? true : one_in(2);
	p->nr = between(kinds[p->kind].low, kinds[p->kind].high);
	p->talk = calloc(p->nr, sizeof(*p->talk));
	for (i = 0; i < p->nr; i++)
		draw_conversation(p, &p->talk[i], kinds[p->kind].max, kinds[p->kind].spread_ms);
	if (ipv6)
		draw_versions(p);
}

void plan_print(const struct plan *p, char *text, size_t size)
{
	static const char *const versions[] = { "IPv4", "IPv6", "IPv4 and IPv6" };
	const struct sim_link *l = &p->faults;

	snprintf(text, size,
		 "%s, %s: %u connections, %lu kB; delay %lu us, loss %u, reorder %u, duplicate %u, "
		 "corrupt %u per thousand, rate %lu B/s, queue %u, features %x/%x, mtu %u, "
		 "one allocation of %u fails, backlog %d%s",
		 p->name, versions[p->ip], p->nr, p->bytes / 1024, l->delay_ns / 1000, l->loss,
		 l->reorder, l->duplicate, l->corrupt, l->rate, l->queue_bytes, p->features[0],
		 p->features[1], p->far_mtu, p->fail_every, p->backlog,
		 p->shared_listener ? " (shared)" : "");
}
