/*
 * daemon/hostdev.h -- which domain has which of the host's PCI functions.
 */
#ifndef DAEMON_HOSTDEV_H
#define DAEMON_HOSTDEV_H

#include "daemon/registry.h"

/* Whether another domain that runs has one of those in def. */
int hostdev_check_free(struct dom_obj *obj, const struct domain_def *def,
		       struct error *err);
/* The same of one, whoever asks. */
int hostdev_check_unused(struct registry *reg, const struct host_pci *pci,
			 struct error *err);
/* libvirt's refusal: such a domain stays where it is. */
int hostdev_check_movable(const struct dom_obj *obj, struct error *err);

/* The run is over, or the device has gone: what was ours to take goes back to
 * the host.  alias: of def's; NULL: all. */
void hostdev_give_back(struct dom_obj *obj, const struct domain_def *def,
		       const char *alias);

#endif
