/*
 * vmm/boot/dsdt.c -- the devices that cannot be discovered, in AML.
 */
#include "vmm/boot/acpi.h"

#include "base/buf.h"
#include "vmm/boot/aml.h"
#include "vmm/dev/acpi_pm.h"
#include "vmm/dev/fwcfg.h"
#include "vmm/dev/hpet.h"
#include "vmm/dev/i8042.h"
#include "vmm/dev/ich9_pm.h"
#include "vmm/dev/lpc.h"
#include "vmm/dev/pci.h"
#include "vmm/dev/pvpanic.h"
#include "vmm/dev/serial.h"
#include "vmm/dev/tpm.h"
#include "vmm/dev/vmgenid.h"
#include "vmm/machine.h"
#include "vmm/spec.h"

/* PCI Firmware Specification 3.2, section 4.5.1: what the OS may own. */
#define OSC_PCI_UUID	  "33db4d5b-1ff7-401c-9657-7441c03dd766"
#define OSC_PCI_CONTROL	  0x1d /* hotplug, PME, AER, capabilities */
#define OSC_UNKNOWN_UUID  0x04
#define OSC_MASKED	  0x10

static void dsdt_ids(struct buf *b, const char *hid, unsigned int uid)
{
	aml_name(b, "_HID");
	if (hid[0] == 'P')
		aml_eisa_id(b, hid);
	else
		aml_string(b, hid);
	aml_name(b, "_UID");
	aml_int(b, uid);
}

/* CDW3 &= what we grant; tell when that took something away. */
static void dsdt_osc(struct buf *b)
{
	size_t method = aml_method(b, "_OSC", 4), branch;

	aml_create_dword_field(b, AML_ARG3, 0, "CDW1");
	branch = aml_if(b);
	aml_op(b, AML_LEQUAL);
	aml_op(b, AML_ARG0);
	aml_uuid(b, OSC_PCI_UUID);
	aml_create_dword_field(b, AML_ARG3, 8, "CDW3");
	aml_op(b, AML_AND);
	aml_path(b, "CDW3");
	aml_int(b, OSC_PCI_CONTROL);
	aml_op(b, AML_LOCAL0);
	{
		size_t less = aml_if(b);

		aml_op(b, 0x92); /* LNotEqual is LNot of LEqual */
		aml_op(b, AML_LEQUAL);
		aml_op(b, AML_LOCAL0);
		aml_path(b, "CDW3");
		aml_op(b, AML_OR);
		aml_path(b, "CDW1");
		aml_int(b, OSC_MASKED);
		aml_path(b, "CDW1");
		aml_close(b, less);
	}
	aml_op(b, AML_STORE);
	aml_op(b, AML_LOCAL0);
	aml_path(b, "CDW3");
	aml_close(b, branch);
	branch = aml_else(b);
	aml_op(b, AML_OR);
	aml_path(b, "CDW1");
	aml_int(b, OSC_UNKNOWN_UUID);
	aml_path(b, "CDW1");
	aml_close(b, branch);
	aml_op(b, AML_RETURN);
	aml_op(b, AML_ARG3);
	aml_close(b, method);
}

/* 6.2.13: each slot's four pins, wired to the I/O APIC.  Behind bridges the
 * OS turns them itself. */
static void dsdt_prt(struct machine *m, struct buf *b)
{
	size_t all, one;

	aml_name(b, "_PRT");
	all = aml_package(b, 4 * (PCI_SLOTS - 1));
	for (unsigned int i = 4; i < 4 * PCI_SLOTS; i++) {
		one = aml_package(b, 4);
		aml_int(b, i / 4 << 16 | 0xffff); /* any function */
		aml_int(b, i % 4);
		aml_int(b, 0); /* the next is a pin, not a link device's */
		aml_int(b, m->q35 ? lpc_gsi(i / 4, i % 4) :
				    pci_gsi(i / 4, i % 4));
		aml_close(b, one);
	}
	aml_close(b, all);
}

