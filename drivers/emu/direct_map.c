/*
 * drivers/emu/direct_map.c -- mirrors of the guest's page tables.
 *
 * Requests to a stub's mapper are gathered in its page of requests and done
 * all at once, before the runner goes on (direct_enter()).
 */
#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include "drivers/emu/direct.h"
#include "vmm/machine.h"
#include "vmm/ram.h"

enum { HASH = 2 * DIRECT_PAGES, AROUND = 32 };

#define BIG_SIZE (2ull << 20)
#define BIG_MASK (~(BIG_SIZE - 1))
#define NOTHING	 ((uint64_t)DP_USED) /* was here */

/* ---- what is mapped ---- */

static struct direct_page *find_key(const struct mirror *m, uint64_t key)
{
	size_t i = (key * 0x9e3779b97f4a7c15ull >> 40) & (HASH - 1);
	const uint64_t mask = EMU_PAGE_MASK | DP_BIG;

	while (m->pages[i].lin &&
	       (m->pages[i].lin == NOTHING || (m->pages[i].lin & mask) != key))
		i = (i + 1) & (HASH - 1);
	return &m->pages[i];
}

/* What covers the address, or NULL. */
static struct direct_page *find(const struct mirror *m, uint64_t lin)
{
	struct direct_page *p = find_key(m, lin & EMU_PAGE_MASK);

	if (!p->lin)
		p = find_key(m, (lin & BIG_MASK) | DP_BIG);
	return p->lin ? p : NULL;
}

static size_t page_size(const struct direct_page *p)
{
	return p->lin & DP_BIG ? BIG_SIZE : EMU_PAGE;
}

static unsigned int filter(uint64_t phys)
{
	return (phys >> EMU_PAGE_SHIFT) * 0x9e3779b1u % (1024 * 64);
}

static void note_writable(struct direct *d, const struct direct_page *p)
{
	for (uint64_t at = 0; at < page_size(p); at += EMU_PAGE) {
		unsigned int n = filter(p->phys + at);

		d->writable[n / 64] |= BIT64(n % 64);
	}
}

static bool may_be_writable(const struct direct *d, uint64_t phys)
{
	unsigned int n = filter(phys);

	return d->writable[n / 64] & BIT64(n % 64);
}

static void free_copy(struct mirror *m, const struct direct_page *p)
{
	if (p->lin & DP_COPY)
		m->copies &= ~BIT64(p->copy);
}

static void record(struct emu_cpu *cpu, struct mirror *m, uint64_t lin,
		   uint64_t phys, unsigned int flags)
{
	struct direct_page *p = find_key(m, lin | (flags & DP_BIG));

	if (!p->lin)
		m->at[m->n_used++] = p - m->pages;
	free_copy(m, p);
	*p = (struct direct_page){ lin | flags | DP_USED, phys, 0, 0 };
	if (flags & DP_PIECE)
		m->pieces = true;
	if (flags & DP_WRITE)
		note_writable(cpu->direct.priv, p);
	cpu->direct.n_pages++;
}

static void forget_all(struct mirror *m)
{
	for (unsigned int n = 0; n < m->n_used; n++)
		m->pages[m->at[n]].lin = 0;
	m->n_used = 0;
	m->copies = 0;
	m->pieces = false;
}

/* ---- requests ---- */

static bool goes_on(const struct stub_op *a, const struct stub_op *b)
{
	return a->addr + a->len == b->addr && a->prot == b->prot &&
	       (a->prot == OP_UNMAP ||
		(a->fd == b->fd && a->offset + a->len == b->offset));
}

static bool request(struct mirror *m, const struct stub_op *op)
{
	struct stub_op *ops = stub_ops(&m->stub)->op;

	if (m->n_ops && goes_on(&ops[m->n_ops - 1], op)) {
		ops[m->n_ops - 1].len += op->len;
		return true;
	}
	if (m->n_ops == STUB_OPS_MAX)
		return false;
	ops[m->n_ops++] = *op;
	return true;
}

static void unmap(struct mirror *m, struct direct_page *p)
{
	const struct stub_op op = { .addr = p->lin & EMU_PAGE_MASK,
				    .len = page_size(p),
				    .prot = OP_UNMAP };

	free_copy(m, p);
	p->lin = NOTHING;
	if (!m->stale && !request(m, &op))
		m->stale = true;
}

static void flush_page(struct mirror *m, uint64_t lin)
{
	struct direct_page *p;

	if (!m->pages || m->stale)
		return;
	if (m->pieces) /* of which large page? */
		m->doubted = true;
	while ((p = find(m, lin)))
		unmap(m, p);
}

