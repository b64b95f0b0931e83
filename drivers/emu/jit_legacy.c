/*
 * drivers/emu/jit_legacy.c -- what translated 16-bit and 32-bit code depends
 * on, besides what 64-bit code does: its segments.
 *
 * Addresses of such code are offsets in CS: cpu->jit.page, the jump table and
 * the stack of return addresses have offsets, and code is found at CS's base
 * plus that.  So the tables are for one CS, and are emptied when it is another.
 *
 * With JIT_KEY_FLAT nothing is to be checked of a segment but FS, GS and CS as
 * data: the others begin at 0 and have no limit, nor has CS.  Without it, each
 * access compares its offset with cpu->jit.limit, and each branch to another
 * page with CS's limit; code runs in pages that CS holds as a whole, so that
 * within a page there is nothing to compare.
 *
 * Upper halves of registers are whatever they were; no address depends on
 * them.
 */
#include "drivers/emu/jit.h"

enum { ATTR_WRITE = 2, ATTR_READ = 2, ATTR_DOWN = 4, ATTR_CODE = 8 };

/* The highest offset that may be accessed; -1: the interpreter decides. */
static int64_t highest(const struct emu_cpu *cpu, unsigned int seg, bool write)
{
	const struct x86_segment *s = &cpu->seg[seg];
	bool code = s->attr & ATTR_CODE;

	if (s->unusable || (!code && s->attr & ATTR_DOWN))
		return -1;
	if (!emu_protected(cpu))
		return s->limit;
	if (write ? code || !(s->attr & ATTR_WRITE)
		  : code && !(s->attr & ATTR_READ))
		return -1;
	return s->limit;
}

static bool flat_data(const struct emu_cpu *cpu, unsigned int seg)
{
	return !cpu->seg[seg].base &&
	       highest(cpu, seg, false) == 0xffffffff &&
	       highest(cpu, seg, true) == 0xffffffff;
}

uint8_t jit_legacy_key(const struct emu_cpu *cpu)
{
	uint8_t key = cpu->mode == MODE_32 ? JIT_KEY_32 : JIT_KEY_16;

	if (cpu->sp_mask == 0xffff)
		return key | JIT_KEY_SP16;
	if (cpu->mode == MODE_32 && !cpu->seg[X86_CS].base &&
	    cpu->seg[X86_CS].limit == 0xffffffff && flat_data(cpu, X86_DS) &&
	    flat_data(cpu, X86_ES) && flat_data(cpu, X86_SS))
		key |= JIT_KEY_FLAT;
	return key;
}

/* Is what the tables know of this CS, and of these assumptions? */
static bool unchanged(const struct emu_cpu *cpu, uint8_t key)
{
	const struct emu_jit_legacy *l = &cpu->jit.legacy;

	return l->key == key && l->cs_base == cpu->seg[X86_CS].base &&
	       l->cs_limit == cpu->seg[X86_CS].limit;
}

void jit_legacy_enter(struct emu_cpu *cpu)
{
	uint8_t key = cpu->jit.key & JIT_KEY_LEGACY;

	for (unsigned int seg = 0; seg < X86_SEGS; seg++)
		for (unsigned int write = 0; write < 2; write++)
			cpu->jit.limit[seg][write] = highest(cpu, seg, write);
	cpu->rip = (uint32_t)cpu->rip;
	if (!(key & JIT_KEY_SP16))
		cpu->gpr[X86_RSP] = (uint32_t)cpu->gpr[X86_RSP];
	if (likely(unchanged(cpu, key)))
		return;
	jit_forget_jumps(cpu, true);
	cpu->jit.legacy = (struct emu_jit_legacy){
		.cs_base = cpu->seg[X86_CS].base,
		.cs_limit = cpu->seg[X86_CS].limit,
		.key = key,
	};
}

bool jit_legacy_holds(const struct emu_cpu *cpu, uint64_t rip)
{
	const struct x86_segment *cs = &cpu->seg[X86_CS];
	uint32_t last = cpu->mode == MODE_16 ? MIN(cs->limit, 0xffffu)
					     : cs->limit;
	int64_t start = rip - (jit_linear(cpu, rip) & ~EMU_PAGE_MASK);

	return start >= 0 && start + (int64_t)EMU_PAGE - 1 <= last;
}

bool jit_legacy_passes(const struct emu_cpu *cpu, const struct jit_mem *m,
		       uint64_t offset)
{
	uint32_t lo = offset + m->lo;

	return !m->limited ||
	       cpu->jit.limit[m->seg][m->write] - lo >= m->hi - m->lo - 1;
}
