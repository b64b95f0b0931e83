/*
 * daemon/handlers_domain_info.c -- domains: what they are and how they fare.
 */
#include <errno.h>
#include <string.h>

#include <libvirt/libvirt.h>
#include <libvirt/virterror.h>

#include "daemon/hostinfo.h"
#include "daemon/guestinfo.h"
#include "daemon/reply.h"

static int get_info(struct call *call, const wire_dom *dom,
		    struct domain_info *ret, struct error *err)
{
	return domain_get_info(call->reg, wire_uuid_of(dom), ret, err);
}

/* The same, for calls with flags of which none exists. */
static int get_info_flags(struct call *call, const wire_dom_flags *args,
			  struct domain_info *ret, struct error *err)
{
	int r = call_flags(call, args->flags, 0, err);

	return r < 0 ? r : get_info(call, &args->dom, ret, err);
}

static int error_inactive(struct error *err)
{
	return error_virt(err, VIR_ERR_OPERATION_INVALID, "%s",
			  "domain is not running");
}

/* ---- state ---- */

int handle_domain_get_info(struct call *call, const wire_dom *args,
			   wire_dom_info *reply, struct error *err)
{
	struct domain_info info;
	int r = get_info(call, args, &info, err);

	if (r < 0)
		return r;
	reply->state = info.state;
	reply->max_mem = info.max_mem / KIB;
	reply->memory = info.memory / KIB;
	reply->vcpus = info.vcpus;
	reply->cpu_time = info.cpu_ns;
	return 0;
}

int handle_domain_get_state(struct call *call, const wire_dom_flags *args,
			    wire_dom_state *reply, struct error *err)
{
	struct domain_info info;
	int r = get_info_flags(call, args, &info, err);

	if (r < 0)
		return r;
	reply->state = info.state;
	reply->reason = info.reason;
	return 0;
}

int handle_domain_get_control_info(struct call *call,
				   const wire_dom_flags *args,
				   wire_control_info *reply, struct error *err)
{
	struct domain_info info;
	int r = get_info_flags(call, args, &info, err);

	if (r < 0)
		return r;
	if (!info.active)
		return error_inactive(err);
	reply->state = VIR_DOMAIN_CONTROL_OK;
	return 0;
}

int handle_domain_is_active(struct call *call, const wire_dom *args,
			    wire_int *reply, struct error *err)
{
	struct domain_info info;
	int r = get_info(call, args, &info, err);

	if (r >= 0)
		*reply = info.active;
	return r;
}

int handle_domain_is_persistent(struct call *call, const wire_dom *args,
				wire_int *reply, struct error *err)
{
	struct domain_info info;
	int r = get_info(call, args, &info, err);

	if (r >= 0)
		*reply = info.persistent;
	return r;
}

int handle_domain_is_updated(struct call *call, const wire_dom *args,
			     wire_int *reply, struct error *err)
{
	struct domain_info info;
	int r = get_info(call, args, &info, err);

	if (r >= 0)
		*reply = info.updated;
	return r;
}

int handle_domain_get_autostart(struct call *call, const wire_dom *args,
				wire_int *reply, struct error *err)
{
	struct domain_info info;
	int r = get_info(call, args, &info, err);

	if (r >= 0)
		*reply = info.autostart;
	return r;
}

int handle_domain_get_max_memory(struct call *call, const wire_dom *args,
				 wire_u64 *reply, struct error *err)
{
	struct domain_info info;
	int r = get_info(call, args, &info, err);

	if (r >= 0)
		*reply = info.max_mem / KIB;
	return r;
}

/* ---- definition ---- */

int handle_domain_get_xml_desc(struct call *call, const wire_dom_flags *args,
			       wire_str *reply, struct error *err)
{
	if (call->readonly &&
	    (args->flags & (VIR_DOMAIN_XML_SECURE | VIR_DOMAIN_XML_MIGRATABLE)))
		return error_virt(err, VIR_ERR_OPERATION_DENIED,
				  "%s with secure flag", call->proc->api);
	*reply = domain_get_xml(call->reg, wire_uuid_of(&args->dom),
				args->flags, err);
	return *reply ? 0 : -EINVAL;
}

int handle_domain_get_os_type(struct call *call, const wire_dom *args,
			      wire_str *reply, struct error *err)
{
	struct domain_def *def =
		domain_get_def(call->reg, wire_uuid_of(args), true, err);

	if (!def)
		return -EINVAL;
	*reply = xstrdup(def->os.type ? def->os.type : "hvm");
	domain_def_free(def);
	return 0;
}

/* ---- vCPUs ---- */

/*
 * Whether the running or the stored definition is asked for; without either
 * flag the running one, if there is one.
 */
static int choose_live(const struct domain_info *info, unsigned int flags,
		       bool *ret_live, struct error *err)
{
	unsigned int which =
		flags & (VIR_DOMAIN_AFFECT_LIVE | VIR_DOMAIN_AFFECT_CONFIG);

	if (which == (VIR_DOMAIN_AFFECT_LIVE | VIR_DOMAIN_AFFECT_CONFIG))
		return error_virt(err, VIR_ERR_INVALID_ARG, "%s",
				  "flags 'affect live' and 'affect config' "
				  "are mutually exclusive");
	if (which == VIR_DOMAIN_AFFECT_LIVE && !info->active)
		return error_inactive(err);
	if (which == VIR_DOMAIN_AFFECT_CONFIG && !info->persistent)
		return error_virt(err, VIR_ERR_OPERATION_INVALID, "%s",
				  "transient domains do not have any "
				  "persistent config");
	*ret_live = which ? which == VIR_DOMAIN_AFFECT_LIVE : info->active;
	return 0;
}

