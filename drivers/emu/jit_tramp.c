/*
 * drivers/emu/jit_tramp.c -- the ways into translated code and out of it.
 *
 * Out: registers go to struct emu_cpu, vector registers too if they are the
 * guest's, and a C function is called.  It answers where to go on; flags are
 * then both in the host's flags and in AX, as the block may expect either.
 * x87 registers stay in the host until somebody needs them (jit_run.c).
 */
#include "drivers/emu/jit.h"

#include "drivers/emu/vec_int.h"

#define OFF(field) JIT_GS(field)

static void spill(struct jit_buf *b)
{
	for (int r = 0; r < 16; r++)
		if (jit_map[r] != H_NONE)
			asm_store(b, W1, jit_map[r], mem_gs(OFF(gpr) + 8 * r));
}

static void fill(struct jit_buf *b)
{
	for (int r = 0; r < 16; r++)
		if (jit_map[r] != H_NONE)
			asm_load(b, W1, jit_map[r], mem_gs(OFF(gpr) + 8 * r));
}

static struct host_mem xmm_at(int n)
{
	return mem_gs(OFF(fpu.xsave) + XA_XMM + 16 * n);
}

static struct host_mem ymmh_at(int n)
{
	return mem_gs(OFF(fpu.xsave) + XA_YMMH + 16 * n);
}

static void mxcsr(struct jit_buf *b, int op, int32_t off)
{
	asm_rm(b, W0, 0x0fae, op, mem_gs(off));
}
enum { LDMXCSR = 2, STMXCSR = 3 };

static const uint8_t *here(const struct jit_buf *b)
{
	return b->w + b->to_exec;
}

static void set_byte(struct jit_buf *b, int32_t off, uint8_t v)
{
	asm_rm(b, W0, 0xc6, 0, mem_gs(off));
	put8(b, v);
}

/* Function: vector registers and MXCSR to memory, the host's MXCSR back. */
static const uint8_t *make_save_vec(struct jit_buf *b, bool avx)
{
	const uint8_t *start = here(b);

	for (int n = 0; n < 16; n++) {
		asm_xmm(b, avx, 0x11, n, xmm_at(n));
		if (avx)
			asm_ymmh(b, 0x19, n, ymmh_at(n));
	}
	if (avx)
		ASM(b, 0xc5, 0xf8, 0x77); /* vzeroupper */
	mxcsr(b, STMXCSR, OFF(fpu.xsave) + XA_MXCSR);
	mxcsr(b, LDMXCSR, OFF(jit.host_mxcsr));
	put8(b, 0xc3);
	return start;
}

static const uint8_t *make_load_vec(struct jit_buf *b, bool avx)
{
	const uint8_t *start = here(b);

	for (int n = 0; n < 16; n++) {
		asm_xmm(b, avx, 0x10, n, xmm_at(n));
		if (avx)
			asm_ymmh(b, 0x18, n, ymmh_at(n));
	}
	mxcsr(b, LDMXCSR, OFF(fpu.xsave) + XA_MXCSR);
	set_byte(b, OFF(jit.vec_loaded), 1);
	put8(b, 0xc3);
	return start;
}

/* Calls the function if the flag is set; uses RCX. */
static void call_if(struct jit_buf *b, int32_t flag, const uint8_t *fn)
{
	uint8_t *skip;

	asm_rm(b, W0, 0x0fb6, H_RCX, mem_gs(flag));
	skip = asm_short(b, OP_JRCXZ);
	asm_call(b, fn);
	asm_fix8(skip, b->w);
}

static void fxrstor(struct jit_buf *b)
{
	asm_rm(b, W1, 0x0fae, 1, mem_gs(OFF(fpu.xsave)));
	set_byte(b, OFF(jit.x87_loaded), 1);
	set_byte(b, OFF(jit.want_x87), 0);
}

/*
 * Function: FXRSTOR takes XMM registers and MXCSR along, so those have to be
 * in memory, or the host's MXCSR has to come back.
 */
static const uint8_t *make_load_x87_raw(struct jit_buf *b)
{
	const uint8_t *start = here(b);

	fxrstor(b);
	mxcsr(b, LDMXCSR, OFF(jit.host_mxcsr));
	put8(b, 0xc3);
	return start;
}

static const uint8_t *make_load_x87(struct jit_buf *b, const uint8_t *save_vec,
				    const uint8_t *load_raw,
				    const uint8_t *load_vec)
{
	const uint8_t *start = here(b);

	call_if(b, OFF(jit.vec_loaded), save_vec);
	asm_call(b, load_raw);
	call_if(b, OFF(jit.vec_loaded), load_vec);
	put8(b, 0xc3);
	return start;
}

static const uint8_t saved[] = { H_RBX, H_RBP, H_R12, H_R13, H_R14, H_R15 };

static void push_pop(struct jit_buf *b, uint8_t op, int reg)
{
	if (reg >= 8)
		put8(b, 0x41);
	put8(b, op | (reg & 7));
}