/* Below 4 GiB: q35's is what is left around the configuration window. */
static void dsdt_windows(struct machine *m, struct buf *b)
{
	uint64_t ecam = pci_ecam(m->pci), end = ecam + ECAM_SIZE;

	if (!m->q35) {
		aml_res_mem_window(b, MMIO32_BASE, MMIO32_END - MMIO32_BASE);
		return;
	}
	if (ecam > m->mmio32_base)
		aml_res_mem_window(b, m->mmio32_base, ecam - m->mmio32_base);
	if (ecam && end < IOAPIC_BASE)
		aml_res_mem_window(b, end, IOAPIC_BASE - end);
	aml_res_mem_window(b, 0xa0000, 0x20000); /* VGA */
}

static void dsdt_pci(struct machine *m, struct buf *b)
{
	size_t dev = aml_device(b, "PCI0"), res;

	dsdt_ids(b, "PNP0A08", 0);
	aml_name(b, "_CID");
	aml_eisa_id(b, "PNP0A03");
	aml_name(b, "_SEG");
	aml_int(b, 0);
	aml_name(b, "_BBN");
	aml_int(b, 0);
	aml_name(b, "_CRS");
	res = aml_resources(b);
	aml_res_bus_window(b, 0, pci_last_bus(m->pci));
	if (m->q35) /* all but configuration space's */
		aml_res_io_window(b, 0, 0xcf7);
	aml_res_io_window(b, m->q35 ? 0xd00 : 0x1000, 0xffff);
	dsdt_windows(m, b);
	if (m->mmio64_size)
		aml_res_mem_window(b, m->mmio64_base, m->mmio64_size);
	aml_resources_end(b, res);
	dsdt_osc(b);
	dsdt_prt(m, b);
	aml_close(b, dev);

	/* The OS wants the ECAM reserved by a motherboard device. */
	dev = aml_device(b, "MBRD");
	dsdt_ids(b, "PNP0C02", 0);
	aml_name(b, "_CRS");
	res = aml_resources(b);
	aml_res_mem32(b, pci_ecam(m->pci), ECAM_SIZE);
	aml_resources_end(b, res);
	aml_close(b, dev);
}

/*
 * 5.6.9: the event device's interrupt runs _EVT, which asks the selector what
 * happened.  The power button is a control method button (4.8.2.2.1.2).
 */
static void dsdt_event(struct buf *b, unsigned int event, const char *device)
{
	size_t branch = aml_if(b);

	aml_op(b, AML_AND);
	aml_op(b, AML_LOCAL0);
	aml_int(b, event);
	aml_op(b, 0); /* no target */
	aml_op(b, AML_NOTIFY);
	aml_path(b, device);
	aml_int(b, 0x80);
	aml_close(b, branch);
}

static void dsdt_scan_event(struct buf *b, unsigned int event,
			    const char *scan)
{
	size_t branch = aml_if_bits(b, AML_LOCAL0, event);

	aml_path(b, scan);
	aml_close(b, branch);
}

static void dsdt_events(struct machine *m, struct buf *b)
{
	size_t dev = aml_device(b, "PWRB"), res, field, method;

	dsdt_ids(b, "PNP0C0C", 0);
	aml_close(b, dev);

	dev = aml_device(b, "GED0");
	dsdt_ids(b, "ACPI0013", 0);
	aml_name(b, "_CRS");
	res = aml_resources(b);
	aml_res_irq(b, GSI_GED, true);
	aml_resources_end(b, res);
	aml_io_region(b, "ESRG", ACPI_PM_EVENTS, 4);
	field = aml_dword_field(b, "ESRG");
	aml_field_unit(b, "ESEL", 32);
	aml_close(b, field);
	method = aml_method(b, "_EVT", 1);
	aml_op(b, AML_STORE);
	aml_path(b, "ESEL");
	aml_op(b, AML_LOCAL0);
	dsdt_event(b, ACPI_PM_EVENT_POWER, "\\_SB.PWRB");
	if (m->spec->has_genid)
		dsdt_event(b, ACPI_PM_EVENT_GENID, "\\_SB.VGEN");
	if (m->cpuhp)
		dsdt_scan_event(b, ACPI_PM_EVENT_CPUS, "\\_SB.CPUS.SCAN");
	if (m->memhp)
		dsdt_scan_event(b, ACPI_PM_EVENT_MEMORY, "\\_SB.MEMS.SCAN");
	aml_close(b, method);
	aml_close(b, dev);
}

