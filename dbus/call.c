/*
 * dbus/call.c -- calls a function of libvirt's API as a table's string says.
 *
 * A string is the function's arguments in C's order, '=', and its result.
 * Blanks mean nothing.
 *
 *	@  the object the message is for
 *   taken from the message's arguments, in their order:
 *	i u x t  numbers	l  a t that is unsigned long in C
 *	s  string		n  string, NULL when empty
 *	p  typed parameters and their number
 *	A  strings and their number	K  numbers and their number
 *	Y  bytes and their number	H  the number of descriptors and they
 *	M  booleans as a CPU map and its length
 *	G  booleans as a list of CPUs, "0-2,4"
 *	v  the storage volume with this key
 *   where the function stores something, a value of the reply each:
 *	I U X T L  numbers	Z  a UUID, as text
 *	P  parameters that it allocates, and their number
 *	Q  parameters that are allocated for it: it is asked how many first
 *	$  a struct of the numbers that the reply's tuple has
 *	B  a buffer of as many bytes as the argument before it says
 *	*k a list of objects of kind k
 *   the result, the first value of the reply where it is one:
 *	-  negative: failed	i u b  the same, a value otherwise
 *	t  0: failed		d  no failure; all ones becomes 0
 *	s  a string to be freed	c  one that is not; both fail with NULL
 *	ok an object of kind k	h  a descriptor
 */
#include <ctype.h>
#include <ffi.h>
#include <string.h>

#include "dbus/service.h"

/* What one message may make this process allocate for a guest's memory. */
#define MAX_BUFFER (16 * MIB)

union slot {
	int32_t i;
	uint32_t u;
	int64_t x;
	uint64_t t;
	void *p;
	ffi_arg ret;
};

struct prepared {
	const struct call *c;
	ffi_type *types[MAX_VALUES];
	union slot slot[MAX_VALUES];
	void *argv[MAX_VALUES];
	unsigned int n;
	unsigned int taken; /* of the message's arguments */
	struct value *sized; /* what Q asks the number of */
	unsigned int sized_at;
	struct values out;
	struct values temporary;
	virStorageVolPtr vol;
};

static const char kind_letters[KINDS + 1] = "CDSINHWKPV";

static enum kind kind_of(char letter)
{
	const char *at = strchr(kind_letters, letter);

	assert(at && letter);
	return at - kind_letters;
}

static union slot *add(struct prepared *p, ffi_type *type)
{
	assert(p->n < MAX_VALUES);
	p->types[p->n] = type;
	p->argv[p->n] = &p->slot[p->n];
	return &p->slot[p->n++];
}

static void add_pointer(struct prepared *p, const void *pointer)
{
	add(p, &ffi_type_pointer)->p = (void *)pointer;
}

static const struct value *take(struct prepared *p)
{
	assert(p->taken < p->c->in->n);
	return &p->c->in->v[p->taken++];
}

/* Room for what a function stores; zero until it does. */
static struct value *store(struct prepared *p, char type)
{
	struct value *v = values_add(&p->out, type);

	add_pointer(p, &v->t);
	return v;
}

static void *temporary(struct prepared *p, size_t size)
{
	struct value *v = values_add(&p->temporary, 'Y');

	v->owned = true;
	v->data = xcalloc(1, MAX(size, 1));
	return v->data;
}

static void add_map(struct prepared *p)
{
	const struct value *v = take(p);
	const unsigned char *on = v->data;
	int len = VIR_CPU_MAPLEN(v->n);
	unsigned char *map = temporary(p, len);

	for (int i = 0; i < v->n; i++)
		if (on[i])
			VIR_USE_CPU(map, i);
	add_pointer(p, map);
	add(p, &ffi_type_sint32)->i = len;
}

static void add_cpulist(struct prepared *p)
{
	const struct value *v = take(p);
	const unsigned char *on = v->data;
	struct buf text = { 0 };
	int end;

	for (int i = 0; i < v->n; i = end + 1) {
		for (end = i; end < v->n && on[end];)
			end++;
		if (end > i)
			buf_printf(&text, "%s%d", text.len ? "," : "", i);
		if (end > i + 1)
			buf_printf(&text, "-%d", end - 1);
	}
	struct value *s = values_add(&p->temporary, 's');

	s->owned = true;
	s->s = buf_steal(&text);
	add_pointer(p, s->s);
}

