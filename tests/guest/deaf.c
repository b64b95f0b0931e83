/*
 * deaf.c -- a hostile program: where user code runs natively, it finds the code
 * of its process that is not the guest's (drivers/emu/direct_stub.h), returns
 * from a signal that never was, with all signals blocked, and computes for ever.
 * Says "reached" before that; "kept out" when that was undone, or if there is
 * nothing to be found.
 */
#define _GNU_SOURCE
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <ucontext.h>
#include <unistd.h>

#include "drivers/emu/direct_stub.h"

static sigjmp_buf escape;
static volatile int *told; /* survives that the attempt is undone */

/* Where its code is translated, there is nothing at those addresses. */
static void on_fault(int sig)
{
	if (*told) {
		write(1, "kept out\n", 9);
		_exit(0);
	}
	siglongjmp(escape, 1);
}

/* mov $15, %eax; syscall: its own way out of a signal. */
static const uint8_t *find_return(void)
{
	static const uint8_t code[] = { 0xb8, 15, 0, 0, 0, 0x0f, 5 };
	const uint8_t *volatile found = NULL;

	if (!sigsetjmp(escape, 1))
		found = memmem((void *)STUB_CODE, STUB_CODE_LEN, code,
			       sizeof(code));
	return found;
}

static void spin(void)
{
	for (;;)
		__asm__ volatile("" : : : "memory");
}

/* As the kernel lays it out on the stack of a handler. */
static struct frame {
	void *restorer;
	ucontext_t context;
} frame __attribute__((aligned(16)));

static void go_deaf(const uint8_t *entry)
{
	static uint8_t stack[4096];
	greg_t *g = frame.context.uc_mcontext.gregs;

	memset(&frame.context.uc_sigmask, 0xff, 8);
	g[REG_RIP] = (greg_t)spin;
	g[REG_RSP] = (greg_t)(stack + sizeof(stack) - 8);
	g[REG_EFL] = 0x202;
	g[REG_CSGSFS] = 0x33 | 0x2bull << 48;
	__asm__ volatile("mov %0, %%rsp\n\tjmp *%1"
			 : : "r"(&frame.context), "r"(entry));
	__builtin_unreachable();
}

int main(void)
{
	const uint8_t *entry = NULL;

	signal(SIGSEGV, on_fault);
	told = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
		    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	for (volatile uint64_t n = 0; n < 300000000 && !entry; n++)
		if (n % 1000000 == 0)
			entry = find_return();
	if (entry && !*told) {
		*told = 1;
		write(1, "reached\n", 8);
		go_deaf(entry);
	}
	puts("kept out");
	return 0;
}
