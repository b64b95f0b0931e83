/*
 * model/backup.h -- a backup of a domain's disks as its XML describes it.
 *
 * Strings are NULL when absent.
 */
#ifndef MODEL_BACKUP_H
#define MODEL_BACKUP_H

#include <stdbool.h>

#include "model/domain.h"

struct backup_disk {
	char *name; /* the disk's target */
	bool skip;
	bool is_device;
	char *file;   /* where it goes; pull: where what it was is kept */
	char *format; /* of that; NULL: qcow2 */
	char *export; /* pull: its name for clients; NULL: the target */
	enum { BACKUP_AS_ALL, BACKUP_FULL, BACKUP_INCREMENTAL } mode;
	char *incremental; /* the checkpoint since which; NULL: full */
	char *export_bitmap; /* pull: what clients call what has changed */
};

struct backup_def {
	bool pull;
	char *incremental; /* for disks that do not say; NULL: full */
	char *socket;	   /* pull: of clients, ... */
	char *address;	   /* ... or so, */
	unsigned int port; /* and 0: any */
	unsigned int n_disks;
	struct backup_disk *disks;
};

int backup_def_parse(const char *xml, struct backup_def **ret_def,
		     struct error *err);
char *backup_def_format(const struct backup_def *def);
void backup_def_free(struct backup_def *def);

/*
 * Against the domain: one entry a disk that is saved, in the domain's order.
 * suffix: of the names of files that are not said.
 */
int backup_align(struct backup_def *def, const struct domain_def *domain,
		 const char *suffix, struct error *err);

#endif
