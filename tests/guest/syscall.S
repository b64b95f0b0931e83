/*
 * tests/guest/syscall.S -- SYSCALL saves RIP and RFLAGS and masks the flags,
 * SYSRET goes back to ring 3 (SDM vol. 2B).
 *
 * expect: r12=0x33 r13=1 r14=0 rbx=0x3 r10=0x2b
 */
#include "test.inc"
	gate	6, handler, 3
	orq	$4, 0x1000
	orq	$4, 0x2000
	mov	%cr3, %rax
	mov	%rax, %cr3
	mov	$0xc0000081, %ecx	/* STAR */
	xor	%eax, %eax
	mov	$0x00230008, %edx
	wrmsr
	mov	$0xc0000082, %ecx	/* LSTAR */
	lea	kernel(%rip), %rax
	xor	%edx, %edx
	wrmsr
	mov	$0xc0000084, %ecx	/* SFMASK: CF */
	mov	$1, %eax
	wrmsr
	lea	user(%rip), %rcx
	mov	$2, %r11d
	sysretq
user:	mov	%cs, %r12d
	mov	%ss, %r10d
	stc
	syscall
after:	ud2
kernel:	setc	%r14b
	mov	%r11d, %r13d
	and	$1, %r13d
	movzbl	%r14b, %r14d
	sysretq
handler:
	mov	8(%rsp), %ebx
	and	$3, %ebx
	done
