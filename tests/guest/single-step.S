/*
 * tests/guest/single-step.S -- RFLAGS.TF: #DB after each instruction, DR6.BS
 * set, RIP behind the instruction (SDM vol. 3, "Single-Step Exception
 * Condition").
 *
 * expect: rcx=3 rbx=0x4000
 */
#include "test.inc"
	gate	1, handler
	xor	%ecx, %ecx
	pushfq
	orl	$0x100, (%rsp)
	popfq				/* no trap after this one */
	nop
	nop
	mov	$5, %edx
	done
handler:
	inc	%ecx
	mov	%dr6, %rbx
	and	$0x4000, %ebx
	cmp	$3, %ecx
	jb	1f
	andl	$~0x100, 16(%rsp)
1:	iretq
