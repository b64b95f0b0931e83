/*
 * dbus/tree.c -- a worker's connection to a tree's hypervisor, opened when it
 * is needed and again when it broke.
 */
#include "dbus/service.h"

static int no_questions(virConnectCredentialPtr cred, unsigned int n, void *arg)
{
	return -1;
}

virConnectPtr tree_open(struct connections *of, const struct trees *trees,
			struct tree *tree)
{
	virConnectPtr *conn = &of->conn[tree - trees->tree];
	virConnectAuth auth = { .cb = no_questions };

	if (*conn && virConnectIsAlive(*conn) != 1) {
		virConnectClose(*conn);
		*conn = NULL;
	}
	if (*conn)
		return *conn;
	*conn = virConnectOpenAuth(tree->uri, &auth, 0);
	if (*conn && tree->signals)
		signals_open(tree->signals);
	return *conn;
}
