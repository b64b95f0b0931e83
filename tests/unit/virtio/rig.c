#include "tests/unit/virtio/rig.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <linux/pci_regs.h>
#include <linux/virtio_pci.h>
#include <net/if.h>
#include <pthread.h>
#include <sched.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "vmm/machine_priv.h"
#include "vmm/memdev.h"

enum { ISR_AT = 0x1000, NOTIFY_AT = 0x3000 };

static pthread_mutex_t msi_lock = PTHREAD_MUTEX_INITIALIZER;
static unsigned int msi_count[4096];

/* In place of the machine's: counts what devices send. */
int machine_msi(struct machine *m, uint64_t addr, uint32_t data)
{
	pthread_mutex_lock(&msi_lock);
	msi_count[data % ARRAY_SIZE(msi_count)]++;
	pthread_mutex_unlock(&msi_lock);
	return 0;
}

void machine_irq(struct machine *m, unsigned int gsi, bool level)
{
}

/* The socket device: answers what it asks, see rig.h. */
static int (*vsock_connected)(void *dev, uint32_t port, int fd);
static void *vsock;

void machine_add_device(struct machine *m, const struct machine_dev_ops *ops,
			void *dev)
{
	if (ops->vsock_connected) {
		vsock_connected = ops->vsock_connected;
		vsock = dev;
	}
}

void machine_tell_vsock(struct machine *m, uint32_t port)
{
	int pair[2] = { -1, -1 };

	if (!(port & 1)) {
		assert(!socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0,
				   pair));
		assert(write(pair[1], "hello", 5) == 5);
		close(pair[1]);
	}
	vsock_connected(vsock, port, pair[0]);
}

void machine_remove_device(struct machine *m, void *dev)
{
}

void machine_request_reset(struct machine *m)
{
}

void machine_tell_balloon(struct machine *m, uint64_t actual)
{
}

/* No vCPU runs, and no engine looks at the memory map. */
bool machine_stop_vcpus(struct machine *m)
{
	return false;
}

void machine_go(struct machine *m)
{
}

void machine_remap(struct machine *m, machine_fn *fn, void *arg)
{
	fn(arg);
}

void machine_tell_memory(struct machine *m, const char *id,
			 enum machine_memory what, uint64_t bytes)
{
}

int memmap_set(struct machine *m, const struct ram_slot *slot,
	       struct error *err)
{
	return 0;
}

int memmap_update(struct machine *m, unsigned int slot, struct error *err)
{
	return 0;
}

unsigned int rig_msis(uint32_t data)
{
	unsigned int n;

	pthread_mutex_lock(&msi_lock);
	n = msi_count[data % ARRAY_SIZE(msi_count)];
	pthread_mutex_unlock(&msi_lock);
	return n;
}

void rig_init(struct rig *rig)
{
	const struct ram_options options = { .fd = -1, .low_max = RIG_RAM,
					     .shared = true };

	*rig = (struct rig){ 0 };
	rig->spec.machine = "microvm";
	rig->spec.memory = RIG_RAM;
	rig->spec.max_memory = RIG_HOT_SIZE;
	rig->m.spec = &rig->spec;
	rig->m.priv = xcalloc(1, sizeof(*rig->m.priv));
	assert(!ram_create_with(RIG_RAM, &options, &rig->m.ram, NULL));
	assert(!memdev_reserve(&rig->m, NULL));
	rig->m.ports = bus_create();
	rig->m.mmio = bus_create();
	rig->m.mmio32_base = MMIO32_BASE;
	assert(!loop_create(&rig->m.loop, NULL));
	assert(!pci_bus_create(&rig->m, &rig->m.pci, NULL));
}

void rig_finish(struct rig *rig)
{
	pci_bus_destroy(rig->m.pci);
	loop_destroy(rig->m.loop);
	bus_destroy(rig->m.mmio);
	bus_destroy(rig->m.ports);
	ram_destroy(rig->m.ram);
	free(rig->m.priv);
}

int rig_add_rng(struct rig *rig, struct error *err)
{
	struct spec_rng spec = { .id = "rng0", .fd = -1 };

	return virtio_rng_add(&rig->m, &spec, err);
}

static void quit(void *arg)
{
	loop_quit(arg);
}

/* What is ready is served in the same round as the timer, if that is late; what
 * comes of it, in the next. */
