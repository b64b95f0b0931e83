/*
 * tests/fuzz/virtio.c -- a hostile driver: random register writes and random
 * memory for every virtio device.
 *
 *	virtio [ROUNDS [SEED]]
 *
 * Nothing may crash or hang, and after a reset every device must work for a
 * well-behaved driver.  Meant to be run for long with sanitizers on.
 */
#include "tests/unit/virtio/rig.h"

#include <linux/pci_regs.h>
#include <linux/virtio_ids.h>
#include <linux/virtio_mem.h>
#include <linux/virtio_pci.h>
#include <linux/virtio_vsock.h>
#include <pthread.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "tests/fuzz/random.h"
#include "vmm/display.h"
#include "vmm/spec.h"

enum { QUEUES = 5, RING0 = 0x10000, RING_STEP = 0x4000, HEADERS = 0x80000,
       SCSI_HEADERS = 0xa0000, VSOCK_HEADERS = 0xb0000,
       GPU_HEADERS = 0xc0000, MEM_HEADERS = 0xd0000, CID = 7 };

static uint64_t interesting(void)
{
	static const uint64_t v[] = { 0,      1,      2,	  0x7f,
				      0xff,   0x7fff, 0xffff,	  0x10000,
				      RIG_RAM, RIG_RAM - 1, 0x7fffffff,
				      0xffffffff, 0x100000000ull,
				      ECAM_BASE, ~0ull, ~0xfffull };

	return chance(50) ? v[below(ARRAY_SIZE(v))] : rnd() >> below(64);
}

static uint64_t any_gpa(void)
{
	return chance(95) ? below(RIG_RAM - 0x2000) : interesting();
}

/* Mostly what a request of some device could begin with. */
static void scramble_memory(struct rig *rig)
{
	for (unsigned int i = 0; i < 64; i++) {
		uint32_t *p = rig_ptr(rig, HEADERS + 16 * i);

		p[0] = chance(80) ? below(16) : rnd();
		p[1] = chance(50) ? below(8) : rnd();
		p[2] = chance(80) ? below(2048) : interesting();
		p[3] = chance(80) ? 0 : rnd();
	}
}

/* What only a SCSI host takes for a request, and sometimes for a good one. */
static void scramble_scsi(struct rig *rig)
{
	static const uint8_t known[] = {
		0x00, 0x03, 0x08, 0x0a, 0x12, 0x15, 0x1a, 0x1b, 0x1e, 0x25,
		0x28, 0x2a, 0x2f, 0x35, 0x41, 0x42, 0x43, 0x46, 0x4a, 0x51,
		0x55, 0x5a, 0x88, 0x8a, 0x93, 0x9e, 0xa0, 0xa8, 0xbe,
	};

	for (unsigned int i = 0; i < 16; i++) {
		uint8_t *p = rig_ptr(rig, SCSI_HEADERS + 64 * i);

		memset(p, 0, 64);
		p[0] = chance(95) ? 1 : rnd();
		p[1] = chance(95) ? 0 : rnd();
		p[3] = below(3);
		p[19] = known[below(sizeof(known))];
		for (unsigned int k = 20; k < 35; k++)
			p[k] = chance(70) ? 0 : below(chance(70) ? 8 : 256);
	}
}

/* Request, response and data of one command, at descriptor i. */
static void scsi_chain(struct rig_vq *vq, unsigned int i)
{
	unsigned int n = vq->size - 1;
	bool write = chance(50);

	rig_desc(vq, i & n, SCSI_HEADERS + 64 * below(16), 51,
		 VRING_DESC_F_NEXT, (i + 1) & n);
	rig_desc(vq, (i + 1) & n, write ? 0x120000 : 0x110000,
		 write ? 4096 : 108, VRING_DESC_F_NEXT | !write * 2,
		 (i + 2) & n);
	rig_desc(vq, (i + 2) & n, write ? 0x110000 : 0x120000,
		 write ? 108 : 4096, VRING_DESC_F_WRITE, 0);
	rig_offer(vq, i & n);
}

