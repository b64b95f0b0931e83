/*
 * drivers/launch_tpm.c -- a domain's TPM: a program that the privileged process
 * starts, and two sockets to it.
 */
#include <libvirt/virterror.h>
#include <string.h>

#include "base/error.h"
#include "base/util.h"
#include "drivers/launch.h"
#include "vmm/spec.h"

#define refuse(err, ...) \
	error_virt(err, VIR_ERR_CONFIG_UNSUPPORTED, __VA_ARGS__)

static int check_tpm(const struct dom_tpm *t, struct error *err)
{
	if (!str_eq(t->model, "tpm-crb") && !str_eq(t->model, "tpm-tis"))
		return refuse(err, "<tpm>: model '%s' is not supported, use 'tpm-crb' or 'tpm-tis'",
			      t->model);
	if (!str_eq(t->backend, "emulator"))
		return refuse(err, "<tpm><backend>: type '%s' is not supported, use 'emulator'",
			      t->backend);
	if (!str_eq(t->version, "2.0"))
		return refuse(err, "<tpm><backend>: version '%s' is not supported, use '2.0'",
			      t->version);
	if (t->info.extra && (strstr(t->info.extra, "<encryption") ||
			      strstr(t->info.extra, "<active_pcr_banks")))
		return refuse(err, "<tpm><backend>: <encryption> and <active_pcr_banks> are not supported, leave them out");
	return 0;
}

int launch_check_tpms(const struct domain_def *def, struct error *err)
{
	if (def->n_tpms > 1)
		return refuse(err, "<tpm>: one is supported");
	return def->n_tpms ? check_tpm(&def->tpms[0], err) : 0;
}

int launch_build_tpm(const struct domain_def *def, struct vmm_spec *s,
		     struct error *err)
{
	if (!def->n_tpms)
		return 0;
	s->tpm = str_eq(def->tpms[0].model, "tpm-crb") ? TPM_CRB : TPM_TIS;
	return host_spawn_tpm(def->uuid, err, &s->tpm_control_fd,
			      &s->tpm_data_fd);
}
