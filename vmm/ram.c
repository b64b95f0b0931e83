/*
 * vmm/ram.c -- guest memory.
 *
 * Anonymous and private, because that is what the host's kernel makes huge
 * pages of without being configured to; in memfds where others map it, too
 * (docs/decisions/0011).
 */
#include "vmm/ram.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/memfd.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/error.h"
#include "vmm/ram_priv.h"

/* #syscalls:vmm mmap munmap madvise clone clone3 close pread64 */
/* #syscalls:vmm memfd_create ftruncate fcntl mlock */

enum { HUGE_PAGE = 2 << 20 };

/* size bytes that begin where a huge page may; fd -1: anonymous. */
static void *map_aligned(uint64_t size, uint64_t align, bool shared, int fd,
			 uint64_t offset, int flags)
{
	flags |= shared ? MAP_SHARED : MAP_PRIVATE;
	flags |= fd < 0 ? MAP_ANONYMOUS : 0;
	uint8_t *p = mmap(NULL, size + align, PROT_NONE,
			  MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	size_t before;

	if (p == MAP_FAILED)
		return NULL;
	before = -(uintptr_t)p & (align - 1);
	if (before)
		munmap(p, before);
	p += before;
	munmap(p + size, align - before);
	if (mmap(p, size, PROT_READ | PROT_WRITE, flags | MAP_FIXED, fd,
		 (off_t)offset) == MAP_FAILED) {
		munmap(p, size);
		return NULL;
	}
	return p;
}

/* memfd_create(2): the base-2 logarithm of a huge page's size. */
static unsigned int huge_flags(uint64_t page_size)
{
	if (!page_size)
		return 0;
	return MFD_HUGETLB | (unsigned int)__builtin_ctzll(page_size)
				     << MFD_HUGE_SHIFT;
}

int ram_make_file(uint64_t size, uint64_t page_size)
{
	int fd = memfd_create("guest-ram",
			      MFD_CLOEXEC | huge_flags(page_size));

	if (fd >= 0 && ftruncate(fd, (off_t)size) < 0) {
		close(fd);
		return -1;
	}
	return fd;
}

void ram_advise(void *p, uint64_t size, const struct ram_options *o)
{
	madvise(p, size, MADV_DONTDUMP);
	if (!o->page_size)
		madvise(p, size, MADV_HUGEPAGE);
	/* Daemons of the host may merge pages of those who agree. */
	if (!o->unmerged && !o->shared && !o->page_size)
		madvise(p, size, MADV_MERGEABLE);
}

int ram_no_memory(uint64_t size, uint64_t page_size, struct error *err)
{
	if (page_size)
		return error_set(err, -ENOMEM,
				 "cannot map %llu MiB of guest memory: the host has not so many huge pages of %llu KiB",
				 (unsigned long long)(size / MIB),
				 (unsigned long long)(page_size / KIB));
	return error_set(err, -ENOMEM,
			 "cannot map %llu MiB of guest memory: %m",
			 (unsigned long long)(size / MIB));
}

/* The file for the next region: of its own, or after the one before it. */
static int next_file(const struct ram *ram, uint64_t size,
		     const struct ram_options *o, uint64_t *ret_offset)
{
	*ret_offset = 0;
	if (o->fd < 0)
		return ram_make_file(size, o->page_size);
	*ret_offset = ram->n ? ram->region[ram->n - 1].size : 0;
	if (ftruncate(o->fd, (off_t)(*ret_offset + size)) < 0)
		return -1;
	return fcntl(o->fd, F_DUPFD_CLOEXEC, 0);
}

/* MAP_NORESERVE: a guest costs what it touches; huge pages are reserved. */
static int ram_map(struct ram *ram, uint64_t gpa, uint64_t size,
		   const struct ram_options *o, struct error *err)
{
	bool in_file = o->shared || o->page_size || o->fd >= 0;
	uint64_t offset = 0;
	int fd = in_file ? next_file(ram, size, o, &offset) : -1;
	int flags = o->page_size ? 0 : MAP_NORESERVE;
	void *p = in_file && fd < 0 ?
			  NULL :
			  map_aligned(size, MAX(o->page_size, HUGE_PAGE),
				      o->shared, fd, offset, flags);

	if (!p) {
		if (fd >= 0)
			close(fd);
		return ram_no_memory(size, o->page_size, err);
	}
	ram_advise(p, size, o);
	ram_add_block(ram, ram->n ? "ram-high" : "ram-low", p, size);
	ram->block[ram->n_blocks - 1].anonymous = true;
	ram->block[ram->n_blocks - 1].huge = o->page_size;
	ram->region[ram->n++] =
		(struct ram_region){ gpa, size, p, o->shared ? fd : -1,
				     offset };
	if (fd >= 0 && !o->shared)
		close(fd);
	return 0;
}

int ram_create(uint64_t bytes, struct ram **ret_ram, struct error *err)
{
	return ram_create_with(
		bytes, &(struct ram_options){ .low_max = RAM_LOW_MAX, .fd = -1 },
		ret_ram, err);
}

static int check_options(uint64_t bytes, const struct ram_options *o,
			 struct error *err)
{
	uint64_t page = o->page_size;

	if (!bytes || bytes % 4096 || bytes > INT64_MAX / 2)
		return error_set(err, -EINVAL,
				 "guest memory of %llu bytes is not a "
				 "positive multiple of 4 KiB",
				 (unsigned long long)bytes);
	if (page & (page - 1) || page > GIB)
		return error_set(err, -EINVAL,
				 "pages of %llu bytes are no huge pages",
				 (unsigned long long)page);
	if (page && (bytes % page || o->low_max % page))
		return error_set(err, -EINVAL,
				 "guest memory is not whole huge pages of %llu KiB",
				 (unsigned long long)(page / KIB));
	return 0;
}

int ram_create_with(uint64_t bytes, const struct ram_options *o,
		    struct ram **ret_ram, struct error *err)
{
	uint64_t low = MIN(bytes, o->low_max);
	struct ram *ram;
	int r = check_options(bytes, o, err);

	if (r < 0)
		return r;
	ram = xcalloc(1, sizeof(*ram));
	ram->size = bytes;
	ram->options = *o;
	pthread_rwlock_init(&ram->hot_lock, NULL);
	r = ram_map(ram, 0, low, o, err);
	if (r == 0 && bytes > low)
		r = ram_map(ram, RAM_HIGH_BASE, bytes - low, o, err);
	if (r < 0) {
		ram_destroy(ram);
		return r;
	}
	*ret_ram = ram;
	return 0;
}

#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23
#endif

/* Kernels before 5.14 know no other way than to touch each page. */
int ram_allocate(const struct ram_region *r)
{
	if (madvise(r->host, r->size, MADV_POPULATE_WRITE) == 0)
		return 0;
	if (errno != EINVAL)
		return -errno;
	for (uint64_t at = 0; at < r->size; at += 4096)
		*(volatile uint8_t *)(r->host + at) = 0;
	return 0;
}

int ram_settle(struct ram *ram, const struct ram_options *o,
	       struct error *err)
{
	ram->settled = true;
	for (unsigned int i = 0; i < ram->n; i++) {
		const struct ram_region *region = &ram->region[i];
		int r = o->allocated ? ram_allocate(region) : 0;

		if (r < 0)
			return error_set(err, r,
					 "cannot allocate the guest's memory: %m");
		if (o->locked && mlock(region->host, region->size) < 0)
			return error_set(err, -errno,
					 "cannot lock the guest's memory: %m");
	}
	return 0;
}

static void drop_log(struct ram_log_map *log)
{
	free((void *)log->now);
	free(log->before);
}

void ram_destroy(struct ram *ram)
{
	if (!ram)
		return;
	atomic_store(&ram->stop, true);
	if (ram->owning)
		pthread_join(ram->owner, NULL);
	free(ram->source);
	free(ram->file);
	ram_hot_finish(ram);
	for (unsigned int i = 0; i < ram->n_blocks; i++)
		drop_log(&ram->log[i]);
	for (unsigned int i = 0; i < ram->n; i++) {
		munmap(ram->region[i].host, ram->region[i].size);
		if (ram->region[i].fd >= 0)
			close(ram->region[i].fd);
	}
	free(ram);
}

void ram_add_block(struct ram *ram, const char *name, void *host,
		   uint64_t size)
{
	assert(ram->n_blocks < RAM_BLOCKS_MAX && size % 4096 == 0);
	ram->block[ram->n_blocks++] =
		(struct ram_block){ .name = name, .host = host, .size = size };
}

/* Nothing is being logged. */
void ram_remove_block(struct ram *ram, const void *host)
{
	unsigned int i = 0;

	while (i < ram->n_blocks && ram->block[i].host != host)
		i++;
	if (i == ram->n_blocks)
		return;
	drop_log(&ram->log[i]);
	ram->n_blocks--;
	for (; i < ram->n_blocks; i++) {
		ram->block[i] = ram->block[i + 1];
		ram->log[i] = ram->log[i + 1];
	}
	ram->log[i] = (struct ram_log_map){ 0 };
}

unsigned int ram_blocks(const struct ram *ram,
			const struct ram_block **ret_blocks)
{
	*ret_blocks = ram->block;
	return ram->n_blocks;
}

/* ---- memory that is in a file ---- */

void ram_keep_shared(struct ram *ram)
{
	ram->keep_shared = true;
}

static int read_file(uint8_t *to, uint64_t len, int fd, uint64_t offset)
{
	while (len) {
		ssize_t n = pread(fd, to, len, (off_t)offset);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? -errno : -ENODATA;
		to += n;
		len -= n;
		offset += n;
	}
	return 0;
}

int ram_map_file(struct ram *ram, unsigned int block, uint64_t at, uint64_t len,
		 int fd, uint64_t offset)
{
	uint8_t *to = ram->block[block].host + at;

	assert(ram->block[block].anonymous && !ram->block[block].huge);
	assert(at <= ram->block[block].size);
	assert(len <= ram->block[block].size - at);
	if (ram->keep_shared)
		return read_file(to, len, fd, offset);
	if (mmap(to, len, PROT_READ | PROT_WRITE,
		 MAP_PRIVATE | MAP_FIXED | MAP_NORESERVE, fd,
		 (off_t)offset) == MAP_FAILED)
		return -errno;
	madvise(to, len, MADV_DONTDUMP);
	ram->file = xrealloc(ram->file, ram->n_files + 1, sizeof(*ram->file));
	ram->file[ram->n_files++] = (struct ram_file){ to, len };
	return 0;
}

/*
 * A write fault on each page copies it, whatever the guest does meanwhile.
 * Kernels before 5.14 cannot; there the file has to stay.
 */
static void *own_main(void *arg)
{
	enum { STEP = 1 << 20 };
	struct ram *ram = arg;

	for (unsigned int i = 0; i < ram->n_files; i++) {
		const struct ram_file *f = &ram->file[i];

		for (uint64_t at = 0; at < f->len; at += STEP) {
			if (atomic_load(&ram->stop) ||
			    (madvise(f->host + at, MIN(f->len - at, STEP),
				     MADV_POPULATE_WRITE) < 0 &&
			     errno == EINVAL))
				return NULL;
		}
	}
	return NULL;
}

void ram_own_begin(struct ram *ram)
{
	if (ram->n_files && !ram->owning)
		ram->owning = pthread_create(&ram->owner, NULL, own_main,
					     ram) == 0;
}

/* ---- what devices wrote ---- */

enum { PAGE = 4096 };

static size_t bitmap_words(const struct ram *ram, unsigned int block)
{
	return (ram->block[block].size / PAGE + 63) / 64;
}

/* Bitmaps, once made, stay: somebody may be about to set a bit. */
void ram_log(struct ram *ram, bool on)
{
	for (unsigned int i = 0; i < ram->n_blocks && on; i++) {
		size_t size = bitmap_words(ram, i) * sizeof(uint64_t);

		if (!ram->log[i].now) {
			ram->log[i].now = xcalloc(1, size);
			ram->log[i].before = xcalloc(1, size);
		}
		memset(ram->log[i].now, 0, size);
		memset(ram->log[i].before, 0, size);
	}
	atomic_store(&ram->logging, on);
	for (unsigned int i = 0; i < ram->n_sources; i++)
		ram->source[i].ops->set(ram->source[i].arg, on);
}

void ram_add_log_source(struct ram *ram, const struct ram_log_source *source,
			void *arg)
{
	ram->source = xrealloc(ram->source, ram->n_sources + 1,
			       sizeof(*ram->source));
	ram->source[ram->n_sources].ops = source;
	ram->source[ram->n_sources++].arg = arg;
}

void ram_remove_log_source(struct ram *ram, void *arg)
{
	for (unsigned int i = 0; i < ram->n_sources; i++)
		if (ram->source[i].arg == arg)
			ram->source[i] = ram->source[--ram->n_sources];
}

bool ram_logs(const struct ram *ram)
{
	return atomic_load_explicit(&ram->logging, memory_order_relaxed);
}

void ram_mark(struct ram *ram, const void *host, uint64_t len)
{
	if (!ram_logs(ram) || !len)
		return;
	for (unsigned int i = 0; i < ram->n_blocks; i++) {
		uint64_t at = (const uint8_t *)host - ram->block[i].host;

		if ((const uint8_t *)host < ram->block[i].host ||
		    at >= ram->block[i].size)
			continue;
		len = MIN(len, ram->block[i].size - at);
		for (uint64_t n = at / PAGE; n <= (at + len - 1) / PAGE; n++)
			atomic_fetch_or(&ram->log[i].now[n / 64],
					BIT64(n % 64));
		return;
	}
}

void ram_take_dirty(struct ram *ram, unsigned int block, uint64_t *bitmap)
{
	struct ram_log_map *log = &ram->log[block];

	for (unsigned int i = 0; i < ram->n_sources; i++)
		ram->source[i].ops->collect(ram->source[i].arg);
	for (size_t n = 0; n < bitmap_words(ram, block); n++) {
		uint64_t now = log->now[n] ? atomic_exchange(&log->now[n], 0) :
					     0;

		bitmap[n] |= now | log->before[n];
		log->before[n] = now;
	}
}

uint64_t ram_size(const struct ram *ram)
{
	return ram->size;
}

unsigned int ram_regions(const struct ram *ram,
			 const struct ram_region **ret_regions)
{
	*ret_regions = ram->region;
	return ram->n;
}

static int region_fd(const struct ram *ram, const void *host,
		     uint64_t *ret_offset)
{
	for (unsigned int i = 0; i < ram->n && !ram->n_files; i++) {
		const struct ram_region *r = &ram->region[i];

		*ret_offset = (uintptr_t)host - (uintptr_t)r->host;
		if (*ret_offset < r->size)
			return r->fd;
	}
	return ram->n_files ? -1 : ram_hot_fd(ram, host, ret_offset);
}

int ram_fd(const struct ram *ram, const void *host, uint64_t *ret_offset)
{
	return atomic_load(&ram->partial) ? -1 :
					    region_fd(ram, host, ret_offset);
}

void ram_set_partial(struct ram *ram, bool partial)
{
	atomic_store(&ram->partial, partial);
}

int ram_try_discard(const struct ram *ram, void *host, uint64_t len)
{
	uint64_t offset;
	bool in_file = region_fd(ram, host, &offset) >= 0;

	if (atomic_load(&ram->pins)) {
		errno = EBUSY;
		return -1;
	}
	return madvise(host, len, in_file ? MADV_REMOVE : MADV_DONTNEED);
}

void ram_discard(const struct ram *ram, void *host, uint64_t len)
{
	ram_try_discard(ram, host, len);
}

void ram_hide(struct ram *ram, uint64_t gpa, uint64_t size)
{
	ram->hidden = (struct ram_region){ .gpa = gpa, .size = size };
}

const struct ram_region *ram_hidden_region(const struct ram *ram)
{
	return &ram->hidden;
}

static bool ram_hidden(const struct ram *ram, uint64_t gpa, uint64_t len)
{
	const struct ram_region *h = &ram->hidden;

	return h->size && gpa < h->gpa + h->size &&
	       (gpa >= h->gpa || len > h->gpa - gpa);
}

uint8_t *ram_host(const struct ram *ram, uint64_t gpa)
{
	for (unsigned int i = 0; i < ram->n; i++) {
		const struct ram_region *r = &ram->region[i];

		if (gpa - r->gpa < r->size)
			return r->host + (gpa - r->gpa);
	}
	return ram_hot_find(ram, gpa, 1);
}

static uint8_t *find(const struct ram *ram, uint64_t gpa, uint64_t len)
{
	if (ram_hidden(ram, gpa, len))
		return NULL;
	for (unsigned int i = 0; i < ram->n; i++) {
		const struct ram_region *r = &ram->region[i];
		uint64_t offset = gpa - r->gpa;

		if (gpa >= r->gpa && offset < r->size &&
		    len <= r->size - offset)
			return r->host + offset;
	}
	return ram_hot_find(ram, gpa, len);
}

void *ram_ptr(const struct ram *ram, uint64_t gpa, uint64_t len)
{
	uint8_t *p = find(ram, gpa, len);

	if (p && ram_logs(ram))
		ram_mark((struct ram *)ram, p, len);
	return p;
}

const void *ram_ptr_const(const struct ram *ram, uint64_t gpa, uint64_t len)
{
	return find(ram, gpa, len);
}

int ram_read(const struct ram *ram, uint64_t gpa, void *buf, uint64_t len)
{
	const void *p = find(ram, gpa, len);

	if (!p)
		return -EFAULT;
	memcpy(buf, p, len);
	return 0;
}

int ram_write(struct ram *ram, uint64_t gpa, const void *buf, uint64_t len)
{
	void *p = find(ram, gpa, len);

	if (!p)
		return -EFAULT;
	memcpy(p, buf, len);
	ram_mark(ram, p, len);
	return 0;
}
