/*
 * drivers/emu/block.c -- the cache of decoded blocks.
 *
 * Keyed by physical address and mode.  A block ends with a branch, at the end
 * of its page, or after BLOCK_INSNS_MAX instructions.  An instruction that
 * crosses into the next page makes a block of its own, which also remembers
 * the other page.  Memory is one arena; when it is full, or the vCPU has been
 * idle for a while, all blocks go.
 */
#include <errno.h>
#include <sys/mman.h>

#include "drivers/emu/direct.h"
#include "drivers/emu/jit.h"

enum { HASH_BITS = 16, ARENA_SIZE = 48 << 20, ARENA_KEEP = 1 << 20 };

static struct emu_block **bucket(struct block_cache *cache, uint64_t phys)
{
	return &cache->hash[(phys ^ phys >> HASH_BITS) &
			    ((1u << HASH_BITS) - 1)];
}

void *cache_alloc(struct block_cache *cache, size_t size)
{
	void *p = cache->arena + cache->used;

	size = ALIGN_UP(size, (size_t)16);
	if (size > ARENA_SIZE - cache->used)
		return NULL;
	cache->used += size;
	return p;
}

void block_cache_flush(struct emu_cpu *cpu)
{
	struct block_cache *cache = cpu->cache;

	memset(cache->hash, 0, sizeof(*cache->hash) << HASH_BITS);
	cache->used = 0;
	cache->flushes++;
	cpu->epoch++;
	jit_flush(cpu);
}

/* ns */
static const uint64_t trim_gap_min = 1ull << 30, trim_gap_max = 1ull << 42;

/*
 * What wakes an idle guest now and then must not be translated anew each
 * time: from one trim to the next it takes twice as long.
 */
static bool trim_due(struct block_cache *cache)
{
	uint64_t now = now_ns();

	if (cache->used <= ARENA_KEEP || now < cache->next_trim)
		return false;
	cache->trim_gap = MAX(2 * cache->trim_gap, trim_gap_min);
	cache->trim_gap = MIN(cache->trim_gap, trim_gap_max);
	cache->next_trim = now + cache->trim_gap;
	return true;
}

/* #syscalls:vmm madvise */
void block_cache_trim(struct emu_cpu *cpu)
{
	struct block_cache *cache = cpu->cache;

	if (!trim_due(cache))
		return;
	direct_trim(cpu);
	block_cache_flush(cpu);
	madvise(cache->arena, ARENA_SIZE, MADV_DONTNEED);
	jit_release(cpu);
}

