/*
 * tests/unit/vmm/everything.c -- see everything.h.
 */
#undef NDEBUG
#include "tests/unit/vmm/everything.h"

#include <assert.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/util.h"
#include "vmm/spec.h"

static struct spec_char *chars(const char *id, unsigned int n)
{
	struct spec_char *c = xcalloc(n, sizeof(*c));

	for (unsigned int i = 0; i < n; i++)
		c[i] = (struct spec_char){ .id = xstrdup(id),
					   .kind = CHARDEV_NULL,
					   .fd = -1,
					   .log_fd = -1,
					   .index = i };
	return c;
}

/* One on each kind of controller, and two CD-ROM drives. */
static void add_disks(struct vmm_spec *spec)
{
	static const struct spec_disk kinds[] = {
		{ .bus = SPEC_VIRTIO },
		{ .bus = SPEC_SATA },
		{ .bus = SPEC_SATA, .kind = SPEC_CDROM, .unit = 1 },
		{ .bus = SPEC_SCSI },
		{ .bus = SPEC_SCSI, .kind = SPEC_CDROM, .unit = 1 },
		{ .bus = SPEC_NVME },
	};

	spec->n_disks = ARRAY_SIZE(kinds);
	spec->disks = xcalloc(spec->n_disks, sizeof(*spec->disks));
	for (unsigned int i = 0; i < spec->n_disks; i++) {
		spec->disks[i] = kinds[i];
		spec->disks[i].id = xstrdup("disk");
		spec->disks[i].format = xstrdup("raw");
		spec->disks[i].fd = memfd_create("disk", 0);
		assert(ftruncate(spec->disks[i].fd, MIB) == 0);
	}
	spec->n_controllers = SPEC_NVME;
	spec->controllers = xcalloc(SPEC_NVME, sizeof(*spec->controllers));
	for (unsigned int i = 0; i < spec->n_controllers; i++)
		spec->controllers[i] = (struct spec_controller){
			.id = xstrdup("controller"),
			.bus = SPEC_SATA + i,
		};
}

static void add_vsock(struct vmm_spec *spec)
{
	spec->n_vsocks = 1;
	spec->vsocks = xcalloc(1, sizeof(*spec->vsocks));
	spec->vsocks[0] = (struct spec_vsock){
		.id = xstrdup("vsock0"),
		.cid = 3,
		.vhost_fd = -1,
		.listen_fd = socket(AF_UNIX, SOCK_STREAM, 0),
	};
}

void everything_add(struct vmm_spec *spec)
{
	spec->serials = chars("serial", 2);
	spec->n_serials = 2;
	spec->consoles = chars("console", 2);
	spec->n_consoles = 2;
	spec->balloon = spec->test_device = true;
	vmm_spec_add_rng(spec);
	spec->watchdog = spec->pvpanic_pci = true;
	spec->hpet = spec->has_genid = true;
	spec->videos = xcalloc(1, sizeof(*spec->videos));
	spec->videos[0] = (struct spec_video){
		.id = xstrdup("video0"), .kind = VIDEO_VIRTIO, .rom_fd = -1,
		.width = 640, .height = 480, .vram = MIB,
	};
	spec->n_videos = 1;
	add_disks(spec);
	add_vsock(spec);
}
