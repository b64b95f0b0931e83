/*
 * cli/cmd-agent.c -- what the agent in a guest does and tells.
 */
#include <string.h>

#include "base/buf.h"
#include "cli/args.h"
#include "cli/output.h"
#include "cli/params.h"

static int run_domfsfreeze(struct ctl *ctl, const struct args *args,
			   virDomainPtr dom)
{
	int n = virDomainFSFreeze(
		dom, args->n_rest ? (const char **)args->rest : NULL,
		(unsigned int)args->n_rest, 0);

	if (n < 0)
		return say_failed(ctl, "Unable to freeze filesystems");
	say(ctl, "Froze %d filesystem(s)\n", n);
	return EXIT_OK;
}

static int run_domfsthaw(struct ctl *ctl, const struct args *args,
			 virDomainPtr dom)
{
	int n = virDomainFSThaw(dom,
				args->n_rest ? (const char **)args->rest : NULL,
				(unsigned int)args->n_rest, 0);

	if (n < 0)
		return say_failed(ctl, "Unable to thaw filesystems");
	say(ctl, "Thawed %d filesystem(s)\n", n);
	return EXIT_OK;
}

static int run_domfstrim(struct ctl *ctl, const struct args *args,
			 virDomainPtr dom)
{
	unsigned long long minimum = 0;

	if (args_ull(args, "minimum", &minimum) < 0)
		return EXIT_FAILED;
	if (virDomainFSTrim(dom, args_get(args, "mountpoint"), minimum, 0) < 0)
		return say_failed(ctl, "Unable to invoke fstrim");
	return EXIT_OK;
}

static const struct column fs_columns[] = {
	{ "Mountpoint", "mountpoint", false },
	{ "Name", "name", false },
	{ "Type", "type", false },
	{ "Target", "target", false },
};

static int run_domfsinfo(struct ctl *ctl, const struct args *args,
			 virDomainPtr dom)
{
	virDomainFSInfoPtr *all = NULL;
	int n = virDomainGetFSInfo(dom, &all, 0);
	struct table *t;

	(void)args;
	if (n < 0)
		return say_failed(ctl, "Unable to get filesystem information");
	if (!n && ctl->output == OUTPUT_TABLE) {
		say(ctl, "No filesystems are mounted in the domain");
		return EXIT_OK;
	}
	t = table_new(fs_columns, ARRAY_SIZE(fs_columns));
	for (int i = 0; i < n; i++) {
		_cleanup_buf_ struct buf b = { 0 };

		for (size_t k = 0; k < all[i]->ndevAlias; k++)
			buf_printf(&b, "%s%s", k ? "," : "",
				   all[i]->devAlias[k]);
		table_row(t, (const char *[]){ all[i]->mountpoint, all[i]->name,
					       all[i]->fstype,
					       b.data ? b.data : "" });
		virDomainFSInfoFree(all[i]);
	}
	free(all);
	table_print(t, ctl);
	return EXIT_OK;
}

static int run_domhostname(struct ctl *ctl, const struct args *args,
			   virDomainPtr dom)
{
	const char *source = args_get(args, "source");
	_cleanup_free_ char *name = NULL;
	unsigned int flags = 0;

	if (str_eq(source, "lease")) {
		flags = VIR_DOMAIN_GET_HOSTNAME_LEASE;
	} else if (str_eq(source, "agent")) {
		flags = VIR_DOMAIN_GET_HOSTNAME_AGENT;
	} else if (source) {
		say_error("Unknown data source '%s'", source);
		return EXIT_FAILED;
	}
	name = virDomainGetHostname(dom, flags);
	if (!name)
		return say_failed(ctl, "failed to get hostname");
	say_value(ctl, "hostname", name);
	return EXIT_OK;
}

static int run_guestinfo(struct ctl *ctl, const struct args *args,
			 virDomainPtr dom)
{
	static const struct flag_option types[] = {
		{ "user", VIR_DOMAIN_GUEST_INFO_USERS },
		{ "os", VIR_DOMAIN_GUEST_INFO_OS },
		{ "timezone", VIR_DOMAIN_GUEST_INFO_TIMEZONE },
		{ "hostname", VIR_DOMAIN_GUEST_INFO_HOSTNAME },
		{ "filesystem", VIR_DOMAIN_GUEST_INFO_FILESYSTEM },
		{ "disk", VIR_DOMAIN_GUEST_INFO_DISKS },
		{ "interface", VIR_DOMAIN_GUEST_INFO_INTERFACES },
		{ NULL },
	};
	_cleanup_params_ struct params p = { NULL };

	if (virDomainGetGuestInfo(dom, args_flags(args, types), &p.v, &p.n, 0) <
	    0)
		return say_failed(ctl, NULL);
	params_print(ctl, &p, "", 20, ": ");
	return EXIT_OK;
}

/* ---- users ---- */

static int run_get_user_sshkeys(struct ctl *ctl, const struct args *args,
				virDomainPtr dom)
{
	char **keys = NULL;
	int n = virDomainAuthorizedSSHKeysGet(dom, args_get(args, "user"),
					      &keys, 0);

	if (n < 0)
		return say_failed(ctl, NULL);
	for (int i = 0; i < n; i++) {
		printf("%s", keys[i]);
		free(keys[i]);
	}
	free(keys);
	return EXIT_OK;
}

enum { KEYS_MAX = 256 };

