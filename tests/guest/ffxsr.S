/*
 * tests/guest/ffxsr.S -- with EFER.FFXSR, FXSAVE and FXRSTOR in ring 0 leave
 * the XMM registers alone, and only then (AMD APM vol. 2, "Fast
 * FXSAVE/FXRSTOR").  Where CPUID has no such bit, EFER has none: #GP.
 *
 * expect: rax=0x11 rbx=0x99 rcx=0x22 rdx=0x11
 */
#include "test.inc"
	.set	AREA, SCRATCH
	gate	13, absent
	mov	%cr4, %rax
	or	$0x200, %eax		/* OSFXSR */
	mov	%rax, %cr4
	mov	$0x80000001, %eax
	cpuid
	mov	%edx, %r12d
	mov	$0x11, %eax
	movd	%eax, %xmm1
	mov	$0x22, %eax
	movd	%eax, %xmm2

	mov	$0xc0000080, %ecx
	rdmsr
	or	$0x4000, %eax
	wrmsr				/* #GP without the feature */
	bt	$25, %r12d
	jnc	wrong
	movl	$0x99, AREA + 176	/* where XMM1 would go */
	fxsave	AREA
	mov	AREA + 176, %ebx
	movl	$0x77, AREA + 192
	fxrstor	AREA
	movd	%xmm2, %ecx
	mov	%ecx, %r13d

	mov	$0xc0000080, %ecx
	rdmsr
	and	$~0x4000, %eax
	wrmsr
	fxsave	AREA
	mov	AREA + 176, %edx
	movd	%xmm1, %eax
	mov	%r13d, %ecx
	done

absent:	bt	$25, %r12d
	jc	wrong
	mov	$0x11, %eax
	mov	$0x99, %ebx
	mov	$0x22, %ecx
	mov	$0x11, %edx
	done
wrong:	xor	%eax, %eax
	done