static void *map(size_t size)
{
	void *p = mmap(NULL, size, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	return p == MAP_FAILED ? NULL : p;
}

static void decoder_init(ZydisDecoder *d, ZydisMachineMode mode,
			 ZydisStackWidth width)
{
	ZydisDecoderInit(d, mode, width);
	/* Not offered: these decode as the hint NOPs they are made of. */
	ZydisDecoderEnableMode(d, ZYDIS_DECODER_MODE_MPX, ZYAN_FALSE);
	ZydisDecoderEnableMode(d, ZYDIS_DECODER_MODE_CET, ZYAN_FALSE);
	ZydisDecoderEnableMode(d, ZYDIS_DECODER_MODE_CLDEMOTE, ZYAN_FALSE);
}

int block_cache_init(struct emu_cpu *cpu)
{
	struct block_cache *cache = xcalloc(1, sizeof(*cache));

	cpu->cache = cache;
	cache->hash = map(sizeof(*cache->hash) << HASH_BITS);
	cache->arena = map(ARENA_SIZE);
	if (!cache->hash || !cache->arena)
		return -ENOMEM;
	decoder_init(&cache->decoder[MODE_16], ZYDIS_MACHINE_MODE_LEGACY_16,
		     ZYDIS_STACK_WIDTH_16);
	decoder_init(&cache->decoder[MODE_32], ZYDIS_MACHINE_MODE_LEGACY_32,
		     ZYDIS_STACK_WIDTH_32);
	decoder_init(&cache->decoder[MODE_64], ZYDIS_MACHINE_MODE_LONG_64,
		     ZYDIS_STACK_WIDTH_64);
	return 0;
}

void block_cache_finish(struct emu_cpu *cpu)
{
	struct block_cache *cache = cpu->cache;

	if (!cache)
		return;
	if (cache->hash)
		munmap(cache->hash, sizeof(*cache->hash) << HASH_BITS);
	if (cache->arena)
		munmap(cache->arena, ARENA_SIZE);
	free(cache);
	cpu->cache = NULL;
}

static struct emu_block *block_finish(struct emu_cpu *cpu, uint64_t phys,
				      struct emu_page *page, uint32_t gen,
				      unsigned int n, enum decode_end end)
{
	struct block_cache *cache = cpu->cache;
	struct emu_block *b, **head = bucket(cache, phys);

	b = cache_alloc(cache, sizeof(*b) + n * sizeof(b->insn[0]));
	if (!b)
		return NULL;
	*b = (struct emu_block){
		.hash_next = *head,
		.phys = phys,
		.page = page,
		.gen = gen,
		.len = cache->insns[n - 1].end,
		.n = n,
		.mode = cpu->mode,
		.chains = end != DECODE_BREAK && cpu->mode == MODE_64,
	};
	memcpy(b->insn, cache->insns, n * sizeof(b->insn[0]));
	*head = b;
	cpu->n_decoded += n;
	return b;
}

/* The instruction at the end of a page, with the page behind it. */
static struct emu_block *build_crossing(struct emu_cpu *cpu, uint64_t lin,
					struct emu_itlb *e)
{
	struct block_cache *cache = cpu->cache;
	uint64_t next = (lin & EMU_PAGE_MASK) + EMU_PAGE;
	struct emu_page *page = e->page;
	unsigned int offset = lin & ~EMU_PAGE_MASK, room = EMU_PAGE - offset;
	uint64_t phys = e->phys | offset;
	const uint8_t *host = e->host;
	uint8_t bytes[INSN_BYTES_MAX];
	struct emu_block *b;
	struct emu_itlb *f;
	enum decode_end end;
	uint32_t gen, gen2;

	f = mmu_fetch(cpu, cpu->mode == MODE_64 ? next : (uint32_t)next);
	if (!f->host)
		return NULL;
	gen2 = mmu_mark_code(cpu, f->page, f->phys, f->host);
	/* The first one may have changed meanwhile. */
	gen = mmu_mark_code(cpu, page, phys & EMU_PAGE_MASK, host);
	mmu_mark_lines(cpu, page, offset, room);
	mmu_mark_lines(cpu, f->page, 0, sizeof(bytes) - room);
	memcpy(bytes, host + offset, room);
	memcpy(bytes + room, f->host, sizeof(bytes) - room);
	if (insn_decode(cpu, cache, bytes, sizeof(bytes), &cache->insns[0],
			&end) < 0)
		return NULL;
	cache->insns[0].end = cache->insns[0].len;
	b = block_finish(cpu, phys, page, gen, 1, end);
	if (b && cache->insns[0].len > room) {
		b->chains = false;
		b->page2 = f->page;
		b->gen2 = gen2;
		b->phys2 = f->phys;
	}
	return b;
}

/* Decodes from start of the page; returns the number, or -errno. */
static int decode_block(struct emu_cpu *cpu, const uint8_t *host,
			unsigned int start, enum decode_end *ret_end,
			unsigned int *ret_len)
{
	struct block_cache *cache = cpu->cache;
	unsigned int offset = start, n = 0;
	enum decode_end end = DECODE_GO;
	int r;

	while (n < BLOCK_INSNS_MAX && offset < EMU_PAGE && end == DECODE_GO) {
		struct emu_insn *i = &cache->insns[n];
		uint8_t bytes[INSN_BYTES_MAX] = { 0 };
		size_t room = MIN(EMU_PAGE - offset, INSN_BYTES_MAX);

		memcpy(bytes, host + offset, room);
		r = insn_decode(cpu, cache, bytes, room, i, &end);
		if (r == -EAGAIN && n > 0)
			break;
		if (r < 0)
			return r;
		offset += i->len;
		i->end = offset - start;
		n++;
	}
	*ret_end = end;
	*ret_len = offset - start;
	return n;
}

static struct emu_block *block_build(struct emu_cpu *cpu, uint64_t lin,
				     struct emu_itlb *e)
{
	unsigned int start = lin & ~EMU_PAGE_MASK, len = 0;
	enum decode_end end;
	uint32_t gen;
	int n;

	gen = mmu_mark_code(cpu, e->page, e->phys, e->host);
	do
		n = decode_block(cpu, e->host, start, &end, &len);
	while (n > 0 && mmu_mark_lines(cpu, e->page, start, len));
	if (n == -EAGAIN)
		return build_crossing(cpu, lin, e);
	if (n < 0)
		return NULL;
	return block_finish(cpu, e->phys | start, e->page, gen, n, end);
}

/* Is the other page of a crossing block still the same? */
static bool second_page_same(struct emu_cpu *cpu, const struct emu_block *b,
			     uint64_t lin)
{
	uint64_t next = (lin & EMU_PAGE_MASK) + EMU_PAGE;
	struct emu_itlb *f;

	f = mmu_fetch(cpu, cpu->mode == MODE_64 ? next : (uint32_t)next);
	return f->phys == b->phys2 && f->page == b->page2 &&
	       atomic_load_explicit(&b->page2->gen, memory_order_relaxed) ==
		       b->gen2;
}

static struct emu_block *lookup(struct emu_cpu *cpu, uint64_t phys,
				uint64_t lin)
{
	struct emu_block **p = bucket(cpu->cache, phys), *b;

	while ((b = *p)) {
		if (b->phys != phys || b->mode != cpu->mode) {
			p = &b->hash_next;
			continue;
		}
		if (likely(atomic_load_explicit(&b->page->gen,
						memory_order_relaxed) ==
			   b->gen) &&
		    (likely(!b->page2) || second_page_same(cpu, b, lin)))
			return b;
		*p = b->hash_next; /* stale */
	}
	return NULL;
}

/* Linear address of RIP; #GP(0) beyond the segment's limit. */
static uint64_t fetch_lin(struct emu_cpu *cpu)
{
	if (likely(cpu->mode == MODE_64))
		return cpu->rip;
	cpu->rip = (uint32_t)cpu->rip;
	if (cpu->rip > cpu->seg[X86_CS].limit)
		emu_gp0(cpu);
	return (uint32_t)(cpu->seg[X86_CS].base + cpu->rip);
}

struct emu_block *block_find(struct emu_cpu *cpu)
{
	uint64_t lin = fetch_lin(cpu);
	struct emu_itlb *e = mmu_fetch(cpu, lin);
	struct emu_block *b;

	if (unlikely(!e->host))
		return NULL;
	b = lookup(cpu, e->phys | (lin & ~EMU_PAGE_MASK), lin);
	if (likely(b))
		return b;
	b = block_build(cpu, lin, e);
	if (!b && ((struct block_cache *)cpu->cache)->used > ARENA_SIZE / 2) {
		block_cache_flush(cpu);
		b = block_build(cpu, lin, mmu_fetch(cpu, lin));
	}
	return b;
}
