/*
 * cli/complete.c -- what could stand in place of the word being typed.
 *
 * One function serves the shells' completions (vireo __complete WORD...) and
 * the interactive mode: candidates go to a sink, standard output by default.
 */
#include <string.h>

#include "cli/output.h"

static void print_word(const char *word)
{
	puts(word);
}

static void (*sink)(const char *word) = print_word;

void complete_to(void (*emit)(const char *word))
{
	sink = emit ? emit : print_word;
}

void complete_offer(const char *word, const char *prefix)
{
	if (word && str_startswith(word, prefix))
		sink(word);
}

/* The same with its meaning, for shells that show one. */
static void offer_described(struct ctl *ctl, const char *word,
			    const char *prefix, const char *help)
{
	_cleanup_free_ char *both = NULL;

	if (!ctl->describe) {
		complete_offer(word, prefix);
		return;
	}
	both = xasprintf("%s\t%s", word, help);
	if (str_startswith(word, prefix))
		sink(both);
}

static void offer_domains(struct ctl *ctl, const char *prefix,
			  unsigned int flags)
{
	virDomainPtr *doms = NULL;
	int n;

	if (!ctl_connect(ctl))
		return;
	n = virConnectListAllDomains(ctl->conn, &doms, flags);
	for (int i = 0; i < n; i++) {
		complete_offer(virDomainGetName(doms[i]), prefix);
		virDomainFree(doms[i]);
	}
	free(doms);
}

void complete_domains(struct ctl *ctl, const char *prefix)
{
	offer_domains(ctl, prefix, 0);
}

void complete_active(struct ctl *ctl, const char *prefix)
{
	offer_domains(ctl, prefix, VIR_CONNECT_LIST_DOMAINS_ACTIVE);
}

void complete_inactive(struct ctl *ctl, const char *prefix)
{
	offer_domains(ctl, prefix, VIR_CONNECT_LIST_DOMAINS_INACTIVE);
}

/* Objects that have a name: one shape for all their lists. */
#define COMPLETE_OBJECTS(what, type, list, name, freer)           \
	void complete_##what(struct ctl *ctl, const char *prefix) \
	{                                                         \
		type *all = NULL;                                 \
		int n;                                            \
                                                                  \
		if (!ctl_connect(ctl))                            \
			return;                                   \
		n = list(ctl->conn, &all, 0);                     \
		for (int i = 0; i < n; i++) {                     \
			complete_offer(name(all[i]), prefix);              \
			freer(all[i]);                            \
		}                                                 \
		free(all);                                        \
	}

COMPLETE_OBJECTS(pools, virStoragePoolPtr, virConnectListAllStoragePools,
		 virStoragePoolGetName, virStoragePoolFree)
COMPLETE_OBJECTS(networks, virNetworkPtr, virConnectListAllNetworks,
		 virNetworkGetName, virNetworkFree)
COMPLETE_OBJECTS(secrets, virSecretPtr, virConnectListAllSecrets,
		 virSecretGetUsageID, virSecretFree)
COMPLETE_OBJECTS(interfaces, virInterfacePtr, virConnectListAllInterfaces,
		 virInterfaceGetName, virInterfaceFree)
COMPLETE_OBJECTS(nodedevs, virNodeDevicePtr, virConnectListAllNodeDevices,
		 virNodeDeviceGetName, virNodeDeviceFree)
COMPLETE_OBJECTS(nwfilters, virNWFilterPtr, virConnectListAllNWFilters,
		 virNWFilterGetName, virNWFilterFree)

void complete_commands(struct ctl *ctl, const char *prefix)
{
	const struct command *const *all;
	size_t n = commands_all(&all);

	for (size_t i = 0; i < n; i++)
		offer_described(ctl, all[i]->name, prefix, all[i]->summary);
}

static bool is_positional(const struct opt *o)
{
	return o->kind == OPT_REST ||
	       (o->kind != OPT_FLAG && o->kind != OPT_ALIAS && !o->by_name);
}

static void offer_options(struct ctl *ctl, const struct command *cmd,
			  const char *prefix)
{
	for (const struct opt *o = cmd->opts; o && o->name; o++) {
		_cleanup_free_ char *word = xasprintf("--%s", o->name);

		if (o->kind != OPT_ALIAS && (!o->required || prefix[2]))
			offer_described(ctl, word, prefix, opt_help(o));
	}
}

static const struct opt *find_value_opt(const struct command *cmd,
					const char *word)
{
	if (!str_startswith(word, "--"))
		return NULL;
	for (const struct opt *o = cmd->opts; o && o->name; o++)
		if (o->kind != OPT_FLAG && str_eq(o->name, word + 2))
			return o;
	return NULL;
}

/* The positional that the last word would fill. */
static const struct opt *next_opt(const struct command *cmd, int argc,
				  char **argv)
{
	const struct opt *o;
	int skip = 0;

	for (int i = 1; i < argc - 1; i++) {
		if (find_value_opt(cmd, argv[i]))
			i++;
		else if (!str_startswith(argv[i], "--"))
			skip++;
	}
	for (o = cmd->opts; o && o->name; o++)
		if (is_positional(o) && (o->kind == OPT_REST || skip-- == 0))
			return o;
	return NULL;
}

void complete_words(struct ctl *ctl, int argc, char **argv)
{
	const char *word = argc ? argv[argc - 1] : "";
	const struct command *cmd;
	const struct opt *opt;
	complete_fn *complete;

	ctl->muted = true;
	if (argc <= 1) {
		complete_commands(ctl, word);
		return;
	}
	cmd = command_find(argv[0]);
	if (!cmd)
		return;
	opt = find_value_opt(cmd, argv[argc - 2]);
	if (!opt && str_startswith(word, "-")) {
		offer_options(ctl, cmd, word);
		return;
	}
	if (!opt)
		opt = next_opt(cmd, argc, argv);
	complete = opt ? opt_complete(opt) : NULL;
	if (complete)
		complete(ctl, word);
}