/* Few ports, so that packets meet connections. */
static void scramble_vsock(struct rig *rig)
{
	for (unsigned int i = 0; i < 16; i++) {
		struct virtio_vsock_hdr *h =
			rig_ptr(rig, VSOCK_HEADERS + 64 * i);

		*h = (struct virtio_vsock_hdr){
			.src_cid = chance(95) ? CID : rnd(),
			.dst_cid = chance(95) ? 2 : rnd(),
			.src_port = below(3),
			.dst_port = chance(50) ? below(3) : (1 << 30),
			.len = chance(80) ? 0 : interesting(),
			.type = chance(95) ? 1 : below(3),
			.op = below(9),
			.flags = below(4),
			.buf_alloc = chance(80) ? 4096 : interesting(),
			.fwd_cnt = chance(80) ? 0 : rnd(),
		};
		if (h->op == VIRTIO_VSOCK_OP_RW && chance(80))
			h->len = 1 + below(5000);
	}
}

static void vsock_chain(struct rig_vq *vq, unsigned int i)
{
	unsigned int n = vq->size - 1;

	rig_desc(vq, i & n, VSOCK_HEADERS + 64 * below(16), 44,
		 VRING_DESC_F_NEXT, (i + 1) & n);
	rig_desc(vq, (i + 1) & n, 0x120000, 5000, 0, 0);
	rig_offer(vq, i & n);
}

/* Somewhere for what the device sends. */
static void vsock_rx(struct rig_vq *vq, unsigned int i)
{
	unsigned int n = vq->size - 1;

	rig_desc(vq, i & n, 0x130000, 4096, VRING_DESC_F_WRITE, 0);
	rig_offer(vq, i & n);
}

/* Requests to a memory device, mostly for blocks that it has. */
static void scramble_mem(struct rig *rig)
{
	for (unsigned int i = 0; i < 16; i++) {
		struct virtio_mem_req *rq = rig_ptr(rig, MEM_HEADERS + 32 * i);

		memset(rq, 0, sizeof(*rq));
		rq->type = chance(95) ? below(4) : rnd();
		rq->u.plug.addr = chance(80) ? RIG_HOT + 2 * MIB * below(34) :
				  chance(80) ? RIG_HOT + below(64 * MIB) :
					       interesting();
		rq->u.plug.nb_blocks = chance(90) ? below(8) : rnd();
	}
}

static void mem_chain(struct rig_vq *vq, unsigned int i)
{
	unsigned int n = vq->size - 1;

	rig_desc(vq, i & n, MEM_HEADERS + 32 * below(16),
		 chance(95) ? 24 : below(32), VRING_DESC_F_NEXT, (i + 1) & n);
	/* Where the answer goes may be memory that the request takes. */
	rig_desc(vq, (i + 1) & n,
		 chance(80) ? 0x110000 : RIG_HOT + 2 * MIB * below(32),
		 chance(95) ? 10 : below(16), VRING_DESC_F_WRITE, 0);
	rig_offer(vq, i & n);
}

/* Commands of a graphics card, their numbers small and mostly the same. */
static void scramble_gpu(struct rig *rig)
{
	for (unsigned int i = 0; i < 32; i++) {
		uint32_t *p = rig_ptr(rig, GPU_HEADERS + 128 * i);

		memset(p, 0, 128);
		p[0] = chance(80) ? 0x100 + below(12) : 0x300 + below(2);
		p[1] = below(2);
		for (unsigned int k = 6; k < 16; k++)
			p[k] = chance(50) ? below(4) :
			       chance(80) ? below(128) :
					    interesting();
		if (p[0] == 0x106) { /* entries of its backing */
			p[7] = below(4);
			for (unsigned int k = 8; k < 20; k += 4) {
				p[k] = any_gpa();
				p[k + 1] = chance(95) ? 0 : rnd();
				p[k + 2] = below(0x8000);
			}
		}
	}
}

static void gpu_chain(struct rig_vq *vq, unsigned int i)
{
	unsigned int n = vq->size - 1;

	rig_desc(vq, i & n, GPU_HEADERS + 128 * below(32),
		 chance(90) ? 128 : below(128), VRING_DESC_F_NEXT,
		 (i + 1) & n);
	rig_desc(vq, (i + 1) & n, 0x120000, chance(90) ? 2048 : below(2048),
		 VRING_DESC_F_WRITE, 0);
	rig_offer(vq, i & n);
}

