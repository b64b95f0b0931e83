/*
 * tests/guest/real-mode.S -- real mode, often enough to be translated: bases
 * from selectors, accesses and stacks at the end of 64 KiB, IP that goes
 * round, code in several pages, 32-bit operands and addresses, and a segment
 * that kept a limit of 4 GiB (SDM vol. 3, "Real-Address Mode").
 *
 * expect: rax=0x1a rbx=0x50 rcx=0x77665544 rdx=0x2211 rsi=0xfffe rdi=0x1234
 * expect: rbp=0 rsp=0x7000
 */
#include "test.inc"
	.set	ROUNDS, 40
	.set	CODE16, 0x50
	.set	DATA16, 0x58
	leave_long_mode
	descriptor (GDT + CODE16), 0x10000, 0xffff, 0x9b
	descriptor (GDT + DATA16), 0, 0xffff, 0x93
	lgdt	gdt
	lidt	ivt
	mov	$SEL_DATA, %eax
	mov	%eax, %gs		/* 4 GiB */
	mov	$DATA16, %eax
	mov	%eax, %ds
	mov	%eax, %es
	mov	%eax, %ss
	movw	$handler - 0x10000, 13 * 4
	movw	$0x1000, 13 * 4 + 2
	movw	$handler - 0x10000, 12 * 4
	movw	$0x1000, 12 * 4 + 2
	ljmp	$CODE16, $1f - 0x10000
	.code16
1:	mov	%cr0, %eax
	and	$~1, %al
	mov	%eax, %cr0
	ljmp	$0x1000, $1f - 0x10000
1:	mov	$0x5000, %ax
	mov	%ax, %ds
	mov	$0x6000, %ax
	mov	%ax, %es
	xor	%ax, %ax
	mov	%ax, %gs		/* base 0, and the limit stays */
	mov	$0x4000, %ax
	mov	%ax, %ss
	mov	$0x7000, %esp
	movl	$0x77665544, 0x1230
	xor	%ebx, %ebx
	mov	$ROUNDS, %ebp

	/* Each kind of address; what was stored is found by another way. */
again:	mov	$0x1200, %edi
	mov	$0x30, %esi
	push	%bx
	mov	%di, %bx
	mov	(%bx, %si), %ecx
	mov	%ecx, %es:(%bx, %di)
	mov	%es:0x2400, %edx
	cmp	%ecx, %edx
	jne	bad
	addr32 mov %gs:(, %esi, 1), %eax
	add	%si, %bx
	lea	2(%bx), %ax
	cmp	$0x1232, %ax
	jne	bad
	mov	$0x300000, %eax
	incl	%gs:(%eax)
	mov	%gs:(%eax), %edx
	movl	$0x51230, %eax
	mov	%gs:(%eax), %eax
	cmp	%eax, %ecx
	jne	bad
	pop	%bx

	/* The last word of the segment is whole, the next is not: #GP. */
	mov	$0xfffe, %esi
	movw	$0x2211, (%si)
	mov	(%si), %dx
	mov	$1f - 0x10000, %di
	mov	1(%si), %ax
	jmp	bad
1:	/* SP goes round. */
	xor	%sp, %sp
	push	%edx
	cmp	$0xfffc, %esp
	jne	bad
	pop	%eax
	cmp	%eax, %edx
	jne	bad
	mov	$0xfffe, %sp
	mov	$1f - 0x10000, %di
	pop	%eax			/* #SS: half of it is beyond */
	jmp	bad
1:	mov	$0x7000, %esp

	/* Calls of both widths, to this page and another. */
	mov	$2, %cx
	call	double
	calll	doublel
	call	far_double
	push	$far_double - 0x10000
	pop	%ax
	call	*%ax
	cmp	$32, %cx
	jne	bad

	/* IP goes round, forwards and backwards. */
	mov	$1f - 0x10000, %di
	jmp	wraps
1:	mov	$2f - 0x10000, %di
	mov	$wraps - 0x10000, %eax
	jmp	*%ax
2:	dec	%ebp
	jnz	again
	mov	$0x1234, %edi
	movzx	%dx, %edx
	movl	%cs:number - 0x10000, %eax
	mov	0x1230, %ecx
bad:	out	%al, $0xf4
	hlt

double:	add	%cx, %cx
	ret
doublel:
	add	%cx, %cx
	retl
low:	jmp	*%di			/* wraps leads here */
number:	.long	0x1a

	/* DI: where to go on. */
handler:
	inc	%ebx
	add	$2, %sp
	push	%di
	iret
	.code32
ivt:	.word	0x3ff
	.long	0
gdt:	.word	0x7f
	.long	GDT
	.code16
	.org	0x1800
far_double:
	add	%cx, %cx
	ret
	.org	0xfff0
wraps:	.byte	0xe9			/* jmp low, 0x10000 less */
	.word	(low - wraps - 3) & 0xffff
