/*
 * model/bind.h -- tables that tie XML to structs.
 *
 * A struct xml_type lists where each member of a struct lives in an element;
 * reading, writing, copying and freeing all follow that one table, so they
 * cannot drift apart.  What no table mentions is the remainder: an element of
 * the same name that holds only the attributes and children nobody read.  It
 * is kept as text in the type's "extra" member and merged back when writing,
 * so nothing that was read vanishes.
 */
#ifndef MODEL_BIND_H
#define MODEL_BIND_H

#include <libxml/tree.h>
#include <stddef.h>

#include "base/error.h"
#include "base/util.h"
#include "model/names.h"

enum field_kind {
	FIELD_STR,    /* char *; with words: one of these */
	FIELD_UINT,   /* unsigned int, 0: absent */
	FIELD_NUMBER, /* unsigned int, always written */
	FIELD_INT,    /* int, -1: absent */
	FIELD_LONG,   /* int64_t, 0: absent */
	FIELD_HEX2,   /* unsigned int, written 0x00 */
	FIELD_HEX4,   /* unsigned int, written 0x0000 */
	FIELD_HEX1,   /* unsigned int, written 0x0 */
	FIELD_ENUM,   /* an enum that has words */
	FIELD_FLAG,   /* bool: the element is there */
	FIELD_SIZE,   /* uint64_t bytes, 0: absent; text and its unit */
	FIELD_BYTES,  /* the same, in bytes where no unit is given */
	FIELD_MAC,    /* uint8_t[6] and, at n_off, bool */
	FIELD_UUID,   /* uint8_t[16] */
	FIELD_STRS,   /* char *[max], their count at n_off */
	FIELD_INNER,  /* char *: the element's content as XML text */
	FIELD_STRUCT, /* embedded; n_off: bool present, or 0 */
	FIELD_LIST,   /* pointer to an array, its count at n_off */
	FIELD_PART,   /* the same element, by another type chosen at run time */
};

enum field_flags {
	FIELD_REQUIRED = 1 << 0,
	FIELD_LIVE = 1 << 1,  /* only of a running domain */
	FIELD_ALIAS = 1 << 2, /* the same unless it begins with "ua-" */
	FIELD_EMPTY = 1 << 3, /* an element without text gives "" */
};

struct xml_type;

struct field {
	const char *path; /* "@type", "driver@name", "target/model@name" */
	enum field_kind kind;
	size_t off;
	const struct words *words;   /* ENUM, STR; LIST: element names */
	const struct xml_type *type; /* STRUCT, LIST */
	size_t n_off;
	size_t name_off;   /* LIST with words: which name, in the item */
	unsigned int max;  /* STRS, LIST: entries; numbers: value; 0: any */
	unsigned int only; /* mask of the values of the type's tag */
	unsigned int flags;
	const char *missing; /* said when a required one is */
	const struct xml_type *(*part)(const void *part); /* PART */
};

struct xml_type {
	size_t size;
	const struct field *fields; /* the last has path NULL */
	size_t tag_off;		    /* an enum that "only" looks at */
	size_t extra_off;	    /* char *; 0: the parent keeps it */
	const void *defaults;	    /* an initial value; NULL: zeroes */
	const char *order; /* children as written, " a b * c ", * the rest */
};

#define XML_TYPE_EXTRA(s, m) .size = sizeof(s), .extra_off = offsetof(s, m)

/* live: also read, write what only running domains have. */
int bind_parse(const struct xml_type *type, xmlNode *node, bool live,
	       void *obj, struct error *err);
void bind_format(const struct xml_type *type, const void *obj, bool live,
		 xmlNode *node);
void bind_finish(const struct xml_type *type, void *obj);
void bind_copy(const struct xml_type *type, const void *from, void *to);

/* Calls fn for the extra text of the object and everything in it. */
typedef void bind_extra_fn(void *arg, const struct xml_type *type,
			   const char *extra);
void bind_each_extra(const struct xml_type *type, const void *obj,
		     bind_extra_fn *fn, void *arg);

/* ---- inside bind_*.c ---- */

struct bind_scalar {
	int (*get)(const struct field *f, const char *text, void *member);
	char *(*put)(const struct field *f, const void *member);
};
const struct bind_scalar *bind_scalar(enum field_kind kind); /* or NULL */

/* A path's next step: its name's length; what follows it. */
struct bind_step {
	char name[32];
	bool attr;
	const char *rest; /* "" at the end */
};
struct bind_step bind_step(const char *path);

bool bind_applies(const struct xml_type *type, const struct field *f,
		  const void *obj);
bool bind_only_live(const struct field *f, const char *text);

/* A node that a table knows carries this mark... */
void bind_mark(void *node);
bool bind_marked(const void *node);
/* ...and one that also has its remainder elsewhere, this one. */
void bind_take(void *node);
bool bind_taken(const void *node);

xmlNode *bind_remainder(const xmlNode *node, xmlDoc *doc);
void bind_merge(xmlNode *node, const char *extra);
void bind_sort(xmlNode *node, const char *order);

static inline void *bind_at(const void *obj, size_t off)
{
	return (char *)obj + off;
}

#endif