/* Of a new stub that is what it was made with, too. */
static void request_empty(struct mirror *m)
{
	const struct stub_op low = { .len = STUB_BASE, .prot = OP_UNMAP };
	const struct stub_op high = {
		.addr = STUB_BASE + STUB_LEN,
		.len = STUB_HIGH - STUB_BASE - STUB_LEN,
		.prot = OP_UNMAP,
	};

	forget_all(m);
	m->n_ops = 0;
	m->stale = false;
	request(m, &low);
	request(m, &high);
}

/* Some could not be mapped: there may be too many mappings.  Once more. */
int direct_enter(struct mirror *m, const _Atomic uint32_t *pending)
{
	unsigned int n, failed = 0;
	int r;

	do {
		if (m->stale)
			request_empty(m);
		n = m->n_ops;
		m->n_ops = 0;
		r = stub_run(&m->stub, n, pending);
		if (r == -ENOMEM) {
			m->stale = true;
			failed++;
		}
	} while (r == -EINTR || (r == -ENOMEM && failed < 2));
	return r;
}

/* ---- mapping ---- */

/* Where a stub finds it: the descriptor's number, or -1. */
static int64_t stub_fd(const struct vm *vm, const void *host,
		       uint64_t *ret_offset)
{
	const struct ram_region *r;
	unsigned int n = ram_regions(vm->m->ram, &r);
	int fd = ram_fd(vm->m->ram, host, ret_offset);

	for (unsigned int i = 0; i < MIN(n, vm->zygote_fds); i++)
		if (fd >= 0 && r[i].fd == fd)
			return STUB_RAM + i;
	return -1;
}

static bool map(struct emu_cpu *cpu, struct mirror *m, uint64_t lin,
		uint64_t phys, unsigned int flags)
{
	const struct emu_slot *s = mmu_slot(cpu, phys);
	uint64_t len = flags & DP_BIG ? BIG_SIZE : EMU_PAGE;
	struct stub_op op = {
		.addr = lin,
		.len = len,
		.prot = PROT_READ | (flags & DP_WRITE ? PROT_WRITE : 0) |
			(flags & DP_EXEC ? PROT_EXEC : 0),
		.flags = MAP_SHARED | MAP_FIXED | MAP_POPULATE,
	};

	if (!s || s->readonly || s->dirty || s->size - (phys - s->gpa) < len ||
	    m->n_used == DIRECT_PAGES)
		return false;
	op.fd = stub_fd(cpu->vm, s->host + (phys - s->gpa), &op.offset);
	if (op.fd < 0 || !request(m, &op))
		return false;
	record(cpu, m, lin, phys, flags);
	return true;
}

static const uint8_t *host_of(struct emu_cpu *cpu, uint64_t phys)
{
	const struct emu_slot *s = mmu_slot(cpu, phys);

	return s ? s->host + (phys - s->gpa) : NULL;
}

static const uint8_t *code_at(struct emu_cpu *cpu, uint64_t lin)
{
	struct mmu_page p;

	return mmu_peek(cpu, lin, &p) && p.executable ? host_of(cpu, p.phys) :
							NULL;
}

static void map_copy(struct emu_cpu *cpu, struct mirror *m, uint64_t lin,
		     uint64_t phys, int copy, uint32_t gen)
{
	const struct stub_op op = {
		.addr = lin,
		.len = EMU_PAGE,
		.offset = STUB_COPIES + copy * EMU_PAGE,
		.prot = PROT_READ | PROT_EXEC,
		.flags = MAP_SHARED | MAP_FIXED | MAP_POPULATE,
		.fd = STUB_RAM + cpu->vm->zygote_fds,
	};
	struct direct_page *p;

	if (!request(m, &op)) {
		m->stale = true;
		return;
	}
	record(cpu, m, lin, phys, DP_EXEC | DP_COPY);
	p = find(m, lin);
	p->copy = copy;
	p->gen = gen;
	m->copies |= BIT64(copy);
}

/* The page without what must not run: how many there were, or -1. */
static int disarmed(struct emu_cpu *cpu, uint64_t lin, uint64_t phys,
			     uint8_t *ret_copy, bool *ret_before)
{
	memcpy(ret_copy, host_of(cpu, phys), EMU_PAGE);
	return direct_disarm(cpu, ret_copy, code_at(cpu, lin - EMU_PAGE),
			     code_at(cpu, lin + EMU_PAGE), ret_before);
}

