/*
 * vmm/dev/mch.c -- host bridge and DRAM controller of Intel's Q35 express
 * chip set, 8086:29c0 (3 Series Express Chipset Family datasheet 316966,
 * section 5, "DRAM Controller Registers").
 *
 * What it decides is what the guest sees in its first 4 GiB: the enhanced
 * configuration window (PCIEXBAR), the thirteen segments from 768 KiB to 1 MiB
 * (PAM: read from the firmware's ROM, from RAM, or from RAM that can be
 * written), and system management RAM below 768 KiB (SMRAM) and at the top of
 * low memory (TSEG).  A register that changes the map is obeyed with all vCPUs
 * stopped, before the one that wrote it goes on.
 *
 * Also TSEG's size in MiB at 0x50, where OVMF asks for it (QEMU,
 * docs/specs/... "extended TSEG"; edk2, OvmfPkg/Include/IndustryStandard/
 * Q35MchIch9.h).  Left out: a segment that is written in RAM but read from
 * ROM, which reads and writes ROM here; and high SMRAM.  Devices do not reach
 * TSEG, but do reach RAM behind the VGA window: drivers describe such buffers
 * when a command has no data.
 */
#include "vmm/dev/mch.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include "base/error.h"
#include "base/log.h"
#include "vmm/boot/boot.h"
#include "vmm/dev/flash.h"
#include "vmm/dev/pci.h"
#include "vmm/machine.h"
#include "vmm/memmap.h"
#include "vmm/ram.h"
#include "vmm/spec.h"
#include "vmm/state.h"

enum { EXT_TSEG = 0x50, GGC = 0x52, PCIEXBAR = 0x60, PAM0 = 0x90, PAMS = 7,
       SMRAM = 0x9d, ESMRAMC = 0x9e, GBSM = 0xa4, BGSM = 0xa8, TSEGMB = 0xac,
       TOLUD = 0xb0 };
enum { PCIEXBAR_EN = 1, PCIEXBAR_LENGTH = 6 };
enum { PAM_READ = 1, PAM_WRITE = 2 };
enum { SMRAM_ON = BIT(3), SMRAM_LOCK = BIT(4), SMRAM_CLOSED = BIT(5),
       SMRAM_OPEN = BIT(6), SMRAM_BASE = 2 };
/* "ESMRAMC": that SMRAM is cached reads as one, by which OVMF knows it. */
enum { TSEG_ON = BIT(0), TSEG_SIZE_SHIFT = 1, ESMRAMC_CACHED = 0x38 };
enum { EXT_TSEG_MIB = 16, EXT_TSEG_QUERY = 0xffff };

/* The segments: twelve of 16 KiB, and the last 64 KiB. */
enum { SEGMENTS = 13, SEGMENT_SIZE = 0x4000 };
#define SEGMENTS_AT 0xc0000ull
#define BIOS_AT	    0xe0000ull
#define BIOS_ALIAS  (MIB - BIOS_AT)
#define VGA_AT	    0xa0000ull
#define VGA_END	    0xc0000ull

#define FIRMWARE_MAX (16 * MIB)

struct mch {
	struct pci_dev pci;
	struct machine *m;
	uint8_t *rom; /* firmware, at the top of the first 4 GiB */
	uint64_t rom_size;
	uint8_t *alias; /* what is below 1 MiB of it */
	uint64_t top;	/* where low memory ends, or TSEG begins */
	uint8_t pam[PAMS]; /* before the reset */
};

static struct mch *from_pci(struct pci_dev *pci)
{
	return container_of(pci, struct mch, pci);
}

/* The main thread, vCPUs stopped: it worked when the machine was made. */
static void put(struct mch *mch, const struct ram_slot *slot)
{
	struct error err = { 0 };

	if (memmap_set(mch->m, slot, &err) < 0)
		machine_request_stop(mch->m, STOP_CRASH, err.message);
}

