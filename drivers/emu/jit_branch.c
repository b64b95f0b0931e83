/*
 * drivers/emu/jit_branch.c -- branches, calls and returns in host code.
 *
 * A branch within the page is a host's branch that is linked when it is first
 * taken.  Into another page, it is linked too and checked each time; what is
 * not known before is looked up in the jump table (jit_block.c).  Calls and
 * returns are the host's calls and returns (jit_return.c).
 */
#include "drivers/emu/jit_emit.h"

/* As written, what is to be executed there. */
static uint8_t *written(const struct jit_buf *b, const uint8_t *exec)
{
	return (uint8_t *)exec - b->to_exec;
}

void emit_lookup(struct emitter *e)
{
	uint8_t *miss;
	int32_t code;

	ax_flags(e);
	code = jit_put_lookup(&e->b, e->table, &miss);
	asm_fix(miss, written(&e->b, e->jit->lookup));
	asm_rm(&e->b, W0, 0xff, 4, mem_gs_at(H_RDX, code)); /* jmp [code] */
}

static bool same_page(int32_t offset)
{
	return offset >= 0 && offset < (int32_t)EMU_PAGE;
}

static struct jit_exit *add_exit(struct emitter *e, uint8_t *jump,
				 int32_t target)
{
	struct jit_exit *x = &e->blk->exits[e->blk->n_exits];

	*x = (struct jit_exit){
		.from = e->blk, .jump = jump, .target = target, .flags = e->fl
	};
	add_stub(e, jump, e->blk->n_exits++, 0, STUB_EXIT);
	return x;
}

/*
 * jit.page := a constant that is known when the branch is linked.  It is not
 * computed from what it was: each branch would wait for those before it.
 */
static uint8_t *emit_known_page(struct emitter *e)
{
	uint8_t *at;

	ASM(&e->b, 0x48, 0xb9); /* mov rcx, ... */
	at = e->b.w;
	put64(&e->b, 0);
	asm_store(&e->b, W1, H_RCX, mem_gs(OFF(jit.page)));
	return at;
}

/*
 * Into another page, by JMP or CALL.  That is good as long as this page is
 * where it was, and the other one: a number is compared (jit_block.c).  If it
 * is another, the jump table is asked.
 */
static struct jit_exit *emit_far(struct emitter *e, int32_t target, uint8_t op)
{
	uint8_t *check, *stale, *page;
	struct jit_exit *x;

	ax_flags(e);
	asm_rm(&e->b, W0, 0x81, 7, mem_gs(OFF(jit.space)));
	check = e->b.w - 4;
	put32(&e->b, 0);
	stale = asm_jcc(&e->b, 5);
	page = emit_known_page(e);
	put8(&e->b, op);
	put32(&e->b, 0);
	x = add_exit(e, e->b.w - 4, target);
	x->check = check;
	x->page = page;
	e->stubs[e->n_stubs - 1].jump = stale;
	e->stubs[e->n_stubs - 1].table = e->table;
	e->stubs[e->n_stubs - 1].legacy = e->key & JIT_KEY_LEGACY;
	return x;
}

/* What was added last is the branch's: its target may have 16 bits. */
static void cut_target(struct emitter *e, unsigned int n)
{
	e->blk->exits[e->blk->n_exits - 1].ip16 =
		e->s->insn[n].d.z.operand_width == 16;
}

void emit_goto(struct emitter *e, int32_t target)
{
	if (same_page(target))
		add_exit(e, asm_jmp32(&e->b), target);
	else
		emit_far(e, target, OP_JMP);
}

/*
 * 16-bit and 32-bit code: to the interpreter if CS does not hold RCX, which
 * the instruction would go to.
 */
static void limit_target(struct emitter *e, unsigned int n)
{
	int32_t limit = OFF(seg) +
			(int32_t)(sizeof(struct x86_segment) * X86_CS +
				  offsetof(struct x86_segment, limit));

	if (!(e->key & JIT_KEY_LEGACY) || e->key & JIT_KEY_FLAT)
		return;
	ax_flags(e);
	asm_rm(&e->b, W0, 0x3b, H_RCX, mem_gs(limit)); /* cmp */
	emit_helper_if(e, n, asm_jcc(&e->b, 7));
}