static void dsdt_isa(struct buf *b, const char *name, const char *hid,
		     unsigned int uid, uint16_t port, uint8_t len, int gsi)
{
	size_t dev = aml_device(b, name), res;

	dsdt_ids(b, hid, uid);
	aml_name(b, "_STA");
	aml_int(b, 0x0f);
	aml_name(b, "_CRS");
	res = aml_resources(b);
	aml_res_io(b, port, len);
	if (gsi >= 0)
		aml_res_irq(b, gsi, true);
	aml_resources_end(b, res);
	aml_close(b, dev);
}

static void dsdt_serials(struct machine *m, struct buf *b)
{
	for (unsigned int i = 0; i < m->spec->n_serials; i++) {
		unsigned int n = m->spec->serials[i].index;
		char name[] = "COM1";

		if (n >= SERIALS_MAX)
			continue;
		name[3] += n;
		dsdt_isa(b, name, "PNP0501", n + 1, serial_port(n), 8,
			 serial_gsi(n));
	}
}

/* The controller's data and command port and the keyboard's interrupt... */
static void dsdt_keyboard(struct buf *b)
{
	size_t dev = aml_device(b, "KBD0"), res;

	dsdt_ids(b, "PNP0303", 0);
	aml_name(b, "_STA");
	aml_int(b, 0x0f);
	aml_name(b, "_CRS");
	res = aml_resources(b);
	aml_res_io(b, I8042_DATA, 1);
	aml_res_io(b, I8042_COMMAND, 1);
	aml_res_irq(b, I8042_GSI_KBD, true);
	aml_resources_end(b, res);
	aml_close(b, dev);
}

/* ... and the mouse's. */
static void dsdt_mouse(struct buf *b)
{
	size_t dev = aml_device(b, "MOU0"), res;

	dsdt_ids(b, "PNP0F13", 0);
	aml_name(b, "_STA");
	aml_int(b, 0x0f);
	aml_name(b, "_CRS");
	res = aml_resources(b);
	aml_res_irq(b, I8042_GSI_AUX, true);
	aml_resources_end(b, res);
	aml_close(b, dev);
}

/* 5.6.4.1: general purpose event 2 is an edge. */
static_assert(ICH9_GPE_CPUS == 2 && ICH9_GPE_MEMORY == 3, "methods' names");
static void dsdt_gpe(struct buf *b, const char *name, const char *scan)
{
	size_t scope = aml_scope(b, "\\_GPE");
	size_t method = aml_method(b, name, 0);

	aml_path(b, scan);
	aml_close(b, method);
	aml_close(b, scope);
}

/* TCG ACPI Specification 1.2, section 8.1 */
static void dsdt_tpm(struct machine *m, struct buf *b)
{
	size_t dev = aml_device(b, "TPM"), res;

	dsdt_ids(b, "MSFT0101", 1);
	aml_name(b, "_STA");
	aml_int(b, 0x0f);
	aml_name(b, "_CRS");
	res = aml_resources(b);
	aml_res_mem32(b, TPM_BASE, m->spec->tpm == TPM_CRB ?
			TPM_LOCALITY_SIZE : TPM_LOCALITIES * TPM_LOCALITY_SIZE);
	aml_resources_end(b, res);
	aml_close(b, dev);
}

