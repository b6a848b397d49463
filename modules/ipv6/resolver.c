/* SPDX-License-Identifier: MIT */
/* resolver.c - the neighbour cache asks for IPv6 addresses by neighbour solicitations (RFC 4861
 * 7.2.2), at the pace that the link's router advertised, and routers' comings and goings are passed
 * on to whoever chooses among them. */
#include "ipv6.h"

#include <weft/seqfile.h>

/* May be said to be ours, with our link address beside it (RFC 4429 3.2). */
static bool may_ask_from(const struct ifaddr *a)
{
	return a->af == AF_INET6 &&
	       !(a->flags & (IFADDR_TENTATIVE | IFADDR_OPTIMISTIC | IFADDR_DADFAILED));
}

/* RFC 4861 7.2.2: the asker's, so that the answerer learns what it needs to reply to it; else the
 * link-local one, else any. NULL: there is none yet. Under RCU. */
static const struct ifaddr *source_for(struct netif *nif, const struct ip_addr *hint)
{
	const struct ifaddr *a = NULL;

	if (hint && !ip_addr_is_any(hint))
		a = ifaddr_find(nif, hint);
	if (!a || !may_ask_from(a))
		a = ipv6_link_local(nif);
	if (a && may_ask_from(a))
		return a;
	ifaddr_for_each(a, nif) {
		if (may_ask_from(a))
			return a;
	}
	return NULL;
}

static void solicit(struct netif *nif, const struct ip_addr *target, const u8 *hw,
		    const struct ip_addr *hint)
{
	struct ip_addr group = ipv6_solicited_node(target);
	struct nd_message m = {
		.type = ND_NS,
		.dst = hw ? target : &group,
		.target = target,
		.hw = hw,
	};
	const struct ifaddr *a;
	u8 ll[ND_LL_MAX];

	rcu_read_lock();
	a = source_for(nif, hint);
	if (a) {
		m.src = &a->addr;
		m.options = ll;
		m.options_len = nd_put_ll(nif, ll, ND_OPT_SOURCE_LL);
		nd_send_message(nif, &m);
	}
	rcu_read_unlock();
}

static void router_event(struct netif *nif, const struct ip_addr *addr, u8 state, bool router)
{
	router_reachable(nif, addr, state, router);
}

/* RFC 4861 6.3.2: what a router advertised, until one says something else. */
static void times(const struct netif *nif, u32 *reachable_ms, u32 *retrans_ms)
{
	const struct ipv6_if *i = ipv6_if(nif);

	if (!i)
		return;
	if (READ_ONCE(i->ra_reachable_ms))
		*reachable_ms = READ_ONCE(i->ra_reachable_ms);
	if (READ_ONCE(i->ra_retrans_ms))
		*retrans_ms = READ_ONCE(i->ra_retrans_ms);
}

static struct neigh_resolver resolver = {
	.af = AF_INET6,
	.name = "nd",
	.sysctl_dir = "net/ipv6/neigh/default",
	.solicit = solicit,
	.router_event = router_event,
	.times = times,
	.proxied = proxy_group,
};

u32 nd_retrans_ms(const struct netif *nif)
{
	u32 reachable_ms, retrans_ms = READ_ONCE(resolver.params.retrans_ms);

	rcu_read_lock();
	times(nif, &reachable_ms, &retrans_ms);
	rcu_read_unlock();
	return retrans_ms;
}

/* ---- net/ipv6/neigh/IF: what a router that this host is says there, and itself goes by ---- */

#define PATH_MAX_LEN 80

static const struct {
	const char *name;
	u32 offset; /* in struct ipv6_if */
	int min, max;
} time_names[] = {
	{ "base_reachable_time_ms", offsetof(struct ipv6_if, ra_reachable_ms), 1000, 3600000 },
	{ "retrans_time_ms", offsetof(struct ipv6_if, ra_retrans_ms), 10, 60000 },
};

struct time_file {
	struct procfile file;
	struct ipv6_if *i;
	u32 n;
	char path[PATH_MAX_LEN];
};

static int time_show(struct seq *s)
{
	const struct time_file *t = s->arg;
	u32 ms[] = { READ_ONCE(resolver.params.base_reachable_ms),
		     READ_ONCE(resolver.params.retrans_ms) };
	u32 here = READ_ONCE(*(int *)((char *)t->i + time_names[t->n].offset));

	seq_printf(s, "%u\n", here ? here : ms[t->n]);
	return 0;
}

static int time_write(void *arg, const char *text, size_t len)
{
	const struct time_file *t = arg;
	int v;

	if (strlen(text) != len || kstrtoint(text, 10, &v) || v < time_names[t->n].min ||
	    v > time_names[t->n].max)
		return -EINVAL;
	WRITE_ONCE(*(int *)((char *)t->i + time_names[t->n].offset), v);
	return 0;
}

void resolver_files_remove(struct ipv6_if *i)
{
	struct time_file *t = i->time_files;

	if (!t)
		return;
	for (u32 n = 0; n < ARRAY_SIZE(time_names); n++)
		procfile_remove(&t[n].file);
	kfree(t);
	i->time_files = NULL;
}

int resolver_files_add(struct ipv6_if *i)
{
	struct time_file *t = kzalloc(ARRAY_SIZE(time_names) * sizeof(*t));
	int err = t ? 0 : -ENOMEM;

	i->time_files = t;
	for (u32 n = 0; n < ARRAY_SIZE(time_names) && !err; n++) {
		t[n].i = i;
		t[n].n = n;
		snprintf(t[n].path, PATH_MAX_LEN, "sys/net/ipv6/neigh/%s/%s", i->nif->name,
			 time_names[n].name);
		t[n].file = (struct procfile){
			.path = t[n].path,
			.mode = 0644,
			.show = time_show,
			.write = time_write,
			.arg = &t[n],
		};
		err = procfile_add(&t[n].file);
	}
	if (err)
		resolver_files_remove(i);
	return err;
}

/* ---- life ---- */

int resolver_init(void)
{
	return neigh_resolver_register(&resolver);
}

void resolver_exit(void)
{
	neigh_resolver_unregister(&resolver);
}
