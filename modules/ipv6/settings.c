/* SPDX-License-Identifier: MIT */
/* settings.c - the files under net/ipv6/conf/{all,default,IF}, with Linux's names and meanings:
 * "all" sets every interface for those few of which Linux says so, "default" is what new interfaces
 * start with. A write that changes what is configured returns when that is done. */
#define LOG_NAME "ipv6: "
#include "ipv6.h"

#include <weft/printk.h>
#include <weft/seqfile.h>
#include <weft/wait.h>

#define PATH_MAX_LEN 80
#define WAIT_NS (5 * NSEC_PER_SEC)
#define FOREVER_MAX 0x7fffffff

/* What a change does beyond being read from then on. */
#define APPLY BIT(0)   /* configuration follows */
#define FOR_ALL BIT(1) /* "all" means every interface */

static const struct {
	const char *name;
	u16 offset;
	u8 flags;
	int min, max;
} table[] = {
#define CONF(field, fl, lo, hi)                                             \
	{                                                                   \
#field, offsetof(struct ipv6_conf, field), (fl), (lo), (hi) \
	}
	CONF(forwarding, APPLY | FOR_ALL, 0, 1),
	CONF(hop_limit, 0, 1, 255),
	CONF(mtu, APPLY, IPV6_MIN_MTU, 65535),
	CONF(disable_ipv6, APPLY | FOR_ALL, 0, 1),
	CONF(accept_ra, 0, 0, 2),
	CONF(accept_ra_defrtr, 0, 0, 1),
	CONF(ra_defrtr_metric, 0, 1, FOREVER_MAX),
	CONF(accept_ra_pinfo, 0, 0, 1),
	CONF(accept_ra_rtr_pref, 0, 0, 1),
	CONF(router_probe_interval, 0, 1, FOREVER_MAX),
	CONF(accept_ra_mtu, 0, 0, 1),
	CONF(accept_ra_min_hop_limit, 0, 0, 255),
	CONF(accept_ra_min_lft, 0, 0, FOREVER_MAX),
	CONF(accept_ra_from_local, 0, 0, 1),
	CONF(accept_ra_rt_info_min_plen, 0, 0, 128),
	CONF(accept_ra_rt_info_max_plen, 0, 0, 128),
	CONF(accept_redirects, 0, 0, 1),
	CONF(accept_untracked_na, 0, 0, 2),
	CONF(drop_unicast_in_l2_multicast, 0, 0, 1),
	CONF(drop_unsolicited_na, 0, 0, 1),
	CONF(ndisc_notify, 0, 0, 1),
	CONF(proxy_ndp, 0, 0, 1),
	CONF(suppress_frag_ndisc, 0, 0, 1),
	CONF(autoconf, 0, 0, 1),
	CONF(addr_gen_mode, APPLY | FOR_ALL, 0, 3),
	CONF(max_addresses, 0, 0, FOREVER_MAX),
	CONF(keep_addr_on_down, 0, -1, 1),
	CONF(accept_dad, 0, -1, 2),
	CONF(dad_transmits, 0, 0, 255),
	CONF(enhanced_dad, 0, 0, 1),
	CONF(optimistic_dad, 0, 0, 1),
	CONF(use_optimistic, 0, 0, 1),
	CONF(use_tempaddr, 0, -1, 2),
	CONF(temp_valid_lft, 0, 0, FOREVER_MAX),
	CONF(temp_prefered_lft, 0, 0, FOREVER_MAX),
	CONF(regen_max_retry, 0, 0, 255),
	CONF(regen_min_advance, 0, 0, FOREVER_MAX),
	CONF(max_desync_factor, 0, 0, 600),
	CONF(router_solicitations, 0, -1, FOREVER_MAX),
	CONF(router_solicitation_interval, 0, 1, 3600),
	CONF(router_solicitation_max_interval, 0, 1, FOREVER_MAX),
	CONF(router_solicitation_delay, 0, 0, 3600),
	CONF(force_mld_version, 0, 0, 2),
	CONF(mldv1_unsolicited_report_interval, 0, 1, FOREVER_MAX),
	CONF(mldv2_unsolicited_report_interval, 0, 1, FOREVER_MAX),
#undef CONF
};

struct setting {
	struct sysctl sysctl;
	const struct set *set;
	u32 n; /* in the table */
};

struct set {
	struct ipv6_conf *conf;
	struct ipv6_if *i; /* NULL: all, default */
	struct ip_addr *secret;
	struct procfile secret_file;
	char secret_path[PATH_MAX_LEN];
	struct setting setting[ARRAY_SIZE(table)];
};

static struct set *all_set, *default_set;
static struct ip_addr all_secret;
struct ip_addr ipv6_default_secret;
static struct wait_queue waiting = WAIT_QUEUE_INIT(waiting);

