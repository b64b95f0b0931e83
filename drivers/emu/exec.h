/*
 * drivers/emu/exec.h -- what the interpreter's files offer each other.
 */
#ifndef EMU_EXEC_H
#define EMU_EXEC_H

#include <pthread.h>
#include <stdio.h>

#include "drivers/emu/mem.h"
#include "drivers/emu/offer.h"

/*
 * Pages whose generation was advanced, the last of them, so that a vCPU need
 * not look at all it has translated.
 */
enum { EMU_CHANGES = 64 };
struct emu_changes {
	pthread_mutex_t lock;
	uint64_t n; /* ever */
	struct emu_page *page[EMU_CHANGES];
};

/* The machine's half of an engine. */
struct vm {
	struct machine *m; /* NULL in a bare test */
	struct emu_slot slots[EMU_SLOTS];
	unsigned int n_slots;
	struct emu_cpu *cpus[256];
	_Atomic unsigned int n_cpus;
	_Atomic bool extint;
	uint64_t a20_off; /* bit 20 while it is masked out of addresses */
	pthread_mutex_t split_lock; /* locked access across pages, or MMIO */
	struct emu_changes changes;
	struct lapic_timers *timers;
	uint64_t tsc_base, ns_base; /* for the TSC's frequency */
	uint64_t pause_tsc;	    /* host's TSC when the clock stopped */
	uint64_t sync_tsc, sync_host; /* the last state's TSC, set when */
	uint64_t clock_tsc, clock_ns; /* kvmclock: then the time was this */
	bool clock_loading;
	bool paused;
	bool fresh; /* it has not run since it was switched on */
	bool translates; /* emu:jit, emu:lockstep */
	bool lockstep;	 /* each block is interpreted too (jit_lockstep.c) */
	int zygote; /* its socket; -1: user code is not run as it is */
	bool direct_always; /* emu:direct */
	unsigned int zygote_fds; /* memory that it has */
	pthread_mutex_t zygote_lock;
	FILE *jit_dump, *perf_map; /* NULL: not wanted (jit_dump.c) */
	_Atomic uint64_t tsc_hz;
	struct { /* MSRs that all vCPUs share: hyperv.c */
		uint64_t os_id, hypercall, tsc_page;
	} hv;
};

/* Registers, by byte offset.  A 32-bit write clears the upper half. */
#define REG8(off)	 (*(uint8_t *)((uint8_t *)cpu->gpr + (off)))
#define REG16(off)	 (*(uint16_t *)((uint8_t *)cpu->gpr + (off)))
#define REG32(off)	 (*(uint32_t *)((uint8_t *)cpu->gpr + (off)))
#define REG64(off)	 (*(uint64_t *)((uint8_t *)cpu->gpr + (off)))
#define SETREG8(off, v)	 (REG8(off) = (uint8_t)(v))
#define SETREG16(off, v) (REG16(off) = (uint16_t)(v))
#define SETREG32(off, v) (REG64(off) = (uint32_t)(v))
#define SETREG64(off, v) (REG64(off) = (uint64_t)(v))

/* exception.c */
_Noreturn void emu_raise(struct emu_cpu *cpu, uint8_t vector);
_Noreturn void emu_raise_err(struct emu_cpu *cpu, uint8_t vector,
			     uint32_t error);
_Noreturn void emu_gp0(struct emu_cpu *cpu);
_Noreturn void emu_ud(struct emu_cpu *cpu);
_Noreturn void emu_shutdown(struct emu_cpu *cpu); /* as a triple fault */
/* Delivers what emu_raise() left in cpu; triple fault: stops the run. */
void emu_exception(struct emu_cpu *cpu);
enum emu_int_kind { INT_HARD, INT_SOFT, INT_EXCEPTION };
void emu_deliver(struct emu_cpu *cpu, uint8_t vector, enum emu_int_kind kind,
		 bool has_error, uint32_t error);

