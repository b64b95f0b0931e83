/*
 * drivers/launch_disk.c -- disks and the controllers they are on: what our
 * machines have, and a definition's into a machine's description.
 */
#include <errno.h>
#include <json-c/json.h>
#include <libvirt/virterror.h>
#include <string.h>

#include "base/error.h"
#include "base/util.h"
#include "drivers/launch.h"
#include "vmm/control.h"
#include "vmm/spec.h"

#define refuse(err, ...) \
	error_virt(err, VIR_ERR_CONFIG_UNSUPPORTED, __VA_ARGS__)

/* Words for enums of the description; -1: none of them. */
static int find_word(const char *const *words, size_t n, const char *word)
{
	for (size_t i = 0; i < n; i++)
		if (str_eq(words[i], word))
			return i;
	return -1;
}

static const char *const buses[] = {
	[SPEC_VIRTIO] = "virtio",
	[SPEC_SATA] = "sata",
	[SPEC_SCSI] = "scsi",
	[SPEC_NVME] = "nvme",
	[SPEC_USB] = "usb",
};

static int bus_of(const char *name)
{
	return find_word(buses, ARRAY_SIZE(buses), name ? name : "virtio");
}

/* ---- what there is ---- */

bool launch_is_storage(const struct dom_controller *c)
{
	int bus = bus_of(c->type);

	return bus > SPEC_VIRTIO && bus != SPEC_USB;
}

int launch_check_storage(const struct dom_controller *c, struct error *err)
{
	bool scsi = str_eq(c->type, "scsi");

	if (scsi ? c->model && !str_startswith(c->model, "virtio-scsi") &&
			   !str_startswith(c->model, "virtio-transitional") &&
			   !str_startswith(c->model,
					   "virtio-non-transitional") &&
			   !str_eq(c->model, "auto") :
		   c->model && !str_eq(c->type, c->model) &&
			   !str_eq(c->model, "ich9-ahci"))
		return refuse(err, "<controller type='%s'>: model '%s' is not supported%s",
			      c->type, c->model,
			      scsi ? ", use 'virtio-scsi'" : "; leave it out");
	if (c->queues > 64)
		return refuse(err, "<controller type='%s'>: at most 64 queues are supported",
			      c->type);
	return 0;
}

static int check_bus(const struct dom_disk *d, const char *name,
		     struct error *err)
{
	int bus = bus_of(d->target_bus);
	bool cd = d->device == DISK_DEV_CDROM;

	if (bus < 0)
		return refuse(err, "<disk> '%s': bus '%s' is not supported, use '%s'",
			      name, d->target_bus, cd ? "sata" : "virtio");
	if (bus == SPEC_USB && launch_check_usb(&d->info.address, err) < 0)
		return -EINVAL;
	if (cd && bus != SPEC_SATA && bus != SPEC_SCSI && bus != SPEC_USB)
		return refuse(err, "<disk> '%s': a CD-ROM drive cannot be on bus '%s', use 'sata', 'scsi' or 'usb'",
			      name, d->target_bus);
	return 0;
}

static int check_place(const struct dom_disk *d, const char *name,
		       struct error *err)
{
	const struct dom_address *a = &d->info.address;

	if (!str_eq(a->type, "drive"))
		return 0;
	if (a->bus || a->target > 255 ||
	    (str_eq(d->target_bus, "sata") && (a->unit > 5 || a->target)) ||
	    (str_eq(d->target_bus, "nvme") && (a->unit || a->target)))
		return refuse(err, "<disk> '%s': there is no such place on a controller of type '%s'; leave out <address>",
			      name, d->target_bus);
	return 0;
}

static int check_vhost_user(const struct dom_disk *d, const char *name,
			    struct error *err)
{
	if (iotune_any(&d->iotune))
		return refuse(err, "<disk type='vhostuser'> '%s': another program serves it, <iotune> cannot limit it",
			      name);
	if (!d->source || (d->source_type && !str_eq(d->source_type, "unix")))
		return refuse(err, "<disk type='vhostuser'> '%s': it has no <source type='unix' path=>",
			      name);
	if (!str_eq(d->target_bus, "virtio") || d->device != DISK_DEV_DISK)
		return refuse(err, "<disk type='vhostuser'> '%s': only a disk on bus='virtio' can be",
			      name);
	return 0;
}

