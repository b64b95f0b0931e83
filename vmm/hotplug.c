/*
 * vmm/hotplug.c -- devices that come and go while the machine exists.
 *
 * Each device that is added has a description of its own, which lives as long
 * as it does.  A device that was there from the start has its part of the
 * machine's description: what it had open is closed when it goes, so that the
 * host gets its disk back.
 */
#include "vmm/hotplug.h"

#include <errno.h>
#include <json-c/json.h>

#include "base/error.h"
#include "base/util.h"
#include "vmm/controllers.h"
#include "vmm/dev/memhp.h"
#include "vmm/dev/pcie_port.h"
#include "vmm/dev/vfio.h"
#include "vmm/machine.h"
#include "vmm/spec.h"
#include "vmm/virtio/devices.h"

struct plugged {
	struct plugged *next;
	struct vmm_spec spec;
};

struct hotplug {
	struct machine *m;
	struct vmm_spec *first;
	struct plugged *plugged;
};

struct hotplug *hotplug_create(struct machine *m, struct vmm_spec *first)
{
	struct hotplug *hp = xcalloc(1, sizeof(*hp));

	hp->m = m;
	hp->first = first;
	return hp;
}

static void plugged_free(struct plugged *p)
{
	vmm_spec_finish(&p->spec);
	free(p);
}

void hotplug_destroy(struct hotplug *hp)
{
	struct plugged *p;

	if (!hp)
		return;
	while ((p = hp->plugged)) {
		hp->plugged = p->next;
		plugged_free(p);
	}
	free(hp);
}

const struct vmm_spec *hotplug_next_spec(const struct hotplug *hp,
					 const struct vmm_spec *spec)
{
	struct plugged *p = hp->plugged;

	if (!spec)
		return hp->first;
	if (spec != hp->first)
		p = container_of(spec, struct plugged, spec)->next;
	return p ? &p->spec : NULL;
}

static void note(void *arg, const struct spec_device *dev)
{
	if (dev->id[0])
		json_object_array_add(arg, json_object_new_string(dev->id));
}

struct json_object *hotplug_present(const struct hotplug *hp)
{
	struct json_object *list = json_object_new_array();

	if (!hp)
		return list;
	vmm_spec_each_device(hp->first, note, list);
	for (struct plugged *p = hp->plugged; p; p = p->next)
		vmm_spec_each_device(&p->spec, note, list);
	return list;
}

/* ---- finding ---- */

struct search {
	const char *id;	  /* this one, */
	unsigned int bus; /* or what is there */
	struct vmm_spec *spec;
	struct spec_device found;
};

static void match(void *arg, const struct spec_device *dev)
{
	struct search *s = arg;

	if (s->found.id || !dev->id[0] || dev->is_port)
		return;
	if (s->id ? str_eq(dev->id, s->id) :
		    dev->place && dev->place->bus == s->bus)
		s->found = *dev;
}

static bool search(struct hotplug *hp, struct search *s)
{
	s->spec = hp->first;
	vmm_spec_each_device(s->spec, match, s);
	for (struct plugged *p = hp->plugged; p && !s->found.id; p = p->next) {
		s->spec = &p->spec;
		vmm_spec_each_device(s->spec, match, s);
	}
	return s->found.id;
}

static void count(void *arg, const struct spec_device *dev)
{
	if (dev->id[0])
		++*(unsigned int *)arg;
}

/* A description of which nothing is left goes. */
static void forget_empty(struct hotplug *hp)
{
	struct plugged **at = &hp->plugged, *p;

	while ((p = *at)) {
		unsigned int n = 0;

		vmm_spec_each_device(&p->spec, count, &n);
		if (n) {
			at = &p->next;
			continue;
		}
		*at = p->next;
		plugged_free(p);
	}
}

/* ---- plugging ---- */