/*
 * A copy of the page is executed if something in it must not be.  Nobody
 * writes to a page that has a copy without its generation telling.  But where a
 * program writes its code by itself, between old code and constants, what looks
 * like such an instruction may be a part of another: that is translated.  Of
 * a file that is mapped, D is not set.
 */
static bool map_code(struct emu_cpu *cpu, struct mirror *m, uint64_t lin,
		     const struct mmu_page *page, unsigned int flags)
{
	uint64_t phys = page->phys;
	struct emu_slot *s = mmu_slot(cpu, phys);
	int n = __builtin_ffsll(~m->copies) - 1;
	uint8_t *copy = stub_copy(&m->stub, MAX(n, 0));
	bool before;
	uint32_t gen;
	int found;

	if (!s || n < 0)
		return false;
	found = disarmed(cpu, lin, phys, copy, &before);
	if (found == 0)
		return map(cpu, m, lin, phys, flags | DP_EXEC);
	if (found < 0 || page->dirty)
		return false;
	gen = mmu_mark_code(cpu, slot_page(s, phys), phys,
			    s->host + (phys - s->gpa));
	if (disarmed(cpu, lin, phys, copy, &before) < 0) /* as it is now */
		return false;
	map_copy(cpu, m, lin, phys, n, gen);
	if (before)
		flush_page(m, lin - EMU_PAGE);
	return true;
}

/*
 * One page.  A page is never both written and executed there: what becomes
 * code is looked at anew.
 */
static bool map_page(struct emu_cpu *cpu, struct mirror *m, uint64_t lin,
		     const struct mmu_page *p, enum emu_access access)
{
	unsigned int flags = p->level > 1 ? DP_PIECE : 0;

	if (access == ACCESS_EXEC)
		return p->executable && map_code(cpu, m, lin, p, flags);
	if (access == ACCESS_WRITE || (p->writable && !p->executable)) {
		if (p->writable && !mmu_holds_code(cpu, p->phys))
			flags |= DP_WRITE;
		else if (access == ACCESS_WRITE)
			return false;
	}
	return map(cpu, m, lin, p->phys, flags);
}

/* The 2 MiB around it, for data; no part of them may hold code. */
static bool map_big(struct emu_cpu *cpu, struct mirror *m, uint64_t lin,
		    const struct mmu_page *p)
{
	uint64_t phys = p->phys & BIG_MASK;

	if (p->level < 2 || (p->phys ^ lin) & ~BIG_MASK & EMU_PAGE_MASK)
		return false;
	for (uint64_t at = 0; at < BIG_SIZE && p->writable; at += EMU_PAGE)
		if (mmu_holds_code(cpu, phys + at))
			return false;
	return map(cpu, m, lin & BIG_MASK, phys,
		   DP_BIG | (p->writable ? DP_WRITE : 0));
}

/* Its neighbours, if they are there and have been used. */
static void map_around(struct emu_cpu *cpu, struct mirror *m, uint64_t lin,
		       enum emu_access access)
{
	uint64_t start = lin & ~(AROUND * EMU_PAGE - 1);
	struct mmu_page p;

	if (access == ACCESS_WRITE)
		access = ACCESS_READ;
	for (uint64_t at = start; at < start + AROUND * EMU_PAGE;
	     at += EMU_PAGE)
		if (at != lin && at >= STUB_LOW && !find(m, at) &&
		    mmu_peek(cpu, at, &p) && p.level == 1 &&
		    p.executable == (access == ACCESS_EXEC))
			map_page(cpu, m, at, &p, access);
}

/* What the processor does with page tables at an access; false: it faults. */
static bool touch(struct emu_cpu *cpu, uint64_t lin, enum emu_access access)
{
	jmp_buf escape, *outer = cpu->escape;
	volatile bool ok = false;

	cpu->escape = &escape;
	if (!_setjmp(escape)) {
		if (access == ACCESS_EXEC)
			mmu_fetch(cpu, lin);
		else
			emu_probe(cpu, MMU_USER, lin, 1, access);
		ok = true;
	}
	cpu->escape = outer;
	return ok;
}

/* Code that is about to be written to is data from now on. */
static void make_data(struct emu_cpu *cpu, uint64_t phys)
{
	struct emu_slot *s = mmu_slot(cpu, phys);

	if (s && mmu_holds_code(cpu, phys))
		mmu_make_data(cpu, slot_page(s, phys));
}

bool direct_map(struct emu_cpu *cpu, struct mirror *m, uint64_t lin,
		enum emu_access access)
{
	struct mmu_page p;

