/*
 * vmm/boot/firmware.c -- what firmware is told about the machine: through
 * fw_cfg (QEMU, docs/specs/fw_cfg.rst), and in the CMOS memory, where it has
 * always been.
 */
#include "vmm/boot/firmware.h"

#include <errno.h>
#include <string.h>

#include "base/buf.h"
#include "base/error.h"
#include "vmm/boot/acpi.h"
#include "vmm/boot/boot.h"
#include "vmm/boot/bootorder.h"
#include "vmm/boot/smbios.h"
#include "vmm/dev/fwcfg.h"
#include "vmm/dev/ich9_pm.h"
#include "vmm/dev/rtc.h"
#include "vmm/machine.h"
#include "vmm/machine_priv.h"
#include "vmm/ram.h"
#include "vmm/spec.h"

/* Memory in CMOS: KiB below 640, KiB above 1 MiB, 64 KiB above 16 MiB and
 * above 4 GiB; and how many processors follow the first. */
enum { CMOS_BASE = 0x15, CMOS_EXTENDED = 0x17, CMOS_EXTENDED2 = 0x30,
       CMOS_ABOVE_16M = 0x34, CMOS_HIGH = 0x5b, CMOS_CPUS = 0x5f };

static void cmos_set(struct rtc *rtc, unsigned int reg, uint64_t value,
		     unsigned int bytes)
{
	for (unsigned int i = 0; i < bytes; i++)
		rtc_set_cmos(rtc, reg + i, value >> 8 * i);
}

static void tell_cmos(struct machine *m, struct rtc *rtc)
{
	const struct ram_region *r;
	unsigned int n = ram_regions(m->ram, &r);
	uint64_t extended = MIN(r[0].size / KIB - 1024, 0xffff);
	uint64_t above = r[0].size > 16 * MIB ? r[0].size - 16 * MIB : 0;

	cmos_set(rtc, CMOS_BASE, 640, 2);
	cmos_set(rtc, CMOS_EXTENDED, extended, 2);
	cmos_set(rtc, CMOS_EXTENDED2, extended, 2);
	cmos_set(rtc, CMOS_ABOVE_16M, above / (64 * KIB), 2);
	if (n > 1)
		cmos_set(rtc, CMOS_HIGH, r[1].size / (64 * KIB), 3);
	cmos_set(rtc, CMOS_CPUS, MIN(m->spec->vcpus, 255u) - 1, 1);
}

/* RAM alone; firmware knows what it reserves. */
static void tell_memory(struct machine *m, struct fwcfg *fw)
{
	struct {
		uint64_t addr, size;
		uint32_t type;
	} __attribute__((packed)) map[2];
	const struct ram_region *r;
	unsigned int n = ram_regions(m->ram, &r);

	for (unsigned int i = 0; i < n; i++) {
		map[i].addr = r[i].gpa;
		map[i].size = r[i].size;
		map[i].type = BOOT_MAP_RAM;
	}
	if (m->memhp) { /* PCI's windows are to begin above */
		uint64_t end = ram_end(m->ram);

		fwcfg_add_file(fw, "etc/reserved-memory-end", &end,
			       sizeof(end));
	}
	fwcfg_add_int(fw, FWCFG_RAM_SIZE, ram_size(m->ram), 8);
	fwcfg_add_file(fw, "etc/e820", map, n * sizeof(map[0]));
}

/* How many processors, and the APIC IDs' end for those who want to know. */
static void tell_cpus(struct machine *m, struct fwcfg *fw)
{
	const struct vmm_spec *spec = m->spec;
	unsigned int max = MAX(spec->max_vcpus, spec->vcpus);
	unsigned int ids = machine_apic_id(m, spec->vcpus - 1) + 1;
	uint32_t limit = MAX(ids, max);

	fwcfg_add_int(fw, FWCFG_CPUS, spec->vcpus, 2);
	fwcfg_add_int(fw, FWCFG_MAX_CPUS, limit, 2);
}

/* One byte for each state of ACPI's: its sleep type, offered or not.  S4 is
 * not. */
static void tell_states(struct machine *m, struct fwcfg *fw)
{
	enum { OFFERED = 0x80 };
	const uint8_t states[] = {
		OFFERED, 0, 0, ICH9_S3 | (m->spec->no_s3 ? 0 : OFFERED), 2,
		OFFERED | ICH9_S5,
	};

	fwcfg_add_file(fw, "etc/system-states", states, sizeof(states));
}

static void add_file_int(struct fwcfg *fw, const char *name, uint64_t value,
			 unsigned int bytes)
{
	fwcfg_add_file(fw, name, &value, bytes);
}

/* "HALT" keeps SeaBIOS from trying what is not in the list. */
static void tell_order(struct machine *m, struct fwcfg *fw)
{
	const struct vmm_spec *spec = m->spec;
	_cleanup_free_ char *paths = bootorder_text(m);
	_cleanup_free_ char *text =
		xasprintf("%s%s", paths, spec->boot_strict ? "HALT\n" : "");
	size_t len = strlen(text);

	if (len) {
		text[len - 1] = '\0'; /* ends the last line, for both */
		fwcfg_add_file(fw, "bootorder", text, len);
	}
	fwcfg_add_int(fw, FWCFG_BOOT_MENU, spec->boot_menu, 2);
	if (spec->boot_menu && spec->boot_menu_timeout)
		add_file_int(fw, "etc/boot-menu-wait",
			     MIN(spec->boot_menu_timeout, 0xffffu), 2);
	if (spec->reboot_timeout)
		add_file_int(fw, "etc/boot-fail-wait", spec->reboot_timeout,
			     4);
}

