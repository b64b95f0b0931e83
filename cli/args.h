/*
 * cli/args.h -- the values of a command's options, checked.
 *
 * Each of the args_number() kind returns 0 when the option was left out (and
 * leaves *ret alone), 1 when it was given, -1 when it is wrong: said so.
 */
#ifndef CLI_ARGS_H
#define CLI_ARGS_H

#include "cli/command.h"

const char *args_get(const struct args *args, const char *name);
bool args_has(const struct args *args, const char *name);

int args_int(const struct args *args, const char *name, int *ret);
int args_uint(const struct args *args, const char *name, unsigned int *ret);
int args_ull(const struct args *args, const char *name,
	     unsigned long long *ret);
int args_number(const struct args *args, const char *name, unsigned long max,
		unsigned long *ret);
/* A size with an optional suffix (k, KiB, MB, ...) in bytes; a bare number is
 * in units of unit bytes. */
int size_parse(const char *text, unsigned long long unit,
	       unsigned long long *ret); /* -1: it is none */
int args_size(const struct args *args, const char *name,
	      unsigned long long unit, unsigned long long *ret);

/* The bit of each flag option that is given; ends with name NULL. */
struct flag_option {
	const char *name;
	unsigned int bit;
};
unsigned int args_flags(const struct args *args,
			const struct flag_option *table);

/*
 * OPTS_AFFECT: --config, --live and --current as VIR_DOMAIN_AFFECT_ bits.
 * -1: --current with another one; said so.
 */
int args_affect(const struct args *args, unsigned int *ret_flags);
/* Two options that exclude each other: -1 if both are given, said so. */
int args_exclusive(const struct args *args, const char *a, const char *b);
/* An option that is nothing without another: -1 as above. */
int args_requires(const struct args *args, const char *option,
		  const char *needed);

/* The next of words that commas part, ",," being a comma in one; *rest moves on
 * and is changed, NULL at the end. */
char *comma_next(char **rest);

/* The whole file that the option names ("-": standard input); NULL: said why.
 */
char *args_file(const struct args *args, const char *name);
char *read_xml_file(const char *path);

#endif
