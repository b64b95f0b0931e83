/*
 * cli/cmd-shell.c -- commands of the shell itself: connect, help, quit, exit.
 */
#include <errno.h>
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

static int run_cd(struct ctl *ctl, const struct args *args)
{
	const char *dir = args_get(args, "dir");

	if (!ctl->interactive) {
		say_error("cd: command valid only in interactive mode");
		return EXIT_FAILED;
	}
	if (!dir)
		dir = getenv("HOME");
	if (chdir(dir ? dir : "/") == 0)
		return EXIT_OK;
	say_error("cd: %s: %s", strerror(errno), dir ? dir : "/");
	return EXIT_FAILED;
}

static int run_pwd(struct ctl *ctl, const struct args *args)
{
	_cleanup_free_ char *dir = getcwd(NULL, 0);

	(void)args;
	if (!dir) {
		say_error("pwd: cannot get current directory: %s",
			  strerror(errno));
		return EXIT_FAILED;
	}
	say_value(ctl, "directory", dir);
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
	{ .name = "cd",
	  .group = "vireo",
	  .summary = "change the current directory",
	  .local = true,
	  .opts = OPTS(MAYBE("dir")),
	  .run = run_cd },
	{ .name = "pwd",
	  .group = "vireo",
	  .summary = "print the current directory",
	  .local = true,
	  .run = run_pwd },
	{ NULL },
};
