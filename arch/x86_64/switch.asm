; SPDX-License-Identifier: MIT
; switch.asm - from one kernel stack to another. The caller has saved what a call may clobber;
; flags need no saving, interrupts are off on both sides.

%include "cfi.inc"

section .text
; void switch_stack(u64 *save_rsp, u64 new_rsp)
global switch_stack
switch_stack:
	CFI_BEGIN call, 8
	CFI_PUSH rbx
	CFI_PUSH rbp
	CFI_PUSH r12
	CFI_PUSH r13
	CFI_PUSH r14
	CFI_PUSH r15
	mov [rdi], rsp
	mov rsp, rsi
	CFI_POP r15
	CFI_POP r14
	CFI_POP r13
	CFI_POP r12
	CFI_POP rbp
	CFI_POP rbx
	ret
	CFI_END
