/*
 * tests/guest/segments.S -- 32-bit code, often enough to be translated, with
 * segments that have a base, a limit or no right to be written to, with a
 * stack of 16 bits, and with a code segment that ends (SDM vol. 3, "Limit
 * Checking", "Type Checking").
 *
 * expect: rax=0x11 rbx=419 rcx=0x1234 rsi=0x300028 rbp=0 rsp=0x80000
 */
#include "test.inc"
	.set	ROUNDS, 40
	.set	SMALL, 0x50		/* 256 bytes at 2 MiB */
	.set	READONLY, 0x58
	.set	DOWN, 0x60		/* expand-down: above 0xffff */
	.set	STACK16, 0x68		/* 64 KiB at 1 MiB, SP */
	.set	SHORT, 0x70		/* code: ends behind short_end */
	leave_long_mode
	descriptor (GDT + SMALL), 0x200000, 0xff, 0x93, 4
	descriptor (GDT + READONLY), 0, 0xfffff, 0x91, 0xc
	descriptor (GDT + DOWN), 0, 0xffff, 0x97, 4
	descriptor (GDT + STACK16), 0x100000, 0xffff, 0x93, 0
	descriptor (GDT + SHORT), 0, 0x12fff, 0x9b, 4
	gate32	(IDT + 8 * 13), SEL_CODE32, handler
	gate32	(IDT + 8 * 12), SEL_CODE32, handler
	lidt	idt
	lgdt	gdt
	mov	$SEL_DATA, %eax
	mov	%eax, %ds
	mov	%eax, %es
	mov	%eax, %ss
	mov	$0x80000, %esp
	mov	$SMALL, %eax
	mov	%eax, %fs
	mov	$READONLY, %eax
	mov	%eax, %gs
	movl	$0x1234, 0x2000fc
	xor	%ebx, %ebx

	/* Everything else flat: faults in FS and GS only. */
	mov	$ROUNDS, %ebp
	mov	$0x300000, %esi
	movl	$0, (%esi)
1:	mov	%fs:0xfc, %ecx
	mov	$flat_read, %edx
	mov	$2f, %edi
flat_read:
	mov	%fs:0xfd, %ecx		/* one byte too far */
2:	mov	$flat_write, %edx
	mov	$3f, %edi
	push	%gs:(%esi)
	pop	%eax
flat_write:
	incl	%gs:(%esi)
3:	inc	%esi
	addr16	mov %fs:0xfc, %eax
	cmp	%eax, %ecx
	jne	bad
	dec	%ebp
	jnz	1b

	/* DS is not flat either. */
	mov	$DOWN, %eax
	mov	%eax, %ds
	mov	$ROUNDS, %ebp
1:	movl	$5, 0x10000
	mov	0x10000, %eax
	mov	$down, %edx
	mov	$2f, %edi
down:	mov	%eax, 0xfffe
2:	mov	%eax, %ss:0x300100
	lea	0x300100, %eax
	mov	%ss:(%eax), %eax
	cmp	$5, %eax
	jne	bad
	mov	$small, %edx
	mov	$3f, %edi
	mov	%ebp, %eax
	and	$0x1f, %eax
small:	cmpl	$0, %fs:0xf0(%eax)	/* beyond the end in 19 of 40 */
3:	dec	%ebp
	jnz	1b

	/* SP goes round; ESP's upper half stays. */
	mov	$SEL_DATA, %eax
	mov	%eax, %ds
	mov	$ROUNDS, %ebp
1:	mov	$STACK16, %eax
	mov	%eax, %ss
	mov	$0x50002, %esp
	push	%bp
	push	%ebp
	cmp	$0x5fffc, %esp
	jne	bad
	cmp	%ebp, 0x10fffc
	jne	bad
	call	sub16
	mov	$over, %edx
	mov	$3f, %edi
	mov	$0xfffe, %esp
over:	pop	%eax			/* #SS: half of it is beyond */
	jmp	bad
3:	mov	$SEL_DATA, %ecx
	mov	%ecx, %ss
	mov	$0x80000, %esp
	dec	%ebp
	jnz	1b

	/* Past the end of CS: by all kinds of branches. */
	mov	$ROUNDS, %ebp
	ljmp	$SHORT, $1f
1:	mov	$jump, %edx
	mov	$2f, %edi
jump:	jmp	far_away
2:	mov	$cond, %edx
	mov	$3f, %edi
	cmp	%eax, %eax
cond:	je	far_away
3:	mov	$calls, %edx
	mov	$4f, %edi
calls:	call	far_away
4:	mov	$ind, %edx
	mov	$5f, %edi
	mov	$far_away, %ecx
ind:	jmp	*%ecx
5:	mov	$callind, %edx
	mov	$6f, %edi
callind:
	call	*%ecx
6:	mov	$retn, %edx
	mov	$7f, %edi
	push	%ecx
retn:	ret
7:	pop	%ecx
	call	near_by
	cmp	$0x80000, %esp
	jne	bad
	dec	%ebp
	jnz	1b
	ljmp	$SEL_CODE32, $1f
1:	mov	$0x11, %eax
	mov	$0x1234, %ecx
bad:	out	%al, $0xf4
	hlt

sub16:	push	%eax
	pop	%ecx
	ret

	/* EDX is where it should be, EDI where to go on; on a flat stack. */
handler:
	add	$4, %esp
	cmp	%edx, %ss:(%esp)
	jne	bad
	inc	%ebx
	mov	%edi, %ss:(%esp)
	iret

idt:	.word	8 * 32 - 1
	.long	IDT
gdt:	.word	0x7f
	.long	GDT
	.org	0x2800
near_by:
	mov	%esp, %eax
	ret
	.org	0x4000
far_away:
	jmp	bad
