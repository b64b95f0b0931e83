/*
 * vmm/machine_disks.c -- what is done with a machine's disks, whatever they
 * are on; the main thread.
 */
#include <errno.h>
#include <string.h>

#include "base/error.h"
#include "vmm/drive.h"
#include "vmm/machine_priv.h"
#include "vmm/spec.h"

static void each_drive(struct machine *m, machine_drive_fn *fn, void *arg)
{
	const struct machine_priv *p = m->priv;

	for (unsigned int i = 0; i < p->n_devices; i++)
		if (p->device[i].ops->drives)
			p->device[i].ops->drives(p->device[i].dev, fn, arg);
}

struct search {
	const char *id;
	struct drive *found;
};

static void compare(void *arg, struct drive *d)
{
	struct search *s = arg;

	if (str_eq(drive_id(d), s->id))
		s->found = d;
}

static int find_drive(struct machine *m, const char *id,
		      struct drive **ret_drive, struct error *err)
{
	struct search s = { .id = id };

	each_drive(m, compare, &s);
	*ret_drive = s.found;
	return s.found ? 0 :
			 error_set(err, -ENOENT, "there is no disk '%s'", id);
}

struct drive *machine_drive(struct machine *m, const char *id,
			    struct error *err)
{
	struct drive *d;

	return find_drive(m, id, &d, err) < 0 ? NULL : d;
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

int machine_limit_first(struct machine *m, struct error *err)
{
	int r = 0;

	for (unsigned int i = 0; i < m->spec->n_disks && r == 0; i++)
		if (m->spec->disks[i].n_limits)
			r = limit_disk(m, &m->spec->disks[i], err);
	return r;
}

/* All of them, until one fails. */
struct errand {
	int (*fn)(struct drive *d, struct error *err);
	int result;
	struct error *err;
};

static void run_errand(void *arg, struct drive *d)
{
	struct errand *e = arg;

	if (e->result >= 0)
		e->result = e->fn(d, e->err);
}

int machine_settle_disks(struct machine *m, struct error *err)
{
	struct errand e = { .fn = drive_settle, .err = err };

	each_drive(m, run_errand, &e);
	return e.result;
}

int machine_activate_disks(struct machine *m, struct error *err)
{
	struct errand e = { .fn = drive_activate, .err = err };

	each_drive(m, run_errand, &e);
	return e.result;
}

/* ---- other images ---- */

static int open_other(struct machine *m, const struct spec_disk *disk,
		      struct error *err)
{
	struct drive *d;
	int r = find_drive(m, disk->id, &d, err);

	if (r == 0)
		r = drive_settle(d, err);
	return r < 0 ? r : drive_open_other(d, disk, err);
}

static void drop_other(struct machine *m, const struct spec_disk *disk)
{
	struct drive *d;

	if (find_drive(m, disk->id, &d, NULL) == 0)
		drive_drop_other(d);
}

static int turn(struct machine *m, const struct spec_disk *disk,
		struct error *err)
{
	struct drive *d;
	int r = find_drive(m, disk->id, &d, err);

	if (r == 0)
		r = drive_turn(d);
	return r < 0 ? error_set(err, r, "disk '%s': cannot turn to it: %s",
				 disk->id, strerror(-r)) :
		       0;
}

static int turn_all(struct machine *m, const struct vmm_spec *spec,
		    struct error *err)
{
	unsigned int i = 0;
	int r = 0;

	for (; i < spec->n_disks && r == 0; i++)
		r = turn(m, &spec->disks[i], err);
	for (i = r < 0 ? i - 1 : 0; i > 0; i--)
		turn(m, &spec->disks[i - 1], NULL);
	return r;
}

int machine_switch_disks(struct machine *m, const struct vmm_spec *spec,
			 struct error *err)
{
	int r = 0;

	for (unsigned int i = 0; i < spec->n_disks && r == 0; i++)
		r = open_other(m, &spec->disks[i], err);
	if (r == 0)
		r = turn_all(m, spec, err);
	for (unsigned int i = 0; i < spec->n_disks; i++)
		drop_other(m, &spec->disks[i]);
	return r;
}