static int *value_of(struct ipv6_conf *c, u32 n)
{
	return (int *)((char *)c + table[n].offset);
}

void settings_woken(void)
{
	wake_up_all(&waiting);
}

/* Who sets something finds it done. Not so while the file itself is being removed, which waits for
 * its writers with the lock held that the work needs. */
static void apply_and_wait(const struct set *set)
{
	u32 ticket;

	ipv6_conf_changed();
	ticket = ipv6_conf_ticket();
	wait_event_timeout(&waiting,
			   ipv6_conf_applied(ticket) || (set->i && READ_ONCE(set->i->going)),
			   ktime_get() + WAIT_NS);
}

/* "all" is every interface there is and will be. */
static void spread(u32 n, int v)
{
	struct ipv6_if *i;

	WRITE_ONCE(*value_of(&ipv6_conf_default, n), v);
	rcu_read_lock();
	ipv6_if_for_each(i) WRITE_ONCE(*value_of(&i->conf, n), v);
	rcu_read_unlock();
}

static void changed(struct sysctl *s)
{
	const struct setting *t = container_of(s, struct setting, sysctl);

	if (t->set == all_set && (table[t->n].flags & FOR_ALL))
		spread(t->n, READ_ONCE(*s->value));
	if (table[t->n].flags & APPLY)
		apply_and_wait(t->set);
}

/* ---- stable_secret (RFC 7217 5): an address as text; unreadable until it has been set ---- */

static int secret_show(struct seq *s)
{
	const struct set *set = s->arg;
	const u8 *b = set->secret->b;

	if (ip_addr_is_any(set->secret))
		return -EIO;
	for (u32 k = 0; k < 16; k += 2)
		seq_printf(s, "%s%04x", k ? ":" : "", get_be16(b + k));
	seq_puts(s, "\n");
	return 0;
}

static int secret_write(void *arg, const char *text, size_t len)
{
	const struct set *set = arg;
	struct ip_addr secret;

	if (strlen(text) != len || ip_addr_parse(text, &secret) || ip_addr_is_v4(&secret))
		return -EINVAL;
	*set->secret = secret;
	/* as on Linux, a secret is there to be used */
	WRITE_ONCE(set->conf->addr_gen_mode, 2);
	apply_and_wait(set);
	return 0;
}

/* ---- directories ---- */

static void set_free(struct set *set)
{
	if (!set)
		return;
	for (u32 n = ARRAY_SIZE(table); n--;)
		sysctl_remove(&set->setting[n].sysctl);
	procfile_remove(&set->secret_file);
	kfree(set);
}

static struct set *set_new(const char *name, struct ipv6_conf *conf, struct ipv6_if *i,
			   struct ip_addr *secret)
{
	struct set *set = kzalloc(sizeof(*set));
	char path[PATH_MAX_LEN];

	if (!set)
		return NULL;
	set->conf = conf;
	set->i = i;
	set->secret = secret;
	snprintf(set->secret_path, PATH_MAX_LEN, "sys/net/ipv6/conf/%s/stable_secret", name);
	set->secret_file = (struct procfile){
		.path = set->secret_path,
		.mode = 0600,
		.show = secret_show,
		.write = secret_write,
		.arg = set,
	};
	if (procfile_add(&set->secret_file))
		goto undo;
	for (u32 n = 0; n < ARRAY_SIZE(table); n++) {
		struct setting *t = &set->setting[n];

		t->set = set;
		t->n = n;
		snprintf(path, sizeof(path), "net/ipv6/conf/%s/%s", name, table[n].name);
		t->sysctl = (struct sysctl){
			.path = path,
			.value = value_of(conf, n),
			.min = table[n].min,
			.max = table[n].max,
			.changed = changed,
		};
		if (sysctl_add(&t->sysctl))
			goto undo;
		t->sysctl.path = t->sysctl.full;
	}
	return set;

undo:
	set_free(set);
	return NULL;
}

void settings_add(struct ipv6_if *i)
{
	i->sysctls = set_new(i->nif->name, &i->conf, i, &i->secret);
	if (resolver_files_add(i) || !i->sysctls)
		pr_warn("%s: its settings have no files\n", i->nif->name);
}

void settings_remove(struct ipv6_if *i)
{
	resolver_files_remove(i);
	set_free(i->sysctls);
	i->sysctls = NULL;
}

int settings_init(void)
{
	all_set = set_new("all", &ipv6_conf_all, NULL, &all_secret);
	default_set = set_new("default", &ipv6_conf_default, NULL, &ipv6_default_secret);
	if (all_set && default_set)
		return 0;
	settings_exit();
	return -ENOMEM;
}

void settings_exit(void)
{
	set_free(all_set);
	set_free(default_set);
	all_set = default_set = NULL;
}
