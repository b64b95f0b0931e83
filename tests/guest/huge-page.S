/*
 * tests/guest/huge-page.S -- a 1 GiB page maps what it says to its last byte,
 * its accessed and dirty bits are set, INVLPG of any address in it drops all
 * of it, and reserved bits of its entry fault (SDM vol. 3, "4-Level Paging").
 *
 * expect: rax=0x44332211 rbx=0x44332211 rcx=0x55 rdx=0xe3 rsi=0x9
 * expect: rdi=0xbf001234
 */
#include "test.inc"
	.set	PDPT, 0x200000
	.set	PML4, 0x1000
	.set	LIN, 0x8080000000	/* entry 1 of PML4, entry 2 of PDPT */

	gate	14, fault
	movl	$0x44332211, 0x301234
	movl	$0x55, 0x701234
	movq	$(PDPT | 3), PML4 + 8
	movq	$0x83, PDPT + 16
	mov	$LIN, %rbp
	mov	0x301234(%rbp), %eax
	movl	%eax, 0x501234(%rbp)
	mov	0x501234, %ebx
	mov	PDPT + 16, %rdx
	and	$0xfff, %edx		/* A and D beside what was written */

	/* Another GiB's worth: 4 MiB on, through an address far off. */
	movq	$0, PDPT + 16
	invlpg	0x3ff00000(%rbp)
	movq	$0x83, PDPT + 16
	mov	0x701234(%rbp), %ecx

	/* Bit 13 is reserved in a 1 GiB entry: #PF with P and RSVD. */
	movq	$0x2083, PDPT + 16
	invlpg	(%rbp)
	mov	0x3f001234(%rbp), %eax
1:	mov	%r8, %rsi
	mov	%cr2, %rdi
	mov	%edi, %edi
	mov	0x501234, %eax
	done

fault:	pop	%r8
	lea	1b(%rip), %r9
	mov	%r9, (%rsp)
	iretq
