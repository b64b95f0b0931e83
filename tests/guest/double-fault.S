/*
 * tests/guest/double-fault.S -- #GP while delivering #UD's kin: no gate for
 * #GP, so a #GP during #GP becomes #DF with error code 0 on its IST stack
 * (SDM vol. 3, "Interrupt 8--Double Fault Exception").
 *
 * expect: rbx=0 r8=0x7dfd0
 */
#include "test.inc"
	gate	8, handler, 0, 1
	mov	$0x8000000000000000, %rax
	mov	(%rax), %eax
handler:
	mov	%rsp, %r8
	pop	%rbx
	done
