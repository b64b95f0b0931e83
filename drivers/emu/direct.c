/*
 * drivers/emu/direct.c -- visits to a stub: the registers go there and come
 * back.
 */
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "drivers/emu/direct.h"
#include "drivers/emu/jit.h"
#include "drivers/emu/vec_int.h"
#include "vmm/machine.h"
#include "vmm/ram.h"

#define LOG_MODULE "emu"
#include "base/log.h"

/* RFLAGS that user mode changes as it likes, and what it always has. */
#define FLAGS_USER  (FLAGS_ARITH | FLAG_DF | FLAG_NT | FLAG_AC | FLAG_ID)
#define FLAGS_FIXED (FLAG_IF | 2)

enum { PF_ERROR_WRITE = 2, PF_ERROR_FETCH = 16 };
enum { GUESSED_MAX = 500000 }; /* ns */

/* ---- state ---- */

static const uint8_t greg_of[16] = {
	[X86_RAX] = REG_RAX, [X86_RCX] = REG_RCX, [X86_RDX] = REG_RDX,
	[X86_RBX] = REG_RBX, [X86_RSP] = REG_RSP, [X86_RBP] = REG_RBP,
	[X86_RSI] = REG_RSI, [X86_RDI] = REG_RDI, [8] = REG_R8,
	[9] = REG_R9,	     [10] = REG_R10,	  [11] = REG_R11,
	[12] = REG_R12,	     [13] = REG_R13,	  [14] = REG_R14,
	[15] = REG_R15,
};

static void load_vector(const struct emu_cpu *cpu, uint8_t *to)
{
	const uint8_t *from = cpu->fpu.xsave;

	memcpy(to, from, XA_LEGACY_END);
	if (cpu->fpu.xcr0 & 4)
		memcpy(to + XA_YMMH, from + XA_YMMH, XA_END - XA_YMMH);
	else
		memset(to + XA_YMMH, 0, XA_END - XA_YMMH);
}

static void load_state(const struct emu_cpu *cpu, struct stub_state *st)
{
	for (unsigned int n = 0; n < 16; n++)
		st->gregs[greg_of[n]] = cpu->gpr[n];
	st->gregs[REG_RIP] = cpu->rip;
	st->gregs[REG_EFL] = (emu_get_rflags(cpu) & FLAGS_USER) | FLAGS_FIXED;
	st->fs = cpu->seg[X86_FS].base;
	st->gs = cpu->seg[X86_GS].base;
	load_vector(cpu, st->xsave);
	st->keep = false;
}

/* Components that XSAVE found in their initial state are not written. */
static void store_vector(struct emu_cpu *cpu, const uint8_t *from)
{
	static const uint8_t initial[XA_LEGACY_END] = { [XA_FCW] = 0x7f,
							[XA_FCW + 1] = 3 };
	uint8_t *to = cpu->fpu.xsave;
	uint64_t have;
	uint32_t mxcsr, mask;

	memcpy(&have, from + XA_BV, sizeof(have));
	memcpy(&mxcsr, from + XA_MXCSR, sizeof(mxcsr));
	memcpy(&mask, to + XA_MXCSR_MASK, sizeof(mask));
	mxcsr &= mask ? mask : 0xffbf;
	memcpy(to, have & 1 ? from : initial, XA_MXCSR);
	memcpy(to + XA_ST, (have & 1 ? from : initial) + XA_ST,
	       XA_XMM - XA_ST);
	memcpy(to + XA_XMM, (have & 2 ? from : initial) + XA_XMM,
	       XA_LEGACY_END - XA_XMM);
	memcpy(to + XA_MXCSR, &mxcsr, sizeof(mxcsr));
	if (!(cpu->fpu.xcr0 & 4))
		return;
	memset(to + XA_YMMH, 0, XA_END - XA_YMMH);
	if (have & 4)
		memcpy(to + XA_YMMH, from + XA_YMMH, XA_END - XA_YMMH);
}

static void store_base(struct emu_cpu *cpu, unsigned int seg, uint64_t base)
{
	if (emu_canonical(base))
		cpu->seg[seg].base = base;
}

static void store_state(struct emu_cpu *cpu, const struct stub_state *st)
{
	uint64_t flags = st->gregs[REG_EFL] & FLAGS_USER;

	for (unsigned int n = 0; n < 16; n++)
		cpu->gpr[n] = st->gregs[greg_of[n]];
	cpu->rip = st->gregs[REG_RIP];
	emu_set_rflags(cpu, (emu_get_rflags(cpu) & ~FLAGS_USER) | flags);
	store_base(cpu, X86_FS, st->fs);
	store_base(cpu, X86_GS, st->gs);
	store_vector(cpu, st->xsave);
}

/* ---- may it run here? ---- */

/* As Linux has them, guest and host: they can be read. */
enum { LINUX_CS = 0x33, LINUX_SS = 0x2b };

