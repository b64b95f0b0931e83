/*
 * model/complete_ifaces.c -- MAC addresses and models of network interfaces.
 */
#include <libvirt/virterror.h>
#include <string.h>
#include <sys/random.h>

#include "model/complete.h"
#include "model/names.h"

/* 52:54:00 is what every KVM guest uses: locally administered. */
static void generate_mac(struct dom_iface *iface)
{
	static const uint8_t prefix[3] = { 0x52, 0x54, 0x00 };

	memcpy(iface->mac, prefix, sizeof(prefix));
	if (getrandom(iface->mac + 3, 3, 0) != 3)
		abort(); /* so few bytes cannot be interrupted */
	iface->mac_given = true;
}

void iface_choose_mac(struct dom_iface *iface)
{
	if (!iface->mac_given)
		generate_mac(iface);
}

static const char *source_attr(const struct dom_iface *iface)
{
	switch (iface->type) {
	case IFACE_BRIDGE:
		return "bridge";
	case IFACE_NETWORK:
		return "network";
	case IFACE_DIRECT:
		return "dev";
	default:
		return NULL;
	}
}

static int check_mode(const struct dom_iface *iface, struct error *err)
{
	const char *mode = iface->source_mode;

	if (iface->type != IFACE_DIRECT || !mode || str_eq(mode, "vepa") ||
	    str_eq(mode, "bridge") || str_eq(mode, "private") ||
	    str_eq(mode, "passthrough"))
		return 0;
	return error_virt(err, VIR_ERR_INTERNAL_ERROR,
			  "Unknown mode '%s' in interface <source>", mode);
}

static int check_source(const struct dom_iface *iface, struct error *err)
{
	const char *attr = source_attr(iface);

	if (!attr || (iface->source && *iface->source))
		return 0;
	return error_virt(err, VIR_ERR_XML_ERROR,
			  "No <source> '%s' attribute specified with "
			  "<interface type='%s'/>", attr,
			  words_name(&words_iface_type, iface->type));
}

/* A tap's generated name is only good for one run. */
static void drop_target(struct dom_iface *iface)
{
	if (iface->target_dev && (str_startswith(iface->target_dev, "vnet") ||
				  str_startswith(iface->target_dev, "macvtap"))) {
		free(iface->target_dev);
		iface->target_dev = NULL;
	}
}

int domain_complete_ifaces(struct domain_def *def, bool live,
			   struct error *err)
{
	for (unsigned int i = 0; i < def->n_ifaces; i++) {
		struct dom_iface *iface = &def->ifaces[i];
		int r = check_source(iface, err);

		if (r == 0)
			r = check_mode(iface, err);
		if (r < 0)
			return r;
		if (!iface->mac_given)
			generate_mac(iface);
		if (iface->type == IFACE_DIRECT)
			default_str(&iface->source_mode, "vepa");
		if (!live)
			drop_target(iface);
		if (iface->type != IFACE_HOSTDEV)
			default_str(&iface->model, "virtio");
		else
			default_str(&iface->source_pci.type, "pci");
	}
	return 0;
}
