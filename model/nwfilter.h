/*
 * model/nwfilter.h -- network filters and bindings as their XML describes them.
 *
 * A filter is a list of rules and of references to other filters.  A rule has
 * at most one protocol, and attributes of its packets that must fit, each of
 * which is a value or a variable ("$IP", "$IP[@1]", "$IP[2]").
 */
#ifndef MODEL_NWFILTER_H
#define MODEL_NWFILTER_H

#include "base/buf.h"
#include "model/domain.h"

struct _xmlNode; /* libxml2's */

/* ---- variables ---- */

struct nwfilter_var {
	char *name;
	char **values;
	unsigned int n;
};
/* Sorted by name; a name given several times is a list. */
struct nwfilter_vars {
	struct nwfilter_var *vars;
	unsigned int n;
};

const struct nwfilter_var *nwfilter_var(const struct nwfilter_vars *vars,
					const char *name);
void nwfilter_vars_add(struct nwfilter_vars *vars, const char *name,
		       const char *value);
/* What from has replaces what vars has of the same name. */
void nwfilter_vars_put(struct nwfilter_vars *vars,
		       const struct nwfilter_vars *from);
void nwfilter_vars_finish(struct nwfilter_vars *vars);

/* ---- rules ---- */

enum nwfilter_action {
	NWF_DROP, NWF_ACCEPT, NWF_REJECT, NWF_RETURN, NWF_CONTINUE, NWF_ACTIONS,
};
enum nwfilter_direction { NWF_IN, NWF_OUT, NWF_INOUT, NWF_DIRECTIONS };

/* ORDER: those of frames, those over IPv4, those over IPv6. */
enum nwfilter_proto {
	NWF_NONE, NWF_MAC, NWF_VLAN, NWF_STP, NWF_ARP, NWF_RARP, NWF_IP,
	NWF_IPV6, NWF_TCP, NWF_UDP, NWF_UDPLITE, NWF_ESP, NWF_AH, NWF_SCTP,
	NWF_ICMP, NWF_ALL, NWF_IGMP, NWF_TCP6, NWF_UDP6, NWF_UDPLITE6,
	NWF_ESP6, NWF_AH6, NWF_SCTP6, NWF_ICMP6, NWF_ALL6, NWF_PROTOS,
};
static inline bool nwfilter_proto_is_frames(enum nwfilter_proto p)
{
	return p <= NWF_IPV6;
}
static inline bool nwfilter_proto_is_v6(enum nwfilter_proto p)
{
	return p == NWF_IPV6 || p >= NWF_TCP6;
}

/* Attributes; the table in nwfilter_rule.c has their names. */
enum nwfilter_attr_id {
	NWA_SRCMAC, NWA_SRCMACMASK, NWA_DSTMAC, NWA_DSTMACMASK,
	NWA_PROTOCOLID, NWA_VLANID, NWA_ENCAP,
	NWA_STP_TYPE, NWA_STP_FLAGS, NWA_ROOT_PRI, NWA_ROOT_PRI_HI,
	NWA_ROOT_ADDR, NWA_ROOT_ADDR_MASK, NWA_ROOT_COST, NWA_ROOT_COST_HI,
	NWA_SENDER_PRI, NWA_SENDER_PRI_HI, NWA_SENDER_ADDR,
	NWA_SENDER_ADDR_MASK, NWA_PORT, NWA_PORT_HI, NWA_AGE, NWA_AGE_HI,
	NWA_MAX_AGE, NWA_MAX_AGE_HI, NWA_HELLO, NWA_HELLO_HI, NWA_DELAY,
	NWA_DELAY_HI,
	NWA_HWTYPE, NWA_PROTOCOLTYPE, NWA_OPCODE, NWA_ARPSRCMAC, NWA_ARPDSTMAC,
	NWA_ARPSRCIP, NWA_ARPSRCIPMASK, NWA_ARPDSTIP, NWA_ARPDSTIPMASK,
	NWA_GRATUITOUS,
	NWA_SRCIP, NWA_SRCIPMASK, NWA_DSTIP, NWA_DSTIPMASK,
	NWA_SRCIPFROM, NWA_SRCIPTO, NWA_DSTIPFROM, NWA_DSTIPTO,
	NWA_PROTOCOL, NWA_SRCPORT, NWA_SRCPORTEND, NWA_DSTPORT, NWA_DSTPORTEND,
	NWA_DSCP, NWA_CONNLIMIT, NWA_STATE, NWA_IPSET, NWA_IPSETFLAGS,
	NWA_TYPE, NWA_TYPEEND, NWA_CODE, NWA_CODEEND,
	NWA_OPTION, NWA_TCPFLAGS, NWA_COMMENT,
	NWA_COUNT,
};

