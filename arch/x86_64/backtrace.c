/* SPDX-License-Identifier: MIT */
/* backtrace.c - the chain of frame pointers of a kernel stack. Each word is looked up in the page
 * tables before it is read, so a broken chain ends the list instead of faulting again. */

#include <core/module.h>
#include <weft/printk.h>

#include "machine.h"

#define MAX_DEPTH 32
#define MAX_STACK 65536 /* a chain does not jump farther than any stack is large */

static bool readable(u64 va)
{
	return va >= DIRECT_MAP_BASE && arch_lookup(kernel_pgd, va, NULL) &&
	       arch_lookup(kernel_pgd, va + 8, NULL);
}

static void print_address(u64 rip)
{
	char name[128];

	symbol_name(rip, name, sizeof(name));
	printk(KERN_ERR " [%016lx] %s\n", rip, name);
}

void backtrace_print(u64 rip, u64 rbp)
{
	print_address(rip);
	for (int depth = 0; depth < MAX_DEPTH && !(rbp & 7) && readable(rbp); depth++) {
		u64 next = ((u64 *)rbp)[0], ret = ((u64 *)rbp)[1];

		if (!ret)
			break;
		print_address(ret);
		if (next <= rbp || next - rbp > MAX_STACK)
			break;
		rbp = next;
	}
}

void backtrace_here(void)
{
	backtrace_print((u64)__builtin_return_address(0), *(u64 *)__builtin_frame_address(0));
}
