/*
 * tests/guest/debug-watch.S -- a data breakpoint is a trap behind the
 * instruction that wrote, also in the middle of a repetition; reads of a
 * write breakpoint and writes beside it do not count; DR6 tells which (SDM
 * vol. 3, "Data Breakpoint and I/O Breakpoint Exception Conditions").
 *
 * expect: rcx=2 rbx=0xffff0ff1 rsi=4 r8=1 r9=0
 */
#include "test.inc"
	gate	1, handler
	mov	$SCRATCH + 8, %eax
	mov	%rax, %dr0
	xor	%r15d, %r15d
	mov	%r15, %dr6
	mov	$0x000d0001, %eax	/* L0, write, 4 bytes */
	mov	%rax, %dr7
	movl	$1, SCRATCH + 4
	movl	$1, SCRATCH + 12
	mov	SCRATCH + 8, %eax	/* a read */
	movb	$7, SCRATCH + 11
after:	cld
	mov	$SCRATCH, %edi
	mov	$6, %ecx
	xor	%eax, %eax
again:	rep stosl
	mov	%r14, %rcx
	done
handler:
	inc	%r14
	mov	%dr6, %rbx
	cmp	$2, %r14
	je	1f
	xor	%r8d, %r8d
	lea	after(%rip), %rax
	cmp	%rax, (%rsp)
	sete	%r8b
	xor	%eax, %eax
	jmp	2f
1:	lea	again(%rip), %r9	/* three done, three to go */
	sub	(%rsp), %r9
	lea	1(%rcx), %esi
2:	iretq
