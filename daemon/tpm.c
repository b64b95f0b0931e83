/*
 * daemon/tpm.c -- the state of domains' TPMs: made at a domain's first start
 * (priv_tpm.c), gone when it is undefined or a transient one ends, unless it is
 * to be kept, as libvirt has it.
 */
#include "daemon/tpm.h"

#include <libvirt/libvirt.h>
#include <string.h>

#define LOG_MODULE "domain"
#include "base/log.h"
#include "daemon/registry.h"

static bool is_kept(const struct domain_def *def)
{
	return def->n_tpms && str_eq(def->tpms[0].persistent, "yes");
}

static int forget(struct dom_obj *obj, struct error *err)
{
	return obj->reg->files ? obj->reg->files->forget_tpm(obj->d.uuid, err) :
				 0;
}

/* From now on a transient domain, whose end would be the state's. */
static int keep_after_run(struct dom_obj *obj, struct error *err)
{
	struct domain_def *live = obj->d.live;

	if (!live->n_tpms)
		return 0;
	pthread_mutex_lock(&obj->reg->lock);
	free(live->tpms[0].persistent);
	live->tpms[0].persistent = xstrdup("yes");
	pthread_mutex_unlock(&obj->reg->lock);
	return run_record(obj, err);
}

int tpm_forget(struct dom_obj *obj, unsigned int flags, struct error *err)
{
	bool keep = flags & VIR_DOMAIN_UNDEFINE_KEEP_TPM ||
		    (is_kept(obj->config) &&
		     !(flags & VIR_DOMAIN_UNDEFINE_TPM));

	if (obj->active)
		return keep ? keep_after_run(obj, err) : 0;
	return keep || !obj->config->n_tpms ? 0 : forget(obj, err);
}

void tpm_run_ended(struct dom_obj *obj)
{
	const struct domain_def *def = obj->d.live;
	struct error err = { 0 };

	if (obj->config || !def || !def->n_tpms || is_kept(def))
		return;
	if (forget(obj, &err) < 0)
		log_warn("domain '%s': %s", obj->d.name, err.message);
}
