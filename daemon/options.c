/*
 * daemon/options.c -- vireod's command line and its defaults.
 *
 * A daemon that was not installed finds its modules, schemas and vireo-vmm in
 * the build tree around it.
 */
#include "daemon/options.h"

#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "base/util.h"
#include "config.h"

enum { OPT_STRING, OPT_TRUE, OPT_NOTHING, OPT_HELP, OPT_VERSION };

static const struct {
	const char *name, *arg, *help;
	int kind;
	size_t offset;
} table[] = {
#define S(n, a, m, h) { n, a, h, OPT_STRING, offsetof(struct options, m) }
#define T(n, m, h) { n, NULL, h, OPT_TRUE, offsetof(struct options, m) }
	T("session", session, "serve vireo:///session; the default without root"),
	S("state-dir", "DIR", state_dir, "definitions and other lasting state"),
	S("run-dir", "DIR", run_dir, "lock and running machines"),
	S("socket-dir", "DIR", socket_dir, "where clients connect"),
	S("driver-dir", "DIR", driver_dir, "hypervisor drivers"),
	S("schema-dir", "DIR", schema_dir, "RELAX NG schemas"),
	S("default-network", "FILE", default_network,
	  "the network that a new daemon has"),
	S("vmm", "PATH", vmm, "the vireo-vmm program"),
	S("vnc-module", "PATH", vnc_module, "its module for VNC servers"),
	S("log", "TARGET", log, "stderr, journal or file:PATH"),
	S("log-filters", "FILTERS", log_filters, "levels, as in \"3:rpc 2\""),
	S("save-image-format", "FORMAT", save_format,
	  "of saved guests: raw or zstd"),
	S("migrate-tls-dir", "DIR", migrate_tls_dir,
	  "keys and certificates for migration"),
	S("vnc-tls", "KIND", vnc_tls,
	  "VNC: no, anonymous, x509, x509-verify"),
	S("vnc-tls-dir", "DIR", vnc_tls_dir, "keys and certificates for VNC"),
	S("memory-dir", "DIR", memory_dir,
	  "files for guests' memory (source type 'file')"),
	S("machine-uids", "BASE:COUNT", uid_range, "user ids for machines"),
	S("auth-unix-rw", "HOW", auth_unix_rw,
	  "clients say who they are: none, sasl, polkit"),
	S("auth-unix-ro", "HOW", auth_unix_ro,
	  "the same on the read-only socket"),
	S("listen-tls", "ADDR[:PORT]", listen_tls,
	  "clients by TLS; port 16514"),
	S("listen-tcp", "ADDR[:PORT]", listen_tcp,
	  "clients by TCP, unprotected; port 16509"),
	S("hook-dir", "DIR", hook_dir,
	  "scripts that are run when something becomes of domains"),
	S("metrics", "PATH|ADDR[:PORT]", metrics,
	  "OpenMetrics by HTTP, this host only; port 9177"),
	S("auth-tls", "HOW", auth_tls, "as auth-unix-rw: none, sasl"),
	S("auth-tcp", "HOW", auth_tcp, "has to be given: none"),
	S("tls-ca", "FILE", tls_ca, "whose certificates clients may show"),
	S("tls-cert", "FILE", tls_cert, "our certificate for clients"),
	S("tls-key", "FILE", tls_key, "its key"),
	S("tls-allowed-names", "GLOBS", tls_names,
	  "of certificates, separated by ';'"),
	S("sasl-allowed-users", "GLOBS", sasl_users, "separated by ','"),
	S("sasl-mechanisms", "NAMES", sasl_mechs, "separated by spaces"),
	S("max-clients", "N", max_clients, "at once; more get an error"),
	S("max-anonymous-clients", "N", max_anonymous,
	  "that have not said who they are"),
	S("access", "DRIVER", access,
	  "checks each object: none, polkit"),
	S("unix-sock-group", "GROUP", unix_group,
	  "may use the read-write socket"),
	S("unix-sock-rw-perms", "MODE", unix_rw_perms, "of that socket"),
	S("unix-sock-ro-perms", "MODE", unix_ro_perms,
	  "of the read-only socket"),
	T("libvirt-sockets", libvirt_names, "also serve qemu:/// clients"),
	{ "foreground", NULL, "stay in the foreground (always so)",
	  OPT_NOTHING, 0 },
	{ "help", NULL, "print this", OPT_HELP, 0 },
	{ "version", NULL, "print the version", OPT_VERSION, 0 },
};

