/*
 * cli/import.h -- definitions of another libvirt, found in files or asked for.
 */
#ifndef CLI_IMPORT_H
#define CLI_IMPORT_H

#include "cli/command.h"

/* In the order in which they are defined: what is needed comes first. */
enum import_kind {
	IMPORT_SECRET,
	IMPORT_NETWORK,
	IMPORT_POOL,
	IMPORT_DOMAIN,
	IMPORT_KINDS
};

struct import_item {
	enum import_kind kind;
	char *name, *uuid; /* a secret's name may be its uuid; uuid or NULL */
	char *xml;
	bool autostart;
};

struct import {
	struct import_item *v;
	size_t n;
};

const char *import_kind_name(enum import_kind kind);
/* All that lies in a folder or the folders in it; -1: said why. */
int import_folder(struct import *all, const char *path);
/* All that is persistent at another URI; -1: said why. */
int import_uri(struct ctl *ctl, struct import *all, const char *uri);
void import_sort(struct import *all);
void import_free(struct import *all);

#endif
