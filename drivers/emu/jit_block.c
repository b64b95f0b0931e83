/*
 * drivers/emu/jit_block.c -- finding translated blocks, linking them, and
 * dropping those whose guest code was overwritten.
 */
#include "drivers/emu/jit.h"

static struct jit_block **bucket(struct jit *j, uint64_t phys)
{
	return &j->hash[(phys ^ phys >> JIT_HASH_BITS) &
			((1u << JIT_HASH_BITS) - 1)];
}

/* Are the units on that vector and x87 instructions need (SDM vol. 3, 13)? */
static inline bool fpu_on(const struct emu_cpu *cpu)
{
	const uint64_t cr0 = CR0_TS | CR0_EM | CR0_NE;
	const uint64_t cr4 = CR4_OSFXSR | CR4_OSXMMEXCPT;
	uint64_t xcr0 = cpu->jit.xcr0;

	return (cpu->cr0 & cr0) == CR0_NE && (cpu->cr4 & cr4) == cr4 &&
	       (!xcr0 ||
		(cpu->cr4 & CR4_OSXSAVE && cpu->fpu.xcr0 == xcr0));
}

/* Without what depends on segments. */
static inline uint8_t key_part(const struct emu_cpu *cpu)
{
	/* Checked alignment (RFLAGS.AC) is nothing a TLB entry tells. */
	if (emu_needs_interp(cpu) || cpu->cpl == 1 || cpu->cpl == 2 ||
	    cpu->tlb == &cpu->tlbs[MMU_ALIGN * EMU_TLB_SIZE])
		return JIT_KEY_OFF;
	return emu_view(cpu) | (fpu_on(cpu) ? JIT_KEY_FPU : 0);
}

uint8_t jit_key(const struct emu_cpu *cpu)
{
	uint8_t key = key_part(cpu);

	if (likely(cpu->mode == MODE_64) || key & JIT_KEY_OFF)
		return key;
	return key | jit_legacy_key(cpu);
}

bool jit_key_is(const struct emu_cpu *cpu, uint8_t key)
{
	return key_part(cpu) == (key & ~JIT_KEY_LEGACY) &&
	       cpu->mode == jit_key_mode(key);
}

static struct jit_page *page_of(struct jit *j, struct emu_page *page)
{
	size_t i = ((uintptr_t)page >> 4) * 0x9e3779b97f4a7c15ull >> 50;

	while (j->pages[i].page && j->pages[i].page != page)
		i = (i + 1) & (JIT_PAGES - 1);
	return &j->pages[i];
}

static unsigned int count_page(struct jit *j, struct jit_page *p,
			       struct emu_page *page)
{
	if (p->page)
		return 0;
	p->page = page;
	return 1;
}

static void add_to_page(struct jit *j, struct jit_block *b)
{
	struct jit_page *p = page_of(j, b->page);

	j->n_pages += count_page(j, p, b->page);
	b->page_next = p->blocks;
	p->blocks = b;
}

/* A block of two pages goes with either of them. */
static void add_twin(struct emu_cpu *cpu, struct jit_block *b)
{
	struct jit_block *twin = cache_alloc(cpu->cache, sizeof(*twin));

	if (!twin) {
		jit_of(cpu)->full = true;
		return;
	}
	*twin = (struct jit_block){ .page = b->page2, .gen = b->gen2,
				    .twin = b };
	add_to_page(jit_of(cpu), twin);
}

static void add_block(struct emu_cpu *cpu, struct jit_block *b)
{
	struct jit *j = jit_of(cpu);
	struct jit_block **head = bucket(j, b->phys);

	b->hash_next = *head;
	*head = b;
	add_to_page(j, b);
	if (b->page2)
		add_twin(cpu, b);
	j->list[j->n_list++] = b;
	if (j->n_list == JIT_LIST_MAX || j->n_pages > JIT_PAGES / 2)
		j->full = true;
}

static struct jit_block *lookup(struct emu_cpu *cpu, uint64_t phys)
{
	struct jit_block *b = *bucket(jit_of(cpu), phys);

	for (; b; b = b->hash_next)
		if (b->phys == phys && b->key == cpu->jit.key && !b->dead &&
		    atomic_load_explicit(&b->page->gen,
					 memory_order_relaxed) == b->gen)
			return b;
	return NULL;
}

bool jit_has(struct emu_cpu *cpu, uint64_t phys)
{
	return lookup(cpu, phys);
}

