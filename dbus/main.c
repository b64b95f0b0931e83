/*
 * dbus/main.c -- vireo-dbus: options, and where the daemon is.
 */
#include <ctype.h>
#include <getopt.h>
#include <string.h>

#include "config.h"
#include "dbus/service.h"

static const char usage[] =
	"usage: vireo-dbus [OPTION]...\n"
	"Offers libvirt's D-Bus interfaces to Vireo as org.vireo.\n\n"
	"  --system          on the system bus (root's default)\n"
	"  --session         on the session bus (everybody else's)\n"
	"  --address=BUS     on the bus at this D-Bus address\n"
	"  --libvirt         as org.libvirt too, in libvirt-dbus's place\n"
	"  --socket=FILE     the daemon's socket\n"
	"  --uri-path=PATH   what of the daemon: system, session or test\n"
	"  --threads=N       answer this many calls at once (default 8)\n"
	"  --help, --version\n";

struct arguments {
	struct options bus;
	bool chosen; /* a bus */
	const char *socket, *path;
};

enum {
	OPT_SYSTEM = 256, OPT_SESSION, OPT_ADDRESS, OPT_LIBVIRT, OPT_SOCKET,
	OPT_PATH, OPT_THREADS, OPT_HELP, OPT_VERSION,
};

static const struct option options[] = {
	{ "system", no_argument, NULL, OPT_SYSTEM },
	{ "session", no_argument, NULL, OPT_SESSION },
	{ "address", required_argument, NULL, OPT_ADDRESS },
	{ "libvirt", no_argument, NULL, OPT_LIBVIRT },
	{ "socket", required_argument, NULL, OPT_SOCKET },
	{ "uri-path", required_argument, NULL, OPT_PATH },
	{ "threads", required_argument, NULL, OPT_THREADS },
	{ "help", no_argument, NULL, OPT_HELP },
	{ "version", no_argument, NULL, OPT_VERSION },
	{ 0 }
};

static void say_and_exit(const char *text)
{
	fputs(text, stdout);
	exit(fflush(stdout) ? 1 : 0);
}

static int read_threads(const char *text, unsigned int *ret)
{
	uint64_t n;

	if (parse_u64(text, 10, 256, &n) < 0 || !n) {
		fprintf(stderr, "vireo-dbus: --threads is 1 to 256\n");
		return -1;
	}
	*ret = n;
	return 0;
}

static int read_option(int option, struct arguments *a)
{
	switch (option) {
	case OPT_SYSTEM:
	case OPT_SESSION:
		a->chosen = true;
		a->bus.type = option == OPT_SYSTEM ? DBUS_BUS_SYSTEM :
						     DBUS_BUS_SESSION;
		return 0;
	case OPT_ADDRESS:
		a->bus.address = optarg;
		return 0;
	case OPT_LIBVIRT:
		a->bus.as_libvirt = true;
		return 0;
	case OPT_SOCKET:
		a->socket = optarg;
		return 0;
	case OPT_PATH:
		a->path = optarg;
		return 0;
	case OPT_THREADS:
		return read_threads(optarg, &a->bus.threads);
	case OPT_HELP:
		say_and_exit(usage);
		return 0;
	case OPT_VERSION:
		say_and_exit("vireo-dbus " PACKAGE_VERSION "\n");
		return 0;
	}
	return -1;
}

static void add_escaped(struct buf *uri, const char *path)
{
	for (; *path; path++)
		if (isalnum((unsigned char)*path) || strchr("/._-", *path))
			buf_add(uri, path, 1);
		else
			buf_printf(uri, "%%%02x", (unsigned char)*path);
}

static char *default_socket(bool system)
{
	const char *dir = getenv("XDG_RUNTIME_DIR");

	if (system || !dir)
		return xstrdup(RUNSTATEDIR "/libvirt/virtvireod-sock");
	return xasprintf("%s/libvirt/virtvireod-sock", dir);
}

static char *make_uri(const struct arguments *a, const char *scheme)
{
	bool system = a->bus.type == DBUS_BUS_SYSTEM;
	char *socket = a->socket ? xstrdup(a->socket) : default_socket(system);
	struct buf uri = { 0 };

	buf_printf(&uri, "%s+unix:///%s?socket=", scheme,
		   a->path ? a->path : system ? "system" : "session");
	add_escaped(&uri, socket);
	free(socket);
	return buf_steal(&uri);
}

/* The client library prints errors; here they go to whoever called. */
static void quiet(void *arg, virErrorPtr error)
{
}

int main(int argc, char **argv)
{
	static struct tree tree[] = {
		{ .path = "/org/libvirt/QEMU" },
		{ .path = "/org/vireo/Vireo" },
	};
	struct trees trees = { tree, ARRAY_SIZE(tree) };
	struct arguments a = { .bus = { .threads = 8 } };
	struct error err = { 0 };
	int option;

	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1)
		if (read_option(option, &a) < 0)
			return 2;
	if (optind < argc) {
		fprintf(stderr, "vireo-dbus: unexpected '%s'\n", argv[optind]);
		return 2;
	}
	if (!a.chosen)
		a.bus.type = geteuid() ? DBUS_BUS_SESSION : DBUS_BUS_SYSTEM;
	tree[0].uri = make_uri(&a, "qemu");
	tree[1].uri = make_uri(&a, "vireo");
	if (!dbus_threads_init_default() || virInitialize() < 0 ||
	    virEventRegisterDefaultImpl() < 0) {
		fprintf(stderr, "vireo-dbus: cannot start\n");
		return 1;
	}
	virSetErrorFunc(NULL, quiet);
	serve_bus(&a.bus, &trees, &err);
	fprintf(stderr, "vireo-dbus: %s\n", err.message);
	return 1;
}