	lin &= EMU_PAGE_MASK;
	if (lin - STUB_BASE < STUB_LEN || lin < STUB_LOW || lin >= STUB_HIGH)
		return false;
	if (access == ACCESS_WRITE && mmu_peek(cpu, lin, &p) && p.writable)
		make_data(cpu, p.phys);
	if (!touch(cpu, lin, access) || !mmu_peek(cpu, lin, &p))
		return false;
	if (m->n_used + AROUND > DIRECT_PAGES) {
		m->stale = true;
		return true; /* and is missed again */
	}
	cpu->direct.n_maps++;
	if (access != ACCESS_EXEC && map_big(cpu, m, lin, &p))
		return true;
	if (!map_page(cpu, m, lin, &p, access))
		return false;
	if (p.level == 1)
		map_around(cpu, m, lin, access);
	return true;
}

int direct_peek(struct emu_cpu *cpu, struct mirror *m, uint64_t lin)
{
	const struct direct_page *p = find(m, lin);
	const uint8_t *host =
		p ? host_of(cpu, p->phys & EMU_PAGE_MASK) : NULL;

	return host ? host[lin & (page_size(p) - 1)] : -1;
}

/* ---- mirrors ---- */

void mirror_end(struct mirror *m)
{
	if (!m->pages)
		return;
	stub_destroy(&m->stub);
	munmap(m->pages, HASH * sizeof(*m->pages));
	free(m->at);
	*m = (struct mirror){ 0 };
}

/* As the machine counts vCPUs: APIC IDs have gaps. */
static unsigned int cpu_number(const struct emu_cpu *cpu)
{
	unsigned int n = 0;

	while (cpu->vm->cpus[n] != cpu)
		n++;
	return n;
}

