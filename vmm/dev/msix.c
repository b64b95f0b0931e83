/*
 * vmm/dev/msix.c -- MSI-X (PCI Local Bus 3.0, section 6.8.2).
 *
 * A vector that is masked, by its own bit or for the whole function, sets its
 * pending bit instead of sending; unmasking sends what is pending (6.8.2.9).
 */
#include "vmm/dev/msix.h"

#include <errno.h>
#include <linux/pci_regs.h>
#include <pthread.h>
#include <string.h>

#include "base/util.h"
#include "vmm/bus.h"
#include "vmm/dev/pci.h"
#include "vmm/machine.h"
#include "vmm/state.h"

/* 6.8.2.6 to 6.8.2.9: a table entry. */
struct msix_entry {
	uint32_t addr_lo, addr_hi, data, control;
};

enum { ENTRY_SIZE = sizeof(struct msix_entry), CONTROL_MASKED = 1 };

struct msix {
	struct pci_dev *dev;
	unsigned int cap;
	unsigned int n;
	uint64_t pba; /* offset of the pending bits in the BAR */
	/* What waits where interrupts are raised elsewhere; NULL: nothing. */
	msix_waits_fn *waits;
	void *waits_arg;
	void (*changed)(void *arg); /* NULL: nobody wants to know */
	void *changed_arg;

	pthread_mutex_t lock; /* the rest */
	bool enabled, masked;
	unsigned int n_pending; /* words */
	uint64_t *pending;
	struct msix_entry *table;
};

static bool is_pending(const struct msix *msix, unsigned int v)
{
	return msix->pending[v / 64] & BIT64(v % 64);
}

static bool is_masked(const struct msix *msix, unsigned int v)
{
	return msix->masked || (msix->table[v].control & CONTROL_MASKED);
}

static uint64_t entry_addr(const struct msix_entry *e)
{
	return (uint64_t)e->addr_hi << 32 | e->addr_lo;
}

static void send(struct msix *msix, unsigned int v)
{
	const struct msix_entry *e = &msix->table[v];

	msix->pending[v / 64] &= ~BIT64(v % 64);
	machine_msi(pci_bus_machine(msix->dev->bus), entry_addr(e), e->data);
}

static void send_pending(struct msix *msix, unsigned int v)
{
	if (msix->enabled && is_pending(msix, v) && !is_masked(msix, v))
		send(msix, v);
}

void msix_notify(struct msix *msix, unsigned int vector)
{
	pthread_mutex_lock(&msix->lock);
	if (msix->enabled && vector < msix->n) {
		if (is_masked(msix, vector))
			msix->pending[vector / 64] |= BIT64(vector % 64);
		else
			send(msix, vector);
	}
	pthread_mutex_unlock(&msix->lock);
}

bool msix_message(struct msix *msix, unsigned int vector, uint64_t *ret_addr,
		  uint32_t *ret_data)
{
	bool may;

	pthread_mutex_lock(&msix->lock);
	may = msix->enabled && vector < msix->n && !is_masked(msix, vector);
	if (may) {
		*ret_addr = entry_addr(&msix->table[vector]);
		*ret_data = msix->table[vector].data;
	}
	pthread_mutex_unlock(&msix->lock);
	return may;
}

void msix_watch(struct msix *msix, void (*changed)(void *arg), void *arg)
{
	msix->changed = changed;
	msix->changed_arg = arg;
}

/* Unlocked: the watcher asks for messages. */
static void tell(struct msix *msix)
{
	if (msix->changed)
		msix->changed(msix->changed_arg);
}

bool msix_enabled(struct msix *msix)
{
	bool enabled;

	pthread_mutex_lock(&msix->lock);
	enabled = msix->enabled;
	pthread_mutex_unlock(&msix->lock);
	return enabled;
}

unsigned int msix_vectors(const struct msix *msix)
{
	return msix->n;
}

/* The BAR: the table, then the pending bits.  Aligned words only (6.8.2). */

static uint32_t *table_word(struct msix *msix, uint64_t offset)
{
	if (offset >= (uint64_t)msix->n * ENTRY_SIZE)
		return NULL;
	return (uint32_t *)msix->table + offset / 4;
}

/* A word of pending bits, of those that the owner knows of. */
static uint64_t elsewhere(struct msix *msix, unsigned int word)
{
	uint64_t bits = 0;

	for (unsigned int v = word * 64;
	     msix->waits && v < MIN(msix->n, word * 64 + 64); v++)
		if (msix->waits(msix->waits_arg, v))
			bits |= BIT64(v % 64);
	return bits;
}

static uint32_t read32(struct msix *msix, uint64_t offset)
{
	uint32_t *word = table_word(msix, offset);

	if (word)
		return *word;
	offset -= msix->pba;
	if (offset / 8 >= msix->n_pending)
		return 0;
	return (msix->pending[offset / 8] | elsewhere(msix, offset / 8)) >>
	       8 * (offset & 4);
}

uint64_t msix_bar_read(void *arg, uint64_t offset, unsigned int size)
{
	struct msix *msix = arg;
	uint64_t value;

	if (size < 4 || offset % size)
		return 0;
	pthread_mutex_lock(&msix->lock);
	value = read32(msix, offset);
	if (size == 8)
		value |= (uint64_t)read32(msix, offset + 4) << 32;
	pthread_mutex_unlock(&msix->lock);
	return value;
}

