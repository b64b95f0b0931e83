/*
 * cli/command.h -- what a command is: one entry of a table that is its usage,
 * help, completion and manual entry, and the call that runs it.
 *
 * Commands live in families, a file each (cli/families.h).  To add one, see
 * docs/HACKING.md.
 */
#ifndef CLI_COMMAND_H
#define CLI_COMMAND_H

#include <libvirt/libvirt.h>
#include <libvirt/virterror.h>

#include "base/util.h"

struct ctl;
struct args;

/* Exit statuses, in the man page too. */
enum { EXIT_OK, EXIT_FAILED, EXIT_USAGE, EXIT_CONNECT };

/*
 * All but flags and aliases can be given by name (--file x, --file=x) or, in
 * the table's order, by position.
 */
enum opt_kind {
	OPT_FLAG,   /* --all */
	OPT_STRING, /* [--timeout <string>] */
	OPT_NUMBER, /* [--timeout <number>] */
	OPT_MAYBE,  /* [<file>]: usually given by position */
	OPT_REST,   /* [<word>]...: all the words that are left */
	OPT_ALIAS /* another name; help says of what: "name" or "name=value" */
};

typedef void complete_fn(struct ctl *ctl, const char *prefix);

struct opt {
	const char *name;
	const char *help; /* "": cli/words.c explains the name */
	enum opt_kind kind;
	bool required, by_name; /* by_name: never by position */
	complete_fn *complete;	/* NULL: cli/words.c's, or files */
};

/* The usual entries of .opts: a name, and a help text where it needs one. */
#define FLAG(n, ...)                                                \
	{                                                           \
		.name = n, .help = "" __VA_ARGS__, .kind = OPT_FLAG \
	}
#define STRING(n, ...)                                                \
	{                                                             \
		.name = n, .help = "" __VA_ARGS__, .kind = OPT_STRING \
	}
#define NUMBER(n, ...)                                                \
	{                                                             \
		.name = n, .help = "" __VA_ARGS__, .kind = OPT_NUMBER \
	}
#define MAYBE(n, ...)                                                \
	{                                                            \
		.name = n, .help = "" __VA_ARGS__, .kind = OPT_MAYBE \
	}
#define REST(n, ...)                                                \
	{                                                           \
		.name = n, .help = "" __VA_ARGS__, .kind = OPT_REST \
	}
#define ALIAS(n, of)                                     \
	{                                                \
		.name = n, .help = of, .kind = OPT_ALIAS \
	}
/* Required: a word, a number. */
#define DATA(n, ...)                                                 \
	{                                                            \
		.name = n, .help = "" __VA_ARGS__, .required = true, \
		.kind = OPT_MAYBE                                    \
	}
#define DATA_NUMBER(n, ...)                                          \
	{                                                            \
		.name = n, .help = "" __VA_ARGS__, .required = true, \
		.kind = OPT_NUMBER                                   \
	}
#define NAMED(n, ...)                                               \
	{                                                           \
		.name = n, .help = "" __VA_ARGS__, .by_name = true, \
		.kind = OPT_STRING                                  \
	}
#define NAMED_NUMBER(n, ...)                                        \
	{                                                           \
		.name = n, .help = "" __VA_ARGS__, .by_name = true, \
		.kind = OPT_NUMBER                                  \
	}
#define OPTS(...)            \
	(const struct opt[]) \
	{                    \
		__VA_ARGS__, \
		{            \
			NULL \
		}            \
	}

/* The option every command about one domain begins with. */
#define OPT_DOMAIN(completer)                                    \
	{                                                        \
		.name = "domain", .help = "", .kind = OPT_MAYBE, \
		.required = true, .complete = completer          \
	}
/* Which of a domain's two definitions: see args_affect(). */
#define OPTS_AFFECT FLAG("config"), FLAG("live"), FLAG("current")

enum { OPTS_MAX = 96, REST_MAX = 256 };

struct command {
	const char *name;
	const char *group;	/* "domain", ...: the keywords in cli/help.c */
	const char *summary;	/* one line, no capital, no full stop */
	const char *details;	/* further sentences for help and manual */
	bool local;		/* needs no connection */
	const struct opt *opts; /* OPTS(), or NULL */
	int (*run)(struct ctl *ctl, const struct args *args);
	/* Instead of run: with what the option "domain" names. */
	int (*on_domain)(struct ctl *ctl, const struct args *args,
			 virDomainPtr dom);
	const char *alias; /* not shown: another name of this command */
};

struct args {
	const struct command *cmd;
	const char *value[OPTS_MAX]; /* "" for a flag that is set */
	const char *rest[REST_MAX];  /* of OPT_REST, ends with NULL */
	int n_rest;
};

enum ctl_output { OUTPUT_TABLE, OUTPUT_JSON, OUTPUT_YAML };

struct ctl {
	virConnectPtr conn; /* NULL until a command needs it */
	const char *uri;
	bool readonly;
	bool quiet;
	bool color;
	bool interactive;
	bool quit;
	bool muted;    /* completing: errors are not shown */
	bool describe; /* completing: with the help text behind a tab */
	enum ctl_output output;
};

/* All commands in help's order: group by group, by name in each. */
size_t commands_all(const struct command *const **ret);
const struct command *command_find(const char *name);
/* One command line already split into words: returns an exit status. */
int command_run(struct ctl *ctl, int argc, char **argv);

/* Reads words into ret_args; says what is wrong on stderr. */
int args_parse(const struct command *cmd, int argc, char **argv,
	       struct args *ret_args);

/* cli/help.c */
void command_usage(const struct command *cmd, FILE *to);
int help_run(const char *name); /* NULL: all commands, by group */
void manual_print(void);	/* the commands' part of vireo(1) */

/* cli/words.c: what option names mean wherever they occur. */
const char *opt_help(const struct opt *opt);
complete_fn *opt_complete(const struct opt *opt);

/* cli/connect.c */
virConnectPtr ctl_connect(struct ctl *ctl); /* NULL: said why */
void ctl_disconnect(struct ctl *ctl);
/* What the option "domain" names; NULL: said why. */
virDomainPtr ctl_domain(struct ctl *ctl, const struct args *args);
virDomainPtr ctl_domain_named(struct ctl *ctl, const char *name);

/* cli/complete.c */
complete_fn complete_domains, complete_active, complete_inactive;
complete_fn complete_commands, complete_pools, complete_networks;
complete_fn complete_secrets, complete_interfaces, complete_nodedevs;
complete_fn complete_nwfilters;
void complete_offer(const char *word, const char *prefix); /* if it fits */
/* Prints candidates for the last of words, a line each. */
void complete_words(struct ctl *ctl, int argc, char **argv);
void complete_to(void (*emit)(const char *word)); /* instead of printing */

#endif
