/* SPDX-License-Identifier: MIT */
/* faults.c - programs that misbehave: each must end by the signal that
 * Linux gives, and end alone. */
#include "check.h"

#include <ucontext.h>

#define ARCH_SET_GS 0x1001
#define ARCH_SET_FS 0x1002

static char sink;

static void null_read(void)
{
	sink = *(volatile char *)8;
}

static void null_write(void)
{
	*(volatile char *)0 = 1;
}

static void null_call(void)
{
	((void (*volatile)(void))0)();
}

static void noncanonical_read(void)
{
	sink = *(volatile char *)0x8000000000000000ul;
}

static void noncanonical_jump(void)
{
	__asm__ volatile("mov $0x1234567812345678, %rax; jmp *%rax");
}

/* SIGBUS (#SS) on hardware; QEMU raises #GP. */
static void noncanonical_stack(void)
{
	__asm__ volatile("mov $0x1234567812345678, %rsp; push %rax");
}

static void kernel_read(void)
{
	sink = *(volatile char *)0xffffffff80100000ul;
}

static void kernel_write(void)
{
	*(volatile char *)0xffffffff80100000ul = 1;
}

static void kernel_jump(void)
{
	((void (*volatile)(void))0xffffffff80100000ul)();
}

static void direct_map_read(void)
{
	sink = *(volatile char *)0xffff888000100000ul;
}

/* The compiler may not see that there is no end. */
static int deeper(volatile char *p);
static int (*volatile deeper_yet)(volatile char *p) = deeper;

static int __attribute__((noinline)) deeper(volatile char *p)
{
	volatile char room[4096];

	room[0] = *p;
	return deeper_yet(room) + room[1];
}

static void stack_overflow(void)
{
	sink = deeper(&sink);
}

static void divide_by_zero(void)
{
	volatile int zero = 0;

	sink = 7 / zero;
}

static void divide_overflow(void)
{
	__asm__ volatile("mov $0x80000000, %%eax; cltd; mov $-1, %%ecx; idiv %%ecx"
			 :
			 :
			 : "eax", "ecx", "edx");
}

static void float_exception(void)
{
	unsigned short control =
		0x37f & ~4; /* x87: division by zero unmasked (QEMU has no such trap for SSE) */

	__asm__ volatile("fldcw %0; fldz; fld1; fdiv %%st(1), %%st; fwait" : : "m"(control));
}

static void illegal_instruction(void)
{
	__asm__ volatile("ud2");
}

static void lock_prefix(void)
{
	__asm__ volatile(".byte 0xf0, 0x90");
}

static void breakpoint(void)
{
	__asm__ volatile("int3");
}

static void single_step(void)
{
	__asm__ volatile("pushf; orl $0x100, (%rsp); popf; nop; nop");
}

/* The trap flag at SYSCALL: the kernel must not single-step itself. */
static void single_step_into_syscall(void)
{
	__asm__ volatile("mov $39, %%eax; pushf; orl $0x100, (%%rsp); popf; syscall; nop"
			 :
			 :
			 : "rax", "rcx", "r11");
}

static void software_interrupts(void)
{
	__asm__ volatile("int $0x20");
}

static void write_to_text(void)
{
	*(volatile char *)(unsigned long)write_to_text = 0x90;
}

static void write_to_constant(void)
{
	static const char constant[] = "read only";

	*(volatile char *)(unsigned long)constant = 'x';
}

static char code_in_data[16] = { (char)0xc3 };

static void execute_data(void)
{
	((void (*volatile)(void))(unsigned long)code_in_data)();
}

static void execute_stack(void)
{
	volatile char code[16] = { (char)0xc3 };

	((void (*volatile)(void))(unsigned long)code)();
}

