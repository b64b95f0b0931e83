/*
 * vmm/dev/msix.h -- MSI-X (PCI Local Bus 3.0, section 6.8.2): interrupts of
 * a device as messages, with a table and pending bits in one of its BARs.
 */
#ifndef VMM_DEV_MSIX_H
#define VMM_DEV_MSIX_H

#include <stdbool.h>
#include <stdint.h>

struct msix;
struct pci_dev;
struct state_set;

enum { MSIX_VECTORS_MAX = 2048 };

/* Adds the capability, and the BAR of the table; before pci_plug(). */
struct msix *msix_create(struct pci_dev *dev, unsigned int bar,
			 unsigned int vectors);
void msix_destroy(struct msix *msix);

/*
 * Of a function whose capability and BARs are there already, and whose
 * interrupts are raised elsewhere (a host's device): which vectors wait there
 * because they are masked.  What the table says: msix_watch().
 */
typedef bool msix_waits_fn(void *arg, unsigned int vector);
struct msix *msix_adopt(struct pci_dev *dev, unsigned int cap,
			unsigned int vectors, msix_waits_fn *waits, void *arg);

/* Accesses to its table, from 0 up, and to its pending bits, from
 * msix_pba() up; arg: the struct msix. */
uint64_t msix_bar_read(void *arg, uint64_t offset, unsigned int size);
void msix_bar_write(void *arg, uint64_t offset, uint64_t value,
		    unsigned int size);
uint64_t msix_pba(const struct msix *msix);

/* The owner's config_written() and reset() hooks call these. */
void msix_config_written(struct msix *msix, unsigned int reg,
			 unsigned int size);
void msix_reset(struct msix *msix);

/* The owner's states() hook calls this. */
void msix_add_state(struct msix *msix, const char *id, struct state_set *set);

bool msix_enabled(struct msix *msix);
unsigned int msix_vectors(const struct msix *msix);

/*
 * For who sends messages past this table: where a vector's goes, if it may go
 * now; and a function that is told, on a vCPU's thread, that this may have
 * changed.
 */
bool msix_message(struct msix *msix, unsigned int vector, uint64_t *ret_addr,
		  uint32_t *ret_data);
void msix_watch(struct msix *msix, void (*changed)(void *arg), void *arg);

/* Any thread.  Sends the vector's message, or marks it pending. */
void msix_notify(struct msix *msix, unsigned int vector);

#endif
