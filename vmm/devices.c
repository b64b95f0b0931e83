/*
 * vmm/devices.c -- which devices a specification asks for.
 */
#include "vmm/machine.h"

#include <errno.h>

#include "base/error.h"
#include "vmm/boot/firmware.h"
#include "vmm/controllers.h"
#include "vmm/dev/bochs.h"
#include "vmm/dev/debugcon.h"
#include "vmm/dev/debugexit.h"
#include "vmm/dev/hpet.h"
#include "vmm/dev/i6300esb.h"
#include "vmm/dev/i8042.h"
#include "vmm/dev/lpc.h"
#include "vmm/dev/mch.h"
#include "vmm/dev/pci.h"
#include "vmm/dev/pcie_port.h"
#include "vmm/dev/pcports.h"
#include "vmm/dev/pit.h"
#include "vmm/dev/pvpanic.h"
#include "vmm/dev/rtc.h"
#include "vmm/dev/serial.h"
#include "vmm/dev/testdev.h"
#include "vmm/dev/tpm.h"
#include "vmm/dev/vfio.h"
#include "vmm/dev/vmgenid.h"
#include "vmm/spec.h"
#include "vmm/usb/usb.h"
#include "vmm/virtio/devices.h"
#include "vmm/vnc/vnc.h"

static int add_serials(struct machine *m, struct error *err)
{
	for (unsigned int i = 0; i < m->spec->n_serials; i++) {
		int r = serial_create(m, &m->spec->serials[i], err);

		if (r < 0)
			return r;
	}
	return 0;
}

bool machine_has_i8042(const struct machine *m)
{
	if (m->q35)
		return true;
	for (unsigned int i = 0; i < m->spec->n_inputs; i++)
		if (m->spec->inputs[i].bus == INPUT_BUS_PS2)
			return true;
	return false;
}

/* The small machine has a keyboard controller if something is to be on it. */
static void add_i8042(struct machine *m)
{
	if (machine_has_i8042(m))
		i8042_create(m);
}

/* The bus owns the devices that are plugged into it. */
static void pci_reset(void *dev)
{
	pci_bus_reset(dev);
}

static void pci_pause(void *dev, bool paused)
{
	pci_bus_pause(dev, paused);
}

static void pci_states(void *dev, struct state_set *set)
{
	pci_bus_states(dev, set);
}

static void pci_destroy(void *dev)
{
	pci_bus_destroy(dev);
}

static const struct machine_dev_ops pci_dev_ops = {
	.name = "pci",
	.reset = pci_reset,
	.pause = pci_pause,
	.states = pci_states,
	.destroy = pci_destroy,
};

/* q35: the host bridge, with all of the memory map, and the LPC bridge. */
static int add_chipset(struct machine *m, struct error *err)
{
	int r = mch_create(m, err);

	return r < 0 ? r : lpc_create(m, err);
}

static int add_video(struct machine *m, unsigned int i, struct error *err)
{
	const struct spec_video *v = &m->spec->videos[i];

	return v->kind == VIDEO_VIRTIO || v->kind == VIDEO_VIRTIO_VGA ?
		       virtio_gpu_add(m, v, i, err) :
		       bochs_create(m, v, i, err);
}

static int add_videos(struct machine *m, struct error *err)
{
	int r = 0;

	for (unsigned int i = 0; i < m->spec->n_videos && r == 0; i++)
		r = add_video(m, i, err);
	return r;
}

static bool is_usb(const struct spec_input *i)
{
	return i->bus == INPUT_BUS_USB;
}

static int add_usb_devices(struct machine *m, struct xhci *hc,
			   struct error *err)
{
	int r = 0;

	for (unsigned int i = 0; i < m->spec->n_disks && r == 0; i++)
		if (m->spec->disks[i].bus == SPEC_USB)
			r = usb_storage_create(m, hc, &m->spec->disks[i], err);
	for (unsigned int i = 0; i < m->spec->n_inputs && r == 0; i++)
		if (is_usb(&m->spec->inputs[i]))
			r = usb_hid_create(m, hc, &m->spec->inputs[i], err);
	return r;
}

