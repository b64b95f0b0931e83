/*
 * model/complete.h -- what a definition gets besides what it says.
 */
#ifndef MODEL_COMPLETE_H
#define MODEL_COMPLETE_H

#include "base/error.h"
#include "model/domain.h"

/* Defaults, then checks, addresses and, live, aliases. */
int domain_complete(struct domain_def *def, bool live, struct error *err);

/* Memory devices and what may come (complete_memory.c). */
int domain_complete_memories(struct domain_def *def, struct error *err);
/* NUMA cells (and so the memory), pins, I/O threads. */
int domain_complete_tune(struct domain_def *def, struct error *err);
/* Whether the name is of the older PC, which our machine stands in for. */
bool os_is_i440fx(const struct dom_os *os);
int domain_complete_os(struct domain_def *def, struct error *err);
int domain_complete_disks(struct domain_def *def, struct error *err);
int domain_complete_ifaces(struct domain_def *def, bool live,
			   struct error *err);
int domain_complete_chars(struct domain_def *def, struct error *err);
int domain_complete_graphics(struct domain_def *def, bool live,
			     struct error *err);
void domain_complete_controllers(struct domain_def *def);
int domain_complete_addresses(struct domain_def *def, struct error *err);
/* Unless it has one. */
void iface_choose_mac(struct dom_iface *iface);

/* For a device of a running domain: below a port that is free. */
int domain_place_hot(struct domain_def *def, struct dom_info *info,
		     struct error *err);
int domain_check_unique(const struct domain_def *def, struct error *err);

/* Makes a copy ready for writing: what the text says implicitly. */
void domain_prepare_view(struct domain_def *view);
void graphics_prepare_view(struct domain_def *view, bool live, bool secure);

/* The info of each device, in document order of kinds; NULL at the end. */
struct dom_info *domain_info(const struct domain_def *def, unsigned int i);

/* "vda" is 0, "vdz" 25, "vdaa" 26; -1 for a name that is no disk's. */
int disk_target_index(const char *dev);

/* Sets a string member that has no value yet. */
void default_str(char **member, const char *value);

/* Appends a zeroed item to one of a definition's arrays. */
#define def_append(items, n) \
	({ \
		(items) = xrealloc((items), (n) + 1, sizeof(*(items))); \
		memset(&(items)[n], 0, sizeof(*(items))); \
		&(items)[(n)++]; \
	})

#endif
