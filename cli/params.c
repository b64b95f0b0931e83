/*
 * cli/params.c -- libvirt's typed parameters, printed and read.
 */
#include "cli/params.h"

#include <string.h>

void params_free(struct params *p)
{
	virTypedParamsFree(p->v, p->n);
	*p = (struct params){ NULL };
}

char *param_text(const virTypedParameter *p)
{
	switch (p->type) {
	case VIR_TYPED_PARAM_INT:
		return xasprintf("%d", p->value.i);
	case VIR_TYPED_PARAM_UINT:
		return xasprintf("%u", p->value.ui);
	case VIR_TYPED_PARAM_LLONG:
		return xasprintf("%lld", p->value.l);
	case VIR_TYPED_PARAM_ULLONG:
		return xasprintf("%llu", p->value.ul);
	case VIR_TYPED_PARAM_DOUBLE:
		return xasprintf("%f", p->value.d);
	case VIR_TYPED_PARAM_BOOLEAN:
		return xstrdup(p->value.b ? "yes" : "no");
	default:
		return xstrdup(p->value.s ? p->value.s : "");
	}
}

struct json_object *param_json(const virTypedParameter *p)
{
	switch (p->type) {
	case VIR_TYPED_PARAM_INT:
		return json_object_new_int(p->value.i);
	case VIR_TYPED_PARAM_UINT:
		return json_object_new_int64(p->value.ui);
	case VIR_TYPED_PARAM_LLONG:
		return json_object_new_int64(p->value.l);
	case VIR_TYPED_PARAM_ULLONG:
		return json_object_new_uint64(p->value.ul);
	case VIR_TYPED_PARAM_DOUBLE:
		return json_object_new_double(p->value.d);
	case VIR_TYPED_PARAM_BOOLEAN:
		return json_object_new_boolean(p->value.b);
	default:
		return json_object_new_string(p->value.s ? p->value.s : "");
	}
}

void params_print(struct ctl *ctl, const struct params *p, const char *before,
		  int width, const char *between)
{
	struct json_object *o = json_object_new_object();

	for (int i = 0; i < p->n; i++) {
		_cleanup_free_ char *text = param_text(&p->v[i]);

		if (ctl->output == OUTPUT_TABLE)
			printf("%s%-*s%s%s\n", before, width, p->v[i].field,
			       between, text);
		else
			json_object_object_add(o, p->v[i].field,
					       param_json(&p->v[i]));
	}
	if (ctl->output == OUTPUT_TABLE)
		json_object_put(o);
	else
		print_tree(ctl, o);
}

static int read_one(const struct args *args, const struct param_option *o,
		    struct params *p)
{
	unsigned long long v = 0;
	int i = 0, r;

	if (o->type == VIR_TYPED_PARAM_STRING)
		return virTypedParamsAddString(&p->v, &p->n, &p->max, o->field,
					       args_get(args, o->name));
	if (o->type == VIR_TYPED_PARAM_INT) {
		if (args_int(args, o->name, &i) < 0)
			return -1;
		return virTypedParamsAddInt(&p->v, &p->n, &p->max, o->field, i);
	}
	r = o->size ? args_size(args, o->name, o->unit ? o->unit : 1, &v)
		    : args_ull(args, o->name, &v);
	if (r < 0)
		return -1;
	if (o->size && o->unit)
		v /= o->unit;
	if (o->type == VIR_TYPED_PARAM_UINT)
		return virTypedParamsAddUInt(&p->v, &p->n, &p->max, o->field,
					     (unsigned int)v);
	if (o->type == VIR_TYPED_PARAM_LLONG)
		return virTypedParamsAddLLong(&p->v, &p->n, &p->max, o->field,
					      (long long)v);
	return virTypedParamsAddULLong(&p->v, &p->n, &p->max, o->field, v);
}

int args_params(const struct args *args, const struct param_option *table,
		struct params *ret)
{
	for (; table->name; table++)
		if (args_has(args, table->name) &&
		    read_one(args, table, ret) < 0)
			return -1;
	return 0;
}

int params_get(struct ctl *ctl, struct params *p,
	       int (*get)(void *of, virTypedParameterPtr v, int *n,
			  unsigned int flags),
	       void *of, unsigned int flags, const char *failed)
{
	int n = 0;

	if (get(of, NULL, &n, flags) < 0)
		return say_failed(ctl, "%s", failed);
	p->v = xcalloc((size_t)n + 1, sizeof(*p->v));
	if (n && get(of, p->v, &n, flags) < 0)
		return say_failed(ctl, "%s", failed);
	p->n = n;
	return EXIT_OK;
}
