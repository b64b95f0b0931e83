/*
 * tests/fuzz/state.c -- bytes as the saved state of a machine.
 *
 *	state [ROUNDS [SEED]]
 *
 * Takes a real machine's state with random changes, or all random; what is
 * accepted must leave a machine that can be used and saved again.  For
 * libFuzzer: clang -fsanitize=fuzzer,address -DLIBFUZZER.
 */
#include "tests/unit/vmm/fake.h"

#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/error.h"
#include "tests/fuzz/random.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

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

static void machine_init(struct fake *f)
{
	fake_init(f);
	f->spec.serials = chars("serial", 2);
	f->spec.n_serials = 2;
	f->spec.consoles = chars("console", 2);
	f->spec.n_consoles = 2;
	f->spec.balloon = f->spec.test_device = true;
	vmm_spec_add_rng(&f->spec);
	f->spec.watchdog = f->spec.pvpanic_pci = true;
	f->spec.hpet = f->spec.has_genid = true;
	f->spec.videos = xcalloc(1, sizeof(*f->spec.videos));
	f->spec.videos[0] = (struct spec_video){
		.id = xstrdup("video0"), .kind = VIDEO_VIRTIO, .rom_fd = -1,
		.width = 640, .height = 480, .vram = MIB,
	};
	f->spec.n_videos = 1;
	add_disks(&f->spec);
	add_vsock(&f->spec);
	fake_start(f);
}

/* A guest that looks at everything. */
static void poke(struct machine *m)
{
	for (unsigned int port = 0; port < 0x400; port++)
		port_in(m, port);
	for (unsigned int slot = 0; slot < 8; slot++) {
		for (unsigned int reg = 0; reg < 256; reg += 4)
			mmio_in(m, ECAM_BASE + (slot << 15) + reg);
	}
	for (uint64_t at = MMIO32_BASE; at < MMIO32_BASE + MIB; at += 64)
		mmio_in(m, at);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct error err = { 0 };
	struct buf b = { 0 };
	struct fake f;

	machine_init(&f);
	if (machine_set_state(f.m, data, size, &err) == 0) {
		assert(machine_run(f.m) == 0);
		poke(f.m);
		machine_pause(f.m);
		assert(machine_get_state(f.m, &b, &err) == 0);
	} else {
		assert(err.message[0]);
	}
	buf_free(&b);
	fake_finish(&f);
	return 0;
}

#ifndef LIBFUZZER
static void one_round(const struct buf *good)
{
	uint8_t *data = xmalloc(good->len);
	size_t len = good->len;

	memcpy(data, good->data, len);
	for (uint64_t n = below(4); n; n--)
		data[below(len)] = below(2) ? below(256) : below(3) * 127;
	if (!below(16))
		len = below(len);
	LLVMFuzzerTestOneInput(data, len);
	free(data);
}

int main(int argc, char **argv)
{
	unsigned long rounds = argc > 1 ? strtoul(argv[1], NULL, 0) : 300;
	struct error err = { 0 };
	struct buf good = { 0 };
	struct fake f;

	random_arg(argc, argv, 2);
	machine_init(&f);
	assert(machine_get_state(f.m, &good, &err) == 0);
	fake_finish(&f);
	for (; rounds; rounds--)
		one_round(&good);
	buf_free(&good);
	return 0;
}
#endif
