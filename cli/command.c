/*
 * cli/command.c -- finds a command, reads its words, runs it.
 */
#include "cli/command.h"

#include <errno.h>
#include <string.h>

#include "cli/output.h"

#define COMMAND(name) extern const struct command cmd_##name;
#include "cli/commands.h"
#undef COMMAND

const struct command *const commands[] = {
#define COMMAND(name) &cmd_##name,
#include "cli/commands.h"
#undef COMMAND
	NULL,
};

const struct command *command_find(const char *name)
{
	for (size_t i = 0; commands[i]; i++)
		if (str_eq(commands[i]->name, name))
			return commands[i];
	return NULL;
}

static bool is_positional(const struct opt *opt)
{
	return opt->kind == OPT_ARG || opt->kind == OPT_ARG_MAYBE;
}

static void usage_word(const struct opt *opt, FILE *to)
{
	static const char *const shape[] = {
		[OPT_FLAG] = " [--%s]",
		[OPT_VALUE] = " [--%s <value>]",
		[OPT_ARG] = " <%s>",
		[OPT_ARG_MAYBE] = " [<%s>]",
	};

	fprintf(to, shape[opt->kind], opt->name);
}

void command_usage(const struct command *cmd, FILE *to)
{
	fprintf(to, "  NAME\n    %s - %s\n\n  SYNOPSIS\n    %s", cmd->name,
		cmd->summary, cmd->name);
	for (const struct opt *o = cmd->opts; o->name; o++)
		usage_word(o, to);
	fprintf(to, "\n\n");
	if (cmd->details)
		fprintf(to, "  DESCRIPTION\n    %s\n\n", cmd->details);
	if (cmd->opts[0].name)
		fprintf(to, "  OPTIONS\n");
	for (const struct opt *o = cmd->opts; o->name; o++)
		fprintf(to, "    %s%-20s %s\n", is_positional(o) ? "" : "--",
			o->name, o->help);
}

static int find_opt(const struct command *cmd, const char *name, size_t len)
{
	for (int i = 0; cmd->opts[i].name; i++)
		if (strlen(cmd->opts[i].name) == len &&
		    strncmp(cmd->opts[i].name, name, len) == 0)
			return i;
	return -1;
}

static int next_positional(const struct args *args)
{
	for (int i = 0; args->cmd->opts[i].name; i++)
		if (is_positional(&args->cmd->opts[i]) && !args->value[i])
			return i;
	return -1;
}

/* "--name", "--name value" or "--name=value"; returns words used, or -1. */
static int parse_named(struct args *args, int argc, char **argv)
{
	const char *name = argv[0] + 2, *eq = strchr(name, '=');
	size_t len = eq ? (size_t)(eq - name) : strlen(name);
	int i = find_opt(args->cmd, name, len);

	if (i < 0) {
		say_error("command '%s' doesn't support option --%.*s",
			  args->cmd->name, (int)len, name);
		return -1;
	}
	if (args->cmd->opts[i].kind == OPT_FLAG) {
		args->value[i] = "";
		return 1;
	}
	if (!eq && argc < 2) {
		say_error("option --%s needs a value", args->cmd->opts[i].name);
		return -1;
	}
	args->value[i] = eq ? eq + 1 : argv[1];
	return eq ? 1 : 2;
}

static int parse_positional(struct args *args, char *word)
{
	int i = next_positional(args);

	if (i < 0) {
		say_error("unexpected data '%s'", word);
		return -1;
	}
	args->value[i] = word;
	return 1;
}

static int check_required(const struct args *args)
{
	int i;

	for (i = 0; args->cmd->opts[i].name; i++) {
		if (args->cmd->opts[i].kind == OPT_ARG && !args->value[i]) {
			say_error("command '%s' requires <%s> option",
				  args->cmd->name, args->cmd->opts[i].name);
			return -EINVAL;
		}
	}
	return 0;
}

int args_parse(const struct command *cmd, int argc, char **argv,
	       struct args *ret_args)
{
	bool only_data = false;
	int used;

	*ret_args = (struct args){ .cmd = cmd };
	for (; argc > 0; argc -= used, argv += used) {
		if (!only_data && str_eq(argv[0], "--")) {
			only_data = true;
			used = 1;
			continue;
		}
		used = !only_data && str_startswith(argv[0], "--")
			       ? parse_named(ret_args, argc, argv)
			       : parse_positional(ret_args, argv[0]);
		if (used < 0)
			return -EINVAL;
	}
	return check_required(ret_args);
}

const char *args_get(const struct args *args, const char *name)
{
	int i = find_opt(args->cmd, name, strlen(name));

	return i < 0 ? NULL : args->value[i];
}

bool args_has(const struct args *args, const char *name)
{
	return args_get(args, name) != NULL;
}

int args_number(const struct args *args, const char *name, unsigned long max,
		unsigned long *ret)
{
	const char *text = args_get(args, name);
	uint64_t value;

	if (!text)
		return 0;
	if (parse_u64(text, 10, max, &value) < 0) {
		say_error("'%s' is not a number from 0 to %lu for --%s", text,
			  max, name);
		return -1;
	}
	*ret = value;
	return 1;
}

static bool wants_help(int argc, char **argv)
{
	for (int i = 0; i < argc && !str_eq(argv[i], "--"); i++)
		if (str_eq(argv[i], "--help"))
			return true;
	return false;
}

int command_run(struct ctl *ctl, int argc, char **argv)
{
	const struct command *cmd = command_find(argv[0]);
	struct args args;

	if (!cmd) {
		say_error("unknown command: '%s' (see 'vireo help')", argv[0]);
		return EXIT_USAGE;
	}
	if (wants_help(argc - 1, argv + 1)) {
		command_usage(cmd, stdout);
		return EXIT_OK;
	}
	if (args_parse(cmd, argc - 1, argv + 1, &args) < 0)
		return EXIT_USAGE;
	if (!cmd->local && !ctl_connect(ctl))
		return EXIT_CONNECT;
	return cmd->run(ctl, &args);
}
