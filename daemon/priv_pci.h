/*
 * daemon/priv_pci.h -- what priv's operations on PCI functions share.
 */
#ifndef DAEMON_PRIV_PCI_H
#define DAEMON_PRIV_PCI_H

#include <stdbool.h>

struct priv_pci;

enum { PCI_NAME = 13, PCI_PATH = 128, PCI_BASE = 64 };

/* "0000:01:00.0" */
void pci_name(const struct priv_pci *a, char name[PCI_NAME]);
/* The last component of a link of the function's; false: there is none. */
bool pci_link(const char *name, const char *file, char ret_base[PCI_BASE]);

#endif
