/*
 * cli/tree.c -- names under their parents, drawn with lines.
 *
 * A child's line begins "+- "; an empty line with the lines that go on stands
 * before the first and behind the last one of a family.
 */
#include "cli/tree.h"

#include "base/buf.h"

struct tree {
	const struct tree_node *nodes;
	size_t n;
	struct buf indent;
};

static void shorten(struct tree *t, size_t by)
{
	t->indent.len -= by;
	t->indent.data[t->indent.len] = '\0';
}

static bool is_child(const struct tree *t, size_t i, size_t of)
{
	return t->nodes[i].parent &&
	       str_eq(t->nodes[i].parent, t->nodes[of].name);
}

static size_t last_child(const struct tree *t, size_t of)
{
	size_t last = t->n;

	for (size_t i = 0; i < t->n; i++)
		if (is_child(t, i, of))
			last = i;
	return last;
}

static void print_node(struct tree *t, size_t node, bool root, bool last)
{
	size_t youngest = last_child(t, node);

	printf("%s%s%s\n", t->indent.data, root ? "" : "+- ",
	       t->nodes[node].name);
	if (!root)
		buf_puts(&t->indent, last ? "  " : "| ");
	if (youngest < t->n)
		printf("%s  |\n", t->indent.data);
	buf_puts(&t->indent, "  ");
	for (size_t i = 0; youngest < t->n && i <= youngest; i++)
		if (i != node && is_child(t, i, node))
			print_node(t, i, false, i == youngest);
	shorten(t, 2);
	if (youngest == t->n && (root || last))
		printf("%s\n", t->indent.data);
	if (!root)
		shorten(t, 2);
}

void tree_print(const struct tree_node *nodes, size_t n)
{
	struct tree t = { .nodes = nodes, .n = n };

	buf_add(&t.indent, " ", 1); /* never NULL */
	shorten(&t, 1);
	for (size_t i = 0; i < n; i++)
		if (!nodes[i].parent)
			print_node(&t, i, true, true);
	buf_free(&t.indent);
}
