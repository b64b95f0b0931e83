/*
 * daemon/nvram.h -- what becomes of firmware's variables.
 */
#ifndef DAEMON_NVRAM_H
#define DAEMON_NVRAM_H

struct dom_obj;
struct error;

/* Before a domain is undefined; flags: virDomainUndefineFlagsValues. */
int nvram_forget(struct dom_obj *obj, unsigned int flags, struct error *err);

#endif
