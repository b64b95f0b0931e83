/*
 * daemon/handlers_guestcpus.c -- the guest's processors, as its agent has them:
 * the guest itself takes them off and on.
 */
#include <errno.h>
#include <string.h>

#include <libvirt/libvirt.h>
#include <libvirt/virterror.h>

#include "base/buf.h"
#include "daemon/agent.h"
#include "daemon/agent_json.h"
#include "daemon/guestinfo.h"

enum { GUEST_VCPUS_MAX = 4096 };

struct guest_vcpu {
	bool present, online, can_offline, change;
};

struct guest_vcpus {
	struct guest_vcpu cpu[GUEST_VCPUS_MAX];
	unsigned int n; /* the highest number plus 1 */
};

static bool member_true(struct json_object *json, const char *key)
{
	return json_object_get_boolean(
		json_member(json, key, json_type_boolean));
}

static int take(struct guest_vcpus *cpus, struct json_object *json,
		struct error *err)
{
	struct guest_vcpu *cpu;
	int64_t id;

	if (!json_integer(json, "logical-id", &id) || id < 0 ||
	    id >= GUEST_VCPUS_MAX)
		return error_virt(err, VIR_ERR_INTERNAL_ERROR, "%s",
				  "guest agent reports a processor without a "
				  "sensible number");
	cpu = &cpus->cpu[id];
	cpu->present = true;
	cpu->online = member_true(json, "online");
	cpu->can_offline = member_true(json, "can-offline");
	cpus->n = MAX(cpus->n, (unsigned int)id + 1);
	return 0;
}

static int get_vcpus(struct call *call, const wire_dom *dom,
		     struct guest_vcpus *ret, struct error *err)
{
	struct json_object *json = NULL;
	size_t n;
	int r = agent_call(call->reg, wire_uuid_of(dom), "guest-get-vcpus",
			   NULL, &json, err);

	json_list(json, NULL, &n);
	for (size_t i = 0; i < n && r >= 0; i++)
		r = take(ret, json_object_array_get_idx(json, i), err);
	json_object_put(json);
	return r;
}

static unsigned int count_online(const struct guest_vcpus *cpus)
{
	unsigned int n = 0;

	for (unsigned int i = 0; i < cpus->n; i++)
		n += cpus->cpu[i].online;
	return n;
}

/* The agent stops at the first it cannot change: it says how far it came. */
static int change(struct call *call, const wire_dom *dom,
		  const struct guest_vcpus *cpus, struct error *err)
{
	struct json_object *list = json_object_new_array(), *ret = NULL;
	struct json_object *args = json_object_new_object();
	int64_t want = 0, done;
	int r = 0;

	for (unsigned int i = 0; i < cpus->n; i++) {
		struct json_object *one;

		if (!cpus->cpu[i].change)
			continue;
		one = json_object_new_object();
		json_object_object_add(one, "logical-id",
				       json_object_new_int64(i));
		json_object_object_add(
			one, "online",
			json_object_new_boolean(cpus->cpu[i].online));
		json_object_array_add(list, one);
		want++;
	}
	json_object_object_add(args, "vcpus", list);
	if (want)
		r = agent_call(call->reg, wire_uuid_of(dom), "guest-set-vcpus",
			       args, &ret, err);
	else
		json_object_put(args);
	done = ret ? json_object_get_int64(ret) : 0;
	json_object_put(ret);
	if (r >= 0 && done < want)
		r = error_virt(err, VIR_ERR_INTERNAL_ERROR,
			       "guest agent changed %lld of %lld processors",
			       (long long)done, (long long)want);
	return r;
}

/* ---- by number ---- */

int guestinfo_vcpus(struct call *call, const wire_dom *dom, wire_int *reply,
		    struct error *err)
{
	_cleanup_free_ struct guest_vcpus *cpus = xcalloc(1, sizeof(*cpus));
	int r = get_vcpus(call, dom, cpus, err);

	*reply = count_online(cpus);
	return r;
}

/* The first that are off go on; of those that may, the last go off. */
static unsigned int pick(struct guest_vcpus *cpus, unsigned int want)
{
	unsigned int online = count_online(cpus);

	for (unsigned int i = 0; i < cpus->n && online < want; i++) {
		struct guest_vcpu *cpu = &cpus->cpu[i];

		if (cpu->present && !cpu->online) {
			cpu->online = cpu->change = true;
			online++;
		}
	}
	for (unsigned int i = cpus->n; i-- > 0 && online > want;) {
		struct guest_vcpu *cpu = &cpus->cpu[i];

		if (cpu->online && cpu->can_offline) {
			cpu->online = false;
			cpu->change = true;
			online--;
		}
	}
	return online;
}

