/*
 * daemon/hooks.c -- when scripts are run about a domain.
 */
#include "daemon/hooks.h"

#include "daemon/registry.h"

#define LOG_MODULE "hook"
#include "base/log.h"

void registry_set_hook(struct registry *reg, hook_fn *fn)
{
	reg->hook = fn;
}

int hook_domain(struct dom_obj *obj, const char *op, const char *sub_op,
		struct error *err)
{
	_cleanup_free_ char *xml = NULL;

	if (!obj->reg->hook)
		return 0;
	xml = domain_def_format(obj->d.live, DOMAIN_FORMAT_LIVE);
	return obj->reg->hook("qemu", obj->d.name, op, sub_op, NULL, xml, err);
}

void hook_domain_told(struct dom_obj *obj, const char *op,
		      const char *sub_op)
{
	struct error err = { 0 };

	if (hook_domain(obj, op, sub_op, &err) < 0)
		log_warn("domain '%s': %s", obj->d.name, err.message);
}