/* Whether disks come to and go from a bus without their controller. */
static bool bus_plugs(enum spec_disk_bus bus)
{
	return bus == SPEC_SCSI || bus == SPEC_USB;
}

static int plug_disk(struct hotplug *hp, const struct vmm_spec *s,
		     struct error *err)
{
	const struct spec_disk *disk = &s->disks[0];
	int r = 0;

	if (disk->bus == SPEC_VIRTIO)
		return virtio_blk_add(hp->m, disk,
				      virtio_queue_count(hp->m->spec,
							 disk->queues),
				      err);
	if (!bus_plugs(disk->bus))
		return error_set(err, -ENOTSUP,
				 "disk '%s' cannot be plugged in while the guest runs",
				 disk->id);
	r = controllers_check_medium(disk, err);
	return r < 0 ? r : machine_plug(hp->m, s, err);
}

static int plug_memory(struct hotplug *hp, const struct spec_memory *s,
		       struct error *err)
{
	if (s->kind == MEMORY_VIRTIO)
		return virtio_mem_add(hp->m, s, err);
	if (s->kind == MEMORY_PERSISTENT)
		return virtio_pmem_add(hp->m, s, err);
	if (!hp->m->memhp)
		return error_set(err, -ENOTSUP,
				 "the machine was started without slots for memory");
	return memhp_plug(hp->m->memhp, s, err);
}

/* Not of one kind only: a controller and what is on it come together. */
static int add(struct hotplug *hp, const struct vmm_spec *s,
	       struct error *err)
{
	int r = 0;

	if ((s->n_disks && s->disks[0].vhost_user) ||
	    (s->n_nics && s->nics[0].vhost_user))
		return error_set(err, -ENOTSUP,
				 "devices that another program serves cannot be plugged in while the guest runs");
	if (s->n_controllers)
		return controllers_add(hp->m, s, err);
	if (s->n_disks)
		r = plug_disk(hp, s, err);
	else if (s->n_nics)
		r = nic_add(hp->m, &s->nics[0], err);
	else if (s->n_rngs)
		r = virtio_rng_add(hp->m, &s->rngs[0], err);
	else if (s->n_hostdevs)
		r = vfio_add(hp->m, &s->hostdevs[0], err);
	else if (s->n_inputs && s->inputs[0].bus == INPUT_BUS_VIRTIO)
		r = virtio_input_add(hp->m, &s->inputs[0], err);
	else if (s->n_inputs || s->n_consoles)
		r = machine_plug(hp->m, s, err);
	else if (s->n_memories)
		r = plug_memory(hp, &s->memories[0], err);
	else
		r = error_set(err, -ENOTSUP,
			      "devices of this kind cannot be plugged in while the guest runs");
	return r;
}

struct places {
	struct hotplug *hp;
	unsigned int n, bus;
	const char *taken;
};

static void look(void *arg, const struct spec_device *dev)
{
	struct places *p = arg;
	struct search s = { .id = dev->id };

	if (search(p->hp, &s))
		p->taken = dev->id;
	if (dev->place && (dev->place->bus || dev->place->slot)) {
		p->n++;
		p->bus = dev->place->bus;
	}
}

/* What is on a controller that is there already. */
static bool has_no_place(const struct vmm_spec *s)
{
	if (s->n_controllers)
		return false;
	return s->n_consoles || (s->n_disks && bus_plugs(s->disks[0].bus)) ||
	       (s->n_inputs && s->inputs[0].bus == INPUT_BUS_USB);
}

/* Where it is to go: one function below a port, or what has no place. */
static int check(struct hotplug *hp, const struct vmm_spec *s,
		 struct places *ret_p, struct error *err)
{
	unsigned int n = s->n_nics + s->n_rngs + s->n_inputs +
			 s->n_controllers + s->n_consoles + s->n_hostdevs +
			 s->n_memories;

