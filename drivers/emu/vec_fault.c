/*
 * drivers/emu/vec_fault.c -- exceptions that a thunk's instruction raises.
 *
 * The kernel turns #XM and #MF into SIGFPE and #UD into SIGILL.  When the
 * interrupted address lies in a thunk, the handler notes the vector in the
 * vec_io that R8 points to and continues at the common exit, which returns to
 * vec_run() with the guest's registers not stored.  Anything else is a bug of
 * ours and keeps its default action.
 */
#include <errno.h>
#include <signal.h>
#include <ucontext.h>

#include "drivers/emu/vec_int.h"

void vec_on_fault(int sig, siginfo_t *info, void *context)
{
	ucontext_t *uc = context;
	greg_t *r = uc->uc_mcontext.gregs;
	struct vec_io *io = (struct vec_io *)r[REG_R8];

	if (!vec_arena_has(r[REG_RIP])) {
		signal(sig, SIG_DFL); /* and again, for the core dump */
		return;
	}
	io->fault = r[REG_TRAPNO];
	r[REG_RIP] = vec_arena_exit(io->x87);
}

/* #syscalls:vmm rt_sigaction rt_sigreturn */
int vec_fault_init(void)
{
	struct sigaction sa = {
		.sa_sigaction = vec_on_fault,
		.sa_flags = SA_SIGINFO | SA_ONSTACK,
	};

	sigemptyset(&sa.sa_mask);
	if (sigaction(SIGFPE, &sa, NULL) < 0 || sigaction(SIGILL, &sa, NULL))
		return -errno;
	return 0;
}
