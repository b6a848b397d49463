/* SPDX-License-Identifier: MIT */
/* signal.c - signal frames as Linux x86-64 lays them out, so that C libraries' restorers and
 * unwinders and programs that look into ucontext work unchanged. What comes back from user memory
 * is hostile: only user-changeable flags, user selectors and a valid FPU image are taken over. */

#include <core/proc.h>
#include <core/sched.h>
#include <uapi/signal.h>
#include <weft/err.h>
#include <weft/string.h>

#include "machine.h"

#define RED_ZONE 128 /* System V ABI 3.2.2 */
#define UC_FP_XSTATE 1
#define UC_SIGCONTEXT_SS 2
#define UC_STRICT_RESTORE_SS 4
#define FP_XSTATE_MAGIC1 0x46505853u
#define FP_XSTATE_MAGIC2 0x46505845u
#define FXSAVE_SIZE 512
#define FX_MXCSR 24 /* offsets into the FXSAVE image */
#define FX_SW_RESERVED 464
#define XSAVE_HEADER 512 /* XSTATE_BV, XCOMP_BV, 48 bytes that must be zero */
#define XSAVE_HEADER_SIZE 64
#define FPU_MAX 2816 /* x87, SSE, AVX, AVX-512 in standard format: 2688 */

/* Flags that user mode may set itself (those of POPF without privilege). */
#define USER_FLAGS 0x50dd5ull /* CF PF AF ZF SF TF DF OF RF AC */

struct sigcontext {
	u64 r8, r9, r10, r11, r12, r13, r14, r15;
	u64 rdi, rsi, rbp, rbx, rdx, rax, rcx, rsp, rip, eflags;
	u16 cs, gs, fs, ss;
	u64 err, trapno, oldmask, cr2;
	u64 fpstate;
	u64 reserved[8];
};

struct ucontext {
	u64 flags, link;
	struct uapi_stack stack;
	struct sigcontext mcontext;
	u64 sigmask;
};

struct rt_sigframe {
	u64 pretcode;
	struct ucontext uc;
	struct uapi_siginfo info;
};

/* Linux's struct _fpx_sw_bytes, in the software-reserved bytes of the FXSAVE image. */
struct fpx_sw_bytes {
	u32 magic1, extended_size;
	u64 xfeatures;
	u32 xstate_size;
	u32 padding[7];
};

_Static_assert(sizeof(struct sigcontext) == 256, "Linux ABI");
_Static_assert(offsetof(struct ucontext, sigmask) == 296, "Linux ABI");
_Static_assert(sizeof(struct uapi_siginfo) == 128, "Linux ABI");
_Static_assert(sizeof(struct fpx_sw_bytes) == 48, "Linux ABI");

static u32 fpu_frame_size(void)
{
	return features.fpu_size + (features.xcr0 ? sizeof(u32) : 0);
}

static int fpu_to_user(u64 at)
{
	u8 *area = current()->arch.fpu;
	struct fpx_sw_bytes sw = {
		.magic1 = FP_XSTATE_MAGIC1,
		.extended_size = fpu_frame_size(),
		.xfeatures = features.xcr0,
		.xstate_size = features.fpu_size,
	};
	u32 magic2 = FP_XSTATE_MAGIC2;

	fpu_save_current();
	if (arch_copy_to_user((void __user *)at, area, features.fpu_size))
		return -EFAULT;
	if (!features.xcr0)
		return 0;
	if (arch_copy_to_user((void __user *)(at + FX_SW_RESERVED), &sw, sizeof(sw)) ||
	    arch_copy_to_user((void __user *)(at + features.fpu_size), &magic2, sizeof(magic2)))
		return -EFAULT;
	return 0;
}

/* Makes an image such that loading it cannot fault: SDM vol. 1, 13.8 (XRSTOR), 10.5.1 (MXCSR). */
static void fpu_sanitise(u8 *image, bool extended)
{
	u64 header[XSAVE_HEADER_SIZE / 8] = { 0 };
	u32 mxcsr;

	memcpy(&mxcsr, image + FX_MXCSR, sizeof(mxcsr));
	mxcsr &= features.mxcsr_mask;
	memcpy(image + FX_MXCSR, &mxcsr, sizeof(mxcsr));
	if (!features.xcr0)
		return;
	memcpy(header, image + XSAVE_HEADER, sizeof(u64));
	if (!extended)
		header[0] = 3; /* a plain FXSAVE image: x87 and SSE, the rest initial */
	header[0] &= features.xcr0;
	memcpy(image + XSAVE_HEADER, header, sizeof(header));
}