static void write32(struct msix *msix, uint64_t offset, uint32_t value)
{
	uint32_t *word = table_word(msix, offset);

	if (!word)
		return; /* the pending bits are read-only */
	if (offset % ENTRY_SIZE == offsetof(struct msix_entry, control))
		value &= CONTROL_MASKED;
	*word = value;
	send_pending(msix, offset / ENTRY_SIZE);
}

void msix_bar_write(void *arg, uint64_t offset, uint64_t value,
		    unsigned int size)
{
	struct msix *msix = arg;

	if (size < 4 || offset % size)
		return;
	pthread_mutex_lock(&msix->lock);
	write32(msix, offset, value);
	if (size == 8)
		write32(msix, offset + 4, value >> 32);
	pthread_mutex_unlock(&msix->lock);
	tell(msix);
}

static const struct bus_ops msix_bar_ops = { msix_bar_read, msix_bar_write };

/* 6.8.2.3: message control. */
void msix_config_written(struct msix *msix, unsigned int reg,
			 unsigned int size)
{
	unsigned int at = msix->cap + PCI_MSIX_FLAGS;
	uint16_t flags;

	if (reg >= at + 2 || reg + size <= at)
		return;
	flags = pci_get16(msix->dev->config + at);
	pthread_mutex_lock(&msix->lock);
	msix->enabled = flags & PCI_MSIX_FLAGS_ENABLE;
	msix->masked = flags & PCI_MSIX_FLAGS_MASKALL;
	for (unsigned int v = 0; v < msix->n; v++)
		send_pending(msix, v);
	pthread_mutex_unlock(&msix->lock);
	tell(msix);
}

/* 6.8.2.9: after reset every vector is masked. */
void msix_reset(struct msix *msix)
{
	pthread_mutex_lock(&msix->lock);
	msix->enabled = msix->masked = false;
	memset(msix->pending, 0, msix->n_pending * sizeof(*msix->pending));
	memset(msix->table, 0, msix->n * sizeof(*msix->table));
	for (unsigned int v = 0; v < msix->n; v++)
		msix->table[v].control = CONTROL_MASKED;
	pthread_mutex_unlock(&msix->lock);
}

static uint64_t pba_offset(unsigned int vectors)
{
	return ALIGN_UP((uint64_t)vectors * ENTRY_SIZE, 8);
}

/* Saving: as it is, masks in the table and in configuration space. */

static const struct state_field msix_fields[] = {
	STATE_BOOL(struct msix, enabled),
	STATE_BOOL(struct msix, masked),
	STATE_RAW_UP_TO(struct msix, table, n, MSIX_VECTORS_MAX),
	STATE_RAW_UP_TO(struct msix, pending, n_pending, MSIX_VECTORS_MAX / 64),
	STATE_END,
};

/* How many there are is in configuration space, too. */
static int msix_loaded(void *obj, unsigned int version, struct error *err)
{
	struct msix *msix = obj;

	if (msix->n_pending != (msix->n + 63) / 64)
		return -EINVAL;
	msix->pba = pba_offset(msix->n);
	return 0;
}

static const struct state_type msix_state = {
	.name = "msix",
	.version = 1,
	.fields = msix_fields,
	.loaded = msix_loaded,
};

void msix_add_state(struct msix *msix, const char *id, struct state_set *set)
{
	state_add(set, &msix_state, id, msix);
}

static uint64_t bar_size(uint64_t used)
{
	uint64_t size = 4 * KIB;

	while (size < used)
		size *= 2;
	return size;
}

static struct msix *create(struct pci_dev *dev, unsigned int vectors)
{
	struct msix *msix = xcalloc(1, sizeof(*msix));

	assert(vectors && vectors <= MSIX_VECTORS_MAX);
	msix->dev = dev;
	msix->n = vectors;
	msix->pba = pba_offset(vectors);
	msix->table = xcalloc(vectors, sizeof(*msix->table));
	msix->n_pending = (vectors + 63) / 64;
	msix->pending = xcalloc(msix->n_pending, sizeof(*msix->pending));
	pthread_mutex_init(&msix->lock, NULL);
	msix_reset(msix);
	return msix;
}

struct msix *msix_adopt(struct pci_dev *dev, unsigned int cap,
			unsigned int vectors, msix_waits_fn *waits, void *arg)
{
	struct msix *msix = create(dev, vectors);

	msix->cap = cap;
	msix->waits = waits;
	msix->waits_arg = arg;
	return msix;
}

uint64_t msix_pba(const struct msix *msix)
{
	return msix->pba;
}

struct msix *msix_create(struct pci_dev *dev, unsigned int bar,
			 unsigned int vectors)
{
	struct msix *msix = create(dev, vectors);
	uint8_t *cap;

	msix->cap = pci_add_cap(dev, PCI_CAP_ID_MSIX, PCI_CAP_MSIX_SIZEOF);
	cap = dev->config + msix->cap;
	pci_set16(cap + PCI_MSIX_FLAGS, vectors - 1);
	pci_set32(cap + PCI_MSIX_TABLE, bar);
	pci_set32(cap + PCI_MSIX_PBA, msix->pba | bar);
	pci_set16(dev->wmask + msix->cap + PCI_MSIX_FLAGS,
		  PCI_MSIX_FLAGS_ENABLE | PCI_MSIX_FLAGS_MASKALL);
	pci_set_bar(dev, bar,
		    bar_size(msix->pba + 8ull * msix->n_pending), false,
		    &msix_bar_ops, msix);
	return msix;
}

void msix_destroy(struct msix *msix)
{
	if (!msix)
		return;
	pthread_mutex_destroy(&msix->lock);
	free(msix->pending);
	free(msix->table);
	free(msix);
}
