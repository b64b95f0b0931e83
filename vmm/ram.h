/*
 * vmm/ram.h -- guest memory, and the one gate through which devices
 * reach it.
 */
#ifndef VMM_RAM_H
#define VMM_RAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct ram;
struct error;

/* Low memory ends here; the rest continues at 4 GiB. */
#define RAM_LOW_MAX 0xc0000000ull
#define RAM_HIGH_BASE 0x100000000ull

struct ram_region {
	uint64_t gpa;
	uint64_t size;
	uint8_t *host;
	int fd; /* a memfd that others may map; -1: private */
	uint64_t offset; /* where in that it begins */
};

/* bytes: total, a multiple of 4 KiB.  Sparse: costs nothing until touched. */
int ram_create(uint64_t bytes, struct ram **ret_ram, struct error *err);
/*
 * The same with low memory ending at low_max; shared: in memfds.  page_size:
 * of the host's huge pages, which are reserved at once; 0: as it has it.
 * fd: the file that it is to be in, whose size it sets; -1: none.
 */
struct ram_options {
	uint64_t low_max;
	uint64_t page_size;
	int fd;
	bool shared;
	bool unmerged;	/* even if the host merges equal pages */
	bool locked;	/* never swapped out */
	bool allocated; /* all of it from the start */
};
int ram_create_with(uint64_t bytes, const struct ram_options *options,
		    struct ram **ret_ram, struct error *err);
/* Once it is where it shall be: locks and allocates. */
int ram_settle(struct ram *ram, const struct ram_options *options,
	       struct error *err);
void ram_destroy(struct ram *ram);

uint64_t ram_size(const struct ram *ram); /* without what came later */
/*
 * All memory whose content is saved: the regions, and what devices add before
 * the machine runs (video memory, shadowed ROM).  Names are for ever.
 */
struct ram_block {
	const char *name;
	uint8_t *host;
	uint64_t size;	/* a multiple of 4 KiB */
	bool anonymous; /* a file may be mapped over it... */
	bool huge;	/* ... if it is not made of the host's huge pages */
	const struct ram_piece *piece; /* some of it may not be there, or NULL */
};
void ram_add_block(struct ram *ram, const char *name, void *host,
		   uint64_t size);
unsigned int ram_blocks(const struct ram *ram,
			const struct ram_block **ret_blocks);
/* Is there memory at this offset?  Where there is none, nothing is saved. */
bool ram_block_has(const struct ram_block *block, uint64_t at);

/*
 * Puts len bytes of a file where the block has them from at on; all are
 * multiples of 4 KiB.  Private: the file stays as it is.  Such ranges are
 * remembered: ram_own_begin() starts a thread that makes all of them the
 * process's own.
 */
int ram_map_file(struct ram *ram, unsigned int block, uint64_t at, uint64_t len,
		 int fd, uint64_t offset);
void ram_own_begin(struct ram *ram);
/* Files are read instead, because others map the memory as it is. */
void ram_keep_shared(struct ram *ram);

/* What there is from the start on. */
unsigned int ram_regions(const struct ram *ram,
			 const struct ram_region **ret_regions);

/*
 * The memfd whose page at *ret_offset is the one at host, or -1: it is
 * private, or a file was mapped over some of it.
 */
int ram_fd(const struct ram *ram, const void *host, uint64_t *ret_offset);

/* These pages are not needed: they read as zeros when touched again. */
void ram_discard(const struct ram *ram, void *host, uint64_t len);
int ram_try_discard(const struct ram *ram, void *host, uint64_t len); /* errno */
/* Some of it is missing (vmm/missing.h): nobody else may map it. */
void ram_set_partial(struct ram *ram, bool partial);

/*
 * Memory that comes and goes (ram_hot.c): pieces, at guest addresses that are
 * reserved before the first one comes.  A piece is there as a whole, or block
 * by block.  Main thread, and with vCPUs stopped where one shrinks.
 *
 * Host addresses stay mapped for ever: a device that still has a pointer into a
 * piece that went writes to nobody's memory.
 */
enum { RAM_PIECES_MAX = 32 };
struct ram_piece;
struct ram_piece_options {
	uint64_t gpa, size; /* its block is named after its address */
	uint64_t block;	    /* a power of two; 0: all of it is there at once */
	uint64_t page_size; /* of the host's huge pages; 0: as all memory */
	int fd;		    /* a file for it, dup()ed; -1: none */
	bool persistent;    /* what is written there is to be in the file */
};
int ram_reserve(struct ram *ram, uint64_t gpa, uint64_t size,
		struct error *err);
int ram_plug(struct ram *ram, const struct ram_piece_options *options,
	     struct ram_piece **ret_piece, struct error *err);
