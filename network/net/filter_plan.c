/*
 * network/net/filter_plan.c -- a port's plan, of the filter that it has.
 *
 * First the tree of references is walked and each rule noted, with the
 * variables that hold where it stands (gather()); then rules are sorted
 * (by_place()) and put out for each direction that they are for, once for each
 * combination of their variables' values.
 *
 * A rule that is written for one direction speaks of packets of that
 * direction.  One for both speaks of packets to the guest, and has source and
 * destination exchanged for the other way.  What is inside of IP is answered:
 * a rule that accepts it the one way accepts the replies, and one that drops
 * it drops both; unless statematch or state say otherwise.
 */
#include "network/net/filter.h"

#include <errno.h>
#include <libvirt/virterror.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "model/nwfilter.h"

enum { DEPTH = 32, ITERATORS = 8, GATHERED = 4096 };

/* A rule where it stands. */
struct placed {
	const struct nwfilter_rule *rule;
	const struct nwfilter_def *def;
	const struct nwfilter_vars *vars;
	unsigned int nth;
};

struct making {
	const struct filter_library *library;
	struct placed *rules;
	unsigned int n_rules;
	struct nwfilter_vars **vars; /* all that rules refer to */
	unsigned int n_vars;
	struct filter_plan *plan;
	struct error *err;
};

static int no_filter(const char *name, struct error *err)
{
	return error_virt(err, VIR_ERR_INTERNAL_ERROR,
			  "referenced filter '%s' is missing", name);
}

static int too_deep(const char *name, struct error *err)
{
	return error_virt(err, VIR_ERR_OPERATION_FAILED,
			  "filter '%s' refers to too many others", name);
}

/* ---- references ---- */

/* 1: name is among them.  -ELOOP: that deep. */
static int look_for(const struct nwfilter_def *def, const char *name,
		    const struct filter_library *library, unsigned int depth)
{
	int r = 0;

	if (depth == DEPTH)
		return -ELOOP;
	for (unsigned int i = 0; i < def->n_entries && r == 0; i++) {
		const char *ref = def->entries[i].ref.filter;
		const struct nwfilter_def *next;

		if (!ref)
			continue;
		if (str_eq(ref, name))
			return 1;
		next = library->find(library->arg, ref);
		r = next ? look_for(next, name, library, depth + 1) : 0;
	}
	return r;
}

bool filter_uses(const struct nwfilter_def *def, const char *name,
		 const struct filter_library *library)
{
	return str_eq(def->name, name) ||
	       look_for(def, name, library, 0) != 0;
}

int filter_check_loop(const struct nwfilter_def *def,
		      const struct filter_library *library, struct error *err)
{
	int r = look_for(def, def->name, library, 0);

	if (r < 0)
		return too_deep(def->name, err);
	return !r ? 0 : error_virt(err, VIR_ERR_OPERATION_FAILED,
				   "filter would introduce a loop");
}

/* ---- gathering ---- */

static struct nwfilter_vars *new_vars(struct making *m)
{
	m->vars = xrealloc(m->vars, m->n_vars + 1, sizeof(*m->vars));
	return m->vars[m->n_vars++] = xcalloc(1, sizeof(**m->vars));
}

static int gather(struct making *m, const struct nwfilter_def *def,
		  const struct nwfilter_vars *vars, unsigned int depth);

/* What is said further out counts more. */
static int gather_ref(struct making *m, const struct nwfilter_ref *ref,
		      const struct nwfilter_vars *outer, unsigned int depth)
{
	const struct nwfilter_def *def =
		m->library->find(m->library->arg, ref->filter);
	struct nwfilter_vars *vars;

	if (!def)
		return no_filter(ref->filter, m->err);
	vars = new_vars(m);
	nwfilter_vars_put(vars, &ref->params);
	nwfilter_vars_put(vars, outer);
	return gather(m, def, vars, depth + 1);
}

