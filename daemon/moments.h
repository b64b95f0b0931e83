/*
 * daemon/moments.h -- lists of what is in a tree of snapshots or checkpoints.
 */
#ifndef DAEMON_MOMENTS_H
#define DAEMON_MOMENTS_H

#include <stdbool.h>

struct moments {
	const void *tree;
	unsigned int n;
	const char *(*name)(const void *tree, unsigned int i);
	const char *(*parent)(const void *tree, unsigned int i); /* or NULL */
	bool (*listed)(const struct moments *m, unsigned int i,
		       unsigned int flags);
};

bool moments_is_leaf(const struct moments *m, unsigned int i);
/*
 * The caller's names, parents first: what is below of (NULL: all), if it is
 * deep, or directly below.
 */
char **moments_list(const struct moments *m, const char *of, bool deep,
		    unsigned int flags, unsigned int *ret_n);

#endif