void rig_settle(struct rig *rig)
{
	struct loop_timer *timer;

	assert(!timer_create_on(rig->m.loop, quit, rig->m.loop, &timer));
	for (unsigned int round = 0; round < 4; round++) {
		timer_arm(timer, now_ns() + 50000);
		loop_run(rig->m.loop);
	}
	timer_destroy(timer);
}

void rig_wait_msi(struct rig *rig, uint32_t data, unsigned int n)
{
	while (rig_msis(data) < n)
		rig_settle(rig);
}

uint64_t rig_in(struct rig *rig, uint64_t addr, unsigned int size)
{
	uint64_t value = 0;

	bus_io(rig->m.mmio, addr, &value, size, false);
	return value;
}

void rig_out(struct rig *rig, uint64_t addr, uint64_t value,
	     unsigned int size)
{
	bus_io(rig->m.mmio, addr, &value, size, true);
}

static uint64_t ecam(struct rig *rig, unsigned int reg)
{
	return ECAM_BASE + (rig->dev->slot << 15 | rig->dev->function << 12) +
	       reg;
}

uint32_t rig_cfg(struct rig *rig, unsigned int reg, unsigned int size)
{
	return rig_in(rig, ecam(rig, reg), size);
}

void rig_cfg_out(struct rig *rig, unsigned int reg, uint32_t value,
		 unsigned int size)
{
	rig_out(rig, ecam(rig, reg), value, size);
}

static void find_slot(struct pci_dev *dev, void *arg)
{
	struct rig *rig = arg;

	/* On the way in, regs has the slot that is wanted. */
	if (dev->slot == rig->regs && dev->function == 0)
		rig->dev = dev;
}

void rig_find(struct rig *rig, unsigned int slot)
{
	rig->regs = slot;
	rig->dev = NULL;
	pci_for_each(rig->m.pci, find_slot, rig);
	assert(rig->dev);
}

/* Vector v sends data word v. */
void rig_probe(struct rig *rig, unsigned int slot)
{
	uint64_t table;

	rig_find(rig, slot);
	table = rig_cfg(rig, PCI_BASE_ADDRESS_0, 4) & ~0xfu;
	rig->regs = rig_cfg(rig, PCI_BASE_ADDRESS_2, 4) & ~0xfu;
	rig_cfg_out(rig, PCI_COMMAND,
		    PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER, 2);
	/* MSI-X is the first capability. */
	rig_cfg_out(rig, 0x42, PCI_MSIX_FLAGS_ENABLE, 2);
	for (unsigned int v = 0; v <= (rig_cfg(rig, 0x42, 2) & 0x7ff); v++) {
		rig_out(rig, table + 16 * v, 0xfee00000, 4);
		rig_out(rig, table + 16 * v + 8, v, 4);
		rig_out(rig, table + 16 * v + 12, 0, 4);
	}
}

uint8_t rig_status(struct rig *rig)
{
	return rig_in(rig, rig->regs + VIRTIO_PCI_COMMON_STATUS, 1);
}

void rig_reset(struct rig *rig)
{
	rig_out(rig, rig->regs + VIRTIO_PCI_COMMON_STATUS, 0, 1);
	while (rig_status(rig))
		rig_settle(rig);
}

uint64_t rig_offered(struct rig *rig)
{
	uint64_t low;

	rig_out(rig, rig->regs + VIRTIO_PCI_COMMON_DFSELECT, 0, 4);
	low = rig_in(rig, rig->regs + VIRTIO_PCI_COMMON_DF, 4);
	rig_out(rig, rig->regs + VIRTIO_PCI_COMMON_DFSELECT, 1, 4);
	return low | rig_in(rig, rig->regs + VIRTIO_PCI_COMMON_DF, 4) << 32;
}

void rig_negotiate(struct rig *rig, uint64_t features)
{
	uint64_t r = rig->regs;

	features |= BIT64(VIRTIO_F_VERSION_1);
	rig_reset(rig);
	rig_out(rig, r + VIRTIO_PCI_COMMON_STATUS, 3, 1);
	rig_out(rig, r + VIRTIO_PCI_COMMON_GFSELECT, 0, 4);
	rig_out(rig, r + VIRTIO_PCI_COMMON_GF, (uint32_t)features, 4);
	rig_out(rig, r + VIRTIO_PCI_COMMON_GFSELECT, 1, 4);
	rig_out(rig, r + VIRTIO_PCI_COMMON_GF, features >> 32, 4);
	rig_out(rig, r + VIRTIO_PCI_COMMON_STATUS, 11, 1);
}