static int gather(struct making *m, const struct nwfilter_def *def,
		  const struct nwfilter_vars *vars, unsigned int depth)
{
	int r = 0;

	if (depth == DEPTH)
		return too_deep(def->name, m->err);
	for (unsigned int i = 0; i < def->n_entries && r == 0; i++) {
		const struct nwfilter_entry *e = &def->entries[i];

		if (!e->rule) {
			r = gather_ref(m, &e->ref, vars, depth);
			continue;
		}
		if (m->n_rules == GATHERED)
			return too_deep(def->name, m->err);
		m->rules = xrealloc(m->rules, m->n_rules + 1,
				    sizeof(*m->rules));
		m->rules[m->n_rules] = (struct placed){ e->rule, def, vars,
							m->n_rules };
		m->n_rules++;
	}
	return r;
}

/* ---- matches ---- */

/* A rule's attributes with variables' values in their places. */
struct resolved {
	struct nwfilter_attr a[NWA_COUNT];
	enum nwfilter_proto proto;
	bool reversed; /* source and destination exchanged */
};

static const struct nwfilter_attr *get(const struct resolved *v,
				       enum nwfilter_attr_id id)
{
	return v->a[id].present ? &v->a[id] : NULL;
}

static struct filter_match *add(struct filter_rule *r, enum filter_key key,
				bool neg)
{
	struct filter_match *m = &r->m[r->n++];

	assert(r->n <= FILTER_MATCHES);
	m->key = key;
	m->neg = neg;
	m->bits = 0xff;
	return m;
}

static void put_be(uint8_t *to, uint32_t n, unsigned int len)
{
	while (len--) {
		to[len] = (uint8_t)n;
		n >>= 8;
	}
}

static void add_num(struct filter_rule *r, enum filter_key key, bool neg,
		    uint32_t n, unsigned int len)
{
	put_be(add(r, key, neg)->a, n, len);
}

/* One of the rule's numbers, or a range up to another. */
static void match_num(struct filter_rule *r, const struct resolved *v,
		      enum filter_key key, enum nwfilter_attr_id id,
		      enum nwfilter_attr_id end, unsigned int len)
{
	const struct nwfilter_attr *a = get(v, id);
	struct filter_match *m;

	if (!a)
		return;
	m = add(r, key, a->neg);
	put_be(m->a, a->num, len);
	if (end != NWA_COUNT && get(v, end) && v->a[end].num > a->num) {
		m->op = FILTER_RANGE;
		put_be(m->b, v->a[end].num, len);
	}
}

static void match_addr(struct filter_rule *r, const struct resolved *v,
		       enum filter_key key, enum nwfilter_attr_id id)
{
	const struct nwfilter_attr *a = get(v, id);

	if (a)
		memcpy(add(r, key, a->neg)->a, a->addr, sizeof(a->addr));
}

static uint8_t ones(const uint8_t *mask, unsigned int len)
{
	uint8_t n = 0;

	while (n < 8 * len && (mask[n / 8] & (0x80 >> (n % 8))))
		n++;
	return n;
}

static void match_mac(struct filter_rule *r, const struct resolved *v,
		      enum filter_key key, enum nwfilter_attr_id id,
		      enum nwfilter_attr_id mask)
{
	match_addr(r, v, key, id);
	if (get(v, id) && get(v, mask))
		r->m[r->n - 1].bits = ones(v->a[mask].addr, 6);
}

static void match_ip(struct filter_rule *r, const struct resolved *v,
		     enum filter_key key, enum nwfilter_attr_id id,
		     enum nwfilter_attr_id mask)
{
	match_addr(r, v, key, id);
	if (get(v, id) && get(v, mask))
		r->m[r->n - 1].bits = (uint8_t)v->a[mask].num;
}

static void match_ip_range(struct filter_rule *r, const struct resolved *v,
			   enum filter_key key, enum nwfilter_attr_id from,
			   enum nwfilter_attr_id to)
{
	struct filter_match *m;
	bool v6 = nwfilter_proto_is_v6(v->proto);

