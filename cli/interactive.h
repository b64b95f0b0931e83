/*
 * cli/interactive.h -- the prompt, and lines of commands.
 */
#ifndef CLI_INTERACTIVE_H
#define CLI_INTERACTIVE_H

#include "cli/command.h"

int interactive(struct ctl *ctl); /* until quit or end of file */

/* Splits at blanks and ';' with shell quoting, and runs each command, whether
 * the one before failed or not; only one that is not understood, and having no
 * connection, end it.  Returns the last one's exit status. */
int run_line(struct ctl *ctl, const char *line);

#endif