/* Flags. */
static inline uint64_t emu_get_rflags(const struct emu_cpu *cpu)
{
	return cpu->rflags | ((cpu->aflags >> 8) & 0xd5) |
	       (uint64_t)(cpu->aflags & 1) << 11;
}

static inline void emu_set_arith(struct emu_cpu *cpu, uint64_t f)
{
	cpu->aflags = (f & 0xd5) << 8 | ((f >> 11) & 1);
}

/* system.c; set: all of RFLAGS, with the consequences of TF, IF, AC. */
void emu_set_rflags(struct emu_cpu *cpu, uint64_t f);

static inline void emu_pend(struct emu_cpu *cpu, uint32_t bits)
{
	atomic_fetch_or(&cpu->pending, bits);
}
/* Any thread: sets bits and wakes the vCPU if it sleeps. */
void emu_notify(struct emu_cpu *cpu, uint32_t bits);
/* INIT and SIPI that came to a vCPU that does not run. */
void emu_startup_pending(struct emu_cpu *cpu);

/*
 * sync.c.  Between emu_quiet() and emu_busy() a vCPU touches nothing that its
 * TLB or translated code lead to, so nobody waits for it.
 */
void emu_busy(struct emu_cpu *cpu);
void emu_quiet(struct emu_cpu *cpu);
/* Sets bits for all other vCPUs; sync: and waits until they were seen. */
void emu_tell_others(struct emu_cpu *cpu, uint32_t bits);
void emu_sync_others(struct emu_cpu *cpu, uint32_t bits);
/* From a thread that is no vCPU's. */
void emu_sync_all(struct vm *vm, uint32_t bits);
/* Before a look at cpu->pending; when all is done that it says. */
uint32_t emu_sync_ticket(struct emu_cpu *cpu);
void emu_sync_done(struct emu_cpu *cpu, uint32_t ticket);

/*
 * direct_map.c: what TLBs drop goes from where user code runs as it is.
 * flush: everything; page: of physical memory, where it may be written; code:
 * all pages that hold code, likewise.  CR3: new has bit 63 as it was loaded.
 */
void direct_flush(struct emu_cpu *cpu);
void direct_forget(struct emu_cpu *cpu); /* memory is elsewhere */
void direct_flush_page(struct emu_cpu *cpu, uint64_t lin);
void direct_drop_page(struct emu_cpu *cpu, uint64_t phys);
void direct_drop_code(struct emu_cpu *cpu);
void direct_drop_stale(struct emu_cpu *cpu); /* copies of what changed */
void direct_load_cr3(struct emu_cpu *cpu, uint64_t old, uint64_t new);
/* direct_policy.c: the guest's kernel is returning to user mode. */
void direct_consider(struct emu_cpu *cpu);
/* direct.c: any thread: out of user code. */
void direct_kick(struct emu_cpu *cpu);

/* The condition of Jcc, SETcc, CMOVcc. */
static inline bool emu_cond(const struct emu_cpu *cpu, unsigned int cc)
{
	unsigned int f = cpu->aflags;
	bool r;

	switch (cc >> 1) {
	case 0:
		r = f & AF_OF;
		break;
	case 1:
		r = f & AF_CF;
		break;
	case 2:
		r = f & AF_ZF;
		break;
	case 3:
		r = f & (AF_CF | AF_ZF);
		break;
	case 4:
		r = f & AF_SF;
		break;
	case 5:
		r = f & AF_PF;
		break;
	case 6:
		r = ((f >> 15) ^ f) & 1;
		break;
	default:
		r = (((f >> 15) ^ f) & 1) || (f & AF_ZF);
		break;
	}
	return r ^ (cc & 1);
}

static inline bool emu_long(const struct emu_cpu *cpu)
{
	return cpu->efer & EFER_LMA;
}

/* CR0.PE: descriptor tables, privilege levels. */
static inline bool emu_pe(const struct emu_cpu *cpu)
{
	return cpu->cr0 & CR0_PE;
}