static void scramble_queue(struct rig_vq *vq)
{
	struct vring_desc *table =
		chance(80) ? vq->desc : rig_ptr(vq->rig, 0x90000);

	for (unsigned int i = 0; i < vq->size; i++) {
		uint16_t flags = below(4);

		if (chance(5))
			flags = rnd();
		table[i] = (struct vring_desc){
			.addr = chance(60) ? HEADERS + 16 * below(64) :
					     any_gpa(),
			.len = chance(90) ? below(3) * 512 + below(40) :
					    interesting(),
			.flags = flags,
			.next = chance(95) ? below(vq->size) : rnd(),
		};
	}
	if (chance(20))
		rig_desc(vq, below(vq->size), 0x90000, 16 * below(20),
			 VRING_DESC_F_INDIRECT, 0);
	if (chance(5))
		vq->avail->idx += rnd();
	vq->avail->ring[vq->size] = rnd();
	for (unsigned int n = below(6); n; n--)
		rig_offer(vq, chance(97) ? below(vq->size) : rnd());
}

static void random_register(struct rig *rig)
{
	uint64_t offset = chance(60) ? below(0x40) :
			  chance(50) ? 0x2000 + below(0x60) :
				       below(0x4100);
	unsigned int size = 1u << below(4);

	if (chance(50))
		rig_out(rig, rig->regs + offset, interesting(), size);
	else
		rig_in(rig, rig->regs + offset, size);
}

static void random_config(struct rig *rig)
{
	for (unsigned int i = 0; i < 20; i++) {
		unsigned int reg = below(0x110), size = 1u << below(3);

		if (chance(60))
			rig_cfg_out(rig, reg, interesting(), size);
		else
			rig_cfg(rig, reg, size);
	}
}

static void negotiate(struct rig *rig)
{
	uint64_t offered = rig_offered(rig);

	rig_negotiate(rig, chance(70) ? offered : offered & rnd());
}

static bool rig_is_vsock(struct rig *rig)
{
	return rig_cfg(rig, PCI_DEVICE_ID, 2) == 0x1040 + VIRTIO_ID_VSOCK;
}

static bool rig_is_mem(struct rig *rig)
{
	return rig_cfg(rig, PCI_DEVICE_ID, 2) == 0x1040 + VIRTIO_ID_MEM;
}

static void hostile_round(struct rig *rig)
{
	struct rig_vq vq[QUEUES];

	negotiate(rig);
	for (unsigned int i = 0; i < QUEUES; i++)
		rig_queue(rig, &vq[i], i, 1u << below(6),
			  RING0 + RING_STEP * i);
	if (chance(90))
		rig_driver_ok(rig);
	for (unsigned int n = 1 + below(8); n; n--) {
		scramble_memory(rig);
		scramble_scsi(rig);
		scramble_gpu(rig);
		scramble_vsock(rig);
		scramble_mem(rig);
		if (rig_is_vsock(rig) && chance(90)) {
			for (unsigned int k = below(8); k; k--)
				vsock_chain(&vq[1], rnd() & 63);
			vsock_rx(&vq[0], rnd() & 63);
		} else if (rig_is_mem(rig) && chance(90)) {
			for (unsigned int k = below(8); k; k--)
				mem_chain(&vq[0], 2 * (rnd() & 31));
		} else if (chance(40)) {
			scsi_chain(&vq[2 + below(2)], rnd() & 63);
		} else if (chance(40)) {
			gpu_chain(&vq[below(2)], rnd() & 63);
		} else {
			scramble_queue(&vq[below(QUEUES)]);
		}
		if (chance(30))
			random_register(rig);
		if (chance(40))
			rig_settle(rig);
	}
	if (chance(10))
		random_config(rig);
	if (chance(10)) {
		pci_bus_reset(rig->m.pci);
		rig_settle(rig);
	}
}

/* The entropy device still serves those who keep the rules. */
static void honest_round(struct rig *rig)
{
	struct rig_vq vq;

	pci_bus_reset(rig->m.pci);
	rig_probe(rig, 1);
	rig_negotiate(rig, 0);
	rig_queue(rig, &vq, 0, 8, RING0);
	rig_driver_ok(rig);
	rig_desc(&vq, 0, 0x100000, 32, VRING_DESC_F_WRITE, 0);
	rig_offer(&vq, 0);
	assert(rig_take(&vq).len == 32);
}

