/*
 * drivers/emu/jit_signal.c -- signals that find translated code running.
 *
 * A fault is the guest's own: an instruction ran on the host's unit and
 * raised there what it raises in the guest (#DE, #XM, #MF; #GP for an operand
 * that is not aligned).  A kick lets the thread go on by single steps to the
 * next instruction's boundary.  In both cases the thread then takes the way
 * out that jit_tramp.c made.
 *
 * Host addresses are looked up in the blocks of the thread's own vCPU; what
 * is not in them is C code, or the way back from it, which looks at
 * cpu->pending when it has left C code, so that no kick is lost.
 */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

#include "drivers/emu/jit.h"
#include "drivers/emu/vec_int.h"

enum { KICK_SIGNAL = SIGUSR2 };

/*
 * Handlers have a stack of their own, for that of translated code is small
 * and what it is at: jit_return.c.
 */
enum { SIGNAL_STACK = 64 << 10 };

static __thread struct emu_cpu *this_cpu;
static __thread void *this_stack;

#define EFLAGS_TF 0x100

static bool in_code(const struct jit *j, uint64_t pc)
{
	return pc - (uintptr_t)j->exec < JIT_CODE_SIZE;
}

/* Does an instruction begin here? */
static bool at_boundary(const struct jit_block *b, const uint8_t *pc)
{
	return b->code + b->insn[jit_insn_at(b, pc)].host == pc;
}

static void take_way_out(struct emu_cpu *cpu, greg_t *r)
{
	r[REG_RIP] = (uintptr_t)jit_of(cpu)->fault;
	r[REG_EFL] &= ~EFLAGS_TF;
}

/* Has no guest register been loaded that is not in memory, too? */
static bool on_way_in(const struct jit *j, const uint8_t *pc)
{
	for (unsigned int n = 0; n < j->n_go_on; n++)
		if (pc >= j->go_on[n].start && pc < j->go_on[n].end)
			return true;
	return false;
}

/* On to the next boundary, or to C code. */
static void step_on(struct emu_cpu *cpu, greg_t *r)
{
	struct jit *j = jit_of(cpu);
	const uint8_t *pc = (void *)r[REG_RIP];
	struct jit_block *b;

	if (!in_code(j, r[REG_RIP])) {
		r[REG_EFL] &= ~EFLAGS_TF;
		return;
	}
	if (on_way_in(j, pc)) {
		r[REG_RIP] = (uintptr_t)j->bail;
		r[REG_EFL] &= ~EFLAGS_TF;
		return;
	}
	b = jit_block_of_code(j, pc);
	if (b && at_boundary(b, pc)) {
		cpu->jit.fault_pc = 0;
		cpu->jit.kick_pc = r[REG_RIP];
		take_way_out(cpu, r);
		return;
	}
	r[REG_EFL] |= EFLAGS_TF;
}

static void on_kick(int sig, siginfo_t *info, void *context)
{
	ucontext_t *uc = context;
	int saved = errno;

	if (this_cpu && this_cpu->jit.priv)
		step_on(this_cpu, uc->uc_mcontext.gregs);
	errno = saved;
}

/* Is the fault the guest's?  Then it is on its way out. */
static bool guest_fault(greg_t *r)
{
	struct emu_cpu *cpu = this_cpu;

	if (!cpu || !cpu->jit.priv ||
	    !jit_block_of_code(jit_of(cpu), (void *)r[REG_RIP]))
		return false;
	cpu->jit.fault_pc = r[REG_RIP];
	take_way_out(cpu, r);
	return true;
}

/*
 * #GP and #SS are the guest's; a page fault never is: an access that
 * passed the TLB's check lies in mapped RAM, so this one has gone astray.
 */
static void on_fault(int sig, siginfo_t *info, void *context)
{
	ucontext_t *uc = context;
	greg_t *r = uc->uc_mcontext.gregs;

	if (this_cpu && this_cpu->jit.priv &&
	    in_code(jit_of(this_cpu), r[REG_RIP]) &&
	    jit_returns_overflow(this_cpu, (uintptr_t)info->si_addr,
				 (uint64_t *)&r[REG_RSP]))
		return;
	if (info->si_code == SEGV_MAPERR || info->si_code == SEGV_ACCERR ||
	    !guest_fault(r))
		signal(sig, SIG_DFL); /* and again, for the core dump */
}

/* SIGFPE and SIGILL may be a thunk's of the interpreter, too. */
static void on_unit_fault(int sig, siginfo_t *info, void *context)
{
	ucontext_t *uc = context;

	if (!guest_fault(uc->uc_mcontext.gregs))
		vec_on_fault(sig, info, context);
}

static int catch(int sig, void (*handler)(int, siginfo_t *, void *))
{
	struct sigaction sa = { .sa_sigaction = handler,
				.sa_flags = SA_SIGINFO | SA_ONSTACK |
					    SA_RESTART };

	sigemptyset(&sa.sa_mask);
	sigaddset(&sa.sa_mask, KICK_SIGNAL);
	return sigaction(sig, &sa, NULL) < 0 ? -errno : 0;
}

/* #syscalls:vmm rt_sigaction rt_sigreturn rt_sigprocmask tgkill */
int jit_signal_init(void)
{
	int r = catch(KICK_SIGNAL, on_kick);

	if (r == 0)
		r = catch(SIGTRAP, on_kick);
	if (r == 0)
		r = catch(SIGSEGV, on_fault);
	if (r == 0)
		r = catch(SIGBUS, on_fault);
	if (r == 0)
		r = catch(SIGFPE, on_unit_fault);
	if (r == 0)
		r = catch(SIGILL, on_unit_fault);
	return r;
}

/* Unless the thread has one.  #syscalls:vmm sigaltstack mmap munmap */
static void set_stack(void)
{
	stack_t ss;

	if (sigaltstack(NULL, &ss) == 0 && !(ss.ss_flags & SS_DISABLE))
		return;
	ss = (stack_t){ .ss_sp = mmap(NULL, SIGNAL_STACK,
				      PROT_READ | PROT_WRITE,
				      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0),
			.ss_size = SIGNAL_STACK };
	if (ss.ss_sp == MAP_FAILED || sigaltstack(&ss, NULL) < 0)
		abort(); /* the first kick would end the process anyway */
	this_stack = ss.ss_sp;
}

void jit_signal_detach(void)
{
	const stack_t ss = { .ss_flags = SS_DISABLE };

	if (!this_stack)
		return;
	sigaltstack(&ss, NULL);
	munmap(this_stack, SIGNAL_STACK);
	this_stack = NULL;
}

void jit_signal_attach(struct emu_cpu *cpu)
{
	sigset_t set;

	this_cpu = cpu;
	set_stack();
	sigemptyset(&set);
	sigaddset(&set, KICK_SIGNAL);
	sigaddset(&set, SIGTRAP);
	sigaddset(&set, SIGSEGV);
	sigaddset(&set, SIGBUS);
	sigaddset(&set, SIGFPE);
	sigaddset(&set, SIGILL);
	pthread_sigmask(SIG_UNBLOCK, &set, NULL);
}

void jit_kick(struct emu_cpu *cpu)
{
	if (atomic_load(&cpu->jit.inside) && cpu != this_cpu)
		syscall(SYS_tgkill, getpid(), cpu->jit.tid, KICK_SIGNAL);
	if (unlikely(atomic_load(&cpu->direct.inside)))
		direct_kick(cpu);
}