static void execute_none(void)
{
	void *p = mmap(NULL, PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	check(p != MAP_FAILED);
	((void (*volatile)(void))p)();
}

static void privileged_hlt(void)
{
	__asm__ volatile("hlt");
}

static void privileged_cli(void)
{
	__asm__ volatile("cli");
}

static void privileged_cr3(void)
{
	__asm__ volatile("mov %%cr3, %%rax" : : : "rax");
}

static void privileged_msr(void)
{
	__asm__ volatile("mov $0xc0000082, %%ecx; rdmsr" : : : "rax", "rcx", "rdx");
}

static void privileged_port(void)
{
	__asm__ volatile("outb %al, $0x80");
}

static void privileged_lidt(void)
{
	char idt[10] = "";

	__asm__ volatile("lidt %0" : : "m"(idt));
}

static void bad_segment(void)
{
	__asm__ volatile("mov $0xfff8, %%eax; mov %%ax, %%ds" : : : "rax");
}

static void kernel_segment(void)
{
	__asm__ volatile("mov $0x8, %%eax; mov %%ax, %%ss" : : : "rax");
}

static void far_return_to_ring0(void)
{
	__asm__ volatile("pushq $0x8; lea 1f(%%rip), %%rax; push %%rax; lretq; 1:" : : : "rax");
}

static void iret_to_ring0(void)
{
	__asm__ volatile(
		"pushq $0; push %%rsp; pushf; pushq $8; lea 1f(%%rip), %%rax; push %%rax; iretq; 1:"
		:
		:
		: "rax");
}

static void misaligned_sse(void)
{
	__asm__ volatile("lea 1(%%rsp), %%rax; and $-16, %%rax; inc %%rax; movaps (%%rax), %%xmm0"
			 :
			 :
			 : "rax");
}

/* A file mapping past the end of its file is SIGBUS. */
static void past_end_of_file(void)
{
	FILE *f = tmpfile();
	char *p;

	check(f);
	p = mmap(NULL, 2 * PAGE, PROT_READ, MAP_SHARED, fileno(f), 0);
	check(p != MAP_FAILED);
	sink = *(volatile char *)(p + PAGE);
}

/* A signal frame with what a program may put into it: the kernel must notice, not trust. */
static void frame_damage(int sig, siginfo_t *info, void *context)
{
	ucontext_t *u = context;

	switch (info->si_value.sival_int) {
	case 0:
		u->uc_mcontext.gregs[REG_RIP] = 0x1234567812345678;
		break;
	case 1:
		u->uc_mcontext.gregs[REG_RIP] = (long)0xffffffff80100000;
		break;
	case 2:
		u->uc_mcontext.gregs[REG_CSGSFS] = 0x0008000000000008; /* ring 0 cs, ss */
		u->uc_mcontext.gregs[REG_RIP] = 0x10;
		break;
	case 3:
		u->uc_mcontext.gregs[REG_RSP] = 0x1234567812345678;
		u->uc_mcontext.gregs[REG_RIP] = 0x10;
		break;
	case 4:
		u->uc_mcontext.fpregs = (void *)0xffffffff80100000;
		break;
	case 5:
		u->uc_mcontext.gregs[REG_EFL] = 0x3002; /* IOPL 3, interrupts off */
		u->uc_mcontext.gregs[REG_RIP] = 0x10;
		break;
	}
}

static void return_with(int damage)
{
	struct sigaction sa = { .sa_sigaction = frame_damage, .sa_flags = SA_SIGINFO };

	check(sigaction(SIGUSR1, &sa, NULL) == 0);
	check(sigqueue(getpid(), SIGUSR1, (union sigval){ .sival_int = damage }) == 0);
	sleep(5);
}

static void sigreturn_rip_noncanonical(void)
{
	return_with(0);
}
static void sigreturn_rip_kernel(void)
{
	return_with(1);
}
static void sigreturn_ring0(void)
{
	return_with(2);
}
static void sigreturn_rsp_noncanonical(void)
{
	return_with(3);
}
static void sigreturn_fpu_kernel(void)
{
	return_with(4);
}
static void sigreturn_flags(void)
{
	return_with(5);
}

static void sigreturn_without_frame(void)
{
	syscall(SYS_rt_sigreturn);
	__asm__ volatile("xor %esp, %esp; mov $15, %eax; syscall");
}

/* The FPU image in a frame with reserved MXCSR bits set would fault inside the kernel's FXRSTOR. */
static void mxcsr_damage(int sig, siginfo_t *info, void *context)
{
	ucontext_t *u = context;

	if (u->uc_mcontext.fpregs)
		u->uc_mcontext.fpregs->mxcsr = 0xffffffff;
}

static void sigreturn_mxcsr(void)
{
	struct sigaction sa = { .sa_sigaction = mxcsr_damage, .sa_flags = SA_SIGINFO };
	double x = 1;

	sigaction(SIGUSR1, &sa, NULL);
	raise(SIGUSR1);
	for (volatile int i = 0; i < 100; i++)
		x *= 1.5;
	raise(SIGKILL); /* the kernel masked the bits; Linux refuses them with SIGSEGV */
}

static void handler_on_bad_stack(int sig)
{
}

static void signal_on_bad_stack(void)
{
	signal(SIGUSR1, handler_on_bad_stack);
	__asm__ volatile("mov $39, %%eax; syscall; mov %%eax, %%edi; mov $10, %%esi;"
			 "mov $62, %%eax; mov $0x1000, %%esp; syscall"
			 :
			 :
			 : "rax", "rcx", "r11", "rdi", "rsi");
}

/* SYSCALL in the last bytes of user space would return to a non-canonical address by SYSRET. */
static void syscall_at_the_top(void)
{
	char *p = mmap((void *)0x7ffffffff000, PAGE, PROT_READ | PROT_WRITE | PROT_EXEC,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);

	if (p == MAP_FAILED)
		raise(SIGSEGV); /* refused, as on Linux */
	memcpy(p + PAGE - 2, "\x0f\x05", 2);
	((void (*)(void))(p + PAGE - 2))();
}

/* ... and the last page that may be mapped. */
static void fall_off_the_top(void)
{
	char *p = mmap((void *)0x7fffffffe000, PAGE, PROT_READ | PROT_WRITE | PROT_EXEC,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);

	if (p == MAP_FAILED)
		raise(SIGSEGV);
	memcpy(p + PAGE - 2, "\x0f\x05", 2);
	__asm__ volatile("mov $39, %%eax; jmp *%0" : : "r"(p + PAGE - 2) : "rax", "rcx", "r11");
}

/* 32-bit entries, which this kernel does not have and a 64-bit program must not crash it by. */
static void sysenter(void)
{
	__asm__ volatile("sysenter");
}

static void fs_base_noncanonical(void)
{
	fails(syscall(SYS_arch_prctl, ARCH_SET_FS, 0x1234567812345678), EPERM);
	fails(syscall(SYS_arch_prctl, ARCH_SET_FS, 0xffff888000000000), EPERM);
	fails(syscall(SYS_arch_prctl, ARCH_SET_GS, 0x8000000000000000), EPERM);
}

static void rip_wraps(void)
{
	__asm__ volatile("mov $-1, %rax; jmp *%rax");
}

static void direction_and_nested_flags(void)
{
	/* DF, NT and AC set when entering the kernel must not disturb it. */
	__asm__ volatile("pushf; orl $0x44400, (%%rsp); popf; mov $39, %%eax; syscall;"
			 "pushf; andl $~0x44400, (%%rsp); popf"
			 :
			 :
			 : "rax", "rcx", "r11", "memory");
	check(getpid() > 0);
}

static void every_syscall_number(void)
{
	for (long nr = 600; nr < 2000; nr += 7)
		fails(syscall(nr, 0, 0, 0, 0, 0, 0), ENOSYS);
	fails(syscall(-1), ENOSYS);
	fails(syscall(0x7fffffffffffffff), ENOSYS);
	fails(syscall(0x7fffffffl), ENOSYS);
}

static const struct test tests[] = {
	DIES(null_read, SIGSEGV),
	DIES(null_write, SIGSEGV),
	DIES(null_call, SIGSEGV),
	DIES(noncanonical_read, SIGSEGV),
	DIES(noncanonical_jump, SIGSEGV),
	DIES(noncanonical_stack, ANY),
	DIES(kernel_read, SIGSEGV),
	DIES(kernel_write, SIGSEGV),
	DIES(kernel_jump, SIGSEGV),
	DIES(direct_map_read, SIGSEGV),
	DIES(stack_overflow, SIGSEGV),
	DIES(divide_by_zero, SIGFPE),
	DIES(divide_overflow, SIGFPE),
	DIES(float_exception, SIGFPE),
	DIES(illegal_instruction, SIGILL),
	DIES(lock_prefix, SIGILL),
	DIES(breakpoint, SIGTRAP),
	DIES(single_step, SIGTRAP),
	DIES(single_step_into_syscall, SIGTRAP),
	DIES(software_interrupts, SIGSEGV),
	DIES(write_to_text, SIGSEGV),
	DIES(write_to_constant, SIGSEGV),
	DIES(execute_data, SIGSEGV),
	DIES(execute_stack, SIGSEGV),
	DIES(execute_none, SIGSEGV),
	DIES(privileged_hlt, SIGSEGV),
	DIES(privileged_cli, SIGSEGV),
	DIES(privileged_cr3, SIGSEGV),
	DIES(privileged_msr, SIGSEGV),
	DIES(privileged_port, SIGSEGV),
	DIES(privileged_lidt, SIGSEGV),
	DIES(bad_segment, SIGSEGV),
	DIES(kernel_segment, SIGSEGV),
	DIES(far_return_to_ring0, SIGSEGV),
	DIES(iret_to_ring0, SIGSEGV),
	DIES(misaligned_sse, SIGSEGV),
	DIES(past_end_of_file, SIGBUS),
	DIES(sigreturn_rip_noncanonical, SIGSEGV),
	DIES(sigreturn_rip_kernel, SIGSEGV),
	DIES(sigreturn_ring0, SIGSEGV),
	DIES(sigreturn_rsp_noncanonical, SIGSEGV),
	DIES(sigreturn_fpu_kernel, SIGSEGV),
	DIES(sigreturn_flags, SIGSEGV),
	DIES(sigreturn_without_frame, SIGSEGV),
	DIES(sigreturn_mxcsr, ANY),
	DIES(signal_on_bad_stack, SIGSEGV),
	DIES(syscall_at_the_top, SIGSEGV),
	DIES(fall_off_the_top, SIGSEGV),
	DIES(sysenter, SIGILL),
	DIES(rip_wraps, SIGSEGV),
	TEST(fs_base_noncanonical),
	TEST(direction_and_nested_flags),
	TEST(every_syscall_number),
};

int main(int argc, char **argv)
{
	return run_tests(argc, argv, tests, LENGTH(tests), 10);
}
