/*
 * tests/guest/task-switch.S -- CALL to a TSS, IRET back, an interrupt through
 * a task gate with its error code on the new task's stack (SDM vol. 3, "Task
 * Switching").
 *
 * expect: rax=0x77 rbx=0x9b rcx=0x40 rdx=0xabc8 rsi=0x4002 rdi=0x8b rbp=8
 */
#include "test.inc"
	.set	TSS2, 0x6000
	.set	TSS3, 0x6100
	leave_long_mode
	sub	$8, %esp
	sgdt	(%esp)
	movw	$0x6f, (%esp)
	lgdt	(%esp)
	descriptor GDT+0x50, TSS2, 0x67, 0x89
	descriptor GDT+0x58, TSS3, 0x67, 0x89
	mov	$TSS2, %edi
	mov	$0x80, %ecx
	xor	%eax, %eax
	cld
	rep stosl
	movl	$task2, TSS2 + 0x20
	movl	$2, TSS2 + 0x24
	movl	$0x7f000, TSS2 + 0x38
	movl	$task3, TSS3 + 0x20
	movl	$2, TSS3 + 0x24
	movl	$0x7e000, TSS3 + 0x38
	.irp	seg, 0x48, 0x50, 0x54, 0x58, 0x5c
	movl	$SEL_DATA, TSS2 + \seg
	movl	$SEL_DATA, TSS3 + \seg
	.endr
	movl	$SEL_CODE32, TSS2 + 0x4c
	movl	$SEL_CODE32, TSS3 + 0x4c
	gate32	IDT+13*8, 0x58, 0, 0x85
	mov	$0x77, %eax
	mov	$0x9b, %ebx
	lcall	$0x50, $0
	movzwl	TSS2, %ecx		/* the link to us */
	mov	$0xabcd, %edi
	mov	%edi, %fs		/* #GP(0xabcc) */
	ud2
task2:	pushf
	pop	%esi			/* NT, but not before */
	mov	%esi, 0x6200
	mov	$1, %eax
	mov	$2, %ebx
	iret
task3:	pop	%edx
	sub	$4, %edx
	mov	0x6200, %esi
	mov	TSS + 0x28, %eax	/* the old task, as it was */
	mov	TSS + 0x34, %ebx
	mov	TSS + 0x2c, %ecx
	movzbl	GDT + 0x45, %edi	/* still busy */
	mov	%cr0, %ebp
	and	$8, %ebp		/* TS */
	done
