/*
 * drivers/emu/run.c -- the run loop: blocks, and between them whatever is
 * pending.
 *
 * Everything asynchronous sets a bit in cpu->pending, which is looked at
 * before each block.  A halted vCPU sleeps on it as a futex.
 */
#include <errno.h>
#include <linux/futex.h>
#include <sys/syscall.h>
#include <time.h>

#include "drivers/emu/decode.h"
#include "drivers/emu/direct.h"
#include "drivers/emu/hyperv.h"
#include "drivers/emu/jit.h"
#include "drivers/emu/lapic.h"

/* #syscalls:vmm futex sched_yield */
static long futex_wait(struct emu_cpu *cpu, const struct timespec *limit)
{
	return syscall(SYS_futex, &cpu->pending, FUTEX_WAIT_PRIVATE, 0, limit,
		       NULL, 0);
}

/* A vCPU that is idle for longer than this gives its decoded code back. */
static const struct timespec trim_after = { .tv_nsec = 400 * 1000000 };

static void cpu_sleep(struct emu_cpu *cpu)
{
	emu_quiet(cpu);
	atomic_store(&cpu->sleeping, true);
	if (!atomic_load(&cpu->pending) && futex_wait(cpu, &trim_after) < 0 &&
	    errno == ETIMEDOUT) {
		block_cache_trim(cpu);
		if (!atomic_load(&cpu->pending))
			futex_wait(cpu, NULL);
	}
	atomic_store(&cpu->sleeping, false);
	emu_busy(cpu);
}

void emu_notify(struct emu_cpu *cpu, uint32_t bits)
{
	atomic_fetch_or(&cpu->pending, bits);
	if (cpu->jit.priv)
		jit_kick(cpu);
	if (atomic_load(&cpu->sleeping))
		syscall(SYS_futex, &cpu->pending, FUTEX_WAKE_PRIVATE, 1, NULL,
			NULL, 0);
}

/*
 * Other vCPUs may have the code from before the write; they drop it before
 * this one goes on.
 */
void emu_code_written(struct emu_cpu *cpu)
{
	for (unsigned int n = 0; n < cpu->n_smc; n++) {
		atomic_store(&cpu->smc[n]->lines, 0);
		atomic_store(&cpu->smc[n]->code, PAGE_DATA);
		mmu_code_changed(cpu, cpu->smc[n]);
	}
	cpu->n_smc = 0;
	if (cpu->jit.priv)
		emu_sync_others(cpu, PEND_CODE);
}

static void housekeeping(struct emu_cpu *cpu, uint32_t p)
{
	if (p & PEND_FLUSH)
		mmu_drop_code_writes(cpu);
	if (p & PEND_WRITES)
		mmu_drop_writes(cpu);
	if (p & PEND_FLUSH_ALL) {
		mmu_flush(cpu, true);
		direct_forget(cpu);
		block_cache_flush(cpu);
	}
	if (p & PEND_LINES)
		mmu_check_lines(cpu);
	if (p & PEND_HYPERV)
		synic_deliver(cpu);
	if (cpu->n_smc) {
		emu_code_written(cpu);
		p |= PEND_SMC;
	}
	if (p & (PEND_CODE | PEND_SMC)) {
		jit_drop_stale(cpu);
		direct_drop_stale(cpu);
	}
}

/* INIT and SIPI (SDM vol. 3, "Multiple-Processor (MP) Initialization"). */
static void startup(struct emu_cpu *cpu, uint32_t p)
{
	if (p & PEND_INIT && cpu->smm) {
		cpu->init_latched = true;
	} else if (p & PEND_INIT) {
		sys_init(cpu);
		cpu->run_state = X86_WAIT_SIPI;
	}
	if (p & PEND_SIPI && cpu->run_state == X86_WAIT_SIPI)
		sys_sipi(cpu, cpu->sipi_vector);
}

/* What came after it had stopped: its state has no place for it. */
void emu_startup_pending(struct emu_cpu *cpu)
{
	startup(cpu, atomic_fetch_and(&cpu->pending, ~(PEND_INIT | PEND_SIPI)));
}

/* While one is served, only one more is remembered. */
static void latch_nmis(struct emu_cpu *cpu)
{
	unsigned int n = cpu->nmi_latched + atomic_exchange(&cpu->nmis_arrived,
							    0);

	cpu->nmi_latched = MIN(n, cpu->nmi_blocked ? 1u : 2u);
}

