; SPDX-License-Identifier: MIT
; usercopy.asm - accesses to user memory that may fault. A page fault at a listed instruction is
; either resolved and the instruction runs again, or execution goes on at its fixup. Address
; ranges have been checked by the callers (usercopy.c); only here are user pages accessible
; (STAC, SMAP).

%include "layout.inc"

section .text

; size_t user_copy(void *dst, const void *src, size_t n): bytes not copied
; Under emulation plain 8-byte moves are ten times faster than REP MOVSB; user_copy's jump is
; patched to the other form where timing says so (memselect.c).
align 16
global user_copy, user_copy_jump
user_copy:
	STAC
	cmp rdx, 64
	jb user_copy_tail
user_copy_jump:
	jmp strict near user_copy_mov8

align 16
global user_copy_mov8
user_copy_mov8:
.block:
%assign i 0
%rep 2
.a %+ i:	mov rax, [rsi + i * 32]
.b %+ i:	mov r8, [rsi + i * 32 + 8]
.c %+ i:	mov r9, [rsi + i * 32 + 16]
.d %+ i:	mov r10, [rsi + i * 32 + 24]
.e %+ i:	mov [rdi + i * 32], rax
.f %+ i:	mov [rdi + i * 32 + 8], r8
.g %+ i:	mov [rdi + i * 32 + 16], r9
.h %+ i:	mov [rdi + i * 32 + 24], r10
	EX_TABLE .a %+ i, user_copy_bytes
	EX_TABLE .b %+ i, user_copy_bytes
	EX_TABLE .c %+ i, user_copy_bytes
	EX_TABLE .d %+ i, user_copy_bytes
	EX_TABLE .e %+ i, user_copy_bytes
	EX_TABLE .f %+ i, user_copy_bytes
	EX_TABLE .g %+ i, user_copy_bytes
	EX_TABLE .h %+ i, user_copy_bytes
%assign i i + 1
%endrep
	add rsi, 64
	add rdi, 64
	sub rdx, 64
	cmp rdx, 64
	jae .block

user_copy_tail:				; rdx < 64
	cmp edx, 8
	jb .below8
.qword:
.r:	mov rax, [rsi]
.w:	mov [rdi], rax
	EX_TABLE .r, user_copy_bytes
	EX_TABLE .w, user_copy_bytes
	add rsi, 8
	add rdi, 8
	sub edx, 8
	cmp edx, 8
	jae .qword
.below8:
	cmp edx, 4
	jb user_copy_bytes
.rd:	mov eax, [rsi]
.wd:	mov [rdi], eax
	EX_TABLE .rd, user_copy_bytes
	EX_TABLE .wd, user_copy_bytes
	add rsi, 4
	add rdi, 4
	sub edx, 4
	; the rest; also from the start of the piece that faulted, to find the exact byte
user_copy_bytes:
	test rdx, rdx
	jz user_copy_done
.r:	mov al, [rsi]
.w:	mov [rdi], al
	EX_TABLE .r, user_copy_done
	EX_TABLE .w, user_copy_done
	inc rsi
	inc rdi
	dec rdx
	jmp user_copy_bytes
user_copy_done:
	CLAC
	mov rax, rdx
	ret

align 16
global user_copy_movsb
user_copy_movsb:
	mov rcx, rdx
.m:	rep movsb
	EX_TABLE .m, .fixup
.fixup:
	CLAC
	mov rax, rcx
	ret

; long user_strncpy(char *dst, const char *src, size_t max): length, max if cut, -1: fault
align 16
global user_strncpy
user_strncpy:
	STAC
	xor eax, eax
.next:
	cmp rax, rdx
	je .done
.r:	mov cl, [rsi + rax]
	EX_TABLE .r, .fault
	mov [rdi + rax], cl
	test cl, cl
	jz .done
	inc rax
	jmp .next
.fault:
	mov rax, -1
.done:
	CLAC
	ret

; int user_cmpxchg32(u32 *p, u32 old, u32 new, u32 *seen): 0, or -1 on a fault
align 16
global user_cmpxchg32
user_cmpxchg32:
	STAC
	mov eax, esi
.x:	lock cmpxchg [rdi], edx
	EX_TABLE .x, .fault
	CLAC
	mov [rcx], eax
	xor eax, eax
	ret
.fault:
	CLAC
	mov eax, -1
	ret
