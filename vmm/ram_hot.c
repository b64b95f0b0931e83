/*
 * vmm/ram_hot.c -- guest memory that comes and goes while the machine exists.
 *
 * Host addresses for all that may ever come are reserved at first, with nothing
 * behind them; a guest address has the same host address for ever.  What goes
 * is replaced by private memory that nobody asked for: a disk's request that
 * was under way, or a queue that the guest left there, finds addresses that are
 * good and hurts nobody.
 *
 * Pieces are looked up by devices' threads and changed by the main thread.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/error.h"
#include "base/util.h"
#include "vmm/ram_priv.h"

/* #syscalls:vmm mmap munmap madvise mlock munlock close fcntl ftruncate */

#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23
#endif

int ram_reserve(struct ram *ram, uint64_t gpa, uint64_t size,
		struct error *err)
{
	uint8_t *p;

	if (!size)
		return 0;
	assert(!ram->hot_size && gpa % GIB == 0);
	p = mmap(NULL, size + GIB, PROT_NONE,
		 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (p == MAP_FAILED)
		return error_set(err, -errno,
				 "cannot reserve addresses for %llu MiB of memory to come: %m",
				 (unsigned long long)(size / MIB));
	ram->hot_gpa = gpa;
	ram->hot_size = size;
	ram->hot_host = (uint8_t *)ALIGN_UP((uintptr_t)p, GIB);
	return 0;
}

/* ---- blocks ---- */

static uint64_t block_size(const struct ram_piece *p)
{
	return p->usable ? BIT64(p->shift) : p->region.size;
}

static bool has_block(const struct ram_piece *p, uint64_t n)
{
	return !p->usable ||
	       atomic_load_explicit(&p->usable[n / 64], memory_order_relaxed) &
		       BIT64(n % 64);
}

static void set_block(struct ram_piece *p, uint64_t n, bool usable)
{
	if (usable)
		atomic_fetch_or(&p->usable[n / 64], BIT64(n % 64));
	else
		atomic_fetch_and(&p->usable[n / 64], ~BIT64(n % 64));
}

bool ram_piece_all(const struct ram_piece *p, uint64_t first, uint64_t n,
		   bool usable)
{
	for (uint64_t i = first; i < first + n; i++)
		if (has_block(p, i) != usable)
			return false;
	return true;
}

const uint64_t *ram_piece_usable(const struct ram_piece *p,
				 unsigned int *ret_shift)
{
	*ret_shift = p->shift;
	return (const uint64_t *)p->usable;
}

bool ram_block_has(const struct ram_block *block, uint64_t at)
{
	const struct ram_piece *p = block->piece;

	return !p || !p->usable || has_block(p, at >> p->shift);
}

const struct ram_region *ram_piece_region(const struct ram_piece *p)
{
	return &p->region;
}

static struct ram_region part(const struct ram_piece *p, uint64_t first,
			      uint64_t n)
{
	uint64_t at = first * block_size(p);

	return (struct ram_region){ .gpa = p->region.gpa + at,
				    .size = n * block_size(p),
				    .host = p->region.host + at,
				    .fd = p->region.fd,
				    .offset = at };
}

/* The next blocks that are there, from *at on. */
static bool next_run(const struct ram_piece *p, uint64_t *at, uint64_t *ret_n)
{
	uint64_t i = *at, end;

	while (i < p->n && !has_block(p, i))
		i++;
	for (end = i; end < p->n && has_block(p, end);)
		end++;
	*at = i;
	*ret_n = end - i;
	return end > i;
}

/* ---- the gate ---- */

static const struct ram_piece *piece_at(const struct ram *ram, uint64_t gpa)
{
	for (unsigned int i = 0; i < ram->n_pieces; i++) {
		const struct ram_region *r = &ram->piece[i]->region;

		if (gpa - r->gpa < r->size)
			return ram->piece[i];
	}
	return NULL;
}

static bool reaches(const struct ram_piece *p, uint64_t gpa, uint64_t len)
{
	uint64_t at = gpa - p->region.gpa;
	uint64_t first = at / block_size(p);

	if (len > p->region.size - at)
		return false;
	return ram_piece_all(
		p, first, (at + MAX(len, 1ull) - 1) / block_size(p) - first + 1,
		true);
}

uint8_t *ram_hot_find(const struct ram *ram, uint64_t gpa, uint64_t len)
{
	pthread_rwlock_t *lock = (pthread_rwlock_t *)&ram->hot_lock;
	const struct ram_piece *p;
	bool good;

	if (gpa < ram->hot_gpa || gpa - ram->hot_gpa >= ram->hot_size)
		return NULL;
	pthread_rwlock_rdlock(lock);
	p = piece_at(ram, gpa);
	good = p && reaches(p, gpa, len);
	pthread_rwlock_unlock(lock);
	return good ? ram->hot_host + (gpa - ram->hot_gpa) : NULL;
}

int ram_hot_fd(const struct ram *ram, const void *host, uint64_t *ret_offset)
{
	pthread_rwlock_t *lock = (pthread_rwlock_t *)&ram->hot_lock;
	uint64_t at = (uintptr_t)host - (uintptr_t)ram->hot_host;
	const struct ram_piece *p;
	int fd = -1;

	if (at >= ram->hot_size)
		return -1;
	pthread_rwlock_rdlock(lock);
	p = piece_at(ram, ram->hot_gpa + at);
	if (p) {
		fd = p->region.fd;
		*ret_offset = ram->hot_gpa + at - p->region.gpa;
	}
	pthread_rwlock_unlock(lock);
	return fd;
}

/* ---- who listens ---- */

static void tell_removed(struct ram *ram, unsigned int n,
			 const struct ram_region *r)
{
	while (n--)
		if (ram->listener[n].ops->removed)
			ram->listener[n].ops->removed(ram->listener[n].arg, r);
}

static int tell_added(struct ram *ram, const struct ram_region *region,
		      struct error *err)
{
	int r = 0;

