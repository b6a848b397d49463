/* SPDX-License-Identifier: MIT */
/* mib.c - who has lines in /proc/net/snmp, netstat and sockstat, in the order Linux prints them.
 * Lines of protocols that are not loaded are not there. */
#include "ip.h"

#include <weft/net/mib.h>
#include <weft/socket.h>

static DEFINE_MUTEX(mib_lock);
static struct list_head mibs[IP_MIB_FILES]; /* by rank; guarded by mib_lock */

static void undo_mib(struct ledger_entry *e)
{
	ip_mib_unregister(container_of(e, struct ip_mib, ledger));
}

/* In front of the first of a higher rank. -EEXIST. */
static int insert(struct ip_mib *m)
{
	struct list_head *list = &mibs[m->file], *at = list;
	struct ip_mib *other;

	list_for_each_entry(other, list, node) {
		if (!strcmp(other->name, m->name))
			return -EEXIST;
		if (at == list && other->rank > m->rank)
			at = &other->node;
	}
	list_add_tail(&m->node, at);
	return 0;
}

int ip_mib_register_owner(struct ip_mib *m, struct module *owner)
{
	int err;

	m->stride = ALIGN_UP(m->nr_fields * sizeof(u64), 64) / sizeof(u64);
	if (m->nr_fields) {
		m->counters = kcalloc(percpu_cpus(), m->stride * sizeof(u64));
		if (!m->counters)
			return -ENOMEM;
	}
	m->owner = owner;
	mutex_lock(&mib_lock);
	err = insert(m);
	mutex_unlock(&mib_lock);
	if (err) {
		kfree(m->counters);
		m->counters = NULL;
		return err;
	}
	ledger_add(&m->ledger, owner, "counters", m->name, undo_mib);
	return 0;
}
EXPORT(ip_mib_register_owner);

void ip_mib_unregister(struct ip_mib *m)
{
	if (!m->node.next)
		return;
	mutex_lock(&mib_lock);
	list_del(&m->node);
	mutex_unlock(&mib_lock);
	ledger_remove(&m->ledger);
	kfree(m->counters);
	m->counters = NULL;
	m->node.next = NULL;
}
EXPORT(ip_mib_unregister);

u64 ip_mib_sum(const struct ip_mib *m, u32 field)
{
	u64 sum = 0;

	for (u32 cpu = 0; cpu < percpu_cpus(); cpu++)
		sum += READ_ONCE(m->counters[cpu * m->stride + field]);
	return sum;
}
EXPORT(ip_mib_sum);

/* A counter a line, its mib's name in front of its own, as /proc/net/snmp6 has them. */
static void show_lines(struct seq *s, const struct ip_mib *m, const s64 *value)
{
	char name[40];

	for (u32 i = 0; i < m->nr_fields; i++) {
		snprintf(name, sizeof(name), "%s%s", m->name, m->fields[i]);
		seq_printf(s, "%-32s\t%ld\n", name, value[i]);
	}
}

static void show_fields(struct seq *s, const struct ip_mib *m)
{
	s64 *value = kmalloc(m->nr_fields * sizeof(*value));

	if (!value) {
		s->failed = true;
		return;
	}
	for (u32 i = 0; i < m->nr_fields; i++)
		value[i] = ip_mib_sum(m, i);
	if (m->fill)
		m->fill(value);
	if (m->file == IP_MIB_SNMP6) {
		show_lines(s, m, value);
		kfree(value);
		return;
	}
	seq_printf(s, "%s:", m->name);
	for (u32 i = 0; i < m->nr_fields; i++)
		seq_printf(s, " %s", m->fields[i]);
	seq_printf(s, "\n%s:", m->name);
	for (u32 i = 0; i < m->nr_fields; i++)
		seq_printf(s, " %ld", value[i]);
	seq_puts(s, "\n");
	kfree(value);
}

static int mib_show(struct seq *s)
{
	u32 file = (u32)(unsigned long)s->arg;
	const struct ip_mib *m;

	mutex_lock(&mib_lock);
	list_for_each_entry(m, &mibs[file], node) {
		if (m->show)
			m->show(s);
		else
			show_fields(s, m);
	}
	mutex_unlock(&mib_lock);
	return 0;
}

static struct procfile files[IP_MIB_FILES] = {
	{ .path = "net/snmp", .mode = 0444, .show = mib_show, .arg = (void *)IP_MIB_SNMP },
	{ .path = "net/netstat", .mode = 0444, .show = mib_show, .arg = (void *)IP_MIB_NETSTAT },
	{ .path = "net/sockstat", .mode = 0444, .show = mib_show, .arg = (void *)IP_MIB_SOCKSTAT },
	{ .path = "net/snmp6", .mode = 0444, .show = mib_show, .arg = (void *)IP_MIB_SNMP6 },
	{ .path = "net/sockstat6",
	  .mode = 0444,
	  .show = mib_show,
	  .arg = (void *)IP_MIB_SOCKSTAT6 },
};

static void show_sockets(struct seq *s)
{
	seq_printf(s, "sockets: used %u\n", socket_count());
}

static struct ip_mib sockets = {
	.name = "sockets",
	.file = IP_MIB_SOCKSTAT,
	.show = show_sockets,
};

int mib_init(void)
{
	int err;

	for (u32 i = 0; i < IP_MIB_FILES; i++)
		list_init(&mibs[i]);
	err = ip_mib_register(&sockets);
	for (u32 i = 0; i < IP_MIB_FILES && !err; i++)
		err = procfile_add(&files[i]);
	if (err)
		mib_exit();
	return err;
}

/* Also of those that init did not come to: that does nothing. */
void mib_exit(void)
{
	for (u32 i = 0; i < IP_MIB_FILES; i++)
		procfile_remove(&files[i]);
	ip_mib_unregister(&sockets);
}
