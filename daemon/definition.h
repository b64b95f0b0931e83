/*
 * daemon/definition.h -- changing definitions, for the files behind
 * daemon/domain.h.
 */
#ifndef DAEMON_DEFINITION_H
#define DAEMON_DEFINITION_H

#include <stdbool.h>

struct dom_obj;
struct domain_def;
struct error;
struct registry;

/* Reads XML; the log tells when this host cannot run that.  flags: of
 * domain_def_parse(). */
int config_parse(struct registry *reg, const char *xml, unsigned int flags,
		 struct domain_def **ret_def, struct error *err);

/* How a definition is read that a client wants to be a new one. */
unsigned int config_flags(bool validate);

/* Whether it may be defined here; whether it runs is asked at the start. */
int config_check(const struct registry *reg, const struct domain_def *def,
		 struct error *err);

/* Stores def, then makes it the persistent one; owns it when it succeeds. */
int config_replace(struct dom_obj *obj, struct domain_def *def,
		   struct error *err);

/* Forgets the persistent one; what firmware stored stays. */
int config_remove(struct dom_obj *obj, struct error *err);

/* Resolves VIR_DOMAIN_AFFECT_CURRENT; refuses what the domain has not. */
int config_impact(const struct dom_obj *obj, unsigned int *flags,
		  struct error *err);

#endif
