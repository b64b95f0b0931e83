/*
 * vmm/missing.c -- pages of guest memory that are not here yet
 * (vmm/missing.h).
 *
 * Theory of operation.  All of a block is registered, so pages that are simply
 * empty fault, too; those are answered at once with zeros.  A page's bit is
 * taken away after the page was put in place, never before: who finds the bit
 * gone and the page absent may take it for empty.
 */
#include "vmm/missing.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <poll.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/error.h"
#include "vmm/migrate_wire.h"
#include "vmm/ram.h"

/* #syscalls:vmm poll ppoll read close madvise ioctl */
/* #ioctls:vmm UFFDIO_API UFFDIO_REGISTER UFFDIO_UNREGISTER UFFDIO_COPY */
/* #ioctls:vmm UFFDIO_ZEROPAGE UFFDIO_WAKE */
/* #syscalls:vmm-init userfaultfd */

enum { PAGE = MIGRATE_PAGE, BLOCKS = MIGRATE_BLOCKS_MAX };

struct missing {
	int fd;
	struct ram *ram;
	const struct ram_block *block;
	unsigned int n_blocks;
	bool begun;
	_Atomic uint64_t count;
	_Atomic uint64_t *bits[BLOCKS]; /* NULL: nothing of it */
	_Atomic uint64_t *asked[BLOCKS];
};

/* ---- making one ---- */

int missing_open(int device, int *ret_fd, struct error *err)
{
	int flags = O_CLOEXEC | O_NONBLOCK;
	int fd = device < 0 ? (int)syscall(SYS_userfaultfd, flags) :
			      ioctl(device, USERFAULTFD_IOC_NEW, flags);

	if (fd < 0)
		return error_set(err, -errno,
				 "cannot watch memory that is missing, which "
				 "post-copy migration needs "
				 "(/dev/userfaultfd): %m");
	*ret_fd = fd;
	return 0;
}

int missing_create(int fd, struct ram *ram, struct missing **ret_missing,
		   struct error *err)
{
	struct uffdio_api api = {
		.api = UFFD_API,
		.features = UFFD_FEATURE_MISSING_SHMEM,
	};
	struct missing *ms;

	if (ioctl(fd, UFFDIO_API, &api) < 0) {
		int r = -errno;

		close(fd);
		return error_set(err, r, "cannot watch memory: %m");
	}
	ms = xcalloc(1, sizeof(*ms));
	ms->fd = fd;
	ms->ram = ram;
	ms->n_blocks = ram_blocks(ram, &ms->block);
	*ret_missing = ms;
	return 0;
}

static void unregister(struct missing *ms, unsigned int block)
{
	struct uffdio_range range = {
		(uintptr_t)ms->block[block].host,
		ms->block[block].size,
	};

	if (ms->bits[block] && ms->begun)
		ioctl(ms->fd, UFFDIO_UNREGISTER, &range);
}

void missing_destroy(struct missing *ms)
{
	if (!ms)
		return;
	for (unsigned int i = 0; i < ms->n_blocks; i++) {
		unregister(ms, i);
		free((void *)ms->bits[i]);
		free((void *)ms->asked[i]);
	}
	ram_set_partial(ms->ram, false);
	close(ms->fd);
	free(ms);
}

/* ---- what is missing ---- */

static uint64_t pages_of(const struct missing *ms, unsigned int block)
{
	return ms->block[block].size / PAGE;
}

static bool test(_Atomic uint64_t *const *maps, unsigned int block,
		 uint64_t page)
{
	return maps[block] &&
	       atomic_load(&maps[block][page / 64]) & BIT64(page % 64);
}

