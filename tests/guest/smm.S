/*
 * tests/guest/smm.S -- an SMI runs SMBASE + 0x8000 in real mode with 4 GiB
 * segments; the save area has the interrupted state, RSM goes back to what is
 * there then; SMBASE moves; an SMI out of HLT returns to HLT unless told
 * otherwise; RSM elsewhere is #UD (AMD APM vol. 2, "System-Management Mode").
 *
 * expect: rax=0x1111 rbx=0x80010033 rcx=0x30000 rdx=0x2223 rsi=2 rdi=0x20064
 * expect: rbp=6 r8=0x1234567 r9=0x40000
 * engines: emu emu:interp emu:jit
 */
#include "test.inc"
	gate	6, undefined
	gate	0x40, woken
	lea	smi(%rip), %rsi
	mov	$0x38000, %edi
	mov	$(smi_end - smi), %ecx
	cld
	rep movsb
	lea	smi(%rip), %rsi
	mov	$0x48000, %edi
	mov	$(smi_end - smi), %ecx
	rep movsb
	xor	%eax, %eax
	mov	%eax, SCRATCH
	mov	$0x1111, %eax
	mov	$0x2222, %edx
	mov	$0x1234567, %r8d
	out	%al, $0xb2
	mov	SCRATCH + 4, %ecx	/* SMBASE then */
	mov	SCRATCH + 8, %r10d	/* the saved CR0 */
	mov	SCRATCH + 12, %r11d	/* the revision */
	push	%rax
	push	%rcx
	push	%rdx
	out	%al, $0xb2
	pop	%rdx
	pop	%rcx
	pop	%rax
	mov	SCRATCH, %esi
	mov	SCRATCH + 4, %r9d
	mov	%r10, %rbx
	mov	%r11, %rdi
	rsm
	ud2
woken:	iretq
undefined:
	mov	$6, %ebp
	done
	.code16
smi:	addr32 incl SCRATCH
	mov	%cs, %ax
	movzwl	%ax, %eax
	shl	$4, %eax
	mov	0xff00(%eax), %ebx
	addr32 mov %ebx, SCRATCH + 4
	mov	0xff58(%eax), %ebx
	addr32 mov %ebx, SCRATCH + 8
	mov	0xfefc(%eax), %ebx
	addr32 mov %ebx, SCRATCH + 12
	incl	0xffe8(%eax)		/* RDX */
	movl	$0x40000, 0xff00(%eax)
	rsm
smi_end:
