/*
 * tests/guest/rep-fault.S -- REP MOVSB into a page that is not there stops at
 * its first byte with the registers advanced, and goes on after the handler.
 *
 * expect: rax=1 rbx=0x8000000000 rcx=0 rdi=0x8000000010 r8=0x10
 */
#include "test.inc"
	gate	14, handler
	/* The last 4 KiB below 512 GiB are the scratch page. */
	movq	$0x5003, 0x2000 + 511 * 8
	movq	$0x6003, 0x5000 + 511 * 8
	movq	$(SCRATCH | 3), 0x6000 + 511 * 8
	xor	%r9d, %r9d
	mov	$0x8000000000 - 16, %rdi
	mov	$0x10000, %esi
	mov	$32, %ecx
	rep movsb
	mov	%r9d, %eax
	done
handler:
	inc	%r9d
	mov	%rcx, %r8
	mov	%cr2, %rbx
	movq	$0x2003, 0x1008
	add	$8, %rsp
	iretq