int missing_add(struct missing *ms, unsigned int block, uint64_t first,
		const uint8_t *bits, uint64_t n, struct error *err)
{
	uint64_t words;

	if (block >= ms->n_blocks || !ms->block[block].anonymous ||
	    ms->begun || first % 64 || first > pages_of(ms, block) ||
	    n > pages_of(ms, block) - first)
		return error_set(err, -EPROTO, "no such pages can be missing");
	if (ms->block[block].huge)
		return error_set(err, -ENOTSUP,
				 "memory in the host's huge pages cannot come "
				 "after the guest");
	words = pages_of(ms, block) / 64 + 1;
	if (!ms->bits[block]) {
		ms->bits[block] = xcalloc(words, sizeof(uint64_t));
		ms->asked[block] = xcalloc(words, sizeof(uint64_t));
	}
	for (uint64_t i = 0; i < n; i++) {
		uint64_t at = first + i;

		if (!(bits[i / 8] & 1 << i % 8) || test(ms->bits, block, at))
			continue;
		ms->bits[block][at / 64] |= BIT64(at % 64);
		ms->count++;
	}
	return 0;
}

/* In a memfd, for others who map it, too. */
static int drop(const struct missing *ms, unsigned int block, uint64_t page,
		uint64_t n, struct error *err)
{
	void *host = ms->block[block].host + page * PAGE;

	if (ram_try_discard(ms->ram, host, n * PAGE) < 0)
		return error_set(err, -errno,
				 "cannot let go of old memory (is it "
				 "locked?): %m");
	return 0;
}

static int drop_all(const struct missing *ms, unsigned int block,
		    struct error *err)
{
	uint64_t page = 0, end = pages_of(ms, block);
	int r = 0;

	while (page < end && r == 0) {
		uint64_t n = 0;

		while (page + n < end && test(ms->bits, block, page + n))
			n++;
		if (n)
			r = drop(ms, block, page, n, err);
		page += n + 1;
	}
	return r;
}

static int watch(const struct missing *ms, unsigned int block,
		 struct error *err)
{
	struct uffdio_register reg = {
		.range = { (uintptr_t)ms->block[block].host,
			   ms->block[block].size },
		.mode = UFFDIO_REGISTER_MODE_MISSING,
	};

	return ioctl(ms->fd, UFFDIO_REGISTER, &reg) < 0 ?
		       error_set(err, -errno,
				 "cannot watch memory '%s': %m",
				 ms->block[block].name) :
		       0;
}

int missing_begin(struct missing *ms, struct error *err)
{
	int r = 0;

	ms->begun = true;
	ram_set_partial(ms->ram, true);
	for (unsigned int i = 0; i < ms->n_blocks && r == 0; i++) {
		if (!ms->bits[i])
			continue;
		r = drop_all(ms, i, err);
		if (r == 0)
			r = watch(ms, i, err);
	}
	return r;
}

uint64_t missing_count(const struct missing *ms)
{
	return atomic_load(&ms->count);
}

uint64_t missing_words(const struct missing *ms, unsigned int block)
{
	return block < ms->n_blocks && ms->bits[block] ?
		       pages_of(ms, block) / 64 + 1 :
		       0;
}

uint64_t missing_word(const struct missing *ms, unsigned int block,
		      uint64_t word)
{
	return ms->bits[block] ? atomic_load(&ms->bits[block][word]) : 0;
}

/* ---- what comes ---- */

static int copy_once(const struct missing *ms, uint64_t at,
		     const uint8_t *data)
{
	struct uffdio_copy copy = {
		.dst = at,
		.src = (uintptr_t)data,
		.len = PAGE,
	};

	return ioctl(ms->fd, UFFDIO_COPY, &copy) < 0 ? -errno : 0;
}

static int zero_once(const struct missing *ms, uint64_t at)
{
	struct uffdio_zeropage zero = { .range = { at, PAGE } };

	return ioctl(ms->fd, UFFDIO_ZEROPAGE, &zero) < 0 ? -errno : 0;
}

/* Whoever waits for it looks again. */
static int wake(const struct missing *ms, uint64_t at)
{
	struct uffdio_range range = { at, PAGE };

	return ioctl(ms->fd, UFFDIO_WAKE, &range) < 0 ? -errno : 0;
}

