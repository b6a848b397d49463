/* SPDX-License-Identifier: MIT */
/* arch.h - what the core asks of a machine: everything that needs assembly, control registers or
 * port I/O. Implemented in arch/; no other folder knows how. Not for modules, except where
 * exported. */
#pragma once

#include <asm/cpu.h>
#include <weft/types.h>

struct proc;
struct thread;
struct module;
struct proc_mm;

/* ---- boot information, filled before kmain() ---- */
struct mem_range {
	phys_addr_t start, end; /* bytes, page aligned inwards for usable ones */
	bool usable;
};

struct boot_info {
	char cmdline[1024];
	phys_addr_t initrd_start, initrd_end; /* 0, 0: none; not among the usable ranges */
	struct mem_range mem[64];	      /* sorted; kernel image, initrd, low 1 MiB cut out */
	u32 nr_mem;
	struct { /* linear or text screen; kind 0: none */
		phys_addr_t addr;
		u32 pitch, width, height; /* bytes, pixels or (text) characters */
		u8 bpp, kind;		  /* kind 1: RGB framebuffer, 2: EGA text */
		u8 red_pos, green_pos, blue_pos;
	} fb;
	u64 entry_tsc; /* TSC at the kernel's first instruction */
	u64 entry_ns;  /* that moment on the ktime_get() clock, about 0 */
};
extern struct boot_info boot_info;

/* The value of "name=value" on the command line, copied to buf; "" for the bare word. False:
 * absent. */
bool cmdline_get(const char *name, char *buf, size_t size);

/* The core's entry, called once on the boot CPU: long mode, direct map of all RAM, IDT and a stack
 * are there, interrupts off, no allocator. Never returns. */
void kmain(void) __noreturn;

/* ---- stages that kmain calls, in this order ---- */
void arch_init_early(void); /* before the page allocator: CPU features, GDT, IDT, early console */
void arch_init_mmu(void);   /* page allocator is up: final kernel page tables, W^X, guard pages */
void arch_init_irq(void);   /* kmalloc, vmalloc are up: ACPI tables, APICs, clocks calibrated */
void arch_start_cpus(void); /* threads are up: starts the others, each calls cpu_main() */
void cpu_main(void)
	__noreturn; /* the core's entry on every further CPU, with its idle thread current */
extern u32 nr_cpus; /* online; fixed after arch_start_cpus */
extern u32 nr_cpus_present; /* known after arch_init_irq */

/* ---- early character output: works from the first instruction, polls the serial port ---- */
void arch_early_putc(char c);

/* ---- time ---- */
u64 arch_clock_ns(void);    /* monotonic ns since boot; same on all CPUs; cheap; any context */
u64 arch_rtc_seconds(void); /* CMOS clock as Unix seconds; slow, once at boot */
/* One-shot timer of this CPU; the expiry calls timer_interrupt() in interrupt context. 0 = off. */
void arch_timer_set(u64 deadline_ns);
void timer_interrupt(void);	/* the core's */
void arch_delay_ns(u64 ns);	/* busy wait */
u64 arch_random_seed(u64 *out); /* RDSEED/RDRAND: number of true random bits in *out, 0 if none */
u64 arch_cycles(void);		/* TSC, for jitter and measurements */

/* ---- interrupts ---- */
enum irq_trigger { IRQ_EDGE, IRQ_LEVEL };
/* Vectors for device interrupts, routed to a CPU. handler runs with interrupts off and only
 * acknowledges. -ENOSPC when vectors are used up. Process context. See irq.h for the public
 * side. */
int arch_irq_alloc_vector(u32 cpu, void (*fn)(void *arg), void *arg);
void arch_irq_free_vector(int vector); /* returns when no CPU is inside fn any more */
/* ISA or PCI line through ACPI's overrides to an IOAPIC pin. trigger is overridden for ISA by MADT.
 */
int arch_ioapic_route(u32 gsi, int vector, u32 cpu, enum irq_trigger trigger, bool active_low);
void arch_ioapic_mask(u32 gsi, bool masked);
u32 arch_isa_gsi(u8 isa_irq, enum irq_trigger *trigger, bool *active_low);
/* The global interrupt of a PCI function's pin (1..4 = INTA..D); on failure -ENODEV. */
int arch_pci_gsi(u8 bus, u8 dev, u8 pin, u8 line_register);
u64 arch_msi_address(u32 cpu);
u32 arch_msi_data(int vector);
void arch_send_resched(
	u32 cpu); /* IPI: sets nothing itself; the target re-examines its pending bits */
void arch_tlb_shootdown(struct proc_mm *mm, u64 start,
			u64 end); /* user range; NULL mm: kernel range */