static bool fpu_image_extended(u64 at, const u8 *image)
{
	struct fpx_sw_bytes sw;
	u32 magic2;

	memcpy(&sw, image + FX_SW_RESERVED, sizeof(sw));
	if (sw.magic1 != FP_XSTATE_MAGIC1 || sw.xstate_size != features.fpu_size ||
	    sw.extended_size < sw.xstate_size + sizeof(magic2))
		return false;
	if (arch_copy_from_user(&magic2, (void __user *)(at + features.fpu_size), sizeof(magic2)))
		return false;
	return magic2 == FP_XSTATE_MAGIC2;
}

static int fpu_from_user(u64 at)
{
	u8 image[FPU_MAX] __aligned(64);
	struct thread *t = current();
	bool extended = false;
	unsigned long flags;

	memset(image, 0, features.fpu_size);
	if (arch_copy_from_user(image, (void __user *)at, FXSAVE_SIZE))
		return -EFAULT;
	if (features.xcr0 && fpu_image_extended(at, image)) {
		extended = true;
		if (arch_copy_from_user(image, (void __user *)at, features.fpu_size))
			return -EFAULT;
	}
	fpu_sanitise(image, extended);
	/* the area and the registers change together, or a preemption would save the old ones */
	flags = irq_save();
	memcpy(t->arch.fpu, image, features.fpu_size);
	fpu_load_current();
	irq_restore(flags);
	return 0;
}

static void fill_siginfo(struct uapi_siginfo *u, const struct ksiginfo *k)
{
	*u = (struct uapi_siginfo){ .signo = k->signo, .errn = k->errn, .code = k->code };
	if (k->code > 0 && k->code != SI_KERNEL) {
		switch (k->signo) {
		case SIGILL:
		case SIGFPE:
		case SIGSEGV:
		case SIGBUS:
		case SIGTRAP:
			u->fault.addr = k->addr;
			return;
		case SIGCHLD:
			u->from.pid = k->pid;
			u->from.uid = k->uid;
			u->from.status = k->status;
			u->from.utime = (s64)k->utime;
			u->from.stime = (s64)k->stime;
			return;
		}
	}
	u->from.pid = k->pid;
	u->from.uid = k->uid;
	memcpy(&u->from.status, &k->value, sizeof(k->value)); /* sigval */
}

static void fill_context(struct sigcontext *sc, const struct trap_frame *f, u64 fpstate, u64 mask)
{
	*sc = (struct sigcontext){
		.r8 = f->r8,
		.r9 = f->r9,
		.r10 = f->r10,
		.r11 = f->r11,
		.r12 = f->r12,
		.r13 = f->r13,
		.r14 = f->r14,
		.r15 = f->r15,
		.rdi = f->rdi,
		.rsi = f->rsi,
		.rbp = f->rbp,
		.rbx = f->rbx,
		.rdx = f->rdx,
		.rax = f->rax,
		.rcx = f->rcx,
		.rsp = f->rsp,
		.rip = f->rip,
		.eflags = f->rflags,
		.cs = SEL_UCODE,
		.ss = SEL_UDATA,
		.err = f->vector < VEC_PIC ? f->orig_rax : 0,
		.trapno = f->vector < VEC_PIC ? f->vector : 0,
		.oldmask = mask,
		.cr2 = f->vector == VEC_PF ? read_cr2() : 0,
		.fpstate = fpstate,
	};
}

/* Where the frame's upper end goes: below the red zone, or at the top of the alternate stack. */
static u64 frame_top(const struct trap_frame *f, const struct ksigaction *act)
{
	struct thread *t = current();
	bool inside = f->rsp - t->altstack_sp < t->altstack_size;

	if (act->flags & SA_ONSTACK && t->altstack_size && !inside)
		return t->altstack_sp + t->altstack_size;
	return f->rsp - RED_ZONE;
}

static void save_altstack(struct uapi_stack *u)
{
	struct thread *t = current();

	u->sp = t->altstack_sp;
	u->flags = (s32)(t->altstack_size ? t->altstack_flags : SS_DISABLE);
	u->size = t->altstack_size;
	if (t->altstack_size && t->altstack_flags & SS_AUTODISARM) {
		t->altstack_sp = t->altstack_size = 0;
		t->altstack_flags = SS_DISABLE;
	}
}

