/*
 * model/schemas.h -- our RELAX NG schemas, loaded once.
 */
#ifndef MODEL_SCHEMAS_H
#define MODEL_SCHEMAS_H

struct _xmlDoc; /* libxml2's */
struct error;

/*
 * Reads every schema from dir (NULL: where they are installed).  Called once,
 * before threads start and before the process gives up opening files; what
 * asks for validation later opens nothing.
 */
int model_schemas_load(const char *dir, struct error *err);
void model_schemas_unload(void);

/* name: the schema's file without ".rng".  Any thread. */
int schema_validate(const char *name, struct _xmlDoc *doc,
		    struct error *err);

#endif