/* ---- idle and power ---- */
void arch_idle_wait(void); /* interrupts off at entry; enables and halts atomically; on at return */
void arch_power_off(void); /* ACPI S5; returns only on failure */
void arch_reboot(void) __noreturn;
void arch_exit_qemu(int status) __noreturn; /* isa-debug-exit or else power off; for panic=exit */
void arch_stop_cpus(void); /* ends the other CPUs for good, wherever they are; for panic */
void arch_halt(void) __noreturn;

/* ---- page tables; see core/vm.h for users. Callers hold the mm's lock for user tables ---- */
#define PTE_WRITE BIT(0)
#define PTE_EXEC BIT(1)
#define PTE_USER BIT(2)
#define PTE_UNCACHED BIT(3)
#define PTE_SHARED BIT(4) /* software bit: not copied on write */
#define PTE_COW BIT(5)	  /* software bit: write-protected until a fault copies it */
/* Keeps the page, gives no access (PROT_NONE); walk, lookup, unmap see it. */
#define PTE_NONE BIT(6)
/* A new table with the kernel half shared: physical address of the root, or 0 without memory. */
phys_addr_t arch_pgd_alloc(void);
void arch_pgd_free(phys_addr_t pgd); /* all user pages unmapped before; frees the tables */
int arch_map(phys_addr_t pgd, u64 va, phys_addr_t pa, u32 flags); /* -ENOMEM; replaces */
/* Clears the entry; returns its old physical address with *flags, or 0. No TLB flush. */
phys_addr_t arch_unmap(phys_addr_t pgd, u64 va, u32 *flags);
phys_addr_t arch_lookup(phys_addr_t pgd, u64 va, u32 *flags); /* 0: not mapped */
/* Of n pages from va, which do not reach over a multiple of 32 pages, as bits: those mapped. */
u32 arch_mapped(phys_addr_t pgd, u64 va, u32 n);
/* The same n: maps those that are not yet, page i to pa[i] if that is not 0. Which it mapped; none
 * without memory for the tables. */
u32 arch_map_missing(phys_addr_t pgd, u64 va, u32 n, const phys_addr_t *pa, u32 flags);
/* Calls fn for each present user page in [start, end) (skips absent tables whole). fn may change
 * the entry by returning true with *pa or *flags altered; *pa = 0 clears it. No TLB flush. */
void arch_walk(phys_addr_t pgd, u64 start, u64 end,
	       bool (*fn)(void *arg, u64 va, phys_addr_t *pa, u32 *flags), void *arg);
void arch_flush_local(u64 start, u64 end);
extern phys_addr_t kernel_pgd;
/* Kernel mappings (vmalloc, modules, mmio). -ENOMEM. arch_kunmap flushes on all CPUs. */
int arch_kmap(u64 va, phys_addr_t pa, size_t bytes, u32 flags);
void arch_kunmap(u64 va, size_t bytes);
int arch_kprotect(u64 va, size_t bytes, u32 flags);

#define DIRECT_MAP_BASE 0xffff888000000000ull
#define VMALLOC_BASE 0xffffc90000000000ull
#define VMALLOC_END 0xffffcb0000000000ull /* 2 TiB: all top-level entries exist from boot on */
#define KERNEL_BASE 0xffffffff80000000ull
#define MODULES_BASE 0xffffffffa0000000ull
#define MODULES_END 0xffffffffc0000000ull
#define USER_END 0x00007ffffffff000ull

static inline void *phys_to_virt(phys_addr_t pa)
{
	return (void *)(pa + DIRECT_MAP_BASE);
}

phys_addr_t virt_to_phys(const void *p); /* direct map or kernel image addresses only */

/* ---- threads ---- */
struct arch_thread {
	u64 rsp;	      /* saved kernel stack pointer while not running */
	u64 fs_base, gs_base; /* user's */
	void *fpu;	      /* 64-byte aligned XSAVE/FXSAVE area, NULL for kernel threads */
	u32 fpu_cpu;	      /* CPU that loaded fpu last; its registers may still hold it */
};

/* Registers of user mode at the top of the kernel stack; the order is entry.asm's. */
struct trap_frame {
	u64 r15, r14, r13, r12, rbp, rbx, r11, r10, r9, r8, rax, rcx, rdx, rsi, rdi;
	u64 vector;   /* 256 for syscall */
	u64 orig_rax; /* syscall number; for traps the error code, or -1 without one */
	u64 rip, cs, rflags, rsp, ss;
};
#define TRAP_SYSCALL 256

/* The frame of the running thread's last entry from user mode. */
struct trap_frame *arch_user_frame(struct thread *t);
size_t arch_fpu_size(void);
/* Makes t start in fn(arg) on its kernel stack at the first switch; fn does not return. */
void arch_thread_init(struct thread *t, void (*fn)(void *arg), void *arg);
/* Makes t, a new user thread, start at *frame in user mode (fork: copy of the parent's with rax 0),
 * with the parent's FPU state and fs/gs base. parent is current or NULL (clean state). The first
 * code that t runs is the core's thread_first_run(). -ENOMEM. */
