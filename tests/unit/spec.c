/*
 * tests/unit/spec.c -- a machine description survives the way through JSON,
 * and damaged ones are refused without leaking a descriptor.
 */
#include <errno.h>
#include <fcntl.h>
#include <json-c/json.h>
#include <string.h>

#include "base/error.h"
#include "base/util.h"
#include "vmm/spec.h"

static int null_fd(void)
{
	int fd = open("/dev/null", O_RDWR | O_CLOEXEC);

	assert(fd >= 0);
	return fd;
}

static int open_fds(void)
{
	int n = 0;

	for (int fd = 0; fd < 256; fd++)
		n += fcntl(fd, F_GETFD) >= 0;
	return n;
}

static void fill(struct vmm_spec *s)
{
	vmm_spec_init(s);
	s->name = xstrdup("a \"name\" \xc3\xa4");
	memset(s->uuid, 0xa5, sizeof(s->uuid));
	s->engine = xstrdup("emu:interp");
	s->machine = xstrdup("microvm");
	s->memory = 1ull << 40;
	s->vcpus = 2;
	s->max_vcpus = 4;
	s->cmdline = xstrdup("console=ttyS0");
	s->kernel_fd = null_fd();
	s->on_reboot = SPEC_RESTART;
	s->on_crash = SPEC_PRESERVE;
	s->clock_offset = -3600;
	s->n_cpu_features = 1;
	s->cpu_features = xcalloc(1, sizeof(*s->cpu_features));
	s->cpu_features[0].name = xstrdup("avx2");
	s->n_disks = 2;
	s->disks = xcalloc(2, sizeof(*s->disks));
	for (int i = 0; i < 2; i++) {
		s->disks[i].id = xasprintf("virtio-disk%d", i);
		s->disks[i].format = xstrdup("raw");
		s->disks[i].fd = null_fd();
		s->disks[i].cache = CACHE_UNSAFE;
		s->disks[i].pci.slot = 3 + i;
	}
	s->n_nics = 1;
	s->nics = xcalloc(1, sizeof(*s->nics));
	s->nics[0].id = xstrdup("net0");
	s->nics[0].fd = null_fd();
	s->nics[0].more = xcalloc(1, sizeof(*s->nics[0].more));
	s->nics[0].more[s->nics[0].n_more++].fd = null_fd();
	s->nics[0].rom_fd = -1;
	memcpy(s->nics[0].mac, "\x52\x54\x00\x00\x10\xff", 6);
	s->n_consoles = 1;
	s->consoles = xcalloc(1, sizeof(*s->consoles));
	s->consoles[0].id = xstrdup("channel0");
	s->consoles[0].kind = CHARDEV_SOCKET;
	s->consoles[0].fd = null_fd();
	s->consoles[0].log_fd = -1;
	s->consoles[0].port_name = xstrdup("org.example.0");
	s->n_vsocks = 1;
	s->vsocks = xcalloc(1, sizeof(*s->vsocks));
	s->vsocks[0] = (struct spec_vsock){ .id = xstrdup("vsock0"),
					    .cid = 4294967294,
					    .vhost_fd = -1,
					    .listen_fd = null_fd() };
	vmm_spec_add_rng(s);
}

/* As the ancillary data would: the reader gets its own descriptors. */
static int read_back(const char *text, const int *fds, unsigned int n,
		     struct vmm_spec *ret, struct error *err)
{
	struct json_object *json = json_tokener_parse(text);
	int copies[16];
	int r;

	assert(json && n <= ARRAY_SIZE(copies));
	for (unsigned int i = 0; i < n; i++)
		copies[i] = fcntl(fds[i], F_DUPFD_CLOEXEC, 3);
	r = vmm_spec_from_json(json, copies, n, ret, err);
	json_object_put(json);
	return r;
}

static void round_trip(void)
{
	struct vmm_spec a, b;
	struct error err = { 0 };
	unsigned int n = 0, n2 = 0;
	int fds[16], fds2[16];
	char *text, *text2;

	fill(&a);
	text = vmm_spec_to_json(&a, fds, ARRAY_SIZE(fds), &n, &err);
	assert(text && n == 7);
	assert(fds[0] == a.kernel_fd);
	assert(read_back(text, fds, n, &b, &err) == 0);
	assert(str_eq(a.name, b.name) && b.memory == 1ull << 40);
	assert(b.clock_offset == -3600 && b.on_crash == SPEC_PRESERVE);
	assert(b.disks[1].fd >= 0 && b.disks[1].fd != a.disks[1].fd);
	assert(b.firmware_fd == -1 && b.consoles[0].log_fd == -1);
	assert(!memcmp(a.nics[0].mac, b.nics[0].mac, 6));
	text2 = vmm_spec_to_json(&b, fds2, ARRAY_SIZE(fds2), &n2, &err);
	assert(str_eq(text, text2) && n == n2);

	assert(!vmm_spec_to_json(&a, fds, 3, &n, &err));
	assert(err.errnum == -E2BIG);
	free(text);
	free(text2);
	vmm_spec_finish(&a);
	vmm_spec_finish(&b);
}

#define GOOD \
	"\"name\":\"n\",\"uuid\":\"00112233445566778899aabbccddeeff\"," \
	"\"engine\":\"emu\",\"machine\":\"microvm\",\"memory\":4096,\"vcpus\":1"

static const char *const bad[] = {
	"[]",
	"{}",
	"{" GOOD ",\"bogus\":1}",
	"{" GOOD ",\"memory\":4097}",
	"{" GOOD ",\"memory\":0}",
	"{" GOOD ",\"memory\":-4096}",
	"{" GOOD ",\"memory\":99999999999999999999}",
	"{" GOOD ",\"memory\":\"4096\"}",
	"{" GOOD ",\"vcpus\":0}",
	"{" GOOD ",\"vcpus\":1000}",
	"{" GOOD ",\"vcpus\":3,\"max_vcpus\":2}",
	"{" GOOD ",\"uuid\":\"00\"}",
	"{" GOOD ",\"uuid\":\"zz112233445566778899aabbccddeeff\"}",
	"{" GOOD ",\"name\":\"a\\u0000b\"}",
	"{" GOOD ",\"on_reboot\":\"explode\"}",
	"{" GOOD ",\"kernel_fd\":1}",
	"{" GOOD ",\"kernel_fd\":-1}",
	"{" GOOD ",\"kernel_fd\":0,\"initrd_fd\":0}",
	"{" GOOD ",\"kernel_fd\":0,\"disks\":{}}",
	"{" GOOD ",\"kernel_fd\":0,\"disks\":[{}]}",
	"{" GOOD ",\"kernel_fd\":0,\"disks\":[7]}",
	"{" GOOD ",\"balloon\":1,\"kernel_fd\":0}",
	"{" GOOD "}", /* its descriptor is unused */
};

static void refusals(void)
{
	int fd = null_fd();
	int before = open_fds();

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		struct error err = { 0 };
		struct vmm_spec spec;

		assert(read_back(bad[i], &fd, 1, &spec, &err) < 0);
		assert(err.message[0]);
		assert(!spec.name && spec.kernel_fd == -1);
		assert(open_fds() == before);
	}
	fd_close(fd);
}

int main(void)
{
	int before = open_fds();

	round_trip();
	refusals();
	assert(open_fds() == before);
	return 0;
}
