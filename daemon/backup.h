/*
 * daemon/backup.h -- a backup of a running domain's disks, between the files
 * that have to do with it.
 */
#ifndef DAEMON_BACKUP_H
#define DAEMON_BACKUP_H

#include "daemon/registry.h"

struct backup;

/* The job held: one of its disks has got on, or is over. */
void backup_heard(struct dom_obj *obj, const char *alias,
		  const struct domain_blockjob_info *info);
/* The machine is gone, and the backup with it. */
void backup_free(struct backup *b);
/* 1: it is how far a backup is; 0: there is none. */
int backup_progress(struct dom_obj *obj, struct domain_job *ret,
		    struct error *err);
/* 1: there is none. */
int backup_abort(struct dom_obj *obj, struct error *err);

#endif
