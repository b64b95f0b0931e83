/*
 * cli/edit.h -- a document in the user's editor, and what came of it.
 */
#ifndef CLI_EDIT_H
#define CLI_EDIT_H

#include "cli/command.h"

struct edit {
	char *(*get)(void *object);
	/* 0, or -1: libvirt has the error, -ECANCELED: said why. */
	int (*define)(struct ctl *ctl, void *object, const char *xml);
	/* Remarks with one %s, the name; done NULL: define says it. */
	const char *same, *done;
};

int edit_object(struct ctl *ctl, const struct edit *edit, void *object,
		const char *name);
/* The editor begins with another text than the object's; NULL: with that. */
int edit_object_from(struct ctl *ctl, const struct edit *edit, void *object,
		     const char *name, const char *begin);
/* Only the editor: the new text, NULL if that failed, said why. */
char *edit_text(const char *text);

#endif
