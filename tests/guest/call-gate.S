/*
 * tests/guest/call-gate.S -- a 64-bit call gate from level 3 to level 0: the
 * stack of the TSS, five words on it; far return to level 3 (SDM vol. 3,
 * "IA-32e Mode Call Gates").
 *
 * expect: rbx=0x33 rcx=0x2b rdx=0x70000 rsi=0x7efe0 rdi=0x2b rbp=0x70000
 */
#include "test.inc"
	gate	6, undefined
	orq	$4, 0x1000
	orq	$4, 0x2000
	mov	%cr3, %rax
	mov	%rax, %cr3
	sub	$16, %rsp
	sgdt	(%rsp)
	movw	$0x6f, (%rsp)
	lgdt	(%rsp)
	lea	inner(%rip), %rax
	mov	%ax, GDT + 0x60
	movw	$SEL_CODE64, GDT + 0x62
	movw	$0xec00, GDT + 0x64	/* call gate, DPL 3 */
	shr	$16, %rax
	mov	%ax, GDT + 0x66
	movq	$0, GDT + 0x68
	push	$SEL_USER_DATA
	push	$0x70000
	push	$2
	push	$SEL_USER64
	lea	user(%rip), %rax
	push	%rax
	iretq
user:	lcall	*pointer(%rip)
	mov	%ss, %edi
	mov	%rsp, %rbp
	ud2
inner:	mov	%rsp, %rsi
	mov	8(%rsp), %rbx
	mov	16(%rsp), %rdx
	mov	24(%rsp), %rcx
	lretq
undefined:
	done
pointer:
	.long	0
	.word	0x60
