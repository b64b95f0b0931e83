/*
 * cli/network.c -- virtual networks as commands' words name them.
 */
#include "cli/network.h"

#include <string.h>

#include "cli/output.h"

virNetworkPtr ctl_network(struct ctl *ctl, const char *name)
{
	virNetworkPtr net = NULL;

	if (strlen(name) == VIR_UUID_STRING_BUFLEN - 1)
		net = virNetworkLookupByUUIDString(ctl->conn, name);
	if (!net)
		net = virNetworkLookupByName(ctl->conn, name);
	if (!net)
		say_failed(ctl, "failed to get network '%s'", name);
	return net;
}
