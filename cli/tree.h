/*
 * cli/tree.h -- names under their parents, drawn with lines.
 */
#ifndef CLI_TREE_H
#define CLI_TREE_H

#include <stddef.h>

struct tree_node {
	const char *name, *parent; /* parent NULL: a root */
};

void tree_print(const struct tree_node *nodes, size_t n);

#endif