static void add_array(struct prepared *p)
{
	const struct value *v = take(p);

	add_pointer(p, v->n ? v->data : NULL);
	add(p, &ffi_type_sint32)->i = v->n;
}

static void add_bytes(struct prepared *p)
{
	const struct value *v = take(p);

	add_pointer(p, v->data);
	add(p, &ffi_type_uint64)->t = v->n;
}

static void add_files(struct prepared *p)
{
	const struct value *v = take(p);

	add(p, &ffi_type_sint32)->i = v->n;
	add_pointer(p, v->data);
}

static bool add_buffer(struct prepared *p)
{
	const struct value *size = &p->c->in->v[p->taken - 1];
	struct value *v;

	if (size->t > MAX_BUFFER) {
		*p->c->refused = "more than 16 MiB at once";
		return false;
	}
	v = values_add(&p->out, 'Y');
	v->owned = true;
	v->data = xcalloc(1, MAX(size->t, 1));
	v->n = size->t;
	add_pointer(p, v->data);
	return true;
}

static bool add_volume(struct prepared *p)
{
	p->vol = virStorageVolLookupByKey(p->c->conn, take(p)->s);
	add_pointer(p, p->vol);
	return p->vol;
}

static void add_params(struct prepared *p, bool sized)
{
	struct value *v = values_add(&p->out, 'P');

	v->owned = true;
	if (sized) {
		p->sized = v;
		p->sized_at = p->n;
		add_pointer(p, NULL);
	} else {
		add_pointer(p, &v->params);
	}
	add_pointer(p, &v->n);
}

static void add_uuid(struct prepared *p)
{
	struct value *v = values_add(&p->out, 's');

	v->owned = true;
	v->s = xcalloc(1, VIR_UUID_STRING_BUFLEN);
	add_pointer(p, v->s);
}

static void add_list(struct prepared *p, char letter)
{
	struct value *v = store(p, 'O');

	v->owned = true;
	v->kind = kind_of(letter);
}

static bool add_token(struct prepared *p, const char **call)
{
	char token = *(*call)++;

	switch (token) {
	case ' ':
		return true;
	case '@':
		add_pointer(p, p->c->self);
		return true;
	case 'i':
	case 'u':
		add(p, &ffi_type_uint32)->u = take(p)->u;
		return true;
	case 'x':
	case 't':
	case 'l':
		add(p, &ffi_type_uint64)->t = take(p)->t;
		return true;
	case 's':
		add_pointer(p, take(p)->s);
		return true;
	case 'n':
		add_pointer(p, *p->c->in->v[p->taken].s ?
				       p->c->in->v[p->taken].s : NULL);
		p->taken++;
		return true;
	case 'p':
	case 'A':
	case 'K':
		add_array(p);
		return true;
	case 'Y':
		add_bytes(p);
		return true;
	case 'H':
		add_files(p);
		return true;
	case 'M':
		add_map(p);
		return true;
	case 'G':
		add_cpulist(p);
		return true;
	case 'v':
		return add_volume(p);
	case 'I':
	case 'U':
	case 'X':
	case 'T':
		store(p, tolower(token));
		return true;
	case 'L':
		store(p, 't');
		return true;
	case 'Z':
		add_uuid(p);
		return true;
	case 'P':
	case 'Q':
		add_params(p, token == 'Q');
		return true;
	case '$':
		add_pointer(p, temporary(p, 256));
		return true;
	case 'B':
		return add_buffer(p);
	case '*':
		add_list(p, *(*call)++);
		return true;
	}
	abort(); /* a typing error in a table; tests/unit/dbus reads them all */
}

