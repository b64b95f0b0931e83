/*
 * daemon/default_network.c -- the network that is there from the start.
 */
#include "daemon/default_network.h"

#include <errno.h>
#include <string.h>

#define LOG_MODULE "network"
#include "base/buf.h"
#include "base/error.h"
#include "base/log.h"
#include "daemon/networks.h"
#include "daemon/store.h"
#include "drivers/driver.h"

#define FACT "default-network"

enum { FILE_MAX = 65536 };

static int read_file(const char *path, char **ret_text, struct error *err)
{
	_cleanup_close_ int fd = -1;
	struct buf text = { 0 };
	char part[4096];
	ssize_t n = 0;
	int r = host_open_file(path, err, &fd);

	if (r < 0)
		return r;
	while (text.len < FILE_MAX && (n = read(fd, part, sizeof(part))) > 0)
		buf_add(&text, part, n);
	*ret_text = buf_steal(&text);
	return n < 0 ? error_set(err, -errno, "cannot read '%s': %m", path) :
		       0;
}

static int define(const char *path, struct networks *nets, struct error *err)
{
	_cleanup_free_ char *xml = NULL;
	struct network_ref ref;
	int r;

	/* Of a store that is older than this. */
	if (network_by_name(nets, "default", &ref, NULL) == 0)
		return 0;
	r = read_file(path, &xml, err);
	return r < 0 ? r : network_define(nets, xml ? xml : "", 0, &ref, err);
}

void default_network(const char *path, struct store *store,
		     struct networks *nets)
{
	_cleanup_free_ char *done = NULL;
	struct error err = { 0 };
	int r;

	if (!path || store_fact_get(store, FACT, &done, &err) < 0 || done)
		return;
	r = define(path, nets, &err);
	if (r == -ENOENT)
		return;
	if (r == 0)
		r = store_fact_set(store, FACT, "defined", &err);
	if (r < 0)
		log_error("the default network: %s", err.message);
}