static void put_ram(struct mch *mch, unsigned int n, uint64_t gpa,
		    uint64_t end, bool visible, bool smm)
{
	struct ram_slot slot = { .slot = n, .gpa = gpa, .smm = smm };

	if (smm && !mch->m->engine->smi)
		visible = false;
	if (gpa < end) {
		slot.size = end - gpa;
		slot.host = visible ? ram_host(mch->m->ram, gpa) : NULL;
	}
	put(mch, &slot);
}

static uint8_t segment_mode(const struct mch *mch, unsigned int i)
{
	const uint8_t *pam = mch->pci.config + PAM0;

	if (i == SEGMENTS - 1) /* PAM0's upper half is the last segment */
		return pam[0] >> 4 & 3;
	return pam[1 + i / 2] >> 4 * (i & 1) & 3;
}

static void put_segment(struct mch *mch, unsigned int i)
{
	struct ram_slot slot = {
		.slot = MCH_SLOT_PAM + i,
		.gpa = SEGMENTS_AT + i * SEGMENT_SIZE,
		.size = i == SEGMENTS - 1 ? 4 * SEGMENT_SIZE : SEGMENT_SIZE,
	};
	uint8_t mode = segment_mode(mch, i);

	slot.readonly = !(mode & PAM_WRITE) || !(mode & PAM_READ);
	if (mode & PAM_READ)
		slot.host = ram_host(mch->m->ram, slot.gpa);
	else if (slot.gpa >= BIOS_AT && mch->alias)
		slot.host = mch->alias + (slot.gpa - BIOS_AT);
	put(mch, &slot);
}

static uint64_t tseg_size(const struct mch *mch)
{
	static const uint8_t mib[] = { 1, 2, 8, EXT_TSEG_MIB };

	return mib[mch->pci.config[ESMRAMC] >> TSEG_SIZE_SHIFT & 3] * MIB;
}

/* SMRAM and ESMRAMC; RAM that only system management mode sees. */
static void put_smram(struct mch *mch)
{
	const struct ram_region *ram;
	uint8_t smram = mch->pci.config[SMRAM];
	bool on = smram & SMRAM_ON, open = smram & SMRAM_OPEN;
	bool tseg = on && mch->pci.config[ESMRAMC] & TSEG_ON;
	uint64_t top;

	ram_regions(mch->m->ram, &ram);
	top = ram[0].size;
	if (tseg)
		top -= MIN(tseg_size(mch), ALIGN_DOWN(top / 2, 4096));
	/* It makes room for TSEG, or closes the gap. */
	put_ram(mch, MCH_SLOT_MAIN, MIB, MIN(top, mch->top), mch->top, false);
	mch->top = top;
	put_ram(mch, MCH_SLOT_TSEG, top, ram[0].size, tseg, true);
	put_ram(mch, MCH_SLOT_MAIN, MIB, top, true, false);
	put_ram(mch, MCH_SLOT_VGA, VGA_AT, VGA_END, on || open, !open);
	ram_hide(mch->m->ram, top, tseg ? ram[0].size - top : 0);
}

/* vCPUs are stopped. */
static void mch_apply(void *arg)
{
	struct mch *mch = arg;

	put_smram(mch);
	for (unsigned int i = 0; i < SEGMENTS; i++)
		put_segment(mch, i);
}

/* The window's length: 256, 128 or 64 MiB, aligned to itself. */
static void update_ecam(struct mch *mch)
{
	uint64_t reg = pci_get32(mch->pci.config + PCIEXBAR) |
		       (uint64_t)pci_get32(mch->pci.config + PCIEXBAR + 4)
			       << 32;
	unsigned int length = (reg & PCIEXBAR_LENGTH) >> 1;
	uint64_t size = ECAM_SIZE >> MIN(length, 2u);
	uint64_t base = reg & ~(size - 1) & 0xfffffffffull;

	if (!(reg & PCIEXBAR_EN) || base < mch->m->mmio32_base)
		base = 0;
	pci_move_ecam(mch->m->pci, base, size);
}