	match_addr(r, v, key, from);
	if (!get(v, from) || !get(v, to) ||
	    memcmp(v->a[to].addr, v->a[from].addr, v6 ? 16 : 4) <= 0)
		return;
	m = &r->m[r->n - 1];
	m->op = FILTER_RANGE;
	memcpy(m->b, v->a[to].addr, sizeof(m->b));
}

/* ---- protocols ---- */

static void match_frame(struct filter_rule *r, const struct resolved *v)
{
	match_mac(r, v, v->reversed ? FK_ETH_DST : FK_ETH_SRC, NWA_SRCMAC,
		  NWA_SRCMACMASK);
	match_mac(r, v, v->reversed ? FK_ETH_SRC : FK_ETH_DST, NWA_DSTMAC,
		  NWA_DSTMACMASK);
}

static void match_stp(struct filter_rule *r, const struct resolved *v)
{
	static const struct {
		enum filter_key key;
		enum nwfilter_attr_id id, end;
		unsigned int len;
	} nums[] = {
		{ FK_STP_TYPE, NWA_STP_TYPE, NWA_COUNT, 1 },
		{ FK_STP_FLAGS, NWA_STP_FLAGS, NWA_COUNT, 1 },
		{ FK_STP_ROOT_PRI, NWA_ROOT_PRI, NWA_ROOT_PRI_HI, 2 },
		{ FK_STP_COST, NWA_ROOT_COST, NWA_ROOT_COST_HI, 4 },
		{ FK_STP_SENDER_PRI, NWA_SENDER_PRI, NWA_SENDER_PRI_HI, 2 },
		{ FK_STP_PORT, NWA_PORT, NWA_PORT_HI, 2 },
		{ FK_STP_AGE, NWA_AGE, NWA_AGE_HI, 2 },
		{ FK_STP_MAX_AGE, NWA_MAX_AGE, NWA_MAX_AGE_HI, 2 },
		{ FK_STP_HELLO, NWA_HELLO, NWA_HELLO_HI, 2 },
		{ FK_STP_DELAY, NWA_DELAY, NWA_DELAY_HI, 2 },
	};
	/* IEEE 802.1D, 7.12.3: the group of all bridges. */
	static const uint8_t group[] = { 1, 0x80, 0xc2, 0, 0, 0 };

	memcpy(add(r, FK_ETH_DST, false)->a, group, sizeof(group));
	for (size_t i = 0; i < ARRAY_SIZE(nums); i++)
		match_num(r, v, nums[i].key, nums[i].id, nums[i].end,
			  nums[i].len);
	match_mac(r, v, FK_STP_ROOT, NWA_ROOT_ADDR, NWA_ROOT_ADDR_MASK);
	match_mac(r, v, FK_STP_SENDER, NWA_SENDER_ADDR, NWA_SENDER_ADDR_MASK);
}

static void match_arp(struct filter_rule *r, const struct resolved *v)
{
	bool x = v->reversed;

	match_num(r, v, FK_ARP_HTYPE, NWA_HWTYPE, NWA_COUNT, 2);
	match_num(r, v, FK_ARP_PTYPE, NWA_PROTOCOLTYPE, NWA_COUNT, 2);
	match_num(r, v, FK_ARP_OP, NWA_OPCODE, NWA_COUNT, 2);
	match_addr(r, v, x ? FK_ARP_DST : FK_ARP_SRC, NWA_ARPSRCMAC);
	match_addr(r, v, x ? FK_ARP_SRC : FK_ARP_DST, NWA_ARPDSTMAC);
	match_ip(r, v, x ? FK_ARP_DST_IP : FK_ARP_SRC_IP, NWA_ARPSRCIP,
		 NWA_ARPSRCIPMASK);
	match_ip(r, v, x ? FK_ARP_SRC_IP : FK_ARP_DST_IP, NWA_ARPDSTIP,
		 NWA_ARPDSTIPMASK);
}

