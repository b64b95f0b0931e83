/*
 * model/moment.h -- what the documents of snapshots and of checkpoints have in
 * common: a name, when it was, the domain as it was then.
 */
#ifndef MODEL_MOMENT_H
#define MODEL_MOMENT_H

#include "model/domain.h"
#include "model/xml.h"

/* A child's text, the caller's; NULL: there is none. */
char *moment_text(const xmlNode *parent, const char *name);
/* kind: "snapshot"; name may be NULL. */
int moment_check_name(const xmlNode *root, const char *kind, const char *name,
		      struct error *err);
/* <creationTime>; 0: not said. */
int moment_read_created(const xmlNode *root, int64_t *ret, struct error *err);
void moment_write_created(xmlNode *root, int64_t created);
/* A definition inside; one that has nothing but a uuid is none. */
int moment_read_domain(const xmlNode *root, const char *element,
		       struct domain_def **ret_def, struct error *err);
void moment_write_domain(xmlNode *root, const char *element,
			 const struct domain_def *domain, unsigned int flags);

#endif