static bool mirror_begin(struct emu_cpu *cpu, struct mirror *m, uint64_t key)
{
	void *pages = mmap(NULL, HASH * sizeof(*m->pages),
			   PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (pages == MAP_FAILED)
		return false;
	m->pages = pages;
	m->at = xcalloc(DIRECT_PAGES, sizeof(*m->at));
	m->cr3 = key;
	m->stale = true;
	m->tsc = !cpu->tsc_offset;
	if (stub_create(cpu->vm, cpu_number(cpu), m->tsc, &m->stub) == 0)
		return true;
	mirror_end(m);
	return false;
}

/* PCD and PWT are where a PCID is, if there are any. */
static uint64_t key_of(const struct emu_cpu *cpu, uint64_t cr3)
{
	return cr3 & ~BIT64(63) &
	       (cpu->cr4 & CR4_PCIDE ? ~0ull : EMU_PAGE_MASK);
}

static struct mirror *lookup(struct direct *d, uint64_t key)
{
	for (unsigned int n = 0; n < DIRECT_MIRRORS; n++)
		if (d->mirror[n].pages && d->mirror[n].cr3 == key)
			return &d->mirror[n];
	return NULL;
}

static struct mirror *oldest(struct direct *d)
{
	struct mirror *m = &d->mirror[0];

	for (unsigned int n = 1; n < DIRECT_MIRRORS; n++)
		if (d->mirror[n].used < m->used)
			m = &d->mirror[n];
	return m;
}

struct mirror *direct_mirror(struct emu_cpu *cpu)
{
	struct direct *d = cpu->direct.priv;
	uint64_t key = key_of(cpu, cpu->cr3);
	struct mirror *m = lookup(d, key);

	if (m && m->tsc != !cpu->tsc_offset)
		mirror_end(m);
	if (!m || !m->pages) {
		m = oldest(d);
		mirror_end(m);
		if (!mirror_begin(cpu, m, key)) {
			d->broken = true;
			return NULL;
		}
	}
	m->used = ++d->clock;
	return m;
}

/* ---- what TLBs drop ---- */

void direct_flush(struct emu_cpu *cpu)
{
	struct direct *d = cpu->direct.priv;

	if (likely(!d))
		return;
	for (unsigned int n = 0; n < DIRECT_MIRRORS; n++)
		d->mirror[n].doubted = true;
	memset(d->writable, 0, sizeof(d->writable));
}

void direct_forget(struct emu_cpu *cpu)
{
	struct direct *d = cpu->direct.priv;

	for (unsigned int n = 0; d && n < DIRECT_MIRRORS; n++)
		d->mirror[n].stale = true;
}

static bool has_code(struct emu_cpu *cpu, const struct direct_page *p)
{
	for (uint64_t at = 0; at < page_size(p); at += EMU_PAGE)
		if (mmu_holds_code(cpu, p->phys + at))
			return true;
	return false;
}

/* Could it be mapped so now? */
static bool still_there(struct emu_cpu *cpu, const struct direct_page *p)
{
	struct mmu_page now;

	if (!mmu_peek(cpu, p->lin & EMU_PAGE_MASK, &now) ||
	    (now.phys & EMU_PAGE_MASK) != p->phys ||
	    (now.level > 1) != !!(p->lin & (DP_BIG | DP_PIECE)))
		return false;
	if (p->lin & DP_EXEC)
		return now.executable;
	return !(p->lin & DP_WRITE) || (now.writable && !has_code(cpu, p));
}

void direct_verify(struct emu_cpu *cpu, struct mirror *m)
{
	m->doubted = false;
	for (unsigned int n = 0; n < m->n_used && !m->stale; n++) {
		struct direct_page *p = &m->pages[m->at[n]];

		if (p->lin == NOTHING)
			continue;
		if (!still_there(cpu, p))
			unmap(m, p);
		else if (p->lin & DP_WRITE)
			note_writable(cpu->direct.priv, p);
	}
}

void direct_flush_page(struct emu_cpu *cpu, uint64_t lin)
{
	struct direct *d = cpu->direct.priv;

	for (unsigned int n = 0; d && n < DIRECT_MIRRORS; n++)
		flush_page(&d->mirror[n], lin);
}

static void drop_from(struct mirror *m, uint64_t phys)
{
	if (!m->pages || m->stale)
		return;
	for (unsigned int n = 0; n < m->n_used; n++) {
		struct direct_page *p = &m->pages[m->at[n]];

		if (p->lin & DP_WRITE && phys - p->phys < page_size(p))
			unmap(m, p);
	}
}

void direct_drop_page(struct emu_cpu *cpu, uint64_t phys)
{
	struct direct *d = cpu->direct.priv;

	if (!d || !may_be_writable(d, phys))
		return;
	for (unsigned int n = 0; n < DIRECT_MIRRORS; n++)
		drop_from(&d->mirror[n], phys);
}

static void drop_code_from(struct emu_cpu *cpu, struct mirror *m)
{
	if (!m->pages || m->stale)
		return;
	for (unsigned int n = 0; n < m->n_used; n++) {
		struct direct_page *p = &m->pages[m->at[n]];

		if (p->lin & DP_WRITE && has_code(cpu, p))
			unmap(m, p);
	}
}

void direct_drop_code(struct emu_cpu *cpu)
{
	struct direct *d = cpu->direct.priv;

	for (unsigned int n = 0; d && n < DIRECT_MIRRORS; n++)
		drop_code_from(cpu, &d->mirror[n]);
}

static void drop_stale(struct emu_cpu *cpu, struct mirror *m)
{
	for (unsigned int n = 0; m->copies && n < m->n_used; n++) {
		struct direct_page *p = &m->pages[m->at[n]];
		struct emu_slot *s = mmu_slot(cpu, p->phys);

		if (p->lin & DP_COPY &&
		    (!s || p->gen != atomic_load(&slot_page(s, p->phys)->gen)))
			unmap(m, p);
	}
}

void direct_drop_stale(struct emu_cpu *cpu)
{
	struct direct *d = cpu->direct.priv;

	for (unsigned int n = 0; d && n < DIRECT_MIRRORS; n++)
		drop_stale(cpu, &d->mirror[n]);
}

/*
 * A load that keeps nothing of its PCID drops all of it; with another table
 * at its root it may be another program's from now on.  Without PCIDs, a
 * mirror cannot be used before its CR3 is loaded, which drops it.
 */
void direct_load_cr3(struct emu_cpu *cpu, uint64_t old, uint64_t new)
{
	struct direct *d = cpu->direct.priv;
	bool pcids = cpu->cr4 & CR4_PCIDE;
	bool keeps = pcids && new & BIT64(63);
	uint64_t key = key_of(cpu, new);

	if (likely(!d))
		return;
	for (unsigned int n = 0; n < DIRECT_MIRRORS; n++) {
		struct mirror *m = &d->mirror[n];
		bool same = m->cr3 == key;

		if (!m->pages || (!same && !pcids) ||
		    (m->cr3 ^ key) & ~EMU_PAGE_MASK || (same && keeps))
			continue;
		if (same && key == key_of(cpu, old))
			m->doubted = true;
		else
			mirror_end(m);
	}
	direct_policy_switch(cpu, lookup(d, key), !keeps);
}
