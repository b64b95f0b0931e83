/*
 * vmm/dev/fwcfg.c -- the firmware configuration device (QEMU,
 * docs/specs/fw_cfg.rst): items by number, some of them files with a name in a
 * directory.
 *
 *	port 0x510	16 bits: selects an item, at its beginning
 *	port 0x511	its bytes one after the other; zero behind its end
 *	port 0x514	64 bits, big endian: the address of a DMA request, begun
 *			by its low half; reads as "QEMU CFG"
 */
#include "vmm/dev/fwcfg.h"

#include <endian.h>
#include <errno.h>
#include <pthread.h>
#include <string.h>

#include "base/util.h"
#include "vmm/bus.h"
#include "vmm/machine.h"
#include "vmm/ram.h"
#include "vmm/state.h"

enum { PORT_DMA = FWCFG_PORT + 4, DMA_SIZE = 8 };
enum { SIGNATURE = 0x00, ID = 0x01, DIRECTORY = 0x19, FILES_FROM = 0x20,
       ITEMS = 0x80, NAME_MAX = 56 };
enum { ID_PORTS = 1, ID_DMA = 2 };
enum { DMA_ERROR = 1, DMA_READ = 2, DMA_SKIP = 4, DMA_SELECT = 8,
       DMA_WRITE = 16 };
#define DMA_SIGNATURE 0x51454d5520434647ull /* "QEMU CFG" */

struct fwcfg_item {
	struct image image; /* mem NULL and size 0: nothing */
	uint8_t *own;	    /* what to free, and may change */
	bool writable;
	fwcfg_fill_fn *fn;
	void *arg;
	char name[NAME_MAX];
};

struct fwcfg {
	struct machine *m;
	pthread_mutex_t lock; /* the rest */
	unsigned int n_files;
	uint16_t key;
	uint64_t offset;
	uint64_t dma; /* address */
	struct fwcfg_item item[ITEMS];
};

struct dma_request {
	uint32_t control, length; /* all big endian */
	uint64_t address;
} __attribute__((packed));

struct directory_entry {
	uint32_t size;
	uint16_t key, reserved;
	char name[NAME_MAX];
} __attribute__((packed));

static struct fwcfg_item *selected(struct fwcfg *fw)
{
	static struct fwcfg_item nothing;

	return fw->key < ITEMS ? &fw->item[fw->key] : &nothing;
}

static void select_item(struct fwcfg *fw, uint16_t key)
{
	struct fwcfg_item *i;

	fw->key = key;
	fw->offset = 0;
	i = selected(fw);
	if (i->fn && !i->writable)
		i->fn(i->arg, i->own, i->image.size);
}

/* How much of len bytes there is from here on. */
static uint64_t available(const struct fwcfg *fw, const struct fwcfg_item *i,
			  uint64_t len)
{
	return fw->offset < i->image.size ?
		       MIN(len, i->image.size - fw->offset) :
		       0;
}

/* ---- ports ---- */

static uint8_t read_byte(struct fwcfg *fw)
{
	struct fwcfg_item *i = selected(fw);
	uint8_t value = 0;

	if (available(fw, i, 1)) {
		image_read(&i->image, fw->offset, &value, 1);
		fw->offset++;
	}
	return value;
}

/* Wider reads of the data port get the bytes in the order of memory. */
static uint64_t ports_read(void *dev, uint64_t offset, unsigned int size)
{
	struct fwcfg *fw = dev;
	uint64_t value = 0;

	pthread_mutex_lock(&fw->lock);
	if (offset == 0 && size == 2)
		value = fw->key;
	else if (offset == 1)
		value = read_byte(fw);
	pthread_mutex_unlock(&fw->lock);
	return value;
}

static void ports_write(void *dev, uint64_t offset, uint64_t value,
			unsigned int size)
{
	struct fwcfg *fw = dev;

	if (offset != 0 || size != 2)
		return;
	pthread_mutex_lock(&fw->lock);
	select_item(fw, value);
	pthread_mutex_unlock(&fw->lock);
}

static const struct bus_ops ports_ops = { ports_read, ports_write };

/* ---- DMA ---- */

/* Behind the item's end zeroes are read. */
static int dma_read(struct fwcfg *fw, uint64_t address, uint32_t len)
{
	struct fwcfg_item *i = selected(fw);
	uint64_t n = available(fw, i, len);
	uint8_t *to = ram_ptr(fw->m->ram, address, len);
	int r = 0;

	if (!to)
		return -EFAULT;
	if (n)
		r = image_read(&i->image, fw->offset, to, n);
	memset(to + n, 0, len - n);
	fw->offset += n;
	return r;
}

static int dma_write(struct fwcfg *fw, uint64_t address, uint32_t len)
{
	struct fwcfg_item *i = selected(fw);
	int r;

	if (!i->writable || available(fw, i, len) != len)
		return -EINVAL;
	r = ram_read(fw->m->ram, address, i->own + fw->offset, len);
	fw->offset += len;
	if (r == 0 && i->fn)
		i->fn(i->arg, i->own, i->image.size);
	return r;
}

static int dma_do(struct fwcfg *fw, uint32_t control, uint32_t len,
		  uint64_t address)
{
	if (control & DMA_SELECT)
		select_item(fw, control >> 16);
	if (control & DMA_READ && len)
		return dma_read(fw, address, len);
	if (control & DMA_WRITE && len)
		return dma_write(fw, address, len);
	if (control & DMA_SKIP)
		fw->offset += available(fw, selected(fw), len);
	return 0;
}

