/*
 * drivers/launch_firmware.c -- what starts the guest: firmware, its variables,
 * what it is told of the machine, and the order it boots from.
 */
#include <errno.h>
#include <libvirt/virterror.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "base/util.h"
#include "drivers/launch.h"
#include "model/firmware.h"
#include "vmm/spec.h"

#define refuse(err, ...) \
	error_virt(err, VIR_ERR_CONFIG_UNSUPPORTED, __VA_ARGS__)

enum { NVRAM_MAX = 16 << 20 };

/* ---- what there is ---- */

/* The file that variables are in, however it is written. */
static const char *nvram_path(const struct dom_os *os)
{
	return os->nvram_file ? os->nvram_file : os->nvram;
}

static bool has_nvram(const struct dom_os *os)
{
	return nvram_path(os) || os->nvram_dev;
}

static int check_microvm(const struct dom_os *os, struct error *err)
{
	if (os->loader || os->firmware || has_nvram(os))
		return refuse(err, "<os>: machine 'microvm' has no firmware; remove <loader>, <nvram> and the firmware attribute, or use machine='q35'");
	if (!os->kernel)
		return refuse(err, "<os>: machine 'microvm' boots a kernel directly; add <kernel>, or use machine='q35'");
	return 0;
}

static int check_q35(const struct dom_os *os, struct error *err)
{
	bool flash = str_eq(os->loader_type, "pflash");

	if (os->loader_type && !flash && !str_eq(os->loader_type, "rom"))
		return refuse(err, "<os><loader>: type '%s' is not supported, use 'pflash' or 'rom'",
			      os->loader_type);
	if (os->loader && os->loader[0] != '/')
		return refuse(err, "<os><loader>: '%s' is not an absolute path",
			      os->loader);
	if (flash && os->loader && str_eq(os->loader_readonly, "no"))
		return refuse(err, "<os><loader>: flash with code is read-only here; use readonly='yes' and <nvram>");
	if (os->loader && os->kernel && !flash)
		return refuse(err, "<os><loader>: a BIOS cannot be handed a kernel; remove <loader>, and the kernel is entered directly");
	if (flash && os->loader && !has_nvram(os))
		return refuse(err, "<os><loader>: flash without <nvram> is not supported");
	if (has_nvram(os) && !flash)
		return refuse(err, "<os><nvram>: it needs <loader type='pflash'>");
	if (os->smbios && str_eq(os->smbios, "host"))
		return refuse(err, "<os><smbios>: mode 'host' is not supported, use 'sysinfo'");
	return 0;
}

int launch_check_firmware(const struct dom_os *os, struct error *err)
{
	if (str_eq(os->nvram_type, "network"))
		return refuse(err, "<os><nvram>: type 'network' is not supported, use 'file' or 'block'");
	if (!os->machine || str_eq(os->machine, "microvm"))
		return check_microvm(os, err);
	if (str_eq(os->machine, "q35"))
		return check_q35(os, err);
	return refuse(err, "<os><type machine>: there is no machine '%s'; use 'q35', or 'microvm' with <kernel>",
		      os->machine);
}

/* ---- variables ---- */

static int copy_all(int from, int to)
{
	char block[65536];
	ssize_t n, total = 0;

	while ((n = read(from, block, sizeof(block))) > 0) {
		int r = write_full(to, block, n);

		if (r < 0)
			return r;
		total += n;
		if (total > NVRAM_MAX)
			return -EFBIG;
	}
	return n < 0 || fsync(to) < 0 ? -errno : 0;
}

/* A store of variables as new: what the template has. */
static int make_nvram(const struct dom_os *os, struct error *err)
{
	_cleanup_close_ int from = -1, to = -1;
	struct error dropped;
	int r;

	if (!os->nvram_template)
		return error_virt(err, VIR_ERR_OPERATION_FAILED,
				  "unable to find any master var store for loader: %s",
				  os->loader);
	r = host_open_file(os->nvram_template, err, &from);
	if (r >= 0)
		r = host_file_begin(nvram_path(os), err, &to);
	if (r < 0)
		return r;
	r = copy_all(from, to);
	if (r >= 0)
		return host_file_end(nvram_path(os), true, err);
	host_file_end(nvram_path(os), false, &dropped);
	return error_set(err, r, "cannot make '%s' from '%s': %m", nvram_path(os),
			 os->nvram_template);
}

/* Variables on a device of their own are there already. */
static int open_nvram_device(const struct dom_os *os, struct vmm_spec *s,
			     struct error *err)
{
	return host_open_disk(os->nvram_dev, false, true, err, &s->nvram_fd);
}

static int open_nvram(const struct dom_os *os, struct vmm_spec *s,
		      struct error *err)
{
	struct error missing;
	int r = host_open_disk(nvram_path(os), false, false, &missing,
			       &s->nvram_fd);

	if (r != -ENOENT) {
		if (r < 0)
			*err = missing;
		return r;
	}
	r = make_nvram(os, err);
	return r < 0 ? r : host_open_disk(nvram_path(os), false, false, err,
					  &s->nvram_fd);
}