/* The struct that '$' stood for, field by field. */
static void explode(struct prepared *p, const char *type)
{
	const char *at = p->temporary.v[0].data;

	for (const char *t = type; *t; t++) {
		size_t size = *t == 't' || *t == 'x' ? 8 : 4;
		struct value *v;

		if (!strchr("iutx", *t))
			continue;
		at = (const char *)ALIGN_UP((uintptr_t)at, size);
		v = values_add(&p->out, *t);
		memcpy(&v->t, at, size);
		at += size;
	}
}

static bool invoke(struct prepared *p, ffi_type *type, union slot *ret)
{
	ffi_cif cif;

	if (ffi_prep_cif(&cif, FFI_DEFAULT_ABI, p->n, type, p->types) != FFI_OK)
		abort();
	virResetLastError();
	memset(ret, 0, sizeof(*ret));
	ffi_call(&cif, p->c->method->fn, ret, p->argv);
	return true;
}

/* The reply's values with the result in front. */
static void reply(const struct prepared *p, const struct value *first)
{
	const char *type = strchr(p->c->method->out, ':');
	struct values all = { 0 };

	if (first->type)
		*values_add(&all, 0) = *first;
	for (unsigned int i = 0; i < p->out.n; i++)
		*values_add(&all, 0) = p->out.v[i];
	if (type)
		put_values(p->c->reply, type + 1, &all, p->c->tree);
}

static bool number_result(struct prepared *p, char token)
{
	struct value v = { .type = token == '-' ? 0 : token };
	union slot ret;

	invoke(p, &ffi_type_sint32, &ret);
	v.i = (int32_t)ret.ret;
	if (v.i < 0 && token != 'd')
		return false;
	if (token == 'd')
		v = (struct value){ .type = 'u', .u = v.i < 0 ? 0 : v.i };
	if (strchr(p->c->method->call, '$'))
		explode(p, strchr(p->c->method->out, ':') + 1);
	reply(p, &v);
	if (token == 'h')
		close(v.i);
	return true;
}

static bool long_result(struct prepared *p)
{
	struct value v = { .type = 't' };
	union slot ret;

	invoke(p, &ffi_type_uint64, &ret);
	v.t = ret.t;
	if (v.t)
		reply(p, &v);
	return v.t;
}

static bool string_result(struct prepared *p, bool owned)
{
	struct value v = { .type = 's' };
	union slot ret;

	invoke(p, &ffi_type_pointer, &ret);
	v.s = ret.p;
	if (!v.s)
		return false;
	reply(p, &v);
	if (owned)
		free(v.s);
	return true;
}

static bool object_result(struct prepared *p, enum kind kind)
{
	struct value v = { .type = 'o' };
	union slot ret;

	invoke(p, &ffi_type_pointer, &ret);
	if (!ret.p)
		return false;
	v.s = path_of(p->c->tree, kind, ret.p);
	kind_ops(kind)->free(ret.p);
	if (!v.s)
		return false;
	reply(p, &v);
	free(v.s);
	return true;
}

/* Functions that fill an array say how long it must be when there is none. */
static bool ask_size(struct prepared *p)
{
	union slot ret;

	if (!p->sized)
		return true;
	invoke(p, &ffi_type_sint32, &ret);
	if ((int32_t)ret.ret < 0 || p->sized->n < 0)
		return false;
	p->sized->params = xcalloc(MAX(p->sized->n, 1), sizeof(virTypedParameter));
	p->slot[p->sized_at].p = p->sized->params;
	return true;
}

static bool run(struct prepared *p, const char *result)
{
	if (!ask_size(p))
		return false;
	switch (*result) {
	case 't':
		return long_result(p);
	case 's':
	case 'c':
		return string_result(p, *result == 's');
	case 'o':
		return object_result(p, kind_of(result[1]));
	default:
		return number_result(p, *result);
	}
}

bool call_method(const struct call *c)
{
	struct prepared p = { .c = c };
	const char *at = c->method->call;
	bool done = true;

	if (c->method->custom)
		return c->method->custom(c);
	while (done && *at != '=')
		done = add_token(&p, &at);
	done = done && run(&p, at + 1);
	if (p.vol)
		virStorageVolFree(p.vol);
	values_free(&p.out);
	values_free(&p.temporary);
	return done;
}
