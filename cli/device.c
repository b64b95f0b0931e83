/*
 * cli/device.c -- devices given to domains and taken from them, as XML.
 */
#include "cli/device.h"

int device_affect(const struct args *args, virDomainPtr dom,
		  unsigned int *ret_flags)
{
	if (args_exclusive(args, "persistent", "current") < 0 ||
	    args_affect(args, ret_flags) < 0)
		return -1;
	if (!args_has(args, "persistent"))
		return 0;
	*ret_flags |= VIR_DOMAIN_AFFECT_CONFIG;
	if (virDomainIsActive(dom) == 1)
		*ret_flags |= VIR_DOMAIN_AFFECT_LIVE;
	return 0;
}

/* Without any flag the older calls do, which act on a running domain. */
int device_attach(const struct args *args, virDomainPtr dom, const char *xml)
{
	unsigned int flags;

	if (device_affect(args, dom, &flags) < 0)
		return -1;
	return flags || args_has(args, "current")
		       ? virDomainAttachDeviceFlags(dom, xml, flags)
		       : virDomainAttachDevice(dom, xml);
}

int device_detach(const struct args *args, virDomainPtr dom, const char *xml)
{
	unsigned int flags;

	if (device_affect(args, dom, &flags) < 0)
		return -1;
	return flags || args_has(args, "current")
		       ? virDomainDetachDeviceFlags(dom, xml, flags)
		       : virDomainDetachDevice(dom, xml);
}

unsigned int device_xml_flags(const struct args *args, virDomainPtr dom)
{
	bool config = args_has(args, "config") || args_has(args, "persistent");
	bool live = args_has(args, "live") ||
		    (args_has(args, "persistent") &&
		     virDomainIsActive(dom) == 1);

	return config && !live ? VIR_DOMAIN_XML_INACTIVE : 0;
}
