/*
 * tests/guest/last-page.S -- writes to the last page of the address space,
 * which is not mapped, fault each time; the TLB entry that such an address
 * shares with another page was just invalidated.
 *
 * expect: rcx=8 rbx=2 cr2=0xfffffffffffffff8
 */
#include "test.inc"
	gate	14, handler
	xor	%esi, %esi
	xor	%ecx, %ecx
	mov	$8, %ebp
again:
	movl	$1, 0x7ff000
	invlpg	0x7ff000
	movl	$0x55, -8(%rsi)
next:
	dec	%ebp
	jnz	again
	done
handler:
	inc	%ecx
	pop	%rbx			/* error code */
	movq	$next, (%rsp)
	iretq
