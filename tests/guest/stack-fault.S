/*
 * tests/guest/stack-fault.S -- page faults between pushes and pops: the frame
 * has the stack pointer as it was then, whether or not the stack goes over
 * from one page to the next; often enough to be translated.
 *
 * expect: rbx=0xfffffffffffff880 rbp=0 rdx=7
 */
#include "test.inc"
	gate	14, handler
	mov	$0x8000000123, %rsi
	mov	$60, %ebp
	xor	%ebx, %ebx
again:	mov	$0x80000, %esp
	test	$1, %bpl
	jz	1f
	mov	$0x7f008, %esp
1:	mov	%rsp, %r12
	push	%rax
	push	%rbp
	mov	(%rsi), %rdx		/* faults at two words */
	pop	%rbp
	push	$7
	mov	(%rsi), %rdx		/* and so does this */
	pop	%rdx
	pop	%rax
	cmp	%rsp, %r12
	jne	fail
	dec	%ebp
	jnz	again
fail:	done
handler:
	pop	%rdi			/* error code */
	addq	$3, (%rsp)		/* RIP: behind the load */
	mov	24(%rsp), %rdi
	sub	%r12, %rdi
	add	%rdi, %rbx
	iretq
