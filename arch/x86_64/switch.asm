; SPDX-License-Identifier: MIT
; switch.asm - from one kernel stack to another. The caller has saved what a call may clobber;
; flags need no saving, interrupts are off on both sides.

section .text
; void switch_stack(u64 *save_rsp, u64 new_rsp)
global switch_stack
switch_stack:
	push rbx
	push rbp
	push r12
	push r13
	push r14
	push r15
	mov [rdi], rsp
	mov rsp, rsi
	pop r15
	pop r14
	pop r13
	pop r12
	pop rbp
	pop rbx
	ret
