; SPDX-License-Identifier: MIT
; memroutines.asm - memcpy, memset and the Internet checksum, each in the forms between which
; memselect.c chooses by timing. Up to 64 bytes go through a short common path; beyond, a jump,
; patched once at boot, leads to the chosen form. All work before the choice was made.

%include "cfi.inc"

section .text
CFI_BEGIN call, 8

; void *memcpy(void *d, const void *s, size_t n)
; Both ends are loaded before anything is stored, so the short path serves memmove as well.
align 16
global memcpy, memcpy_jump, memcpy_mov8, memcpy_movsq, memcpy_movsb
memcpy:
	mov rax, rdi
	cmp rdx, 64
	ja memcpy_jump
copy_short:
	cmp edx, 16
	jb .below16
	cmp edx, 32
	ja .above32
	mov rcx, [rsi]
	mov r8, [rsi + 8]
	mov r9, [rsi + rdx - 16]
	mov r10, [rsi + rdx - 8]
	mov [rdi], rcx
	mov [rdi + 8], r8
	mov [rdi + rdx - 16], r9
	mov [rdi + rdx - 8], r10
	ret
.above32:
	CFI_PUSH rbx
	mov rcx, [rsi]
	mov r8, [rsi + 8]
	mov r9, [rsi + 16]
	mov r10, [rsi + 24]
	mov r11, [rsi + rdx - 32]
	mov rbx, [rsi + rdx - 24]
	CFI_PUSH rbp
	mov rbp, [rsi + rdx - 16]
	mov rsi, [rsi + rdx - 8]
	mov [rdi], rcx
	mov [rdi + 8], r8
	mov [rdi + 16], r9
	mov [rdi + 24], r10
	mov [rdi + rdx - 32], r11
	mov [rdi + rdx - 24], rbx
	mov [rdi + rdx - 16], rbp
	mov [rdi + rdx - 8], rsi
	CFI_POP rbp
	CFI_POP rbx
	ret
.below16:
	cmp edx, 8
	jb .below8
	mov rcx, [rsi]
	mov r8, [rsi + rdx - 8]
	mov [rdi], rcx
	mov [rdi + rdx - 8], r8
	ret
.below8:
	cmp edx, 4
	jb .below4
	mov ecx, [rsi]
	mov r8d, [rsi + rdx - 4]
	mov [rdi], ecx
	mov [rdi + rdx - 4], r8d
	ret
.below4:
	cmp edx, 1
	jb .none
	je .one
	mov cx, [rsi]
	mov r8b, [rsi + rdx - 1]
	mov [rdi], cx
	mov [rdi + rdx - 1], r8b
.none:
	ret
.one:
	mov cl, [rsi]
	mov [rdi], cl
	ret

align 16
memcpy_jump:
	jmp strict near memcpy_mov8

%macro copy_words 1			; %1 bytes, a multiple of 32
%assign i 0
%rep %1 / 32
	mov rcx, [rsi + i]
	mov r8, [rsi + i + 8]
	mov r9, [rsi + i + 16]
	mov r10, [rsi + i + 24]
	mov [rdi + i], rcx
	mov [rdi + i + 8], r8
	mov [rdi + i + 16], r9
	mov [rdi + i + 24], r10
%assign i i + 32
%endrep
	add rsi, %1
	add rdi, %1
	sub rdx, %1
%endmacro

align 16
memcpy_mov8:				; n > 64, rax = d
	cmp rdx, 256
	jbe .short
.next256:
	copy_words 256
	cmp rdx, 256
	ja .next256
.short:
	cmp edx, 128
	jbe .below128
	copy_words 128
.below128:
	cmp edx, 64
	jbe copy_short
	copy_words 64
	jmp copy_short

align 16
memcpy_movsq:
	mov rcx, rdx
	and edx, 7
	shr rcx, 3
	rep movsq
	jmp copy_short

align 16
memcpy_movsb:
	mov rcx, rdx
	rep movsb
	ret