void *rig_ptr(struct rig *rig, uint64_t gpa)
{
	void *p = ram_ptr(rig->m.ram, gpa, 1);

	assert(p);
	return p;
}

static void write_gpa(struct rig *rig, unsigned int reg, uint64_t gpa)
{
	rig_out(rig, rig->regs + reg, (uint32_t)gpa, 4);
	rig_out(rig, rig->regs + reg + 4, gpa >> 32, 4);
}

void rig_queue(struct rig *rig, struct rig_vq *vq, unsigned int index,
	       unsigned int size, uint64_t gpa)
{
	uint64_t r = rig->regs;

	*vq = (struct rig_vq){ rig, index, size, gpa };
	vq->desc = rig_ptr(rig, gpa);
	vq->avail = rig_ptr(rig, gpa + 0x1000);
	vq->used = rig_ptr(rig, gpa + 0x2000);
	memset(vq->desc, 0, 0x4000);
	rig_out(rig, r + VIRTIO_PCI_COMMON_Q_SELECT, index, 2);
	rig_out(rig, r + VIRTIO_PCI_COMMON_Q_SIZE, size, 2);
	rig_out(rig, r + VIRTIO_PCI_COMMON_Q_MSIX, index + 1, 2);
	write_gpa(rig, VIRTIO_PCI_COMMON_Q_DESCLO, gpa);
	write_gpa(rig, VIRTIO_PCI_COMMON_Q_AVAILLO, gpa + 0x1000);
	write_gpa(rig, VIRTIO_PCI_COMMON_Q_USEDLO, gpa + 0x2000);
	rig_out(rig, r + VIRTIO_PCI_COMMON_Q_ENABLE, 1, 2);
}

void rig_driver_ok(struct rig *rig)
{
	rig_out(rig, rig->regs + VIRTIO_PCI_COMMON_STATUS, 15, 1);
}

void rig_desc(struct rig_vq *vq, unsigned int i, uint64_t gpa, uint32_t len,
	      uint16_t flags, uint16_t next)
{
	vq->desc[i] = (struct vring_desc){ gpa, len, flags, next };
}

void rig_offer(struct rig_vq *vq, uint16_t head)
{
	vq->avail->ring[vq->avail->idx % vq->size] = head;
	__atomic_store_n(&vq->avail->idx, vq->avail->idx + 1,
			 __ATOMIC_RELEASE);
	rig_out(vq->rig, vq->rig->regs + NOTIFY_AT + 4 * vq->index,
		vq->index, 2);
}

struct vring_used_elem rig_take(struct rig_vq *vq)
{
	while (__atomic_load_n(&vq->used->idx, __ATOMIC_ACQUIRE) == vq->seen) {
		assert(!(rig_status(vq->rig) & VIRTIO_CONFIG_S_NEEDS_RESET));
		rig_settle(vq->rig);
	}
	return vq->used->ring[vq->seen++ % vq->size];
}

void machine_tell_tray(struct machine *m, const char *id, bool open)
{
}

/* In the current folder, whose file system can discard. */
int rig_image(size_t size)
{
	char name[] = "rig-image-XXXXXX";
	int fd = mkstemp(name);

	assert(fd >= 0 && !unlink(name) && !ftruncate(fd, size));
	return fd;
}

void machine_tell_port(struct machine *m, const char *id, bool open)
{
}

static int open_queue(bool multi)
{
	struct ifreq ifr = { .ifr_name = RIG_TAP,
			     .ifr_flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR };
	int fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC);

	ifr.ifr_flags |= multi ? IFF_MULTI_QUEUE : 0;
	if (fd < 0 || ioctl(fd, TUNSETIFF, &ifr) < 0)
		return fd_close(fd);
	return fd;
}

int rig_taps(int *fds, unsigned int n)
{
	struct ifreq ifr = { .ifr_name = RIG_TAP };
	int up;

	if (unshare(CLONE_NEWNET) < 0)
		return -1;
	for (unsigned int i = 0; i < n; i++) {
		fds[i] = open_queue(n > 1);
		if (fds[i] < 0)
			return -1;
	}
	up = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	ifr.ifr_flags = IFF_UP;
	assert(up >= 0 && !ioctl(up, SIOCSIFFLAGS, &ifr));
	close(up);
	return 0;
}

int rig_tap(void)
{
	int fd;

	return rig_taps(&fd, 1) < 0 ? -1 : fd;
}
