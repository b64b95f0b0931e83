/*
 * vmm/dev/pcie_port.h -- bridges: PCI Express root ports, with hot plug, and
 * one to conventional PCI.
 */
#ifndef VMM_DEV_PCIE_PORT_H
#define VMM_DEV_PCIE_PORT_H

#include <stdbool.h>

struct machine;
struct spec_port;
struct error;

int pcie_port_add(struct machine *m, const struct spec_port *spec,
		  struct error *err);

/* Once everything that the guest starts with is plugged. */
void pcie_ports_settle(struct machine *m);

/*
 * Hot plug, on the main thread.  bus: the index of the bus below the port.
 *
 * free: a port that can take a device now, or a refusal.
 * inserted: the guest is told of what was plugged there meanwhile.
 * eject: asks the guest to let go of what is there; when it has,
 * machine_tell_unplugged() follows, and machine_tell_kept() if it will not.
 * Refused at once when nothing in the guest listens (-EHOSTDOWN).
 */
int pcie_port_free(struct machine *m, unsigned int bus, struct error *err);
void pcie_port_inserted(struct machine *m, unsigned int bus);
int pcie_port_eject(struct machine *m, unsigned int bus, struct error *err);

#endif
