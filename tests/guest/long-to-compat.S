/*
 * tests/guest/long-to-compat.S -- far return into a 32-bit code segment and
 * back; 32-bit operations there.
 *
 * expect: rax=0xfffffffe rbx=0x10 rcx=0x1234
 */
#include "test.inc"
	pushq	$SEL_CODE32
	lea	compat(%rip), %rax
	push	%rax
	lretq
	.code32
compat:
	mov	$0x1234, %ecx
	mov	$-1, %eax
	dec	%eax
	mov	%ds, %ebx
	ljmp	$SEL_CODE64, $back
	.code64
back:	done