; void *memmove(void *d, const void *s, size_t n)
align 16
global memmove
memmove:
	mov rax, rdi
	cmp rdx, 64
	jbe copy_short
	mov rcx, rdi
	sub rcx, rsi
	cmp rcx, rdx
	jae .forward			; d is below s, or behind its end
	; backwards from the ends, whole words first
	add rsi, rdx
	add rdi, rdx
.back:
	mov rcx, [rsi - 8]
	mov r8, [rsi - 16]
	mov r9, [rsi - 24]
	mov r10, [rsi - 32]
	mov [rdi - 8], rcx
	mov [rdi - 16], r8
	mov [rdi - 24], r9
	mov [rdi - 32], r10
	sub rsi, 32
	sub rdi, 32
	sub rdx, 32
	cmp rdx, 64
	ja .back
	sub rsi, rdx
	sub rdi, rdx
	jmp copy_short
.forward:
	neg rcx
	cmp rcx, rdx
	jae memcpy_jump			; no overlap (s - d as an unsigned number)
	; d below s: every block is loaded before it is stored
.overlap:
	mov rcx, [rsi]
	mov r8, [rsi + 8]
	mov r9, [rsi + 16]
	mov r10, [rsi + 24]
	mov [rdi], rcx
	mov [rdi + 8], r8
	mov [rdi + 16], r9
	mov [rdi + 24], r10
	add rsi, 32
	add rdi, 32
	sub rdx, 32
	cmp rdx, 64
	ja .overlap
	jmp copy_short

; void *memset(void *d, int c, size_t n)
align 16
global memset, memset_jump, memset_mov8, memset_stosq, memset_stosb
memset:
	movzx esi, sil
	mov rcx, 0x0101010101010101
	imul rsi, rcx
	mov rax, rdi
	cmp rdx, 64
	ja memset_jump
set_short:
	cmp edx, 16
	jb .below16
	mov [rdi], rsi
	mov [rdi + 8], rsi
	mov [rdi + rdx - 16], rsi
	mov [rdi + rdx - 8], rsi
	cmp edx, 32
	jbe .done
	mov [rdi + 16], rsi
	mov [rdi + 24], rsi
	mov [rdi + rdx - 32], rsi
	mov [rdi + rdx - 24], rsi
.done:
	ret
.below16:
	cmp edx, 8
	jb .below8
	mov [rdi], rsi
	mov [rdi + rdx - 8], rsi
	ret
.below8:
	cmp edx, 4
	jb .below4
	mov [rdi], esi
	mov [rdi + rdx - 4], esi
	ret
.below4:
	cmp edx, 1
	jb .done
	mov [rdi], sil
	mov [rdi + rdx - 1], sil
	je .done
	mov [rdi + 1], sil
	ret

align 16
memset_jump:
	jmp strict near memset_mov8

align 16
memset_mov8:				; n > 64, rsi = the byte eight times
	sub rdx, 256
	jb .rest
.next256:
%assign i 0
%rep 32
	mov [rdi + i * 8], rsi
%assign i i + 1
%endrep
	add rdi, 256
	sub rdx, 256
	jae .next256
.rest:
	add rdx, 256
	cmp rdx, 64
	jbe set_short
.block:
%assign i 0
%rep 8
	mov [rdi + i * 8], rsi
%assign i i + 1
%endrep
	add rdi, 64
	sub rdx, 64
	cmp rdx, 64
	ja .block
	jmp set_short

align 16
memset_stosq:
	mov r8, rax
	mov rax, rsi
	mov rcx, rdx
	and edx, 7
	shr rcx, 3
	rep stosq
	mov rax, r8
	jmp set_short

align 16
memset_stosb:
	mov r8, rax
	mov eax, esi
	mov rcx, rdx
	rep stosb
	mov rax, r8
	ret