int guestinfo_set_vcpus(struct call *call, const wire_dom *dom,
			unsigned int n, struct error *err)
{
	_cleanup_free_ struct guest_vcpus *cpus = xcalloc(1, sizeof(*cpus));
	unsigned int got;
	int r = get_vcpus(call, dom, cpus, err);

	if (r < 0)
		return r;
	got = pick(cpus, n);
	if (got < n)
		return error_virt(err, VIR_ERR_INVALID_ARG, "%s",
				  "guest agent reports less cpu than requested");
	if (got > n)
		return error_virt(err, VIR_ERR_INTERNAL_ERROR, "%s",
				  "Cannot offline enough CPUs");
	return change(call, dom, cpus, err);
}

/* ---- by name ---- */

/* "0-2,5" */
static char *as_text(const struct guest_vcpus *cpus,
		     bool (*in)(const struct guest_vcpu *cpu))
{
	struct buf b = { 0 };
	unsigned int i = 0;

	while (i < cpus->n) {
		unsigned int first = i;

		while (i < cpus->n && in(&cpus->cpu[i]))
			i++;
		if (i == first) {
			i++;
			continue;
		}
		buf_printf(&b, "%s%u", b.len ? "," : "", first);
		if (i > first + 1)
			buf_printf(&b, "-%u", i - 1);
	}
	return buf_steal(&b);
}

static bool is_present(const struct guest_vcpu *cpu)
{
	return cpu->present;
}

static bool is_online(const struct guest_vcpu *cpu)
{
	return cpu->online;
}

static bool is_offlinable(const struct guest_vcpu *cpu)
{
	return cpu->can_offline;
}

int handle_domain_get_guest_vcpus(struct call *call, const wire_dom_flags *args,
				  wire_guest_vcpus *reply, struct error *err)
{
	static const struct {
		const char *name;
		bool (*in)(const struct guest_vcpu *cpu);
	} sets[] = {
		{ "vcpus", is_present },
		{ "online", is_online },
		{ "offlinable", is_offlinable },
	};
	_cleanup_free_ struct guest_vcpus *cpus = xcalloc(1, sizeof(*cpus));
	struct params p = { 0 };
	int r = call_flags(call, args->flags, 0, err);

	if (r >= 0)
		r = get_vcpus(call, &args->dom, cpus, err);
	if (r < 0)
		return r;
	for (size_t i = 0; i < ARRAY_SIZE(sets); i++) {
		_cleanup_free_ char *text = as_text(cpus, sets[i].in);

		params_string(&p, text, "%s", sets[i].name);
	}
	reply->params.params_val = p.val;
	reply->params.params_len = p.len;
	return 0;
}

/* One number or range of a list; *at goes on behind its comma. */
static int next_range(const char **at, unsigned int *first, unsigned int *last,
		      struct error *err)
{
	char *end;
	unsigned long a = strtoul(*at, &end, 10), b = a;
	bool ok = end != *at;

	if (ok && *end == '-') {
		const char *second = end + 1;

		b = strtoul(second, &end, 10);
		ok = end != second;
	}
	if (!ok || (*end && *end != ',') || a > b || b >= GUEST_VCPUS_MAX)
		return error_virt(err, VIR_ERR_INVALID_ARG,
				  "'%s' is not a list of processors", *at);
	*first = a;
	*last = b;
	*at = *end ? end + 1 : end;
	return 0;
}

static int set_one(struct guest_vcpu *cpu, unsigned int i, bool online,
		   struct error *err)
{
	if (!cpu->present)
		return error_virt(err, VIR_ERR_INVALID_ARG,
				  "vCPU '%u' is not present in the guest", i);
	if (!online && !cpu->can_offline)
		return error_virt(err, VIR_ERR_INVALID_ARG,
				  "vCPU '%u' can't be offlined", i);
	cpu->online = online;
	cpu->change = true;
	return 0;
}

int handle_domain_set_guest_vcpus(struct call *call,
				  const wire_dom_str_int_flags *args,
				  struct error *err)
{
	_cleanup_free_ struct guest_vcpus *cpus = xcalloc(1, sizeof(*cpus));
	const char *at = args->str;
	int r = call_flags(call, args->flags, 0, err);

	if (r >= 0 && args->value != 0 && args->value != 1)
		r = error_virt(err, VIR_ERR_INVALID_ARG, "%s",
			       "unsupported state value");
	if (r >= 0)
		r = get_vcpus(call, &args->dom, cpus, err);
	while (r >= 0 && *at) {
		unsigned int first = 0, last = 0;

		r = next_range(&at, &first, &last, err);
		for (unsigned int i = first; r >= 0 && i <= last; i++)
			r = set_one(&cpus->cpu[i], i, args->value, err);
	}
	return r < 0 ? r : change(call, &args->dom, cpus, err);
}
