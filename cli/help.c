/*
 * cli/help.c -- help and manual, from the commands' tables.
 */
#include <ctype.h>
#include <string.h>

#include "cli/command.h"
#include "cli/groups.h"
#include "cli/output.h"

const struct group groups[] = {
	{ "domain", "Domain Management" }, { "monitor", "Domain Monitoring" },
	{ "events", "Domain Events" },	   { "host", "Host and Hypervisor" },
	{ "checkpoint", "Checkpoint" },	   { "interface", "Interface" },
	{ "filter", "Network Filter" },	   { "network", "Networking" },
	{ "nodedev", "Node Device" },	   { "secret", "Secret" },
	{ "snapshot", "Snapshot" },	   { "backup", "Backup" },
	{ "pool", "Storage Pool" },	   { "volume", "Storage Volume" },
	{ "vireo", "Vireo itself" },	   { NULL },
};

int group_index(const char *keyword)
{
	int i;

	for (i = 0; groups[i].keyword; i++)
		if (str_eq(groups[i].keyword, keyword))
			break;
	return i;
}

/* How the option stands in a synopsis. */
static char *usage_word(const struct opt *o)
{
	if (o->kind == OPT_REST)
		return xasprintf(o->required ? "<%s>..." : "[<%s>]...",
				 o->name);
	if (o->required)
		return xasprintf("<%s>", o->name);
	if (o->kind == OPT_FLAG)
		return xasprintf("[--%s]", o->name);
	if (o->kind == OPT_MAYBE)
		return xasprintf("[<%s>]", o->name);
	return xasprintf("[--%s <%s>]", o->name,
			 o->kind == OPT_NUMBER ? "number" : "string");
}

/* ... and in the list below it. */
static char *list_word(const struct opt *o)
{
	const char *type = o->kind == OPT_NUMBER ? "number" : "string";

	if (o->kind == OPT_FLAG)
		return xasprintf("--%s", o->name);
	if (o->kind == OPT_STRING || (o->kind == OPT_NUMBER && !o->required))
		return xasprintf("--%s <%s>", o->name, type);
	return xasprintf("[--%s] <%s>", o->name, type);
}

static void synopsis(const struct command *cmd, FILE *to)
{
	fputs(cmd->name, to);
	for (const struct opt *o = cmd->opts; o && o->name; o++) {
		_cleanup_free_ char *word = usage_word(o);

		if (o->kind != OPT_ALIAS)
			fprintf(to, " %s", word);
	}
}

void command_usage(const struct command *cmd, FILE *to)
{
	fprintf(to, "  NAME\n    %s - %s\n\n  SYNOPSIS\n    ", cmd->name,
		cmd->summary);
	synopsis(cmd, to);
	fprintf(to, "\n\n");
	if (cmd->details)
		fprintf(to, "  DESCRIPTION\n    %s\n\n", cmd->details);
	if (cmd->opts)
		fprintf(to, "  OPTIONS\n");
	for (const struct opt *o = cmd->opts; o && o->name; o++) {
		_cleanup_free_ char *word = list_word(o);

		if (o->kind != OPT_ALIAS)
			fprintf(to, "    %-15s  %s\n", word, opt_help(o));
	}
	fprintf(to, "\n");
}

static void help_group(const struct group *g)
{
	const struct command *const *all;
	size_t n = commands_all(&all);

	printf(" %s (help keyword '%s'):\n", g->title, g->keyword);
	for (size_t i = 0; i < n; i++)
		if (str_eq(all[i]->group, g->keyword))
			printf("    %-30s %s\n", all[i]->name, all[i]->summary);
	printf("\n");
}

int help_run(const char *name)
{
	const struct command *cmd = name ? command_find(name) : NULL;
	int g = name ? group_index(name) : 0;

	if (cmd) {
		command_usage(cmd, stdout);
	} else if (name && !groups[g].keyword) {
		say_error("command or command group '%s' doesn't exist", name);
		return EXIT_FAILED;
	} else if (name) {
		help_group(&groups[g]);
	} else {
		printf("Grouped commands:\n\n");
		for (const struct group *all = groups; all->keyword; all++)
			help_group(all);
	}
	return EXIT_OK;
}

/* ---- the manual ---- */

/* Text for roff: hyphens and quotes as they are, no line a request. */
static void roff(const char *text)
{
	for (; *text; text++) {
		if (*text == '-' || *text == '\\')
			putchar('\\');
		if (*text == '\'')
			fputs("\\(aq", stdout);
		else
			putchar(*text);
	}
}

static void manual_option(const struct opt *o)
{
	_cleanup_free_ char *word = list_word(o);

	if (o->kind == OPT_ALIAS)
		return;
	printf(".TP\n.B ");
	roff(word);
	printf("\n");
	roff(opt_help(o));
	printf("\n");
}

static void manual_synopsis(const struct command *cmd)
{
	_cleanup_free_ char *text = NULL;
	size_t size;
	FILE *f = open_memstream(&text, &size);

	synopsis(cmd, f);
	fclose(f);
	printf(".B ");
	roff(text);
	printf("\n");
}

static void manual_command(const struct command *cmd)
{
	printf(".SS ");
	roff(cmd->name);
	printf("\n");
	manual_synopsis(cmd);
	printf(".PP\n%c", toupper((unsigned char)cmd->summary[0]));
	roff(cmd->summary + 1);
	printf(".\n");
	if (cmd->details) {
		roff(cmd->details);
		printf("\n");
	}
	for (const struct opt *o = cmd->opts; o && o->name; o++)
		manual_option(o);
}

void manual_print(void)
{
	const struct command *const *all;
	size_t n = commands_all(&all);

	for (const struct group *g = groups; g->keyword; g++) {
		printf(".SH \"%s COMMANDS\"\n", g->title);
		for (size_t i = 0; i < n; i++)
			if (str_eq(all[i]->group, g->keyword))
				manual_command(all[i]);
	}
}