/* The same for a place that the page does not hold. */
static void limit_direct(struct emitter *e, unsigned int n, int32_t target)
{
	if (!(e->key & JIT_KEY_LEGACY) || e->key & JIT_KEY_FLAT ||
	    same_page(target))
		return;
	ax_flags(e);
	emit_rip(e, H_RCX, target);
	if (e->s->insn[n].d.z.operand_width == 16)
		asm_mov_zero(&e->b, 2, H_RCX, H_RCX);
	limit_target(e, n);
}

/* On to where a branch leads, in the page or not. */
static void goto_target(struct emitter *e, unsigned int n, int32_t target)
{
	emit_goto(e, target);
	cut_target(e, n);
}

static int32_t branch_target(const struct emitter *e, const struct scan_insn *i)
{
	return e->start + i->next + (int32_t)i->d.op[0].imm.value.s;
}

static void emit_jcc(struct emitter *e, unsigned int n)
{
	struct scan_insn *i = &e->s->insn[n];
	int32_t target = branch_target(e, i);
	enum jit_flags_at fl;
	uint8_t *skip;

	host_flags(e);
	if (same_page(target)) {
		add_exit(e, asm_jcc(&e->b, i->cc), target);
		return;
	}
	skip = asm_jcc(&e->b, i->cc ^ 1);
	fl = e->fl;
	limit_direct(e, n, target);
	goto_target(e, n, target);
	e->fl = fl;
	asm_fix(skip, e->b.w);
}

static int32_t behind(const struct emitter *e, unsigned int n)
{
	return e->start + e->s->insn[n].next;
}

/* Pushes the address behind the instruction; returns a register that has it. */
static int push_return(struct emitter *e, unsigned int n,
		       const struct scan_mem *m)
{
	struct host_mem h = emit_mem(e, n, m);
	int reg = scratch_beside(e, &h);

	emit_rip(e, reg, behind(e, n));
	asm_store_size(&e->b, m->size, reg, h);
	if (m->size == 2)
		asm_mov_zero(&e->b, 2, reg, reg);
	add_sp(e, -(int32_t)m->size);
	flush_sp(e);
	return reg;
}

static void put_push(struct jit_buf *b, int reg)
{
	assert(reg < 8);
	put8(b, 0x50 | reg);
}

static void put_pop(struct jit_buf *b, int reg)
{
	assert(reg < 8);
	put8(b, 0x58 | reg);
}

/* RCX is RIP. */
void put_page(struct jit_buf *b, int32_t offset)
{
	asm_lea(b, W1, H_RCX, mem_at(H_RCX, -offset));
	asm_store(b, W1, H_RCX, mem_gs(OFF(jit.page)));
}

/* Where a host's RET comes back to: jit_return.c.  Flags are in AX. */
static void emit_landing_far(struct emitter *e)
{
	e->fl = JF_AX;
	put_pop(&e->b, H_RCX);
	emit_lookup(e);
}

static void emit_landing_jump(struct emitter *e, int32_t next)
{
	e->fl = JF_AX;
	add_exit(e, asm_jmp32(&e->b), next)->returns = true;
}

/* From anywhere. */
static void emit_landing(struct emitter *e, int32_t next)
{
	if (!same_page(next)) {
		emit_landing_far(e);
		return;
	}
	put_pop(&e->b, H_RCX);
	put_page(&e->b, next);
	emit_landing_jump(e, next);
}

/* From this page, mostly: nothing is written if that is so. */
static void emit_landing_near(struct emitter *e, int32_t next)
{
	struct jit_buf *cold = &e->jit->cold;
	uint8_t *other;

	put_pop(&e->b, H_RCX);
	asm_lea(&e->b, W1, H_RCX, mem_at(H_RCX, -next));
	asm_rm(&e->b, W1, 0x3b, H_RCX, mem_gs(OFF(jit.page)));
	other = asm_jcc(&e->b, 5);
	asm_fix(other, cold->w);
	asm_store(cold, W1, H_RCX, mem_gs(OFF(jit.page)));
	asm_jmp(cold, e->b.w + e->b.to_exec);
	emit_landing_jump(e, next);
}

