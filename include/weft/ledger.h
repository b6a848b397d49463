/* SPDX-License-Identifier: MIT */
/* ledger.h - who registered what. Every service of the core that keeps something for a module makes
 * it a record with its owner; when the module leaves, the loader undoes what its exit forgot,
 * newest first, and says so in dmesg. */
#pragma once

#include <weft/list.h>
#include <weft/types.h>

struct module;

struct ledger_entry {
	struct list_head node; /* guarded by the ledger's lock */
	struct module *owner;  /* NULL: the core */
	const char *kind;      /* literal: "timer", "irq", "interface", "/proc file" ... */
	char name[32];	       /* for people */
	/* Undoes the registration as the module's own call would have; process context. It must end
	 * with ledger_remove on this entry. */
	void (*undo)(struct ledger_entry *e);
};

/* How many records owner has. */
u32 ledger_count(struct module *owner);
/* Registers e for owner (no allocation, cannot fail; owner NULL is recorded too). Process context
 * or poll context. */
void ledger_add(struct ledger_entry *e, struct module *owner, const char *kind, const char *name,
		void (*undo)(struct ledger_entry *e));
void ledger_remove(struct ledger_entry *e);
/* Undoes all that owner still has; returns how many. The loader's. */
u32 ledger_sweep(struct module *owner);
/* The module whose code lies at addr, NULL for the core: how a service finds its caller. */
struct module *module_of(const void *addr);
#define CALLER_MODULE module_of(__builtin_return_address(0))
