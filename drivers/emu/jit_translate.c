/*
 * drivers/emu/jit_translate.c -- a block of the guest's code becomes one of the
 * host's: its entries, its instructions, and the ways out.
 */
#include "drivers/emu/jit_emit.h"

#include "drivers/emu/jit_rewrite.h"

/* Loads the guest's vector or x87 registers if they are not there. */
static void put_unit(struct jit_buf *b, int32_t loaded, const uint8_t *tramp)
{
	uint8_t *load, *go;

	asm_rm(b, W0, 0x0fb6, H_RCX, mem_gs(loaded));
	load = asm_short(b, OP_JRCXZ);
	go = asm_short(b, OP_JMP8);
	asm_fix8(load, b->w);
	asm_call(b, tramp);
	asm_fix8(go, b->w);
}

static void put_units(struct emitter *e, struct jit_buf *b)
{
	if (e->s->vec)
		put_unit(b, OFF(jit.vec_loaded), e->jit->load_vec);
	if (e->s->x87)
		put_unit(b, OFF(jit.x87_loaded), e->jit->load_x87);
}

/* Where does the block want the flags that it begins with? */
static enum jit_flags_at flags_wanted(const struct emitter *e)
{
	const struct jit_scan *s = e->s;

	if (!e->jit->strict && !((s->insn[0].live & ~s->insn[0].kills) |
				 s->insn[0].reads))
		return JF_DEAD;
	for (unsigned int n = 0; n < s->n; n++) {
		const struct scan_insn *i = &s->insn[n];

		if (checks_memory(i))
			return JF_AX;
		if (i->reads || i->writes)
			return JF_HOST;
	}
	return JF_AX;
}

/* From blocks of the same page that have the flags in the host's. */
static void emit_host_entry(struct emitter *e, const uint8_t *first)
{
	struct jit_block *blk = e->blk;
	struct jit_buf *b = &e->jit->cold;

	blk->host_code = blk->host_body = first;
	if (blk->flags != JF_AX && !e->s->vec && !e->s->x87)
		return;
	blk->host_code = b->w + b->to_exec;
	put_units(e, b);
	if (blk->flags == JF_AX) {
		blk->host_body = b->w + b->to_exec;
		ASM(b, 0x9f, 0x0f, 0x90, 0xc0); /* lahf; seto al */
	}
	asm_jmp(b, first);
}

static void emit_entry(struct emitter *e)
{
	struct jit_block *blk = e->blk;

	e->fl = blk->flags = flags_wanted(e);
	blk->entry = e->b.w + e->b.to_exec;
	put_page(&e->b, e->start);
	blk->code = e->b.w + e->b.to_exec;
	put_units(e, &e->b);
	blk->body = e->b.w + e->b.to_exec;
	if (e->fl == JF_HOST)
		flags_from_ax(&e->b);
	emit_host_entry(e, e->b.w + e->b.to_exec);
}

static void put_stub(struct emitter *e, const struct stub *s)
{
	const struct jit *j = e->jit;
	struct jit_buf *cold = &e->jit->cold;
	const uint8_t *to = j->slow;

	asm_fix(s->jump, cold->w);
	if (s->kind == STUB_EXIT) {
		struct jit_exit *x = &e->blk->exits[s->n];

		if (x->check)
			emit_stale(e, s, x->target, x->ip16);
		x->stub = cold->w + cold->to_exec;
		to = x->flags == JF_AX ? j->link_ax : j->link;
	} else if (s->kind != STUB_SLOW) {
		to = s->kind == STUB_HELPER_AX ? j->helper_ax : j->helper;
	}
	put_meta_jump(cold, to, e->blk, s->n, s->mem);
}

/* Away from the rest, so that what runs lies close together. */
static void emit_stubs(struct emitter *e)
{
	for (unsigned int k = 0; k < e->n_stubs; k++)
		put_stub(e, &e->stubs[k]);
}

/* On to what follows; an instruction in two pages is looked up each time. */
static void emit_on(struct emitter *e, int32_t target, bool crosses)
{
	if (!crosses) {
		emit_goto(e, target);
		return;
	}
	emit_rip(e, H_RCX, target);
	emit_lookup(e);
}

static void emit_block(struct emitter *e)
{
	struct jit_scan *s = e->s;
	const struct scan_insn *last = &s->insn[s->n - 1];

	emit_entry(e);
	for (unsigned int n = 0; n < s->n; n++)
		emit_one(e, n);
	flush_sp(e);
	if (!jit_ends_block(last->kind))
		emit_on(e, e->start + last->next, s->crosses);
	emit_stubs(e);
	e->blk->code_end = e->b.w + e->b.to_exec;
}

static unsigned int count_exits(const struct jit_scan *s)
{
	unsigned int n = 2; /* a call has two */

	for (unsigned int k = 0; k < s->n; k++)
		n += s->insn[k].kind == JK_JCC;
	return n;
}

static unsigned int count_mems(const struct jit_scan *s)
{
	unsigned int n = 0;

	for (unsigned int k = 0; k < s->n; k++)
		n += s->insn[k].n_mem;
	return n;
}