static uint64_t *apart_word(struct jit *j, uint64_t phys)
{
	return &j->apart[(phys >> 6 ^ phys >> 18) % ARRAY_SIZE(j->apart)];
}

bool jit_is_apart(const struct jit *j, uint64_t phys)
{
	return *apart_word((struct jit *)j, phys) & BIT64(phys & 63);
}

/* The block that was found last for such an address; a hint. */
static struct jit_block **known(struct jit *j, uint64_t rip)
{
	return &j->known[(rip ^ rip >> 12) % ARRAY_SIZE(j->known)];
}

static uint8_t *heat_of(struct jit *j, uint64_t phys)
{
	return &j->heat[(phys ^ phys >> JIT_HEAT_BITS) &
			((1u << JIT_HEAT_BITS) - 1)];
}

/*
 * Code that is run once is not worth translating, nor is what is run once from
 * one write to its page to the next (drop_page()).
 */
static bool hot(struct jit *j, uint64_t phys)
{
	uint8_t *h = heat_of(j, phys);

	if (*h >= j->hot)
		return true;
	++*h;
	return false;
}

struct jit_block *jit_block_of_code(struct jit *j, const uint8_t *pc)
{
	size_t lo = 0, hi = j->n_list;

	while (hi - lo > 1) {
		size_t mid = (lo + hi) / 2;

		if (j->list[mid]->entry <= pc)
			lo = mid;
		else
			hi = mid;
	}
	if (lo == hi || pc < j->list[lo]->entry || pc >= j->list[lo]->code_end)
		return NULL;
	return j->list[lo];
}

unsigned int jit_insn_at(const struct jit_block *b, const uint8_t *pc)
{
	unsigned int lo = 0, hi = b->n;

	while (hi - lo > 1) {
		unsigned int mid = (lo + hi) / 2;

		if (b->code + b->insn[mid].host <= pc)
			lo = mid;
		else
			hi = mid;
	}
	return lo;
}

static void set_jump(struct jit *j, struct jit_exit *x, const uint8_t *to)
{
	int32_t rel = to - (x->jump + j->buf.to_exec + 4);

	memcpy(x->jump, &rel, sizeof(rel));
}

/* Are the units that it needs loaded when the other block is done? */
static bool units_loaded(const struct jit_block *b, const struct jit_block *by)
{
	return (!b->vec || by->vec) && (!b->x87 || by->x87);
}

static const uint8_t *way_in(const struct jit_block *to,
			     const struct jit_exit *x)
{
	bool loaded = !x->returns && units_loaded(to, x->from);

	if (x->flags == JF_AX || (x->flags == JF_BOTH && to->flags == JF_AX))
		return loaded ? to->body : to->code;
	return loaded ? to->host_body : to->host_code;
}

/* struct emu_jit.space is never this. */
enum { NO_SPACE = 0 };

/* The branch is good in this space: its CMP's displacement and immediate. */
static void set_check(struct jit_exit *x, bool global, uint32_t space)
{
	uint32_t words[2] = {
		JIT_GS(jit.space) + 4 * global, space
	};

	memcpy(x->check, words, sizeof(words));
}

static void list_incoming(struct jit_exit *x, struct jit_block *to)
{
	x->to = to;
	x->to_next = to->incoming;
	x->to_prev = &to->incoming;
	if (x->to_next)
		x->to_next->to_prev = &x->to_next;
	to->incoming = x;
}

static void unlink_exit(struct jit *j, struct jit_exit *x)
{
	*x->to_prev = x->to_next;
	if (x->to_next)
		x->to_next->to_prev = x->to_prev;
	x->to = NULL;
	if (x->check)
		set_check(x, false, NO_SPACE);
	else
		set_jump(j, x, x->stub);
}

/* The page's place is known, and there is no other. */
static const struct jit_page *seen_once(struct emu_cpu *cpu,
					struct emu_page *page)
{
	const struct jit_page *p = page_of(jit_of(cpu), page);

	return p->page && !p->twice &&
			       p->flushes ==
				       cpu->jit.jumps_used[p->global].flushes
		       ? p
		       : NULL;
}

/* What cpu->jit.page is while the block at this RIP runs. */
static uint64_t place_of(uint64_t rip, const struct jit_block *b)
{
	return rip - (b->phys & ~EMU_PAGE_MASK);
}