int arch_thread_fork(struct thread *t, struct thread *parent, const struct trap_frame *frame);
/* The core's: what schedule() does behind arch_switch(), for a thread that never called it.
 * Interrupts off at entry; returns with interrupts on and preempt_count 0. */
void thread_first_run(void);
/* Gives a kernel thread that is going to exec a user program its FPU area, before
 * arch_exec_frame(). Nothing when it is there. -ENOMEM. */
int arch_thread_make_user(struct thread *t);
/* Leaves the kernel through arch_user_frame(current()), with pending user work done first. */
void arch_enter_user(void) __noreturn;
void arch_thread_free(struct thread *t); /* the FPU area */
/* Runs next in prev's place: stacks, FPU, fs/gs base, kernel_rsp. Interrupts off, preemption
 * off. */
void arch_switch(struct thread *prev, struct thread *next);
void arch_switch_mm(phys_addr_t pgd); /* no-op when it is loaded already */
/* Fresh user registers for exec: clears all, sets rip, rsp, a clean FPU, fs = gs = 0. */
void arch_exec_frame(struct trap_frame *f, u64 rip, u64 rsp);
long arch_prctl(int code, u64 addr);
u64 arch_hwcap(void); /* AT_HWCAP: CPUID.1.EDX */

/* Signal frames of Linux x86-64 (rt_sigframe: siginfo, ucontext, FPU). setup writes it to the user
 * stack at or below sp and redirects *f; -EFAULT kills the program. restore is rt_sigreturn. */
struct ksiginfo;
struct ksigaction;
int arch_signal_setup(struct trap_frame *f, int sig, const struct ksiginfo *info,
		      const struct ksigaction *act, u64 oldmask);
int arch_signal_restore(struct trap_frame *f, u64 *mask);

/* ---- from arch into the core ---- */
/* A system call: nr in f->orig_rax, result goes to f->rax. Interrupts on. */
void syscall_dispatch(struct trap_frame *f);
/* Before each return to user mode with interrupts on: signals, stop, reschedule. */
void user_return_work(struct trap_frame *f);
/* (The test is t->user_work != 0, read with interrupts off by entry.asm.) */
/* A page fault; true when resolved. Interrupts as at the fault; may sleep when they were on. */
bool vm_fault(u64 addr, bool write, bool exec, bool user);
/* A trap in user mode that no handler took: sends the signal (SIGSEGV, SIGILL, SIGFPE, SIGTRAP,
 * SIGBUS). */
void user_trap_signal(struct trap_frame *f, int sig, int code, u64 addr);
/* An exception in the kernel: prints registers and a symbolised backtrace; kills the thread when it
 * can, else panics. */
void kernel_oops(struct trap_frame *f, const char *what, u64 addr) __noreturn;
void arch_show_frame(const struct trap_frame *f); /* logs the registers, for kernel_oops */
/* Interrupt bookkeeping of the core, around device and timer handlers. irq_exit runs the poll
 * context and preempts when it may; interrupts off at entry and at return. */
void irq_enter(void);
void irq_exit(bool from_user);
/* Prints who called whom, up to the thread's start or its entry from user mode: from a frame of
 * kernel mode, its own place first; or from the caller on. Any context, no locks, no memory. */
void backtrace_trap(const struct trap_frame *f);
void backtrace_here(void);

/* ---- memory routines, chosen by timing ---- */
void arch_choose_routines(void); /* called once, single CPU, about 1 ms */

/* ---- user copies: bytes NOT copied (0 = all). Faults are resolved or end the copy. May sleep ----
 */
size_t arch_copy_from_user(void *dst, const void __user *src, size_t n);
size_t arch_copy_to_user(void __user *dst, const void *src, size_t n);
/* One word, at any alignment; -EFAULT. */
s64 arch_get_user32(const u32 __user *p);
int arch_put_user32(u32 __user *p, u32 v);
long arch_strncpy_from_user(char *dst, const char __user *src,
			    size_t max); /* length, -EFAULT, max if cut */
/* Atomic compare-and-swap and load of a user word for futexes; -EFAULT. */
int arch_futex_cmpxchg(u32 __user *p, u32 old, u32 new, u32 *seen);

/* ---- PCI configuration space and port I/O ---- */
u32 arch_pci_read(u8 bus, u8 devfn, u16 reg, u8 size);
void arch_pci_write(u8 bus, u8 devfn, u16 reg, u8 size, u32 value);
u8 inb(u16 port);
u16 inw(u16 port);
u32 inl(u16 port);
void outb(u16 port, u8 v);
void outw(u16 port, u16 v);
void outl(u16 port, u32 v);

/* ---- module relocation: one entry applied at loc; -ENOEXEC unknown type, -ERANGE does not fit
 * ---- */
int arch_relocate(u32 type, void *loc, u64 loc_va, u64 value, s64 addend);