enum event { EVENT_GO, EVENT_STEP, EVENT_STOP };

/* Interrupts, if they may come now; true: one was delivered. */
static bool interrupts(struct emu_cpu *cpu)
{
	int vector;

	if (cpu->nmi_latched && !cpu->nmi_blocked) {
		cpu->nmi_latched--;
		cpu->nmi_blocked = true;
		emu_deliver(cpu, EXC_NMI, INT_HARD, false, 0);
		return true;
	}
	if (!(cpu->rflags & FLAG_IF))
		return false;
	vector = lapic_accept(cpu);
	if (vector < 0)
		return false;
	emu_deliver(cpu, vector, INT_HARD, false, 0);
	return true;
}

static enum event events(struct emu_cpu *cpu)
{
	for (;;) {
		uint32_t ticket = emu_sync_ticket(cpu);
		uint32_t p = atomic_exchange(&cpu->pending, 0);

		housekeeping(cpu, p);
		emu_sync_done(cpu, ticket);
		startup(cpu, p);
		if (p & PEND_NMI)
			latch_nmis(cpu);
		if (p & PEND_SMI)
			cpu->smi_latched = true;
		if (p & PEND_KICK) {
			emu_pend(cpu, PEND_IRQ);
			cpu->result = RUN_KICKED;
			return EVENT_STOP;
		}
		if (cpu->run_state == X86_WAIT_INIT ||
		    cpu->run_state == X86_WAIT_SIPI) {
			cpu_sleep(cpu);
			continue;
		}
		if (cpu->db_pending && !cpu->ss_shadow) {
			emu_pend(cpu, PEND_STEP);
			emu_raise(cpu, EXC_DB);
		}
		if (cpu->shadow) {
			cpu->shadow = cpu->ss_shadow = false;
			emu_pend(cpu, PEND_IRQ);
			return EVENT_STEP;
		}
		if (unlikely(cpu->smi_latched) && !cpu->smm) {
			cpu->smi_latched = false;
			smm_enter(cpu);
		}
		if (unlikely(atomic_load_explicit(&cpu->unhalted,
						  memory_order_relaxed)) &&
		    cpu->halted) {
			atomic_store(&cpu->unhalted, false);
			cpu->halted = false;
		}
		if (!interrupts(cpu) && cpu->halted) {
			cpu_sleep(cpu);
			continue;
		}
		if (likely(!emu_stepping(cpu)))
			return EVENT_GO;
		emu_pend(cpu, PEND_STEP);
		return EVENT_STEP;
	}
}

static inline void execute(struct emu_cpu *cpu, const struct emu_block *b)
{
	const struct emu_insn *i = b->insn;
	uint64_t start = cpu->rip;

	do {
		cpu->cur = i;
		cpu->rip = start + i->end;
		i->fn(cpu, i);
		i++;
	} while (i != cpu->block_end);
	cpu->cur = NULL;
}

/*
 * One instruction.  A trap it caused waits in db_pending for the next look at
 * events, where MOV SS holds it off.
 */
static bool step(struct emu_cpu *cpu)
{
	uint64_t rf = cpu->rflags & FLAG_RF, start = cpu->rip;
	struct emu_block *b;

	if (unlikely(cpu->dr[7] & 0xff) && !rf)
		debug_fetch(cpu);
	cpu->rflags &= ~FLAG_RF;
	cpu->step_db = cpu->rflags & FLAG_TF;
	b = block_find(cpu);
	if (!b)
		return false;
	cpu->n_insns++;
	cpu->block_end = b->insn + 1;
	execute(cpu, b);
	if (cpu->rip == start) /* a repetition goes on */
		cpu->rflags |= rf;
	if (cpu->step_db && !cpu->ss_shadow)
		cpu->db_pending |= DR6_BS;
	if (cpu->db_pending)
		emu_pend(cpu, PEND_STEP);
	return true;
}

/* The block that follows b, if b has seen it before. */
static struct emu_block *chained(struct emu_cpu *cpu, struct emu_block *b)
{
	for (unsigned int n = 0; n < 2; n++) {
		struct emu_block *next = b->next[n];

		if (next && !((next->phys ^ cpu->rip) & ~EMU_PAGE_MASK) &&
		    atomic_load_explicit(&next->page->gen,
					 memory_order_relaxed) == next->gen)
			return next;
	}
	return NULL;
}

