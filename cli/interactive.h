/*
 * cli/interactive.h -- the prompt, and lines of commands.
 */
#ifndef CLI_INTERACTIVE_H
#define CLI_INTERACTIVE_H

#include "cli/command.h"

int interactive(struct ctl *ctl); /* until quit or end of file */

/* Splits at blanks and ';' with shell quoting, and runs each command; stops
 * at the first that fails.  Returns its exit status. */
int run_line(struct ctl *ctl, const char *line);

#endif
