/*
 * daemon/blockjob_merge.c -- an image of a running disk's goes into the one
 * that it is based on, as when a snapshot is dropped: a commit, of the disk's
 * own image with a change over at its end.
 *
 * The domain's job is held meanwhile.  Who destroys the domain does not wait:
 * the machine's end is the job's, and the images are what they were, with more
 * in the lower one that the upper one hides.
 */
#include <libvirt/virterror.h>
#include <unistd.h>

#include "daemon/blockjob.h"
#include "daemon/snapshot_take.h"

enum { WAIT_US = 20000 };

/* Its place in the chain; c->n: it is none of it. */
static unsigned int place_of(const struct image_chain *c, const char *path)
{
	unsigned int i = 0;

	while (i < c->n && !str_eq(c->layers[i].source, path))
		i++;
	return i;
}

int blockjob_has_image(struct dom_obj *obj, const char *target,
		       const char *path, bool *ret, struct error *err)
{
	struct dom_disk *disk =
		obj->active ? snapshot_find_disk(obj->d.live, target) : NULL;
	struct image_chain c;
	int r;

	*ret = false;
	if (!disk || !disk->source)
		return 0;
	r = image_chain_read(obj->reg, disk, &c, err);
	if (r < 0)
		return r;
	*ret = place_of(&c, path) < c.n;
	image_chain_finish(&c);
	return 0;
}

static int begin(struct dom_obj *obj, struct dom_disk *disk, const char *path,
		 struct error *err)
{
	struct domain_blockjob job = { 0 };
	struct image_chain c = { 0 };
	int r = image_chain_read(obj->reg, disk, &c, err);

	if (r < 0)
		return r;
	job.top = place_of(&c, path);
	job.bottom = job.top + 1;
	r = job.bottom < c.n ?
		    blockjob_commit(obj, disk, &c, &job, err) :
		    error_virt(err, VIR_ERR_OPERATION_INVALID,
			       "image '%s' of disk '%s' is based on nothing",
			       path, disk->target_dev);
	image_chain_finish(&c);
	return r;
}

static bool is_given_up(struct dom_obj *obj)
{
	bool yes;

	pthread_mutex_lock(&obj->reg->lock);
	yes = obj->destroyers;
	pthread_mutex_unlock(&obj->reg->lock);
	return yes;
}

/* One more look; 1: it goes on. */
static int look(struct dom_obj *obj, struct dom_disk *disk, bool *pivoted,
		struct domain_blockjob_info *info, struct error *err)
{
	const char *alias = disk->info.alias;
	int r = driver_call(obj, err, blockjob_info, alias, info);

	if (r < 0)
		return r;
	if (!r || is_given_up(obj))
		return error_virt(err, VIR_ERR_OPERATION_ABORTED,
				  "the work on disk '%s' was broken up",
				  disk->target_dev);
	if (info->state == DOMAIN_BLOCKJOB_READY && !*pivoted) {
		*pivoted = true;
		r = driver_call(obj, err, blockjob_change, alias,
				DOMAIN_BLOCKJOB_PIVOT, 0);
	}
	return r < 0 ? r : info->state <= DOMAIN_BLOCKJOB_READY;
}

static int wait_for_it(struct dom_obj *obj, struct dom_disk *disk,
		       struct error *err)
{
	struct domain_blockjob_info info;
	bool pivoted = false;
	int r;

	while ((r = look(obj, disk, &pivoted, &info, err)) > 0)
		usleep(WAIT_US);
	if (r < 0)
		return r;
	blockjob_over(obj, disk, &info);
	return info.state == DOMAIN_BLOCKJOB_COMPLETED ?
		       0 :
		       error_virt(err, VIR_ERR_OPERATION_FAILED,
				  "disk '%s': %s", disk->target_dev,
				  info.error[0] ? info.error :
						  "the work was broken up");
}

int blockjob_merge(struct dom_obj *obj, const char *target, const char *path,
		   struct error *err)
{
	struct dom_disk *disk = snapshot_find_disk(obj->d.live, target);
	int r = blockjob_check_free(obj, disk, err);

	if (r == 0)
		r = begin(obj, disk, path, err);
	return r < 0 ? r : wait_for_it(obj, disk, err);
}
