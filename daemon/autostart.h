/*
 * daemon/autostart.h -- starting the domains that are marked, once after each
 * boot of the host, in the order and with the pauses that they ask for:
 *
 *	<metadata>
 *	  <a:autostart xmlns:a='urn:vireo:autostart' order='1' delay='30'/>
 *	</metadata>
 *
 * Lower orders come first, those without one last.  The next domain waits for
 * so many seconds after this one was started.
 */
#ifndef DAEMON_AUTOSTART_H
#define DAEMON_AUTOSTART_H

struct domain_def;
struct error;
struct registry;

/* Starts them; from the first pause on, on a thread of its own. */
void autostart_begin(struct registry *reg);
/* What has not been started by now is not any more. */
void autostart_end(struct registry *reg);
/* Whether what a definition asks for makes sense. */
int autostart_check(const struct domain_def *def, struct error *err);

#endif
