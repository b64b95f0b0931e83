/*
 * tests/guest/ring3.S -- to ring 3 by IRETQ, back by an interrupt gate on the
 * TSS's stack; HLT there is #GP(0) (SDM vol. 3, "Privileged Instructions").
 *
 * expect: rbx=0 rcx=0x33 rdx=0x2b r8=0x7efd0
 */
#include "test.inc"
	gate	13, handler
	orq	$4, 0x1000
	orq	$4, 0x2000
	mov	%cr3, %rax
	mov	%rax, %cr3
	push	$SEL_USER_DATA
	push	$0x70000
	push	$2
	push	$SEL_USER64
	lea	user(%rip), %rax
	push	%rax
	iretq
user:	hlt
handler:
	mov	%rsp, %r8
	pop	%rbx
	mov	8(%rsp), %rcx
	mov	32(%rsp), %rdx
	done
