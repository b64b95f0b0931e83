/*
 * tests/guest/smap-smep-umip.S -- SMAP keeps ring 0 from user data unless
 * RFLAGS.AC is set by STAC, SMEP from user code, UMIP ring 3 from SGDT; NX
 * pages do not run (SDM vol. 3, "Access Rights", "User-Mode Instruction
 * Prevention").  Each leaves a page fault's error code, UMIP vector 13.
 *
 * rax: a read with SMAP; rbx: after STAC; rcx: a jump with SMEP; rdx: with NX
 *
 * expect: rax=0x1 rbx=0x1234 rcx=0x11 rdx=0x11 rsi=0xd
 */
#include "test.inc"
	.set	PT, 0x200000
	.set	PD, 0x201000
	.set	PDPT, 0x202000
	.set	PML4, 0x1000
	.set	PAGE, 0x300000
	.set	LIN, 0x8000000000


	gate	14, fault
	gate	13, fault13
	movl	$0x1234, PAGE
	movb	$0xc3, PAGE + 8		/* RET */
	movq	$(PDPT | 7), PML4 + 8
	movq	$(PD | 7), PDPT
	movq	$(PT | 7), PD
	movq	$(PAGE | 7), PT
	mov	$LIN, %rbp
	mov	$0xc0000080, %ecx
	rdmsr
	or	$0x800, %eax		/* NXE */
	wrmsr
	mov	%cr4, %rax
	or	$0x300800, %rax		/* SMAP, SMEP, UMIP */
	mov	%rax, %cr4

	lea	1f(%rip), %r9
	mov	(%rbp), %eax		/* user data */
	xor	%r8d, %r8d
1:	mov	%r8d, %r10d
	stac
	lea	1f(%rip), %r9
	mov	(%rbp), %ebx
1:	clac
	lea	1f(%rip), %r9
	lea	8(%rbp), %rax
	mov	%rsp, %r12
	call	*%rax			/* user code */
	xor	%r8d, %r8d
1:	mov	%r12, %rsp
	mov	%r8d, %r11d

	mov	%cr4, %rax
	and	$~0x100000, %rax	/* SMEP off: NX by itself */
	mov	%rax, %cr4
	btsq	$63, PT
	invlpg	(%rbp)
	lea	1f(%rip), %r9
	lea	8(%rbp), %rax
	call	*%rax
	xor	%r8d, %r8d
1:	mov	%r12, %rsp
	mov	%r8d, %r13d

	/* Ring 3 sees the page of its code there. */
	lea	user(%rip), %rax
	mov	%rax, %rdx
	and	$~0xfff, %rax
	or	$7, %rax
	mov	%rax, PT
	invlpg	(%rbp)
	and	$0xfff, %edx
	add	%rbp, %rdx
	movq	$0x70000, TSS + 4	/* RSP0 */
	pushq	$SEL_USER_DATA
	pushq	$0x60000
	pushq	$2
	pushq	$SEL_USER64
	push	%rdx
	iretq
user:	sgdt	SCRATCH
	ud2

fault:	pop	%r8
	mov	%r9, (%rsp)
	iretq
fault13:
	mov	$13, %esi
	mov	%r10d, %eax
	mov	%r11d, %ecx
	mov	%r13d, %edx
	done
