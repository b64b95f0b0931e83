/*
 * tests/guest/shl-flags.S -- SHL by 0 leaves every flag alone
 * (SDM vol. 2B, "SAL/SAR/SHL/SHR", Flags Affected).
 *
 * expect: rax=0x80000000 rflags.cf=1 rflags.zf=1
 */
#include "test.inc"
	xor	%ecx, %ecx
	mov	$0x80000000, %eax
	cmp	%ecx, %ecx
	stc
	shl	%cl, %eax
	done
