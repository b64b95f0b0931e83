/*
 * cli/cmd-shell.c -- commands of the shell itself: connect, help, quit, exit.
 */
#include <string.h>

#include "cli/args.h"
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

static int run_help(struct ctl *ctl, const struct args *args)
{
	(void)ctl;
	return help_run(args_get(args, "command"));
}

static int run_quit(struct ctl *ctl, const struct args *args)
{
	(void)args;
	ctl->quit = true;
	return EXIT_OK;
}

const struct command family_shell[] = {
	{
		.name = "connect",
		.group = "vireo",
		.summary = "(re)connect to hypervisor",
		.local = true,
		.opts = OPTS(MAYBE("name", "hypervisor connection URI"),
			     FLAG("readonly", "read-only connection")),
		.run = run_connect,
	},
	{
		.name = "help",
		.group = "vireo",
		.summary = "print help",
		.local = true,
		.opts = OPTS({ .name = "command",
			       .kind = OPT_MAYBE,
			       .help = "a command, or a group of them",
			       .complete = complete_commands }),
		.run = run_help,
	},
	{
		.name = "quit",
		.group = "vireo",
		.summary = "quit this interactive terminal",
		.local = true,
		.run = run_quit,
	},
	{
		.name = "exit",
		.group = "vireo",
		.summary = "quit this interactive terminal",
		.local = true,
		.run = run_quit,
	},
	{ NULL },
};