static bool selectors_match(const struct emu_cpu *cpu)
{
	return cpu->seg[X86_CS].selector == LINUX_CS &&
	       cpu->seg[X86_SS].selector == LINUX_SS &&
	       !cpu->seg[X86_DS].selector && !cpu->seg[X86_ES].selector;
}

/* Are the stub's own addresses free in the guest? */
static bool has_room(struct emu_cpu *cpu)
{
	uint64_t top = (cpu->cr3 & 0xffffffffff000ull) +
		       8 * (STUB_BASE >> STUB_PML4_BITS & 511);
	uint64_t entry = 1;

	if (mmu_slot(cpu, top))
		emu_phys_io(cpu, top, &entry, sizeof(entry), false);
	return !(entry & 1);
}

/* Can a stub map memory now?  Not what was restored, not what is logged. */
static bool has_memory(const struct emu_cpu *cpu)
{
	const struct emu_slot *s = &cpu->vm->slots[0];
	uint64_t offset;

	return s->host && !s->dirty &&
	       ram_fd(cpu->vm->m->ram, s->host, &offset) >= 0;
}

static bool may_run(struct emu_cpu *cpu)
{
	const uint64_t off = FLAG_TF | FLAG_IOPL | FLAG_AC;

	return cpu->cpl == 3 && jit_key(cpu) == (MMU_USER | JIT_KEY_FPU) &&
	       (cpu->cr4 & (CR4_FSGSBASE | CR4_TSD)) == CR4_FSGSBASE &&
	       !(cpu->dr[7] & 0xff) &&
	       !cpu->watch && !cpu->smm && !cpu->vm->a20_off &&
	       !cpu->db_pending && (cpu->rflags & off) == 0 &&
	       cpu->rflags & FLAG_IF && (cpu->fpu.xcr0 & 3) == 3 &&
	       selectors_match(cpu) && has_memory(cpu) && has_room(cpu);
}

/* ---- visits ---- */

enum trap { TRAP_AGAIN, TRAP_LEAVE };

static enum trap page_fault(struct emu_cpu *cpu, struct mirror *m,
			    const struct stub_state *st)
{
	uint64_t error = st->gregs[REG_ERR];
	enum emu_access access = error & PF_ERROR_FETCH ? ACCESS_EXEC :
				 error & PF_ERROR_WRITE ? ACCESS_WRITE :
							  ACCESS_READ;

	if (direct_map(cpu, m, st->gregs[REG_CR2], access))
		return TRAP_AGAIN;
	m->missed = st->gregs[REG_CR2];
	m->missed_as = access;
	return TRAP_LEAVE;
}

/* What the guest's kernel was asked for will be used now. */
static void bring_missed(struct emu_cpu *cpu, struct mirror *m)
{
	uint64_t lin = m->missed;

	m->missed = 0;
	if (lin)
		direct_map(cpu, m, lin, m->missed_as);
}

/*
 * INT3 and single steps are traps.  INT3 is run again, by the translator; a
 * step ends what PF set TF, and is the guest's #DB.
 */
static void undo_trap(struct emu_cpu *cpu, struct mirror *m)
{
	const struct stub_state *st = stub_state(&m->stub);

	if (st->gregs[REG_TRAPNO] == EXC_BP) {
		cpu->rip -= direct_peek(cpu, m, cpu->rip - 1) == 0xcc ? 1 : 2;
	} else if (st->gregs[REG_EFL] & FLAG_TF) {
		cpu->rflags |= FLAG_TF;
		cpu->db_pending |= DR6_BS;
		emu_pend(cpu, PEND_STEP);
	} else {
		cpu->rip--; /* INT1 */
	}
}

/* Where the translator goes on. */
static void leave(struct emu_cpu *cpu, struct mirror *m)
{
	const struct stub_state *st = stub_state(&m->stub);

	store_state(cpu, st);
	if (st->sig == SIGSYS)
		cpu->rip -= 2; /* SYSCALL, INT 80h */
	else if (st->sig == SIGTRAP)
		undo_trap(cpu, m);
}

/* Runs it once.  0: it has parked; -EAGAIN: something is pending. */
static int visit(struct emu_cpu *cpu, struct mirror *m)
{
	int r = -EAGAIN;

	atomic_store(&cpu->direct.inside, m->stub.pid);
	if (!atomic_load(&cpu->pending))
		r = direct_enter(m, &cpu->pending);
	atomic_store(&cpu->direct.inside, 0);
	return r;
}

/* #syscalls:vmm tgkill */
void direct_kick(struct emu_cpu *cpu)
{
	int pid = atomic_load(&cpu->direct.inside);

	if (pid)
		syscall(SYS_tgkill, pid, pid, SIGUSR1);
}

