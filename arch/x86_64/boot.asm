; SPDX-License-Identifier: MIT
; boot.asm - the first instructions. GRUB enters in 32-bit protected mode (Multiboot2 3.3) both
; from BIOS and from UEFI; this maps the first 4 GiB at 0, at the direct map and at the kernel's
; base, enters long mode and calls boot_main() in the upper half. setup.c replaces the tables a
; moment later.

%include "layout.inc"
%include "cfi.inc"

%define MB2_MAGIC 0xe85250d6
%define PTE_TABLE 0x3			; present, writable
%define PDE_LARGE 0x83			; the same, 2 MiB page
%define DIRECT_MAP_SLOT 273		; (0xffff888000000000 >> 39) & 511
%define KERNEL_SLOT 511
%define KERNEL_PDPT_SLOT 510		; the last 2 GiB begin here

; linker script: physical addresses, which 32-bit code can hold
extern boot_pml4_phys, boot_pdpt_low_phys, boot_pdpt_high_phys, boot_pd_phys
extern boot_stack_top_phys, boot_info_phys
extern boot_main, boot_cpu

section .multiboot progbits alloc noexec nowrite align=8
mb_start:
	dd MB2_MAGIC, 0, mb_end - mb_start
	dd 0x100000000 - (MB2_MAGIC + 0 + (mb_end - mb_start))
	; framebuffer, optional and without a preference: UEFI machines have nothing else
	align 8
	dw 5, 1
	dd 20, 0, 0, 0
	align 8
	; modules on page boundaries: the initrd's pages become file pages in place
	dw 6, 0
	dd 8
	align 8
	dw 0, 0
	dd 8
mb_end:

section .boot.text progbits alloc exec nowrite align=16
bits 32
global _start
_start:
	cli
	cld
	mov ebp, eax			; magic
	mov esi, ebx			; boot information
	mov esp, boot_stack_top_phys
	rdtsc
	push edx
	push eax			; kept on the stack's top for the 64-bit half

	mov eax, 0x80000000
	cpuid
	cmp eax, 0x80000001
	jb no_long_mode
	mov eax, 0x80000001
	cpuid
	bt edx, 29
	jnc no_long_mode
	mov ebx, edx			; bit 20: NX

	mov edi, boot_pml4_phys
	mov dword [edi], boot_pdpt_low_phys + PTE_TABLE
	mov dword [edi + DIRECT_MAP_SLOT * 8], boot_pdpt_low_phys + PTE_TABLE
	mov dword [edi + KERNEL_SLOT * 8], boot_pdpt_high_phys + PTE_TABLE
	mov edi, boot_pdpt_low_phys
	mov eax, boot_pd_phys + PTE_TABLE
	mov dword [boot_pdpt_high_phys + KERNEL_PDPT_SLOT * 8], eax
	mov ecx, 4
.pdpt:
	mov [edi], eax
	add eax, 0x1000
	add edi, 8
	loop .pdpt
	mov edi, boot_pd_phys
	mov eax, PDE_LARGE
	mov ecx, 4 * 512
.pd:
	mov [edi], eax
	add eax, 0x200000
	add edi, 8
	loop .pd

	mov eax, boot_pml4_phys
	mov cr3, eax
	mov eax, 0x20			; PAE
	mov cr4, eax
	mov ecx, 0xc0000080		; EFER
	rdmsr
	or eax, 0x101			; LME, SCE
	bt ebx, 20
	jnc .no_nx
	or eax, 0x800
.no_nx:
	wrmsr
	mov eax, 0x80010033		; PG WP NE ET MP PE
	mov cr0, eax
	lgdt [boot_gdt_pointer]
	jmp SEL_KCODE:long_mode

no_long_mode:
	mov edi, .text
.next:
	mov dx, 0x3fd
	in al, dx
	test al, 0x20
	jz .next
	mov al, [edi]
	inc edi
	test al, al
	jz .stop
	mov dx, 0x3f8
	out dx, al
	jmp .next
.stop:
	hlt
	jmp .stop
.text:
	db "Weft needs a 64-bit x86 processor.", 13, 10, 0

bits 64
long_mode:
	mov eax, SEL_KDATA
	mov ds, eax
	mov es, eax
	mov ss, eax
	xor eax, eax
	mov fs, eax
	mov gs, eax
	mov rax, upper_half
	jmp rax

align 8
boot_gdt:
	dq 0, 0
	dq 0x00af9b000000ffff		; SEL_KCODE
	dq 0x00cf93000000ffff		; SEL_KDATA
boot_gdt_pointer:
	dw boot_gdt_pointer - boot_gdt - 1
	dq boot_gdt

section .text
upper_half:
	CFI_BEGIN start
	mov rdx, [rsp]			; entry TSC, through the identity map
	mov rsp, boot_stack_top
	mov r8, rdx
	mov ecx, MSR_GS_BASE		; locks count on %gs: before any C
	mov rax, boot_cpu
	mov rdx, rax
	shr rdx, 32
	wrmsr
	mov rdx, r8
	mov edi, ebp
	mov esi, esi
	call boot_main
	ud2
	CFI_END

section .bss
align 4096
global boot_pml4, boot_pdpt_low, boot_pdpt_high, boot_pd
boot_pml4:	resb 4096
boot_pdpt_low:	resb 4096
boot_pdpt_high:	resb 4096
boot_pd:	resb 4 * 4096
global boot_stack_guard, boot_stack, boot_stack_top
boot_stack_guard: resb 4096		; mmu.c leaves it unmapped
boot_stack:	resb 16384
boot_stack_top:
