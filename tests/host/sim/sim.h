/* SPDX-License-Identifier: MIT */
/* sim.h - a machine in one process: one CPU, a clock turned by hand, devices that are models, and
 * the kernel's own scheduler, timers, pollers, socket layer and module lists on top of it, all
 * unchanged. The test itself is a kernel thread. When every thread sleeps the clock jumps to the
 * next event, so a minute of protocol time costs nothing and each run of a seed is the same. */
#pragma once

#include <weft/list.h>
#include <weft/module.h>
#include <weft/pkt.h>
#include <weft/time.h>
#include <weft/types.h>

/* ---- the machine (machine_arch.c) ---- */
/* Boots once a process; the caller is a thread of process context from then on. */
void sim_boot(void);
void sim_seed(u64 seed);    /* of everything random below */
u32 sim_random(void);	    /* the simulation's own, not the kernel's */
u64 sim_now(void);	    /* does not advance the clock, ktime_get() does by 10 ns */
u64 sim_timer_at(void);	    /* what the hardware timer is set to, 0: off */
u64 sim_timer_writes(void); /* how often it was set */
void sim_run(u64 ns);	    /* sleeps: everything else happens */
#define sim_run_ms(n) sim_run((n)*NSEC_PER_MSEC)
#define sim_run_s(n) sim_run((n)*NSEC_PER_SEC)

/* Something that hardware does at a time: fn runs with interrupts off, on nobody's behalf. */
struct sim_event {
	struct list_head node;
	u64 at;
	void (*fn)(struct sim_event *e);
};
void sim_event_set(struct sim_event *e, u64 at);
void sim_event_cancel(struct sim_event *e);
/* An interrupt line or message; handled at once unless the CPU has them off. */
struct sim_irq {
	struct list_head node; /* when pending */
	bool pending;
	void (*fn)(void *arg);
	void *arg;
};
void sim_irq_raise(struct sim_irq *irq);

/* ---- memory (machine_mem.c) ---- */
struct sim_memory {
	u64 blocks, bytes; /* kmalloc, percpu, DMA, ... alive */
	u64 held;	   /* the same without what rests in pools */
	u64 packets;
	u64 failures; /* on purpose, since boot */
};
void sim_memory_get(struct sim_memory *m);
/* One allocation of n fails, drawn at random; 0: none. */
void sim_fail_every(u32 n);
/* dma_alloc keeps its promise of addresses below 4 GiB, for the red zones. */
extern bool sim_dma_low;
void sim_memory_print(void); /* who allocated what is alive */

/* ---- modules and the log (machine_module.c, machine_core.c) ---- */
/* As insmod: fresh data, init run; args are "name=value ..." or NULL. Negative errno. */
int sim_insmod(const char *name, const char *args);
int sim_rmmod(const char *name, bool force);
bool sim_module_loaded(const char *name);
bool sim_module_there(const char *name); /* is it linked in at all? */
bool sim_log_has(const char *text);
void sim_log_clear(void);
extern bool sim_log_echo; /* print it too; environment SIM_LOG sets it */

/* /proc and /sys: text of a file (static buffer), or NULL when it is not there. */
const char *sim_read(const char *path);
int sim_write(const char *path, const char *text);
void sim_read_all(void); /* every file there is */
extern bool sim_root;	 /* is the caller privileged? starts true */

/* ---- PCI (machine_pci.c) ---- */
struct sim_pci_model {
	u16 vendor, device;
	u8 bus, devfn;
	u32 bar_size;
	bool bar_io;	/* BAR 0 is I/O ports */
	const u8 *caps; /* as they lie in configuration space from 0x40; NULL: none */
	u32 caps_len;
	u32 msix_vectors; /* 0: none */
	u32 (*read)(struct sim_pci_model *m, u32 reg, u32 size);
	void (*write)(struct sim_pci_model *m, u32 reg, u32 size, u32 v);
	/* filled by the bus */
	struct pci_dev *dev;
	u8 *bar;
	struct sim_irq vector[8];
};
void sim_pci_add(struct sim_pci_model *m); /* before the driver is loaded */
void sim_pci_remove(struct sim_pci_model *m);
bool sim_pci_master(const struct sim_pci_model *m);

/* ---- end of a test ---- */
/* Counts before a test; after it everything must be as it was: asserts 0 packets, blocks, ledger
 * records, /proc files and modules more than then. */
void sim_mark(void);
void sim_check(void);