static void match_addresses(struct filter_rule *r, const struct resolved *v)
{
	bool v6 = nwfilter_proto_is_v6(v->proto);
	enum filter_key src = v6 ? FK_IP6_SRC : FK_IP_SRC;
	enum filter_key dst = v6 ? FK_IP6_DST : FK_IP_DST;
	enum filter_key from = v->reversed ? dst : src;
	enum filter_key to = v->reversed ? src : dst;

	match_ip(r, v, from, NWA_SRCIP, NWA_SRCIPMASK);
	match_ip(r, v, to, NWA_DSTIP, NWA_DSTIPMASK);
	match_ip_range(r, v, from, NWA_SRCIPFROM, NWA_SRCIPTO);
	match_ip_range(r, v, to, NWA_DSTIPFROM, NWA_DSTIPTO);
	match_num(r, v, v6 ? FK_IP6_DSCP : FK_IP_DSCP, NWA_DSCP, NWA_COUNT, 1);
}

static void match_inside(struct filter_rule *r, const struct resolved *v)
{
	bool x = v->reversed;
	const struct nwfilter_attr *flags = get(v, NWA_TCPFLAGS);
	struct filter_match *m;

	match_num(r, v, x ? FK_L4_DST : FK_L4_SRC, NWA_SRCPORT, NWA_SRCPORTEND,
		  2);
	match_num(r, v, x ? FK_L4_SRC : FK_L4_DST, NWA_DSTPORT, NWA_DSTPORTEND,
		  2);
	match_num(r, v, FK_ICMP_TYPE, NWA_TYPE, NWA_TYPEEND, 1);
	match_num(r, v, FK_ICMP_CODE, NWA_CODE, NWA_CODEEND, 1);
	match_num(r, v, FK_TCP_OPTION, NWA_OPTION, NWA_COUNT, 1);
	if (!flags)
		return;
	m = add(r, FK_TCP_FLAGS, flags->neg);
	m->a[0] = (uint8_t)(flags->num >> 8);
	m->b[0] = (uint8_t)(flags->num & flags->num >> 8);
}

/* What a protocol's element alone says; 0: nothing. */
static const struct {
	uint16_t ether;
	uint8_t inside;
} kinds[NWF_PROTOS] = {
	[NWF_VLAN] = { 0x8100 },     [NWF_ARP] = { 0x806 },
	[NWF_RARP] = { 0x8035 },     [NWF_IP] = { 0x800 },
	[NWF_IPV6] = { 0x86dd },     [NWF_TCP] = { 0x800, 6 },
	[NWF_UDP] = { 0x800, 17 },   [NWF_UDPLITE] = { 0x800, 136 },
	[NWF_ESP] = { 0x800, 50 },   [NWF_AH] = { 0x800, 51 },
	[NWF_SCTP] = { 0x800, 132 }, [NWF_ICMP] = { 0x800, 1 },
	[NWF_ALL] = { 0x800 },	     [NWF_IGMP] = { 0x800, 2 },
	[NWF_TCP6] = { 0x86dd, 6 },  [NWF_UDP6] = { 0x86dd, 17 },
	[NWF_UDPLITE6] = { 0x86dd, 136 }, [NWF_ESP6] = { 0x86dd, 50 },
	[NWF_AH6] = { 0x86dd, 51 },  [NWF_SCTP6] = { 0x86dd, 132 },
	[NWF_ICMP6] = { 0x86dd, 58 }, [NWF_ALL6] = { 0x86dd },
};

