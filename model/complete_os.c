/*
 * model/complete_os.c -- <os>: architecture, machine, boot order.
 */
#include <libvirt/virterror.h>
#include <stdlib.h>
#include <string.h>

#include "model/complete.h"

bool os_is_i440fx(const struct dom_os *os)
{
	return str_eq(os->machine_name, "pc") ||
	       str_startswith(os->machine_name, "pc-i440fx-");
}

static bool is_q35(const struct dom_os *os)
{
	return str_eq(os->machine_name, "q35") ||
	       str_startswith(os->machine_name, "pc-q35-");
}

/* Booting a kernel directly needs no firmware, so no firmware's machine. */
static const char *default_machine(const struct dom_os *os)
{
	return os->kernel && !os->loader && !os->firmware ? "microvm" : "q35";
}

/*
 * Every name of the PC machine means ours, and stays as it was written; see
 * DESIGN in ARCHITECTURE.md.
 */
static int complete_machine(struct domain_def *def, struct error *err)
{
	struct dom_os *os = &def->os;

	if (!os->machine_name)
		os->machine_name = xstrdup(default_machine(os));
	os->machine = str_eq(os->machine_name, "microvm") ? "microvm" : "q35";
	if (is_q35(os) || os_is_i440fx(os) || str_eq(os->machine, "microvm") ||
	    def->virt == DOM_VIRT_TEST)
		return 0;
	return error_virt(err, VIR_ERR_CONFIG_UNSUPPORTED,
			  "unknown machine type '%.80s'; there are microvm "
			  "and q35", os->machine_name);
}

static bool boots_by_device(const struct domain_def *def)
{
	struct dom_info *info;

	for (unsigned int i = 0; (info = domain_info(def, i)); i++)
		if (info->boot_order)
			return true;
	return false;
}

static int complete_boot(struct domain_def *def, struct error *err)
{
	struct dom_os *os = &def->os;
	bool by_device = boots_by_device(def);

	if (by_device && os->n_boot)
		return error_virt(err, VIR_ERR_CONFIG_UNSUPPORTED,
				  "per-device boot elements cannot be used "
				  "together with os/boot elements");
	if (!by_device && !os->n_boot)
		os->boot[os->n_boot++] = xstrdup("hd");
	return 0;
}

static int check_ms(const char *text, long min, const char *what,
		    struct error *err)
{
	char *end;
	long ms = text ? strtol(text, &end, 10) : 0;

	if (!text || (*text && !*end && ms >= min && ms <= 65535))
		return 0;
	return error_virt(err, VIR_ERR_XML_ERROR,
			  "invalid value for %s, must be in range [%ld,65535]",
			  what, min);
}

static int check_bios(const struct dom_os *os, struct error *err)
{
	int r = check_ms(os->bootmenu_timeout, 0, "boot menu timeout", err);

	return r < 0 ? r : check_ms(os->reboot_timeout, -1, "rebootTimeout",
				    err);
}

int domain_complete_os(struct domain_def *def, struct error *err)
{
	struct dom_os *os = &def->os;
	int r;

	if (!str_eq(os->type, "hvm"))
		return error_virt(err, VIR_ERR_CONFIG_UNSUPPORTED,
				  "unknown OS type '%.40s'; there is hvm",
				  os->type);
	default_str(&os->arch, "x86_64");
	/* i686 is kept; the drivers have it or refuse it. */
	if (!str_eq(os->arch, "x86_64") && !str_eq(os->arch, "i686"))
		return error_virt(err, VIR_ERR_CONFIG_UNSUPPORTED,
				  "No emulator found for arch '%.40s'; there "
				  "is x86_64", os->arch);
	r = complete_machine(def, err);
	if (r >= 0)
		r = check_bios(os, err);
	return r < 0 ? r : complete_boot(def, err);
}
