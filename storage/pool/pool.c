/*
 * storage/pool/pool.c -- the kinds of pools, and what they share.
 */
#include "storage/pool/pool.h"

#include <string.h>

static const struct pool_backend *const backends[POOL_TYPES] = {
	[POOL_DIR] = &pool_dir,		[POOL_FS] = &pool_fs,
	[POOL_NETFS] = &pool_netfs,	[POOL_LOGICAL] = &pool_logical,
	[POOL_DISK] = &pool_disk,	[POOL_ISCSI] = &pool_iscsi,
	[POOL_SCSI] = &pool_scsi,	[POOL_MPATH] = &pool_mpath,
	[POOL_ZFS] = &pool_zfs,
};

const struct pool_backend *pool_backend(enum pool_type type)
{
	return backends[type];
}

bool pool_backend_usable(enum pool_type type, const struct pool_host *host)
{
	const struct pool_backend *b = backends[type];

	return b && (b->needs == POOL_TOOLS || host->has(b->needs));
}

/* ---- lists ---- */

void vol_list_add(struct vol_list *list, struct vol_def *vol)
{
	if (list->n == list->size) {
		list->size = list->size ? 2 * list->size : 16;
		list->vols = xrealloc(list->vols, list->size,
				      sizeof(*list->vols));
	}
	list->vols[list->n++] = vol;
}

void vol_list_free(struct vol_list *list)
{
	for (unsigned int i = 0; i < list->n; i++)
		vol_def_free(list->vols[i]);
	free(list->vols);
	*list = (struct vol_list){ 0 };
}

struct vol_def *vol_list_find(const struct vol_list *list, const char *name)
{
	for (unsigned int i = 0; i < list->n; i++)
		if (str_eq(list->vols[i]->name, name))
			return list->vols[i];
	return NULL;
}

struct pool_source *source_list_add(struct source_list *list)
{
	struct pool_source *s;

	list->sources = xrealloc(list->sources, list->n + 1, sizeof(*s));
	s = &list->sources[list->n++];
	memset(s, 0, sizeof(*s));
	return s;
}

void source_list_free(struct source_list *list)
{
	for (unsigned int i = 0; i < list->n; i++)
		pool_source_finish(&list->sources[i]);
	free(list->sources);
	*list = (struct source_list){ 0 };
}

/* ---- tools' output ---- */

/* Lines without blanks around them; empty ones do not count. */
char *next_line(char **text)
{
	char *line;

	while ((line = strsep(text, "\n"))) {
		size_t len;

		line += strspn(line, " \t");
		len = strlen(line);
		while (len && strchr(" \t\r", line[len - 1]))
			line[--len] = '\0';
		if (len)
			return line;
	}
	return NULL;
}

char *next_field(char **line, char separator)
{
	char separators[2] = { separator, '\0' };

	return strsep(line, separators);
}

uint64_t number_of(const char *text)
{
	uint64_t n;

	return text && parse_u64(text, 10, INT64_MAX, &n) == 0 ? n : 0;
}

struct vol_def *vol_block(const char *name, char *path, uint64_t size)
{
	struct vol_def *vol = vol_def_new();

	vol->type = VOL_BLOCK;
	vol->name = xstrdup(name);
	vol->key = xstrdup(path);
	vol->target.path = path;
	vol->target.format = xstrdup("raw");
	vol->capacity = vol->allocation = vol->physical = size;
	return vol;
}

/* ---- mounts ---- */

/* findmnt -r writes a blank in a path as \x20. */
static bool same_mount(const char *escaped, const char *path)
{
	while (*escaped && *path) {
		if (str_startswith(escaped, "\\x20") && *path == ' ')
			escaped += 3;
		else if (*escaped != *path)
			return false;
		escaped++;
		path++;
	}
	return !*escaped && !*path;
}

bool is_mounted(const struct pool_host *host, const char *path)
{
	_cleanup_free_ char *text = NULL;
	char *rest, *line;

	if (pool_run(host, &text, NULL, TOOL_MOUNTS, NULL) < 0)
		return false;
	rest = text;
	while ((line = next_line(&rest)))
		if (same_mount(next_field(&line, ' '), path))
			return true;
	return false;
}

int unmount(const struct pool_host *host, const struct pool_def *def,
	    struct error *err)
{
	if (!is_mounted(host, def->path))
		return 0;
	return pool_run(host, NULL, err, TOOL_UNMOUNT, def->path, NULL);
}
