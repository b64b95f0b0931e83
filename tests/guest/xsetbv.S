/*
 * tests/guest/xsetbv.S -- XCR0 is what XSETBV put there, and CPUID's size of a
 * save area (leaf DH) is that of what XCR0 enables (SDM vol. 1, "Enabling the
 * XSAVE Feature Set").
 *
 * expect: rsi=1 rdi=576 rbp=7 r8=832
 * engines: emu emu:interp emu:jit
 */
#include "test.inc"
	mov	%cr4, %rax
	or	$0x40000, %eax		/* OSXSAVE */
	mov	%rax, %cr4
	xor	%ecx, %ecx
	xgetbv
	mov	%eax, %esi
	mov	$0xd, %eax
	cpuid
	mov	%ebx, %edi
	xor	%ecx, %ecx
	xor	%edx, %edx
	mov	$7, %eax		/* x87, SSE, AVX */
	xsetbv
	xgetbv
	mov	%eax, %ebp
	mov	$0xd, %eax
	cpuid
	mov	%ebx, %r8d
	done