; u32 csum_partial(const void *p, size_t n, u32 sum): RFC 1071. Words as they lie in memory.
; csum_split adds 64-bit words without carries into one sum, and their upper halves into another:
; from both follows the lower halves' sum, and nothing is lost below 32 GiB.
; csum_adc keeps the carry flag through a chain of 64-bit adds: better on hardware, worse emulated,
; where ADC asks for all flags. The carry of csum_adcx (ADX) stays a number there: it takes the time
; of csum_split with a quarter of the instructions.
align 16
global csum_partial, csum_jump, csum_split, csum_adc, csum_adcx
csum_partial:
	mov eax, edx			; the sum so far
csum_jump:
	jmp strict near csum_split

%macro split_words 1			; of %1 bytes at rdi
%assign i 0
%rep %1 / 8
	mov rcx, [rdi + i]
	add rax, rcx
	shr rcx, 32
	add r8, rcx
%assign i i + 8
%endrep
%endmacro

align 16
csum_split:
	xor r8d, r8d
	sub rsi, 64
	jb .short
.next64:
	split_words 64
	add rdi, 64
	sub rsi, 64
	jae .next64
.short:
	add rsi, 64
.next16:
	cmp esi, 16
	jb .halves
	split_words 16
	add rdi, 16
	sub esi, 16
	jmp .next16
.halves:				; what is not the upper halves is the lower ones
	mov rcx, r8
	shl rcx, 32
	sub rax, rcx

; rax and r8: sums of 32-bit words; esi bytes left at rdi, less than 16
csum_tail:
	add rax, r8
.next4:
	cmp esi, 4
	jb .last
	mov ecx, [rdi]
	add rax, rcx
	add rdi, 4
	sub esi, 4
	jmp .next4
.last:
	xor ecx, ecx
	test esi, 1
	jz .word
	movzx ecx, byte [rdi + rsi - 1]
	test esi, 2
	jz .add
	shl ecx, 16
.word:
	test esi, 2
	jz .add
	movzx r8d, word [rdi]
	or ecx, r8d
.add:
	add rax, rcx
csum_fold64:				; 64 -> 32 bits, twice for the carry
	mov rcx, rax
	shr rcx, 32
	add eax, ecx
	adc eax, 0
	ret

; A chain of additions by %1 (adc, adcx), each %2 bytes long: CHAIN_WORDS of 64 bits a turn, the
; carry handed from one to the next. The first turn begins where as many are left as are over, which
; may be at its end.
CHAIN_WORDS equ 128
%macro chain 2
	mov rcx, rsi
	shr rcx, 3
	mov edx, CHAIN_WORDS
	mov r8d, ecx
	and r8d, CHAIN_WORDS - 1
	sub edx, r8d			; the words that the first turn leaves out
	shr rcx, 7			; turns behind it
	lea r8, [rdx * 8]
	sub rdi, r8
	imul edx, edx, %2
	lea r8, [rel %%turn]
	add rdx, r8
	xor r8d, r8d			; the carry is clear
	jmp rdx
align 16
%%turn:
%assign i 0
%rep CHAIN_WORDS
	%1 rax, [dword rdi + i]
%assign i i + 8
%endrep
%if $ - %%turn != CHAIN_WORDS * %2
	%error an addition is not as long as was said
%endif
	%1 rax, r8
	add rdi, CHAIN_WORDS * 8	; clears the carry
	dec rcx
	jns %%turn
	and esi, 7
	jz csum_fold64
	mov r8, rax
	shr r8, 32
	mov eax, eax
	jmp csum_tail
%endmacro

align 16
csum_adc:
	chain adc, 7

align 16
csum_adcx:
	chain adcx, 10

; u64 routine_call(fn, rdi, rsi, rdx, rax): enters one of the forms above, for memselect.c's timing
align 16
global routine_call
routine_call:
	mov r11, rdi
	mov rdi, rsi
	mov rsi, rdx
	mov rdx, rcx
	mov rax, r8
	jmp r11
CFI_END
