/* SPDX-License-Identifier: MIT */
/* fake_module_env.h - the core around the module loader and the packet pools, for host tests:
 * memory that is counted, a log that can be searched, files that are only counted, threads that run
 * at once. */
#pragma once

#include <weft/types.h>

/* Everything printed since env_log_clear(). */
const char *env_log(void);
void env_log_clear(void);
/* Blocks of any kind of kernel memory that are not freed. */
int env_blocks(void);
/* What others do while somebody sleeps, who is woken then; unset: time passes. */
extern void (*env_meanwhile)(void);
/* The n-th allocation from now fails, and all after it until it is set again; 0: none. */
extern int env_fail_at;
/* What memory that runs short calls (shrinker_add); NULL: nothing. */
extern void (*env_shrink)(void);
/* Content of /lib/modules/.../modules.symbols; NULL: no such file. */
extern const char *env_modules_symbols;
/* Called by env_event(n), which test modules find among the kernel's exports. */
extern void (*env_on_event)(int n);
void env_event(int n);
/* Kernel exports of the test. */
void env_export(const char *name, const void *addr);
