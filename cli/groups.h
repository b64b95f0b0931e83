/*
 * cli/groups.h -- the groups that help shows commands in.
 */
#ifndef CLI_GROUPS_H
#define CLI_GROUPS_H

struct group {
	const char *keyword, *title;
};

extern const struct group groups[];   /* ends with keyword NULL */
int group_index(const char *keyword); /* past the last: there is none */

#endif
