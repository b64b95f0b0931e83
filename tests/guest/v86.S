/*
 * tests/guest/v86.S -- virtual-8086 mode: IRET into it, segments as in real
 * mode, CLI is #GP(0) below IOPL 3, the frame of its handler has the data
 * segments, which the handler finds null; I/O goes by the bit map (SDM vol.
 * 3, "8086 Emulation").
 *
 * expect: rax=0x2001f rbx=0x1234 rcx=0xbeef rdx=0x55 rsi=0 rdi=0x2000
 * expect: rbp=0x30002
 */
#include "test.inc"
	leave_long_mode
	gate32	IDT+13*8, SEL_CODE32, handler
	movl	$0x80000, TSS + 4	/* ESP0, SS0 */
	movl	$SEL_DATA, TSS + 8
	movw	$0x68, TSS + 102	/* the bit map, within the limit */
	movb	$0x8b, GDT + 0x45
	movl	$0x0000beef, 0x20010
	mov	$code16, %esi		/* copied to 2000:0 */
	mov	$0x20100, %edi
	mov	$(end16 - code16), %ecx
	cld
	rep movsb
	xor	%ebx, %ebx
	pushl	$0			/* GS, FS, DS, ES */
	pushl	$0
	pushl	$0x2000
	pushl	$0x1fff
	pushl	$0x2000			/* SS:ESP */
	pushl	$0xfff0
	pushl	$0x20002		/* VM, IOPL 0 */
	pushl	$0x2000
	pushl	$0x100
	iret
handler:
	mov	%ds, %esi
	mov	%ss:4(%esp), %eax	/* EIP of CLI */
	sub	$(stop16 - code16), %eax
	add	$0x1ff1f, %eax
	mov	%ss:12(%esp), %ebp	/* EFLAGS */
	mov	$SEL_DATA, %edx
	mov	%edx, %ds
	mov	%ss:28(%esp), %edi
	mov	0x2fff0 - 2, %ebx
	movzwl	%bx, %ebx
	mov	0x20030, %edx
	done
	.code16
code16:	mov	0x10, %cx		/* DS */
	pushw	$0x1234
	movb	$0x55, %es:0x40		/* 1fff:40 = 2000:30 */
stop16:	cli
end16:
