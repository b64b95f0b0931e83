/*
 * tests/guest/smc.S -- a block that overwrites its own next instruction
 * (SDM vol. 3, "Handling Self- and Cross-Modifying Code": a jump between).
 *
 * expect: rax=2 rbx=7
 */
#include "test.inc"
	mov	$1, %ecx
again:	call	patched
	lea	patched(%rip), %rsi
	movl	$2, 1(%rsi)
	dec	%ecx
	jns	again
	mov	$3, %ebx
	lea	near + 2(%rip), %rdi
	movb	$4, (%rdi)
	jmp	near
near:	add	$1, %ebx
	done
patched:
	mov	$1, %eax
	ret