static void emit_call_near(struct emitter *e, int32_t target, int32_t next)
{
	add_exit(e, asm_call32(&e->b), target);
	if (same_page(next))
		emit_landing_near(e, next);
	else
		emit_landing_far(e);
}

/* As long as the call is linked, so is what it comes back to. */
static void emit_call_far(struct emitter *e, unsigned int n, int32_t target,
			  int32_t next)
{
	struct jit_exit *x = emit_far(e, target, OP_CALL);
	struct stub *s = &e->stubs[e->n_stubs - 1];

	cut_target(e, n);
	s->next = next;
	if (!same_page(next)) {
		s->back = e->b.w;
		emit_landing_far(e);
		return;
	}
	x->own_page = emit_known_page(e);
	asm_lea(&e->b, W1, H_RSP, mem_at(H_RSP, 8));
	s->back = e->b.w;
	emit_landing_jump(e, next);
}

/* Calls the code at RCX, return address pushed. */
static void emit_lookup_call(struct emitter *e)
{
	struct jit_buf *cold = &e->jit->cold;
	uint8_t *miss;
	int32_t code;

	ax_flags(e);
	code = jit_put_lookup(&e->b, e->table, &miss);
	asm_rm(&e->b, W0, 0xff, 2, mem_gs_at(H_RDX, code)); /* call [code] */
	asm_fix(miss, cold->w);
	ASM(cold, 0x48, 0x8d, 0x15); /* lea rdx, [rip + ...] */
	put_rel32(cold, e->b.w + e->b.to_exec);
	put_push(cold, H_RDX);
	asm_jmp(cold, e->jit->lookup);
}

/* MOV [RSP], register: what is at the top will be something else. */
static bool replaces_top(const uint8_t *code)
{
	return (code[0] & 0xfb) == 0x48 && code[1] == 0x89 &&
	       (code[2] & 0xc7) == 0x04 && code[3] == 0x24;
}

/* LEA or ADD: what is at the top will not be there any more. */
static bool drops_top(const uint8_t *code)
{
	return !memcmp(code, "\x48\x8d\x64\x24\x08", 5) ||
	       !memcmp(code, "\x48\x83\xc4\x08", 4);
}

/* Code at an offset of the page, if it is at hand; at least 5 bytes. */
static const uint8_t *peek(const struct emitter *e, int32_t offset)
{
	uint64_t lin = jit_linear(e->cpu, e->blk->rip - e->start + offset);
	const struct emu_itlb *t = mmu_fetched(e->cpu, lin);

	if (!t || !t->host || (lin & ~EMU_PAGE_MASK) > EMU_PAGE - 5)
		return (const uint8_t *)"\x90\x90\x90\x90\x90";
	return t->host + (lin & ~EMU_PAGE_MASK);
}

/*
 * Kernels have calls that nobody returns from, against attacks that train the
 * host's predictor, and UD2 or INT3 behind some.  If the guess is wrong, only
 * a prediction is.
 */
static bool will_return(const struct emitter *e, int32_t target, int32_t next)
{
	const uint8_t *to = peek(e, target), *behind = peek(e, next);

	return !replaces_top(to) && !drops_top(to) &&
	       memcmp(behind, "\x0f\x0b", 2) && behind[0] != 0xcc;
}

static void emit_call(struct emitter *e, unsigned int n)
{
	struct scan_insn *i = &e->s->insn[n];
	int32_t next = behind(e, n), target = branch_target(e, i);
	int reg;

	limit_direct(e, n, target);
	reg = push_return(e, n, &i->mem[0]);
	if (!will_return(e, target, next)) {
		goto_target(e, n, target);
		return;
	}
	put_push(&e->b, reg);
	if (same_page(target))
		emit_call_near(e, target, next);
	else
		emit_call_far(e, n, target, next);
}

static void emit_ret(struct emitter *e, unsigned int n)
{
	struct scan_insn *i = &e->s->insn[n];
	struct host_mem h = emit_mem(e, n, &i->mem[0]);
	int32_t extra = 0;

	if (i->d.z.operand_count_visible)
		extra = i->d.op[0].imm.value.u;
	ax_flags(e);
	asm_load_zero(&e->b, i->mem[0].size, H_RCX, h);
	limit_target(e, n);
	add_sp(e, (int32_t)i->mem[0].size + extra);
	flush_sp(e);
	if (n && replaces_top(e->s->insn[n - 1].bytes)) {
		emit_lookup(e);
		return;
	}
	asm_rm(&e->b, W1, 0x3b, H_RCX, mem_at(H_RSP, 8)); /* cmp */
	asm_fix(asm_jcc(&e->b, 5), written(&e->b, e->jit->mismatch[e->table]));
	put8(&e->b, 0xc3);
}

