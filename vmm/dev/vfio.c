/*
 * vmm/dev/vfio.c -- a PCI function of the host's as one of the guest's: its
 * configuration space, reset, and its beginning and end.
 *
 * Configuration space (its first 256 bytes; PCIe's extended part is not shown)
 * is the device's but for what the guest must not or need not change there:
 * the command register, of which it decides about bus mastering only, BARs and
 * the ROM's address, interrupts, power states, and capabilities that make no
 * sense in a guest.  Writes to the rest go to the kernel, which protects what
 * is the host's.
 *
 * The device itself always decodes its memory: whether the guest sees that is
 * a question of our memory map.  So nothing the guest does makes an access
 * fault.
 *
 * There is no way to know a device's state, so that a machine with one cannot
 * be saved.
 */
/* #syscalls:vmm ioctl pread64 pwrite64 close */
/* #ioctls:vmm VFIO_GROUP_GET_DEVICE_FD VFIO_DEVICE_GET_INFO */
/* #ioctls:vmm VFIO_DEVICE_GET_REGION_INFO VFIO_DEVICE_RESET */
#define LOG_MODULE "vfio"
#include <errno.h>
#include <linux/pci_regs.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/error.h"
#include "base/log.h"
#include "base/util.h"
#include "vmm/boot/bootorder.h"
#include "vmm/dev/pci_rom.h"
#include "vmm/dev/vfio_priv.h"
#include "vmm/machine.h"
#include "vmm/spec.h"

/* ---- the device's configuration space ---- */

static bool config_pread(struct vfio_dev *d, unsigned int reg, void *to,
			 unsigned int size)
{
	return pread(d->fd, to, size, (off_t)(d->config_at + reg)) ==
	       (ssize_t)size;
}

static void config_pwrite(struct vfio_dev *d, unsigned int reg,
			  const void *from, unsigned int size)
{
	if (pwrite(d->fd, from, size, (off_t)(d->config_at + reg)) < 0)
		log_debug("host device %s: register 0x%x: %m", d->name, reg);
}

/* Always with memory and ports; the guest's word counts for bus mastering. */
static void set_command(struct vfio_dev *d)
{
	uint16_t command = pci_get16(d->pci.config + PCI_COMMAND);
	uint8_t real[2];

	pci_set16(real, PCI_COMMAND_IO | PCI_COMMAND_MEMORY |
				(command & PCI_COMMAND_MASTER));
	config_pwrite(d, PCI_COMMAND, real, sizeof(real));
}

/* ---- what the guest reads and writes there ---- */

static void dev_config_read(struct pci_dev *pci, unsigned int reg,
			    unsigned int size)
{
	struct vfio_dev *d = vfio_of(pci);
	uint8_t now[4];
	bool any = false;

	for (unsigned int i = 0; i < size; i++)
		any |= !d->ours[reg + i];
	if (!any)
		return;
	if (!config_pread(d, reg, now, size))
		memset(now, 0xff, sizeof(now));
	for (unsigned int i = 0; i < size; i++)
		if (!d->ours[reg + i])
			pci->config[reg + i] = now[i];
}

/* Together what was written together, as far as it is the device's. */
static void pass_on(struct vfio_dev *d, unsigned int reg, unsigned int size)
{
	unsigned int end = reg + size;

	while (reg < end) {
		unsigned int n = 0;

		while (reg + n < end && !d->ours[reg + n])
			n++;
		if (n)
			config_pwrite(d, reg, d->pci.config + reg, n);
		reg += n + 1;
	}
}

static void dev_config_written(struct pci_dev *pci, unsigned int reg,
			       unsigned int size)
{
	struct vfio_dev *d = vfio_of(pci);

	if (size == PCI_CONFIG_SIZE) { /* a reset: it has been one already */
		set_command(d);
		return;
	}
	if (reg < PCI_COMMAND + 2 && reg + size > PCI_COMMAND)
		set_command(d);
	pass_on(d, reg, size);
	vfio_irqs_written(d, reg, size);
}

static void dev_bar_mapped(struct pci_dev *pci, unsigned int bar,
			   uint64_t addr, bool mapped)
{
	if (!pci->bar[bar].is_io)
		vfio_bars_moved(vfio_of(pci));
}