/* What needs more rights than reading and writing the unit's blocks is not
 * given away. */
static int check_lun(const struct dom_disk *d, const char *name,
		     struct error *err)
{
	if (d->type != DISK_BLOCK || !str_eq(d->target_bus, "scsi"))
		return refuse(err, "<disk device='lun'> '%s': only type='block' on bus='scsi' can be",
			      name);
	if (str_eq(d->rawio, "yes") || str_eq(d->sgio, "unfiltered"))
		return refuse(err, "<disk device='lun'> '%s': rawio='yes' and sgio='unfiltered' are not supported; commands that read and write go to the unit without",
			      name);
	if (str_eq(d->reservations, "yes") || str_eq(d->reservations, "no"))
		return refuse(err, "<disk device='lun'> '%s': persistent reservations are not supported; remove <reservations>",
			      name);
	return 0;
}

int launch_check_disk(const struct dom_disk *d, struct error *err)
{
	const char *name = d->target_dev ? d->target_dev : "?";
	int r;

	if (d->device == DISK_DEV_FLOPPY)
		return refuse(err, "<disk> '%s': device='floppy' is not supported",
			      name);
	r = check_bus(d, name, err);
	if (r >= 0)
		r = check_place(d, name, err);
	if (r < 0)
		return r;
	if (d->device == DISK_DEV_LUN)
		r = check_lun(d, name, err);
	if (r < 0)
		return r;
	if (d->type == DISK_VHOSTUSER)
		return check_vhost_user(d, name, err);
	if (d->type != DISK_FILE && d->type != DISK_BLOCK &&
	    d->type != DISK_VOLUME)
		return refuse(err, "<disk> '%s': only type='file', 'block', 'volume' and 'vhostuser' are supported",
			      name);
	if (d->type == DISK_VOLUME && (!d->source_pool || !d->source_volume))
		return refuse(err, "<disk> '%s': its <source> names no pool and volume",
			      name);
	if (!d->source && d->type != DISK_VOLUME &&
	    d->device != DISK_DEV_CDROM)
		return refuse(err, "<disk> '%s': it has no <source>", name);
	if (!launch_has_format(d->driver_type))
		return refuse(err, "<disk> '%s': format '%s' is not supported; convert it with 'qemu-img convert -O raw'",
			      name, d->driver_type);
	/* The guest would be shown what is encrypted as it is. */
	if (d->info.extra && strstr(d->info.extra, "<encryption"))
		return refuse(err, "<disk> '%s': <encryption> is not supported",
			      name);
	if (d->transient)
		return refuse(err, "<disk> '%s': <transient/> is not supported",
			      name);
	return 0;
}

/* ---- into the description ---- */

static enum spec_disk_cache cache_mode(const char *cache)
{
	static const char *const words[] = {
		[CACHE_WRITEBACK] = "writeback",
		[CACHE_NONE] = "none",
		[CACHE_WRITETHROUGH] = "writethrough",
		[CACHE_DIRECTSYNC] = "directsync",
		[CACHE_UNSAFE] = "unsafe",
	};
	int i = find_word(words, ARRAY_SIZE(words), cache);

	return i < 0 ? CACHE_WRITEBACK : i;
}

static enum spec_detect_zeroes detect_mode(const char *detect)
{
	static const char *const words[] = {
		[DETECT_OFF] = "off",
		[DETECT_ON] = "on",
		[DETECT_UNMAP] = "unmap",
	};
	int i = find_word(words, ARRAY_SIZE(words), detect);

	return i < 0 ? DETECT_OFF : i;
}

/* A World Wide Name is written with or without "0x". */
static char *wwn_digits(const char *wwn)
{
	if (wwn && str_startswith(wwn, "0x"))
		wwn += 2;
	return xstrdup(wwn);
}

