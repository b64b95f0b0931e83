/*
 * daemon/migrate_offline.c -- the definition of a guest that is off goes to
 * another host.
 *
 * Clients and we leave "perform" out.  The destination defines it at once, as
 * clients bring no cookie to "finish"; if they never come that far both hosts have
 * it, off.
 */
#include <errno.h>
#include <libvirt/libvirt.h>
#include <libvirt/virterror.h>

#include "daemon/definition.h"
#include "daemon/migrate_priv.h"

#define LOG_MODULE "migrate"
#include "base/log.h"

int offline_check(const struct migrate_args *args, struct error *err)
{
	if (!(args->flags & VIR_MIGRATE_PERSIST_DEST))
		return error_virt(err, VIR_ERR_OPERATION_INVALID,
				  "offline migration must be specified with "
				  "the persistent flag set");
	if (args->flags & (VIR_MIGRATE_LIVE | VIR_MIGRATE_POSTCOPY |
			   VIR_MIGRATE_TLS | VIR_MIGRATE_PARALLEL))
		return error_virt(err, VIR_ERR_INVALID_ARG,
				  "offline migration sends no memory: flags "
				  "about that make no sense");
	return 0;
}

/* The client's definition for there, or ours. */
int offline_begin(struct dom_obj *obj, const struct migrate_args *args,
		  char **ret_xml, struct migrate_cookie *out,
		  struct error *err)
{
	struct domain_def *def = NULL;
	int r = 0;

	if (obj->active)
		return error_virt(err, VIR_ERR_OPERATION_INVALID,
				  "domain '%s' is running: offline migration is "
				  "for those that are off",
				  obj->d.name);
	if (!obj->config || obj->saved)
		return error_virt(err, VIR_ERR_OPERATION_INVALID,
				  "domain '%s' has a managed save, which does "
				  "not go along",
				  obj->d.name);
	if (args->dxml)
		r = config_parse(obj->reg, args->dxml, 0, &def, err);
	if (r < 0)
		return r;
	*ret_xml = domain_def_format(def ? def : obj->config,
				     DOMAIN_FORMAT_SECURE);
	domain_def_free(def);
	out->boot = xstrdup(registry_boot_id(obj->reg));
	return 0;
}

static int define(struct registry *reg, const struct domain_def *def,
		  struct error *err)
{
	_cleanup_free_ char *xml = NULL;
	struct domain_ref ref;
	struct error none;

	if (domain_lookup_name(reg, def->name, &ref, &none) == 0 ||
	    domain_lookup_uuid(reg, def->uuid, &ref, &none) == 0)
		return error_virt(err, VIR_ERR_OPERATION_INVALID,
				  "domain '%s' is defined here already",
				  def->name);
	xml = domain_def_format(def, DOMAIN_FORMAT_SECURE);
	return domain_define(reg, xml, 0, &ref, err);
}

int offline_prepare(struct registry *reg, const struct migrate_args *args,
		    char **ret_uri, struct error *err)
{
	struct domain_def *def = NULL;
	int r;

	if (!args->dxml)
		return error_virt(err, VIR_ERR_INVALID_ARG,
				  "no domain XML passed");
	r = config_parse(reg, args->persist_xml ? args->persist_xml :
						  args->dxml,
			 false, &def, err);
	if (r < 0)
		return r;
	if (args->dname) {
		free(def->name);
		def->name = xstrdup(args->dname);
	}
	r = define(reg, def, err);
	domain_def_free(def);
	/* Clients want one, though nothing goes there. */
	if (r == 0)
		*ret_uri = xstrdup(args->uri ? args->uri : "tcp://localhost");
	return r;
}

int offline_finish(struct registry *reg, const struct migrate_args *args,
		   bool cancelled, struct domain_ref *ret, struct error *err)
{
	return cancelled ? error_virt(err, VIR_ERR_MIGRATE_FINISH_OK,
				      "the migration was cancelled") :
			   domain_lookup_name(reg, args->dname, ret, err);
}

int offline_confirm(struct dom_obj *obj, const struct migrate_args *args,
		    bool cancelled, struct error *err)
{
	int r;

	if (cancelled || !(args->flags & VIR_MIGRATE_UNDEFINE_SOURCE) ||
	    !obj->config || obj->active)
		return 0;
	r = config_remove(obj, err);
	if (r == 0)
		notify_lifecycle(obj, VIR_DOMAIN_EVENT_UNDEFINED,
				 VIR_DOMAIN_EVENT_UNDEFINED_REMOVED);
	return r;
}
