; SPDX-License-Identifier: MIT
; trampoline.asm - the first code of every further CPU: copied to a page below 640 KiB and
; entered there in real mode with cs = page / 16 (SDM vol. 3, 9.4). smp.c fills in the arguments
; at its end. It goes straight to long mode, in boot.asm's tables, which map the page at its
; physical address.

section .trampoline progbits alloc noexec nowrite align=16
global trampoline_args

%define HERE(label) (label - trampoline_base)

bits 16
trampoline_base:
	cli
	cld
	mov ax, cs
	mov ds, ax
	mov eax, [HERE(trampoline_args)]	; page tables
	mov cr3, eax
	mov eax, 0x20				; PAE
	mov cr4, eax
	mov ecx, 0xc0000080
	rdmsr
	or eax, [HERE(trampoline_args) + 4]	; LME, SCE, and NX if there is NX
	wrmsr
	lgdt [HERE(trampoline_args) + 16]
	mov eax, 0x80010033			; PG WP NE ET MP PE
	mov cr0, eax
	jmp far dword [HERE(trampoline_args) + 8]

bits 64
align 8
global trampoline_64
trampoline_64:
	mov eax, 0x18
	mov ds, eax
	mov es, eax
	mov ss, eax
	lea rbx, [rel trampoline_args]
	mov rsp, [rbx + 32]
	mov rdi, [rbx + 40]
	mov rax, [rbx + 48]
	mov rsi, rax
	; %gs before any C: locks count on it
	mov ecx, 0xc0000101
	mov rax, rdi
	mov rdx, rdi
	shr rdx, 32
	wrmsr
	call rsi			; the return address below 640 KiB ends backtraces

align 8
trampoline_args:
	dd 0				;  0 cr3
	dd 0				;  4 EFER bits
	dd 0				;  8 linear address of trampoline_64
	dw 0x10				; 12 its selector
	dw 0
	dw 0				; 16 GDT limit and linear address
	dd 0				; 18
	dw 0, 0, 0, 0, 0
	dq 0				; 32 stack
	dq 0				; 40 struct machine_cpu
	dq 0				; 48 entry
	dq 0, 0				; 56 GDT: null, unused
	dq 0x00af9b000000ffff		; 72 code
	dq 0x00cf93000000ffff		; 80 data
