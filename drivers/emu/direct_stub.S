/*
 * drivers/emu/direct_stub.S -- the code of a stub process: direct_stub.h.
 *
 * It is copied, and so does not know where it is.  The stack is used by the
 * handler alone, by nobody to remember anything: guest code can write to it.
 */
#include <asm/unistd.h>

#include "drivers/emu/direct_stub.h"

/* struct ucontext, of the kernel. */
#define UC_GREGS  40
#define UC_FPREGS 224
/* XSAVE's image in it: what the kernel keeps for itself, and the header. */
#define XA_SW	  464
#define XA_HEADER 512
#define XA_YMM	  576
#define GREGS_ALL 23
#define GREGS_OURS 18 /* up to EFL */

	.section .rodata
	.balign 16
	.globl stub_code, stub_code_end
	.globl stub_handler, stub_restorer, stub_mapper, stub_first
	.hidden stub_code, stub_code_end
	.hidden stub_handler, stub_restorer, stub_mapper, stub_first
stub_code:

/* The runner begins with a signal. */
stub_first:
	int3

/* sig, siginfo, ucontext */
stub_handler:
	movabs	$STUB_STATE, %rbx
	mov	%rdx, %r12
	mov	%edi, ST_SIG(%rbx)
	mov	8(%rsi), %eax
	mov	%eax, ST_CODE(%rbx)
	mov	16(%rsi), %rax
	mov	%rax, ST_ADDR(%rbx)
	rdfsbase %rax
	mov	%rax, ST_FS(%rbx)
	rdgsbase %rax
	mov	%rax, ST_GS(%rbx)
	lea	UC_GREGS(%r12), %rsi
	lea	ST_GREGS(%rbx), %rdi
	mov	$GREGS_ALL, %ecx
	rep movsq
	mov	UC_FPREGS(%r12), %rsi
	lea	ST_XSAVE(%rbx), %rdi
	mov	$ST_XSAVE_LEN / 8, %ecx
	rep movsq

/* An error: nobody listens any more, and the mapper ends us. */
2:	mov	$STUB_PARK, %eax
	syscall
	test	%rax, %rax
	jnz	2b

	cmpl	$0, ST_KEEP(%rbx)
	jne	1f
	lea	ST_GREGS(%rbx), %rsi
	lea	UC_GREGS(%r12), %rdi
	mov	$GREGS_OURS, %ecx
	rep movsq
	lea	ST_XSAVE(%rbx), %rsi
	mov	UC_FPREGS(%r12), %rdi
	mov	$XA_SW / 8, %ecx
	rep movsq
	add	$XA_YMM - XA_SW, %rsi
	add	$XA_YMM - XA_SW, %rdi
	mov	$(ST_XSAVE_LEN - XA_YMM) / 8, %ecx
	rep movsq
	mov	UC_FPREGS(%r12), %rdi
	orq	$7, XA_HEADER(%rdi)
	mov	ST_FS(%rbx), %rax
	wrfsbase %rax
	mov	ST_GS(%rbx), %rax
	wrgsbase %rax
1:	ret

stub_restorer:
	mov	$__NR_rt_sigreturn, %eax
	syscall
	ud2

/* The mapper, which has no stack. */
stub_mapper:
	movabs	$STUB_STATE, %rbx
	movabs	$STUB_OPS, %r13
1:	mov	ST_LISTENER(%rbx), %eax
	test	%eax, %eax
	jns	2f
	mov	$__NR_sched_yield, %eax
	syscall
	jmp	1b
2:	mov	%eax, %r12d
	mov	$__NR_seccomp, %eax
	mov	$1, %edi	/* SECCOMP_SET_MODE_FILTER */
	mov	$12, %esi	/* SECCOMP_FILTER_FLAG_{NEW_LISTENER, SPEC_ALLOW} */
	lea	ST_FPROG(%rbx), %rdx
	syscall
	test	%eax, %eax
	js	9f
	mov	%eax, %ebp
	mov	%r12d, ST_MSG_FD(%rbx)
	mov	%ebp, ST_MSG_FD + 4(%rbx)
	mov	$__NR_sendmsg, %eax
	mov	$STUB_SOCKET, %edi
	lea	ST_MSG(%rbx), %rsi
	xor	%edx, %edx
	syscall
	mov	$__NR_close, %eax
	mov	%ebp, %edi
	syscall

/* Of what it did: what has failed?  An error: nobody listens. */
	xor	%edi, %edi
3:	mov	$STUB_PARK, %eax
	syscall
	test	%rax, %rax
	jnz	9f
	mov	(%r13), %r14d
	lea	OPS_OP(%r13), %r15
	xor	%ebp, %ebp
4:	test	%r14d, %r14d
	jz	7f
	mov	OP_ADDR(%r15), %rdi
	mov	OP_LEN(%r15), %rsi
	mov	OP_PROT(%r15), %edx
	cmp	$OP_UNMAP, %edx
	je	5f
	mov	OP_FLAGS(%r15), %r10d
	mov	OP_FD(%r15), %r8
	mov	OP_OFFSET(%r15), %r9
	mov	$__NR_mmap, %eax
	syscall
	jmp	6f
5:	mov	$__NR_munmap, %eax
	syscall
6:	cmp	$-4095, %rax
	jb	8f
	mov	$SAID_FAILED, %ebp
8:	add	$OP_SIZE, %r15
	dec	%r14d
	jmp	4b
7:	lea	OPS_DONE(%r13), %rdx
	lea	OPS_FAILED(%r13), %rax
	test	%ebp, %ebp
	cmovnz	%rax, %rdx
	mov	$__NR_ioctl, %eax
	mov	%r12d, %edi
	mov	$STUB_ANSWER, %esi
	syscall
	mov	%ebp, %edi
	test	%rax, %rax
	jz	3b
	or	$SAID_UNHEARD, %edi
	jmp	3b

9:	mov	$__NR_exit_group, %eax
	xor	%edi, %edi
	syscall
stub_code_end:

	.section .note.GNU-stack, "", @progbits
