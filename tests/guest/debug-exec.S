/*
 * tests/guest/debug-exec.S -- an instruction breakpoint is a fault before the
 * instruction; RF in the frame of IRETQ lets it run once; MOV DR faults with
 * DR7.GD; ICEBP reports nothing in DR6 (SDM vol. 3, "Debug Exceptions").
 *
 * expect: rax=0x2a rbx=2 rcx=0xffff0ff2 rdx=0xffff2ff0 rsi=0xffff2ff0 rdi=4
 */
#include "test.inc"
	gate	1, handler
	lea	here(%rip), %rax
	mov	%rax, %dr1
	xor	%eax, %eax
	mov	%rax, %dr6
	mov	$8, %eax		/* G1, execution */
	mov	%rax, %dr7
	mov	$2, %ebp
	xor	%eax, %eax
here:	add	$21, %eax
	dec	%ebp
	jnz	here
	xor	%ebp, %ebp
	mov	%ebx, %r10d
	mov	%rbp, %dr6
	mov	$0x2000, %r8d		/* GD; no breakpoints */
	mov	%r8, %dr7
	mov	%dr3, %r9		/* faults once: GD goes with it */
	mov	%edi, %edx
	.byte	0xf1
	mov	%edi, %esi
	mov	%r10d, %ebx
	mov	%r11d, %edi
	done
handler:
	inc	%ebx
	inc	%r11d
	mov	%dr6, %rdi
	test	$2, %edi
	jz	1f
	mov	%edi, %ecx
	orl	$0x10000, 16(%rsp)
1:	iretq