/* "D_LCK": until the next reset; also ends D_OPEN. */
static void lock_smram(struct mch *mch)
{
	mch->pci.config[SMRAM] &= ~SMRAM_OPEN;
	mch->pci.wmask[SMRAM] = 0;
	mch->pci.wmask[ESMRAMC] = 0;
	pci_set16(mch->pci.wmask + EXT_TSEG, 0);
	pci_set32(mch->pci.wmask + TSEGMB, 0);
}

static void unlock_smram(struct mch *mch)
{
	mch->pci.wmask[SMRAM] =
		SMRAM_ON | SMRAM_LOCK | SMRAM_CLOSED | SMRAM_OPEN;
	mch->pci.wmask[ESMRAMC] = TSEG_ON | 3 << TSEG_SIZE_SHIFT;
	pci_set16(mch->pci.wmask + EXT_TSEG, 0xffff);
	pci_set32(mch->pci.wmask + TSEGMB, 0xfff00000);
}

static bool overlaps(unsigned int reg, unsigned int size, unsigned int at,
		     unsigned int len)
{
	return reg < at + len && at < reg + size;
}

/* A reset of the bus comes here too, with everything changed. */
static void mch_written(struct pci_dev *pci, unsigned int reg,
			unsigned int size)
{
	struct mch *mch = from_pci(pci);
	bool all = size == PCI_CONFIG_SIZE;

	/* A BIOS wakes by what it has put into the RAM below 1 MiB. */
	if (all && machine_waking(mch->m))
		memcpy(pci->config + PAM0, mch->pam, PAMS);
	if (overlaps(reg, size, PCIEXBAR, 8))
		update_ecam(mch);
	if (pci_get16(pci->config + EXT_TSEG) == EXT_TSEG_QUERY)
		pci_set16(pci->config + EXT_TSEG, EXT_TSEG_MIB);
	if (pci->config[SMRAM] & SMRAM_LOCK)
		lock_smram(mch);
	if (all)
		mch_apply(mch);
	else if (overlaps(reg, size, PAM0, PAMS) ||
		 overlaps(reg, size, SMRAM, 2))
		machine_remap(mch->m, mch_apply, mch);
}

static void mch_reset(struct pci_dev *pci)
{
	memcpy(from_pci(pci)->pam, pci->config + PAM0, PAMS);
	unlock_smram(from_pci(pci));
}

static void mch_destroy(struct pci_dev *pci)
{
	struct mch *mch = from_pci(pci);

	if (mch->rom)
		munmap(mch->rom, mch->rom_size);
	free(mch);
}

/* What is visible follows from the configuration registers. */
static const struct state_field mch_fields[] = { STATE_END };

static int mch_loaded(void *obj, unsigned int version, struct error *err)
{
	struct mch *mch = obj;

	if (mch->pci.config[SMRAM] & SMRAM_LOCK)
		lock_smram(mch);
	update_ecam(mch);
	mch_apply(mch);
	return 0;
}

static const struct state_type mch_state = {
	.name = "q35-mch",
	.version = 1,
	.fields = mch_fields,
	.loaded = mch_loaded,
};

static void mch_states(struct pci_dev *pci, const char *id,
		       struct state_set *set)
{
	state_add(set, &mch_state, id, from_pci(pci));
}

static const struct pci_ops mch_ops = {
	.states = mch_states,
	.config_written = mch_written,
	.reset = mch_reset,
	.destroy = mch_destroy,
};

/* Without firmware the machine is as firmware would have left it. */
static void mch_registers(struct mch *mch)
{
	uint8_t *c = mch->pci.config, *w = mch->pci.wmask;
	bool direct = !mch->rom;

	pci_set32(w + PCIEXBAR, 0xfc000000 | PCIEXBAR_LENGTH | PCIEXBAR_EN);
	pci_set32(w + PCIEXBAR + 4, 0xf);
	if (direct)
		pci_set32(c + PCIEXBAR, ECAM_BASE | PCIEXBAR_EN);
	/* Notes of firmware's, which reads TSEG's place back from there. */
	pci_set16(w + GGC, 0x0072);
	pci_set32(w + GBSM, 0xfff00000);
	pci_set32(w + BGSM, 0xfff00000);
	pci_set16(w + TOLUD, 0xfff0);
	w[PAM0] = 0x30;
	memset(w + PAM0 + 1, 0x33, PAMS - 1);
	if (direct)
		memcpy(c + PAM0, w + PAM0, PAMS);
	c[SMRAM] = SMRAM_BASE;
	c[ESMRAMC] = ESMRAMC_CACHED;
	unlock_smram(mch);
}

