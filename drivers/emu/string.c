/*
 * drivers/emu/string.c -- MOVS, STOS, LODS, CMPS, SCAS, INS, OUTS and their
 * repetition (SDM vol. 2B, "REP/REPE/REPZ/REPNE/REPNZ").
 *
 * Registers are advanced after every element or run of elements, so a fault
 * restarts where it happened.  A repetition looks for interrupts whenever it
 * has done a page's worth, by leaving RIP on itself.
 */
#include "drivers/emu/string.h"

/* One of rSI, rDI, rCX in the instruction's address size. */
static uint64_t addr_get(struct emu_cpu *cpu, const struct emu_insn *i,
			 unsigned int reg)
{
	if (likely(!(i->flags & (INSN_ADDR16 | INSN_ADDR32))))
		return cpu->gpr[reg];
	return i->flags & INSN_ADDR16 ? (uint16_t)cpu->gpr[reg]
				      : (uint32_t)cpu->gpr[reg];
}

static void addr_set(struct emu_cpu *cpu, const struct emu_insn *i,
		     unsigned int reg, uint64_t v)
{
	if (likely(!(i->flags & (INSN_ADDR16 | INSN_ADDR32))))
		cpu->gpr[reg] = v;
	else if (i->flags & INSN_ADDR16)
		SETREG16(8 * reg, v);
	else
		SETREG32(8 * reg, v);
}

static uint64_t string_lin(struct emu_cpu *cpu, const struct emu_insn *i,
			   unsigned int reg, unsigned int size,
			   enum emu_access access)
{
	unsigned int seg = reg == X86_RDI ? X86_ES : i->seg;

	return emu_linear(cpu, seg, addr_get(cpu, i, reg), size, access);
}

static void advance(struct emu_cpu *cpu, const struct emu_insn *i,
		    unsigned int reg, int64_t bytes)
{
	if (cpu->rflags & FLAG_DF)
		bytes = -bytes;
	addr_set(cpu, i, reg, addr_get(cpu, i, reg) + bytes);
}

static uint64_t load(struct emu_cpu *cpu, uint64_t lin, unsigned int size)
{
	switch (size) {
	case 1:
		return emu_load8(cpu, lin);
	case 2:
		return emu_load16(cpu, lin);
	case 4:
		return emu_load32(cpu, lin);
	default:
		return emu_load64(cpu, lin);
	}
}

static void store(struct emu_cpu *cpu, uint64_t lin, uint64_t v,
		  unsigned int size)
{
	switch (size) {
	case 1:
		emu_store8(cpu, lin, v);
		break;
	case 2:
		emu_store16(cpu, lin, v);
		break;
	case 4:
		emu_store32(cpu, lin, v);
		break;
	default:
		emu_store64(cpu, lin, v);
		break;
	}
}

static bool downwards(const struct emu_cpu *cpu)
{
	return cpu->rflags & FLAG_DF;
}

/* Elements that a run can take on this page (0: the element crosses). */
static uint64_t room(const struct emu_cpu *cpu, uint64_t lin,
		     unsigned int size)
{
	uint64_t offset = lin & ~EMU_PAGE_MASK;

	if (!downwards(cpu))
		return (EMU_PAGE - offset) / size;
	return offset + size > EMU_PAGE ? 0 : offset / size + 1;
}

/*
 * Elements from reg on before its address wraps, or leaves its segment; the
 * first one has been checked.
 */
static uint64_t ahead(struct emu_cpu *cpu, const struct emu_insn *i,
		      unsigned int reg, unsigned int size, uint64_t n)
{
	const struct x86_segment *s =
		&cpu->seg[reg == X86_RDI ? X86_ES : i->seg];
	uint64_t last = i->flags & INSN_ADDR16 ? 0xffff : 0xffffffff;

	if (likely(cpu->mode == MODE_64 && !(i->flags & INSN_ADDR32)))
		return n;
	if (cpu->mode != MODE_64 && (s->attr & 0x1c) == 0x14)
		return 1; /* expand-down */
	if (cpu->mode != MODE_64)
		last = MIN(last, s->limit);
	if (downwards(cpu))
		return MIN(n, addr_get(cpu, i, reg) / size + 1);
	return MIN(n, (last - addr_get(cpu, i, reg) + 1) / size);
}

/* The host's place of the first byte of a run of n; NULL: the slow way. */
static uint8_t *run_host(struct emu_cpu *cpu, uint64_t lin, unsigned int size,
			 uint64_t n, enum emu_access access)
{
	return emu_host(cpu, downwards(cpu) ? lin - (n - 1) * size : lin,
			access);
}

/* From the last element to the first; false: what is copied is copied on. */
static bool host_movs_down(uint8_t *to, const uint8_t *from, uint64_t len)
{
	if (to < from && from < to + len)
		return false;
	memmove(to, from, len);
	return true;
}