/* Devices, in slot order */

/* Where programs of the host connect: an address without a name in a folder. */
static struct sockaddr_un vsock_addr = { .sun_family = AF_UNIX };
static socklen_t vsock_addr_len = sizeof(sa_family_t);

static void add_vsock(struct rig *rig)
{
	struct spec_vsock spec = { .id = "vsock0", .cid = CID, .vhost_fd = -1 };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
	struct error err = { 0 };

	assert(!bind(fd, (struct sockaddr *)&vsock_addr, vsock_addr_len));
	vsock_addr_len = sizeof(vsock_addr);
	assert(!getsockname(fd, (struct sockaddr *)&vsock_addr,
			    &vsock_addr_len));
	assert(!listen(fd, 8));
	spec.listen_fd = fd;
	assert(!virtio_vsock_add(&rig->m, &spec, &err));
}

/* Clients that keep the rules, or not. */
static void vsock_client(void)
{
	static int fds[4] = { -1, -1, -1, -1 };
	static const char *const lines[] = { "CONNECT 1\n", "CONNECT 2\nxyz",
					     "CONNECT x\n", "CONN",
					     "CONNECT 4294967295\n",
					     "no end of a line in this one, no" };
	int *fd = &fds[below(ARRAY_SIZE(fds))];
	const char *line = lines[below(ARRAY_SIZE(lines))];
	char buf[512];

	if (*fd >= 0 && chance(50)) {
		while (recv(*fd, buf, sizeof(buf), 0) > 0)
			;
		send(*fd, buf, below(sizeof(buf)), MSG_NOSIGNAL);
		return;
	}
	fd_close(*fd);
	*fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
	if (connect(*fd, (struct sockaddr *)&vsock_addr, vsock_addr_len) == 0)
		send(*fd, line, strlen(line), MSG_NOSIGNAL);
}

/*
 * A vhost-user program that answers and does nothing, on a thread of its own;
 * now and then it says no.
 */
static void *vhost_user_program(void *arg)
{
	int fd = (int)(intptr_t)arg, calls = 0;
	uint32_t h[3], payload[64];

	while (recv(fd, h, sizeof(h), MSG_WAITALL) == sizeof(h)) {
		uint32_t n = 8;

		assert(h[2] <= sizeof(payload));
		memset(payload, 0, sizeof(payload));
		if (h[2] && recv(fd, payload, h[2], MSG_WAITALL) != h[2])
			break;
		if (h[0] != 11) /* GET_VRING_BASE returns what was there */
			memset(payload, 0, sizeof(payload));
		if (h[0] == 1) /* GET_FEATURES */
			payload[0] = 1u << 30, payload[1] = 1;
		else if (h[0] == 15) /* GET_PROTOCOL_FEATURES: with replies */
			payload[0] = 1u << 3;
		else if (h[0] != 11 && !(h[1] & 8))
			continue;
		else if (++calls % 97 == 0)
			payload[0] = 1;
		h[1] = 5;
		h[2] = n;
		send(fd, h, sizeof(h), MSG_NOSIGNAL);
		send(fd, payload, n, MSG_NOSIGNAL);
	}
	close(fd);
	return NULL;
}

static void add_vhost_user(struct rig *rig)
{
	struct spec_fs spec = { .id = "fs0", .tag = "tag" };
	struct error err = { 0 };
	pthread_t thread;
	int pair[2];

	assert(!socketpair(AF_UNIX, SOCK_STREAM, 0, pair));
	assert(!pthread_create(&thread, NULL, vhost_user_program,
			       (void *)(intptr_t)pair[1]));
	pthread_detach(thread);
	spec.fd = pair[0];
	assert(!vhost_user_fs_add(&rig->m, &spec, &err));
}