/* To a block at RIP. */
static bool link_far(struct emu_cpu *cpu, struct jit_exit *x,
		     const struct jit_block *to)
{
	uint64_t page = place_of(cpu->rip, to);
	const struct jit_page *a = seen_once(cpu, x->from->page);
	const struct jit_page *b = seen_once(cpu, to->page);
	bool global;

	if (!a || !b || a->linear != cpu->jit.page)
		return false;
	global = a->global && b->global;
	set_check(x, global, cpu->jit.space[global]);
	memcpy(x->page, &page, 8);
	if (x->own_page)
		memcpy(x->own_page, &cpu->jit.page, 8);
	return true;
}

void jit_link(struct emu_cpu *cpu, struct jit_exit *x, struct jit_block *to)
{
	struct jit *j = jit_of(cpu);

	if (x->from->dead || to->dead || x->from->page2 || to->page2)
		return;
	if (x->to)
		unlink_exit(j, x);
	if (x->check ? !link_far(cpu, x, to) : to->page != x->from->page)
		return;
	list_incoming(x, to);
	set_jump(j, x, way_in(to, x));
}

static void unlink_incoming(struct jit *j, struct jit_block *b)
{
	while (b->incoming)
		unlink_exit(j, b->incoming);
}

/* Some may still return to it. */
static void unlink_outgoing(struct jit *j, struct jit_block *b)
{
	for (unsigned int n = 0; n < b->n_exits; n++)
		if (b->exits[n].to)
			unlink_exit(j, &b->exits[n]);
}

static void unhash(struct jit *j, struct jit_block *b)
{
	struct jit_block **p = bucket(j, b->phys);

	while (*p && *p != b)
		p = &(*p)->hash_next;
	if (*p)
		*p = b->hash_next;
}

/* What the jump table still leads to looks again. */
static void close_entry(struct jit *j, struct jit_block *b)
{
	struct jit_buf at = { .w = (uint8_t *)b->entry - j->buf.to_exec,
			      .end = j->buf.end,
			      .to_exec = j->buf.to_exec };

	asm_jmp(&at, j->lookup);
}

/* Nobody enters it again; whoever is inside may leave in peace. */
static void retire(struct jit *j, struct jit_block *b)
{
	unlink_incoming(j, b); /* first: a loop is linked to itself */
	unlink_outgoing(j, b);
	unhash(j, b);
	close_entry(j, b);
	b->dead = true;
}

/* Does the page behind still hold what the block was made of? */
static bool second_same(struct emu_cpu *cpu, const struct jit_block *b,
			uint64_t rip)
{
	uint64_t next = place_of(rip, b) + EMU_PAGE;
	const struct emu_itlb *t = mmu_fetch(cpu, jit_linear(cpu, next));

	return t->page == b->page2 && t->phys == b->phys2 &&
	       atomic_load(&t->page->gen) == b->gen2;
}

/* Branches that were linked are looked up again. */
static void new_space(struct emu_cpu *cpu, bool global)
{
	for (unsigned int g = 0; g <= global; g++)
		if (++cpu->jit.space[g] == NO_SPACE)
			cpu->jit.space[g]++;
}

/*
 * Code branches to other pages relative to its own.  If that is to be linked,
 * it must be at one place; a page that is at two is so until all is flushed.
 */
static void note_place(struct emu_cpu *cpu, uint64_t linear,
		       struct jit_page *p, const struct emu_itlb *t)
{
	if (p->flushes != cpu->jit.jumps_used[p->global].flushes) {
		p->linear = linear;
		p->global = t->global;
		p->twice = false;
	} else if (!p->twice &&
		   (p->linear != linear || p->global != t->global)) {
		p->twice = p->global = true;
		new_space(cpu, true);
	}
	p->flushes = cpu->jit.jumps_used[p->global].flushes;
}

struct jit_block *jit_find(struct emu_cpu *cpu, uint64_t rip)
{
	struct jit *j = jit_of(cpu);
	uint64_t lin = jit_linear(cpu, rip), phys;
	struct emu_itlb *t;
	struct jit_block *b;

