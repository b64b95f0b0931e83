/*
 * daemon/tune.h -- changing what a domain gets of the host: vCPUs, the CPUs its
 * threads run on, limits; in the running definition, the stored one or both.
 */
#ifndef DAEMON_TUNE_H
#define DAEMON_TUNE_H

#include "daemon/domain.h"

/* Changes a copy of a definition; -errno with err: refused. */
typedef int tune_edit(struct domain_def *def, const void *arg,
		      struct error *err);

/* what: of enum domain_tune, applied to a running machine. */
int domain_tune(struct registry *reg, const uint8_t uuid[UUID_LEN],
		const char *job, unsigned int flags, unsigned int what,
		tune_edit *edit, const void *arg, struct error *err);

int domain_set_vcpus(struct registry *reg, const uint8_t uuid[UUID_LEN],
		     unsigned int n, unsigned int flags, struct error *err);
/* These (as "1,3-4") and no others are given, or taken. */
int domain_set_vcpu(struct registry *reg, const uint8_t uuid[UUID_LEN],
		    const char *which, bool there, unsigned int flags,
		    struct error *err);

/* The guest has set its clock: the difference is kept, in both. */
struct dom_obj;
void tune_clock(struct dom_obj *obj, int64_t offset);

/* The definition that flags (live, config, current) mean; free it. */
struct domain_def *domain_tuned(struct registry *reg,
				const uint8_t uuid[UUID_LEN],
				unsigned int flags, struct error *err);

#endif