static void __attribute__((noreturn)) help(void)
{
	printf("usage: vireod [OPTION]...\n\n");
	for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
		char left[64];

		snprintf(left, sizeof(left), "--%s%s%s", table[i].name,
			 table[i].arg ? "=" : "",
			 table[i].arg ? table[i].arg : "");
		printf("  %-28s %s\n", left, table[i].help);
	}
	exit(EXIT_SUCCESS);
}

static void take(struct options *opt, size_t i)
{
	void *p = (char *)opt + table[i].offset;

	switch (table[i].kind) {
	case OPT_STRING:
		free(*(char **)p);
		*(char **)p = xstrdup(optarg);
		break;
	case OPT_TRUE:
		*(bool *)p = true;
		break;
	case OPT_HELP:
		help();
	case OPT_VERSION:
		printf("vireod %s\n", PACKAGE_VERSION);
		exit(EXIT_SUCCESS);
	}
}

/* Removes the path's last component if it has this name. */
static void cut_last(char *path, const char *name)
{
	char *slash = strrchr(path, '/');

	if (slash && str_eq(slash + 1, name))
		*slash = '\0';
}

/* The build tree that holds our program, or NULL when it was installed. */
static char *build_tree(void)
{
	char exe[PATH_MAX];
	ssize_t n = readlink("/proc/self/exe", exe, sizeof(exe) - 1);
	_cleanup_free_ char *status = NULL;

	if (n <= 0)
		return NULL;
	exe[n] = '\0';
	cut_last(exe, "vireod");
	cut_last(exe, ".libs");
	status = xasprintf("%s/config.status", exe);
	return access(status, F_OK) == 0 ? xstrdup(exe) : NULL;
}

static void set_default(char **opt, char *value)
{
	if (*opt)
		free(value);
	else
		*opt = value;
}

static char *home_dir(const char *variable, const char *fallback)
{
	const char *dir = getenv(variable);
	const char *home = getenv("HOME");

	if (dir && dir[0] == '/')
		return xasprintf("%s/vireo", dir);
	return xasprintf("%s/%s/vireo", home ? home : "/nonexistent", fallback);
}

static void default_dirs(struct options *opt)
{
	const char *runtime = getenv("XDG_RUNTIME_DIR");

	if (!opt->session) {
		set_default(&opt->state_dir,
			    xstrdup(LOCALSTATEDIR "/lib/vireo"));
		set_default(&opt->run_dir, xstrdup(RUNSTATEDIR "/vireo"));
		set_default(&opt->socket_dir, xstrdup(RUNSTATEDIR "/libvirt"));
		set_default(&opt->hook_dir, xstrdup(SYSCONFDIR "/vireo/hooks"));
		return;
	}
	set_default(&opt->state_dir, home_dir("XDG_DATA_HOME", ".local/share"));
	set_default(&opt->run_dir,
		    home_dir("XDG_RUNTIME_DIR", ".cache"));
	set_default(&opt->socket_dir,
		    runtime ? xasprintf("%s/libvirt", runtime) :
			      home_dir("XDG_CACHE_HOME", ".cache"));
}

static void default_programs(struct options *opt)
{
	_cleanup_free_ char *tree = build_tree();

	if (!tree) {
		set_default(&opt->driver_dir, xstrdup(PKGLIBDIR "/drivers"));
		set_default(&opt->schema_dir, xstrdup(PKGDATADIR "/schemas"));
		set_default(&opt->default_network,
			    xstrdup(PKGDATADIR "/default-network.xml"));
		set_default(&opt->vmm, xstrdup(SBINDIR "/vireo-vmm"));
		set_default(&opt->vnc_module,
			    xstrdup(PKGLIBDIR "/vnc-crypto.so"));
		return;
	}
	set_default(&opt->driver_dir, xasprintf("%s/drivers/.libs", tree));
	/* configure may have been called by a relative or an absolute path. */
	set_default(&opt->schema_dir,
		    SOURCE_FROM_BUILD[0] == '/' ?
			    xstrdup(SOURCE_FROM_BUILD "/xml-schemas") :
			    xasprintf("%s/" SOURCE_FROM_BUILD "/xml-schemas",
				      tree));
	set_default(&opt->vmm, xasprintf("%s/vireo-vmm", tree));
	set_default(&opt->vnc_module,
		    xasprintf("%s/vmm/.libs/vnc-crypto.so", tree));
}

