/*
 * vmm/coredump.h -- a guest's memory and processors as an ELF core file, which
 * crash, drgn and gdb read.
 */
#ifndef VMM_COREDUMP_H
#define VMM_COREDUMP_H

struct error;
struct machine;
struct progress;
struct x86_state;

/*
 * Written to a regular file from its beginning.  cpus: as the machine was
 * stopped.  Memory is read as it goes.
 */
int coredump_write(struct machine *m, const struct x86_state *cpus,
		   unsigned int n_cpus, int fd, struct progress *p,
		   struct error *err);

#endif
