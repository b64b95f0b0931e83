/*
 * tests/unit/dbus.c -- the tables of vireo-dbus fit their own signatures, and
 * object paths go both ways; junk in a path is nothing, or reads back the same.
 */
#undef NDEBUG
#include <string.h>

#include "dbus/service.h"
#include "tests/fuzz/random.h"

/* The D-Bus types that a token takes, or NULL: it takes nothing. */
static const char *takes(char token)
{
	switch (token) {
	case 'i':
	case 'u':
		return "i u b";
	case 'x':
	case 't':
	case 'l':
		return "x t";
	case 's':
	case 'n':
	case 'v':
		return "s";
	case 'p':
		return "a{sv}";
	case 'A':
		return "as";
	case 'K':
		return "au";
	case 'Y':
		return "ay";
	case 'H':
		return "ah";
	case 'M':
	case 'G':
		return "ab";
	}
	return NULL;
}

static bool is_one_of(const char *type, const char *list)
{
	size_t len = strlen(type);

	for (const char *at = list; (at = strstr(at, type)); at++)
		if ((at == list || at[-1] == ' ') &&
		    (!at[len] || at[len] == ' '))
			return true;
	return false;
}

/* How many values a signature is made of. */
static int values_in(const char *type)
{
	DBusSignatureIter at, in;
	int n = 0;

	if (!*type)
		return 0;
	assert(dbus_signature_validate_single(type, NULL));
	if (*type != '(')
		return 1;
	dbus_signature_iter_init(&at, type);
	dbus_signature_iter_recurse(&at, &in);
	do
		n++;
	while (dbus_signature_iter_next(&in));
	return n;
}

/* The next "name:type" of args; its type, to be freed. */
static char *next_type(const char **args)
{
	const char *type = strchr(*args, ':');
	size_t len;

	assert(type);
	len = strcspn(++type, " ");
	*args = type + len;
	return xstrndup(type, len);
}

static void check_call(const struct method *m)
{
	const char *in = m->in ? m->in : "", *at = m->call;
	char *out = signature_of(m->out);
	int made = 0;

	for (; *at != '='; at++) {
		assert(*at && strchr("@iuxtlsnpAKYHMGvIUXTLZPQ$B*", *at));
		if (takes(*at)) {
			char *type = next_type(&in);

			assert(is_one_of(type, takes(*at)));
			free(type);
		}
		made += *at == '$' ? values_in(out) :
			*at && strchr("IUXTLZPQB*", *at) != NULL;
		if (*at == '*')
			assert(strchr("DSINHWKPV", *++at));
	}
	assert(!strchr(in, ':'));
	assert(at[1] && strchr("-iubtdscoh", at[1]));
	made += at[1] != '-';
	assert(made == values_in(out));
	free(out);
}

static unsigned int check_iface(const struct iface *iface)
{
	unsigned int n = 0;

	for (const struct property *p = iface->properties; p && p->name; p++) {
		assert(dbus_signature_validate_single(p->type, NULL));
		check_call(&p->get);
		if (p->set.fn)
			check_call(&p->set);
		n++;
	}
	for (const struct method *m = iface->methods; m->name; m++, n++) {
		char *in = signature_of(m->in), *out = signature_of(m->out);

		assert(dbus_signature_validate(in, NULL));
		assert(dbus_signature_validate(out, NULL));
		assert(!m->fn == !m->call && !m->fn == !!m->custom);
		if (m->fn)
			check_call(m);
		free(in);
		free(out);
	}
	return n;
}

static void check_tables(void)
{
	unsigned int n = 0;

	for (enum kind k = 0; k < KINDS; k++)
		n += check_iface(kind_ops(k)->iface);
	assert(n > 200);
}

static struct tree tree[] = {
	{ .path = "/org/libvirt/QEMU" }, { .path = "/org/vireo/Vireo" },
};
static const struct trees trees = { tree, ARRAY_SIZE(tree) };

static bool decode(const char *path, const char *want)
{
	struct where w = path_find(&trees, path);
	struct buf id = { 0 };
	bool good = w.place == PLACE_OBJECT && kind_ops(w.kind)->decode(w.id, &id);

	assert(!good || !want || str_eq(id.data, want));
	buf_free(&id);
	return good;
}

#define Q "/org/libvirt/QEMU"
#define ID "_6695eb01_f6a4_8304_79aa_97f2502e193f"
#define UUID "6695eb01-f6a4-8304-79aa-97f2502e193f"

static void check_paths(void)
{
	assert(path_find(&trees, "/").place == PLACE_ABOVE);
	assert(path_find(&trees, "/org/vireo").place == PLACE_ABOVE);
	assert(path_find(&trees, "/org/vir").place == PLACE_NOWHERE);
	assert(path_find(&trees, Q "x").place == PLACE_NOWHERE);
	assert(path_find(&trees, Q).tree == &tree[0]);
	assert(path_find(&trees, "/org/vireo/Vireo/pool").place ==
	       PLACE_NOWHERE);
	assert(path_find(&trees, Q "/domain").place == PLACE_KIND);
	assert(path_find(&trees, Q "/domainsnapshot/x").kind == KIND_SNAPSHOT);
	assert(decode(Q "/domain/" ID, UUID));
	assert(!decode(Q "/domain/" ID "_", NULL));
	assert(!decode(Q "/domain/_6695eb01", NULL));
	assert(decode(Q "/domainsnapshot/" ID "_a_20b", UUID "a b"));
	assert(!decode(Q "/domainsnapshot/" ID "_", NULL));
	assert(decode(Q "/interface/52_3a54_3a00", "52:54:00"));
	for (const char **bad = (const char *[]){ "_", "_1", "_zz", "_00",
						  "a_", "", NULL }; *bad; bad++) {
		char path[64];

		snprintf(path, sizeof(path), Q "/nodedev/%s", *bad);
		assert(!decode(path, NULL));
	}
}

/* Whatever is in a path, it is read without a step beyond its end. */
static void check_junk(void)
{
	static const char alphabet[] = "_0123456789abcdefFxz/";

	for (int round = 0; round < 100000; round++) {
		enum kind kind = KIND_DOMAIN + below(KINDS - 1);
		struct buf path = { 0 };

		buf_printf(&path, Q "/%s/%s", kind_ops(kind)->node,
			   below(2) ? ID : "");
		for (uint64_t n = below(60); n; n--)
			buf_add(&path, &alphabet[below(sizeof(alphabet) - 1)],
				1);
		/* At its own size, for sanitizers. */
		char *exact = xstrdup(path.data);

		decode(exact, NULL);
		free(exact);
		buf_free(&path);
	}
}

int main(int argc, char **argv)
{
	random_arg(argc, argv, 1);
	check_tables();
	check_paths();
	check_junk();
	return 0;
}
