/*
 * cli/device.h -- devices given to domains and taken from them, as XML.
 */
#ifndef CLI_DEVICE_H
#define CLI_DEVICE_H

#include "cli/args.h"

/*
 * --config, --live, --current and --persistent, which is --config and, for a
 * running domain, --live.  -1: they contradict each other, said so.
 */
int device_affect(const struct args *args, virDomainPtr dom,
		  unsigned int *ret_flags);

int device_attach(const struct args *args, virDomainPtr dom, const char *xml);
int device_detach(const struct args *args, virDomainPtr dom, const char *xml);
/* The XML to look a device up in, as the options say: the definition when
 * that is what changes. */
unsigned int device_xml_flags(const struct args *args, virDomainPtr dom);

#endif
