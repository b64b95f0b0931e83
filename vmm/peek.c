/*
 * vmm/peek.c -- guest memory, for who looks at it from outside.
 *
 * Linear addresses go through the first vCPU's page tables (SDM volume 3,
 * "Paging") as they are at this moment; nothing is marked as accessed.
 */
#include "vmm/peek.h"

#include <errno.h>
#include <unistd.h>

#include "base/error.h"
#include "base/util.h"
#include "vmm/machine.h"
#include "vmm/machine_priv.h"
#include "vmm/ram.h"
#include "vmm/x86.h"

/* #syscalls:vmm write */

enum { PAGE = 4096, PRESENT = 1, LARGE = 0x80 };
#define CR0_PAGING  BIT64(31)
#define CR4_PAE	    BIT64(5)
#define EFER_LMA    BIT64(10)
#define ADDRESS	    0x000ffffffffff000ull

/* One level of a paging structure: how many bits are below, and of it. */
struct level {
	unsigned int shift, bits;
};

struct paging {
	const struct level *level;
	unsigned int n, entry; /* levels; bytes of an entry */
};

static struct paging paging_of(const struct x86_state *cpu)
{
	static const struct level wide[] = {
		{ 39, 9 }, { 30, 9 }, { 21, 9 }, { 12, 9 }
	};
	static const struct level pae[] = { { 30, 2 }, { 21, 9 }, { 12, 9 } };
	static const struct level two[] = { { 22, 10 }, { 12, 10 } };

	if (!(cpu->cr0 & CR0_PAGING))
		return (struct paging){ 0 };
	if (cpu->efer & EFER_LMA)
		return (struct paging){ wide, ARRAY_SIZE(wide), 8 };
	if (cpu->cr4 & CR4_PAE)
		return (struct paging){ pae, ARRAY_SIZE(pae), 8 };
	return (struct paging){ two, ARRAY_SIZE(two), 4 };
}

/* What lies below an entry that maps a page itself, and at its last level. */
static uint64_t target(uint64_t entry, uint64_t at, unsigned int shift,
		       unsigned int bytes)
{
	uint64_t below = BIT64(shift) - 1;
	uint64_t frame = (bytes == 4 ? entry & 0xfffff000u : entry & ADDRESS) &
			 ~below;

	/* PSE-36: bits 20 to 13 are the address's bits 39 to 32. */
	if (bytes == 4 && shift > 12)
		frame |= (entry >> 13 & 0xff) << 32;
	return frame | (at & below);
}

static bool walk(struct machine *m, const struct x86_state *cpu, uint64_t at,
		 uint64_t *ret_gpa)
{
	struct paging p = paging_of(cpu);
	uint64_t table = cpu->cr3 & (p.entry == 4 ? 0xfffff000u : ADDRESS);

	if (p.n == 3) /* SDM, "PAE Paging": 32-byte aligned */
		table = cpu->cr3 & 0xffffffe0u;
	*ret_gpa = at;
	for (unsigned int i = 0; i < p.n; i++) {
		const struct level *l = &p.level[i];
		uint64_t entry = 0;

		if (ram_read(m->ram,
			     table + (at >> l->shift & (BIT64(l->bits) - 1)) *
					     p.entry,
			     &entry, p.entry) < 0 ||
		    !(entry & PRESENT))
			return false;
		if (i + 1 == p.n || ((entry & LARGE) && l->shift < 39)) {
			*ret_gpa = target(entry, at, l->shift, p.entry);
			return true;
		}
		table = entry & ADDRESS;
	}
	return true;
}

static int put(int fd, const uint8_t *data, size_t len, struct error *err)
{
	while (len) {
		ssize_t n = write(fd, data, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return error_set(err, n ? -errno : -EIO,
					 "cannot hand over guest memory: %m");
		data += n;
		len -= n;
	}
	return 0;
}

static int copy(struct machine *m, const struct x86_state *cpu, uint64_t at,
		size_t len, int fd, struct error *err)
{
	uint8_t page[PAGE];

	for (size_t n; len; at += n, len -= n) {
		uint64_t gpa = at;
		int r;

		n = MIN(len, PAGE - (size_t)(at % PAGE));
		if ((cpu && !walk(m, cpu, at, &gpa)) ||
		    ram_read(m->ram, gpa, page, n) < 0)
			return error_set(err, -EFAULT,
					 "there is no guest memory at 0x%llx",
					 (unsigned long long)at);
		r = put(fd, page, n, err);
		if (r < 0)
			return r;
	}
	return 0;
}

int peek_memory(struct machine *m, uint64_t at, size_t len, bool linear,
		int fd, struct error *err)
{
	struct x86_state *cpus = NULL;
	unsigned int n;
	int r = 0;

	if (linear) {
		machine_halt(m);
		r = machine_get_cpus(m, &cpus, &n, err);
	}
	if (r == 0)
		r = copy(m, cpus, at, len, fd, err);
	if (linear && m->priv->want_run)
		machine_go(m);
	free(cpus);
	return r;
}