static int add_image(struct fwcfg *fw, uint16_t size_key, uint16_t key,
		     const struct image *whole, uint64_t from, uint64_t len,
		     struct error *err)
{
	_cleanup_free_ uint8_t *data = xmalloc(len + 1);
	int r = image_read(whole, from, data, len);

	if (r < 0)
		return error_set(err, r, "cannot read the kernel: %m");
	fwcfg_add_int(fw, size_key, len, 4);
	fwcfg_add(fw, key, data, len);
	return 0;
}

/*
 * A bzImage in two parts: what runs in real mode, so many sectors and one
 * (Documentation/arch/x86/boot.rst, "setup_sects"), and the rest.
 */
static int tell_kernel(struct machine *m, struct fwcfg *fw, struct error *err)
{
	const struct vmm_spec *spec = m->spec;
	const char *cmdline = spec->cmdline ? spec->cmdline : "";
	struct image kernel;
	uint8_t sectors = 0;
	uint64_t setup;
	int r;

	if (spec->kernel_fd < 0)
		return 0;
	if (spec->nvram_fd < 0) /* SeaBIOS would want an option ROM for it */
		return error_set(err, -ENOTSUP,
				 "firmware without variables starts no kernel: leave the firmware out");
	r = image_open(spec->kernel_fd, &kernel, err);
	if (r < 0)
		return r;
	if (!bzimage_probe(&kernel))
		return error_set(err, -ENOEXEC,
				 "firmware starts only a Linux bzImage");
	image_read(&kernel, 0x1f1, &sectors, 1);
	setup = 512 * ((sectors ? sectors : 4u) + 1);
	if (setup >= kernel.size)
		return error_set(err, -EINVAL, "the bzImage is damaged");
	fwcfg_add_int(fw, FWCFG_CMDLINE_SIZE, strlen(cmdline) + 1, 4);
	fwcfg_add(fw, FWCFG_CMDLINE_DATA, cmdline, strlen(cmdline) + 1);
	r = add_image(fw, FWCFG_SETUP_SIZE, FWCFG_SETUP_DATA, &kernel, 0,
		      setup, err);
	return r < 0 ? r : add_image(fw, FWCFG_KERNEL_SIZE, FWCFG_KERNEL_DATA,
				     &kernel, setup, kernel.size - setup, err);
}

static int tell_initrd(struct machine *m, struct fwcfg *fw, struct error *err)
{
	struct image image;
	int r;

	if (m->spec->initrd_fd < 0)
		return 0;
	r = image_open(m->spec->initrd_fd, &image, err);
	if (r < 0)
		return r;
	fwcfg_add_int(fw, FWCFG_INITRD_SIZE, image.size, 4);
	fwcfg_add_image(fw, FWCFG_INITRD_DATA, &image);
	return 0;
}

/* A picture shown with the boot menu: a bitmap, or else JPEG. */
static int tell_splash(struct machine *m, struct fwcfg *fw, struct error *err)
{
	_cleanup_free_ uint8_t *data = NULL;
	struct image image;
	int r;

	if (m->spec->boot_splash_fd < 0)
		return 0;
	r = image_open(m->spec->boot_splash_fd, &image, err);
	if (r == 0 && (image.size < 2 || image.size > 4 * MIB))
		r = error_set(err, -EINVAL, "the boot splash is no picture");
	if (r < 0)
		return r;
	data = xmalloc(image.size);
	r = image_read(&image, 0, data, image.size);
	if (r < 0)
		return error_set(err, r, "cannot read the boot splash: %m");
	fwcfg_add_file(fw, memcmp(data, "BM", 2) == 0 ? "bootsplash.bmp" :
							"bootsplash.jpg",
		       data, image.size);
	return 0;
}

/* SeaBIOS shows itself on the first serial port if there is no screen. */
static void tell_console(struct machine *m, struct fwcfg *fw)
{
	fwcfg_add_int(fw, FWCFG_NOGRAPHIC, 1, 2);
	if (m->spec->n_serials)
		add_file_int(fw, "etc/sercon-port", 0x3f8, 2);
}

int firmware_offer(struct machine *m, struct rtc *rtc, struct error *err)
{
	struct fwcfg *fw = fwcfg_create(m);
	int r;

	tell_cmos(m, rtc);
	fwcfg_add(fw, FWCFG_UUID, m->spec->uuid, sizeof(m->spec->uuid));
	tell_memory(m, fw);
	tell_cpus(m, fw);
	tell_states(m, fw);
	tell_order(m, fw);
	tell_console(m, fw);
	acpi_offer(m, fw);
	smbios_offer(m, fw);
	r = tell_kernel(m, fw, err);
	if (r == 0)
		r = tell_initrd(m, fw, err);
	return r < 0 ? r : tell_splash(m, fw, err);
}