static int check_no_usb(const struct vmm_spec *spec, struct error *err)
{
	const char *id = NULL;

	for (unsigned int i = 0; i < spec->n_inputs; i++)
		if (is_usb(&spec->inputs[i]))
			id = spec->inputs[i].id;
	for (unsigned int i = 0; i < spec->n_disks; i++)
		if (spec->disks[i].bus == SPEC_USB)
			id = spec->disks[i].id;
	return id ? error_set(err, -EINVAL, "'%s': there is no USB controller",
			      id) :
		    0;
}

static int add_usb(struct machine *m, struct error *err)
{
	const struct vmm_spec *spec = m->spec;
	struct xhci *hc;

	if (!spec->n_usbs)
		return check_no_usb(spec, err);
	hc = xhci_create(m, &spec->usbs[0].pci, err);
	return hc ? add_usb_devices(m, hc, err) : -ENOSPC;
}

static int add_ports(struct machine *m, struct error *err)
{
	int r = 0;

	for (unsigned int i = 0; i < m->spec->n_ports && r == 0; i++)
		r = pcie_port_add(m, &m->spec->ports[i], err);
	return r;
}

static int add_hostdevs(struct machine *m, struct error *err)
{
	int r = 0;

	for (unsigned int i = 0; i < m->spec->n_hostdevs && r == 0; i++)
		r = vfio_add(m, &m->spec->hostdevs[i], err);
	return r;
}

static int add_pci(struct machine *m, struct error *err)
{
	int r = pci_bus_create(m, &m->pci, err);

	if (r < 0)
		return r;
	machine_add_device(m, &pci_dev_ops, m->pci);
	if (m->q35)
		r = add_chipset(m, err);
	if (r == 0)
		r = add_ports(m, err);
	if (r == 0)
		r = add_videos(m, err);
	if (r == 0)
		r = add_usb(m, err);
	if (r == 0)
		r = controllers_add(m, m->spec, err);
	if (r == 0)
		r = add_hostdevs(m, err);
	return r < 0 ? r : virtio_add_devices(m, m->spec, err);
}

static int add_vncs(struct machine *m, struct error *err)
{
	int r = 0;

	for (unsigned int i = 0; i < m->spec->n_vncs && r == 0; i++)
		r = vnc_create(m, &m->spec->vncs[i], i, err);
	return r;
}

static int add_tpm(struct machine *m, struct error *err)
{
	if (m->spec->tpm == TPM_NONE)
		return 0;
	if (m->spec->tpm_control_fd < 0 || m->spec->tpm_data_fd < 0)
		return error_set(err, -EINVAL, "the TPM is not there");
	return m->spec->tpm == TPM_CRB ? tpm_crb_create(m, err) :
					 tpm_tis_create(m, err);
}

int machine_add_devices(struct machine *m, struct error *err)
{
	struct rtc *rtc;
	int r;

	pit_create(m);
	rtc = rtc_create(m);
	add_i8042(m);
	r = add_serials(m, err);
	if (r == 0)
		r = add_pci(m, err);
	if (r < 0)
		return r;
	if (m->spec->pvpanic)
		pvpanic_create(m);
	if (m->spec->pvpanic_pci)
		r = pvpanic_pci_add(m, err);
	if (r == 0 && m->spec->watchdog)
		r = i6300esb_add(m, err);
	if (r == 0)
		r = add_tpm(m, err);
	if (m->spec->has_genid)
		vmgenid_create(m);
	if (m->spec->hpet)
		hpet_create(m);
	if (r < 0)
		return r;
	pcie_ports_settle(m);
	if (m->spec->debug_exit)
		debugexit_create(m);
	if (m->spec->test_device) {
		testdev_create(m);
		if (!m->q35) /* which has them anyway */
			pcports_create(m, NULL, NULL);
	}
	for (unsigned int i = 0; i < m->spec->n_debugcons && r == 0; i++)
		r = debugcon_create(m, &m->spec->debugcons[i], err);
	if (r == 0 && m->q35 && m->spec->firmware_fd >= 0)
		r = firmware_offer(m, rtc, err);
	return r < 0 ? r : add_vncs(m, err);
}