/* Not by its guest code, which stood still: that goes on. */
static void lost(struct emu_cpu *cpu, struct mirror *m)
{
	log_warn("the process that ran a guest's user code is gone: it is "
		    "translated from now on");
	if (stub_state(&m->stub)->keep)
		leave(cpu, m);
	cpu->direct.priv->broken = true;
	cpu->direct.eager = false;
	mirror_end(m);
}

static uint64_t ticks_ns(struct emu_cpu *cpu, uint64_t ticks)
{
	return (unsigned __int128)ticks * 1000000000 / emu_tsc_hz(cpu->vm);
}

/*
 * By the stub's CPU time.  That takes a system call: short visits are believed
 * to have had the CPU all the time, until some have come together.
 */
static uint64_t time_inside(struct emu_cpu *cpu, struct mirror *m, uint64_t ns)
{
	uint64_t its;

	m->guessed += ns;
	if (m->guessed < GUESSED_MAX)
		return ns;
	its = direct_cpu_time(m->stub.clock) - m->ran;
	m->ran += its;
	cpu->direct.n_ns += its;
	ns = its - MIN(its, m->guessed - ns);
	m->guessed = 0;
	return ns;
}

/*
 * It ended while its code ran, or had to be ended.  How far that came is not
 * known, and nothing may be done twice, so the guest's kernel has to end the
 * program.  By itself it brings this about with its stack in what is the stub's.
 */
static void died(struct emu_cpu *cpu, struct mirror *m)
{
	direct_leave_alone(cpu);
	mirror_end(m);
	emu_gp0(cpu);
}

/* Returns how long it ran, in ns, after so many requests; it began then. */
static uint64_t account_visit(struct emu_cpu *cpu, struct mirror *m,
			      unsigned int n_ops, uint64_t began)
{
	struct direct *d = cpu->direct.priv;
	uint64_t ended = emu_host_tsc();
	uint64_t ns = time_inside(cpu, m, ticks_ns(cpu, ended - began));
	uint64_t cost = DIRECT_SWITCH / 2 +
			(n_ops ? DIRECT_MAPPER + n_ops * DIRECT_OP : 0);
	uint64_t lost = MIN(ns, cost);

	direct_earned(cpu, ns - lost, DIRECT_SWITCH / 2 + lost +
				ticks_ns(cpu, began - d->outside));
	d->outside = ended;
	return ns - lost;
}

/* Until something else than a page is missing. */
static bool visit_all(struct emu_cpu *cpu, struct mirror *m)
{
	struct stub_state *st = stub_state(&m->stub);
	unsigned int n_ops;
	uint64_t ran = 0, began;
	enum trap t;
	int r;

	do {
		n_ops = m->n_ops;
		began = emu_host_tsc();
		r = visit(cpu, m);
		if (r == -EAGAIN) {
			cpu->direct.want = true;
			break;
		}
		if (r == -ESRCH || r == -ENOMEM) {
			lost(cpu, m);
			return false;
		}
		if (r < 0)
			died(cpu, m);
		cpu->direct.n_visits++;
		ran = account_visit(cpu, m, n_ops, began);
		st->keep = true;
		t = TRAP_LEAVE;
		if (st->sig == SIGSEGV && st->gregs[REG_TRAPNO] == EXC_PF)
			t = page_fault(cpu, m, st);
	} while (t == TRAP_AGAIN);
	if (st->keep)
		leave(cpu, m);
	if (r == 0 && st->sig != SIGUSR1)
		direct_left(cpu, ran);
	return true;
}

bool direct_run(struct emu_cpu *cpu)
{
	struct mirror *m;

	cpu->direct.want = false;
	if (cpu->direct.priv->broken || !may_run(cpu))
		return false;
	cpu->direct.priv->outside = emu_host_tsc();
	m = direct_mirror(cpu);
	if (!m)
		return false;
	cpu->shadow = cpu->ss_shadow = false;
	cpu->rflags &= ~FLAG_RF;
	if (cpu->jit.x87_loaded)
		jit_sync_x87(cpu);
	if (m->doubted)
		direct_verify(cpu, m);
	bring_missed(cpu, m);
	load_state(cpu, stub_state(&m->stub));
	return visit_all(cpu, m);
}

/* ---- the vCPU comes and goes ---- */

void direct_attach(struct emu_cpu *cpu)
{
	if (cpu->vm->zygote < 0 || !cpu->jit.priv)
		return;
	cpu->direct.priv = xcalloc(1, sizeof(*cpu->direct.priv));
	cpu->direct.priv->account = direct_accounts_create();
}

void direct_trim(struct emu_cpu *cpu)
{
	struct direct *d = cpu->direct.priv;

	for (unsigned int n = 0; d && n < DIRECT_MIRRORS; n++)
		mirror_end(&d->mirror[n]);
}

void direct_detach(struct emu_cpu *cpu)
{
	if (!cpu->direct.priv)
		return;
	direct_trim(cpu);
	free(cpu->direct.priv->account);
	free(cpu->direct.priv);
	cpu->direct.priv = NULL;
}