/* #syscalls:vmm mmap munmap pread64 */
static int load_rom(struct mch *mch, struct error *err)
{
	struct image image;
	void *p;
	int r = firmware_open(mch->m->spec->firmware_fd, FIRMWARE_MAX, &image,
			      err);

	if (r < 0)
		return r;
	p = mmap(NULL, image.size, PROT_READ | PROT_WRITE,
		 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (p == MAP_FAILED)
		return error_set(err, -errno, "no memory for firmware: %m");
	mch->rom = p;
	mch->rom_size = image.size;
	if (image.size >= BIOS_ALIAS)
		mch->alias = mch->rom + image.size - BIOS_ALIAS;
	r = image_read(&image, 0, p, image.size);
	return r < 0 ? error_set(err, r, "cannot read the firmware: %m") : 0;
}

static int map_all(struct mch *mch, struct error *err)
{
	struct machine *m = mch->m;
	const struct ram_region *ram;
	unsigned int n = ram_regions(m->ram, &ram);
	struct ram_slot slot[] = {
		{ .slot = MCH_SLOT_LOW, .gpa = 0, .size = VGA_AT,
		  .host = ram[0].host },
		{ .slot = MCH_SLOT_FIRMWARE, .gpa = 4 * GIB - mch->rom_size,
		  .size = mch->rom_size, .host = mch->rom, .readonly = true },
		{ .slot = MCH_SLOT_HIGH, .gpa = ram[n - 1].gpa,
		  .size = ram[n - 1].size,
		  .host = n > 1 ? ram[1].host : NULL },
	};
	int r = 0;

	for (unsigned int i = 0; i < ARRAY_SIZE(slot) && r == 0; i++)
		r = memmap_set(m, &slot[i], err);
	mch_apply(mch);
	return r;
}

static int check(const struct machine *m, struct error *err)
{
	const struct vmm_spec *spec = m->spec;

	if (ram_size(m->ram) < 4 * MIB)
		return error_set(err, -EINVAL, "q35 needs 4 MiB of memory");
	if (spec->nvram_fd >= 0 && spec->firmware_fd < 0)
		return error_set(err, -EINVAL,
				 "variables are given without firmware");
	if (spec->secure_loader && !m->engine->smi)
		return error_set(err, -ENOTSUP,
				 "a secure loader needs system management mode, "
				 "which the %s engine does not have",
				 m->engine->name);
	return 0;
}

int mch_create(struct machine *m, struct error *err)
{
	static const struct pci_id id = {
		.vendor = 0x8086,
		.device = 0x29c0,
		.subsystem_vendor = 0x1af4, /* what makes firmware look for */
		.subsystem = 0x1100,	    /* fw_cfg */
		.class_code = 0x060000, /* PCI D.7: host bridge */
	};
	struct mch *mch;
	int r = check(m, err);

	if (r < 0)
		return r;
	mch = xcalloc(1, sizeof(*mch));
	mch->m = m;
	pci_dev_init(&mch->pci, &mch_ops, &id);
	if (m->spec->firmware_fd >= 0)
		r = load_rom(mch, err);
	if (r < 0) {
		mch_destroy(&mch->pci);
		return r;
	}
	mch_registers(mch);
	pci_plug_host(m->pci, &mch->pci);
	update_ecam(mch);
	r = map_all(mch, err);
	if (r == 0 && m->spec->nvram_fd >= 0)
		r = flash_create(m, m->spec->nvram_fd,
				 4 * GIB - mch->rom_size, err);
	return r;
}
