/*
 * tests/guest/alignment.S -- #AC(0) at level 3 with CR0.AM and RFLAGS.AC,
 * only there, and only for what is not aligned (SDM vol. 3, "Alignment Check
 * Exception").
 *
 * expect: rax=0 rbx=1 rcx=0x11223344 rdx=1
 */
#include "test.inc"
	gate	17, handler
	orq	$4, 0x1000
	orq	$4, 0x2000
	mov	%cr3, %rax
	mov	%rax, %cr3
	mov	%cr0, %rax
	or	$0x40000, %eax		/* AM */
	mov	%rax, %cr0
	movl	$0x11223344, SCRATCH + 4
	movl	$0x55667788, SCRATCH + 9
	pushq	$0x40002
	popfq
	mov	SCRATCH + 9, %eax	/* level 0 may */
	push	$SEL_USER_DATA
	push	$0x70000
	push	$0x40002
	push	$SEL_USER64
	lea	user(%rip), %rax
	push	%rax
	iretq
user:	mov	SCRATCH + 4, %ecx
	mov	SCRATCH + 9, %al
fault:	mov	SCRATCH + 9, %eax
	hlt
handler:
	inc	%ebx
	pop	%rax
	lea	fault(%rip), %rdi
	xor	%edx, %edx
	cmp	%rdi, (%rsp)
	sete	%dl
	done