	for (unsigned int i = 0; i < ram->n_listeners; i++) {
		if (ram->listener[i].ops->added)
			r = ram->listener[i].ops->added(ram->listener[i].arg,
							region, err);
		if (r < 0) {
			tell_removed(ram, i, region);
			return r;
		}
	}
	return 0;
}

static int tell_changed(struct ram *ram, struct error *err)
{
	int r = 0;

	for (unsigned int i = 0; i < ram->n_listeners && r == 0; i++)
		if (ram->listener[i].ops->changed)
			r = ram->listener[i].ops->changed(ram->listener[i].arg,
							  err);
	return r;
}

typedef int part_fn(void *arg, const struct ram_region *r, struct error *err);

static int each_block(const struct ram_piece *p, part_fn *fn, void *arg,
		      struct error *err)
{
	int r = 0;

	for (uint64_t n = 0; n < p->n && r == 0; n++) {
		struct ram_region one = part(p, n, 1);

		if (has_block(p, n))
			r = fn(arg, &one, err);
	}
	return r;
}

int ram_listen(struct ram *ram, const struct ram_listener *l, void *arg,
	       struct error *err)
{
	int r = 0;

	if (ram->n_listeners == RAM_LISTENERS_MAX)
		return error_set(err, -ENOSPC,
				 "too many devices have the guest's memory");
	for (unsigned int i = 0; l->added && i < ram->n && r == 0; i++)
		r = l->added(arg, &ram->region[i], err);
	for (unsigned int i = 0; l->added && i < ram->n_pieces && r == 0; i++)
		r = each_block(ram->piece[i], l->added, arg, err);
	if (r < 0)
		return r;
	ram->listener[ram->n_listeners].ops = l;
	ram->listener[ram->n_listeners++].arg = arg;
	return 0;
}

void ram_unlisten(struct ram *ram, void *arg)
{
	unsigned int i = 0;

	while (i < ram->n_listeners && ram->listener[i].arg != arg)
		i++;
	if (i == ram->n_listeners)
		return;
	ram->n_listeners--;
	memmove(&ram->listener[i], &ram->listener[i + 1],
		(ram->n_listeners - i) * sizeof(ram->listener[0]));
}

unsigned int ram_list(const struct ram *ram, bool whole,
		      struct ram_region *ret, unsigned int max)
{
	unsigned int used = 0;