/* The lines of a text; modifies it. */
static unsigned int lines(char *text, const char **ret)
{
	unsigned int n = 0;
	char *save, *line;

	for (line = strtok_r(text, "\n", &save); line && n < KEYS_MAX;
	     line = strtok_r(NULL, "\n", &save))
		ret[n++] = line;
	return n;
}

static int run_set_user_sshkeys(struct ctl *ctl, const struct args *args,
				virDomainPtr dom)
{
	bool reset = args_has(args, "reset"), remove = args_has(args, "remove");
	const char *keys[KEYS_MAX], *file = args_get(args, "file");
	_cleanup_free_ char *text = NULL;
	unsigned int n = 0, flags = 0;

	if (args_exclusive(args, "reset", "remove") < 0)
		return EXIT_FAILED;
	if (!reset) {
		flags = remove ? VIR_DOMAIN_AUTHORIZED_SSH_KEYS_SET_REMOVE
			       : VIR_DOMAIN_AUTHORIZED_SSH_KEYS_SET_APPEND;
		if (!file) {
			say_error("Option --file is required");
			return EXIT_FAILED;
		}
	}
	if (file) {
		text = read_xml_file(file);
		if (!text)
			return EXIT_FAILED;
		n = lines(text, keys);
		if (!n) {
			say_error("File %s contains no keys", file);
			return EXIT_FAILED;
		}
	}
	if (virDomainAuthorizedSSHKeysSet(dom, args_get(args, "user"), keys, n,
					  flags) < 0)
		return say_failed(ctl, NULL);
	return EXIT_OK;
}

static int run_set_user_password(struct ctl *ctl, const struct args *args,
				 virDomainPtr dom)
{
	const char *user = args_get(args, "user");

	if (virDomainSetUserPassword(dom, user, args_get(args, "password"),
				     args_has(args, "encrypted")
					     ? VIR_DOMAIN_PASSWORD_ENCRYPTED
					     : 0) < 0)
		return say_failed(ctl, NULL);
	say(ctl, "Password set successfully for %s in %s", user,
	    args_get(args, "domain"));
	return EXIT_OK;
}

static int run_guest_agent_timeout(struct ctl *ctl, const struct args *args,
				   virDomainPtr dom)
{
	int timeout = VIR_DOMAIN_AGENT_RESPONSE_TIMEOUT_BLOCK;

	if (args_int(args, "timeout", &timeout) < 0)
		return EXIT_FAILED;
	if (virDomainAgentSetResponseTimeout(dom, timeout, 0) < 0)
		return say_failed(ctl, NULL);
	return EXIT_OK;
}

const struct command family_agent[] = {
	{ .name = "domfsfreeze",
	  .group = "domain",
	  .summary = "freeze the file systems of a guest",
	  .opts = OPTS(OPT_DOMAIN(complete_active), REST("mountpoint")),
	  .on_domain = run_domfsfreeze },
	{ .name = "domfsthaw",
	  .group = "domain",
	  .summary = "thaw the file systems of a guest",
	  .opts = OPTS(OPT_DOMAIN(complete_active), REST("mountpoint")),
	  .on_domain = run_domfsthaw },
	{ .name = "domfsinfo",
	  .group = "domain",
	  .summary = "list the file systems of a guest",
	  .opts = OPTS(OPT_DOMAIN(complete_active)),
	  .on_domain = run_domfsinfo },
	{ .name = "domfstrim",
	  .group = "domain",
	  .summary = "give back the unused blocks of a guest",
	  .opts = OPTS(OPT_DOMAIN(complete_active), NUMBER("minimum"),
		       STRING("mountpoint")),
	  .on_domain = run_domfstrim },
	{ .name = "domhostname",
	  .group = "domain",
	  .summary = "the name that a guest has",
	  .opts = OPTS(OPT_DOMAIN(complete_active),
		       STRING("source", "who is asked: lease or agent")),
	  .on_domain = run_domhostname },
	{ .name = "guestinfo",
	  .group = "domain",
	  .summary = "what a guest tells about itself",
	  .opts = OPTS(OPT_DOMAIN(complete_active),
		       FLAG("user", "users that are logged in"), FLAG("os"),
		       FLAG("timezone"), FLAG("hostname"), FLAG("filesystem"),
		       FLAG("disk"), FLAG("interface", "network interfaces")),
	  .on_domain = run_guestinfo },
	{ .name = "get-user-sshkeys",
	  .group = "domain",
	  .summary = "list the ssh keys of a user in a guest",
	  .opts = OPTS(OPT_DOMAIN(complete_active), DATA("user")),
	  .on_domain = run_get_user_sshkeys },
	{ .name = "set-user-sshkeys",
	  .group = "domain",
	  .summary = "change the ssh keys of a user in a guest",
	  .opts = OPTS(OPT_DOMAIN(complete_active), DATA("user"),
		       STRING("file", "file with keys"), FLAG("reset"),
		       FLAG("remove")),
	  .on_domain = run_set_user_sshkeys },
	{ .name = "set-user-password",
	  .group = "domain",
	  .summary = "set the password of a user in a guest",
	  .opts = OPTS(OPT_DOMAIN(complete_active), DATA("user"),
		       DATA("password"), FLAG("encrypted")),
	  .on_domain = run_set_user_password },
	{ .name = "guest-agent-timeout",
	  .group = "domain",
	  .summary = "set how long the agent may take",
	  .opts = OPTS(
		  OPT_DOMAIN(complete_active),
		  NAMED_NUMBER(
			  "timeout",
			  "seconds; -2 waits for ever, -1 is the default")),
	  .on_domain = run_guest_agent_timeout },
	{ NULL },
};
