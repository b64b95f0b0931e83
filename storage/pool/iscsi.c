/*
 * storage/pool/iscsi.c -- the logical units of an iSCSI target, by the
 * kernel's initiator: iscsiadm(8).
 *
 * udev names a unit /dev/disk/by-path/ip-ADDRESS:PORT-iscsi-TARGET-lun-N.
 */
#include <inttypes.h>
#include <libvirt/virterror.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>

#include <linux/fs.h>

#include "storage/pool/pool.h"

enum { PORT = 3260 };
#define BY_PATH "/dev/disk/by-path"

static const char *target(const struct pool_def *def)
{
	return def->source.devices[0].path;
}

static char *portal(const struct pool_source *s)
{
	unsigned int port = s->hosts[0].port;

	return xasprintf("%s:%u", s->hosts[0].name, port ? port : PORT);
}

static bool same_target(const struct pool_def *a, const struct pool_def *b)
{
	return str_eq(target(a), target(b)) &&
	       str_eq(a->source.hosts[0].name, b->source.hosts[0].name) &&
	       str_eq(a->source.initiator, b->source.initiator);
}

/* "tcp: [1] 10.0.0.1:3260,1 iqn.2020-01.org:x (non-flash)" */
static bool is_active(const struct pool_host *host,
		      const struct pool_def *def)
{
	_cleanup_free_ char *text = NULL;
	char *rest, *line, *word;

	if (pool_run(host, &text, NULL, TOOL_ISCSI_SESSIONS, NULL) < 0)
		return false;
	rest = text;
	while ((line = next_line(&rest)))
		while ((word = next_field(&line, ' ')))
			if (str_eq(word, target(def)))
				return true;
	return false;
}

/* What cannot be done is said before anything is. */
static int check(const struct pool_def *def, struct error *err)
{
	if (def->source.auth.type)
		return error_virt(err, VIR_ERR_OPERATION_UNSUPPORTED,
				  "iSCSI pools with CHAP are not there yet");
	if (def->source.initiator)
		return error_virt(err, VIR_ERR_OPERATION_UNSUPPORTED,
				  "iSCSI pools with an initiator of their own "
				  "are not there yet");
	return 0;
}

static int start(const struct pool_host *host, const struct pool_def *def,
		 struct error *err)
{
	_cleanup_free_ char *where = portal(&def->source);
	int r = check(def, err);

	if (r < 0 || is_active(host, def))
		return r;
	r = pool_run(host, NULL, err, TOOL_ISCSI_TARGETS, where, NULL);
	if (r == 0)
		r = pool_run(host, NULL, err, TOOL_ISCSI_LOGIN, target(def),
			     where, NULL);
	if (r == 0)
		pool_run(host, NULL, NULL, TOOL_SETTLE, NULL);
	return r;
}

static int stop(const struct pool_host *host, const struct pool_def *def,
		struct error *err)
{
	_cleanup_free_ char *where = portal(&def->source);

	return pool_run(host, NULL, err, TOOL_ISCSI_LOGOUT, target(def), where,
			NULL);
}

/* The number in "...-iscsi-TARGET-lun-N"; partitions have more after it. */
static bool is_unit(const char *name, const char *target,
		    unsigned int *ret_unit)
{
	_cleanup_free_ char *mark = xasprintf("-iscsi-%s-lun-", target);
	const char *at = strstr(name, mark);
	uint64_t n;

	if (!at || parse_u64(at + strlen(mark), 10, UINT32_MAX, &n) < 0)
		return false;
	*ret_unit = n;
	return true;
}

static uint64_t size_of(const struct pool_host *host, const char *path)
{
	_cleanup_close_ int fd = -1;
	uint64_t size = 0;

	if (host->open(path, true, true, NULL, &fd) < 0 ||
	    ioctl(fd, BLKGETSIZE64, &size) < 0)
		return 0;
	return size;
}

static void add_unit(const struct pool_host *host, struct pool_def *def,
		     struct vol_list *vols, const char *entry,
		     unsigned int unit)
{
	_cleanup_free_ char *name = xasprintf("unit:0:0:%u", unit);
	char *path = xasprintf(BY_PATH "/%s", entry);
	uint64_t size = size_of(host, path);

	def->capacity += size;
	vol_list_add(vols, vol_block(name, path, size));
}

static int refresh(const struct pool_host *host, struct pool_def *def,
		   struct vol_list *vols, struct error *err)
{
	_cleanup_free_ struct pool_dir *dir = NULL;
	_cleanup_free_ char *where = portal(&def->source);
	unsigned int unit;
	int r = pool_run(host, NULL, err, TOOL_ISCSI_RESCAN, target(def),
			 where, NULL);

	if (r == 0)
		r = host->list(BY_PATH, &dir, err);
	if (r < 0)
		return r;
	def->capacity = 0;
	for (uint32_t i = 0; i < dir->n; i++)
		if (S_ISBLK(dir->entries[i].mode) &&
		    is_unit(dir->entries[i].name, target(def), &unit))
			add_unit(host, def, vols, dir->entries[i].name, unit);
	def->allocation = def->capacity;
	def->available = 0;
	return 0;
}

/* "10.0.0.1:3260,1 iqn.2020-01.org:x", a line each. */
static int find_targets(const struct pool_host *host,
			const struct pool_source *spec,
			struct source_list *list, struct error *err)
{
	_cleanup_free_ char *text = NULL;
	_cleanup_free_ char *where = NULL;
	char *rest, *line;
	int r;

	if (!spec->n_hosts)
		return error_virt(err, VIR_ERR_INVALID_ARG,
				  "hostname must be specified for iscsi "
				  "sources");
	where = portal(spec);
	r = pool_run(host, &text, err, TOOL_ISCSI_TARGETS, where, NULL);
	rest = text;
	while (r == 0 && (line = next_line(&rest))) {
		struct pool_source *s;

		next_field(&line, ' ');
		if (!line)
			continue;
		s = source_list_add(list);
		s->n_hosts = s->n_devices = 1;
		s->hosts = xcalloc(1, sizeof(*s->hosts));
		s->hosts->name = xstrdup(spec->hosts[0].name);
		s->devices = xcalloc(1, sizeof(*s->devices));
		s->devices->path = xstrdup(line);
	}
	return r;
}

const struct pool_backend pool_iscsi = {
	.type = POOL_ISCSI,
	.needs = TOOL_ISCSI_SESSIONS,
	.same_source = same_target,
	.is_active = is_active,
	.start = start,
	.stop = stop,
	.refresh = refresh,
	.find_sources = find_targets,
};
