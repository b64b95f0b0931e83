/*
 * model/firmware.c -- which firmware a definition means.
 *
 * As libvirt has it (formatdomain, "BIOS bootloader"): firmware='efi' chooses
 * by features, <loader> names one, and none at all is a PC's BIOS.
 */
#include "model/firmware.h"

#include <libvirt/virterror.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "model/complete.h"

#define OVMF "/usr/share/OVMF/OVMF_"

const struct firmware firmware_known[] = {
	{ "bios", "/usr/share/seabios/bios-256k.bin", NULL, false, false },
	{ "efi", OVMF "CODE_4M.fd", OVMF "VARS_4M.fd", false, false },
	{ "efi", OVMF "CODE_4M.ms.fd", OVMF "VARS_4M.ms.fd", true, true },
	{ "efi", OVMF "CODE_4M.secboot.fd", OVMF "VARS_4M.fd", true, false },
	{ "efi", OVMF "CODE.fd", OVMF "VARS.fd", false, false },
	{ "efi", OVMF "CODE.secboot.fd", OVMF "VARS.fd", true, false },
	{ 0 },
};

static bool missing[ARRAY_SIZE(firmware_known)];

void firmware_look(void)
{
	for (const struct firmware *fw = firmware_known; fw->kind; fw++)
		missing[fw - firmware_known] =
			access(fw->loader, R_OK) < 0 ||
			(fw->template && access(fw->template, R_OK) < 0);
}

static bool installed(const struct firmware *fw)
{
	return !missing[fw - firmware_known];
}

const char **firmware_loaders(const char *kind)
{
	const char **list = xcalloc(ARRAY_SIZE(firmware_known), sizeof(*list));
	unsigned int n = 0;

	for (const struct firmware *fw = firmware_known; fw->kind; fw++)
		if (installed(fw) && str_eq(fw->kind, kind))
			list[n++] = fw->loader;
	if (!n)
		free(list);
	return n ? list : NULL;
}

/* A feature's word: "yes", "no" or NULL. */
static const char *feature(const struct dom_os *os, const char *name)
{
	for (unsigned int i = 0; i < os->n_features; i++)
		if (str_eq(os->features[i].name, name))
			return os->features[i].enabled;
	return NULL;
}

static bool suits(const char *wish, bool have)
{
	return !wish || str_eq(wish, "yes") == have;
}

static bool firmware_suits(const struct firmware *fw, const struct dom_os *os)
{
	return installed(fw) && str_eq(fw->kind, os->firmware) &&
	       (!os->loader || str_eq(os->loader, fw->loader)) &&
	       suits(os->loader_secure, fw->secure) &&
	       suits(feature(os, "secure-boot"), fw->secure) &&
	       suits(feature(os, "enrolled-keys"), fw->enrolled);
}

static const struct firmware *choose(const struct dom_os *os)
{
	const struct firmware *fw = firmware_known;

	while (fw->kind && !firmware_suits(fw, os))
		fw++;
	return fw->kind ? fw : NULL;
}

static const struct firmware *by_loader(const char *loader)
{
	const struct firmware *fw = firmware_known;

	while (fw->kind && !str_eq(fw->loader, loader))
		fw++;
	return fw->kind ? fw : NULL;
}

static void describe_loader(struct dom_os *os, const struct firmware *fw)
{
	default_str(&os->loader, fw->loader);
	if (!fw->template)
		return;
	default_str(&os->loader_readonly, "yes");
	default_str(&os->loader_type, "pflash");
	if (fw->secure)
		default_str(&os->loader_secure, "yes");
}

/* firmware='...': one that has the features. */
static int choose_loader(struct dom_os *os, struct error *err)
{
	const struct firmware *fw = choose(os);

	if (!fw)
		return error_virt(err, VIR_ERR_OPERATION_FAILED,
				  "Unable to find any firmware to satisfy '%s'; is package %s installed?",
				  os->firmware,
				  str_eq(os->firmware, "efi") ? "ovmf" :
								"seabios");
	/* A BIOS is what a machine has anyway: nothing to write down. */
	if (fw->template)
		describe_loader(os, fw);
	return 0;
}

/* Where variables are: a place of ours, made from a template. */
static int complete_nvram(struct domain_def *def, const char *nvram_dir,
			  struct error *err)
{
	struct dom_os *os = &def->os;
	const struct firmware *fw = by_loader(os->loader);

	if (fw && fw->template && !str_eq(os->loader_stateless, "yes"))
		default_str(&os->nvram_template, fw->template);
	if (os->nvram || os->nvram_file || os->nvram_dev ||
	    str_eq(os->loader_stateless, "yes") ||
	    str_eq(os->nvram_type, "network"))
		return 0;
	/* One that can be written has its variables in itself. */
	if (!os->nvram_template && !str_eq(os->loader_readonly, "yes"))
		return 0;
	if (!os->nvram_template)
		return error_virt(err, VIR_ERR_OPERATION_FAILED,
				  "unable to find any master var store for loader: %s",
				  os->loader);
	if (!nvram_dir)
		return error_virt(err, VIR_ERR_CONFIG_UNSUPPORTED,
				  "domain '%s' needs an <nvram> path",
				  def->name);
	os->nvram = xasprintf("%s/%s_VARS.fd", nvram_dir, def->name);
	return 0;
}

int firmware_complete(struct domain_def *def, const char *nvram_dir,
		      struct error *err)
{
	struct dom_os *os = &def->os;
	int r = 0;

	if (!str_eq(os->machine, "q35"))
		return 0;
	if (os->firmware)
		r = choose_loader(os, err);
	if (r < 0 || !os->loader)
		return r;
	default_str(&os->loader_type, "rom");
	return str_eq(os->loader_type, "pflash") ?
		       complete_nvram(def, nvram_dir, err) :
		       0;
}
