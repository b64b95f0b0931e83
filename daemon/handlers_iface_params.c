/*
 * daemon/handlers_iface_params.c -- typed parameters about how much a network
 * card may carry in a second: a definition's <bandwidth>.
 */
#include <errno.h>
#include <libvirt/libvirt.h>
#include <libvirt/virterror.h>
#include <string.h>

#include "daemon/reply.h"
#include "daemon/tune.h"

enum { LIVE_OR_CONFIG = VIR_DOMAIN_AFFECT_LIVE | VIR_DOMAIN_AFFECT_CONFIG };

/* In libvirt's order. */
static const struct known {
	const char *name;
	bool out;
	size_t at; /* in struct net_rate */
} known[] = {
#define R(m) offsetof(struct net_rate, m)
	{ VIR_DOMAIN_BANDWIDTH_IN_AVERAGE, false, R(average) },
	{ VIR_DOMAIN_BANDWIDTH_IN_PEAK, false, R(peak) },
	{ VIR_DOMAIN_BANDWIDTH_IN_BURST, false, R(burst) },
	{ VIR_DOMAIN_BANDWIDTH_IN_FLOOR, false, R(floor) },
	{ VIR_DOMAIN_BANDWIDTH_OUT_AVERAGE, true, R(average) },
	{ VIR_DOMAIN_BANDWIDTH_OUT_PEAK, true, R(peak) },
	{ VIR_DOMAIN_BANDWIDTH_OUT_BURST, true, R(burst) },
#undef R
};

static struct net_rate *rate_of(struct net_bandwidth *b, const struct known *k)
{
	return k->out ? &b->out : &b->in;
}

static unsigned int *value_of(struct net_bandwidth *b, const struct known *k)
{
	return (unsigned int *)((char *)rate_of(b, k) + k->at);
}

/* By its tap's name or its address. */
static struct dom_iface *find_iface(const struct domain_def *def,
				    const char *name, struct error *err)
{
	for (unsigned int i = 0; i < def->n_ifaces; i++) {
		const uint8_t *m = def->ifaces[i].mac;
		char mac[18];

		snprintf(mac, sizeof(mac), "%02x:%02x:%02x:%02x:%02x:%02x",
			 m[0], m[1], m[2], m[3], m[4], m[5]);
		if (str_eq(def->ifaces[i].target_dev, name) ||
		    !strcasecmp(mac, name))
			return &def->ifaces[i];
	}
	error_virt(err, VIR_ERR_INVALID_ARG, "cannot find interface '%s'",
		   name);
	return NULL;
}

/* ---- setting ---- */

static const struct known *find_known(const wire_param *p, struct error *err)
{
	for (size_t i = 0; i < ARRAY_SIZE(known); i++) {
		if (!str_eq(known[i].name, p->field))
			continue;
		if (p->value.type == VIR_TYPED_PARAM_UINT)
			return &known[i];
		error_virt(err, VIR_ERR_INVALID_ARG,
			   "invalid type for parameter '%s'", p->field);
		return NULL;
	}
	error_virt(err, VIR_ERR_INVALID_ARG, "parameter '%s' not supported",
		   p->field);
	return NULL;
}

/* A direction of which anything is said is said anew; an average of 0 is no
 * limit. */
static int change(struct net_bandwidth *b, const wire_set_iotune_args *args,
		  struct error *err)
{
	struct net_bandwidth next = { 0 };
	bool named[2] = { false };

	for (unsigned int i = 0; i < args->params.params_len; i++) {
		const wire_param *p = &args->params.params_val[i];
		const struct known *k = find_known(p, err);

		if (!k)
			return -EINVAL;
		named[k->out] = true;
		*value_of(&next, k) = p->value.wire_value_u.ui;
	}
	next.in.present = next.in.average || next.in.floor;
	next.out.present = next.out.average;
	if (named[0])
		b->in = next.in.present ? next.in : (struct net_rate){ 0 };
	if (named[1])
		b->out = next.out.present ? next.out : (struct net_rate){ 0 };
	return 0;
}

static int edit(struct domain_def *def, const void *arg, struct error *err)
{
	const wire_set_iotune_args *args = arg;
	struct dom_iface *iface = find_iface(def, args->disk, err);

	return iface ? change(&iface->bandwidth, args, err) : -EINVAL;
}

int handle_domain_set_interface_parameters(struct call *call,
					   const wire_set_iotune_args *args,
					   struct error *err)
{
	int r = call_flags(call, args->flags, LIVE_OR_CONFIG, err);

	return r < 0 ? r :
		       domain_tune(call->reg, wire_uuid_of(&args->dom),
				   "interface-parameters", args->flags,
				   DOMAIN_TUNE_NICS, edit, args, err);
}

/* ---- getting ---- */

/* With room for none it is their number that is asked for. */
int handle_domain_get_interface_parameters(struct call *call,
					   const wire_block_params_args *args,
					   wire_few_params *reply,
					   struct error *err)
{
	struct params p = { 0 };
	struct domain_def *def;
	struct dom_iface *iface;
	int r = call_flags(call, args->flags,
			   LIVE_OR_CONFIG | VIR_TYPED_PARAM_STRING_OKAY, err);

	if (r < 0)
		return r;
	def = domain_tuned(call->reg, wire_uuid_of(&args->dom),
			   args->flags & LIVE_OR_CONFIG, err);
	if (!def)
		return -EINVAL;
	iface = find_iface(def, args->path, err);
	r = iface ? 0 : -EINVAL;
	for (size_t i = 0; i < ARRAY_SIZE(known) && iface; i++)
		params_uint(&p, *value_of(&iface->bandwidth, &known[i]), "%s",
			    known[i].name);
	if (r == 0)
		reply_params(&p, args->nparams, &reply->params.params_len,
			     &reply->params.params_val, &reply->nparams);
	params_free(&p);
	domain_def_free(def);
	return r;
}