static void set_place(const struct dom_disk *d, struct spec_disk *s)
{
	launch_set_place(&s->pci, &d->info);
	s->controller = d->info.address.controller;
	s->target = d->info.address.target;
	s->unit = s->bus == SPEC_USB ? d->info.address.port :
				       d->info.address.unit;
}

_Static_assert((int)IOTUNE_KINDS == THROTTLE_KINDS &&
		       THROTTLE_WRITE_OPS == 5,
	       "iotune_names and enum throttle_kind have one order");

static void set_limits(const struct dom_disk *d, struct spec_disk *s)
{
	const struct dom_iotune *t = &d->iotune;
	struct spec_limits *l;

	if (!iotune_any(t))
		return;
	s->n_limits = 1;
	s->limits = l = xcalloc(1, sizeof(*l));
	for (unsigned int k = 0; k < IOTUNE_KINDS; k++) {
		l->in.rate[k] = t->rate[k];
		l->in.burst[k] = t->burst[k];
		l->in.seconds[k] = t->seconds[k];
	}
	l->in.op_bytes = t->op_bytes;
	l->group = xstrdup(t->group);
}

int launch_build_disk(const struct dom_disk *d, unsigned int i,
		      struct spec_disk *s, struct error *err)
{
	int r;

	s->fd = -1;
	s->bus = bus_of(d->target_bus);
	s->kind = d->device == DISK_DEV_CDROM ? SPEC_CDROM :
		  d->device == DISK_DEV_LUN   ? SPEC_LUN :
						SPEC_DISK;
	launch_set_id(&s->id, &d->info, "virtio-disk", i);
	s->format = xstrdup(d->driver_type ? d->driver_type : "raw");
	s->readonly = d->readonly || s->kind == SPEC_CDROM;
	s->shareable = d->shareable;
	s->discard = str_eq(d->discard, "unmap");
	s->detect_zeroes = detect_mode(d->detect_zeroes);
	s->serial = xstrdup(d->serial);
	s->wwn = wwn_digits(d->wwn);
	s->vendor = xstrdup(d->vendor);
	s->product = xstrdup(d->product);
	s->queues = d->queues;
	s->cache = cache_mode(d->cache);
	s->boot_index = d->info.boot_order;
	set_limits(d, s);
	set_place(d, s);
	if (d->type == DISK_VHOSTUSER) {
		s->vhost_user = true;
		return host_connect_unix(d->source, err, &s->fd);
	}
	if (!d->source)
		return 0;
	r = host_open_disk(d->source, s->readonly, disk_is_block(d), err,
			   &s->fd);
	return r < 0 ? r : launch_build_chain(d, s, err);
}

void launch_build_controller(const struct dom_controller *c,
			     struct spec_controller *to)
{
	launch_set_id(&to->id, &c->info, c->type, c->index);
	to->bus = bus_of(c->type);
	to->index = c->index;
	to->queues = c->queues;
	to->serial = xstrdup(c->serial);
	launch_set_place(&to->pci, &c->info);
}

static void build_controllers(const struct domain_def *def, struct vmm_spec *s)
{
	s->controllers = xcalloc(def->n_controllers, sizeof(*s->controllers));
	for (unsigned int i = 0; i < def->n_controllers; i++)
		if (launch_is_storage(&def->controllers[i]))
			launch_build_controller(
				&def->controllers[i],
				&s->controllers[s->n_controllers++]);
}

int launch_build_disks(const struct domain_def *def, struct vmm_spec *s,
		       struct error *err)
{
	int r = 0;

	build_controllers(def, s);
	s->disks = xcalloc(def->n_disks, sizeof(*s->disks));
	for (unsigned int i = 0; i < def->n_disks && r >= 0; i++)
		r = launch_build_disk(&def->disks[i], i,
				      &s->disks[s->n_disks++], err);
	return r;
}

/* ---- live ---- */

static int send_limits(struct domain *dom, const struct vmm_spec *s,
		       struct error *err)
{
	_cleanup_free_ char *text = NULL;
	struct json_object *args;
	unsigned int n;

	text = vmm_spec_devices_to_json(s, NULL, 0, &n, err);
	if (!text)
		return -E2BIG;
	args = json_object_new_object();
	json_object_object_add(args, "devices", json_tokener_parse(text));
	return monitor_call(dom->priv, "limit", args, NULL, err);
}

