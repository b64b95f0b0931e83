/*
 * cli/console.h -- the terminal joined to a guest's console.
 */
#ifndef CLI_CONSOLE_H
#define CLI_CONSOLE_H

#include "cli/command.h"

/* Until Ctrl-] (or the guest's end); an exit status. */
int console_attach(struct ctl *ctl, virDomainPtr dom, const char *device,
		   unsigned int flags);

#endif