	for (unsigned int i = 0; i < ram->n && used < max; i++)
		ret[used++] = ram->region[i];
	for (unsigned int i = 0; i < ram->n_pieces && used < max; i++) {
		const struct ram_piece *p = ram->piece[i];
		uint64_t at = 0, n;

		if (whole) {
			ret[used++] = p->region;
			continue;
		}
		for (; used < max && next_run(p, &at, &n); at += n)
			ret[used++] = part(p, at, n);
	}
	return used;
}

void ram_pin(struct ram *ram, bool pinned)
{
	atomic_fetch_add(&ram->pins, pinned ? 1u : -1u);
}

void ram_freeze(struct ram *ram, bool frozen)
{
	atomic_fetch_add(&ram->freezes, frozen ? 1u : -1u);
}

bool ram_frozen(const struct ram *ram)
{
	return atomic_load(&ram->freezes);
}

static uint64_t usable_bytes(const struct ram_piece *p)
{
	uint64_t n = 0;

	if (!p->usable)
		return p->region.size;
	for (uint64_t i = 0; i < p->n / 64 + 1; i++)
		n += __builtin_popcountll(atomic_load(&p->usable[i]));
	return n << p->shift;
}

uint64_t ram_now(const struct ram *ram)
{
	pthread_rwlock_t *lock = (pthread_rwlock_t *)&ram->hot_lock;
	uint64_t sum = ram->size;

	pthread_rwlock_rdlock(lock);
	for (unsigned int i = 0; i < ram->n_pieces; i++)
		sum += usable_bytes(ram->piece[i]);
	pthread_rwlock_unlock(lock);
	return sum;
}

uint64_t ram_end(const struct ram *ram)
{
	const struct ram_region *last = &ram->region[ram->n - 1];

	return MAX(last->gpa + last->size, ram->hot_gpa + ram->hot_size);
}

/* ---- coming and going ---- */

static bool overlaps(const struct ram *ram, uint64_t gpa, uint64_t size)
{
	for (unsigned int i = 0; i < ram->n_pieces; i++) {
		const struct ram_region *r = &ram->piece[i]->region;

		if (gpa < r->gpa + r->size && r->gpa < gpa + size)
			return true;
	}
	return false;
}

static int check(const struct ram *ram, const struct ram_piece_options *o,
		 uint64_t page_size, struct error *err)
{
	uint64_t align = MAX(MAX(o->block, page_size), 2 * MIB);

	if (o->gpa < ram->hot_gpa || !o->size || o->size > ram->hot_size ||
	    o->gpa - ram->hot_gpa > ram->hot_size - o->size)
		return error_set(err, -EINVAL,
				 "there is no room for memory of %llu MiB at 0x%llx",
				 (unsigned long long)(o->size / MIB),
				 (unsigned long long)o->gpa);
	if (o->gpa % align || o->size % align || (align & (align - 1)) ||
	    (o->block && o->block < 2 * MIB) || page_size > GIB)
		return error_set(err, -EINVAL,
				 "memory of %llu KiB at 0x%llx is not whole blocks of %llu KiB",
				 (unsigned long long)(o->size / KIB),
				 (unsigned long long)o->gpa,
				 (unsigned long long)(align / KIB));
	if (overlaps(ram, o->gpa, o->size))
		return error_set(err, -EEXIST, "there is memory at 0x%llx",
				 (unsigned long long)o->gpa);
	if (ram->n_pieces == RAM_PIECES_MAX)
		return error_set(err, -ENOSPC,
				 "a machine has at most %d memory devices",
				 RAM_PIECES_MAX);
	return 0;
}

/* A file of the host's is as long as it needs to be. */
static int piece_file(const struct ram_piece_options *o, uint64_t page_size)
{
	int fd;

	if (o->fd < 0)
		return ram_make_file(o->size, page_size);
	fd = fcntl(o->fd, F_DUPFD_CLOEXEC, 0);
	if (fd >= 0 && !o->persistent && ftruncate(fd, (off_t)o->size) < 0)
		fd = fd_close(fd);
	return fd;
}

static int map_piece(struct ram *ram, struct ram_piece *p,
		     const struct ram_piece_options *o, struct error *err)
{
	bool shared = ram->options.shared || o->persistent;
	bool in_file = shared || p->page_size || o->fd >= 0;
	int flags = shared ? MAP_SHARED : MAP_PRIVATE;
	int fd = in_file ? piece_file(o, p->page_size) : -1;
	void *at;

	/* Block by block: pages are taken as they come. */
	flags |= MAP_FIXED | (in_file ? 0 : MAP_ANONYMOUS);
	flags |= p->page_size && !p->usable ? 0 : MAP_NORESERVE;
	at = in_file && fd < 0 ? MAP_FAILED :
				 mmap(p->region.host, o->size,
				      PROT_READ | PROT_WRITE, flags, fd, 0);
	if (at == MAP_FAILED) {
		if (fd >= 0)
			close(fd);
		return ram_no_memory(o->size, p->page_size, err);
	}
	ram_advise(at, o->size, &ram->options);
	p->region.fd = shared ? fd : -1;
	if (fd >= 0 && !shared)
		close(fd);
	return 0;
}

static struct ram_piece *new_piece(const struct ram *ram,
				   const struct ram_piece_options *o,
				   uint64_t page_size)
{
	struct ram_piece *p = xcalloc(1, sizeof(*p));

	snprintf(p->name, sizeof(p->name), "mem-%llx",
		 (unsigned long long)o->gpa);
	p->page_size = page_size;
	p->n = 1;
	p->region = (struct ram_region){
		.gpa = o->gpa,
		.size = o->size,
		.host = ram->hot_host + (o->gpa - ram->hot_gpa),
		.fd = -1,
	};
	if (!o->block)
		return p;
	p->shift = __builtin_ctzll(o->block);
	p->n = o->size >> p->shift;
	p->usable = xcalloc(p->n / 64 + 1, sizeof(*p->usable));
	return p;
}

static void free_piece(struct ram_piece *p)
{
	if (p->region.fd >= 0)
		close(p->region.fd);
	free((void *)p->usable);
	free(p);
}

/* After the regions and by address, whenever they came: a machine that is made
 * anew from its description has them in the same order. */
static unsigned int block_place(const struct ram *ram,
				const struct ram_piece *p)
{
	unsigned int i = ram->n;

	while (i < ram->n_blocks && ram->block[i].piece &&
	       ram->block[i].host < p->region.host)
		i++;
	return i;
}

static void add_block(struct ram *ram, struct ram_piece *p)
{
	unsigned int i = block_place(ram, p), n;

	ram_add_block(ram, p->name, p->region.host, p->region.size);
	n = ram->n_blocks - 1 - i;
	memmove(&ram->block[i + 1], &ram->block[i], n * sizeof(*ram->block));
	memmove(&ram->log[i + 1], &ram->log[i], n * sizeof(*ram->log));
	ram->log[i] = (struct ram_log_map){ 0 };
	ram->block[i] = (struct ram_block){
		.name = p->name,
		.host = p->region.host,
		.size = p->region.size,
		.anonymous = true,
		.huge = p->page_size,
		.piece = p,
	};
}

int ram_plug(struct ram *ram, const struct ram_piece_options *o,
	     struct ram_piece **ret_piece, struct error *err)
{
	uint64_t page_size = o->page_size ? o->page_size :
					    ram->options.page_size;
	struct ram_piece *p;
	int r = check(ram, o, page_size, err);