static const uint8_t *make_leave(struct jit_buf *b)
{
	const uint8_t *start = here(b);

	asm_load(b, W1, H_RSP, mem_gs(OFF(jit.host_sp)));
	asm_ri(b, W1, 0, H_RSP, 8);
	for (unsigned int n = sizeof(saved); n-- > 0;)
		push_pop(b, 0x58, saved[n]);
	put8(b, 0xc3);
	return start;
}

/*
 * The last look at what is pending: from here to the block a kick finds
 * translated code, so it is not missed (jit_signal.c).  Returns the jump.
 */
static uint8_t *look_pending(struct jit_buf *b)
{
	asm_rm(b, W0, 0x83, 7, mem_gs(OFF(pending)));
	put8(b, 0);
	return asm_jcc(b, 5);
}

/* Where a kick goes that comes during go_on(): all is in memory still. */
static const uint8_t *make_bail(struct jit_buf *b, const uint8_t *leave,
				bool avx)
{
	const uint8_t *start = here(b);

	if (avx)
		ASM(b, 0xc5, 0xf8, 0x77); /* vzeroupper */
	mxcsr(b, LDMXCSR, OFF(jit.host_mxcsr));
	asm_jmp(b, leave);
	return start;
}

/* Flags from aflags, to both places; scratch registers and the rest, and off. */
static void go_on(struct jit *j, struct jit_buf *b)
{
	struct jit_range *r = &j->go_on[j->n_go_on++];

	r->start = here(b);
	asm_load(b, W1, H_RSP, mem_gs(OFF(jit.ret_sp)));
	fill(b);
	asm_rm(b, W1, 0x2b, jit_map[X86_RSP], mem_gs(OFF(jit.sp))); /* sub */
	asm_rm(b, W0, 0x0fb7, H_RAX, mem_gs(OFF(aflags)));
	ASM(b, 0x04, 0x7f, 0x9e); /* add al, 0x7f; sahf */
	asm_rm(b, W0, 0x0fb7, H_RAX, mem_gs(OFF(aflags)));
	asm_load(b, W1, H_RCX, mem_gs(OFF(jit.rcx)));
	asm_load(b, W1, H_RDX, mem_gs(OFF(jit.rdx)));
	asm_rm(b, W0, 0xff, 4, mem_gs(OFF(jit.resume)));
	r->end = here(b);
}

/* void enter(const void *code): RDI is where to go. */
static const uint8_t *make_enter(struct jit *j, struct jit_buf *b)
{
	const uint8_t *start = here(b);
	uint8_t *out = look_pending(b);

	for (unsigned int n = 0; n < sizeof(saved); n++)
		push_pop(b, 0x50, saved[n]);
	asm_ri(b, W1, 5, H_RSP, 8);
	asm_store(b, W1, H_RSP, mem_gs(OFF(jit.host_sp)));
	asm_store(b, W1, H_RDI, mem_gs(OFF(jit.resume)));
	go_on(j, b);
	asm_fix(out, b->w);
	put8(b, 0xc3);
	return start;
}

struct way {
	enum jit_flags_at flags; /* where the guest's are; JF_DEAD: leave them */
	bool meta;   /* RCX leads to a struct jit_meta */
	bool rip;    /* RCX is RIP */
	bool leaves; /* whatever the function answers */
	void *fn;
	int32_t flags_off;
	const uint8_t *load_x87; /* with vector registers saved */
};

static const uint8_t *make_way(struct jit *j, const uint8_t *save_vec,
			       const uint8_t *load_vec, const uint8_t *leave,
			       const struct way *w)
{
	struct jit_buf *b = &j->buf;
	const uint8_t *start = here(b);
	uint8_t *none, *out;

	asm_store(b, W1, H_RAX, mem_gs(OFF(jit.rax)));
	if (w->rip)
		asm_store(b, W1, H_RCX, mem_gs(OFF(rip)));
	if (w->flags == JF_HOST)
		ASM(b, 0x9f, 0x0f, 0x90, 0xc0); /* lahf; seto al */
	if (w->flags != JF_DEAD) {
		put8(b, 0x66);
		/* The prefix order does not matter: 66 65 89. */
		asm_store(b, W0, H_RAX, mem_gs(w->flags_off));
	}
	spill(b);
	if (w->meta)
		asm_mov_rr(b, W1, H_RSI, H_RCX);
	asm_store(b, W1, H_RSP, mem_gs(OFF(jit.ret_sp)));
	asm_load(b, W1, H_RSP, mem_gs(OFF(jit.host_sp)));
	call_if(b, OFF(jit.vec_loaded), save_vec);
	asm_load(b, W1, H_RDI, mem_gs(OFF(jit.self)));
	asm_mov_imm(b, H_RAX, (uintptr_t)w->fn);
	ASM(b, 0xff, 0xd0); /* call rax */
	if (w->leaves) {
		asm_jmp(b, leave);
		return start;
	}
	asm_rr(b, W1, 0x85, H_RAX, H_RAX);
	none = asm_jcc(b, 4);
	out = look_pending(b);
	asm_store(b, W1, H_RAX, mem_gs(OFF(jit.resume)));
	call_if(b, OFF(jit.want_x87), w->load_x87);
	call_if(b, OFF(jit.vec_loaded), load_vec);
	go_on(j, b);
	asm_fix(none, b->w);
	asm_fix(out, b->w);
	asm_jmp(b, leave);
	return start;
}

