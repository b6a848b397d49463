; SPDX-License-Identifier: MIT
; entry.asm - the ways into and out of the kernel. All build a struct trap_frame (weft/arch.h).
; On entry from user mode %gs is swapped once and the frame lies at the top of the thread's
; kernel stack. Debug exceptions and NMIs can hit before that swap: they have stacks of their
; own and look at %gs.

%include "layout.inc"
%include "cfi.inc"

extern trap_dispatch, syscall_dispatch, user_return_work, thread_first_run
extern THREAD_USER_WORK			; offsetof(struct thread, user_work): thread.c

%macro PUSH_REGS 0
	CFI_PUSH rdi
	CFI_PUSH rsi
	CFI_PUSH rdx
	CFI_PUSH rcx
	CFI_PUSH rax
	CFI_PUSH r8
	CFI_PUSH r9
	CFI_PUSH r10
	CFI_PUSH r11
	CFI_PUSH rbx
	CFI_PUSH rbp
	CFI_PUSH r12
	CFI_PUSH r13
	CFI_PUSH r14
	CFI_PUSH r15
%endmacro

%macro POP_REGS 0
	CFI_POP r15
	CFI_POP r14
	CFI_POP r13
	CFI_POP r12
	CFI_POP rbp
	CFI_POP rbx
	CFI_POP r11
	CFI_POP r10
	CFI_POP r9
	CFI_POP r8
	CFI_POP rax
	CFI_POP rcx
	CFI_POP rdx
	CFI_POP rsi
	CFI_POP rdi
%endmacro

section .text

; ---- system calls: rcx = return address, r11 = flags; interrupts off by FMASK ----
align 16
global syscall_entry
syscall_entry:
	CFI_BEGIN start
	swapgs
	mov [gs:CPU_USER_RSP], rsp
	mov rsp, [gs:CPU_KERNEL_RSP]
	push SEL_UDATA
	push qword [gs:CPU_USER_RSP]
	push r11
	push SEL_UCODE
	push rcx
	push rax			; orig_rax
	push TRAP_SYSCALL
	PUSH_REGS
	mov rdi, rsp
	sti
	call syscall_dispatch
.return:
	cli
	mov rax, [gs:CPU_CURRENT]
	cmp dword [rax + THREAD_USER_WORK], 0
	jne .work
	cmp qword [rsp + FRAME_VECTOR], TRAP_SYSCALL
	jne frame_return		; rt_sigreturn: every register counts
	mov rcx, [rsp + FRAME_RIP]
	; SYSRET to a non-canonical address faults in ring 0, on the user's stack (SDM vol. 2, SYSRET)
	mov rax, rcx
	shr rax, 47
	jnz frame_return
	mov r15, [rsp]
	mov r14, [rsp + 8]
	mov r13, [rsp + 16]
	mov r12, [rsp + 24]
	mov rbp, [rsp + 32]
	mov rbx, [rsp + 40]
	mov r10, [rsp + 56]
	mov r9, [rsp + 64]
	mov r8, [rsp + 72]
	mov rax, [rsp + FRAME_RAX]
	mov rdx, [rsp + 96]
	mov rsi, [rsp + 104]
	mov rdi, [rsp + 112]
	mov r11, [rsp + FRAME_RFLAGS]
	mov rsp, [rsp + FRAME_RSP]
	swapgs
	o64 sysret
.work:
	sti
	mov rdi, rsp
	call user_return_work
	jmp .return
	CFI_END

; The 32-bit SYSCALL (AMD, from compatibility mode): there is no such user mode here.
align 16
global syscall_entry32
syscall_entry32:
	mov eax, -38			; ENOSYS
	o32 sysret

; ---- traps and interrupts ----
; With an error code the processor has pushed 6 words, else 5 and the stub adds -1.
%assign with_code (1 << 8) | (1 << 10) | (1 << 11) | (1 << 12) | (1 << 13) | (1 << 14) | (1 << 17)
%assign with_code with_code | (1 << 21) | (1 << 29) | (1 << 30)
%assign vec 0
%rep 256
trap_stub_ %+ vec:
%if vec >= 32 || !((with_code >> vec) & 1)
	push -1
%endif
	push vec
%if vec == 1 || vec == 2 || vec == 8 || vec == 18
	jmp trap_common_ist
%else
	jmp trap_common
%endif
%assign vec vec + 1
%endrep

align 16
trap_common:
	CFI_BEGIN trap, 56
	test byte [rsp + 24], 3		; cs, above vector, error code, rip
	jz .kernel
	CFI_END
	CFI_BEGIN start
	swapgs
	PUSH_REGS
	cld
	CLAC
	mov rdi, rsp
	call trap_dispatch
	jmp user_return
	CFI_END
.kernel:
	CFI_BEGIN trap, 56
	PUSH_REGS
	cld
	CLAC
	mov rdi, rsp
	call trap_dispatch
	POP_REGS
	add rsp, 16
	CFI_ADJUST -16
	iretq
	CFI_END

; To user mode with all registers of the frame at rsp; interrupts are off.
global user_return
user_return:
	CFI_BEGIN start
	mov rax, [gs:CPU_CURRENT]
	cmp dword [rax + THREAD_USER_WORK], 0
	jne user_work
frame_return:
	POP_REGS
	add rsp, 16
	swapgs
	iretq
user_work:
	sti
	mov rdi, rsp
	call user_return_work
	cli
	jmp user_return
	CFI_END

; On a stack of its own. From user mode: go over to the thread's stack and be an ordinary trap.
; From the kernel: %gs is the user's between entry and swapgs, so ask the MSR.
align 16
trap_common_ist:
	CFI_BEGIN trap, 56
	test byte [rsp + 24], 3
	jz .kernel
	CFI_END
	CFI_BEGIN start
	swapgs
	push rax
	mov rax, rsp
	mov rsp, [gs:CPU_KERNEL_RSP]
	push qword [rax + 56]		; ss
	push qword [rax + 48]
	push qword [rax + 40]
	push qword [rax + 32]
	push qword [rax + 24]		; rip
	push qword [rax + 16]		; error code
	push qword [rax + 8]		; vector
	mov rax, [rax]
	PUSH_REGS
	cld
	CLAC
	mov rdi, rsp
	call trap_dispatch
	jmp user_return
	CFI_END
.kernel:
	CFI_BEGIN trap, 56
	PUSH_REGS
	cld
	CLAC
	mov ecx, MSR_GS_BASE
	rdmsr
	xor ebx, ebx
	test edx, edx
	js .swapped
	swapgs
	inc ebx
.swapped:
	mov rdi, rsp
	call trap_dispatch
	test ebx, ebx
	jz .back
	swapgs
.back:
	POP_REGS
	add rsp, 16
	CFI_ADJUST -16
	iretq
	CFI_END

; ---- the first code of a thread, reached by the return of switch_stack ----
global thread_entry, thread_entry_user
thread_entry:
	CFI_BEGIN start
	mov rdi, r12
	call rbx
	ud2

thread_entry_user:
	call thread_first_run
	cli
	jmp user_return
	CFI_END

section .rodata
align 8
global trap_stubs
trap_stubs:
%assign vec 0
%rep 256
	dq trap_stub_ %+ vec
%assign vec vec + 1
%endrep
