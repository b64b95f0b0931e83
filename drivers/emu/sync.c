/*
 * drivers/emu/sync.c -- vCPUs wait for each other.
 *
 * What one vCPU remembers of memory (write tags, translated code, addresses
 * checked earlier in a block) another may make invalid.  It then sets bits in
 * the pending words of all others and waits until each has looked at them, or
 * is quiet: outside of the run loop, asleep, in a device, or waiting here
 * itself, so that two cannot wait for each other.  Who was quiet looks at the
 * bits before it touches memory again.
 *
 * A request is a ticket (asked); a vCPU answers with the last ticket that it
 * saw before it began to do what the bits say (done).  The bits are set
 * before the ticket is drawn, and PEND_SYNC behind it: so whoever sees the
 * ticket sees the bits or has consumed them, and will look once more: until
 * it has answered the last ticket.
 */
#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "drivers/emu/exec.h"
#include "drivers/emu/jit.h"

enum { SPINS = 200 };

#define SETTLES (PEND_FLUSH | PEND_WRITES | PEND_FLUSH_ALL)

static void wake_waiters(struct emu_sync *s)
{
	if (likely(!atomic_load(&s->waiters)))
		return;
	atomic_fetch_add(&s->word, 1);
	syscall(SYS_futex, &s->word, FUTEX_WAKE_PRIVATE, INT32_MAX, NULL, NULL,
		0);
}

uint32_t emu_sync_ticket(struct emu_cpu *cpu)
{
	return atomic_load(&cpu->sync.asked);
}

void emu_sync_done(struct emu_cpu *cpu, uint32_t ticket)
{
	struct emu_sync *s = &cpu->sync;

	/* PEND_SYNC of a later one may have been consumed with this one's. */
	if (unlikely(atomic_load(&s->asked) != ticket))
		emu_pend(cpu, PEND_SYNC);
	if (atomic_load_explicit(&s->done, memory_order_relaxed) == ticket)
		return;
	atomic_store(&s->done, ticket);
	wake_waiters(s);
}

void emu_quiet(struct emu_cpu *cpu)
{
	atomic_store(&cpu->sync.busy, false);
	wake_waiters(&cpu->sync);
}

/* What a device may have done to this vCPU that its next instruction sees. */
#define AT_ONCE (PEND_KICK | PEND_FLUSH_ALL | PEND_SMI)

/*
 * Perhaps in the middle of an instruction: the bits stay for the run loop,
 * but no memory is written through what they say must go.
 */
void emu_busy(struct emu_cpu *cpu)
{
	uint32_t ticket, p;

	atomic_store(&cpu->sync.busy, true);
	ticket = emu_sync_ticket(cpu);
	p = atomic_load(&cpu->pending);
	if (unlikely(p & AT_ONCE) && cpu->cur)
		cpu->block_end = cpu->cur + 1;
	if (likely(!(p & SETTLES)))
		return;
	if (p & PEND_FLUSH)
		mmu_drop_code_writes(cpu);
	if (p & (PEND_WRITES | PEND_FLUSH_ALL))
		mmu_drop_writes(cpu);
	emu_sync_done(cpu, ticket);
}

/* A sleeping vCPU is not woken: it looks when something wakes it. */
static void ask(struct emu_cpu *to, uint32_t bits)
{
	atomic_fetch_or(&to->pending, bits);
	atomic_fetch_add(&to->sync.asked, 1);
	atomic_fetch_or(&to->pending, PEND_SYNC);
	if (to->jit.priv && atomic_load(&to->sync.busy))
		jit_kick(to);
}

static bool answered(struct emu_sync *s, uint32_t ticket)
{
	return !atomic_load(&s->busy) ||
	       (int32_t)(atomic_load(&s->done) - ticket) >= 0;
}

static void await(struct emu_sync *s)
{
	uint32_t ticket = atomic_load(&s->asked), word;

	for (unsigned int n = 0; n < SPINS; n++) {
		if (answered(s, ticket))
			return;
		__builtin_ia32_pause();
	}
	atomic_fetch_add(&s->waiters, 1);
	for (;;) {
		word = atomic_load(&s->word);
		if (answered(s, ticket))
			break;
		syscall(SYS_futex, &s->word, FUTEX_WAIT_PRIVATE, word, NULL,
			NULL, 0);
	}
	atomic_fetch_sub(&s->waiters, 1);
}

static void tell(struct vm *vm, struct emu_cpu *self, uint32_t bits)
{
	unsigned int n = atomic_load(&vm->n_cpus);

	for (unsigned int i = 0; i < n; i++)
		if (vm->cpus[i] && vm->cpus[i] != self)
			ask(vm->cpus[i], bits);
}

static void await_all(struct vm *vm, struct emu_cpu *self)
{
	unsigned int n = atomic_load(&vm->n_cpus);

	for (unsigned int i = 0; i < n; i++)
		if (vm->cpus[i] && vm->cpus[i] != self)
			await(&vm->cpus[i]->sync);
}

void emu_tell_others(struct emu_cpu *cpu, uint32_t bits)
{
	tell(cpu->vm, cpu, bits);
}

void emu_sync_others(struct emu_cpu *cpu, uint32_t bits)
{
	if (atomic_load(&cpu->vm->n_cpus) < 2)
		return;
	tell(cpu->vm, cpu, bits);
	emu_quiet(cpu);
	await_all(cpu->vm, cpu);
	emu_busy(cpu);
}

void emu_sync_all(struct vm *vm, uint32_t bits)
{
	tell(vm, NULL, bits);
	await_all(vm, NULL);
}
