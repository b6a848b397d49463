/* SPDX-License-Identifier: MIT */
/* core/module.h - the loader's and the symbol table's inner side, for oopses and start-up. */
#pragma once

#include <weft/module.h>

/* What THIS_MODULE points to. That of a loadable module lies at the head of its data. */
struct module {
	const char *name;
	struct module_state *state; /* the loader's; NULL for a built-in one before modules_init */
};

/* Made by the build, one for each module linked into the kernel. */
#define BUILTIN_MODULE(n, depends)             \
	extern struct module weft_builtin_##n; \
	struct module weft_builtin_##n = { .name = #n }

/* module_hold for who has found what m registered: m may still be at its init, which is waited for
 * (not by what its init calls itself). False: it leaves, or came to nothing. Process context; a
 * door of m's may be held. */
bool module_hold_started(struct module *m, struct module_ref *ref, const char *kind);

void modules_init(void); /* /proc/modules, /sys/module, built-in modules' init */
/* "name+0x12/0x40 [module]" for an address; "" when unknown. Any context. */
void symbol_name(u64 addr, char *buf, size_t size);
/* The same for a return address, whose call may be the last instruction of its function. */
void symbol_name_of_call(u64 ret, char *buf, size_t size);
/* The call frame information of the module in whose code addr lies; empty when the file had none.
 * False: no module. Any context, inside rcu_read_lock, which keeps the table. */
bool module_unwind_table(u64 addr, const u8 **start, const u8 **end);
/* Marks the module whose code oopsed as broken (it stays, cannot be unloaded): shown by lsmod as
 * such. */
void module_note_oops(u64 addr);

/* Bits of /proc/sys/kernel/tainted, Linux's numbers. Any context. */
#define TAINT_FORCED_RMMOD BIT(3)
#define TAINT_DIE BIT(7)
#define TAINT_OUT_OF_TREE BIT(12)
void taint_add(u32 bits);

void pci_init(void); /* enumerates; /sys/bus/pci */
void socket_init(void);
void pkt_init(void);
void interrupts_show_init(void);