/* Microsoft, "Virtual Machine Generation ID": an address of two halves. */
static void dsdt_genid(struct buf *b)
{
	size_t dev = aml_device(b, "VGEN"), pkg;

	dsdt_ids(b, "VREO0001", 0);
	aml_name(b, "_CID");
	aml_string(b, "VM_Gen_Counter");
	aml_name(b, "_DDN");
	aml_string(b, "VM_Gen_Counter");
	aml_name(b, "ADDR");
	pkg = aml_package(b, 2);
	aml_int(b, (uint32_t)VMGENID_BASE);
	aml_int(b, VMGENID_BASE >> 32);
	aml_close(b, pkg);
	aml_close(b, dev);
}

/* Where there are general purpose events: edge triggered, by its number. */
static void dsdt_genid_event(struct buf *b)
{
	size_t scope = aml_scope(b, "\\_GPE"), method;

	static_assert(ICH9_GPE_GENID == 5, "ORDER _E05");
	method = aml_method(b, "_E05", 0);
	aml_op(b, AML_NOTIFY);
	aml_path(b, "\\_SB.VGEN");
	aml_int(b, 0x80);
	aml_close(b, method);
	aml_close(b, scope);
}

static void dsdt_hpet(struct buf *b)
{
	size_t dev = aml_device(b, "HPET"), res;

	dsdt_ids(b, "PNP0103", 0);
	aml_name(b, "_CRS");
	res = aml_resources(b);
	aml_res_mem32(b, HPET_BASE, HPET_SIZE);
	aml_resources_end(b, res);
	aml_close(b, dev);
}

/* 7.4.2: a sleep state that the guest can choose. */
static void dsdt_sleep(struct buf *b, const char *state, unsigned int type)
{
	size_t pkg;

	aml_name(b, state);
	pkg = aml_package(b, 4);
	aml_int(b, type);
	aml_int(b, 0);
	aml_int(b, 0);
	aml_int(b, 0);
	aml_close(b, pkg);
}

void acpi_dsdt(struct machine *m, struct buf *b)
{
	size_t start = b->len, scope;

	acpi_begin(b, "DSDT", 2);
	dsdt_sleep(b, "\\_S5", m->q35 ? ICH9_S5 : ACPI_PM_S5);
	if (m->q35 && !m->spec->no_s3)
		dsdt_sleep(b, "\\_S3", ICH9_S3);
	scope = aml_scope(b, "\\_SB");
	acpi_dsdt_cpus(m, b);
	if (m->memhp)
		acpi_dsdt_memory(m, b);
	dsdt_pci(m, b);
	if (!m->q35) /* its events are fixed ones */
		dsdt_events(m, b);
	dsdt_serials(m, b);
	dsdt_isa(b, "RTC0", "PNP0B00", 0, 0x70, 2, GSI_RTC);
	if (machine_has_i8042(m)) {
		dsdt_keyboard(b);
		dsdt_mouse(b);
	}
	if (m->spec->pvpanic)
		dsdt_isa(b, "PEVT", "QEMU0001", 0, PVPANIC_PORT, 1, -1);
	if (m->spec->firmware_fd >= 0) /* docs/specs/fw_cfg.rst, "ACPI" */
		dsdt_isa(b, "FWCF", "QEMU0002", 0, FWCFG_PORT, FWCFG_PORTS,
			 -1);
	if (m->spec->tpm != TPM_NONE)
		dsdt_tpm(m, b);
	if (m->spec->has_genid)
		dsdt_genid(b);
	if (m->spec->hpet)
		dsdt_hpet(b);
	aml_close(b, scope);
	if (m->spec->has_genid && m->q35)
		dsdt_genid_event(b);
	if (m->cpuhp && m->q35)
		dsdt_gpe(b, "_E02", "\\_SB.CPUS.SCAN");
	if (m->memhp && m->q35)
		dsdt_gpe(b, "_E03", "\\_SB.MEMS.SCAN");
	acpi_end(b, start);
}
