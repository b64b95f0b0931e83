/*
 * rpc/perms.c -- when a permission is needed.
 */
#include <string.h>

#include <libvirt/libvirt.h>

#include "base/util.h"
#include "rpc/perms.h"

bool permission_applies(const struct permission *p, const void *args)
{
	const unsigned int live = VIR_DOMAIN_AFFECT_LIVE;
	unsigned int word = 0;

	/* virNetworkUpdateFlags has the same two bits. */
	static_assert((int)VIR_NETWORK_UPDATE_AFFECT_LIVE ==
		      (int)VIR_DOMAIN_AFFECT_LIVE, "one rule for both");
	if (p->when == WHEN_ALWAYS || !args)
		return true;
	memcpy(&word, (const char *)args + p->at, sizeof(word));
	switch (p->when) {
	case WHEN_FLAGS:
		return word & p->value;
	case WHEN_LASTING:
		return !(word & live) || (word & VIR_DOMAIN_AFFECT_CONFIG);
	default:
		return word == p->value;
	}
}