/* Of NWA_STATE; NONE: connections are not looked at. */
enum { NWF_NEW = 1, NWF_ESTABLISHED = 2, NWF_RELATED = 4, NWF_INVALID = 8,
       NWF_STATE_NONE = 16 };

struct nwfilter_attr {
	bool present, neg, hex;
	/* A number; a mask's bits; NWA_STATE; NWA_TCPFLAGS: mask << 8 | flags */
	uint32_t num;
	uint8_t addr[16]; /* of 4, 6 or 16 bytes */
	char *text;
	/* A variable: var[@iterator], or var[element]. */
	char *var;
	bool element;
	unsigned int index;
};

struct nwfilter_rule {
	enum nwfilter_action action;
	enum nwfilter_direction direction;
	int priority;
	bool no_state; /* statematch='false' */
	enum nwfilter_proto proto;
	struct nwfilter_attr attrs[NWA_COUNT];
};

/* A value as it would be in the attribute, from a variable.  0 or -EINVAL. */
int nwfilter_attr_value(enum nwfilter_attr_id id, bool v6, const char *text,
			struct nwfilter_attr *ret_attr);
const char *nwfilter_attr_name(enum nwfilter_attr_id id);

int nwfilter_rule_parse(const struct _xmlNode *node,
			struct nwfilter_rule **ret_rule, struct error *err);
void nwfilter_rule_format(const struct nwfilter_rule *rule,
			  struct _xmlNode *parent);
void nwfilter_rule_free(struct nwfilter_rule *rule);

/* ---- filters ---- */

struct nwfilter_ref {
	char *filter;
	struct nwfilter_vars params;
};

struct nwfilter_entry {
	struct nwfilter_rule *rule; /* or, NULL: */
	struct nwfilter_ref ref;
};

enum { NWF_CHAIN_LEN = 12, NWF_PRIORITY_MAX = 1000 };

struct nwfilter_def {
	char *name;
	char *chain; /* "root", or a protocol's name and more */
	int priority; /* the chain's */
	uint8_t uuid[UUID_LEN];
	bool uuid_given;
	struct nwfilter_entry *entries;
	unsigned int n_entries;
};

int nwfilter_def_parse(const char *xml, bool validate,
		       struct nwfilter_def **ret_def, struct error *err);
char *nwfilter_def_format(const struct nwfilter_def *def);
void nwfilter_def_free(struct nwfilter_def *def);

/* Those that are there from the start; the last has no name. */
struct nwfilter_standard {
	const char *name, *xml;
};
extern const struct nwfilter_standard nwfilter_standard[];

/* <filterref>: also what an interface of a domain has. */
int nwfilter_ref_parse(const struct _xmlNode *node,
		       struct nwfilter_ref *ret_ref, struct error *err);
void nwfilter_ref_format(const struct nwfilter_ref *ref,
			 struct _xmlNode *parent);
void nwfilter_ref_finish(struct nwfilter_ref *ref);

/* ---- bindings: which filter a port has ---- */

struct nwfilter_binding {
	char *port, *link; /* link: NULL, none */
	char *owner_name;
	uint8_t owner[UUID_LEN];
	uint8_t mac[6];
	struct nwfilter_ref ref;
};

int nwfilter_binding_parse(const char *xml, bool validate,
			   struct nwfilter_binding **ret_binding,
			   struct error *err);
char *nwfilter_binding_format(const struct nwfilter_binding *binding);
void nwfilter_binding_free(struct nwfilter_binding *binding);

#endif
