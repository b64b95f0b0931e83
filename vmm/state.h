/*
 * vmm/state.h -- the state of devices and vCPUs, for saving and migration.
 *
 * A device describes its state by a list of fields, never by dumping its
 * struct: each field has a name, which is what the saved form knows it by, and
 * the version of the device's state in which it appeared.  What is written is
 * always the newest version.  What is read may be older: fields that were not
 * there yet stay as they are in a machine just built.  A newer version is
 * refused.  So whoever adds a field that others must understand adds one to
 * the version; one that they may do without is optional and leaves it alone.
 * An integer may change its width later.
 *
 * docs/HACKING.md, "give a device its state", shows how to use it.
 *
 * Saved state is not trusted: every length is checked here, and what an
 * integer may be is either given as its max or checked in loaded().
 */
#ifndef VMM_STATE_H
#define VMM_STATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct buf;
struct error;

enum state_kind {
	STATE_INT = 1,	 /* 1, 2, 4 or 8 bytes; bool and enum too */
	STATE_BYTES = 2, /* as they are */
	STATE_GROUP = 3, /* a struct with fields of its own */
};

struct state_field {
	const char *name;
	enum state_kind kind;
	unsigned int since; /* first version with it; 0 and 1: all have it */
	bool optional;	    /* who does not know it may go on without */
	bool pointer;	    /* the member points to the elements */
	size_t offset;	    /* of the member */
	size_t size;	    /* of one element */
	size_t count;	    /* elements; with a counter: at most */
	/* Where an unsigned int counts the elements; 0: nowhere.  Behind a
	 * pointer the count is the machine's and must be the same... */
	size_t counter;
	bool fewer; /* ... or less was saved: then the machine has as few */
	uint64_t max; /* of an integer; 0: whatever its width holds */
	const struct state_field *fields; /* of a group, up to no name */
};

struct state_type {
	const char *name;
	unsigned int version;
	const struct state_field *fields; /* up to one without a name */
	/*
	 * Each may be NULL.  vCPUs are stopped and devices paused; main thread.
	 * saving: before the fields are read.  loaded: after they were set, 0
	 * or a refusal.  restored: the whole machine is as it was; arm timers,
	 * tell the engine, but do not raise interrupts: the controllers have
	 * their own state back.
	 */
	void (*saving)(void *obj);
	int (*loaded)(void *obj, unsigned int version, struct error *err);
	void (*restored)(void *obj);
	bool may_lack; /* what was saved may be without it: it stays as new */
	/* True: it has nothing to save, and is not; NULL: always saved. */
	bool (*absent)(const void *obj);
};

/* One line per field: STATE(struct serial, ier), ... STATE_END. */
#define STATE_OF_(s, f) sizeof(((s *)0)->f)
#define STATE_ONE_(s, f) .name = #f, .offset = offsetof(s, f), .count = 1
#define STATE(s, f) \
	{ STATE_ONE_(s, f), .kind = STATE_INT, .size = STATE_OF_(s, f) }
#define STATE_MAX(s, f, limit) \
	{ STATE_ONE_(s, f), .kind = STATE_INT, .size = STATE_OF_(s, f), \
	  .max = (limit) }
#define STATE_BOOL(s, f) STATE_MAX(s, f, 1)
#define STATE_SINCE(v, s, f) \
	{ STATE_ONE_(s, f), .kind = STATE_INT, .size = STATE_OF_(s, f), \
	  .since = (v) }
/* An array of bytes, or anything of fixed size without pointers. */
#define STATE_RAW(s, f) \
	{ STATE_ONE_(s, f), .kind = STATE_BYTES, .size = STATE_OF_(s, f) }
/* An array of integers. */
#define STATE_INTS(s, f) \
	{ .name = #f, .kind = STATE_INT, .offset = offsetof(s, f), \
	  .size = sizeof(((s *)0)->f[0]), \
	  .count = STATE_OF_(s, f) / sizeof(((s *)0)->f[0]) }
/* A struct in the struct, and an array of them. */
#define STATE_STRUCT(s, f, list) \
	{ STATE_ONE_(s, f), .kind = STATE_GROUP, .size = STATE_OF_(s, f), \
	  .fields = (list) }
#define STATE_STRUCTS(s, f, list) \
	{ .name = #f, .kind = STATE_GROUP, .offset = offsetof(s, f), \
	  .size = sizeof(((s *)0)->f[0]), \
	  .count = STATE_OF_(s, f) / sizeof(((s *)0)->f[0]), \
	  .fields = (list) }
/* n: a member that counts what f points to. */
#define STATE_STRUCTS_AT(s, f, n, limit, list) \
	{ .name = #f, .kind = STATE_GROUP, .pointer = true, \
	  .offset = offsetof(s, f), .size = sizeof(((s *)0)->f[0]), \
	  .count = (limit), .counter = offsetof(s, n), .fields = (list) }
#define STATE_RAW_AT(s, f, n, limit) \
	{ .name = #f, .kind = STATE_BYTES, .pointer = true, \
	  .offset = offsetof(s, f), .size = sizeof(((s *)0)->f[0]), \
	  .count = (limit), .counter = offsetof(s, n) }
/* The same of machines that may have got more of them since it was saved:
 * loaded() brings the rest into line with what n is then. */
#define STATE_STRUCTS_UP_TO(s, f, n, limit, list) \
	{ .name = #f, .kind = STATE_GROUP, .pointer = true, .fewer = true, \
	  .offset = offsetof(s, f), .size = sizeof(((s *)0)->f[0]), \
	  .count = (limit), .counter = offsetof(s, n), .fields = (list) }
#define STATE_RAW_UP_TO(s, f, n, limit) \
	{ .name = #f, .kind = STATE_BYTES, .pointer = true, .fewer = true, \
	  .offset = offsetof(s, f), .size = sizeof(((s *)0)->f[0]), \
	  .count = (limit), .counter = offsetof(s, n) }
#define STATE_END { 0 }

/* Everything in a machine that has state, in the order it is saved. */
struct state_item {
	const struct state_type *type;
	char *id; /* which of that type: "00:03.0", "1" */
	void *obj;
	bool seen;
};

struct state_set {
	unsigned int n;
	struct state_item *item;
	char *without; /* a device that does not say what its state is */
};

/* id: NULL: the number of those of this type that are there already. */
void state_add(struct state_set *set, const struct state_type *type,
	       const char *id, void *obj);
/* A device that has not said what it would have saved: the machine cannot be
 * saved, for this reason. */
void state_lacks(struct state_set *set, const char *name);
void state_finish(struct state_set *set);

/* Calls saving() of each and appends all sections to b. */
void state_write(const struct state_set *set, struct buf *b);

/*
 * Sets every item from the sections in data, calling loaded() of each, then
 * restored() of all.  Refuses sections that set has no item for, items without
 * a section, and everything malformed; the machine is of no use then.
 */
int state_read(struct state_set *set, const void *data, size_t len,
	       struct error *err);

#endif
