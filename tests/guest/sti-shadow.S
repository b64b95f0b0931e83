/*
 * tests/guest/sti-shadow.S -- an interrupt is not taken between STI and the
 * next instruction (SDM vol. 2B, "STI").  The local APIC sends itself one.
 *
 * expect: rbx=1 rcx=1
 */
#include "test.inc"
	gate	0x40, handler
	mov	$0x1b, %ecx		/* x2APIC on */
	rdmsr
	or	$0xc00, %eax
	wrmsr
	mov	$0x80f, %ecx		/* spurious vector register */
	mov	$0x1ff, %eax
	xor	%edx, %edx
	wrmsr
	mov	$0x83f, %ecx		/* self IPI */
	mov	$0x40, %eax
	xor	%edx, %edx
	wrmsr
	xor	%ebx, %ebx
	xor	%ecx, %ecx
	sti
	inc	%ebx
	inc	%ecx			/* not reached before the handler */
	done
handler:
	inc	%ecx
	done