/* The target of an indirect branch, in a scratch register or a guest's. */
static int indirect_target(struct emitter *e, unsigned int n)
{
	struct scan_insn *i = &e->s->insn[n];
	unsigned int size = i->d.z.operand_width / 8;
	struct host_mem h;

	if (i->d.op[0].type == ZYDIS_OPERAND_TYPE_REGISTER) {
		int reg = jit_gpr_id(i->d.op[0].reg.value);

		if (size == 8)
			return load_spilled(e, H_RCX, reg);
		asm_mov_zero(&e->b, size, H_RCX, jit_map[reg]);
		return H_RCX;
	}
	h = emit_mem(e, n, &i->mem[0]);
	asm_load_zero(&e->b, size, H_RCX, h);
	return H_RCX;
}

static void emit_jmp_ind(struct emitter *e, unsigned int n)
{
	int target = indirect_target(e, n);

	if (target != H_RCX)
		asm_mov_rr(&e->b, W1, H_RCX, target);
	limit_target(e, n);
	emit_lookup(e);
}

static void emit_call_ind(struct emitter *e, unsigned int n)
{
	struct scan_insn *i = &e->s->insn[n];
	int target = indirect_target(e, n);
	bool kept = target != H_RCX && target != G_RSP;

	limit_target(e, n);
	if (!kept)
		asm_store(&e->b, W1, target, mem_gs(OFF(jit.tmp)));
	put_push(&e->b, push_return(e, n, &i->mem[i->n_mem - 1]));
	if (kept)
		asm_mov_rr(&e->b, W1, H_RCX, target);
	else
		asm_load(&e->b, W1, H_RCX, mem_gs(OFF(jit.tmp)));
	emit_lookup_call(e);
	emit_landing(e, behind(e, n));
}

void emit_branch(struct emitter *e, unsigned int n)
{
	struct scan_insn *i = &e->s->insn[n];

	switch (i->kind) {
	case JK_JCC:
		emit_jcc(e, n);
		break;
	case JK_JMP:
		limit_direct(e, n, branch_target(e, i));
		goto_target(e, n, branch_target(e, i));
		break;
	case JK_CALL:
		emit_call(e, n);
		break;
	case JK_RET:
		emit_ret(e, n);
		break;
	case JK_JMP_IND:
		emit_jmp_ind(e, n);
		break;
	default:
		emit_call_ind(e, n);
	}
}

/*
 * A branch to another page that may not be what it was linked to.  Mostly the
 * jump table knows; sometimes, and if it does not, the branch is linked anew
 * by what follows.
 */
void emit_stale(struct emitter *e, const struct stub *s, int32_t target,
		bool ip16)
{
	struct jit_buf *b = &e->jit->cold;
	uint8_t *again, *miss, *call, *hit = NULL;
	int32_t code;

	asm_load(b, W1, H_RCX, mem_gs(OFF(jit.page)));
	asm_lea(b, s->legacy ? W0 : W1, H_RCX, mem_at(H_RCX, target));
	if (ip16)
		asm_mov_zero(b, 2, H_RCX, H_RCX);
	asm_rm(b, W0, 0xff, 1, mem_gs(OFF(jit.stale))); /* dec */
	again = asm_jcc(b, 8);
	code = jit_put_lookup(b, s->table, &miss);
	asm_rm(b, W0, 0xff, s->back ? 2 : 4, mem_gs_at(H_RDX, code));
	if (s->back)
		hit = asm_short(b, OP_JMP8);
	asm_fix(again, b->w);
	asm_fix(miss, b->w);
	if (!s->back)
		return;
	call = asm_call32(b);
	asm_fix8(hit, b->w);
	if (same_page(s->next)) {
		put_pop(b, H_RCX);
		put_page(b, s->next);
	}
	asm_jmp(b, s->back + b->to_exec);
	asm_fix(call, b->w);
}