/* ---- reset ---- */

/* PCIe 6.6.2 or whatever else resets it alone; some devices have nothing. */
static void dev_reset(struct pci_dev *pci)
{
	struct vfio_dev *d = vfio_of(pci);

	vfio_irqs_reset(d);
	if ((d->flags & VFIO_DEVICE_FLAGS_RESET) &&
	    ioctl(d->fd, VFIO_DEVICE_RESET) < 0)
		log_warn("host device %s was not reset: %m", d->name);
}

/* ---- capabilities ---- */

enum { EXPRESS_TYPE = PCI_EXP_FLAGS };

/* Those that mean something in a guest. */
static bool is_shown(uint8_t cap)
{
	return cap == PCI_CAP_ID_PM || cap == PCI_CAP_ID_VPD ||
	       cap == PCI_CAP_ID_MSI || cap == PCI_CAP_ID_VNDR ||
	       cap == PCI_CAP_ID_EXP || cap == PCI_CAP_ID_MSIX ||
	       cap == PCI_CAP_ID_AF;
}

static void keep(struct vfio_dev *d, unsigned int reg, unsigned int size)
{
	memset(d->ours + reg, true, size);
	memset(d->pci.wmask + reg, 0, size);
}

/*
 * Power states (PCI power management 3.2.4) are the guest's play: the host's
 * device stays in D0, and so keeps its registers.
 */
static void show_power(struct vfio_dev *d, unsigned int at)
{
	uint8_t *control = d->pci.config + at + PCI_PM_CTRL;

	keep(d, at, PCI_PM_SIZEOF);
	pci_set16(d->pci.config + at + PCI_PM_PMC,
		  pci_get16(d->pci.config + at + PCI_PM_PMC) &
			  ~PCI_PM_CAP_PME_MASK);
	pci_set16(control, PCI_PM_CTRL_NO_SOFT_RESET);
	pci_set16(d->pci.wmask + at + PCI_PM_CTRL, PCI_PM_CTRL_STATE_MASK);
}

/* PCIe 7.5.3.2: what is on bus 0 is part of the root complex. */
static void show_express(struct vfio_dev *d, unsigned int at, bool on_root)
{
	uint8_t *c = d->pci.config + at + EXPRESS_TYPE;
	unsigned int type = (pci_get16(c) & PCI_EXP_FLAGS_TYPE) >> 4;

	keep(d, at, PCI_EXP_DEVCAP);
	if (on_root && (type == PCI_EXP_TYPE_ENDPOINT ||
			type == PCI_EXP_TYPE_LEG_END))
		pci_set16(c, (pci_get16(c) & ~PCI_EXP_FLAGS_TYPE) |
				     PCI_EXP_TYPE_RC_END << 4);
}

/* PCI 6.8.1: four layouts. */
static unsigned int msi_len(const struct vfio_dev *d, unsigned int at)
{
	uint16_t flags = pci_get16(d->pci.config + at + PCI_MSI_FLAGS);
	unsigned int len = 10;

	if (flags & PCI_MSI_FLAGS_64BIT)
		len += 4;
	if (flags & PCI_MSI_FLAGS_MASKBIT)
		len += 10;
	return len;
}

static void show_cap(struct vfio_dev *d, unsigned int at, bool on_root)
{
	keep(d, at, 2);
	switch (d->pci.config[at]) {
	case PCI_CAP_ID_PM:
		show_power(d, at);
		break;
	case PCI_CAP_ID_EXP:
		show_express(d, at, on_root);
		break;
	case PCI_CAP_ID_MSI:
		keep(d, at, msi_len(d, at));
		break;
	case PCI_CAP_ID_MSIX:
		keep(d, at, PCI_CAP_MSIX_SIZEOF);
		break;
	}
}

/* Room for what is looked into. */
static bool fits(const struct vfio_dev *d, unsigned int at)
{
	unsigned int len = 12;

	if (at <= PCI_CONFIG_SIZE - len && d->pci.config[at] == PCI_CAP_ID_MSI)
		len = msi_len(d, at);
	return at >= PCI_STD_HEADER_SIZEOF && at + len <= PCI_CONFIG_SIZE;
}