static void match_all(struct filter_rule *r, const struct resolved *v)
{
	bool arp = v->proto == NWF_ARP || v->proto == NWF_RARP;

	if (kinds[v->proto].ether)
		add_num(r, FK_ETH_TYPE, false, kinds[v->proto].ether, 2);
	match_frame(r, v);
	match_num(r, v, FK_ETH_TYPE, NWA_PROTOCOLID, NWA_COUNT, 2);
	match_num(r, v, FK_VLAN_ID, NWA_VLANID, NWA_COUNT, 2);
	match_num(r, v, FK_VLAN_TYPE, NWA_ENCAP, NWA_COUNT, 2);
	if (v->proto == NWF_STP)
		match_stp(r, v);
	else if (arp)
		match_arp(r, v);
	match_addresses(r, v);
	if (kinds[v->proto].inside)
		add_num(r, FK_L4_PROTO, false, kinds[v->proto].inside, 1);
	match_num(r, v, FK_L4_PROTO, NWA_PROTOCOL, NWA_COUNT, 1);
	/* Types are ICMP's, whatever the protocol is said to be. */
	if (v->proto == NWF_IPV6 && get(v, NWA_TYPE) && !get(v, NWA_PROTOCOL))
		add_num(r, FK_L4_PROTO, false, 58, 1);
	match_inside(r, v);
}

/* What has no counterpart is refused: a filter is not weakened silently. */
static int check_known(const struct placed *p, struct error *err)
{
	static const uint8_t lacks[] = { NWA_CONNLIMIT, NWA_IPSET,
					 NWA_GRATUITOUS };

	for (size_t i = 0; i < ARRAY_SIZE(lacks); i++)
		if (p->rule->attrs[lacks[i]].present)
			return error_virt(err, VIR_ERR_CONFIG_UNSUPPORTED,
					  "filter '%s' has a rule with %s, "
					  "which cannot be applied yet",
					  p->def->name,
					  nwfilter_attr_name(lacks[i]));
	return 0;
}

/* ---- a rule's instances ---- */

static int put_rule(struct making *m, const struct filter_rule *rule)
{
	struct filter_plan *plan = m->plan;

	if (plan->n == FILTER_RULES)
		return error_virt(m->err, VIR_ERR_CONFIG_UNSUPPORTED,
				  "the filter of port '%s' has more than %d "
				  "rules", plan->port, FILTER_RULES);
	plan = xrealloc(plan, 1, sizeof(*plan) +
					 (plan->n + 1) * sizeof(*rule));
	plan->rules[plan->n++] = *rule;
	m->plan = plan;
	return 0;
}

static uint8_t verdict_of(const struct nwfilter_rule *rule, unsigned int chain)
{
	static const uint8_t verdicts[NWF_ACTIONS] = {
		[NWF_DROP] = FV_DROP,	  [NWF_ACCEPT] = FV_ACCEPT,
		[NWF_REJECT] = FV_DROP,	  [NWF_RETURN] = FV_RETURN,
		[NWF_CONTINUE] = FV_CONTINUE,
	};

	/* Only what comes from a guest, in IP, can be answered. */
	if (rule->action == NWF_REJECT && chain == FILTER_FLOWS_OUT)
		return FV_REJECT;
	return verdicts[rule->action];
}

/* The rule's own way is that of its direction; for both, to the guest. */
static bool is_reversed(const struct nwfilter_rule *rule, unsigned int chain)
{
	bool out = chain % 2 == 0;

	return rule->direction == NWF_OUT ? !out : out;
}

/* false: nothing is to be done in this direction. */
static bool look_at_states(const struct resolved *v,
			   const struct nwfilter_rule *rule,
			   struct filter_rule *r)
{
	const struct nwfilter_attr *state = get(v, NWA_STATE);
	bool both = rule->direction == NWF_INOUT;

	if (state && !rule->no_state) {
		r->states = state->num & (NWF_STATE_NONE - 1);
		return both || !v->reversed;
	}
	/* An answer is of another type. */
	if (v->reversed && !both && get(v, NWA_TYPE))
		return false;
	if (both || rule->no_state || rule->action != NWF_ACCEPT)
		return true;
	r->states = v->reversed ? NWF_ESTABLISHED : NWF_NEW | NWF_ESTABLISHED;
	if (!get(v, NWA_TYPE))
		r->way = v->reversed ? FILTER_REPLY : FILTER_ORIGINAL;
	return true;
}