/* ---- what firmware is told ---- */

static char **smbios_member(struct vmm_spec *s, const char *name)
{
	const struct {
		const char *name;
		char **member;
	} known[] = {
		{ "manufacturer", &s->smbios_manufacturer },
		{ "product", &s->smbios_product },
		{ "version", &s->smbios_version },
		{ "serial", &s->smbios_serial },
		{ "sku", &s->smbios_sku },
		{ "family", &s->smbios_family },
	};

	for (size_t i = 0; i < ARRAY_SIZE(known); i++)
		if (str_eq(known[i].name, name))
			return known[i].member;
	return NULL;
}

static void tell_smbios(const struct dom_sysinfo *info, struct vmm_spec *s)
{
	for (unsigned int i = 0; i < info->n_entries; i++) {
		const struct dom_sysinfo_entry *e = &info->entries[i];
		char **member = smbios_member(s, e->name);

		if (!member)
			continue;
		free(*member);
		*member = xstrdup(e->value);
	}
}

static void add_strings(struct vmm_spec *s, enum spec_smbios_of of,
			unsigned int n, const struct dom_sysinfo_entry *e,
			unsigned int n_entries)
{
	s->smbios = xrealloc(s->smbios, s->n_smbios + n_entries,
			     sizeof(*s->smbios));
	for (unsigned int i = 0; i < n_entries; i++)
		s->smbios[s->n_smbios++] = (struct spec_smbios){
			of, n, xstrdup(e[i].name),
			xstrdup(e[i].value ? e[i].value : ""),
		};
}

static void add_structures(const struct dom_sysinfo *info, struct vmm_spec *s)
{
	add_strings(s, SMBIOS_BIOS, 0, info->bios, info->n_bios);
	for (unsigned int i = 0; i < info->n_boards; i++)
		add_strings(s, SMBIOS_BOARD, i, info->boards[i].entries,
			    info->boards[i].n_entries);
	add_strings(s, SMBIOS_CHASSIS, 0, info->chassis, info->n_chassis);
	add_strings(s, SMBIOS_OEM, 0, info->oem, info->n_oem);
}

static void tell(const struct domain_def *def, struct vmm_spec *s)
{
	const struct dom_os *os = &def->os;

	s->boot_menu = os->bootmenu == TRI_ON;
	if (os->bootmenu_timeout)
		s->boot_menu_timeout = atoi(os->bootmenu_timeout);
	if (os->reboot_timeout)
		s->reboot_timeout = MAX(atoi(os->reboot_timeout), 0);
	for (unsigned int i = 0; i < def->n_sysinfos; i++)
		if (str_eq(os->smbios, "sysinfo") &&
		    str_eq(def->sysinfos[i].type, "smbios")) {
			tell_smbios(&def->sysinfos[i], s);
			add_structures(&def->sysinfos[i], s);
		}
}

/* The boot menu's picture. */
static int open_splash(const struct domain_def *def, struct vmm_spec *s,
		       struct error *err)
{
	_cleanup_free_ char *path = NULL;
	bool there;
	int r = launch_metadata(def, "bootmenu", "splash", &there, &path, err);

	if (r < 0 || !path)
		return r;
	return host_open_file(path, err, &s->boot_splash_fd);
}

int launch_build_firmware(const struct domain_def *def, struct vmm_spec *s,
			  struct error *err)
{
	const struct dom_os *os = &def->os;
	const char *image = os->loader ? os->loader : firmware_known->loader;
	int r;

	if (!str_eq(s->machine, "q35"))
		return 0;
	tell(def, s);
	/* A kernel is entered directly where a BIOS would only load it. */
	if (os->kernel && !os->loader)
		return 0;
	r = open_splash(def, s, err);
	if (r < 0)
		return r;
	s->secure_loader = str_eq(os->loader_secure, "yes");
	r = host_open_file(image, err, &s->firmware_fd);
	if (r >= 0 && os->nvram_dev)
		return open_nvram_device(os, s, err);
	return r < 0 || !nvram_path(os) ? r : open_nvram(os, s, err);
}

/* ---- the order ---- */

/* <boot dev='hd'/> is the first disk, as libvirt has it. */
static void order_disk(struct vmm_spec *s, enum spec_disk_kind kind,
		       unsigned int *next)
{
	for (unsigned int i = 0; i < s->n_disks; i++)
		if (s->disks[i].kind == kind) {
			s->disks[i].boot_index = (*next)++;
			return;
		}
}

void launch_boot_order(const struct dom_os *os, struct vmm_spec *s)
{
	unsigned int next = 1;

	for (unsigned int i = 0; i < os->n_boot; i++) {
		if (str_eq(os->boot[i], "hd"))
			order_disk(s, SPEC_DISK, &next);
		else if (str_eq(os->boot[i], "cdrom"))
			order_disk(s, SPEC_CDROM, &next);
		else if (str_eq(os->boot[i], "network") && s->n_nics)
			s->nics[0].boot_index = next++;
	}
	s->boot_strict = true;
}