/* data NULL: zeros.  A page that is there already stays. */
static int put_page(const struct missing *ms, uint64_t at, const uint8_t *data)
{
	int r;

	do {
		r = data ? copy_once(ms, at, data) : zero_once(ms, at);
	} while (r == -EAGAIN); /* the mapping is changing */
	return r == -EEXIST ? wake(ms, at) : r;
}

static uint64_t address(const struct missing *ms, unsigned int block,
			uint64_t page)
{
	return (uintptr_t)ms->block[block].host + page * PAGE;
}

static int fill_one(struct missing *ms, unsigned int block, uint64_t page,
		    const uint8_t *data)
{
	int r;

	if (!test(ms->bits, block, page))
		return 0;
	r = put_page(ms, address(ms, block, page), data);
	if (r == 0) {
		atomic_fetch_and(&ms->bits[block][page / 64],
				 ~BIT64(page % 64));
		atomic_fetch_sub(&ms->count, 1);
	}
	return r;
}

int missing_fill(struct missing *ms, unsigned int block, uint64_t page,
		 unsigned int n, const uint8_t *data, struct error *err)
{
	int r = 0;

	if (block >= ms->n_blocks || !ms->bits[block] ||
	    page > pages_of(ms, block) || n > pages_of(ms, block) - page)
		return error_set(err, -EPROTO, "there are no such pages");
	for (unsigned int i = 0; i < n && r == 0; i++)
		r = fill_one(ms, block, page + i,
			     data ? data + (size_t)i * PAGE : NULL);
	return r < 0 ? error_set(err, r, "cannot fill memory in: %m") : 0;
}

/* ---- who waits ---- */

static bool find(const struct missing *ms, uint64_t address,
		 unsigned int *ret_block, uint64_t *ret_page)
{
	for (unsigned int i = 0; i < ms->n_blocks; i++) {
		uint64_t at = address - (uintptr_t)ms->block[i].host;

		if (!ms->bits[i] || at >= ms->block[i].size)
			continue;
		*ret_block = i;
		*ret_page = at / PAGE;
		return true;
	}
	return false;
}

/* True: it has to be asked for. */
static bool look_at(struct missing *ms, const struct uffd_msg *msg,
		    unsigned int *ret_block, uint64_t *ret_page)
{
	if (msg->event != UFFD_EVENT_PAGEFAULT ||
	    !find(ms, msg->arg.pagefault.address, ret_block, ret_page))
		return false;
	if (!test(ms->bits, *ret_block, *ret_page)) {
		put_page(ms, address(ms, *ret_block, *ret_page), NULL);
		return false;
	}
	return !(atomic_fetch_or(&ms->asked[*ret_block][*ret_page / 64],
				 BIT64(*ret_page % 64)) &
		 BIT64(*ret_page % 64));
}

int missing_wait(struct missing *ms, int stop_fd, unsigned int *ret_block,
		 uint64_t *ret_page)
{
	struct pollfd p[] = { { ms->fd, POLLIN, 0 }, { stop_fd, POLLIN, 0 } };
	struct uffd_msg msg;

	for (;;) {
		if (poll(p, 2, -1) < 0 && errno != EINTR)
			return -errno;
		if (p[1].revents)
			return 0;
		if (read(ms->fd, &msg, sizeof(msg)) == sizeof(msg) &&
		    look_at(ms, &msg, ret_block, ret_page))
			return 1;
	}
}

void missing_asked(struct missing *ms,
		   void (*fn)(void *arg, unsigned int block, uint64_t page),
		   void *arg)
{
	for (unsigned int i = 0; i < ms->n_blocks; i++)
		for (uint64_t page = 0;
		     ms->bits[i] && page < pages_of(ms, i); page++)
			if (test(ms->asked, i, page) &&
			    test(ms->bits, i, page))
				fn(arg, i, page);
}