/* Locks and allocates, as ram_settle(); tells the listeners. */
int ram_piece_settle(struct ram *ram, struct ram_piece *piece,
		     struct error *err);
void ram_unplug(struct ram *ram, struct ram_piece *piece);
const struct ram_region *ram_piece_region(const struct ram_piece *piece);

/*
 * n blocks from first on are memory from now on, or no more; none of them were,
 * or all.  What a listener or the host refuses leaves all as it was.
 */
int ram_piece_set(struct ram *ram, struct ram_piece *piece, uint64_t first,
		  uint64_t n, bool usable, struct error *err);
/* Are n blocks from first on all usable, or all not? */
bool ram_piece_all(const struct ram_piece *piece, uint64_t first, uint64_t n,
		   bool usable);
/* The blocks as bits; NULL: all are there. */
const uint64_t *ram_piece_usable(const struct ram_piece *piece,
				 unsigned int *ret_shift);

/*
 * Who maps guest memory elsewhere (an IOMMU, other processes) hears what comes
 * and goes, each time in the same parts: regions from the start, pieces as a
 * whole or their blocks one by one.  added() may refuse; removed() is told
 * before the memory is given back.  ram_listen() tells what there is at once.
 * Main thread, vCPUs may run when something comes and do not when it goes.
 */
struct ram_listener {
	int (*added)(void *arg, const struct ram_region *region,
		     struct error *err);
	void (*removed)(void *arg, const struct ram_region *region);
	/* For who makes a table of all: pieces came, or went; what comes may
	 * be refused.  May be NULL, as the others. */
	int (*changed)(void *arg, struct error *err);
};
int ram_listen(struct ram *ram, const struct ram_listener *listener, void *arg,
	       struct error *err);
void ram_unlisten(struct ram *ram, void *arg);
/* The same for who is about to make a table of all: as parts, or as whole
 * pieces; at most max. */
unsigned int ram_list(const struct ram *ram, bool whole,
		      struct ram_region *ret_regions, unsigned int max);

/*
 * Pages that devices have for themselves (VFIO) must stay where they are: while
 * anybody pins, ram_discard() does nothing.  Any thread; counts.
 */
void ram_pin(struct ram *ram, bool pinned);
/* Nothing may come or go, as all of it is being read; counts. */
void ram_freeze(struct ram *ram, bool frozen);
bool ram_frozen(const struct ram *ram);
/* What there is now: from the start, and of pieces what can be used. */
uint64_t ram_now(const struct ram *ram);
/* Where all that there is or may ever be ends. */
uint64_t ram_end(const struct ram *ram);

/*
 * What devices do not reach (system management RAM); size 0: nothing.  vCPUs
 * are stopped.
 */
void ram_hide(struct ram *ram, uint64_t gpa, uint64_t size);

/* size 0: none */
const struct ram_region *ram_hidden_region(const struct ram *ram);

/* RAM at gpa for the machine's own use, hidden or not. */
uint8_t *ram_host(const struct ram *ram, uint64_t gpa);

/*
 * What devices write, for migration; engines log what the guest does.  Memory
 * that ram_ptr() gave out counts as written then and once more a round later;
 * who holds it longer, or keeps a pointer, says ram_mark() after writing.
 * ram_log(): vCPUs are stopped.  ram_take_dirty() adds to a bitmap of the
 * block's pages and forgets.
 */
void ram_log(struct ram *ram, bool on);
/*
 * Who keeps a log elsewhere: set() as ram_log(); collect(), before the log is
 * taken, says ram_mark() for what it has.
 */
struct ram_log_source {
	void (*set)(void *arg, bool on);
	void (*collect)(void *arg);
};
void ram_add_log_source(struct ram *ram, const struct ram_log_source *source,
			void *arg);
void ram_remove_log_source(struct ram *ram, void *arg);
bool ram_logs(const struct ram *ram);
void ram_mark(struct ram *ram, const void *host, uint64_t len);
void ram_take_dirty(struct ram *ram, unsigned int block, uint64_t *bitmap);

/*
 * Host address of len bytes at gpa, or NULL when any of them is not RAM.
 * The result never crosses a region.
 */
void *ram_ptr(const struct ram *ram, uint64_t gpa, uint64_t len);
/* The same, only to be read. */
const void *ram_ptr_const(const struct ram *ram, uint64_t gpa, uint64_t len);

/* 0 or -EFAULT; nothing is copied when the range is bad. */
int ram_read(const struct ram *ram, uint64_t gpa, void *buf, uint64_t len);
int ram_write(struct ram *ram, uint64_t gpa, const void *buf, uint64_t len);

#endif