static void make_absolute(char **path)
{
	char cwd[PATH_MAX];
	char *full;

	if (**path == '/' || !getcwd(cwd, sizeof(cwd)))
		return;
	full = xasprintf("%s/%s", cwd, *path);
	free(*path);
	*path = full;
}

static bool is_vnc_tls(const char *word)
{
	return str_eq(word, "no") || str_eq(word, "anonymous") ||
	       str_eq(word, "x509") || str_eq(word, "x509-verify");
}

void options_parse(int argc, char **argv, struct options *ret_opt)
{
	struct option longs[ARRAY_SIZE(table) + 1] = { 0 };
	int i = 0, c;

	*ret_opt = (struct options){ .session = geteuid() != 0 };
	for (size_t n = 0; n < ARRAY_SIZE(table); n++) {
		longs[n].name = table[n].name;
		longs[n].has_arg = table[n].arg ? required_argument :
						  no_argument;
	}
	while ((c = getopt_long(argc, argv, "", longs, &i)) != -1) {
		if (c == '?')
			exit(EXIT_FAILURE);
		take(ret_opt, i);
	}
	if (optind < argc) {
		fprintf(stderr, "vireod: unexpected argument '%s'\n",
			argv[optind]);
		exit(EXIT_FAILURE);
	}
	if (ret_opt->save_format && !str_eq(ret_opt->save_format, "raw") &&
	    !str_eq(ret_opt->save_format, "zstd")) {
		fprintf(stderr, "vireod: guests are saved as 'raw' or 'zstd', "
				"not '%s'\n",
			ret_opt->save_format);
		exit(EXIT_FAILURE);
	}
	if (ret_opt->vnc_tls && !is_vnc_tls(ret_opt->vnc_tls)) {
		fprintf(stderr, "vireod: TLS for VNC is 'no', 'anonymous', "
				"'x509' or 'x509-verify', not '%s'\n",
			ret_opt->vnc_tls);
		exit(EXIT_FAILURE);
	}
	default_dirs(ret_opt);
	default_programs(ret_opt);
	set_default(&ret_opt->log, xstrdup("stderr"));
	set_default(&ret_opt->save_format, xstrdup("raw"));
	set_default(&ret_opt->auth_unix_rw, xstrdup("none"));
	set_default(&ret_opt->auth_unix_ro, xstrdup("none"));
	set_default(&ret_opt->access, xstrdup("none"));
	set_default(&ret_opt->auth_tls, xstrdup("none"));
	set_default(&ret_opt->tls_ca, xstrdup("/etc/pki/CA/cacert.pem"));
	set_default(&ret_opt->tls_cert,
		    xstrdup("/etc/pki/libvirt/servercert.pem"));
	set_default(&ret_opt->tls_key,
		    xstrdup("/etc/pki/libvirt/private/serverkey.pem"));
	set_default(&ret_opt->sasl_mechs, xstrdup("SCRAM-SHA-256"));
	set_default(&ret_opt->migrate_tls_dir, xstrdup("/etc/pki/qemu"));
	set_default(&ret_opt->vnc_tls, xstrdup("no"));
	set_default(&ret_opt->vnc_tls_dir, xstrdup("/etc/pki/libvirt-vnc"));
	set_default(&ret_opt->uid_range, xstrdup("1900000000:65536"));
	set_default(&ret_opt->memory_dir,
		    xasprintf("%s/ram", ret_opt->state_dir));
	make_absolute(&ret_opt->state_dir);
	make_absolute(&ret_opt->memory_dir);
	make_absolute(&ret_opt->run_dir);
	if (ret_opt->hook_dir)
		make_absolute(&ret_opt->hook_dir);
	make_absolute(&ret_opt->migrate_tls_dir);
	make_absolute(&ret_opt->tls_ca);
	make_absolute(&ret_opt->tls_cert);
	make_absolute(&ret_opt->tls_key);
	make_absolute(&ret_opt->socket_dir);
	make_absolute(&ret_opt->driver_dir);
	make_absolute(&ret_opt->schema_dir);
	make_absolute(&ret_opt->vmm);
	make_absolute(&ret_opt->vnc_module);
	make_absolute(&ret_opt->vnc_tls_dir);
}

void options_finish(struct options *opt)
{
	for (size_t i = 0; i < ARRAY_SIZE(table); i++)
		if (table[i].kind == OPT_STRING)
			free(*(char **)((char *)opt + table[i].offset));
}
