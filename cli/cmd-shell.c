/*
 * cli/cmd-shell.c -- commands of the shell itself: connect, help, quit, exit.
 */
#include <string.h>

#include "cli/output.h"

static int run_connect(struct ctl *ctl, const struct args *args)
{
	const char *uri = args_get(args, "name");

	ctl_disconnect(ctl);
	ctl->readonly = args_has(args, "readonly");
	if (uri) /* kept for reconnecting: as long as the program runs */
		ctl->uri = xstrdup(uri);
	return ctl_connect(ctl) ? EXIT_OK : EXIT_CONNECT;
}

static void help_all(void)
{
	static const char *const groups[] = { "domain", "host", "shell" };

	printf("Grouped commands:\n");
	for (size_t g = 0; g < ARRAY_SIZE(groups); g++) {
		printf("\n %s\n", groups[g]);
		for (size_t i = 0; commands[i]; i++)
			if (str_eq(commands[i]->group, groups[g]))
				printf("    %-20s %s\n", commands[i]->name,
				       commands[i]->summary);
	}
}

static int run_help(struct ctl *ctl, const struct args *args)
{
	const char *name = args_get(args, "command");
	const struct command *cmd;

	(void)ctl;
	if (!name) {
		help_all();
		return EXIT_OK;
	}
	cmd = command_find(name);
	if (!cmd) {
		say_error("command '%s' doesn't exist", name);
		return EXIT_USAGE;
	}
	command_usage(cmd, stdout);
	return EXIT_OK;
}

static int run_quit(struct ctl *ctl, const struct args *args)
{
	(void)args;
	ctl->quit = true;
	return EXIT_OK;
}

const struct command cmd_connect = {
	.name = "connect",
	.group = "shell",
	.summary = "(re)connect to hypervisor",
	.local = true,
	.opts = { { OPT_ARG_MAYBE, "name", "hypervisor connection URI" },
		  { OPT_FLAG, "readonly", "read-only connection" } },
	.run = run_connect,
};

const struct command cmd_help = {
	.name = "help",
	.group = "shell",
	.summary = "print help",
	.local = true,
	.opts = { { OPT_ARG_MAYBE, "command", "prints help on this command",
		    complete_commands } },
	.run = run_help,
};

const struct command cmd_quit = {
	.name = "quit",
	.group = "shell",
	.summary = "quit this interactive terminal",
	.local = true,
	.run = run_quit,
};

const struct command cmd_exit = {
	.name = "exit",
	.group = "shell",
	.summary = "quit this interactive terminal",
	.local = true,
	.run = run_quit,
};