	if (r < 0)
		return r;
	p = new_piece(ram, o, page_size);
	r = map_piece(ram, p, o, err);
	if (r < 0) {
		free_piece(p);
		return r;
	}
	add_block(ram, p);
	pthread_rwlock_wrlock(&ram->hot_lock);
	ram->piece[ram->n_pieces++] = p;
	pthread_rwlock_unlock(&ram->hot_lock);
	*ret_piece = p;
	return 0;
}

int ram_piece_settle(struct ram *ram, struct ram_piece *p, struct error *err)
{
	const struct ram_region *region = &p->region;
	int r = 0;

	if (!p->usable && ram->options.allocated)
		r = ram_allocate(region);
	if (r == 0 && !p->usable && ram->options.locked &&
	    mlock(region->host, region->size) < 0)
		r = -errno;
	if (r < 0)
		return error_set(err, r,
				 "cannot have %llu MiB of memory at once: %m",
				 (unsigned long long)(region->size / MIB));
	r = tell_changed(ram, err);
	if (r == 0 && !p->usable)
		r = tell_added(ram, region, err);
	p->settled = r == 0;
	return r;
}

/* Addresses stay good; what was there is given back. */
static void forget_memory(struct ram_piece *p)
{
	mmap(p->region.host, p->region.size, PROT_READ | PROT_WRITE,
	     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1, 0);
	madvise(p->region.host, p->region.size, MADV_DONTDUMP);
}

static int say_removed(void *arg, const struct ram_region *r,
		       struct error *err)
{
	struct ram *ram = arg;

