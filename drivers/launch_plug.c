/*
 * drivers/launch_plug.c -- devices that come to and go from a running machine.
 */
#include <errno.h>
#include <json-c/json.h>
#include <libvirt/virterror.h>

#include "base/error.h"
#include "base/util.h"
#include "drivers/launch.h"
#include "vmm/control.h"
#include "vmm/spec.h"

#define one(items, n) ((items) = xcalloc(1, sizeof(*(items))), (n)++, (items))

static int refuse(struct error *err, const char *what)
{
	return error_virt(err, VIR_ERR_OPERATION_UNSUPPORTED,
			  "%s cannot be attached to a running domain", what);
}

static int build_disk(const struct dom_disk *d, unsigned int i,
		      struct vmm_spec *s, struct error *err)
{
	if (!str_eq(d->target_bus, "virtio") &&
	    !str_eq(d->target_bus, "scsi") && !str_eq(d->target_bus, "usb"))
		return error_virt(err, VIR_ERR_OPERATION_UNSUPPORTED,
				  "disk device bus '%s' cannot be hotplugged.",
				  d->target_bus);
	return launch_build_disk(d, i, one(s->disks, s->n_disks), err);
}

static int build_controller(const struct dom_controller *c,
			    struct vmm_spec *s, struct error *err)
{
	if (!str_eq(c->type, "scsi"))
		return refuse(err, "a controller that is not for SCSI");
	launch_build_controller(c, one(s->controllers, s->n_controllers));
	return 0;
}

static int build_input(const struct dom_input *i, struct vmm_spec *s,
		       struct error *err)
{
	if (!str_eq(i->bus, "virtio") && !str_eq(i->bus, "usb"))
		return error_virt(err, VIR_ERR_OPERATION_UNSUPPORTED,
				  "input device on bus '%s' cannot be hot plugged.",
				  i->bus);
	launch_build_input(i, one(s->inputs, s->n_inputs));
	return 0;
}

static int build_char(struct dom_char *c, unsigned int i, struct vmm_spec *s,
		      struct error *err)
{
	if (!str_eq(c->target_type, "virtio"))
		return refuse(err, "a character device that is not on virtio-serial");
	return launch_build_char(c, i, one(s->consoles, s->n_consoles), err);
}

static int build_iface(struct domain *dom, struct domain_def *def,
		       struct device_ref dev, struct vmm_spec *s,
		       struct error *err)
{
	struct dom_iface *i = device_at(def, dev);

	if (i->type == IFACE_HOSTDEV)
		return launch_plug_hostdev(dom, def, &i->info, s, err);
	return launch_build_nic(def->uuid, i, dev.index,
				one(s->nics, s->n_nics), err);
}

static int build(struct domain *dom, struct domain_def *def,
		 struct device_ref dev, struct vmm_spec *s, struct error *err)
{
	void *item = device_at(def, dev);

	switch (dev.kind) {
	case DEVICE_DISK:
		return build_disk(item, dev.index, s, err);
	case DEVICE_IFACE:
		return build_iface(dom, def, dev, s, err);
	case DEVICE_CONTROLLER:
		return build_controller(item, s, err);
	case DEVICE_INPUT:
		return build_input(item, s, err);
	case DEVICE_CHAR:
		return build_char(item, dev.index, s, err);
	case DEVICE_HOSTDEV:
		return launch_plug_hostdev(dom, def, item, s, err);
	case DEVICE_RNG:
		launch_build_rng(item, dev.index, one(s->rngs, s->n_rngs));
		return 0;
	case DEVICE_MEMORY:
		return launch_build_memory(def, dev.index,
					   one(s->memories, s->n_memories),
					   err);
	}
	return -EINVAL;
}

static int plug(struct domain *dom, const struct vmm_spec *s,
		struct error *err)
{
	int fds[CONTROL_FDS_MAX];
	unsigned int n;
	_cleanup_free_ char *text =
		vmm_spec_devices_to_json(s, fds, ARRAY_SIZE(fds), &n, err);

	return text ? monitor_plug(dom->priv, text, fds, n,
				   s->n_hostdevs > 0, err) :
		      -E2BIG;
}

int launch_attach(struct domain *dom, struct domain_def *next,
		  struct device_ref dev, struct error *err)
{
	struct vmm_spec s;
	int r = launch_check(next, err);

	if (r < 0)
		return r;
	vmm_spec_init(&s);
	r = build(dom, next, dev, &s, err);
	if (r >= 0)
		r = plug(dom, &s, err);
	vmm_spec_finish(&s);
	return r;
}

int launch_detach(struct domain *dom, const char *alias, struct error *err)
{
	struct json_object *args = json_object_new_object();

	json_object_object_add(args, "device", json_object_new_string(alias));
	return monitor_call(dom->priv, "unplug", args, NULL, err);
}

int launch_set_link(struct domain *dom, const char *alias, bool up,
		    struct error *err)
{
	struct json_object *args = json_object_new_object();

	json_object_object_add(args, "nic", json_object_new_string(alias));
	json_object_object_add(args, "up", json_object_new_boolean(up));
	return monitor_call(dom->priv, "link", args, NULL, err);
}

/* ---- after a time away ---- */

static bool lists(struct json_object *list, const char *id)
{
	for (size_t i = 0; i < json_object_array_length(list); i++)
		if (str_eq(json_object_get_string(
				   json_object_array_get_idx(list, i)),
			   id))
			return true;
	return false;
}

static void tell_gone(struct domain *dom, const struct dom_info *info,
		      struct json_object *list)
{
	if (info->alias && !lists(list, info->alias))
		domain_event(dom, DOMAIN_EVENT_DEVICE_REMOVED, info->alias);
}

/* Kinds whose every member has a name in the machine. */
static void compare(struct domain *dom, struct json_object *list)
{
	const struct domain_def *def = dom->live;

	for (unsigned int i = 0; i < def->n_disks; i++)
		tell_gone(dom, &def->disks[i].info, list);
	for (unsigned int i = 0; i < def->n_ifaces; i++)
		tell_gone(dom, &def->ifaces[i].info, list);
	for (unsigned int i = 0; i < def->n_rngs; i++)
		tell_gone(dom, &def->rngs[i].info, list);
	for (unsigned int i = 0; i < def->n_hostdevs; i++)
		tell_gone(dom, &def->hostdevs[i].info, list);
	for (unsigned int i = 0; i < def->n_memories; i++)
		tell_gone(dom, &def->memories[i].info, list);
	for (unsigned int i = 0; i < def->n_inputs; i++)
		if (str_eq(def->inputs[i].bus, "virtio") ||
		    str_eq(def->inputs[i].bus, "usb"))
			tell_gone(dom, &def->inputs[i].info, list);
	for (unsigned int i = 0; i < def->n_chars; i++)
		if (str_eq(def->chars[i].target_type, "virtio"))
			tell_gone(dom, &def->chars[i].info, list);
	for (unsigned int i = 0; i < def->n_controllers; i++)
		if (str_eq(def->controllers[i].type, "scsi"))
			tell_gone(dom, &def->controllers[i].info, list);
}

void launch_find_gone(struct domain *dom)
{
	struct json_object *ok = NULL, *list;

	if (monitor_call(dom->priv, "devices", NULL, &ok, NULL) < 0)
		return;
	if (json_object_object_get_ex(ok, "devices", &list) &&
	    json_object_is_type(list, json_type_array))
		compare(dom, list);
	json_object_put(ok);
}
