/*
 * cli/params.h -- libvirt's typed parameters, printed and read.
 */
#ifndef CLI_PARAMS_H
#define CLI_PARAMS_H

#include "cli/args.h"
#include "cli/output.h"

struct params {
	virTypedParameterPtr v;
	int n, max;
};

void params_free(struct params *p);
#define _cleanup_params_ _cleanup_(params_free)

char *param_text(const virTypedParameter *p);
struct json_object *param_json(const virTypedParameter *p);
/* "before name between value" lines, the name width wide; or a mapping. */
void params_print(struct ctl *ctl, const struct params *p, const char *before,
		  int width, const char *between);

/* An option that sets a parameter; ends with name NULL. */
struct param_option {
	const char *name, *field;
	int type;	 /* VIR_TYPED_PARAM_ */
	bool size;	 /* a size with a unit, in units of unit bytes */
	unsigned int unit; /* what the parameter is in; 0: bytes */
};
/* Those that were given, added: 0, or -1, said why. */
int args_params(const struct args *args, const struct param_option *table,
		struct params *ret);

/* The shape of "get all parameters, or set the given ones". */
int params_get(struct ctl *ctl, struct params *p,
	       int (*get)(void *of, virTypedParameterPtr v, int *n,
			  unsigned int flags),
	       void *of, unsigned int flags, const char *failed);

#endif
