/*
 * tests/guest/page-fault.S -- a write to a page that is not present: error
 * code, CR2, and the instruction restarts after the handler (SDM vol. 3,
 * "Interrupt 14--Page-Fault Exception").
 *
 * expect: rbx=2 rcx=1 rsi=0x8000000123 rdi=0x5a
 */
#include "test.inc"
	gate	14, handler
	mov	$0x8000000123, %rsi
	movb	$0x5a, (%rsi)
	movzbl	(%rsi), %edi
	done
handler:
	inc	%ecx
	pop	%rbx			/* error code */
	mov	%cr2, %rax
	cmp	%rax, %rsi
	jne	fail
	/* Maps 512 GiB up to the first GiB. */
	movq	$0x2003, 0x1008
	iretq
fail:	done
