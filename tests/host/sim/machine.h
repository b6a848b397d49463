/* SPDX-License-Identifier: MIT */
/* machine.h - what the files that stand in for the rest of the kernel share. */
#pragma once

#include "sim.h"

/* Ends the process with a message and the log's tail. */
void sim_fatal(const char *fmt, ...) __printf(1, 2) __noreturn;

void sim_irq_drop(struct sim_irq *irq);
void machine_log_tail(void);
void machine_seed(u64 seed); /* of the kernel's random numbers */
/* Boots beside other machines: first is its first thread. */
void machine_start(int (*first)(void *arg));
void machine_core_init(void);  /* pkt_init() and the like; on the idle thread */
void machine_core_start(void); /* sockets; on the first thread */

/* Counts for sim_mark and sim_check. */
u32 machine_files_count(void);
void machine_files_print(void);
u32 machine_ledger_count(void);
void machine_ledger_print(void);