	*ret_p = (struct places){ .hp = hp };
	vmm_spec_each_device((struct vmm_spec *)s, look, ret_p);
	if (ret_p->taken)
		return error_set(err, -EEXIST, "there is a device '%s'",
				 ret_p->taken);
	if (n + (s->n_controllers ? 0 : s->n_disks) != 1)
		return error_set(err, -EINVAL,
				 "one device can be plugged in at a time");
	if (!ret_p->n && has_no_place(s))
		return 0;
	if (s->n_memories && s->memories[0].kind == MEMORY_DIMM)
		return 0;
	return pcie_port_free(hp->m, ret_p->bus, err);
}

int hotplug_plug(struct hotplug *hp, struct vmm_spec *spec, struct error *err)
{
	struct plugged *p = xcalloc(1, sizeof(*p));
	struct places places;
	int r;

	p->spec = *spec;
	vmm_spec_init(spec);
	r = check(hp, &p->spec, &places, err);
	if (r == 0)
		r = add(hp, &p->spec, err);
	if (r == 0 && !(p->spec.n_disks && p->spec.disks[0].vhost_user))
		r = machine_limit_disks(hp->m, &p->spec, err);
	if (r < 0) {
		plugged_free(p);
		return r;
	}
	p->next = hp->plugged;
	hp->plugged = p;
	if (places.n)
		pcie_port_inserted(hp->m, places.bus);
	return 0;
}

/* ---- unplugging ---- */

int hotplug_unplug(struct hotplug *hp, const char *id, bool *ret_gone,
		   struct error *err)
{
	struct search s = { .id = id };
	int r;

	*ret_gone = false;
	if (!search(hp, &s))
		return error_set(err, -ENOENT, "there is no device '%s'", id);
	r = machine_unplug(hp->m, id);
	if (r == 0) {
		*ret_gone = true;
		vmm_spec_close_device(s.spec, id);
		forget_empty(hp);
		return 0;
	}
	if (r != -ENOENT)
		return error_set(err, r, "device '%s' cannot be taken: %m",
				 id);
	r = hp->m->memhp ? memhp_unplug(hp->m->memhp, id, err) : -ENOENT;
	if (r != -ENOENT)
		return r;
	r = machine_may_unplug(hp->m, id, err);
	if (r < 0)
		return r;
	if (!s.found.place || !s.found.place->bus)
		return error_set(err, -ENOTSUP,
				 "device '%s' cannot be unplugged: it is not below a pcie-root-port",
				 id);
	return pcie_port_eject(hp->m, s.found.place->bus, err);
}

void hotplug_forget(struct hotplug *hp, const char *id)
{
	struct search s = { .id = id };

	if (!search(hp, &s))
		return;
	vmm_spec_close_device(s.spec, id);
	forget_empty(hp);
}

char *hotplug_on_bus(struct hotplug *hp, unsigned int bus, bool gone)
{
	struct search s = { .bus = bus };
	char *id;

	if (!search(hp, &s))
		return NULL;
	id = xstrdup(s.found.id);
	if (gone) {
		vmm_spec_close_device(s.spec, id);
		forget_empty(hp);
	}
	return id;
}

static bool take_images(struct vmm_spec *spec, struct spec_disk *disk)
{
	for (unsigned int i = 0; i < spec->n_disks; i++) {
		struct spec_disk *own = &spec->disks[i], old = *own;

		if (!str_eq(own->id, disk->id))
			continue;
		own->fd = disk->fd;
		own->format = disk->format;
		own->layers = disk->layers;
		own->n_layers = disk->n_layers;
		disk->fd = old.fd;
		disk->format = old.format;
		disk->layers = old.layers;
		disk->n_layers = old.n_layers;
		return true;
	}
	return false;
}

void hotplug_take_images(struct hotplug *hp, struct spec_disk *disk)
{
	bool taken = take_images(hp->first, disk);

	for (struct plugged *p = hp->plugged; p && !taken; p = p->next)
		taken = take_images(&p->spec, disk);
}
