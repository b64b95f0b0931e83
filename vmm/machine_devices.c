/*
 * vmm/machine_devices.c -- requests to the machine's devices, by their ids.
 */
#include "vmm/machine.h"

#include <errno.h>

#include "base/error.h"
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
