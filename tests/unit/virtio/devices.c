/*
 * tests/unit/virtio/devices.c -- block, balloon, console and entropy devices: what a
 * driver asks for and what the host then has.
 */
#include "tests/unit/virtio/rig.h"

#include <fcntl.h>
#include <linux/virtio_balloon.h>
#include <linux/virtio_blk.h>
#include <linux/virtio_console.h>
#include <string.h>
#include <sys/socket.h>

#include "vmm/spec.h"

enum { RING = 0x10000, HEAD = 0x80000, DATA = 0x90000, STATUS = 0xa0000,
       W = VRING_DESC_F_WRITE, N = VRING_DESC_F_NEXT, DISK = 64 * 1024 };

/* One request with a data segment (len 0: none); its status. */
static uint8_t request(struct rig_vq *vq, uint32_t type, uint64_t sector,
		       uint32_t len, bool in)
{
	struct virtio_blk_outhdr *h = rig_ptr(vq->rig, HEAD);
	uint8_t *status = rig_ptr(vq->rig, STATUS);

	*h = (struct virtio_blk_outhdr){ .type = type, .sector = sector };
	*status = 0xee;
	rig_desc(vq, 0, HEAD, sizeof(*h), N, len ? 1 : 2);
	rig_desc(vq, 1, DATA, len, N | (in ? W : 0), 2);
	rig_desc(vq, 2, STATUS, 1, W, 0);
	rig_offer(vq, 0);
	rig_take(vq);
	return *status;
}

static void disk(bool readonly)
{
	struct spec_disk spec = { .id = "disk0", .format = "raw",
				  .readonly = readonly, .discard = true,
				  .serial = "number 7" };
	struct virtio_blk_discard_write_zeroes *range;
	uint8_t buf[1024], *data;
	struct rig_vq vq;
	struct rig rig;

	spec.fd = rig_image(DISK);
	memset(buf, 0x11, sizeof(buf));
	assert(pwrite(spec.fd, buf, 1024, 4096) == 1024);
	rig_init(&rig);
	assert(!virtio_blk_add(&rig.m, &spec, 2, NULL));
	rig_probe(&rig, 1);
	assert(rig_in(&rig, rig.regs + 0x2000, 8) == DISK / 512);
	rig_negotiate(&rig, rig_offered(&rig));
	rig_queue(&rig, &vq, 1, 8, RING);
	rig_driver_ok(&rig);
	data = rig_ptr(&rig, DATA);
	range = (void *)data;

	assert(request(&vq, VIRTIO_BLK_T_IN, 8, 1024, true) == 0);
	assert(!memcmp(data, buf, 1024));
	memset(data, 0x22, 1024);
	assert(request(&vq, VIRTIO_BLK_T_OUT, 8, 512, false) == readonly);
	assert(request(&vq, VIRTIO_BLK_T_FLUSH, 0, 0, false) == 0);
	assert(pread(spec.fd, buf, 1024, 4096) == 1024);
	assert(buf[0] == (readonly ? 0x11 : 0x22) && buf[512] == 0x11);

	assert(request(&vq, VIRTIO_BLK_T_GET_ID, 0, 20, true) == 0);
	assert(!strcmp((char *)data, "number 7"));
	assert(request(&vq, VIRTIO_BLK_T_IN, DISK / 512, 512, true) ==
	       VIRTIO_BLK_S_IOERR);
	assert(request(&vq, VIRTIO_BLK_T_IN, ~0ull, 512, true) ==
	       VIRTIO_BLK_S_IOERR);
	assert(request(&vq, VIRTIO_BLK_T_IN, 0, 100, true) ==
	       VIRTIO_BLK_S_IOERR);
	assert(request(&vq, 77, 0, 512, true) == VIRTIO_BLK_S_UNSUPP);
	if (!readonly) {
		*range = (struct virtio_blk_discard_write_zeroes){ 8, 2, 0 };
		assert(request(&vq, VIRTIO_BLK_T_WRITE_ZEROES, 0, 16, false) ==
		       VIRTIO_BLK_S_OK);
		assert(pread(spec.fd, buf, 1024, 4096) == 1024 && !buf[0]);
		range->flags = 1;
		assert(request(&vq, VIRTIO_BLK_T_DISCARD, 0, 16, false) ==
		       VIRTIO_BLK_S_UNSUPP);
	}
	close(spec.fd);
	rig_finish(&rig);
}

