/*
 * daemon/moments.c -- lists of what is in a tree of snapshots or checkpoints.
 */
#include "daemon/moments.h"

#include "base/util.h"

static bool is_child(const struct moments *m, unsigned int i,
		     const char *parent)
{
	return str_eq(m->parent(m->tree, i), parent);
}

bool moments_is_leaf(const struct moments *m, unsigned int i)
{
	const char *name = m->name(m->tree, i);

	for (unsigned int k = 0; k < m->n; k++)
		if (is_child(m, k, name))
			return false;
	return true;
}

struct listing {
	const struct moments *m;
	unsigned int flags;
	bool deep;
	char **names;
	unsigned int n;
};

static void list_below(struct listing *l, const char *parent)
{
	for (unsigned int i = 0; i < l->m->n; i++) {
		const char *name = l->m->name(l->m->tree, i);

		if (!is_child(l->m, i, parent))
			continue;
		if (l->m->listed(l->m, i, l->flags))
			l->names[l->n++] = xstrdup(name);
		if (l->deep)
			list_below(l, name);
	}
}

char **moments_list(const struct moments *m, const char *of, bool deep,
		    unsigned int flags, unsigned int *ret_n)
{
	struct listing l = { m, flags, deep, xcalloc(m->n, sizeof(char *)), 0 };

	list_below(&l, of);
	*ret_n = l.n;
	return l.names;
}
