; SPDX-License-Identifier: MIT
; usercopy.asm - accesses to user memory that may fault. A page fault at a listed instruction is
; either resolved and the instruction runs again, or execution goes on at its fixup. Address
; ranges have been checked by the callers (usercopy.c); only here are user pages accessible
; (STAC, SMAP).

%include "layout.inc"
%include "cfi.inc"

section .text
CFI_BEGIN call, 8

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

; %1 bytes at offset %2. Its 32-byte rows are numbered from %3 on, for the labels. A fault goes to
; %4.
%macro copy_block 4
%assign n %3
%assign i 0
%rep %1 / 32
.a %+ n:	mov rax, [rsi + %2 + i]
.b %+ n:	mov r8, [rsi + %2 + i + 8]
.c %+ n:	mov r9, [rsi + %2 + i + 16]
.d %+ n:	mov r10, [rsi + %2 + i + 24]
.e %+ n:	mov [rdi + %2 + i], rax
.f %+ n:	mov [rdi + %2 + i + 8], r8
.g %+ n:	mov [rdi + %2 + i + 16], r9
.h %+ n:	mov [rdi + %2 + i + 24], r10
	EX_TABLE .a %+ n, %4
	EX_TABLE .b %+ n, %4
	EX_TABLE .c %+ n, %4
	EX_TABLE .d %+ n, %4
	EX_TABLE .e %+ n, %4
	EX_TABLE .f %+ n, %4
	EX_TABLE .g %+ n, %4
	EX_TABLE .h %+ n, %4
%assign i i + 32
%assign n n + 1
%endrep
%endmacro

align 16
global user_copy_mov8
user_copy_mov8:				; rdx >= 64
	sub rdx, 256
	jb .below256
.next256:
	copy_block 256, 0, 0, .fault
	add rsi, 256
	add rdi, 256
	sub rdx, 256
	jae .next256
.below256:
	add rdx, 256
	test edx, 128
	jz .below128
	copy_block 128, 0, 8, user_copy_bytes
	add rsi, 128
	add rdi, 128
	sub edx, 128
.below128:
	test edx, 64
	jz .end
	copy_block 64, 0, 12, user_copy_bytes
	add rsi, 64
	add rdi, 64
	sub edx, 64
	jz user_copy_done
.end:					; rdx < 64: with bytes that were copied before, in one go
	cmp edx, 32
	ja .above32
	test edx, edx
	jz user_copy_done
	copy_block 32, rdx - 32, 14, user_copy_bytes
	jmp .all
.above32:
	copy_block 64, rdx - 64, 15, user_copy_bytes
.all:
	xor edx, edx
	jmp user_copy_done
.fault:
	add rdx, 256
	jmp user_copy_bytes

; Rows of 8 bytes, or of 4, until both ends of what is left are within one pair of them: it may
; overlap. After a fault the pair begins again, by bytes.
user_copy_tail:				; rdx < 64
	cmp edx, 16
	ja .above16
.pair:
	cmp edx, 8
	jb .below8
.r:	mov rax, [rsi]
.s:	mov r8, [rsi + rdx - 8]
.w:	mov [rdi], rax
.x:	mov [rdi + rdx - 8], r8
	EX_TABLE .r, user_copy_bytes
	EX_TABLE .s, user_copy_bytes
	EX_TABLE .w, user_copy_bytes
	EX_TABLE .x, user_copy_bytes
	xor edx, edx
	jmp user_copy_done
.above16:
.ra:	mov rax, [rsi]
.rb:	mov r8, [rsi + 8]
.wa:	mov [rdi], rax
.wb:	mov [rdi + 8], r8
	EX_TABLE .ra, user_copy_bytes
	EX_TABLE .rb, user_copy_bytes
	EX_TABLE .wa, user_copy_bytes
	EX_TABLE .wb, user_copy_bytes
	add rsi, 16
	add rdi, 16
	sub edx, 16
	cmp edx, 16
	ja .above16
	jmp .pair
.below8:
	cmp edx, 4
	jb user_copy_bytes
.rd:	mov eax, [rsi]
.sd:	mov r8d, [rsi + rdx - 4]
.wd:	mov [rdi], eax
.xd:	mov [rdi + rdx - 4], r8d
	EX_TABLE .rd, user_copy_bytes
	EX_TABLE .sd, user_copy_bytes
	EX_TABLE .wd, user_copy_bytes
	EX_TABLE .xd, user_copy_bytes
	xor edx, edx
	jmp user_copy_done
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

; s64 user_get32(const u32 *p): the word, or -EFAULT; int user_put32(u32 *p, u32 v): 0, or -EFAULT
align 16
global user_get32
user_get32:
	STAC
.r:	mov eax, [rdi]
	EX_TABLE .r, user32_fault
	CLAC
	ret
align 16
global user_put32
user_put32:
	STAC
.w:	mov [rdi], esi
	EX_TABLE .w, user32_fault
	CLAC
	xor eax, eax
	ret
user32_fault:
	CLAC
	mov rax, -14
	ret
CFI_END