static int put_instance(struct making *m, const struct placed *p,
			struct resolved *v, unsigned int chain)
{
	struct filter_rule r = { .chain = (uint8_t)chain,
				 .verdict = verdict_of(p->rule, chain) };

	v->proto = p->rule->proto;
	v->reversed = nwfilter_proto_is_frames(v->proto) ?
			      p->rule->direction == NWF_INOUT &&
				      chain % 2 == 0 :
			      is_reversed(p->rule, chain);
	match_all(&r, v);
	if (!nwfilter_proto_is_frames(v->proto) &&
	    !look_at_states(v, p->rule, &r))
		return 0;
	return put_rule(m, &r);
}

/* ---- variables ---- */

/* Variables with the same iterator take their next values together. */
struct iterator {
	unsigned int id, at, n;
};

static int bad_var(const struct placed *p, const struct nwfilter_attr *a,
		   const char *what, struct error *err)
{
	return error_virt(err, VIR_ERR_INTERNAL_ERROR,
			  "filter '%s': variable '%s' %s", p->def->name,
			  a->var, what);
}

static bool is_learned(const char *name)
{
	return str_eq(name, "IP") || str_eq(name, "IPV6");
}

static int note_iterator(const struct placed *p, const struct nwfilter_attr *a,
			 unsigned int n, struct iterator *its,
			 unsigned int *n_its, struct error *err)
{
	unsigned int i = 0;

	while (i < *n_its && its[i].id != a->index)
		i++;
	if (i < *n_its)
		return its[i].n == n ? 0 :
			bad_var(p, a, "has not as many values as others of its iterator",
				err);
	if (i == ITERATORS)
		return bad_var(p, a, "has one iterator too many", err);
	its[(*n_its)++] = (struct iterator){ .id = a->index, .n = n };
	return 0;
}

/* 1: the rule has to wait for an address. */
static int find_iterators(const struct placed *p, struct iterator *its,
			  unsigned int *n_its, struct error *err)
{
	for (int id = 0; id < NWA_COUNT; id++) {
		const struct nwfilter_attr *a = &p->rule->attrs[id];
		const struct nwfilter_var *var;
		int r = 0;

		if (!a->present || !a->var)
			continue;
		var = nwfilter_var(p->vars, a->var);
		if (!var && is_learned(a->var))
			return 1;
		if (!var)
			return bad_var(p, a, "has no value", err);
		if (!a->element)
			r = note_iterator(p, a, var->n, its, n_its, err);
		else if (a->index >= var->n)
			r = bad_var(p, a, "has not so many values", err);
		if (r < 0)
			return r;
	}
	return 0;
}

static int resolve(const struct placed *p, const struct iterator *its,
		   unsigned int n_its, struct resolved *v, struct error *err)
{
	for (int id = 0; id < NWA_COUNT; id++) {
		const struct nwfilter_attr *a = &p->rule->attrs[id];
		const struct nwfilter_var *var;
		unsigned int nth = a->index;

		v->a[id] = *a;
		if (!a->present || !a->var)
			continue;
		for (unsigned int i = 0; i < n_its && !a->element; i++)
			if (its[i].id == a->index)
				nth = its[i].at;
		var = nwfilter_var(p->vars, a->var);
		if (nwfilter_attr_value(id, nwfilter_proto_is_v6(p->rule->proto),
					var->values[nth], &v->a[id]) < 0)
			return error_virt(err, VIR_ERR_INTERNAL_ERROR,
					  "filter '%s': %s cannot be '%s'",
					  p->def->name,
					  nwfilter_attr_name(id),
					  var->values[nth]);
		/* Values of text have no counterpart here. */
		free(steal_ptr(&v->a[id].text));
		v->a[id].neg = a->neg;
	}
	return 0;
}

static bool next_combination(struct iterator *its, unsigned int n)
{
	for (unsigned int i = 0; i < n; i++) {
		if (++its[i].at < its[i].n)
			return true;
		its[i].at = 0;
	}
	return false;
}

