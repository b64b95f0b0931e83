/*
 * cli/cmd-logs.c -- what a domain's machine has to say for itself.
 *
 * There is no call for the machine's log: it is read from the daemon's folder,
 * where this program runs beside the daemon and may read it.  What the daemon
 * holds against the domain (virDomainGetMessages()) comes first.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#include "cli/output.h"
#include "cli/xml.h"

/* ---- where it is ---- */

/*
 * The daemon's folder by its socket, as in "vireo:///system?socket=PATH": the
 * socket lies in it, or beside it where a daemon runs uninstalled.
 */
static char *folder_of(const char *uri)
{
	const char *at = uri ? strstr(uri, "socket=") : NULL, *end, *slash;
	_cleanup_free_ char *folder = NULL, *beside = NULL;

	if (!at)
		return NULL;
	at += strlen("socket=");
	end = at + strcspn(at, "&");
	slash = memrchr(at, '/', (size_t)(end - at));
	if (!slash)
		return NULL;
	folder = xstrndup(at, (size_t)(slash - at));
	beside = xasprintf("%s/../run/vmm", folder);
	return access(beside, F_OK) == 0 ? xasprintf("%s/../run", folder) :
					   steal_ptr(&folder);
}

static char *run_folder(struct ctl *ctl)
{
	_cleanup_free_ char *uri = virConnectGetURI(ctl->conn);
	const char *asked = ctl->uri ? ctl->uri : uri;
	const char *run = getenv("XDG_RUNTIME_DIR");
	char *folder = folder_of(asked);

	if (folder)
		return folder;
	return uri && strstr(uri, "/session") && run ?
		       xasprintf("%s/vireo", run) :
		       xstrdup("/run/vireo");
}

static char *machine_log(struct ctl *ctl, virDomainPtr dom)
{
	_cleanup_free_ char *folder = run_folder(ctl);
	char uuid[VIR_UUID_STRING_BUFLEN] = "";

	virDomainGetUUIDString(dom, uuid);
	return xasprintf("%s/vmm/%s/log", folder, uuid);
}

/* What <serial> or <console> is told to be written to; NULL: said why. */
static char *console_log(struct ctl *ctl, virDomainPtr dom)
{
	_cleanup_xml_ struct xml x = { NULL };
	char *path;

	if (xml_open_domain(ctl, &x, dom, 0) < 0)
		return NULL;
	path = xml_string(&x, NULL,
			  "./devices/serial/log/@file | "
			  "./devices/console/log/@file");
	if (!path)
		say_error("the console of '%s' is not logged: give its <serial> "
			  "a <log file='...'/>",
			  virDomainGetName(dom));
	return path;
}

/* ---- what is in it ---- */

static void print_messages(struct ctl *ctl, virDomainPtr dom)
{
	char **messages = NULL;
	int n = virDomainGetMessages(dom, &messages, 0);

	for (int i = 0; i < n; i++) {
		if (ctl->output == OUTPUT_TABLE)
			printf("note: %s\n", messages[i]);
		free(messages[i]);
	}
	free(messages);
}

/* What is there now; -1: errno. */
static int copy(int fd)
{
	char b[8192];
	ssize_t n;

	while ((n = read(fd, b, sizeof(b))) > 0)
		fwrite(b, 1, (size_t)n, stdout);
	fflush(stdout);
	return n < 0 ? -1 : 0;
}

static int print_log(virDomainPtr dom, const char *path, bool follow)
{
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	int r;

	if (fd < 0 && errno == ENOENT && virDomainIsActive(dom) == 0) {
		say_error("domain '%s' does not run: its log went with its "
			  "machine",
			  virDomainGetName(dom));
		return EXIT_FAILED;
	}
	if (fd < 0) {
		say_error("cannot read %s: %s; the log is on the daemon's host, "
			  "for root and the daemon's own user",
			  path, strerror(errno));
		return EXIT_FAILED;
	}
	while ((r = copy(fd)) == 0 && follow && !ferror(stdout) &&
	       virDomainIsActive(dom) == 1)
		poll(NULL, 0, 500);
	if (r < 0)
		say_error("cannot read %s: %s", path, strerror(errno));
	return r < 0 ? EXIT_FAILED : EXIT_OK;
}

static int run_logs(struct ctl *ctl, const struct args *args, virDomainPtr dom)
{
	bool console = args_has(args, "console");
	_cleanup_free_ char *path =
		console ? console_log(ctl, dom) : machine_log(ctl, dom);

	if (!path)
		return EXIT_FAILED;
	if (args_has(args, "path")) {
		say_value(ctl, "path", path);
		return EXIT_OK;
	}
	if (!console)
		print_messages(ctl, dom);
	return print_log(dom, path, args_has(args, "follow"));
}

const struct command family_logs[] = {
	{
		.name = "logs",
		.group = "monitor",
		.summary = "the log of a domain's machine, or of its console",
		.details = "The file is read here, so this works on the "
			   "daemon's host, for those who may read it.",
		.opts = OPTS(OPT_DOMAIN(complete_domains),
			     FLAG("console", "what the guest wrote to its "
					     "console, where its XML says that "
					     "this is kept"),
			     FLAG("follow", "go on while the guest runs"),
			     FLAG("path", "only where it is")),
		.on_domain = run_logs,
	},
	{ NULL },
};