static void remember(struct emu_block *b, struct emu_block *next)
{
	if (next->page != b->page || next->page2)
		return;
	b->next[1] = b->next[0];
	b->next[0] = next;
}

/* The block at RIP: from the jump cache, or found by its address. */
static inline struct emu_block *jump_target(struct emu_cpu *cpu)
{
	struct emu_jump *j =
		&cpu->jumps[(cpu->rip ^ cpu->rip >> 10) & (EMU_JUMP_SIZE - 1)];
	struct emu_block *b;

	if (likely(j->rip == cpu->rip) && likely(j->epoch == cpu->epoch) &&
	    j->cpl == cpu->cpl && j->block->mode == cpu->mode &&
	    cpu->mode == MODE_64 &&
	    likely(atomic_load_explicit(&j->block->page->gen,
					memory_order_relaxed) == j->block->gen))
		return j->block;
	b = block_find(cpu);
	if (b && !b->page2)
		*j = (struct emu_jump){ cpu->rip, b, cpu->epoch, cpu->cpl };
	return b;
}

bool emu_run_block(struct emu_cpu *cpu)
{
	struct emu_block *b = jump_target(cpu);

	if (unlikely(!b))
		return false;
	cpu->n_blocks++;
	cpu->n_insns += b->n;
	cpu->block_end = b->insn + b->n;
	execute(cpu, b);
	return true;
}

/* Runs until the machine must do something; exceptions leave by longjmp. */
static void run_blocks(struct emu_cpu *cpu)
{
	const struct block_cache *cache = cpu->cache;
	struct emu_block *b = NULL, *next;
	uint64_t start;

	for (;;) {
		if (unlikely(atomic_load_explicit(&cpu->pending,
						  memory_order_relaxed))) {
			enum event e = events(cpu);

			b = NULL;
			if (e == EVENT_STOP)
				return;
			if (unlikely(cpu->n_smc))
				continue; /* a frame was pushed onto code */
			if (e == EVENT_STEP) {
				if (!step(cpu))
					break;
				continue;
			}
		}
		if (unlikely(cpu->direct.want) && cpu->cpl == 3 &&
		    direct_run(cpu)) {
			b = NULL;
			continue;
		}
		if (!b) {
			/* It may have interpreted, and something be pending. */
			if (cpu->jit.priv &&
			    (jit_run(cpu) || atomic_load(&cpu->pending))) {
				if (unlikely(cpu->stop))
					return;
				continue;
			}
			b = jump_target(cpu);
			if (unlikely(!b))
				break;
		}
		start = cpu->rip;
		cpu->n_blocks++;
		cpu->n_insns += b->n;
		cpu->block_end = b->insn + b->n;
		execute(cpu, b);
		if (cpu->jit.priv || !b->chains ||
		    (start ^ cpu->rip) & EMU_PAGE_MASK) {
			b = NULL;
			continue;
		}
		next = chained(cpu, b);
		if (!next) {
			unsigned int flushes = cache->flushes;

			if (unlikely(atomic_load_explicit(
				    &cpu->pending, memory_order_relaxed))) {
				b = NULL;
				continue;
			}
			next = block_find(cpu);
			if (unlikely(!next))
				break;
			if (cache->flushes == flushes)
				remember(b, next);
		}
		b = next;
	}
	errno = EFAULT; /* code outside RAM */
	cpu->result = RUN_FAILED;
}

enum run_result emu_run(struct emu_cpu *cpu)
{
	jmp_buf escape;

	cpu->escape = &escape;
	cpu->stop = false;
	cpu->cur = NULL;
	if (cpu->jit.priv)
		jit_attach(cpu);
	emu_busy(cpu);
	if (_setjmp(escape)) {
		jit_escaped(cpu);
		if (cpu->cur)
			cpu->rip -= cpu->cur->len;
		cpu->cur = NULL;
		cpu->shadow = cpu->ss_shadow = false;
		emu_exception(cpu);
	}
	if (!cpu->stop)
		run_blocks(cpu);
	emu_quiet(cpu);
	if (cpu->jit.x87_loaded)
		jit_sync_x87(cpu);
	cpu->escape = NULL;
	return cpu->result;
}
