/*
 * vmm/boot/bootorder.c -- in which order firmware tries the devices, as
 * OpenFirmware device paths (IEEE 1275, PCI binding), which is how SeaBIOS and
 * OVMF want them named.
 */
#include "vmm/boot/bootorder.h"

#include <stdarg.h>
#include <string.h>

#include "base/buf.h"
#include "vmm/dev/pci.h"
#include "vmm/machine.h"
#include "vmm/machine_priv.h"

struct bootorder {
	struct bootorder *next;
	unsigned int index;
	char *path;
};

/* "scsi@3,1": device, and function unless it is 0. */
static char *unit(const struct pci_dev *dev, const char *what)
{
	if (dev->function)
		return xasprintf("%s@%x,%x", what, dev->slot, dev->function);
	return xasprintf("%s@%x", what, dev->slot);
}

static char *path_to(const struct pci_dev *dev, const char *what)
{
	const struct pci_dev *bridge = pci_above(dev);
	_cleanup_free_ char *above = bridge ? path_to(bridge, "pci-bridge") :
					      xstrdup("/pci@i0cf8");
	_cleanup_free_ char *here = unit(dev, what);

	return xasprintf("%s/%s", above, here);
}

void bootorder_add(struct machine *m, unsigned int index,
		   const struct pci_dev *dev, const char *what,
		   const char *below, ...)
{
	struct bootorder *e, **at;
	_cleanup_free_ char *path = path_to(dev, what);
	char rest[64];
	va_list args;

	if (!index)
		return;
	va_start(args, below);
	vsnprintf(rest, sizeof(rest), below, args);
	va_end(args);
	e = xcalloc(1, sizeof(*e));
	e->index = index;
	e->path = xasprintf("%s%s", path, rest);
	at = &m->priv->bootorder;
	while (*at && (*at)->index <= index)
		at = &(*at)->next;
	e->next = *at;
	*at = e;
}

char *bootorder_text(const struct machine *m)
{
	struct buf b = { 0 };

	for (const struct bootorder *e = m->priv->bootorder; e; e = e->next)
		buf_printf(&b, "%s\n", e->path);
	return buf_steal(&b);
}

void bootorder_free(struct machine *m)
{
	struct bootorder *e;

	while ((e = m->priv->bootorder)) {
		m->priv->bootorder = e->next;
		free(e->path);
		free(e);
	}
}
