/*
 * cli/snapshot.h -- snapshots as commands name them.
 */
#ifndef CLI_SNAPSHOT_H
#define CLI_SNAPSHOT_H

#include "cli/args.h"

/* NULL: said why. */
virDomainSnapshotPtr snapshot_named(struct ctl *ctl, virDomainPtr dom,
				    const char *name);
/* By --snapshotname or --current. */
virDomainSnapshotPtr snapshot_find(struct ctl *ctl, const struct args *args,
				   virDomainPtr dom);

#endif
