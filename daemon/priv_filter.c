/*
 * daemon/priv_filter.c -- what passes to and from a port: its network filter.
 *
 * A plan is larger than a message: its rules are kept in a file beside the
 * networks' until the last has come.  Nothing of it is believed before
 * filter_plan_check().
 */
#include "daemon/priv.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "base/error.h"
#include "base/util.h"
#include "network/net/plan.h"

static int check(const struct priv *priv, const char *port, struct error *err)
{
	if (priv->session)
		return error_set(err, -EPERM,
				 "a network filter needs a daemon that runs as root");
	return net_ifname_ok(port) ? 0 :
		       error_set(err, -EINVAL,
				 "'%s' is not a network device's name", port);
}

static int read_rules(int fd, struct filter_plan *plan, size_t size)
{
	char *at = (char *)plan->rules;
	ssize_t n;

	while (size && (n = read(fd, at, size)) > 0) {
		at += n;
		size -= (size_t)n;
	}
	return size ? -EIO : 0;
}

/* 1: they were set. */
static int set_of_file(const char *port, int fd, bool restore_only,
		       struct error *err)
{
	struct filter_plan *plan;
	struct stat st;
	int r;

	if (fstat(fd, &st) < 0 || lseek(fd, 0, SEEK_SET) < 0)
		return error_set(err, -errno, "cannot read a filter: %m");
	if ((uint64_t)st.st_size > FILTER_RULES * sizeof(plan->rules[0]))
		return error_set(err, -E2BIG, "a filter has too many rules");
	plan = xcalloc(1, sizeof(*plan) + (size_t)st.st_size);
	memcpy(plan->port, port, FILTER_PORT);
	plan->n = (uint32_t)((size_t)st.st_size / sizeof(plan->rules[0]));
	r = read_rules(fd, plan, plan->n * sizeof(plan->rules[0]));
	if (r < 0)
		error_set(err, r, "cannot read a filter: %m");
	else
		r = filter_plan_check(plan, err);
	if (r == 0 && !(restore_only && filter_intact(plan))) {
		r = filter_set(plan, err);
		r = r < 0 ? r : 1;
	}
	free(plan);
	return r;
}

int priv_filter_set(struct priv *priv, const void *arg,
		    struct priv_reply *reply, int fds[PRIV_FDS_MAX],
		    struct error *err)
{
	const struct priv_filter *a = arg;
	char name[sizeof("filter-") + FILTER_PORT];
	_cleanup_close_ int fd = -1;
	int r = check(priv, a->port, err);

	if (r == 0 && a->n > PRIV_FILTER_RULES)
		r = error_set(err, -EINVAL, "a filter has too many rules");
	if (r < 0)
		return r;
	snprintf(name, sizeof(name), "filter-%s", a->port);
	fd = openat(priv->net_dir, name,
		    O_RDWR | O_CREAT | O_APPEND | O_NOFOLLOW | O_CLOEXEC |
			    (a->first ? O_TRUNC : 0), 0600);
	r = fd < 0 ? -errno : write_full(fd, a->rules,
					 a->n * sizeof(a->rules[0]));
	if (r < 0)
		return error_set(err, r, "cannot keep a filter: %m");
	if (!a->last)
		return 0;
	unlinkat(priv->net_dir, name, 0);
	r = set_of_file(a->port, fd, a->restore, err);
	reply->pid = r > 0;
	return MIN(r, 0);
}

int priv_filter_remove(struct priv *priv, const void *arg,
		       struct priv_reply *reply, int fds[PRIV_FDS_MAX],
		       struct error *err)
{
	const struct priv_ifname *a = arg;
	int r = check(priv, a->ifname, err);

	return r < 0 ? r : filter_remove(a->ifname, err);
}