/* Segment registers hold selectors: not in real or virtual-8086 mode. */
static inline bool emu_protected(const struct emu_cpu *cpu)
{
	return emu_pe(cpu) && !(cpu->rflags & FLAG_VM);
}

/* Debug traps or breakpoints: one instruction at a time. */
static inline bool emu_stepping(const struct emu_cpu *cpu)
{
	return cpu->rflags & FLAG_TF || cpu->dr[7] & 0xff;
}

/*
 * State that is the interpreter's alone, one instruction at a time: single
 * stepping, enabled breakpoints, virtual-8086 mode.  A translator asks after
 * whatever may have changed RFLAGS or DR7, and runs none of its code while
 * this is true.
 */
static inline bool emu_needs_interp(const struct emu_cpu *cpu)
{
	return emu_stepping(cpu) || cpu->rflags & FLAG_VM;
}

/* The stack. */
static inline uint64_t emu_stack_lin(struct emu_cpu *cpu, uint64_t sp,
				     unsigned int size, enum emu_access access)
{
	if (likely(cpu->mode == MODE_64))
		return sp;
	return emu_linear(cpu, X86_SS, sp & cpu->sp_mask, size, access);
}

static inline void emu_set_sp(struct emu_cpu *cpu, uint64_t sp)
{
	if (likely(cpu->mode == MODE_64))
		cpu->gpr[X86_RSP] = sp;
	else if (cpu->sp_mask == 0xffff)
		*(uint16_t *)&cpu->gpr[X86_RSP] = sp;
	else
		cpu->gpr[X86_RSP] = (uint32_t)sp;
}

/* Bytes of one item on the stack, by operand size. */
static inline unsigned int emu_stack_size(const struct emu_insn *i)
{
	if (i->flags & INSN_OP16)
		return 2;
	return i->flags & INSN_MODE64 ? 8 : 4;
}

void emu_push(struct emu_cpu *cpu, uint64_t v, unsigned int size);
/* Reads the top of the stack; the caller moves RSP when all is checked. */
uint64_t emu_peek(struct emu_cpu *cpu, unsigned int offset, unsigned int size);

/* segment.c */
/* Are offset..+size within the limit?  (Not in 64-bit mode.) */
static inline bool seg_holds(const struct x86_segment *s, uint64_t offset,
			     uint64_t size)
{
	uint64_t last = offset + size - 1;

	if ((s->attr & 0x1c) == 0x14) /* expand down */
		return offset > s->limit &&
		       last <= (s->attr & BIT(14) ? 0xffffffff : 0xffff);
	return last <= s->limit;
}
void seg_load(struct emu_cpu *cpu, unsigned int seg, uint16_t selector);
void seg_load_real(struct emu_cpu *cpu, unsigned int seg, uint16_t selector);
/* Reads a descriptor; raises vector(selector & ~3) when out of range. */
uint64_t seg_descriptor(struct emu_cpu *cpu, uint16_t selector, uint8_t vector);
void seg_from_descriptor(struct x86_segment *s, uint16_t selector,
			 uint64_t desc);
void seg_mark_accessed(struct emu_cpu *cpu, uint16_t selector, uint64_t desc);
/* After CS, SS, CR0.PE or EFER.LMA changed: mode, CPL, sp_mask, view. */
void seg_update(struct emu_cpu *cpu);
void seg_set_cs(struct emu_cpu *cpu, const struct x86_segment *cs,
		unsigned int cpl);
/* Checks a code segment for a transfer to it and returns its descriptor. */
uint64_t seg_check_code(struct emu_cpu *cpu, uint16_t selector, uint8_t cpl,
			bool is_return, struct x86_segment *ret_cs);
void seg_null_on_return(struct emu_cpu *cpu);

/* SDM vol. 1, "Canonical Addressing". */
static inline bool emu_canonical(uint64_t v)
{
	return (uint64_t)((int64_t)(v << 16) >> 16) == v;
}

