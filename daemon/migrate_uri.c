/*
 * daemon/migrate_uri.c -- where a migrating guest's memory goes through:
 * "tcp:HOST[:PORT]", "tcp://HOST[:PORT]" or "unix:///PATH".
 */
#include <errno.h>
#include <libvirt/virterror.h>
#include <string.h>

#include "daemon/migrate_priv.h"

/* The ports that firewalls know from libvirt. */
enum { PORT_FIRST = 49152, PORT_LAST = 49215 };

void migrate_uri_finish(struct migrate_uri *uri)
{
	free(uri->path);
	free(uri->host);
	memset(uri, 0, sizeof(*uri));
}

static int bad(const char *text, struct error *err)
{
	return error_virt(err, VIR_ERR_INVALID_ARG,
			  "migration URI '%s' is not supported: use "
			  "tcp://HOST[:PORT] or unix:///PATH",
			  text);
}

/* HOST, HOST:PORT, [ADDRESS] or [ADDRESS]:PORT; a path may follow. */
static int parse_host(const char *text, const char *rest,
		      struct migrate_uri *uri, struct error *err)
{
	bool bracket = rest[0] == '[';
	size_t len = strcspn(rest + bracket, bracket ? "]" : ":/");
	const char *port = rest + bracket + len;
	char *end;

	if (!len || (bracket && *port++ != ']'))
		return bad(text, err);
	uri->host = xstrndup(rest + bracket, len);
	if (*port == ':') {
		uri->port = strtoul(port + 1, &end, 10);
		if (end == port + 1 || uri->port > 65535)
			return bad(text, err);
		port = end;
	}
	return *port && *port != '/' ? bad(text, err) : 0;
}

int migrate_uri_parse(const char *text, struct migrate_uri *ret_uri,
		      struct error *err)
{
	struct migrate_uri uri = { 0 };
	int r = 0;

	if (str_startswith(text, "unix:///"))
		uri.path = xstrdup(text + strlen("unix://"));
	else if (str_startswith(text, "unix:/") && text[6] != '/')
		uri.path = xstrdup(text + strlen("unix:"));
	else if (str_startswith(text, "tcp://"))
		r = parse_host(text, text + strlen("tcp://"), &uri, err);
	else if (str_startswith(text, "tcp:"))
		r = parse_host(text, text + strlen("tcp:"), &uri, err);
	else
		r = bad(text, err);
	if (r < 0)
		migrate_uri_finish(&uri);
	else
		*ret_uri = uri;
	return r;
}

int migrate_uri_connect(struct registry *reg, const char *text, int *ret_fd,
			struct error *err)
{
	struct migrate_uri uri;
	int r = migrate_uri_parse(text, &uri, err);

	if (r < 0)
		return r;
	if (!uri.path && !uri.port)
		r = error_virt(err, VIR_ERR_INVALID_ARG,
			       "migration URI '%s' has no port", text);
	else
		r = uri.path ? reg->net->connect_unix(uri.path, err, ret_fd) :
			       reg->net->connect_tcp(uri.host, uri.port, err,
						     ret_fd);
	migrate_uri_finish(&uri);
	return r;
}

int migrate_uri_secure(struct registry *reg, const struct migrate_args *args,
		       struct tls_keys *keys, int *fd, struct error *err)
{
	struct migrate_uri uri;
	int r = migrate_uri_parse(args->uri, &uri, err);

	if (r < 0)
		return r;
	r = carrier_tls(keys,
			args->tls_host ? args->tls_host :
			uri.host       ? uri.host :
					 "localhost",
			-1, fd, err);
	migrate_uri_finish(&uri);
	return r;
}

/* ---- listening ---- */

static int listen_tcp(struct registry *reg, const struct migrate_args *args,
		      struct migrate_uri *uri, int *ret_fd, struct error *err)
{
	unsigned int first = uri->port ? uri->port : PORT_FIRST;
	unsigned int last = uri->port ? uri->port : PORT_LAST;
	int r;

	if (args->listen)
		return reg->net->listen_tcp(args->listen, first, last, err,
					    &uri->port, ret_fd);
	r = reg->net->listen_tcp("::", first, last, err, &uri->port, ret_fd);
	if (r == -EAFNOSUPPORT) /* a host without IPv6 */
		r = reg->net->listen_tcp("0.0.0.0", first, last, err,
					 &uri->port, ret_fd);
	return r;
}

static int listen_on(struct registry *reg, const struct migrate_args *args,
		     struct migrate_uri *uri, char **ret_uri, int *ret_fd,
		     struct error *err)
{
	bool v6 = uri->host && strchr(uri->host, ':');
	int r = uri->path ? reg->net->listen_unix(uri->path, err, ret_fd) :
			    listen_tcp(reg, args, uri, ret_fd, err);

	if (r < 0)
		return r;
	*ret_uri = uri->path ? xasprintf("unix://%s", uri->path) :
			       xasprintf("tcp://%s%s%s:%u", v6 ? "[" : "",
					 uri->host, v6 ? "]" : "", uri->port);
	return 0;
}

static void own_host(struct migrate_uri *uri)
{
	char name[256] = "localhost";

	gethostname(name, sizeof(name) - 1);
	uri->host = xstrdup(name);
}

static char *own_path(struct registry *reg, const uint8_t uuid[UUID_LEN])
{
	char text[UUID_STR_LEN];

	uuid_format(uuid, text);
	return xasprintf("%s/vmm/%s/migration", reg->net->run_dir, text);
}

int migrate_uri_listen(struct registry *reg, const struct migrate_args *args,
		       const uint8_t uuid[UUID_LEN], bool same_host,
		       char **ret_uri, int *ret_fd, struct error *err)
{
	struct migrate_uri uri = { 0 };
	int r = 0;

	if (args->uri)
		r = migrate_uri_parse(args->uri, &uri, err);
	else if (same_host)
		uri.path = own_path(reg, uuid);
	else
		own_host(&uri);
	if (r == 0)
		r = listen_on(reg, args, &uri, ret_uri, ret_fd, err);
	migrate_uri_finish(&uri);
	return r;
}
