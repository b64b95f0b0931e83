/*
 * vmm/dev/pcports.h -- single ports that firmware and DOS-age code expect.
 */
#ifndef VMM_DEV_PCPORTS_H
#define VMM_DEV_PCPORTS_H

struct machine;

void pcports_create(struct machine *m);

#endif
