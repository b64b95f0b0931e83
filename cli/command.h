/*
 * cli/command.h -- what a command is: one struct that is its usage, help,
 * completion and manual entry, and the call that runs it.
 *
 * To add one: copy a small file such as cli/cmd-suspend.c, and put its line
 * into cli/commands.h and cli/local.mk.
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

enum opt_kind {
	OPT_FLAG,     /* --all */
	OPT_VALUE,    /* --timeout N, by name only */
	OPT_ARG,      /* DOMAIN: by position or --domain, required */
	OPT_ARG_MAYBE /* the same, may be left out */
};

typedef void complete_fn(struct ctl *ctl, const char *prefix);

struct opt {
	enum opt_kind kind;
	const char *name;
	const char *help;
	complete_fn *complete; /* NULL: nothing to offer but files */
};

enum { OPTS_MAX = 40 };

struct command {
	const char *name;
	const char *group;	   /* "domain", "host", "shell" */
	const char *summary;	   /* one line, no capital, no full stop */
	const char *details;	   /* further sentences for help and manual */
	bool local;		   /* needs no connection */
	struct opt opts[OPTS_MAX]; /* ends with name NULL */
	int (*run)(struct ctl *ctl, const struct args *args);
};

struct args {
	const struct command *cmd;
	const char *value[OPTS_MAX]; /* "" for a flag that is set */
};

enum ctl_output { OUTPUT_TABLE, OUTPUT_JSON };

struct ctl {
	virConnectPtr conn; /* NULL until a command needs it */
	const char *uri;
	bool readonly;
	bool quiet;
	bool color;
	bool interactive;
	bool quit;
	bool muted; /* completing: errors are not shown */
	enum ctl_output output;
};

extern const struct command *const commands[]; /* NULL-terminated */
const struct command *command_find(const char *name);

/* Reads words into ret_args; says what is wrong on stderr. */
int args_parse(const struct command *cmd, int argc, char **argv,
	       struct args *ret_args);
const char *args_get(const struct args *args, const char *name);
bool args_has(const struct args *args, const char *name);
/* 0: left out, *ret untouched; 1: given; -1: not a number, said so. */
int args_number(const struct args *args, const char *name, unsigned long max,
		unsigned long *ret);

/* One command line already split into words: returns an exit status. */
int command_run(struct ctl *ctl, int argc, char **argv);
void command_usage(const struct command *cmd, FILE *to);

/* cli/connect.c */
virConnectPtr ctl_connect(struct ctl *ctl); /* NULL: said why */
void ctl_disconnect(struct ctl *ctl);
virDomainPtr ctl_domain(struct ctl *ctl, const struct args *args);

/* cli/complete.c */
void complete_domains(struct ctl *ctl, const char *prefix);
void complete_active(struct ctl *ctl, const char *prefix);
void complete_inactive(struct ctl *ctl, const char *prefix);
void complete_commands(struct ctl *ctl, const char *prefix);
/* Prints candidates for the last of words, a line each. */
void complete_words(struct ctl *ctl, int argc, char **argv);
void complete_to(void (*emit)(const char *word)); /* instead of printing */

/* The option every command about one domain begins with. */
#define OPT_DOMAIN(completer)                                           \
	{                                                               \
		OPT_ARG, "domain", "domain name, id or uuid", completer \
	}

#endif