static void dma_run(struct fwcfg *fw)
{
	struct dma_request req;
	uint32_t result = 0;

	if (ram_read(fw->m->ram, fw->dma, &req, sizeof(req)) < 0)
		return;
	if (dma_do(fw, be32toh(req.control), be32toh(req.length),
		   be64toh(req.address)) < 0)
		result = htobe32(DMA_ERROR);
	ram_write(fw->m->ram, fw->dma, &result, sizeof(result));
}

static uint64_t dma_port_read(void *dev, uint64_t offset, unsigned int size)
{
	uint64_t value = htobe64(DMA_SIGNATURE);

	return value >> 8 * offset;
}

static void dma_port_write(void *dev, uint64_t offset, uint64_t value,
			   unsigned int size)
{
	struct fwcfg *fw = dev;

	if (size != 4)
		return;
	pthread_mutex_lock(&fw->lock);
	if (offset == 0) {
		fw->dma = (uint64_t)be32toh((uint32_t)value) << 32;
	} else if (offset == 4) {
		fw->dma |= be32toh((uint32_t)value);
		dma_run(fw);
		fw->dma = 0;
	}
	pthread_mutex_unlock(&fw->lock);
}

static const struct bus_ops dma_ops = { dma_port_read, dma_port_write };

/* ---- items ---- */

static void put_item(struct fwcfg *fw, uint16_t key, const void *data,
		     size_t len)
{
	struct fwcfg_item *i = &fw->item[key];

	assert(key < ITEMS);
	free(i->own);
	i->own = xcalloc(1, len + 1);
	if (data)
		memcpy(i->own, data, len);
	i->image = (struct image){ .fd = -1, .mem = i->own, .size = len };
}

/* The directory: how many, and an entry each. */
static void put_directory(struct fwcfg *fw)
{
	size_t len = 4 + fw->n_files * sizeof(struct directory_entry);
	_cleanup_free_ uint8_t *dir = xcalloc(1, len);
	uint32_t n = htobe32(fw->n_files);

	memcpy(dir, &n, 4);
	for (unsigned int i = 0; i < fw->n_files; i++) {
		const struct fwcfg_item *it = &fw->item[FILES_FROM + i];
		struct directory_entry e = {
			.size = htobe32(it->image.size),
			.key = htobe16(FILES_FROM + i),
		};

		memcpy(e.name, it->name, NAME_MAX);
		memcpy(dir + 4 + i * sizeof(e), &e, sizeof(e));
	}
	put_item(fw, DIRECTORY, dir, len);
}

static struct fwcfg_item *put_file(struct fwcfg *fw, const char *name,
				   const void *data, size_t len)
{
	uint16_t key = FILES_FROM + fw->n_files++;

	put_item(fw, key, data, len);
	assert(strlen(name) < NAME_MAX);
	strcpy(fw->item[key].name, name);
	put_directory(fw);
	return &fw->item[key];
}

void fwcfg_add(struct fwcfg *fw, uint16_t key, const void *data, size_t len)
{
	put_item(fw, key, data, len);
}

void fwcfg_add_int(struct fwcfg *fw, uint16_t key, uint64_t value,
		   unsigned int bytes)
{
	put_item(fw, key, &value, bytes);
}

void fwcfg_add_image(struct fwcfg *fw, uint16_t key,
		     const struct image *image)
{
	fw->item[key].image = *image;
}

void fwcfg_add_file(struct fwcfg *fw, const char *name, const void *data,
		    size_t len)
{
	put_file(fw, name, data, len);
}

void fwcfg_add_made(struct fwcfg *fw, const char *name, size_t len,
		    fwcfg_fill_fn *fn, void *arg)
{
	struct fwcfg_item *i = put_file(fw, name, NULL, len);

	i->fn = fn;
	i->arg = arg;
}

void fwcfg_add_writable(struct fwcfg *fw, const char *name, const void *data,
			size_t len, fwcfg_fill_fn *fn, void *arg)
{
	struct fwcfg_item *i = put_file(fw, name, data, len);

	i->writable = true;
	i->fn = fn;
	i->arg = arg;
}

static void fwcfg_reset(void *dev)
{
	struct fwcfg *fw = dev;

	fw->key = 0;
	fw->offset = 0;
	fw->dma = 0;
}

static void fwcfg_destroy(void *dev)
{
	struct fwcfg *fw = dev;

	for (unsigned int i = 0; i < ITEMS; i++)
		free(fw->item[i].own);
	pthread_mutex_destroy(&fw->lock);
	free(fw);
}

static const struct state_field fwcfg_fields[] = {
	STATE(struct fwcfg, key),
	STATE(struct fwcfg, offset),
	STATE(struct fwcfg, dma),
	STATE_END,
};

static const struct state_type fwcfg_state = {
	.name = "fw-cfg",
	.version = 1,
	.fields = fwcfg_fields,
};

static const struct machine_dev_ops fwcfg_dev_ops = {
	.state = &fwcfg_state,
	.name = "fw-cfg",
	.reset = fwcfg_reset,
	.destroy = fwcfg_destroy,
};

struct fwcfg *fwcfg_create(struct machine *m)
{
	struct fwcfg *fw = xcalloc(1, sizeof(*fw));

	fw->m = m;
	pthread_mutex_init(&fw->lock, NULL);
	put_item(fw, SIGNATURE, "QEMU", 4);
	fwcfg_add_int(fw, ID, ID_PORTS | ID_DMA, 4);
	put_directory(fw);
	bus_add(m->ports, FWCFG_PORT, 2, &ports_ops, fw);
	bus_add(m->ports, PORT_DMA, DMA_SIZE, &dma_ops, fw);
	machine_add_device(m, &fwcfg_dev_ops, fw);
	return fw;
}
