/*
 * cli/snapshot.c -- snapshots as commands name them.
 */
#include "cli/snapshot.h"

#include "cli/output.h"

virDomainSnapshotPtr snapshot_named(struct ctl *ctl, virDomainPtr dom,
				    const char *name)
{
	virDomainSnapshotPtr s = virDomainSnapshotLookupByName(dom, name, 0);

	if (!s)
		say_failed(ctl, NULL);
	return s;
}

virDomainSnapshotPtr snapshot_find(struct ctl *ctl, const struct args *args,
				   virDomainPtr dom)
{
	const char *name = args_get(args, "snapshotname");
	bool current = args_has(args, "current");
	virDomainSnapshotPtr s;

	if (!!name == current) {
		say_error(current ? "--snapshotname and --current are mutually "
				    "exclusive" :
				    "--snapshotname or --current is required");
		return NULL;
	}
	if (name)
		return snapshot_named(ctl, dom, name);
	s = virDomainSnapshotCurrent(dom, 0);
	if (!s)
		say_failed(ctl, NULL);
	return s;
}