	if (cpu->jit.key & JIT_KEY_LEGACY && !(cpu->jit.key & JIT_KEY_FLAT) &&
	    !jit_legacy_holds(cpu, rip))
		return NULL;
	t = mmu_fetch(cpu, lin);
	if (!t->host || j->full)
		return NULL;
	phys = t->phys | (lin & ~EMU_PAGE_MASK);
	b = lookup(cpu, phys);
	if (b && b->page2 && !second_same(cpu, b, rip)) {
		retire(j, b);
		b = NULL;
	}
	if (!b && hot(j, phys)) {
		b = jit_translate(cpu, rip, t);
		if (b)
			add_block(cpu, b);
	}
	if (b && likely(!cpu->jit.lock)) {
		note_place(cpu, place_of(rip, b), page_of(j, b->page), t);
		jit_remember_jump(cpu, rip, b, t);
	}
	return b;
}

struct jit_block *jit_known(struct emu_cpu *cpu, uint64_t rip)
{
	const struct jit_to *to =
		&cpu->jumps_to[jit_table(cpu)].to[jit_jump_index(rip)];
	struct jit_block *b = *known(jit_of(cpu), rip);

	if (to->tag == rip && b && b->entry == to->code && !b->dead &&
	    b->key == cpu->jit.key)
		return b;
	return NULL;
}

static unsigned int drop_page(struct jit *j, struct jit_page *p)
{
	uint32_t gen = atomic_load(&p->page->gen);
	struct jit_block **at = &p->blocks, *b;
	unsigned int n = 0;

	while ((b = *at)) {
		if (b->gen == gen) {
			at = &b->page_next;
			continue;
		}
		*at = b->page_next;
		if (b->twin)
			b = b->twin;
		if (!b->dead)
			retire(j, b);
		*heat_of(j, b->phys) = 0;
		n++;
	}
	return n;
}

void jit_translate_apart(struct emu_cpu *cpu, struct jit_block *b)
{
	struct jit *j = jit_of(cpu);

	*apart_word(j, b->phys) |= BIT64(b->phys & 63);
	if (!b->dead)
		retire(j, b);
}

static unsigned int drop_all_stale(struct jit *j)
{
	unsigned int n = 0;

	for (size_t i = 0; i < JIT_PAGES; i++)
		if (j->pages[i].blocks)
			n += drop_page(j, &j->pages[i]);
	return n;
}

/* What changed since the last time; false: too much to tell. */
static bool fetch_changes(struct emu_cpu *cpu, struct emu_page **pages,
			  unsigned int *ret_n)
{
	struct emu_changes *c = &cpu->vm->changes;
	uint64_t from = cpu->jit.changes, n;

	pthread_mutex_lock(&c->lock);
	n = c->n - from;
	for (unsigned int i = 0; n <= EMU_CHANGES && i < n; i++)
		pages[i] = c->page[(from + i) % EMU_CHANGES];
	cpu->jit.changes = c->n;
	pthread_mutex_unlock(&c->lock);
	*ret_n = n;
	return n <= EMU_CHANGES;
}

void jit_drop_stale(struct emu_cpu *cpu)
{
	struct emu_page *pages[EMU_CHANGES];
	struct jit *j = jit_of(cpu);
	struct jit_page *p;
	unsigned int n;

	if (!j)
		return;
	if (!fetch_changes(cpu, pages, &n)) {
		cpu->jit.n_drop += drop_all_stale(j);
		return;
	}
	for (unsigned int i = 0; i < n; i++) {
		p = page_of(j, pages[i]);
		if (p->blocks)
			cpu->jit.n_drop += drop_page(j, p);
	}
}

enum { JUMPS = 1 << JIT_JUMP_BITS };
enum { JUMP_LARGE = 1u << 30 };

/* Its place in the filter: a page, or what a large page may be part of. */
static unsigned int filter_bit(uint64_t lin, bool large)
{
	uint64_t n = large ? ~(lin >> 30) : lin >> EMU_PAGE_SHIFT;

	return n * 0x9e3779b97f4a7c15ull >> 49;
}
static_assert(JIT_FILTER == 1 << 15, "filter_bit()");

static void filter_add(struct emu_jumps_used *u, uint64_t lin, bool large)
{
	unsigned int bit = filter_bit(lin, large);

	u->pages[bit / 64] |= BIT64(bit % 64);
}

static bool filter_has(const struct emu_jumps_used *u, uint64_t lin,
		       bool large)
{
	unsigned int bit = filter_bit(lin, large);

	return u->pages[bit / 64] & BIT64(bit % 64);
}

