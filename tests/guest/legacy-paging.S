/*
 * tests/guest/legacy-paging.S -- out of long mode, then 32-bit paging with
 * 4 KiB and 4 MiB pages, accessed and dirty bits, CR0.WP; then PAE (SDM vol.
 * 3, "32-Bit Paging", "PAE Paging").
 *
 * expect: rax=0x11223344 rbx=0x63 rcx=0x23 rdx=0xa3 rsi=0x55667788 rdi=0x3
 * expect: rbp=0x800000
 */
#include "test.inc"
	.set	PD, 0x200000
	.set	PT, 0x201000
	.set	PDPT, 0x202000
	.set	PD2, 0x203000
	movl	$0x11223344, 0x300000
	movl	$0x55667788, 0x800000
	pushq	$SEL_CODE32
	lea	compat(%rip), %rax
	push	%rax
	lretq
	.code32
compat:
	mov	%cr0, %eax
	and	$0x7fffffff, %eax
	mov	%eax, %cr0		/* paging off: leaves long mode */
	mov	$0xc0000080, %ecx
	rdmsr
	and	$~0x100, %eax		/* LME */
	wrmsr
	mov	$0x10, %eax		/* CR4: PSE, no PAE */
	mov	%eax, %cr4
	movl	$(PT | 3), PD		/* 0: 4 KiB pages */
	movl	$0x83, PD + 4		/* 4 MiB: the first 4 MiB again */
	movl	$0x800081, PD + 8	/* 8 MiB: read only */
	xor	%edi, %edi
1:	mov	%edi, %eax
	shl	$12, %eax
	or	$3, %eax
	mov	%eax, PT(, %edi, 4)
	inc	%edi
	cmp	$1024, %edi
	jb	1b
	mov	$PD, %eax
	mov	%eax, %cr3
	mov	%cr0, %eax
	or	$0x80000000, %eax
	and	$~0x10000, %eax		/* WP off */
	mov	%eax, %cr0
	mov	0x400000 + 0x300000, %edi
	movl	$1, 0x308000		/* A and D of that page */
	mov	0x309000, %ebx		/* A only */
	movl	$0x55667788, 0x800000	/* read only, but WP is off */
	mov	0x800000, %esi
	mov	PT + 0x308 * 4, %ebx
	and	$0xfff, %ebx
	mov	PT + 0x309 * 4, %ecx
	and	$0xfff, %ecx
	mov	PD + 4, %edx
	and	$0xfff, %edx
	push	%edi
	/* PAE: 2 MiB pages, the first GiB only. */
	mov	%cr0, %eax
	and	$0x7fffffff, %eax
	mov	%eax, %cr0
	movl	$(PD2 | 1), PDPT
	movl	$0x83, PD2
	movl	$0x200083, PD2 + 8
	movl	$0x800083, PD2 + 16	/* 4 MiB: physical 8 MiB */
	movl	$0x30, %eax
	mov	%eax, %cr4
	mov	$PDPT, %eax
	mov	%eax, %cr3
	mov	%cr0, %eax
	or	$0x80000000, %eax
	mov	%eax, %cr0
	mov	0x400000, %eax
	cmp	%esi, %eax
	jne	2f
	mov	PD2 + 16, %ebp
	and	$~0xfff, %ebp
2:	mov	$3, %edi
	pop	%eax
	out	%al, $0xf4
	hlt
