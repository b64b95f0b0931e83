/*
 * daemon/host_port.c -- main's side of priv's operations on what guests'
 * cards are plugged into: ports of bridges, macvtaps.
 */
#include <errno.h>
#include <string.h>

#include "base/error.h"
#include "base/util.h"
#include "daemon/host.h"
#include "daemon/priv.h"
#include "drivers/driver.h"

int host_set_port(const char *ifname, const struct net_vlan *vlan,
		  bool isolated, struct error *err)
{
	struct priv_request rq = { .op = PRIV_NET_PORT };
	struct priv_reply reply;
	int r = bridge_port_of(ifname, vlan, isolated, &rq.port, err);

	return r < 0 ? r : host_call(&rq, sizeof(rq.port), &reply, NULL, err);
}

static int mode_of(const char *word)
{
	static const char *const modes[DIRECT_MODES] = {
		[DIRECT_VEPA] = "vepa", [DIRECT_BRIDGE] = "bridge",
		[DIRECT_PRIVATE] = "private",
		[DIRECT_PASSTHROUGH] = "passthrough",
	};

	for (int i = 0; i < DIRECT_MODES; i++)
		if (str_eq(word, modes[i]))
			return i;
	return DIRECT_VEPA;
}

int host_open_direct(const uint8_t owner[UUID_LEN], const char *dev,
		     const char *mode, struct host_tap *tap, struct error *err,
		     int *ret_fd)
{
	struct priv_request rq = { .op = PRIV_OPEN_DIRECT };
	struct direct_plan *p = &rq.direct;
	struct priv_reply reply;
	int fds[PRIV_FDS_MAX], r;

	if (strlen(dev) >= sizeof(p->dev))
		return error_set(err, -EINVAL,
				 "the device's name '%s' is too long", dev);
	memcpy(p->owner, owner, sizeof(p->owner));
	strcpy(p->dev, dev);
	memcpy(p->name, tap->ifname, sizeof(p->name));
	memcpy(p->mac, tap->mac, sizeof(p->mac));
	p->mode = mode_of(mode);
	p->existing = tap->existing;
	p->mtu = tap->mtu;
	r = host_call(&rq, sizeof(rq.direct), &reply, fds, err);
	if (r < 0)
		return r;
	*ret_fd = fds[0];
	snprintf(tap->ifname, sizeof(tap->ifname), "%.15s", reply.text);
	return 0;
}

void host_remove_direct(const uint8_t owner[UUID_LEN], const char *name)
{
	struct priv_request rq = { .op = PRIV_REMOVE_DIRECT };
	struct priv_reply reply;

	memcpy(rq.net.uuid, owner, sizeof(rq.net.uuid));
	snprintf(rq.net.bridge, sizeof(rq.net.bridge), "%s", name);
	host_call(&rq, sizeof(rq.net), &reply, NULL, NULL);
}
