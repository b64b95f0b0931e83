/*
 * tests/guest/invpcid.S -- PCIDs and INVPCID of all four types: what they
 * must drop is dropped, a load of CR3 with bit 63 set keeps nothing stale of
 * its own PCID that was invalidated, and bad descriptors are #GP(0) (SDM vol.
 * 2A, "INVPCID"; vol. 3, "Process-Context Identifiers").
 *
 * Each digit of rbx: a page read after its translation was changed and the
 * right invalidation done.  rcx: how many #GP.  rdx: CR3 without bit 63.
 *
 * expect: rbx=0x21212 rcx=0x6 rdx=0x1007
 */
#include "test.inc"
	.set	PT, 0x200000		/* PT for 4 MiB to 6 MiB */
	.set	PD, 0x201000
	.set	PDPT, 0x202000
	.set	PML4, 0x1000
	.set	PAGE1, 0x300000
	.set	PAGE2, 0x301000
	.set	LIN, 0x8000400000	/* entry 1 of PML4 */

	.macro	look			/* append the page's digit to rbx */
	shl	$4, %rbx
	mov	(%rdi), %eax
	or	%rax, %rbx
	.endm
	.macro	point page, global=0	/* the page is now that */
	movq	$(\page | 3 | (\global << 8)), PT
	.endm
	.macro	inv type, pcid=7, lin=0
	mov	$\type, %rax
	movq	$\pcid, SCRATCH
	mov	$\lin, %rsi
	mov	%rsi, SCRATCH + 8
	invpcid	SCRATCH, %rax
	.endm

	gate	13, fault
	movl	$1, PAGE1
	movl	$2, PAGE2
	movq	$(PDPT | 3), PML4 + 8
	movq	$(PD | 3), PDPT
	movq	$(PT | 3), PD + 16
	xor	%ebx, %ebx
	xor	%ecx, %ecx
	mov	$LIN, %rdi
	mov	$PML4, %rax
	mov	%rax, %cr3
	mov	%cr4, %rax
	or	$0x20080, %rax		/* PCIDE, PGE */
	mov	%rax, %cr4
	mov	$(PML4 | 7), %rax
	mov	%rax, %cr3

	point	PAGE1
	mov	(%rdi), %eax
	point	PAGE2
	inv	0, 7, LIN		/* one address */
	look
	point	PAGE1
	inv	1			/* one PCID */
	look
	point	PAGE2
	inv	3			/* all but global ones */
	look
	point	PAGE1, 1
	inv	2			/* all */
	look
	mov	(%rdi), %eax
	point	PAGE2, 1
	inv	2			/* global ones too */
	look

	mov	$(PML4 | 7), %rax
	bts	$63, %rax
	mov	%rax, %cr3		/* need not flush */
	mov	%cr3, %rdx

	inv	4			/* no such type */
	inv	0, 0x1007, LIN		/* PCIDs have 12 bits */
	inv	2, 0x1000		/* also where it does not matter */
	inv	0, 7, 0x800000000000	/* not canonical */
	mov	$PML4, %rax
	mov	%rax, %cr3
	mov	%cr4, %rax
	and	$~0x20000, %rax
	mov	%rax, %cr4
	inv	1, 1			/* only PCID 0 without CR4.PCIDE */
	mov	$(PML4 | 7), %rax
	mov	%rax, %cr3
	mov	%cr4, %rax
	or	$0x20000, %rax
	mov	%rax, %cr4		/* CR3[11:0] must be 0: 3 bytes */
	done

	/* All that may fault here is INVPCID (10 bytes) or MOV CR4 (3). */
fault:
	inc	%ecx
	add	$8, %rsp
	mov	(%rsp), %rsi
	cmpb	$0x66, (%rsi)
	jne	1f
	addq	$7, (%rsp)
1:	addq	$3, (%rsp)
	iretq
