/*
 * cli/cmd-ssh.c -- into a guest by ssh, wherever its address is known.
 */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "cli/args.h"
#include "cli/output.h"

/* ---- the address ---- */

static bool is_reachable(const virDomainIPAddress *a)
{
	return a->type == VIR_IP_ADDR_TYPE_IPV4 ?
		       !str_startswith(a->addr, "127.") &&
			       !str_startswith(a->addr, "169.254.") :
		       !str_eq(a->addr, "::1") &&
			       strncasecmp(a->addr, "fe80:", 5) != 0;
}

/* The first address that ssh can use, IPv4 before IPv6; NULL: none. */
static char *choose(virDomainInterfacePtr *nics, int n)
{
	char *best = NULL;
	int kind = 0;

	for (int i = 0; i < n; i++) {
		for (unsigned int k = 0; k < nics[i]->naddrs; k++) {
			const virDomainIPAddress *a = &nics[i]->addrs[k];

			if (!is_reachable(a) || (best && a->type >= kind))
				continue;
			free(best);
			best = xstrdup(a->addr);
			kind = a->type;
		}
	}
	return best;
}

/* The guest knows best; leases may be old, and neighbours have to have
 * spoken. */
static char *find_address(virDomainPtr dom)
{
	static const unsigned int sources[] = {
		VIR_DOMAIN_INTERFACE_ADDRESSES_SRC_AGENT,
		VIR_DOMAIN_INTERFACE_ADDRESSES_SRC_LEASE,
		VIR_DOMAIN_INTERFACE_ADDRESSES_SRC_ARP,
	};
	char *found = NULL;

	for (size_t i = 0; i < ARRAY_SIZE(sources) && !found; i++) {
		virDomainInterfacePtr *nics = NULL;
		int n = virDomainInterfaceAddresses(dom, &nics, sources[i], 0);

		found = choose(nics, n);
		for (int k = 0; k < n; k++)
			virDomainInterfaceFree(nics[k]);
		free(nics);
	}
	return found;
}

/* ---- ssh ---- */

/* As a shell would have to read it. */
static void print_word(const char *word)
{
	static const char plain[] = "abcdefghijklmnopqrstuvwxyz"
				    "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
				    "0123456789@%_+=:,./-";

	if (*word && strspn(word, plain) == strlen(word)) {
		fputs(word, stdout);
		return;
	}
	putchar('\'');
	for (; *word; word++)
		if (*word == '\'')
			fputs("'\\''", stdout);
		else
			putchar(*word);
	putchar('\'');
}

static int print_command(char *const *argv)
{
	for (int i = 0; argv[i]; i++) {
		if (i)
			putchar(' ');
		print_word(argv[i]);
	}
	putchar('\n');
	return EXIT_OK;
}

enum { WORDS_MAX = REST_MAX + 16 };

static int run_ssh(struct ctl *ctl, const struct args *args, virDomainPtr dom)
{
	const char *user = args_get(args, "user");
	_cleanup_free_ char *address = find_address(dom), *target = NULL;
	char *argv[WORDS_MAX] = { (char *)"ssh" };
	int n = 1;

	if (!address) {
		say_error("no address of '%s' is known: it needs a guest agent, "
			  "a lease of a virtual network, or to have spoken to "
			  "this host",
			  virDomainGetName(dom));
		return EXIT_FAILED;
	}
	if (args_has(args, "port")) {
		argv[n++] = (char *)"-p";
		argv[n++] = (char *)args_get(args, "port");
	}
	if (args_has(args, "identity")) {
		argv[n++] = (char *)"-i";
		argv[n++] = (char *)args_get(args, "identity");
	}
	target = user ? xasprintf("%s@%s", user, address) : xstrdup(address);
	argv[n++] = (char *)"--";
	argv[n++] = target;
	for (int i = 0; i < args->n_rest; i++)
		argv[n++] = (char *)args->rest[i];
	if (args_has(args, "print-command"))
		return print_command(argv);
	fflush(stdout);
	execvp(argv[0], argv);
	say_error("cannot run ssh: %s", strerror(errno));
	return EXIT_FAILED;
}

const struct command family_ssh[] = {
	{
		.name = "ssh",
		.group = "domain",
		.summary = "log in to a guest by ssh",
		.details = "Its address is what its agent says, the lease of a "
			   "virtual network, or what this host's neighbour "
			   "table has. Words of a command that begin with -- "
			   "follow a -- of their own.",
		.opts = OPTS(OPT_DOMAIN(complete_active), NAMED("user"),
			     NAMED_NUMBER("port", "the guest's ssh port"),
			     NAMED("identity", "file with the private key"),
			     FLAG("print-command",
				  "print the command, do not run it"),
			     REST("command", "what to run there instead of a "
					     "shell")),
		.on_domain = run_ssh,
	},
	{ NULL },
};