static int count_vcpus(struct call *call, const wire_dom *dom,
		       unsigned int flags, wire_int *reply, struct error *err)
{
	struct domain_info info;
	struct domain_def *def;
	bool live = false;
	int r = get_info(call, dom, &info, err);

	if (r >= 0)
		r = choose_live(&info, flags, &live, err);
	if (r < 0)
		return r;
	def = domain_get_def(call->reg, wire_uuid_of(dom), live, err);
	if (!def)
		return -EINVAL;
	*reply = flags & VIR_DOMAIN_VCPU_MAXIMUM ? def->max_vcpus : def->vcpus;
	domain_def_free(def);
	return 0;
}

int handle_domain_get_max_vcpus(struct call *call, const wire_dom *args,
				wire_int *reply, struct error *err)
{
	return count_vcpus(call, args,
			   VIR_DOMAIN_AFFECT_LIVE | VIR_DOMAIN_VCPU_MAXIMUM,
			   reply, err);
}

static int count_guest_vcpus(struct call *call, const wire_dom_flags *args,
			     wire_int *reply, struct error *err)
{
	int r = call_flags(call, args->flags,
			   VIR_DOMAIN_VCPU_GUEST | VIR_DOMAIN_AFFECT_LIVE, err);

	return r < 0 ? r : guestinfo_vcpus(call, &args->dom, reply, err);
}

int handle_domain_get_vcpus_flags(struct call *call, const wire_dom_flags *args,
				  wire_int *reply, struct error *err)
{
	int r;

	if (args->flags & VIR_DOMAIN_VCPU_GUEST)
		return count_guest_vcpus(call, args, reply, err);
	r = call_flags(call, args->flags,
		       VIR_DOMAIN_AFFECT_LIVE | VIR_DOMAIN_AFFECT_CONFIG |
			       VIR_DOMAIN_VCPU_MAXIMUM,
		       err);
	return r < 0 ? r
		     : count_vcpus(call, &args->dom, args->flags, reply, err);
}

/* n maps of len bytes each, with a bit for each CPU of the host. */
static char *cpu_maps(const struct hostinfo *host, unsigned int n, size_t len)
{
	size_t have = MIN(len, sizeof(host->online));
	char *maps = xcalloc(n, len + !len);

	for (unsigned int i = 0; i < n; i++)
		memcpy(maps + i * len, host->online, have);
	return maps;
}

/* Refuses what cannot be a size of maps, or is beyond the protocol. */
static int check_maps(const struct call *call, int n, int len,
		      struct error *err)
{
	if (n < 0 || n > WIRE_LIST_MAX || len < 0 || len > WIRE_CPUMAP_MAX ||
	    (size_t)n * len > WIRE_CPUMAPS_MAX)
		return error_virt(err, VIR_ERR_INVALID_ARG,
				  "invalid size of CPU maps in %s",
				  call->proc->api);
	return 0;
}

static void reply_vcpus(wire_vcpus *reply, const struct domain_stats *stats,
			unsigned int n)
{
	reply->info.info_val = xcalloc(n + 1, sizeof(wire_vcpu));
	reply->info.info_len = n;
	for (unsigned int i = 0; i < n; i++) {
		wire_vcpu *v = &reply->info.info_val[i];

		v->number = i;
		v->state = VIR_VCPU_RUNNING;
		v->cpu = VIR_VCPU_INFO_CPU_UNAVAILABLE;
		if (i < stats->n_vcpus)
			v->cpu_time = stats->vcpu_ns[i];
	}
}

int handle_domain_get_vcpus(struct call *call, const wire_vcpus_args *args,
			    wire_vcpus *reply, struct error *err)
{
	struct domain_stats stats = { 0 };
	struct domain_info info;
	unsigned int n;
	int r = check_maps(call, args->max_info, args->map_len, err);

	if (r >= 0)
		r = get_info(call, &args->dom, &info, err);
	if (r < 0)
		return r;
	if (!info.active)
		return error_virt(err, VIR_ERR_OPERATION_INVALID, "%s",
				  "cannot retrieve vcpu information for "
				  "inactive domain");
	r = domain_get_stats(call->reg, wire_uuid_of(&args->dom), &stats, err);
	if (r < 0)
		return r;
	n = MIN(info.vcpus, (unsigned int)args->max_info);
	reply_vcpus(reply, &stats, n);
	if (args->map_len) {
		reply->maps.maps_val = cpu_maps(call->host, n, args->map_len);
		reply->maps.maps_len = n * args->map_len;
	}
	domain_stats_finish(&stats);
	return 0;
}

/* ---- what is empty here ---- */

int handle_domain_get_security_label(struct call *call, const wire_dom *args,
				     wire_security_label *reply,
				     struct error *err)
{
	struct domain_info info;
	int r = get_info(call, args, &info, err);

	if (r < 0)
		return r;
	reply->label.label_val = xcalloc(1, sizeof(int));
	reply->label.label_len = 1;
	return 0;
}

int handle_domain_get_security_label_list(struct call *call,
					  const wire_dom *args,
					  wire_security_labels *reply,
					  struct error *err)
{
	struct domain_info info;

	return get_info(call, args, &info, err);
}

int handle_domain_get_messages(struct call *call, const wire_dom_flags *args,
			       wire_messages *reply, struct error *err)
{
	struct domain_info info;
	int r = call_flags(call, args->flags,
			   VIR_DOMAIN_MESSAGE_DEPRECATION |
				   VIR_DOMAIN_MESSAGE_TAINTING,
			   err);

	return r < 0 ? r : get_info(call, &args->dom, &info, err);
}
