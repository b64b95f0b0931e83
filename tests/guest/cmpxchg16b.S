/*
 * tests/guest/cmpxchg16b.S -- equal and unequal, and #GP(0) off 16 bytes.
 *
 * expect: rax=5 rdx=6 rsi=1 rdi=0 r8=13
 */
#include "test.inc"
	gate	13, handler
	mov	$SCRATCH, %ebp
	xor	%eax, %eax
	xor	%edx, %edx
	mov	$5, %ebx
	mov	$6, %ecx
	lock cmpxchg16b (%rbp)
	sete	%sil
	movzbl	%sil, %esi
	lock cmpxchg16b (%rbp)		/* rdx:rax = 0 is not there any more */
	sete	%dil
	movzbl	%dil, %edi
	lock cmpxchg16b 8(%rbp)
	done
handler:
	mov	$13, %r8d
	done
