/* SPDX-License-Identifier: MIT */
/* rdnss.c - name servers and search domains that routers advertise (RFC 8106), for user space to
 * read from /proc/net/weft/rdnss: a bounded list an interface, each entry gone when its lifetime
 * is. Only names that cannot be taken for anything else get in. */
#include "ipv6.h"

#include <weft/seqfile.h>

#define SERVERS_MAX 16 /* an interface; RFC 8106 5.3.1 wants three or more */
#define NAME_MAX_LEN 253

/* In ipv6_if.servers, guarded by netif_lock. */
struct server {
	struct list_head node;
	struct ip_addr addr, from;
	u64 until;		       /* ktime, 0: for ever */
	char domain[NAME_MAX_LEN + 1]; /* "": a server */
};

static void forget(struct ipv6_if *i, struct server *s)
{
	list_del(&s->node);
	i->nr_servers--;
	kfree(s);
}

static struct server *find(struct ipv6_if *i, const struct server *want)
{
	struct server *s;

	list_for_each_entry(s, &i->servers, node) {
		if (ip_addr_eq(&s->addr, &want->addr) && !strcmp(s->domain, want->domain))
			return s;
	}
	return NULL;
}

/* Where there is no room the one that ends soonest makes some, unless that is the new one. */
static bool make_room(struct ipv6_if *i, u64 until)
{
	struct server *s, *first = NULL;

	if (i->nr_servers < SERVERS_MAX)
		return true;
	list_for_each_entry(s, &i->servers, node) {
		if (s->until && (!first || s->until < first->until))
			first = s;
	}
	ip_drop_count(DROP_ND_LIMIT);
	if (!first || (until && until <= first->until))
		return false;
	forget(i, first);
	return true;
}

static void advertised(struct ipv6_if *i, const struct server *want, u32 lifetime)
{
	struct server *s = find(i, want);
	u64 until = ipv6_lifetime(lifetime, ktime_get());

	if (!lifetime) {
		if (s)
			forget(i, s);
		return;
	}
	if (!s) {
		if (!make_room(i, until))
			return;
		s = kmalloc(sizeof(*s));
		if (!s)
			return;
		*s = *want;
		list_add_tail(&s->node, &i->servers);
		i->nr_servers++;
	}
	s->until = until;
	ipv6_tick_at(until);
}

/* One name of at most `avail` bytes in DNS's wire form, without compression (RFC 8106 5.2). The
 * bytes it took; 0: no more names, or one that is no host name. */
static u32 get_name(const u8 *at, u32 avail, char *out)
{
	u32 n = 0, pos = 0;

	while (pos < avail && at[pos]) {
		u32 len = at[pos++];

		if (len > 63 || pos + len >= avail || n + len + 1 > NAME_MAX_LEN)
			return 0;
		if (n)
			out[n++] = '.';
		for (u32 k = 0; k < len; k++) {
			char c = at[pos + k];

			if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
			      (c >= '0' && c <= '9') || c == '-' || c == '_'))
				return 0;
			out[n++] = c;
		}
		pos += len;
	}
	out[n] = '\0';
	return n && pos < avail ? pos + 1 : 0;
}

void rdnss_option(struct ipv6_if *i, const struct ip_addr *from, const u8 *opt)
{
	u32 len = opt[1] * 8, lifetime, at = 8, used;
	struct server want = { .from = *from };

	if (len < 16)
		return;
	lifetime = get_be32(opt + 4);
	if (opt[0] == ND_OPT_RDNSS) {
		for (; at + 16 <= len; at += 16) {
			memcpy(want.addr.b, opt + at, 16);
			if (!ip_addr_is_any(&want.addr) && !ip_addr_is_multicast(&want.addr) &&
			    !ip_addr_is_v4(&want.addr))
				advertised(i, &want, lifetime);
		}
		return;
	}
	while (at < len && (used = get_name(opt + at, len - at, want.domain)) != 0) {
		advertised(i, &want, lifetime);
		at += used;
	}
}

u64 rdnss_tick(struct ipv6_if *i, u64 now)
{
	struct server *s, *next;
	u64 due = 0;

	list_for_each_entry_safe(s, next, &i->servers, node) {
		if (s->until && s->until <= now)
			forget(i, s);
		else
			due = ipv6_sooner(due, s->until);
	}
	return due;
}

void rdnss_flush(struct ipv6_if *i)
{
	while (!list_empty(&i->servers))
		forget(i, list_first_entry(&i->servers, struct server, node));
}

/* As resolv.conf wants it, with the interface and the seconds that are left behind it. */
static void show_server(struct seq *f, const struct ipv6_if *i, const struct server *s, u64 now)
{
	char text[IP_ADDR_STRLEN];

	if (s->domain[0])
		seq_printf(f, "search %s", s->domain);
	else
		seq_printf(f, "nameserver %s%s%s", ip_addr_format(text, &s->addr),
			   ip_addr_is_link_local(&s->addr) ? "%" : "",
			   ip_addr_is_link_local(&s->addr) ? i->nif->name : "");
	seq_printf(f, " %s %u\n", i->nif->name, ipv6_seconds_left(s->until, now));
}

static int show(struct seq *f)
{
	const struct ipv6_if *i;
	const struct server *s;

	netif_lock();
	ipv6_if_for_each(i)
	{
		list_for_each_entry(s, &i->servers, node)
			show_server(f, i, s, ktime_get());
	}
	netif_unlock();
	return 0;
}

static struct procfile file = { .path = "net/weft/rdnss", .mode = 0444, .show = show };

int rdnss_init(void)
{
	return procfile_add(&file);
}

void rdnss_exit(void)
{
	procfile_remove(&file);
}