/* Where a flush will find the entry. */
static void list_jump(struct emu_cpu *cpu, uint64_t rip, uint32_t entry,
		      const struct jit_block *b, const struct emu_itlb *t)
{
	struct emu_jumps_used *u =
		&cpu->jit.jumps_used[t->global && !b->page2];

	filter_add(u, rip, t->large);
	if (b->page2) /* whatever maps the next page */
		for (unsigned int large = 0; large < 2; large++)
			filter_add(u, rip + INSN_BYTES_MAX, large);
	u->at[u->n++] = entry | (t->large || b->page2 ? JUMP_LARGE : 0);
}

void jit_remember_jump(struct emu_cpu *cpu, uint64_t rip,
		       const struct jit_block *b, const struct emu_itlb *t)
{
	uint32_t i = jit_jump_index(rip), table = jit_table(cpu);
	struct jit_to *to = &cpu->jumps_to[table].to[i];

	*known(jit_of(cpu), rip) = (struct jit_block *)b;
	if (to->tag == rip && to->code == b->entry)
		return;
	if (cpu->jit.jumps_used[t->global && !b->page2].n == JIT_JUMPS)
		jit_forget_jumps(cpu, true);
	to->tag = rip;
	to->code = b->entry;
	list_jump(cpu, rip, i | table << JIT_JUMP_BITS, b, t);
}

/* The entry that is listed. */
static uint64_t *jump_tag(struct emu_cpu *cpu, uint32_t used)
{
	used &= ~JUMP_LARGE;
	return &cpu->jumps_to[used >> JIT_JUMP_BITS]
			.to[used & (JUMPS - 1)]
			.tag;
}

/* The tag becomes a RIP whose entry is another one. */
static void jump_clear(uint64_t *tag, uint32_t used)
{
	*tag = used & (JUMPS - 1) ? 0 : 1 << 4;
}

void jit_jumps_start(struct emu_cpu *cpu)
{
	for (unsigned int v = 0; v < JIT_TABLES; v++)
		jump_clear(&cpu->jumps_to[v].to[0].tag, 0);
	for (unsigned int g = 0; g < 2; g++) {
		cpu->jit.jumps_used[g].flushes = 1;
		cpu->jit.space[g] = 1;
	}
}

void jit_forget_jumps(struct emu_cpu *cpu, bool global)
{
	jit_forget_returns(cpu);
	for (unsigned int g = 0; g <= global; g++) {
		struct emu_jumps_used *u = &cpu->jit.jumps_used[g];

		memset(u->pages, 0, sizeof(u->pages));
		for (unsigned int n = 0; n < u->n; n++)
			jump_clear(jump_tag(cpu, u->at[n]), u->at[n]);
		u->n = 0;
		u->flushes++;
		/* The page that is being executed is not entered again. */
		filter_add(u, cpu->rip, false);
		filter_add(u, cpu->rip, true);
	}
	new_space(cpu, global);
}

/* Any part of a large page stands for all of it, and it may be 1 GiB. */
static bool on_page(uint64_t rip, uint64_t lin, bool large)
{
	return !((rip ^ lin) >> (large ? 30 : EMU_PAGE_SHIFT));
}

static void forget_page(struct emu_cpu *cpu, struct emu_jumps_used *u,
			uint64_t lin)
{
	unsigned int kept = 0;

	if (!filter_has(u, lin, false) && !filter_has(u, lin, true) &&
	    !cpu->jit.lock)
		return;
	jit_forget_returns(cpu);
	new_space(cpu, u == &cpu->jit.jumps_used[1]);
	for (unsigned int n = 0; n < u->n; n++) {
		uint32_t used = u->at[n];
		uint64_t *tag = jump_tag(cpu, used);

		if (on_page(*tag, lin, used & JUMP_LARGE) ||
		    on_page(*tag + INSN_BYTES_MAX, lin, used & JUMP_LARGE))
			jump_clear(tag, used);
		else
			u->at[kept++] = used;
	}
	u->n = kept;
}

void jit_forget_page(struct emu_cpu *cpu, uint64_t lin)
{
	/* Entries by offset do not tell what page they are about. */
	if (cpu->jit.legacy.cs_base) {
		jit_forget_jumps(cpu, true);
		cpu->jit.legacy = (struct emu_jit_legacy){ 0 };
		return;
	}
	for (unsigned int g = 0; g < 2; g++)
		forget_page(cpu, &cpu->jit.jumps_used[g], lin);
}
