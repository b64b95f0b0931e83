/*
 * model/rules.h -- combinations that no domain can have.
 */
#ifndef MODEL_RULES_H
#define MODEL_RULES_H

#include <libxml/tree.h>

struct domain_def;
struct error;

/* doc: the definition as it would be written. */
int domain_check_rules(const struct domain_def *def, xmlDoc *doc,
		       struct error *err);

#endif