static int put_placed(struct making *m, const struct placed *p,
		      unsigned int chain)
{
	struct iterator its[ITERATORS];
	unsigned int n_its = 0;
	struct resolved v;
	int r = check_known(p, m->err);

	if (r == 0)
		r = find_iterators(p, its, &n_its, m->err);
	if (r)
		return MIN(r, 0);
	do {
		r = resolve(p, its, n_its, &v, m->err);
		if (r == 0)
			r = put_instance(m, p, &v, chain);
	} while (r == 0 && next_combination(its, n_its));
	return r;
}

/* ---- chains ---- */

static bool is_for(const struct nwfilter_rule *rule, unsigned int direction)
{
	return rule->direction == NWF_INOUT ||
	       (rule->direction == NWF_OUT) == (direction == 0);
}

static int by_place(const void *a, const void *b)
{
	const struct placed *x = a, *y = b;

	if (x->rule->priority != y->rule->priority)
		return x->rule->priority < y->rule->priority ? -1 : 1;
	return x->nth < y->nth ? -1 : x->nth > y->nth;
}

/* Chains other than the root that there is something for. */
struct sub {
	const char *name;
	int priority;
	unsigned int chain;
};

static int by_priority(const void *a, const void *b)
{
	const struct sub *x = a, *y = b;

	if (x->priority != y->priority)
		return x->priority < y->priority ? -1 : 1;
	return strcmp(x->name, y->name);
}

static bool in_root(const struct placed *p)
{
	return str_eq(p->def->chain, "root");
}

/* Of frames, in that direction, in that chain (NULL: the root). */
static bool belongs(const struct placed *p, unsigned int direction,
		    const char *chain)
{
	return nwfilter_proto_is_frames(p->rule->proto) &&
	       is_for(p->rule, direction) &&
	       (chain ? str_eq(p->def->chain, chain) : in_root(p));
}

static int find_subs(struct making *m, unsigned int direction,
		     struct sub subs[FILTER_CHAINS], unsigned int *ret_n)
{
	unsigned int n = 0, i;

	for (unsigned int k = 0; k < m->n_rules; k++) {
		const struct placed *p = &m->rules[k];

		if (in_root(p) || !belongs(p, direction, p->def->chain))
			continue;
		for (i = 0; i < n && !str_eq(subs[i].name, p->def->chain);)
			i++;
		if (FILTER_OTHERS + 2 * i + direction >= FILTER_CHAINS)
			return error_virt(m->err, VIR_ERR_CONFIG_UNSUPPORTED,
					  "the filter of port '%s' has too "
					  "many chains", m->plan->port);
		subs[i].name = p->def->chain;
		subs[i].priority = p->def->priority;
		n = MAX(n, i + 1);
	}
	qsort(subs, n, sizeof(*subs), by_priority);
	for (i = 0; i < n; i++)
		subs[i].chain = FILTER_OTHERS + 2 * i + direction;
	*ret_n = n;
	return 0;
}

/* From the root to a chain, whatever has the protocol of its name. */
static int put_jump(struct making *m, const struct sub *sub,
		    unsigned int direction)
{
	static const struct {
		const char *prefix;
		enum nwfilter_proto proto;
	} prefixes[] = {
		{ "mac", NWF_MAC }, { "vlan", NWF_VLAN }, { "stp", NWF_STP },
		{ "arp", NWF_ARP }, { "rarp", NWF_RARP }, { "ipv4", NWF_IP },
		{ "ipv6", NWF_IPV6 },
	};
	struct filter_rule r = { .chain = (uint8_t)direction,
				 .verdict = FV_JUMP,
				 .target = (uint8_t)sub->chain };
	struct resolved v = { .proto = NWF_NONE };

	for (size_t i = 0; i < ARRAY_SIZE(prefixes); i++)
		if (str_startswith(sub->name, prefixes[i].prefix))
			v.proto = prefixes[i].proto;
	match_all(&r, &v);
	return put_rule(m, &r);
}

