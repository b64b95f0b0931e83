/*
 * vmm/machine_devices.c -- requests to the machine's devices, by their ids.
 */
#include "vmm/machine.h"

#include <errno.h>

#include "base/error.h"
#include "vmm/drive.h"
#include "vmm/machine_priv.h"
#include "vmm/ram.h"

void machine_stats(struct machine *m, machine_stat_fn *emit, void *arg)
{
	struct machine_priv *p = m->priv;

	for (unsigned int i = 0; i < p->n_devices; i++) {
		if (p->device[i].ops->stats)
			p->device[i].ops->stats(p->device[i].dev, emit, arg);
	}
}

int machine_set_link(struct machine *m, const char *id, bool up)
{
	struct machine_priv *p = m->priv;
	int r = -ENOENT;

	for (unsigned int i = 0; i < p->n_devices && r == -ENOENT; i++) {
		if (p->device[i].ops->set_link)
			r = p->device[i].ops->set_link(p->device[i].dev, id,
						       up);
	}
	return r;
}

int machine_insert(struct machine *m, const char *id, const char *format,
		   int fd, bool force, struct error *err)
{
	struct machine_priv *p = m->priv;
	int r = -ENOENT;

	for (unsigned int i = 0; i < p->n_devices && r == -ENOENT; i++)
		if (p->device[i].ops->insert)
			r = p->device[i].ops->insert(p->device[i].dev, id,
						     format, fd, force, err);
	if (r == -ENOENT)
		error_set(err, r, "there is no CD-ROM drive '%s'", id);
	return r;
}

static int find_drive(struct machine *m, const char *id,
		      struct drive **ret_drive, struct error *err)
{
	struct machine_priv *p = m->priv;
	struct drive *d = NULL;

	for (unsigned int i = 0; i < p->n_devices && !d; i++)
		if (p->device[i].ops->drive)
			d = p->device[i].ops->drive(p->device[i].dev, id);
	*ret_drive = d;
	return d ? 0 : error_set(err, -ENOENT, "there is no disk '%s'", id);
}

int machine_resize_disk(struct machine *m, const char *id, uint64_t size,
			struct error *err)
{
	struct drive *d;
	int r = find_drive(m, id, &d, err);

	return r < 0 ? r : drive_resize(d, size, err);
}

/* A disk's own group has a name that no other can have. */
static int limit_disk(struct machine *m, const struct spec_disk *disk,
		      struct error *err)
{
	const struct spec_limits *l = disk->n_limits ? disk->limits : NULL;
	_cleanup_free_ char *group =
		l && l->group ? xasprintf("group=%s", l->group) :
				xasprintf("disk=%s", disk->id);
	struct drive *d;
	int r = find_drive(m, disk->id, &d, err);

	if (r == 0)
		drive_limit(d, m->priv->throttles, group,
			    l ? &l->in : NULL);
	return r;
}

int machine_limit_disks(struct machine *m, const struct vmm_spec *spec,
			struct error *err)
{
	int r = 0;

	for (unsigned int i = 0; i < spec->n_disks && r == 0; i++)
		r = limit_disk(m, &spec->disks[i], err);
	return r;
}

/* What a machine begins with. */
int machine_limit_first(struct machine *m, struct error *err)
{
	int r = 0;

	for (unsigned int i = 0; i < m->spec->n_disks && r == 0; i++)
		if (m->spec->disks[i].n_limits)
			r = limit_disk(m, &m->spec->disks[i], err);
	return r;
}

int machine_plug(struct machine *m, const struct vmm_spec *one,
		 struct error *err)
{
	struct machine_priv *p = m->priv;
	int r = -ENOENT;

	for (unsigned int i = 0; i < p->n_devices && r == -ENOENT; i++)
		if (p->device[i].ops->plug)
			r = p->device[i].ops->plug(p->device[i].dev, one, err);
	if (r == -ENOENT)
		error_set(err, r,
			  "the machine has no controller that takes this device");
	return r;
}

