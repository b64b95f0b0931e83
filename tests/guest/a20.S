/*
 * tests/guest/a20.S -- with address line 20 off an odd mebibyte is the even
 * one below it, for data and for code, at once and until it is on again.
 *
 * expect: rax=0x1111 rbx=0x2222 rcx=0x1111 rdx=0x2222 rsi=1 rdi=2 rbp=1
 * engines: emu emu:interp emu:jit
 */
#include "test.inc"
	movl	$0x1111, 0x200000
	movl	$0x2222, 0x300000
	movl	$0xc3c0fe, 0x200010	/* inc %al; ret */
	movl	$0xc302b0, 0x300010	/* mov $2, %al; ret */
	mov	0x200000, %r8d
	mov	0x300000, %ebx
	mov	$0x300010, %r9d
	xor	%eax, %eax
	out	%al, $0x92
	mov	0x300000, %ecx
	xor	%eax, %eax
	call	*%r9
	mov	%eax, %esi
	mov	$2, %eax
	out	%al, $0x92
	mov	0x300000, %edx
	xor	%eax, %eax
	call	*%r9
	mov	%eax, %edi
	mov	$1, %ebp
	mov	%r8d, %eax
	done