static void host_movs(void *dst, const void *src, uint64_t n, unsigned int size)
{
	switch (size) {
	case 1:
		asm volatile("rep movsb"
			     : "+D"(dst), "+S"(src), "+c"(n)
			     :
			     : "memory");
		break;
	case 2:
		asm volatile("rep movsw"
			     : "+D"(dst), "+S"(src), "+c"(n)
			     :
			     : "memory");
		break;
	case 4:
		asm volatile("rep movsl"
			     : "+D"(dst), "+S"(src), "+c"(n)
			     :
			     : "memory");
		break;
	default:
		asm volatile("rep movsq"
			     : "+D"(dst), "+S"(src), "+c"(n)
			     :
			     : "memory");
		break;
	}
}

/* As many elements as fit on both pages; 0: do one the slow way. */
static uint64_t movs_run(struct emu_cpu *cpu, const struct emu_insn *i,
			 unsigned int size, uint64_t n)
{
	uint64_t src = string_lin(cpu, i, X86_RSI, size, ACCESS_READ);
	uint64_t dst = string_lin(cpu, i, X86_RDI, size, ACCESS_WRITE);
	uint8_t *from, *to;

	n = MIN(n, MIN(room(cpu, src, size), room(cpu, dst, size)));
	n = ahead(cpu, i, X86_RSI, size, ahead(cpu, i, X86_RDI, size, n));
	if (!n)
		return 0;
	from = run_host(cpu, src, size, n, ACCESS_READ);
	if (!from)
		return 0;
	to = run_host(cpu, dst, size, n, ACCESS_WRITE);
	if (!to)
		return 0;
	if (downwards(cpu))
		return host_movs_down(to, from, n * size) ? n : 0;
	host_movs(to, from, n, size);
	return n;
}

static void host_stos(void *dst, uint64_t v, uint64_t n, unsigned int size)
{
	switch (size) {
	case 1:
		asm volatile("rep stosb"
			     : "+D"(dst), "+c"(n)
			     : "a"(v)
			     : "memory");
		break;
	case 2:
		asm volatile("rep stosw"
			     : "+D"(dst), "+c"(n)
			     : "a"(v)
			     : "memory");
		break;
	case 4:
		asm volatile("rep stosl"
			     : "+D"(dst), "+c"(n)
			     : "a"(v)
			     : "memory");
		break;
	default:
		asm volatile("rep stosq"
			     : "+D"(dst), "+c"(n)
			     : "a"(v)
			     : "memory");
		break;
	}
}

static uint64_t stos_run(struct emu_cpu *cpu, const struct emu_insn *i,
			 unsigned int size, uint64_t n)
{
	uint64_t dst = string_lin(cpu, i, X86_RDI, size, ACCESS_WRITE);
	void *to;

	n = ahead(cpu, i, X86_RDI, size, MIN(n, room(cpu, dst, size)));
	if (!n)
		return 0;
	to = run_host(cpu, dst, size, n, ACCESS_WRITE);
	if (!to)
		return 0;
	host_stos(to, cpu->gpr[X86_RAX], n, size);
	return n;
}

static void movs_one(struct emu_cpu *cpu, const struct emu_insn *i,
		     unsigned int size)
{
	uint64_t v =
		load(cpu, string_lin(cpu, i, X86_RSI, size, ACCESS_READ), size);

	store(cpu, string_lin(cpu, i, X86_RDI, size, ACCESS_WRITE), v, size);
	advance(cpu, i, X86_RSI, size);
	advance(cpu, i, X86_RDI, size);
}

static void stos_one(struct emu_cpu *cpu, const struct emu_insn *i,
		     unsigned int size)
{
	store(cpu, string_lin(cpu, i, X86_RDI, size, ACCESS_WRITE),
	      cpu->gpr[X86_RAX], size);
	advance(cpu, i, X86_RDI, size);
}

static void lods_one(struct emu_cpu *cpu, const struct emu_insn *i,
		     unsigned int size)
{
	uint64_t v =
		load(cpu, string_lin(cpu, i, X86_RSI, size, ACCESS_READ), size);

	if (size == 4)
		SETREG32(0, v);
	else
		memcpy(&cpu->gpr[X86_RAX], &v, size);
	advance(cpu, i, X86_RSI, size);
}

#define GET_FLAGS "\n\tlahf\n\tseto %%al"

static void compare(struct emu_cpu *cpu, uint64_t a, uint64_t b,
		    unsigned int size)
{
	unsigned int shift = 64 - 8 * size;
	uint32_t f;

	/* Only AF depends on the low bits: compare at the right width. */
	switch (size) {
	case 1:
		asm("cmpb %2, %1" GET_FLAGS
		    : "=&a"(f)
		    : "r"((uint8_t)a), "r"((uint8_t)b)
		    : "cc");
		break;
	case 2:
		asm("cmpw %2, %1" GET_FLAGS
		    : "=&a"(f)
		    : "r"((uint16_t)a), "r"((uint16_t)b)
		    : "cc");
		break;
	case 4:
		asm("cmpl %2, %1" GET_FLAGS
		    : "=&a"(f)
		    : "r"((uint32_t)a), "r"((uint32_t)b)
		    : "cc");
		break;
	default:
		asm("cmpq %2, %1" GET_FLAGS
		    : "=&a"(f)
		    : "r"(a << shift), "r"(b)
		    : "cc");
		break;
	}
	cpu->aflags = f;
}