static unsigned int add_devices(struct rig *rig, int *ret_peer)
{
	struct spec_disk disk = { .id = "disk0", .format = "raw",
				  .discard = true, .serial = "serial" };
	struct spec_nic nic = { .id = "net0", .mac = { 2 }, .rom_fd = -1 };
	struct spec_char chr[2] = {
		{ .id = "console0", .kind = CHARDEV_FD, .log_fd = -1 },
		{ .id = "channel0", .kind = CHARDEV_NULL, .fd = -1,
		  .log_fd = -1, .port_name = "org.example.0", .index = 2 },
	};
	const struct vmm_spec ports = { .n_consoles = 2, .consoles = chr };
	struct spec_controller scsi = { .id = "scsi0", .bus = SPEC_SCSI,
					.queues = 2 };
	struct spec_disk sd = { .id = "disk1", .format = "raw",
				.bus = SPEC_SCSI, .discard = true };
	struct spec_disk cd = { .id = "cd0", .format = "raw", .unit = 1,
				.bus = SPEC_SCSI, .kind = SPEC_CDROM };
	const struct vmm_spec balloon = { .balloon_deflate = true,
					  .balloon_reporting = true };
	const struct spec_video video = { .id = "video0", .width = 640,
					  .height = 480, .rom_fd = -1 };
	static const struct spec_memory memory = {
		.id = "mem0", .kind = MEMORY_VIRTIO, .base = RIG_HOT,
		.size = 64 * MIB, .block = 2 * MIB, .requested = 48 * MIB,
		.fd = -1,
	};
	static struct spec_memory file = {
		.id = "pmem0", .kind = MEMORY_PERSISTENT,
		.base = RIG_HOT + 64 * MIB, .size = 2 * MIB,
	};
	const struct spec_disk *units[] = { &sd, &cd };
	struct error err = { 0 };
	struct spec_fd more;
	int pair[2], taps[2];

	assert(!socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair));
	*ret_peer = pair[0];
	chr[0].fd = pair[1];
	disk.fd = rig_image(MIB);
	assert(!rig_add_rng(rig, &err));
	assert(!virtio_blk_add(&rig->m, &disk, 2, &err));
	close(disk.fd);
	assert(!virtio_console_add(&rig->m, &ports, &err));
	assert(!virtio_balloon_add(&rig->m, &balloon, &err));
	sd.fd = rig_image(MIB);
	cd.fd = rig_image(MIB);
	assert(!virtio_scsi_add(&rig->m, &scsi, units, 2, &err));
	close(sd.fd);
	close(cd.fd);
	add_vsock(rig);
	add_vhost_user(rig);
	rig->m.display = display_create();
	assert(!virtio_gpu_add(&rig->m, &video, 0, &err));
	assert(!virtio_mem_add(&rig->m, &memory, &err));
	file.fd = rig_image(MIB);
	assert(!virtio_pmem_add(&rig->m, &file, &err));
	if (rig_taps(taps, 2) < 0)
		return 10;
	nic.fd = taps[0];
	more.fd = taps[1];
	nic.more = &more;
	nic.n_more = 1;
	assert(!virtio_net_add(&rig->m, &nic, &err));
	return 11;
}

static void look(struct rig *rig)
{
	display_lock(rig->m.display);
	display_draw(rig->m.display);
	if (chance(10))
		display_wish(rig->m.display, below(5000), below(5000));
	display_unlock(rig->m.display);
}

static void talk(int peer)
{
	char buf[4096];

	while (read(peer, buf, sizeof(buf)) > 0)
		;
	if (chance(50) && write(peer, buf, below(300)) < 0)
		return;
}

int main(int argc, char **argv)
{
	unsigned int rounds = argc > 1 ? atoi(argv[1]) : 300, devices;
	struct rig rig;
	int peer;

	random_arg(argc, argv, 2);
	rig_init(&rig);
	devices = add_devices(&rig, &peer);
	for (unsigned int i = 0; i < rounds; i++) {
		pci_bus_reset(rig.m.pci);
		rig_probe(&rig, 1 + below(devices));
		hostile_round(&rig);
		talk(peer);
		look(&rig);
		vsock_client();
		if (i % 50 == 49)
			honest_round(&rig);
	}
	honest_round(&rig);
	rig_finish(&rig);
	display_destroy(rig.m.display);
	printf("%u rounds, %u devices\n", rounds, devices);
	return 0;
}
