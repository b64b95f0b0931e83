/*
 * vmm/blockjob_chain.c -- a job changes which images a disk has: the guest's
 * requests are held, what memory has of the old ones is written, and the new
 * ones are opened.  No image is open twice for writing.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "vmm/blockjob_priv.h"

/* #syscalls:vmm fcntl */

static int add(struct blockjob_chain *c, const char *format, int fd,
	       bool writable)
{
	struct block_layer *l = &c->layers[c->n];

	l->fd = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	if (l->fd < 0)
		return -errno;
	l->format = xstrdup(format);
	l->writable = writable;
	c->n++;
	return 0;
}

int blockjob_chain_copy(struct blockjob_chain *c, const struct spec_disk *disk,
			unsigned int depth, const struct spec_disk *writable,
			struct error *err)
{
	int r = 0;

	c->n = 0;
	c->layers = xcalloc(disk->n_layers + 1, sizeof(*c->layers));
	for (unsigned int i = 0; i <= disk->n_layers && r == 0; i++) {
		const struct spec_layer *l = i ? &disk->layers[i - 1] : NULL;
		bool other = writable && i == depth;

		r = add(c, l ? l->format : disk->format,
			other ? writable->fd :
			l     ? l->fd :
				disk->fd,
			other);
	}
	return r < 0 ? error_set(err, r, "disk '%s': no descriptor: %m",
				 disk->id) :
		       0;
}

void blockjob_chain_finish(struct blockjob_chain *c)
{
	for (unsigned int i = 0; i < c->n; i++) {
		fd_close(c->layers[i].fd);
		free((char *)c->layers[i].format);
	}
	free(c->layers);
	*c = (struct blockjob_chain){ 0 };
}

int blockjob_claim(struct blockjob *j, const struct spec_disk *image,
		   unsigned int depth, struct error *err)
{
	int was = j->before.layers[depth].fd, r;

	block_unlock(was);
	r = block_lock(image->fd, false, err);
	if (r < 0) {
		block_lock(was, true, NULL);
		error_prefix(err, "disk '%s', image %u below it", j->id,
			     depth);
	}
	return r;
}

int blockjob_hold(struct blockjob *j)
{
	pthread_mutex_t *lock = drive_lock(j->drive);
	struct gate *g = drive_gate(j->drive);
	bool still;

	pthread_mutex_lock(lock);
	g->shut = true;
	still = gate_wait(g, lock, &j->stop);
	pthread_mutex_unlock(lock);
	return still ? 0 : -ECANCELED;
}

void blockjob_resume(struct blockjob *j)
{
	pthread_mutex_t *lock = drive_lock(j->drive);

	pthread_mutex_lock(lock);
	gate_open(drive_gate(j->drive));
	pthread_mutex_unlock(lock);
	drive_let_go(j->drive);
}

/* Locks are the open files', and the old chain's end gave them back. */
static void lock_all(const struct block_layer *layers, unsigned int n)
{
	for (unsigned int i = 0; i < n; i++)
		block_lock(layers[i].fd, i && !layers[i].writable, NULL);
}

static int duplicate(const struct blockjob_chain *c, struct block_layer *to)
{
	for (unsigned int i = 0; i < c->n; i++) {
		to[i] = c->layers[i];
		to[i].fd = fcntl(c->layers[i].fd, F_DUPFD_CLOEXEC, 0);
		if (to[i].fd >= 0)
			continue;
		while (i--)
			fd_close(to[i].fd);
		return -errno;
	}
	return 0;
}

static int open_chain(struct blockjob *j, const struct blockjob_chain *c,
		      struct block **ret_block, struct error *err)
{
	_cleanup_free_ struct block_layer *layers =
		xcalloc(c->n, sizeof(*layers));
	int r = duplicate(c, layers);

	if (r < 0)
		return error_set(err, r, "disk '%s': no descriptor: %m",
				 j->id);
	r = drive_open_images(j->drive, layers, c->n, false, ret_block, err);
	for (unsigned int i = 0; i < c->n && r < 0; i++)
		fd_close(layers[i].fd);
	return r;
}

static int settle(struct blockjob *j, struct error *err)
{
	int r = 0;

	for (struct block *b = drive_block(j->drive); b && r == 0;
	     b = block_below(b, 1))
		r = block_settle(b);
	return r < 0 ? error_set(err, r, "disk '%s': cannot write what is left: %m",
				 j->id) :
		       0;
}

static int turn(struct blockjob *j, const struct blockjob_chain *c,
		struct error *err)
{
	struct block *next = NULL, *old = NULL;
	int r = open_chain(j, c, &next, err);

	if (r < 0)
		return r;
	if (block_size(next) != drive_size(j->drive))
		r = error_set(err, -EINVAL,
			      "disk '%s': the images are not of one size",
			      j->id);
	else
		r = drive_turn_to(j->drive, next, &old);
	block_close(r < 0 ? next : old);
	return r;
}

int blockjob_change_over(struct blockjob *j, const struct blockjob_chain *c,
			 struct error *err)
{
	int r = settle(j, err);

	if (r < 0)
		return r;
	r = turn(j, c, err);
	if (r < 0)
		c = j->at ? j->at : &j->before;
	else
		j->at = c;
	lock_all(c->layers, c->n);
	return r;
}

int blockjob_arrive(struct blockjob *j, struct error *err)
{
	struct blockjob_chain after = { 0 };
	int r = blockjob_chain_copy(&after, &j->spec.disks[0], 0, NULL, err);

	if (r == 0)
		r = blockjob_change_over(j, &after, err);
	if (j->at == &after)
		j->at = NULL; /* it is over */
	blockjob_chain_finish(&after);
	return r;
}

int blockjob_rename(struct blockjob *j, int fd, struct error *err)
{
	int r = settle(j, err);

	if (r == 0)
		r = block_set_backing(fd, j->plan.backing,
				      j->plan.backing_format, err);
	return r < 0 ? (error_prefix(err, "disk '%s'", j->id), r) : 0;
}