/* As sigaltstack(2) on return from the handler; nonsense is ignored, as Linux does. */
static void restore_altstack(const struct uapi_stack *u, u64 rsp)
{
	struct thread *t = current();

	if (rsp - t->altstack_sp < t->altstack_size)
		return; /* still standing on it */
	if (u->flags & SS_DISABLE) {
		t->altstack_sp = t->altstack_size = 0;
		t->altstack_flags = SS_DISABLE;
	} else if (u->size >= MINSIGSTKSZ) {
		t->altstack_sp = u->sp;
		t->altstack_size = u->size;
		t->altstack_flags = (u32)u->flags & SS_AUTODISARM;
	}
}

int arch_signal_setup(struct trap_frame *f, int sig, const struct ksiginfo *info,
		      const struct ksigaction *act, u64 oldmask)
{
	struct rt_sigframe frame = { 0 };
	u64 sp = frame_top(f, act), fpstate, at;

	/* the restorer is where the handler returns to: x86-64 has no other way */
	if (!(act->flags & SA_RESTORER) || sp > USER_END || sp < PAGE_SIZE)
		return -EFAULT;
	if (act->handler >= USER_END)
		return -EFAULT; /* IRET would fault in the kernel on a non-canonical address */
	fpstate = ALIGN_DOWN(sp - fpu_frame_size(), 64);
	/* on entry to a function rsp + 8 is a multiple of 16 */
	at = ALIGN_DOWN(fpstate - sizeof(frame), 16) - 8;
	frame.pretcode = act->restorer;
	frame.uc.flags = UC_SIGCONTEXT_SS | UC_STRICT_RESTORE_SS |
			 (features.xcr0 ? UC_FP_XSTATE : 0);
	save_altstack(&frame.uc.stack);
	frame.uc.sigmask = oldmask;
	fill_context(&frame.uc.mcontext, f, fpstate, oldmask);
	fill_siginfo(&frame.info, info);
	if (fpu_to_user(fpstate) || arch_copy_to_user((void __user *)at, &frame, sizeof(frame)))
		return -EFAULT;
	f->rdi = (u64)sig;
	f->rsi = at + offsetof(struct rt_sigframe, info);
	f->rdx = at + offsetof(struct rt_sigframe, uc);
	f->rax = 0;
	f->rsp = at;
	f->rip = act->handler;
	f->rflags &= ~(RFLAGS_DF | RFLAGS_RF | RFLAGS_TF);
	return 0;
}

int arch_signal_restore(struct trap_frame *f, u64 *mask)
{
	struct ucontext uc;
	struct sigcontext *sc = &uc.mcontext;

	/* the handler's return has popped pretcode */
	if (arch_copy_from_user(&uc, (void __user *)f->rsp, sizeof(uc)))
		return -EFAULT;
	if (sc->rip >= USER_END)
		return -EFAULT; /* as above */
	if (sc->fpstate) {
		if (fpu_from_user(sc->fpstate))
			return -EFAULT;
	} else {
		fpu_reset_current();
	}
	*f = (struct trap_frame){
		.r8 = sc->r8,
		.r9 = sc->r9,
		.r10 = sc->r10,
		.r11 = sc->r11,
		.r12 = sc->r12,
		.r13 = sc->r13,
		.r14 = sc->r14,
		.r15 = sc->r15,
		.rdi = sc->rdi,
		.rsi = sc->rsi,
		.rbp = sc->rbp,
		.rbx = sc->rbx,
		.rdx = sc->rdx,
		.rax = sc->rax,
		.rcx = sc->rcx,
		.rsp = sc->rsp,
		.rip = sc->rip,
		.cs = SEL_UCODE,
		.ss = SEL_UDATA,
		.rflags = (f->rflags & ~USER_FLAGS) | (sc->eflags & USER_FLAGS) | RFLAGS_IF,
		.orig_rax = ~0ull,	    /* nothing to restart */
		.vector = TRAP_SYSCALL + 1, /* back by IRET: rcx and r11 are the program's */
	};
	*mask = uc.sigmask;
	restore_altstack(&uc.stack, f->rsp);
	return 0;
}
