/*
 * daemon/host_network.c -- main's side of priv's operations on networks.
 */
#include <errno.h>
#include <string.h>

#include "base/error.h"
#include "base/util.h"
#include "daemon/host.h"
#include "daemon/host_network.h"
#include "daemon/priv.h"
#include "drivers/driver.h"
#include "network/net/rules.h"

static int with_plan(enum priv_op op, const struct net_plan *plan,
		     struct error *err)
{
	struct priv_request rq = { .op = op, .plan = *plan };
	struct priv_reply reply;

	return host_call(&rq, sizeof(rq.plan), &reply, NULL, err);
}

static int up(const struct net_plan *plan, struct error *err)
{
	return with_plan(PRIV_NET_UP, plan, err);
}

static int down(const struct net_plan *plan, struct error *err)
{
	return with_plan(PRIV_NET_DOWN, plan, err);
}

static int restore(const struct net_plan *plan, struct error *err)
{
	struct priv_request rq = { .op = PRIV_NET_RESTORE, .plan = *plan };
	struct priv_reply reply;
	int r = host_call(&rq, sizeof(rq.plan), &reply, NULL, err);

	return r < 0 ? r : reply.pid;
}

int host_watch_rules(int *ret_fd, struct error *err)
{
	struct priv_request rq = { .op = PRIV_NET_WATCH };
	struct priv_reply reply;
	int fds[PRIV_FDS_MAX];
	int r = host_call(&rq, sizeof(rq.none), &reply, fds, err);

	if (r == 0)
		*ret_fd = fds[0];
	return r;
}

static int simple(enum priv_op op, const uint8_t uuid[UUID_LEN],
		  const char *bridge, int *fds, struct error *err)
{
	struct priv_request rq = { .op = op };
	struct priv_reply reply;

	memcpy(rq.net.uuid, uuid, UUID_LEN);
	snprintf(rq.net.bridge, sizeof(rq.net.bridge), "%s", bridge);
	return host_call(&rq, sizeof(rq.net), &reply, fds, err);
}

/* Everything that is in a file, which is closed. */
static int read_all(int fd, char **ret_text, struct error *err)
{
	struct buf text = { 0 };
	char part[4096];
	ssize_t n;
	off_t at = 0;

	while ((n = pread(fd, part, sizeof(part), at)) > 0) {
		buf_add(&text, part, n);
		at += n;
	}
	fd_close(fd);
	*ret_text = buf_steal(&text);
	return n < 0 ? error_set(err, -errno, "cannot read a file: %m") : 0;
}

static int view(char **ret_text, struct error *err)
{
	struct priv_request rq = { .op = PRIV_NET_VIEW };
	struct priv_reply reply;
	int fds[PRIV_FDS_MAX];
	int r = host_call(&rq, sizeof(rq.none), &reply, fds, err);

	return r < 0 ? r : read_all(fds[0], ret_text, err);
}

static int leases(const uint8_t uuid[UUID_LEN], char **ret_text,
		  struct error *err)
{
	int fds[PRIV_FDS_MAX];
	int r = simple(PRIV_NET_LEASES, uuid, "", fds, err);

	return r < 0 ? r : read_all(fds[0], ret_text, err);
}

/* As many whole lines as one message takes. */
static size_t whole_lines(const char *text, size_t max)
{
	size_t len = strnlen(text, max);

	if (len < max)
		return len;
	while (len && text[len - 1] != '\n')
		len--;
	return len;
}

static int write_file(const uint8_t uuid[UUID_LEN], unsigned int what,
		      const struct buf *file, struct error *err)
{
	struct priv_request *rq = xcalloc(1, sizeof(*rq));
	const char *text = file->data ? file->data : "";
	struct priv_reply reply;
	int r = 0;

	rq->op = PRIV_NET_FILE;
	memcpy(rq->net_file.uuid, uuid, UUID_LEN);
	rq->net_file.what = what;
	rq->net_file.first = true;
	do {
		size_t len = whole_lines(text, sizeof(rq->net_file.text) - 1);

		if (!len && *text) {
			r = error_set(err, -E2BIG, "a line for dnsmasq is too long");
			break;
		}
		memcpy(rq->net_file.text, text, len);
		rq->net_file.text[len] = '\0';
		r = host_call(rq, sizeof(rq->net_file), &reply, NULL, err);
		rq->net_file.first = false;
		text += len;
	} while (r == 0 && *text);
	free(rq);
	return r;
}

static int write_files(const uint8_t uuid[UUID_LEN],
		       const struct dnsmasq_files *files, struct error *err)
{
	int r = write_file(uuid, PRIV_NET_CONF, &files->conf, err);

	if (r == 0)
		r = write_file(uuid, PRIV_NET_HOSTS, &files->hosts, err);
	return r < 0 ? r : write_file(uuid, PRIV_NET_NAMES, &files->names,
				      err);
}

static int start(const uint8_t uuid[UUID_LEN], const char *bridge,
		 int *ret_pidfd, struct error *err)
{
	int fds[PRIV_FDS_MAX];
	int r = simple(PRIV_START_DNSMASQ, uuid, bridge, fds, err);

	if (r == 0)
		*ret_pidfd = fds[0];
	return r;
}

static int stop(const uint8_t uuid[UUID_LEN], struct error *err)
{
	return simple(PRIV_STOP_DNSMASQ, uuid, "", NULL, err);
}

static int reload(const uint8_t uuid[UUID_LEN], struct error *err)
{
	return simple(PRIV_RELOAD_DNSMASQ, uuid, "", NULL, err);
}

static void forget(const uint8_t uuid[UUID_LEN])
{
	simple(PRIV_NET_FORGET, uuid, "", NULL, NULL);
}

int host_set_rates(const char *ifname, const struct net_bandwidth *bandwidth,
		   struct error *err)
{
	struct priv_request rq = { .op = PRIV_SET_RATES };
	struct priv_reply reply;
	int r = plan_rates_of(bandwidth, &rq.rates.rates, err);

	if (r < 0)
		return r;
	snprintf(rq.rates.ifname, sizeof(rq.rates.ifname), "%s", ifname);
	return host_call(&rq, sizeof(rq.rates), &reply, NULL, err);
}

static void *watch(int pidfd, void (*fn)(void *arg, uint32_t events),
		   void *arg)
{
	return host_watch(pidfd, fn, arg);
}

static void unwatch(void *w)
{
	host_unwatch(w);
}

const struct network_host host_network = {
	.up = up,
	.down = down,
	.restore = restore,
	.watch_rules = host_watch_rules,
	.rules_changes = rules_watch_read,
	.view = view,
	.write = write_files,
	.start = start,
	.stop = stop,
	.reload = reload,
	.leases = leases,
	.forget = forget,
	.watch = watch,
	.unwatch = unwatch,
	.remove_direct = host_remove_direct,
};
