/*
 * vmm/postcopy.h -- the memory that follows a guest which runs at its
 * destination already.
 *
 * Over a stream of its own.  The source sends what is left, in order, and
 * sooner what the destination asks for because the guest touched it; the
 * destination says when it has all (vmm/migrate_wire.h).  A stream that breaks
 * leaves both sides waiting for another one: the guest stops where it touches
 * what is missing.
 */
#ifndef VMM_POSTCOPY_H
#define VMM_POSTCOPY_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "vmm/progress.h"

struct loop;
struct missing;
struct ram_block;
struct error;

enum postcopy_state {
	POSTCOPY_GOING,
	POSTCOPY_BROKEN, /* until recover() */
	POSTCOPY_DONE,
};

/* Who hears, on the loop, that the state changed. */
struct postcopy_listener {
	struct loop *loop;
	void (*changed)(void *arg);
	void *arg;
};

/* ---- the source ---- */

struct postcopy_out;
struct postcopy_source {
	int fd; /* taken over, in any case */
	const struct ram_block *block;
	unsigned int n_blocks;
	uint64_t **todo; /* a bitmap for each block: taken over */
	bool zstd;
	_Atomic uint64_t *bandwidth; /* bytes a second, 0: no limit */
	struct progress *p;
};
int postcopy_out_create(const struct postcopy_source *from,
			const struct postcopy_listener *l,
			struct postcopy_out **ret_out, struct error *err);
void postcopy_out_destroy(struct postcopy_out *out);
enum postcopy_state postcopy_out_state(const struct postcopy_out *out);
void postcopy_out_break(struct postcopy_out *out);
/* Takes fd over; the other side does the same with the other end. */
int postcopy_out_recover(struct postcopy_out *out, int fd, struct error *err);

/* ---- the destination ---- */

struct postcopy_in;
/*
 * Takes all over, in any case; missing_begin() was called.  rescue: a socket
 * that is told "broken" and "complete", and takes a stream instead of a broken
 * one, whatever the loop waits for; or -1.
 */
int postcopy_in_create(int fd, int rescue, struct missing *missing,
		       const struct postcopy_listener *l,
		       struct postcopy_in **ret_in, struct error *err);
void postcopy_in_destroy(struct postcopy_in *in);
enum postcopy_state postcopy_in_state(const struct postcopy_in *in);
void postcopy_in_break(struct postcopy_in *in);
int postcopy_in_recover(struct postcopy_in *in, int fd, struct error *err);

#endif
