/*
 * tests/guest/returns.S -- calls and returns that do not pair, or whose pages
 * are mapped anew in between (SDM vol. 3, "Invalidation of TLBs and
 * Paging-Structure Caches"); often enough for code that is translated.
 *
 * expect: rbx=3000 rbp=20200 rsi=20000 r8=300 r9=400
 */
#include "test.inc"
	.set	PD, SCRATCH
	.set	PT, SCRATCH + 0x1000
	.set	PAGES, SCRATCH + 0x2000	/* four of them */
	.set	V, 0x40000000		/* linear, as is what follows */
	.set	W, 0x40001000
	.set	STACK, 0xe00000

	mov	$STACK, %esp
	/* The second gigabyte is ours. */
	mov	%cr3, %rdi
	mov	(%rdi), %rdi
	and	$~0xfff, %rdi
	movq	$(PD + 3), 8(%rdi)
	movq	$(PT + 3), PD
	movq	$(PAGES + 3), PT
	movq	$(PAGES + 0x2003), PT + 8
	mov	%cr3, %rax
	mov	%rax, %cr3
	.irp	n, 0, 1, 2, 3
	lea	code\n(%rip), %rsi
	mov	$(PAGES + \n * 0x1000), %edi
	mov	$16, %ecx
	rep movsb
	.endr

	lea	swap(%rip), %eax
	sub	$(W + 5), %eax
	mov	%eax, PAGES + 0x2001
	mov	%eax, PAGES + 0x3001

	/* What is called is another page now and then. */
	xor	%ebx, %ebx
	mov	$50, %r12d
1:	movq	$(PAGES + 3), PT
	invlpg	V
	call	twenty
	movq	$(PAGES + 0x1003), PT
	mov	%cr3, %rax
	mov	%rax, %cr3
	call	twenty
	dec	%r12d
	jnz	1b

	/* What is returned to is another page now and then. */
	xor	%ebp, %ebp
	mov	$400, %r12d
1:	call	W
	dec	%r12d
	jnz	1b

	/* Deeper than anything keeps track of. */
	xor	%esi, %esi
	mov	$2, %r12d
1:	mov	$10000, %edi
	call	deep
	dec	%r12d
	jnz	1b

	/* Calls that are left all at once. */
	xor	%r8d, %r8d
	mov	$100, %r12d
1:	call	outer
	dec	%r12d
	jnz	1b

	/* Returns that are jumps, and calls that are none. */
	xor	%r9d, %r9d
	mov	$100, %r12d
1:	lea	2f(%rip), %rax
	push	%rax
	ret
	ud2
2:	inc	%r9d
	lea	target(%rip), %rax
	call	indirect
	call	safe
	dec	%r12d
	jnz	1b
	mov	$0x80000, %esp
	done

twenty:	mov	$20, %ecx
1:	call	V
	add	%eax, %ebx
	dec	%ecx
	jnz	1b
	ret

deep:	dec	%edi
	js	1f
	call	deep
	inc	%esi
1:	ret

outer:	call	middle
	inc	%r8d
	ret
middle:	mov	%rsp, %r13
	mov	$20, %edi
	call	inner
	ud2
inner:	dec	%edi
	js	1f
	call	inner
	ud2
1:	mov	%r13, %rsp
	add	$2, %r8d
	ret

/* As kernels do it that mistrust the predictor. */
indirect:
	call	1f
2:	pause
	jmp	2b
1:	mov	%rax, (%rsp)
	ret
target:	inc	%r9d
	ret
safe:	add	$2, %r9d
	jmp	1f
1:	call	2f
	ud2
2:	lea	8(%rsp), %rsp
	ret

/* Sometimes maps the other page that W may be, and tells so in two ways. */
swap:	test	$3, %r12d
	jnz	2f
	xorl	$(0x2000 ^ 0x3000), PT + 8
	test	$4, %r12d
	jz	1f
	invlpg	W
	ret
1:	mov	%cr3, %rax
	mov	%rax, %cr3
2:	ret

	.balign	16
code0:	mov	$1, %eax
	ret
	.balign	16
code1:	mov	$2, %eax
	ret
	.balign	16
code2:	.byte	0xe8			/* call swap, from W */
	.long	0
	add	$1, %ebp
	ret
	.balign	16
code3:	.byte	0xe8
	.long	0
	add	$100, %ebp
	ret
	.balign	16