/* system.c */
uint64_t emu_guest_tsc(struct emu_cpu *cpu);
void sys_write_cr0(struct emu_cpu *cpu, uint64_t v);
void sys_load_cr3(struct emu_cpu *cpu, uint64_t v); /* flushes */
int sys_rdmsr(struct emu_cpu *cpu, uint32_t index, uint64_t *ret);
int sys_wrmsr(struct emu_cpu *cpu, uint32_t index, uint64_t v);
void sys_check_io(struct emu_cpu *cpu, uint16_t port, unsigned int size);
uint64_t sys_in(struct emu_cpu *cpu, uint16_t port, unsigned int size);
void sys_out(struct emu_cpu *cpu, uint16_t port, uint64_t v, unsigned int size);
void sys_init(struct emu_cpu *cpu); /* INIT (SDM vol. 3, table of states) */
void sys_sipi(struct emu_cpu *cpu, uint8_t vector);

/* debug.c */
void debug_update(struct emu_cpu *cpu); /* after a change of DR0-3, DR7 */
bool debug_page_watched(const struct emu_cpu *cpu, uint64_t lin);
void debug_access(struct emu_cpu *cpu, uint64_t lin, size_t size,
		  enum emu_access access);
void debug_io(struct emu_cpu *cpu, uint16_t port, unsigned int size);
void debug_fetch(struct emu_cpu *cpu);	       /* raises #DB */
void debug_general_detect(struct emu_cpu *cpu); /* raises #DB */
void debug_deliver(struct emu_cpu *cpu);

/* smm.c */
void smm_enter(struct emu_cpu *cpu); /* an SMI is taken */
void op_rsm(struct emu_cpu *cpu, const struct emu_insn *i);

/* decode.c */
struct emu_block *block_find(struct emu_cpu *cpu);
int block_cache_init(struct emu_cpu *cpu);
void block_cache_finish(struct emu_cpu *cpu);
void block_cache_flush(struct emu_cpu *cpu);
void block_cache_trim(struct emu_cpu *cpu); /* large: flush, give back */

/* run.c */
enum run_result emu_run(struct emu_cpu *cpu);
/* Interprets one block; false: RIP is not in RAM. */
bool emu_run_block(struct emu_cpu *cpu);
struct emu_cpu *emu_cpu_create(struct vm *vm, unsigned int id);
void emu_cpu_destroy(struct emu_cpu *cpu);
void emu_cpu_get(struct emu_cpu *cpu, struct x86_state *ret_state);
void emu_cpu_set(struct emu_cpu *cpu, const struct x86_state *state);

/* cpuid.c */
void emu_cpuid(struct emu_cpu *cpu, uint32_t leaf, uint32_t subleaf,
	       uint32_t regs[4]);
bool emu_has(struct emu_cpu *cpu, uint32_t leaf, uint32_t sub, unsigned int reg,
	     unsigned int bit);

/* kvmclock.c */
void kvmclock_set(struct emu_cpu *cpu, uint64_t msr);
void kvmclock_wall(struct emu_cpu *cpu, uint64_t msr);
void kvmclock_resume(struct vm *vm);
void kvmclock_start(struct vm *vm); /* the measuring of the TSC begins */
uint64_t emu_tsc_hz(struct vm *vm);
/* The guest's time on this vCPU. */
uint64_t kvmclock_now(struct emu_cpu *cpu);
uint64_t kvmclock_get(struct vm *vm); /* while time stands still */
void kvmclock_set_time(struct vm *vm, uint64_t ns);
void kvmclock_tsc_was_set(struct vm *vm);

static inline uint64_t emu_host_tsc(void)
{
	return __builtin_ia32_rdtsc();
}

/* The host's TSC, which stands still with the guest's time. */
static inline uint64_t emu_clock_tsc(const struct vm *vm)
{
	return vm->paused ? vm->pause_tsc : emu_host_tsc();
}

#endif
