/*
 * cli/command.c -- finds a command, reads its words, runs it.
 */
#include "cli/command.h"

#include <errno.h>
#include <string.h>

#include "cli/groups.h"
#include "cli/output.h"

#define FAMILY(name) extern const struct command family_##name[];
#include "cli/families.h"
#undef FAMILY

static const struct command *const families[] = {
#define FAMILY(name) family_##name,
#include "cli/families.h"
#undef FAMILY
};

enum { COMMANDS_MAX = 512 };

static int by_group_and_name(const void *pa, const void *pb)
{
	const struct command *a = *(const struct command *const *)pa;
	const struct command *b = *(const struct command *const *)pb;
	int ga = group_index(a->group), gb = group_index(b->group);

	return ga != gb ? ga - gb : strcmp(a->name, b->name);
}

size_t commands_all(const struct command *const **ret)
{
	static const struct command *all[COMMANDS_MAX];
	static size_t n;

	*ret = all;
	if (n)
		return n;
	for (size_t f = 0; f < ARRAY_SIZE(families); f++)
		for (const struct command *c = families[f]; c->name; c++) {
			assert(n < COMMANDS_MAX);
			all[n++] = c;
		}
	qsort(all, n, sizeof(*all), by_group_and_name);
	return n;
}

const struct command *command_find(const char *name)
{
	for (size_t f = 0; f < ARRAY_SIZE(families); f++)
		for (const struct command *c = families[f]; c->name; c++)
			if (str_eq(c->name, name) || str_eq(c->alias, name))
				return c;
	return NULL;
}

/* Names may have '_' for '-', as virsh's older ones did. */
static bool same_name(const char *a, const char *b, size_t len)
{
	size_t i;

	for (i = 0; i < len; i++)
		if (a[i] != b[i] && !(a[i] == '-' && b[i] == '_'))
			return false;
	return !a[i];
}

static int find_opt(const struct command *cmd, const char *name, size_t len)
{
	for (int i = 0; cmd->opts && cmd->opts[i].name; i++)
		if (same_name(cmd->opts[i].name, name, len))
			return i;
	return -1;
}

static int next_positional(const struct args *args)
{
	const struct opt *o = args->cmd->opts;

	for (int i = 0; o && o[i].name; i++)
		if (o[i].kind == OPT_REST ||
		    (o[i].kind != OPT_FLAG && o[i].kind != OPT_ALIAS &&
		     !o[i].by_name && !args->value[i]))
			return i;
	return -1;
}

static const char *type_name(const struct opt *opt)
{
	return opt->kind == OPT_NUMBER ? "number" : "string";
}

static int set_value(struct args *args, int i, const char *value)
{
	const struct opt *o = &args->cmd->opts[i];

	if (o->kind != OPT_REST && args->value[i]) {
		say_error("option --%s already seen", o->name);
		return -1;
	}
	if (o->kind == OPT_REST && args->n_rest < REST_MAX - 1)
		args->rest[args->n_rest++] = value;
	args->value[i] = value;
	return 0;
}

/* What an alias stands for: its index, and a value it may imply. */
static int follow(const struct command *cmd, int i, const char **ret_value)
{
	const char *to, *eq;

	if (i < 0 || cmd->opts[i].kind != OPT_ALIAS)
		return i;
	to = cmd->opts[i].help;
	eq = strchr(to, '=');
	*ret_value = eq ? eq + 1 : NULL;
	return find_opt(cmd, to, eq ? (size_t)(eq - to) : strlen(to));
}

/* "--name", "--name value" or "--name=value"; returns words used, or -1. */
static int parse_named(struct args *args, int argc, char **argv)
{
	const char *name = argv[0] + 2, *eq = strchr(name, '='), *value = NULL;
	size_t len = eq ? (size_t)(eq - name) : strlen(name);
	int i = follow(args->cmd, find_opt(args->cmd, name, len), &value);

	if (i < 0) {
		say_error("command '%s' doesn't support option --%.*s",
			  args->cmd->name, (int)len, name);
		return -1;
	}
	if (value)
		return set_value(args, i, value) < 0 ? -1 : 1;
	if (args->cmd->opts[i].kind == OPT_FLAG) {
		if (eq)
			say_error("invalid '=' after option --%s",
				  args->cmd->opts[i].name);
		return eq || set_value(args, i, "") < 0 ? -1 : 1;
	}
	if (!eq && argc < 2) {
		say_error("expected syntax: --%s <%s>", args->cmd->opts[i].name,
			  type_name(&args->cmd->opts[i]));
		return -1;
	}
	if (set_value(args, i, eq ? eq + 1 : argv[1]) < 0)
		return -1;
	return eq ? 1 : 2;
}

static int parse_positional(struct args *args, char *word)
{
	int i = next_positional(args);

	if (i < 0) {
		say_error("unexpected data '%s'", word);
		return -1;
	}
	return set_value(args, i, word) < 0 ? -1 : 1;
}

static int check_required(const struct args *args)
{
	const struct opt *o = args->cmd->opts;

	for (int i = 0; o && o[i].name; i++) {
		if (!o[i].required || args->value[i])
			continue;
		if (o[i].kind == OPT_MAYBE || o[i].kind == OPT_REST)
			say_error("command '%s' requires <%s> option",
				  args->cmd->name, o[i].name);
		else
			say_error("command '%s' requires --%s option",
				  args->cmd->name, o[i].name);
		return -EINVAL;
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

static bool wants_help(int argc, char **argv)
{
	for (int i = 0; i < argc && !str_eq(argv[i], "--"); i++)
		if (str_eq(argv[i], "--help"))
			return true;
	return false;
}

static int run_on_domain(struct ctl *ctl, const struct args *args)
{
	virDomainPtr dom = ctl_domain(ctl, args);
	int status;

	if (!dom)
		return EXIT_FAILED;
	status = args->cmd->on_domain(ctl, args, dom);
	virDomainFree(dom);
	return status;
}

int command_run(struct ctl *ctl, int argc, char **argv)
{
	const struct command *cmd = command_find(argv[0]);
	struct args args;

	if (!cmd) {
		say_error("unknown command: '%s'", argv[0]);
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
	return cmd->on_domain ? run_on_domain(ctl, &args)
			      : cmd->run(ctl, &args);
}
