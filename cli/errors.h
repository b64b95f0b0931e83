/*
 * cli/errors.h -- what libvirt's errors mean and what to do about them.
 */
#ifndef CLI_ERRORS_H
#define CLI_ERRORS_H

struct error_help {
	int code;	     /* VIR_ERR_ */
	const char *name;    /* without the prefix, as clients write it */
	const char *meaning; /* a sentence */
	const char *remedy;
};

extern const struct error_help error_helps[]; /* ends with name NULL */
const struct error_help *error_help_of(int code); /* NULL: none */

#endif