static void balloon(void)
{
	const struct vmm_spec spec = { .balloon_target = RIG_RAM - MIB,
				       .balloon_deflate = true,
				       .balloon_reporting = true };
	struct rig_vq vq, stats;
	uint32_t *pfns;
	struct rig rig;
	uint8_t *page;

	rig_init(&rig);
	assert(!virtio_balloon_add(&rig.m, &spec, NULL));
	rig_probe(&rig, 1);
	assert(rig_in(&rig, rig.regs + 0x2000, 4) == MIB / 4096);
	rig_negotiate(&rig, BIT64(VIRTIO_BALLOON_F_STATS_VQ));
	rig_queue(&rig, &vq, 0, 8, RING);
	rig_queue(&rig, &stats, 2, 8, RING + 0x4000);
	rig_driver_ok(&rig);
	page = rig_ptr(&rig, 0x200000);
	memset(page, 1, 3 * 4096);
	pfns = rig_ptr(&rig, DATA);
	pfns[0] = 0x201;
	pfns[1] = 0x200;
	rig_desc(&vq, 0, DATA, 8, 0, 0);
	rig_offer(&vq, 0);
	rig_take(&vq);
	assert(!page[0] && !page[4096] && page[8192]);
	rig_out(&rig, rig.regs + 0x2004, 2, 4);
	assert(rig_in(&rig, rig.regs + 0x2004, 4) == 2);

	pfns[0] = RIG_RAM / 4096;
	rig_offer(&vq, 0);
	while (!(rig_status(&rig) & VIRTIO_CONFIG_S_NEEDS_RESET))
		rig_settle(&rig);
	rig_finish(&rig);
}

static void console(void)
{
	struct spec_char spec = { .id = "console0", .kind = CHARDEV_FD,
				  .log_fd = -1 };
	const struct vmm_spec all = { .n_consoles = 1, .consoles = &spec };
	struct rig_vq rx, tx;
	struct rig rig;
	char buf[16] = "";
	int pair[2];

	assert(!socketpair(AF_UNIX, SOCK_STREAM, 0, pair));
	spec.fd = pair[1];
	rig_init(&rig);
	assert(!virtio_console_add(&rig.m, &all, NULL));
	rig_probe(&rig, 1);
	rig_negotiate(&rig, 0); /* one port, always open */
	rig_queue(&rig, &rx, 0, 8, RING);
	rig_queue(&rig, &tx, 1, 8, RING + 0x4000);
	rig_driver_ok(&rig);
	memcpy(rig_ptr(&rig, DATA), "out", 3);
	rig_desc(&tx, 0, DATA, 3, 0, 0);
	rig_offer(&tx, 0);
	rig_take(&tx);
	assert(read(pair[0], buf, sizeof(buf)) == 3 && !memcmp(buf, "out", 3));

	/* Input waits until there is a buffer, and is not cut short. */
	assert(write(pair[0], "typed", 5) == 5);
	rig_settle(&rig);
	rig_desc(&rx, 0, DATA, 3, W, 0);
	rig_desc(&rx, 1, DATA + 3, 3, W, 0);
	rig_offer(&rx, 0);
	rig_offer(&rx, 1);
	assert(rig_take(&rx).len == 3);
	assert(rig_take(&rx).len == 2);
	assert(!memcmp(rig_ptr(&rig, DATA), "typed", 5));
	rig_finish(&rig);
	close(pair[0]);
	close(pair[1]);
}

/* Four buffers of 32 bytes for a device that may give so much in a period. */
static void entropy(struct rig *rig, struct rig_vq *vq,
		    const struct spec_rng *spec)
{
	rig_init(rig);
	assert(!virtio_rng_add(&rig->m, spec, NULL));
	rig_probe(rig, 1);
	rig_negotiate(rig, 0);
	rig_queue(rig, vq, 0, 8, RING);
	rig_driver_ok(rig);
	for (unsigned int i = 0; i < 4; i++) {
		rig_desc(vq, i, DATA + 32 * i, 32, W, 0);
		rig_offer(vq, i);
	}
}

static void entropy_rates(void)
{
	struct spec_rng slow = { .id = "rng0", .fd = -1, .max_bytes = 40,
				 .period = 1000 * 3600 };
	struct spec_rng quick = { .id = "rng0", .fd = -1, .max_bytes = 20,
				  .period = 1 };
	struct rig_vq vq;
	struct rig rig;

	/* What is left of the hour's bytes, and then nothing. */
	entropy(&rig, &vq, &slow);
	assert(rig_take(&vq).len == 32);
	assert(rig_take(&vq).len == 8);
	rig_settle(&rig);
	assert(vq.used->idx == 2);
	rig_finish(&rig);

	/* All, one period after the other. */
	entropy(&rig, &vq, &quick);
	for (unsigned int i = 0; i < 4; i++) {
		uint32_t len = rig_take(&vq).len;

		assert(len && len <= 20);
	}
	rig_finish(&rig);
}

int main(void)
{
	disk(false);
	disk(true);
	balloon();
	console();
	entropy_rates();
	return 0;
}