/* All whose limits are to be others, at once: some may share them. */
int launch_limit_disks(struct domain *dom, const struct domain_def *want,
		       struct error *err)
{
	const struct domain_def *now = dom->live;
	struct vmm_spec s;
	int r = 0;

	vmm_spec_init(&s);
	s.disks = xcalloc(want->n_disks, sizeof(*s.disks));
	for (unsigned int i = 0; i < want->n_disks && i < now->n_disks; i++) {
		const struct dom_disk *d = &want->disks[i];
		struct spec_disk *to = &s.disks[s.n_disks];

		if (iotune_same(&d->iotune, &now->disks[i].iotune))
			continue;
		to->fd = -1;
		to->id = xstrdup(d->info.alias);
		to->format = xstrdup("raw");
		set_limits(d, to);
		s.n_disks++;
	}
	if (s.n_disks)
		r = send_limits(dom, &s, err);
	vmm_spec_finish(&s);
	return r;
}

int launch_change_medium(struct domain *dom, const struct dom_disk *disk,
			 bool force, struct error *err)
{
	struct json_object *args;
	_cleanup_close_ int fd = -1;
	int r = launch_check_disk(disk, err);

	if (r >= 0 && disk->source && disk->driver_type &&
	    !str_eq(disk->driver_type, "raw"))
		return refuse(err, "<disk> '%s': a medium of format '%s' cannot be changed while the guest runs",
			      disk->target_dev, disk->driver_type);
	if (r >= 0 && disk->source)
		r = host_open_disk(disk->source, true,
				   disk_is_block(disk), err, &fd);
	if (r < 0)
		return r;
	args = json_object_new_object();
	json_object_object_add(args, "drive",
			       json_object_new_string(disk->info.alias));
	json_object_object_add(args, "format", json_object_new_string("raw"));
	json_object_object_add(args, "force", json_object_new_boolean(force));
	return monitor_call_long(dom->priv, "insert", args, fd, NULL, err);
}

int launch_resize_disk(struct domain *dom, const char *alias, uint64_t bytes,
		       struct error *err)
{
	struct json_object *args = json_object_new_object();

	json_object_object_add(args, "drive", json_object_new_string(alias));
	json_object_object_add(args, "size", json_object_new_uint64(bytes));
	return monitor_call(dom->priv, "resize", args, NULL, err);
}

/* ---- other images ---- */

static bool same_image(const struct dom_disk *a, const struct dom_disk *b)
{
	return str_eq(a->source, b->source) && a->type == b->type &&
	       str_eq(a->driver_type, b->driver_type);
}

static int build_changed(const struct domain_def *before,
			 const struct domain_def *now, struct vmm_spec *s,
			 struct error *err)
{
	int r = 0;

	s->disks = xcalloc(now->n_disks, sizeof(*s->disks));
	for (unsigned int i = 0;
	     i < now->n_disks && i < before->n_disks && r >= 0; i++)
		if (!same_image(&now->disks[i], &before->disks[i]))
			r = launch_build_disk(&now->disks[i], i,
					      &s->disks[s->n_disks++], err);
	return r;
}

static int send_changed(struct domain *dom, const struct vmm_spec *s,
			struct error *err)
{
	int fds[CONTROL_FDS_MAX];
	unsigned int n;
	_cleanup_free_ char *text =
		vmm_spec_devices_to_json(s, fds, ARRAY_SIZE(fds), &n, err);
	struct json_object *args;

	if (!text)
		return -E2BIG;
	args = json_object_new_object();
	json_object_object_add(args, "devices", json_tokener_parse(text));
	return monitor_call_fds(dom->priv, "switch", args, fds, n, err);
}

int launch_switch_disks(struct domain *dom, const struct domain_def *before,
			struct error *err)
{
	struct vmm_spec s;
	int r;

	vmm_spec_init(&s);
	r = build_changed(before, dom->live, &s, err);
	if (r >= 0 && s.n_disks)
		r = send_changed(dom, &s, err);
	vmm_spec_finish(&s);
	return r;
}