/* Every bit counts: the cases of a switch lie close together. */
uint32_t jit_jump_index(uint64_t rip)
{
	return (rip ^ rip >> 4) & ((1u << JIT_JUMP_BITS) - 1);
}

int32_t jit_put_lookup(struct jit_buf *b, unsigned int table,
		       uint8_t **ret_miss)
{
	int32_t at = OFF(jumps_to) +
		     (int32_t)(table * sizeof(struct emu_jumps));

	static_assert(sizeof(struct jit_to) == 16, "index is shifted by 4");
	/* Sixteen times the index: the rotation shifts by 4 to the left. */
	asm_rorx(b, W0, H_RDX, H_RCX, 28);
	asm_rr(b, W0, 0x33, H_RDX, H_RCX); /* xor */
	asm_ri(b, W0, 4, H_RDX, ((1 << JIT_JUMP_BITS) - 1) << 4);
	asm_rm(b, W1, 0x3b, H_RCX, mem_gs_at(H_RDX, at)); /* cmp */
	*ret_miss = asm_jcc(b, 5);
	return at + (int32_t)offsetof(struct jit_to, code);
}

/*
 * The top of the stack is not where the guest returns to; further up it may
 * be: then calls have been left without a return.
 */
static const uint8_t *make_mismatch(struct jit *j, struct jit_buf *b,
				    unsigned int table)
{
	enum { SEARCH = 8 };
	const uint8_t *start = here(b);
	uint8_t *found[SEARCH + 1], *miss;
	int32_t code;

	for (int n = 1; n <= SEARCH; n++) {
		asm_rm(b, W1, 0x3b, H_RCX, mem_at(H_RSP, 16 * n + 8));
		found[n] = asm_jcc(b, 4);
	}
	code = jit_put_lookup(b, table, &miss);
	asm_rm(b, W0, 0xff, 4, mem_gs_at(H_RDX, code));
	asm_fix(miss, (uint8_t *)j->lookup - b->to_exec);
	for (int n = 1; n <= SEARCH; n++) {
		asm_fix(found[n], b->w);
		asm_lea(b, W1, H_RSP, mem_at(H_RSP, 16 * n));
		put8(b, 0xc3);
	}
	return start;
}

/* Somebody returned to where the empty stack leads. */
static const uint8_t *make_stray(struct jit *j, struct jit_buf *b)
{
	const uint8_t *start = here(b);

	push_pop(b, 0x58, H_RCX);
	asm_load(b, W1, H_RSP, mem_gs(OFF(jit.ret_base)));
	asm_jmp(b, j->lookup);
	return start;
}

void jit_make_trampolines(struct emu_cpu *cpu)
{
	struct jit *j = jit_of(cpu);
	struct jit_buf *b = &j->buf;
	bool avx = vec_host_avx();
	const uint8_t *save = make_save_vec(b, avx);
	const uint8_t *leave = make_leave(b);
	const uint8_t *x87 = make_load_x87_raw(b);
	const struct way slow = { .flags = JF_DEAD, .meta = true,
				  .fn = jit_call_slow, .load_x87 = x87 };
	const struct way lookup = { .flags = JF_AX, .rip = true,
				    .fn = jit_call_lookup, .load_x87 = x87,
				    .flags_off = OFF(aflags) };
	const struct way fault = { .flags = JF_HOST, .leaves = true,
				   .fn = jit_call_fault,
				   .flags_off = OFF(jit.host_flags) };
	struct way helper = { .flags = JF_HOST, .meta = true,
			      .fn = jit_call_helper, .load_x87 = x87,
			      .flags_off = OFF(aflags) };
	struct way link = helper;

	j->bail = make_bail(b, leave, avx);
	j->leave = leave;
	j->load_vec = make_load_vec(b, avx);
	j->load_x87 = make_load_x87(b, save, x87, j->load_vec);
	j->enter = (void (*)(const void *))make_enter(j, b);
	j->slow = make_way(j, save, j->load_vec, leave, &slow);
	j->helper = make_way(j, save, j->load_vec, leave, &helper);
	link.fn = jit_call_link;
	j->link = make_way(j, save, j->load_vec, leave, &link);
	helper.flags = link.flags = JF_AX;
	j->helper_ax = make_way(j, save, j->load_vec, leave, &helper);
	j->link_ax = make_way(j, save, j->load_vec, leave, &link);
	j->lookup = make_way(j, save, j->load_vec, leave, &lookup);
	j->fault = make_way(j, save, j->load_vec, leave, &fault);
	j->stray = make_stray(j, b);
	for (unsigned int t = 0; t < JIT_TABLES; t++)
		j->mismatch[t] = make_mismatch(j, b, t);
	j->blocks_start = b->w;
	jit_tell_trampolines(cpu);
}
