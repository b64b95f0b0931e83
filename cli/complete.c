/*
 * cli/complete.c -- what could stand in place of the word being typed.
 *
 * One function serves the shell's completion (vireo __complete WORD...) and
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

static void offer(const char *word, const char *prefix)
{
	if (str_startswith(word, prefix))
		sink(word);
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
		offer(virDomainGetName(doms[i]), prefix);
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

void complete_commands(struct ctl *ctl, const char *prefix)
{
	(void)ctl;
	for (size_t i = 0; commands[i]; i++)
		offer(commands[i]->name, prefix);
}

static void offer_options(const struct command *cmd, const char *prefix)
{
	_cleanup_free_ char *word = NULL;

	for (const struct opt *o = cmd->opts; o->name; o++) {
		free(word);
		word = xasprintf("--%s", o->name);
		if (o->kind == OPT_FLAG || o->kind == OPT_VALUE || prefix[2])
			offer(word, prefix);
	}
}

static const struct opt *find_value_opt(const struct command *cmd,
					const char *word)
{
	if (!str_startswith(word, "--"))
		return NULL;
	for (const struct opt *o = cmd->opts; o->name; o++)
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
	for (o = cmd->opts; o->name; o++)
		if ((o->kind == OPT_ARG || o->kind == OPT_ARG_MAYBE) &&
		    skip-- == 0)
			return o;
	return NULL;
}

void complete_words(struct ctl *ctl, int argc, char **argv)
{
	const char *word = argc ? argv[argc - 1] : "";
	const struct command *cmd;
	const struct opt *opt;

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
		offer_options(cmd, word);
		return;
	}
	if (!opt)
		opt = next_opt(cmd, argc, argv);
	if (opt && opt->complete)
		opt->complete(ctl, word);
}
