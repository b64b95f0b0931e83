/*
 * vmm/dev/pcports.h -- single ports that firmware and DOS-age code expect.
 */
#ifndef VMM_DEV_PCPORTS_H
#define VMM_DEV_PCPORTS_H

#include "vmm/machine.h"

/* apm_written: after a write to port 0xb2, on the vCPU; NULL: an SMI. */
void pcports_create(struct machine *m, machine_fn *apm_written, void *arg);

#endif
