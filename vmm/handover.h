/*
 * vmm/handover.h -- after a migration two machines hold the same guest, both
 * paused: how it is settled, over the migration's stream, which of them runs.
 *
 *	destination		source
 *	TAKE	------------>	gives it away, or has revoked it
 *		<------------	GIVEN or REVOKED
 *	RUNS	------------>	it is gone for good
 *
 * The source runs again only after REVOKED, or when it is sure that the
 * destination never ran.  The destination runs only after GIVEN, or when it is
 * sure that the source has died: the stream ended without a word.  A stream
 * that somebody carries for us (trusted: false) ends when they do, and says
 * nothing about the other side.
 */
#ifndef VMM_HANDOVER_H
#define VMM_HANDOVER_H

#include <stdbool.h>

struct handover;
struct loop;
struct error;

enum handover_state {
	HANDOVER_OFFERED, /* either side: nothing is settled */
	HANDOVER_GIVEN,	  /* source: the destination is about to run */
	HANDOVER_DONE,	  /* source: it runs there */
	HANDOVER_LOST,	  /* source: it never ran there, and never will */
	HANDOVER_UNSURE,  /* source: given, and then nothing was heard */
	HANDOVER_REVOKED, /* source: by handover_revoke() */
	HANDOVER_TAKING,  /* destination: asks for it */
	HANDOVER_TAKEN,	  /* destination: it is here */
	HANDOVER_REFUSED, /* destination: it must never run */
};

typedef void handover_fn(void *arg, enum handover_state state);

/* Takes the stream over.  changed: on the loop, never from within a call. */
struct handover *handover_create(struct loop *loop, int fd, bool source,
				 bool trusted, handover_fn *changed, void *arg);
void handover_destroy(struct handover *h);
enum handover_state handover_state(const struct handover *h);
const char *handover_word(const struct handover *h); /* NULL: h is NULL */

/* The destination asks; changed() tells the answer. */
int handover_take(struct handover *h, struct error *err);
/* The source wants to run: 0, or why it must not. */
int handover_revoke(struct handover *h, struct error *err);

#endif