/* The list goes on with those that are shown; a loop in it ends it. */
static void filter_caps(struct vfio_dev *d, bool on_root)
{
	uint8_t *c = d->pci.config, *link = &c[PCI_CAPABILITY_LIST];
	unsigned int at = c[PCI_STATUS] & PCI_STATUS_CAP_LIST ? *link & ~3u :
								0;

	for (unsigned int n = 0; n < 48 && at && fits(d, at); n++) {
		unsigned int next = c[at + PCI_CAP_LIST_NEXT] & ~3u;

		if (is_shown(c[at])) {
			*link = at;
			link = &c[at + PCI_CAP_LIST_NEXT];
			show_cap(d, at, on_root);
		}
		at = next;
	}
	*link = 0;
}

/* ---- making ---- */

static const struct pci_ops vfio_ops;

static int not_had(struct vfio_dev *d, const char *what, struct error *err)
{
	return error_set(err, -errno, "host device %s: %s: %m", d->name, what);
}

int vfio_region(struct vfio_dev *d, unsigned int index,
		struct vfio_region_info *ret_info)
{
	*ret_info = (struct vfio_region_info){ .argsz = sizeof(*ret_info),
					       .index = index };
	return ioctl(d->fd, VFIO_DEVICE_GET_REGION_INFO, ret_info) < 0 ?
		       -errno :
		       0;
}

static int open_device(struct vfio_dev *d, const struct spec_hostdev *spec,
		       struct error *err)
{
	struct vfio_device_info info = { .argsz = sizeof(info) };
	struct vfio_region_info config;
	int r = vfio_group_get(d->vfio, spec, &d->group, err);

	if (r < 0)
		return r;
	d->fd = ioctl(d->group->fd, VFIO_GROUP_GET_DEVICE_FD, d->name);
	if (d->fd < 0)
		return not_had(d, "it cannot be opened", err);
	if (ioctl(d->fd, VFIO_DEVICE_GET_INFO, &info) < 0)
		return not_had(d, "no information", err);
	if (!(info.flags & VFIO_DEVICE_FLAGS_PCI))
		return error_set(err, -ENODEV,
				 "host device %s is not on PCI", d->name);
	if (vfio_region(d, VFIO_PCI_CONFIG_REGION_INDEX, &config) < 0)
		return not_had(d, "no configuration space", err);
	d->flags = info.flags;
	d->config_at = config.offset;
	return 0;
}

/* As the host has it, with what is the guest's alone. */
static int read_config(struct vfio_dev *d, bool on_root, struct error *err)
{
	static const struct pci_id nobody;
	uint8_t *c = d->pci.config;
	uint16_t status;

	pci_dev_init(&d->pci, &vfio_ops, &nobody);
	if (!config_pread(d, 0, c, PCI_CONFIG_SIZE))
		return not_had(d, "its configuration cannot be read", err);
	if ((c[PCI_HEADER_TYPE] & 0x7f) != PCI_HEADER_TYPE_NORMAL)
		return error_set(err, -ENOTSUP,
				 "host device %s is a bridge", d->name);
	c[PCI_HEADER_TYPE] = PCI_HEADER_TYPE_NORMAL;
	memset(d->pci.wmask + PCI_STD_HEADER_SIZEOF, 0xff,
	       PCI_CONFIG_SIZE - PCI_STD_HEADER_SIZEOF);
	memset(d->ours, true, PCI_STD_HEADER_SIZEOF);
	pci_set16(c + PCI_COMMAND, 0);
	pci_set32(c + PCI_ROM_ADDRESS, 0);
	c[PCI_INTERRUPT_LINE] = 0;
	filter_caps(d, on_root);
	d->pci.cap_end = PCI_CONFIG_SIZE; /* the rest is the device's */
	status = pci_get16(c + PCI_STATUS) & PCI_STATUS_DEVSEL_MASK;
	if (c[PCI_CAPABILITY_LIST])
		status |= PCI_STATUS_CAP_LIST;
	pci_set16(c + PCI_STATUS, status);
	return 0;
}

enum { ROM_MAX = 16 << 20 };