static struct jit_block *new_block(struct emu_cpu *cpu,
				   const struct jit_scan *s)
{
	unsigned int n_exits = count_exits(s), n_mems = count_mems(s);
	struct jit_block *b = cache_alloc(cpu->cache, sizeof(*b));

	if (!b)
		return NULL;
	*b = (struct jit_block){ .len = s->len, .n = s->n };
	b->insn = cache_alloc(cpu->cache, s->n * sizeof(*b->insn));
	b->exits = cache_alloc(cpu->cache, n_exits * sizeof(*b->exits));
	b->mems = cache_alloc(cpu->cache, n_mems * sizeof(*b->mems));
	return b->insn && b->exits && b->mems ? b : NULL;
}

static bool has_room(const struct jit *jit)
{
	return jit->buf.end - jit->buf.w >= JIT_BLOCK_ROOM &&
	       jit->cold.end - jit->cold.w >= JIT_BLOCK_ROOM;
}

/* What is translated: code of a page, or one instruction in two. */
struct source {
	struct emu_itlb page, next; /* next.host: NULL if there is one page */
	uint32_t gen, gen2;
};

static int scan_page(struct emu_cpu *cpu, struct source *src,
		     unsigned int start)
{
	struct jit_scan *s = jit_of(cpu)->scan;
	const struct emu_itlb *t = &src->page;
	int r;

	src->gen = mmu_mark_code(cpu, t->page, t->phys, t->host);
	do
		r = jit_scan(cpu, s, t->host, NULL, t->phys | start);
	while (r == 0 && s->n && mmu_mark_lines(cpu, t->page, start, s->len));
	return r;
}

/* The first instruction goes on in the next page, which may raise #PF. */
static int scan_two(struct emu_cpu *cpu, struct source *src, uint64_t rip)
{
	struct jit_scan *s = jit_of(cpu)->scan;
	unsigned int start = jit_linear(cpu, rip) & ~EMU_PAGE_MASK;
	struct emu_itlb *t = &src->page, *u = &src->next;

	*u = *mmu_fetch(cpu, jit_linear(cpu, rip - start + EMU_PAGE));
	if (!u->host)
		return 0;
	do {
		src->gen2 = mmu_mark_code(cpu, u->page, u->phys, u->host);
		src->gen = mmu_mark_code(cpu, t->page, t->phys, t->host);
	} while (atomic_load(&u->page->gen) != src->gen2);
	mmu_mark_lines(cpu, t->page, start, EMU_PAGE - start);
	mmu_mark_lines(cpu, u->page, 0, INSN_BYTES_MAX);
	return jit_scan(cpu, s, t->host, u->host, t->phys | start);
}

static int scan(struct emu_cpu *cpu, struct source *src, uint64_t rip)
{
	int r = scan_page(cpu, src, jit_linear(cpu, rip) & ~EMU_PAGE_MASK);

	/* Where CS has a limit, the interpreter looks whether it holds both. */
	if (r == 0 && !jit_of(cpu)->scan->n &&
	    (cpu->mode == MODE_64 || cpu->jit.key & JIT_KEY_FLAT))
		r = scan_two(cpu, src, rip);
	return r;
}

static void set_source(struct jit_block *b, const struct source *src,
		       uint64_t rip, unsigned int start)
{
	b->page = src->page.page;
	b->phys = src->page.phys | start;
	b->gen = src->gen;
	b->rip = rip;
	if (src->next.host) {
		b->page2 = src->next.page;
		b->phys2 = src->next.phys;
		b->gen2 = src->gen2;
	}
}

struct jit_block *jit_translate(struct emu_cpu *cpu, uint64_t rip,
				const struct emu_itlb *t)
{
	struct jit *jit = jit_of(cpu);
	struct emitter e = {
		.cpu = cpu,
		.jit = jit,
		.s = jit->scan,
		.b = jit->buf,
		.start = jit_linear(cpu, rip) & ~EMU_PAGE_MASK,
		.view = cpu->jit.key & JIT_KEY_VIEW,
		.table = jit_table(cpu),
		.key = cpu->jit.key,
		.w = cpu->mode == MODE_64 ? W1 : W0,
		.fl = JF_HOST,
		.rdx = -1,
		.rcx = -1,
	};
	struct source src = { .page = *t };

	if (!has_room(jit) || scan(cpu, &src, rip) < 0) {
		jit->full = true;
		return NULL;
	}
	if (e.s->n == 0)
		return NULL;
	e.blk = new_block(cpu, e.s);
	if (!e.blk) {
		jit->full = true;
		return NULL;
	}
	set_source(e.blk, &src, rip, e.start);
	e.blk->vec = e.s->vec;
	e.blk->x87 = e.s->x87;
	e.blk->key = cpu->jit.key;
	emit_block(&e);
	jit->buf = e.b;
	cpu->jit.n_blocks++;
	jit_tell_block(cpu, e.blk, t->host);
	return e.blk;
}
