/* SPDX-License-Identifier: MIT */
/* backtrace.c - prints who called whom on a kernel stack, by the call frame information of the
 * kernel and its modules. Each word of the stack is looked up in the page tables before it is
 * read, so a broken one ends the list instead of faulting again. Where the tables do not lead on,
 * the list says so, and what on the stack looks like a return address follows with a `?`. */

#include <core/module.h>
#include <weft/printk.h>
#include <weft/rcu.h>

#include "machine.h"
#include "unwind.h"

#define MAX_DEPTH 32
#define SCAN_WORDS 256
#define SCAN_LINES 12

bool unwind_read(u64 va, u64 *word)
{
	if (va < DIRECT_MAP_BASE || va & 7 || !arch_lookup(kernel_pgd, va, NULL))
		return false;
	*word = *(const u64 *)va;
	return true;
}

/* Of the code that addr lies in; false: that is no code. The table is valid under RCU. */
static bool find_table(u64 addr, struct unwind_table *table)
{
	if (addr < (u64)kernel_text_start || addr >= (u64)kernel_text_end)
		return module_unwind_table(addr, &table->start, &table->end);
	table->start = kernel_eh_frame_start;
	table->end = kernel_eh_frame_end;
	return true;
}

static bool is_code(u64 addr)
{
	struct unwind_table table;
	bool found;

	rcu_read_lock();
	found = find_table(addr, &table);
	rcu_read_unlock();
	return found;
}

static void print_address(u64 rip, bool exact, const char *mark)
{
	char name[128];

	if (exact)
		symbol_name(rip, name, sizeof(name));
	else
		symbol_name_of_call(rip, name, sizeof(name));
	printk(KERN_ERR " [%016lx] %s%s\n", rip, mark, name);
}

/* A call to where no code is has pushed the return address, and nothing else has happened. */
static enum unwind_result leave_wild_call(struct unwind_state *s)
{
	u64 ret;

	if (!s->exact || !unwind_read(s->reg[UNWIND_RSP], &ret) || !is_code(ret - 1))
		return UNWIND_UNLISTED;
	s->reg[UNWIND_RIP] = ret;
	s->reg[UNWIND_RSP] += 8;
	s->exact = false;
	return UNWIND_CALLER;
}

static enum unwind_result step(struct unwind_state *s)
{
	enum unwind_result result;
	struct unwind_table table;

	rcu_read_lock();
	result = find_table(s->reg[UNWIND_RIP] - !s->exact, &table) ? unwind_step(s, table) :
								      leave_wild_call(s);
	rcu_read_unlock();
	return result;
}

static void scan(u64 rsp)
{
	u32 lines = 0;
	u64 word;

	printk(KERN_ERR " no way up from here; perhaps (?) called by\n");
	rsp = ALIGN_UP(rsp, 8);
	for (u32 i = 0; i < SCAN_WORDS && lines < SCAN_LINES; i++, rsp += 8) {
		if (!unwind_read(rsp, &word))
			return;
		if (!is_code(word - 1))
			continue;
		print_address(word, false, "? ");
		lines++;
	}
}

/* Prints the callers of s. */
static void walk(struct unwind_state *s)
{
	for (u32 depth = 0; depth < MAX_DEPTH; depth++) {
		enum unwind_result result = step(s);

		if (result == UNWIND_END)
			return;
		if (result != UNWIND_CALLER) {
			scan(s->reg[UNWIND_RSP]);
			return;
		}
		/* user mode was interrupted, or it is the trampoline that started this CPU */
		if (s->reg[UNWIND_RIP] < DIRECT_MAP_BASE)
			return;
		print_address(s->reg[UNWIND_RIP], s->exact, "");
	}
	printk(KERN_ERR " and so on\n");
}

void backtrace_trap(const struct trap_frame *f)
{
	struct unwind_state s = {
		.reg = { f->rax, f->rdx, f->rcx, f->rbx, f->rsi, f->rdi, f->rbp, f->rsp, f->r8,
			 f->r9, f->r10, f->r11, f->r12, f->r13, f->r14, f->r15, f->rip },
		.known = BIT(UNWIND_REGS) - 1,
		.exact = true,
	};

	print_address(f->rip, true, "");
	walk(&s);
}

__noinline void backtrace_here(void)
{
	struct unwind_state s = { .known = BIT(UNWIND_RBX) | BIT(UNWIND_RBP) | BIT(UNWIND_RSP) |
					   0xf000 /* r12-r15 */ | BIT(UNWIND_RIP),
				  .exact = true };

	__asm__ __volatile__("mov %%rbx, %c1(%0); mov %%rbp, %c2(%0); mov %%rsp, %c3(%0)\n\t"
			     "mov %%r12, %c4(%0); mov %%r13, 8+%c4(%0)\n\t"
			     "mov %%r14, 16+%c4(%0); mov %%r15, 24+%c4(%0)\n\t"
			     "lea 1f(%%rip), %%rax; mov %%rax, %c5(%0)\n1:"
			     :
			     : "r"(s.reg), "i"(UNWIND_RBX * 8), "i"(UNWIND_RBP * 8),
			       "i"(UNWIND_RSP * 8), "i"(UNWIND_R12 * 8), "i"(UNWIND_RIP * 8)
			     : "rax", "memory");
	walk(&s);
}