static int put_chain(struct making *m, unsigned int direction,
		     const char *name, unsigned int chain)
{
	int r = 0;

	for (unsigned int i = 0; i < m->n_rules && r == 0; i++)
		if (belongs(&m->rules[i], direction, name))
			r = put_placed(m, &m->rules[i], chain);
	return r;
}

/* Jumps stand before the root's rules of the same priority. */
static int put_frames(struct making *m, unsigned int direction)
{
	struct sub subs[FILTER_CHAINS];
	unsigned int n = 0, j = 0;
	int r = find_subs(m, direction, subs, &n);

	for (unsigned int i = 0; i < m->n_rules && r == 0; i++) {
		const struct placed *p = &m->rules[i];

		if (!belongs(p, direction, NULL))
			continue;
		while (r == 0 && j < n &&
		       subs[j].priority <= p->rule->priority)
			r = put_jump(m, &subs[j++], direction);
		if (r == 0)
			r = put_placed(m, p, direction);
	}
	while (r == 0 && j < n)
		r = put_jump(m, &subs[j++], direction);
	for (unsigned int i = 0; i < n && r == 0; i++)
		r = put_chain(m, direction, subs[i].name, subs[i].chain);
	return r;
}

/* Each has its say in both directions: there are replies. */
static int put_flows(struct making *m, unsigned int chain)
{
	int r = 0;

	for (unsigned int i = 0; i < m->n_rules && r == 0; i++)
		if (!nwfilter_proto_is_frames(m->rules[i].rule->proto))
			r = put_placed(m, &m->rules[i], chain);
	return r;
}

/* ---- all of it ---- */

static void start_vars(struct nwfilter_vars *vars,
		       const struct nwfilter_binding *b,
		       const struct nwfilter_vars *known)
{
	char mac[18];

	snprintf(mac, sizeof(mac), "%02x:%02x:%02x:%02x:%02x:%02x", b->mac[0],
		 b->mac[1], b->mac[2], b->mac[3], b->mac[4], b->mac[5]);
	nwfilter_vars_add(vars, "MAC", mac);
	if (known)
		nwfilter_vars_put(vars, known);
	nwfilter_vars_put(vars, &b->ref.params);
}

static int make(struct making *m, const struct nwfilter_binding *b,
		const struct nwfilter_vars *known)
{
	const struct nwfilter_def *def =
		m->library->find(m->library->arg, b->ref.filter);
	struct nwfilter_vars *vars = new_vars(m);
	int r;

	if (!def)
		return no_filter(b->ref.filter, m->err);
	start_vars(vars, b, known);
	r = gather(m, def, vars, 0);
	if (m->n_rules)
		qsort(m->rules, m->n_rules, sizeof(*m->rules), by_place);
	for (unsigned int d = 0; d < 2 && r == 0; d++) {
		r = put_frames(m, d);
		if (r == 0)
			r = put_flows(m, FILTER_FLOWS_OUT + d);
	}
	return r;
}

int filter_plan_of(const struct nwfilter_binding *binding,
		   const struct nwfilter_vars *vars,
		   const struct filter_library *library,
		   struct filter_plan **ret_plan, struct error *err)
{
	struct making m = { .library = library, .err = err };
	int r;

	if (strlen(binding->port) >= FILTER_PORT)
		return error_virt(err, VIR_ERR_INVALID_ARG,
				  "'%s' is no network device's name",
				  binding->port);
	m.plan = xcalloc(1, sizeof(*m.plan));
	strcpy(m.plan->port, binding->port);
	r = make(&m, binding, vars);
	for (unsigned int i = 0; i < m.n_vars; i++) {
		nwfilter_vars_finish(m.vars[i]);
		free(m.vars[i]);
	}
	free(m.vars);
	free(m.rules);
	if (r < 0)
		free(m.plan);
	else
		*ret_plan = m.plan;
	return r;
}
