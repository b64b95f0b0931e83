/*
 * tests/api/testd.c -- the server and the registry with the in-memory driver,
 * in one unprivileged process: what stock clients are run against.
 *
 *	testd DRIVERS SOCKET READONLY-SOCKET [PATH [METRICS-SOCKET]]
 *
 * PATH is what clients' URIs name instead of /test, for clients that cannot be
 * told which.
 *
 * Says "ready" on standard output and ends when standard input does, so that
 * it never outlives the test.
 */
#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <systemd/sd-event.h>

#include "base/error.h"
#include "base/log.h"
#include "daemon/domain.h"
#include "daemon/metrics.h"
#include "daemon/pools.h"
#include "daemon/registry.h"
#include "daemon/secrets.h"
#include "daemon/server.h"
#include "model/schemas.h"
#include "tests/unit/pool-host.h"

static int on_stdin(sd_event_source *source, int fd, uint32_t events, void *arg)
{
	char c;

	if (read(fd, &c, 1) > 0)
		return 0;
	return sd_event_exit(sd_event_source_get_event(source), 0);
}

static struct metrics *metrics;
static struct registry *test_reg;

enum { METRICS = SERVER_SOCKETS };

static int listen_at(struct server *server, const char *path, int kind,
		     struct error *err)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
	if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof(address)) ||
	    listen(fd, 64))
		return error_set(err, -errno, "cannot listen at %s: %m", path);
	if (kind == METRICS)
		return metrics_add(&metrics, server, test_reg, fd, err);
	return server_listen(server, fd, kind, err);
}

/* Without a source tree there are no documents that have to be valid. */
static int load_schemas(struct error *err)
{
	const char *top = getenv("srcdir");
	_cleanup_free_ char *path =
		top ? xasprintf("%s/xml-schemas", top) : NULL;

	return path ? model_schemas_load(path, err) : 0;
}

static int setup(char **argv, sd_event **ret_loop, struct server **ret_server,
		 struct error *err)
{
	struct registry *reg;
	int r = load_schemas(err);

	if (r >= 0)
		r = drivers_load(argv[1], err);
	if (r >= 0)
		r = registry_open("/test", NULL, &test_reg, err);
	reg = test_reg;
	if (r >= 0)
		r = secrets_open(reg, NULL, err);
	if (r >= 0)
		r = pools_open(reg, &plain_host, err);
	if (r < 0)
		return r;
	if (argv[4])
		reg->path = argv[4];
	registry_reconnect(reg);
	r = sd_event_new(ret_loop);
	if (r >= 0)
		r = server_create(*ret_loop, ret_server, err);
	if (r >= 0)
		r = listen_at(*ret_server, argv[2], SERVER_RW, err);
	if (r >= 0)
		r = listen_at(*ret_server, argv[3], SERVER_RO, err);
	if (r >= 0 && argv[4] && argv[5])
		r = listen_at(*ret_server, argv[5], METRICS, err);
	if (r >= 0)
		r = sd_event_add_io(*ret_loop, NULL, STDIN_FILENO, EPOLLIN,
				    on_stdin, NULL);
	return r;
}

int main(int argc, char **argv)
{
	struct server *server = NULL;
	struct error err = { 0 };
	sd_event *loop = NULL;

	if (argc < 4 || argc > 6)
		return 2;
	(void)log_open("stderr", &err);
	if (setup(argv, &loop, &server, &err) < 0) {
		fprintf(stderr, "%s\n", err.message);
		return 1;
	}
	puts("ready");
	fflush(stdout);
	if (sd_event_loop(loop) < 0)
		return 1;
	server_destroy(server);
	metrics_destroy(metrics);
	pools_close(test_reg);
	secrets_close(test_reg);
	registry_close(test_reg);
	sd_event_unref(loop);
	return 0;
}
