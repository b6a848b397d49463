/* SPDX-License-Identifier: MIT */
/* ledger.c - who registered what. A record is the caller's memory on its owner's list; the sweep
 * takes the newest first, as an exit function would have. */
#define LOG_NAME "module: "
#include <weft/printk.h>
#include <weft/string.h>

#include "internal.h"

static struct spinlock ledger_lock = SPINLOCK_INIT;
static LIST_HEAD(ledger_core);

static struct list_head *ledger_of(struct module *owner)
{
	return owner && owner->state ? &owner->state->ledger : &ledger_core;
}

void ledger_add(struct ledger_entry *e, struct module *owner, const char *kind, const char *name,
		void (*undo)(struct ledger_entry *e))
{
	e->owner = owner;
	e->kind = kind;
	e->undo = undo;
	strscpy(e->name, name, sizeof(e->name));
	spin_lock(&ledger_lock);
	list_add_tail(&e->node, ledger_of(owner));
	spin_unlock(&ledger_lock);
}
EXPORT(ledger_add);

void ledger_remove(struct ledger_entry *e)
{
	spin_lock(&ledger_lock);
	/* never added (still zeroed), or removed already: nothing to do */
	if (e->node.next && !list_empty(&e->node))
		list_del(&e->node);
	spin_unlock(&ledger_lock);
}
EXPORT(ledger_remove);

u32 ledger_count(struct module *owner)
{
	struct ledger_entry *e;
	u32 n = 0;

	spin_lock(&ledger_lock);
	list_for_each_entry(e, ledger_of(owner), node)
		n++;
	spin_unlock(&ledger_lock);
	return n;
}
EXPORT(ledger_count);

static struct ledger_entry *ledger_newest(struct list_head *list)
{
	struct ledger_entry *e = NULL;

	spin_lock(&ledger_lock);
	if (!list_empty(list))
		e = list_last_entry(list, struct ledger_entry, node);
	spin_unlock(&ledger_lock);
	return e;
}

u32 ledger_sweep(struct module *owner)
{
	struct ledger_entry *e;
	u32 n = 0;

	if (!owner || !owner->state)
		return 0;
	while ((e = ledger_newest(&owner->state->ledger))) {
		pr_warn("%s forgot its %s \"%s\": undone\n", owner->name, e->kind, e->name);
		e->undo(e);
		n++;
		/* An undo that left its record would keep us here for ever. e may be freed: it is
		 * only compared with what the list still holds. */
		if (ledger_newest(&owner->state->ledger) == e)
			ledger_remove(e);
	}
	return n;
}

static int ledger_show(struct seq *s)
{
	struct module_state *st;
	struct ledger_entry *e;

	seq_puts(s, "owner kind name\n");
	mutex_lock(&module_mutex);
	spin_lock(&ledger_lock);
	list_for_each_entry(e, &ledger_core, node)
		seq_printf(s, "kernel %s %s\n", e->kind, e->name);
	list_for_each_entry(st, &modules, node) {
		list_for_each_entry(e, &st->ledger, node)
			seq_printf(s, "%s %s %s\n", st->name, e->kind, e->name);
	}
	spin_unlock(&ledger_lock);
	mutex_unlock(&module_mutex);
	return 0;
}

static struct procfile ledger_file = {
	.path = "net/weft/ledger",
	.mode = 0444,
	.show = ledger_show,
};

void ledger_init(void)
{
	procfile_add(&ledger_file);
}
