/*
 * storage/img/open.c -- opening an image by name, with what it is based on.
 *
 * The format of the first image is guessed if it was not given, as scripts
 * expect; what an image is based on is never guessed: its guest could have
 * written anything into it.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "storage/img/img.h"

const char *img_format(const char *path, const char *format)
{
	_cleanup_close_ int fd = -1;

	if (format)
		return format;
	fd = open(path, O_RDONLY | O_CLOEXEC);
	return fd < 0 ? "raw" : block_probe(fd);
}

static char *backing_of(int fd, const char *path, const char *format,
			char **ret_format, struct error *err)
{
	_cleanup_free_ char *name = NULL;
	int r = block_backing(fd, format, &name, ret_format, err);

	if (r < 0 || !name)
		return NULL;
	return block_backing_path(path, name);
}

char *img_backing(const char *path, const char *format, char **ret_format,
		  struct error *err)
{
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);

	*ret_format = NULL;
	if (fd < 0) {
		error_set(err, -errno, "cannot open '%s': %m", path);
		return NULL;
	}
	return backing_of(fd, path, format, ret_format, err);
}

char *img_layer(const char *path, const char *format, unsigned int depth)
{
	_cleanup_free_ char *next = NULL, *fmt = NULL;

	if (!depth)
		return xstrdup(path);
	next = img_backing(path, format, &fmt, NULL);
	return next ? img_layer(next, fmt, depth - 1) : NULL;
}

struct chain {
	struct block_layer layer[BLOCK_LAYERS_MAX];
	char *names[BLOCK_LAYERS_MAX];
	char *formats[BLOCK_LAYERS_MAX];
	unsigned int n;
};

static void chain_free(struct chain *c, bool close_all)
{
	for (unsigned int i = 0; i < c->n; i++) {
		free(c->names[i]);
		free(c->formats[i]);
		if (close_all)
			fd_close(c->layer[i].fd);
	}
	free(c);
}

/* A chain that bites its tail. */
static bool is_there(const struct chain *c, int fd)
{
	struct stat a, b;

	for (unsigned int i = 0; i < c->n; i++)
		if (fstat(fd, &a) == 0 && fstat(c->layer[i].fd, &b) == 0 &&
		    a.st_dev == b.st_dev && a.st_ino == b.st_ino)
			return true;
	return false;
}

/* Takes name and format over. */
static int chain_add(struct chain *c, char *name, char *format, int flags,
		     struct error *err)
{
	int fd = open(name, flags | O_CLOEXEC);
	int r = 0;

	if (fd < 0)
		r = error_set(err, -errno, "cannot open '%s': %m", name);
	else if (!format)
		r = error_set(err, -EINVAL,
			      "'%s': the image over it does not say its format",
			      name);
	else if (is_there(c, fd) || c->n == BLOCK_LAYERS_MAX)
		r = error_set(err, -ELOOP, "'%s' is based on itself", name);
	if (r < 0) {
		fd_close(fd);
		free(name);
		free(format);
		return r;
	}
	c->names[c->n] = name;
	c->formats[c->n] = format;
	c->layer[c->n++] = (struct block_layer){ format, fd };
	return 0;
}

static int chain_walk(struct chain *c, const char *path,
		      const struct img_open *how, struct error *err)
{
	char *name = xstrdup(path);
	char *format = xstrdup(img_format(path, how->format));
	int flags = how->writable ? O_RDWR : O_RDONLY;

	while (name) {
		int r = chain_add(c, name, format, flags, err);

		if (r < 0)
			return r;
		if (how->alone)
			break;
		err->errnum = 0;
		name = backing_of(c->layer[c->n - 1].fd, name, format, &format,
				  err);
		if (err->errnum)
			return err->errnum;
		flags = O_RDONLY;
	}
	return 0;
}

static struct block *open_path(const char *path, const struct img_open *how)
{
	struct chain *c = xcalloc(1, sizeof(*c));
	struct block_options options = {
		.readonly = !how->writable,
		.unlocked = how->share,
		.alone = how->alone,
		.repair = how->repair,
		.discard = true,
		.direct = how->direct,
		.sync_writes = how->sync_writes,
		.no_flush = how->no_flush,
		.snapshot = how->snapshot,
	};
	struct error err = { 0 };
	struct block *blk = NULL;
	int r = chain_walk(c, path, how, &err);

	if (c->n) {
		c->layer[0].key = how->key;
		c->layer[0].key_len = how->key_len;
	}
	if (r >= 0)
		r = block_open_chain(c->layer, c->n, &options, &blk, &err);
	if (r < 0)
		img_fail("Could not open '%s': %s", path, err.message);
	chain_free(c, r < 0);
	return r < 0 ? NULL : blk;
}

/* Which of them are that path, format and key. */
static int take_option(char *o, const char **path, struct img_open *how)
{
	char *value = strchr(o, '=');

	if (!value)
		return img_fail("'%s' has no value", o);
	*value++ = '\0';
	if (str_eq(o, "driver"))
		how->format = value;
	else if (str_eq(o, "file.filename") || str_eq(o, "filename"))
		*path = value;
	else if (str_eq(o, "key-secret") || str_eq(o, "encrypt.key-secret"))
		how->key = img_secret(value, &how->key_len);
	else if (!str_eq(o, "file.driver") && !str_eq(o, "encrypt.format"))
		return img_fail("--image-opts: '%s' is not supported", o);
	if (strstr(o, "key-secret") && !how->key)
		return img_fail("No secret with id '%s'", value);
	return 0;
}

/* "driver=qcow2,file.filename=...,encrypt.key-secret=..." */
static int take_options(char *text, const char **path, struct img_open *how)
{
	char *save = NULL;

	*path = NULL;
	for (char *o = strtok_r(text, ",", &save); o;
	     o = strtok_r(NULL, ",", &save))
		if (take_option(o, path, how))
			return 1;
	return *path ? 0 : img_fail("--image-opts: there is no file.filename");
}

struct block *img_open(const char *path, const struct img_open *given)
{
	struct img_open named = *given;
	_cleanup_free_ char *text = NULL;

	if (!img_by_options() || given->plain)
		return open_path(path, given);
	text = xstrdup(path);
	return take_options(text, &path, &named) ? NULL :
						   open_path(path, &named);
}