static void cmps_one(struct emu_cpu *cpu, const struct emu_insn *i,
		     unsigned int size)
{
	uint64_t a =
		load(cpu, string_lin(cpu, i, X86_RSI, size, ACCESS_READ), size);
	uint64_t b =
		load(cpu, string_lin(cpu, i, X86_RDI, size, ACCESS_READ), size);

	compare(cpu, a, b, size);
	advance(cpu, i, X86_RSI, size);
	advance(cpu, i, X86_RDI, size);
}

static void scas_one(struct emu_cpu *cpu, const struct emu_insn *i,
		     unsigned int size)
{
	uint64_t b =
		load(cpu, string_lin(cpu, i, X86_RDI, size, ACCESS_READ), size);

	compare(cpu, cpu->gpr[X86_RAX], b, size);
	advance(cpu, i, X86_RDI, size);
}

static void ins_one(struct emu_cpu *cpu, const struct emu_insn *i,
		    unsigned int size)
{
	uint16_t port = cpu->gpr[X86_RDX];
	uint64_t lin;

	sys_check_io(cpu, port, size);
	lin = string_lin(cpu, i, X86_RDI, size, ACCESS_WRITE);
	emu_probe(cpu, emu_view(cpu), lin, size, ACCESS_WRITE);
	store(cpu, lin, sys_in(cpu, port, size), size);
	advance(cpu, i, X86_RDI, size);
}

static void outs_one(struct emu_cpu *cpu, const struct emu_insn *i,
		     unsigned int size)
{
	uint16_t port = cpu->gpr[X86_RDX];
	uint64_t v;

	sys_check_io(cpu, port, size);
	v = load(cpu, string_lin(cpu, i, X86_RSI, size, ACCESS_READ), size);
	sys_out(cpu, port, v, size);
	advance(cpu, i, X86_RSI, size);
}

typedef void one_fn(struct emu_cpu *cpu, const struct emu_insn *i,
		    unsigned int size);
typedef uint64_t run_fn(struct emu_cpu *cpu, const struct emu_insn *i,
			unsigned int size, uint64_t n);

/* Not all done: come back after a look at what is pending. */
static void again(struct emu_cpu *cpu, const struct emu_insn *i)
{
	cpu->rip -= i->len;
}

static inline void repeat(struct emu_cpu *cpu, const struct emu_insn *i,
			  one_fn *one, run_fn *run, bool stops)
{
	unsigned int size = i->aux;
	uint64_t n, done, budget = EMU_PAGE;

	if (!(i->flags & (INSN_REP | INSN_REPNE))) {
		one(cpu, i, size);
		return;
	}
	n = addr_get(cpu, i, X86_RCX);
	if (unlikely(emu_stepping(cpu))) {
		budget = 1;
		run = NULL;
	}
	for (; n && budget; budget--) {
		done = run ? run(cpu, i, size, n) : 0;
		if (done) {
			advance(cpu, i, X86_RDI, done * size);
			if (run == movs_run)
				advance(cpu, i, X86_RSI, done * size);
			if (atomic_load_explicit(&cpu->pending,
						 memory_order_relaxed))
				budget = 1;
		} else {
			one(cpu, i, size);
			done = 1;
		}
		n -= done;
		addr_set(cpu, i, X86_RCX, n);
		if (stops && !!(cpu->aflags & AF_ZF) != !!(i->flags & INSN_REP))
			return;
	}
	if (n)
		again(cpu, i);
}

void op_movs(struct emu_cpu *cpu, const struct emu_insn *i)
{
	repeat(cpu, i, movs_one, movs_run, false);
}

void op_stos(struct emu_cpu *cpu, const struct emu_insn *i)
{
	repeat(cpu, i, stos_one, stos_run, false);
}

void op_lods(struct emu_cpu *cpu, const struct emu_insn *i)
{
	repeat(cpu, i, lods_one, NULL, false);
}

void op_cmps(struct emu_cpu *cpu, const struct emu_insn *i)
{
	repeat(cpu, i, cmps_one, NULL, true);
}

void op_scas(struct emu_cpu *cpu, const struct emu_insn *i)
{
	repeat(cpu, i, scas_one, NULL, true);
}

void op_ins(struct emu_cpu *cpu, const struct emu_insn *i)
{
	/* Even when there is nothing to do. */
	sys_check_io(cpu, cpu->gpr[X86_RDX], i->aux);
	repeat(cpu, i, ins_one, NULL, false);
}

void op_outs(struct emu_cpu *cpu, const struct emu_insn *i)
{
	sys_check_io(cpu, cpu->gpr[X86_RDX], i->aux);
	repeat(cpu, i, outs_one, NULL, false);
}
