/*
 * vmm/hotplug.h -- devices that come and go while the machine exists.
 */
#ifndef VMM_HOTPLUG_H
#define VMM_HOTPLUG_H

#include <stdbool.h>

struct json_object;
struct hotplug;
struct machine;
struct vmm_spec;
struct spec_disk;
struct error;

/* first: what the machine was built from; stays the caller's. */
struct hotplug *hotplug_create(struct machine *m, struct vmm_spec *first);
void hotplug_destroy(struct hotplug *hp); /* after the machine */

/*
 * One device, in a description of that alone: a function below a free root
 * port, a memory module, a controller with its disks, or a disk on a controller
 * that is there.
 * Takes the description over, also on failure.
 */
int hotplug_plug(struct hotplug *hp, struct vmm_spec *spec, struct error *err);

/*
 * Asks the guest for a device, or takes it away at once where that is how it
 * is done.  When it is gone, hotplug_gone() says so.
 */
int hotplug_unplug(struct hotplug *hp, const char *id, bool *ret_gone,
		   struct error *err);

/* A memory module that is gone. */
void hotplug_forget(struct hotplug *hp, const char *id);

/* The id of a device on this PCI bus, closed and forgotten if it is gone; the
 * caller frees; NULL: there is none (any more). */
char *hotplug_on_bus(struct hotplug *hp, unsigned int bus, bool gone);

/* The spec that comes after one (NULL: the first) of those that devices are
 * in. */
const struct vmm_spec *hotplug_next_spec(const struct hotplug *hp,
					 const struct vmm_spec *spec);

/* A disk's images: those of the description of it that is kept, which gives
 * its own in exchange. */
void hotplug_take_images(struct hotplug *hp, struct spec_disk *disk);

/* Ids of all that is there. */
struct json_object *hotplug_present(const struct hotplug *hp);

#endif