int machine_unplug(struct machine *m, const char *id)
{
	struct machine_priv *p = m->priv;
	int r = -ENOENT;

	for (unsigned int i = 0; i < p->n_devices && r == -ENOENT; i++)
		if (p->device[i].ops->unplug)
			r = p->device[i].ops->unplug(p->device[i].dev, id);
	return r;
}

int machine_set_memory(struct machine *m, const char *id, uint64_t bytes,
		       struct error *err)
{
	struct machine_priv *p = m->priv;
	int r = -ENOENT;

	for (unsigned int i = 0; i < p->n_devices && r == -ENOENT; i++)
		if (p->device[i].ops->set_memory)
			r = p->device[i].ops->set_memory(p->device[i].dev, id,
							 bytes, err);
	if (r == -ENOENT)
		error_set(err, r, "there is no memory device '%s' to change",
			  id);
	return r;
}

int machine_may_unplug(struct machine *m, const char *id, struct error *err)
{
	struct machine_priv *p = m->priv;
	int r = 0;

	for (unsigned int i = 0; i < p->n_devices && r == 0; i++)
		if (p->device[i].ops->may_unplug)
			r = p->device[i].ops->may_unplug(p->device[i].dev, id,
							 err);
	return r;
}

int machine_connect(struct machine *m, const char *id, int fd, bool force)
{
	struct machine_priv *p = m->priv;
	int r = -ENOENT;

	for (unsigned int i = 0; i < p->n_devices && r == -ENOENT; i++)
		if (p->device[i].ops->connect)
			r = p->device[i].ops->connect(p->device[i].dev, id, fd,
						      force);
	return r;
}

int machine_set_balloon_period(struct machine *m, unsigned int seconds)
{
	struct machine_priv *p = m->priv;
	int r = -ENOENT;

	for (unsigned int i = 0; i < p->n_devices && r == -ENOENT; i++)
		if (p->device[i].ops->set_balloon_period)
			r = p->device[i].ops->set_balloon_period(
				p->device[i].dev, seconds);
	return r;
}

int machine_set_balloon(struct machine *m, uint64_t bytes)
{
	struct machine_priv *p = m->priv;
	int r = -ENOENT;

	for (unsigned int i = 0; i < p->n_devices && r == -ENOENT; i++) {
		if (p->device[i].ops->set_balloon)
			r = p->device[i].ops->set_balloon(p->device[i].dev,
							  bytes);
	}
	return r;
}

int machine_vnc_client(struct machine *m, unsigned int index, int fd,
		       bool trusted)
{
	struct machine_priv *p = m->priv;
	int r = -ENOENT;

	for (unsigned int i = 0; i < p->n_devices && r == -ENOENT; i++) {
		if (p->device[i].ops->vnc_client)
			r = p->device[i].ops->vnc_client(p->device[i].dev,
							 index, fd, trusted);
	}
	if (r == -ENOENT)
		fd_close(fd);
	return r;
}

int machine_vnc_password(struct machine *m, unsigned int index,
			 const char *password, int64_t valid_to,
			 enum vnc_viewers viewers)
{
	struct machine_priv *p = m->priv;
	int r = -ENOENT;

	for (unsigned int i = 0; i < p->n_devices && r == -ENOENT; i++) {
		if (p->device[i].ops->vnc_password)
			r = p->device[i].ops->vnc_password(
				p->device[i].dev, index, password, valid_to,
				viewers);
	}
	return r;
}

int machine_vsock_connected(struct machine *m, uint32_t port, int fd)
{
	struct machine_priv *p = m->priv;
	int r = -ENOENT;

	for (unsigned int i = 0; i < p->n_devices && r == -ENOENT; i++) {
		if (p->device[i].ops->vsock_connected)
			r = p->device[i].ops->vsock_connected(p->device[i].dev,
							      port, fd);
	}
	if (r == -ENOENT)
		fd_close(fd);
	return r;
}

uint64_t machine_balloon(struct machine *m)
{
	struct machine_priv *p = m->priv;
	uint64_t bytes;

	for (unsigned int i = 0; i < p->n_devices; i++) {
		if (p->device[i].ops->get_balloon &&
		    p->device[i].ops->get_balloon(p->device[i].dev, &bytes) ==
			    0)
			return bytes;
	}
	return ram_now(m->ram);
}
