/*
 * tests/guest/fsgsbase-swapgs.S -- SWAPGS exchanges GS.base and its MSR.
 *
 * expect: rbx=0x1111 rcx=0x2222
 */
#include "test.inc"
	mov	$0xc0000101, %ecx
	mov	$0x1111, %eax
	xor	%edx, %edx
	wrmsr
	mov	$0xc0000102, %ecx
	mov	$0x2222, %eax
	wrmsr
	swapgs
	mov	$0xc0000102, %ecx
	rdmsr
	mov	%eax, %ebx
	mov	$0xc0000101, %ecx
	rdmsr
	mov	%eax, %ecx
	done
