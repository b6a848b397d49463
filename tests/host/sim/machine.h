/* SPDX-License-Identifier: MIT */
/* machine.h - what the files that stand in for the rest of the kernel share. */
#pragma once

#include "sim.h"

/* Ends the process with a message and the log's tail. */
void sim_fatal(const char *fmt, ...) __printf(1, 2) __noreturn;

void sim_irq_drop(struct sim_irq *irq);
void machine_core_init(void); /* pkt_init() and the like; on the idle thread */

/* Counts for sim_mark and sim_check. */
u32 machine_files_count(void);
void machine_files_print(void);
u32 machine_ledger_count(void);
void machine_ledger_print(void);
