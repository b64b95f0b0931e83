/*
 * model/net_vlan.c -- <vlan>: compared and copied.
 */
#include <string.h>

#include "base/util.h"
#include "model/network.h"

static void finish(struct net_vlan *v)
{
	for (unsigned int i = 0; i < v->n_tags; i++)
		free(v->tags[i].native_mode);
	free(v->tags);
	free(v->trunk);
}

void net_vlan_set(struct net_vlan *to, const struct net_vlan *from)
{
	struct net_vlan v = { xstrdup(from->trunk), from->n_tags,
			      xcalloc(from->n_tags + 1, sizeof(*v.tags)) };

	for (unsigned int i = 0; i < v.n_tags; i++) {
		v.tags[i] = from->tags[i];
		v.tags[i].native_mode = xstrdup(from->tags[i].native_mode);
	}
	finish(to);
	*to = v;
}

bool net_vlan_same(const struct net_vlan *a, const struct net_vlan *b)
{
	bool same = a->n_tags == b->n_tags && str_eq(a->trunk, b->trunk);

	for (unsigned int i = 0; same && i < a->n_tags; i++)
		same = a->tags[i].id == b->tags[i].id &&
		       str_eq(a->tags[i].native_mode,
				b->tags[i].native_mode);
	return same;
}