	tell_removed(ram, ram->n_listeners, r);
	return 0;
}

static void take_out(struct ram *ram, const struct ram_piece *p)
{
	unsigned int i = 0;

	while (ram->piece[i] != p)
		i++;
	ram->n_pieces--;
	memmove(&ram->piece[i], &ram->piece[i + 1],
		(ram->n_pieces - i) * sizeof(ram->piece[0]));
}

void ram_unplug(struct ram *ram, struct ram_piece *p)
{
	struct error ignored;

	if (!p)
		return;
	if (p->settled)
		each_block(p, say_removed, ram, NULL);
	pthread_rwlock_wrlock(&ram->hot_lock);
	take_out(ram, p);
	pthread_rwlock_unlock(&ram->hot_lock);
	tell_changed(ram, &ignored);
	ram_remove_block(ram, p->region.host);
	forget_memory(p);
	free_piece(p);
}

void ram_hot_finish(struct ram *ram)
{
	while (ram->n_pieces)
		ram_unplug(ram, ram->piece[ram->n_pieces - 1]);
	if (ram->hot_size) /* what was left over before it stays */
		munmap(ram->hot_host, ram->hot_size);
	pthread_rwlock_destroy(&ram->hot_lock);
}

/* ---- block by block ---- */

/* Huge pages may be gone by the time somebody touches them. */
static int have_memory(const struct ram *ram, const struct ram_piece *p,
		       const struct ram_region *r)
{
	if (ram->options.locked && mlock(r->host, r->size) < 0)
		return -errno;
	if ((p->page_size || ram->options.allocated) &&
	    madvise(r->host, r->size, MADV_POPULATE_WRITE) < 0 &&
	    errno != EINVAL)
		return -errno;
	return 0;
}

/* No matter who pins: the listeners have let go of it. */
static void give_back(const struct ram *ram, const struct ram_region *r)
{
	if (ram->options.locked)
		munlock(r->host, r->size);
	madvise(r->host, r->size, r->fd < 0 ? MADV_DONTNEED : MADV_REMOVE);
}

static void lose_blocks(struct ram *ram, struct ram_piece *p, uint64_t first,
			uint64_t n)
{
	struct ram_region all = part(p, first, n);

	for (uint64_t i = first + n; i-- > first;) {
		struct ram_region one = part(p, i, 1);

		set_block(p, i, false);
		tell_removed(ram, ram->n_listeners, &one);
	}
	give_back(ram, &all);
}

static int gain_blocks(struct ram *ram, struct ram_piece *p, uint64_t first,
		       uint64_t n, struct error *err)
{
	struct ram_region all = part(p, first, n);
	int r = have_memory(ram, p, &all);
	uint64_t i = 0;

	if (r < 0)
		error_set(err, r, "the host has no memory for the guest: %m");
	for (; i < n && r == 0; i++) {
		struct ram_region one = part(p, first + i, 1);

		r = tell_added(ram, &one, err);
		if (r == 0)
			set_block(p, first + i, true);
	}
	if (r < 0) {
		lose_blocks(ram, p, first, i ? i - 1 : 0);
		give_back(ram, &all);
	}
	return r;
}

int ram_piece_set(struct ram *ram, struct ram_piece *p, uint64_t first,
		  uint64_t n, bool usable, struct error *err)
{
	assert(p->usable && first <= p->n && n <= p->n - first);
	assert(ram_piece_all(p, first, n, !usable));
	if (usable)
		return gain_blocks(ram, p, first, n, err);
	lose_blocks(ram, p, first, n);
	return 0;
}