/* A copy: the device's own takes turns with its memory on some. */
static void copy_rom(struct vfio_dev *d)
{
	struct vfio_region_info info;
	uint8_t *rom;

	if (vfio_region(d, VFIO_PCI_ROM_REGION_INDEX, &info) < 0 ||
	    info.size < 2048 || info.size > ROM_MAX ||
	    info.size & (info.size - 1))
		return;
	rom = xcalloc(1, info.size);
	if (pread(d->fd, rom, info.size, (off_t)info.offset) ==
	    (ssize_t)info.size)
		pci_set_rom(&d->pci, rom, info.size);
	else
		free(rom);
}

static int add_rom(struct vfio_dev *d, const struct spec_hostdev *spec,
		   struct error *err)
{
	if (spec->no_rom)
		return 0;
	if (spec->rom_fd >= 0)
		return pci_load_rom(&d->pci, spec->rom_fd, err);
	copy_rom(d);
	return 0;
}

static struct vfio *of_machine(struct machine *m)
{
	if (!m->vfio) {
		m->vfio = xcalloc(1, sizeof(*m->vfio));
		m->vfio->m = m;
		pthread_mutex_init(&m->vfio->lock, NULL);
		machine_on_eoi(m, vfio_eoi, m->vfio);
	}
	return m->vfio;
}

static void enlist(struct vfio_dev *d)
{
	pthread_mutex_lock(&d->vfio->lock);
	d->next = d->vfio->devs;
	d->vfio->devs = d;
	pthread_mutex_unlock(&d->vfio->lock);
}

static void delist(struct vfio_dev *d)
{
	struct vfio_dev **at = &d->vfio->devs;

	pthread_mutex_lock(&d->vfio->lock);
	while (*at != d)
		at = &(*at)->next;
	*at = d->next;
	pthread_mutex_unlock(&d->vfio->lock);
}

/* Nothing that it does reaches anybody any more, then it is the host's. */
static void dev_free(struct vfio_dev *d)
{
	delist(d);
	if (d->irqs.made)
		vfio_irqs_finish(d);
	vfio_bars_finish(d);
	fd_close(d->fd);
	vfio_group_put(d->vfio, d->group);
	free(d->name);
	free(d);
}

static void dev_destroy(struct pci_dev *pci)
{
	dev_free(vfio_of(pci));
}

static const struct pci_ops vfio_ops = {
	.config_read = dev_config_read,
	.config_written = dev_config_written,
	.bar_mapped = dev_bar_mapped,
	.reset = dev_reset,
	.destroy = dev_destroy,
};

static int build(struct vfio_dev *d, const struct spec_hostdev *spec,
		 struct error *err)
{
	int r = open_device(d, spec, err);

	if (r == 0)
		r = read_config(d, !spec->pci.bus, err);
	if (r == 0)
		r = vfio_irqs_init(d, err);
	if (r == 0)
		r = vfio_bars_init(d, err);
	if (r == 0)
		r = add_rom(d, spec, err);
	if (r == 0)
		set_command(d);
	return r;
}

enum { CLASS_NETWORK = 2 }; /* PCI appendix D */

static void add_to_bootorder(struct vfio_dev *d, unsigned int index)
{
	if (d->pci.config[PCI_CLASS_DEVICE + 1] == CLASS_NETWORK)
		bootorder_add(d->m, index, &d->pci, "ethernet",
			      "/ethernet-phy@0");
	else
		bootorder_add(d->m, index, &d->pci, "pci", "%s", "");
}

int vfio_add(struct machine *m, const struct spec_hostdev *spec,
	     struct error *err)
{
	struct vfio_dev *d = xcalloc(1, sizeof(*d));
	int r;

	d->m = m;
	d->vfio = of_machine(m);
	d->name = xstrdup(spec->name);
	d->fd = -1;
	enlist(d);
	r = build(d, spec, err);
	if (r == 0)
		r = pci_plug(m->pci, &d->pci, &spec->pci, err);
	if (r < 0) {
		free(d->pci.rom_data);
		dev_free(d);
		return r;
	}
	d->plugged = true;
	add_to_bootorder(d, spec->boot_index);
	return 0;
}
