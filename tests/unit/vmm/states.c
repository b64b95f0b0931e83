/*
 * tests/unit/vmm/states.c -- what earlier versions saved is restored by this
 * one, and what later ones will save is refused by a sentence.
 *
 *	states [--write DIR NAME]
 *
 * states/MACHINE.NAME.gz is the devices' and vCPUs' state of a machine with
 * everything (everything.h); states/README tells which version wrote which.
 * Whoever raises a device's version adds one that was written before.
 */
#include "tests/unit/vmm/fake.h"

#include <dirent.h>
#include <string.h>
#include <zlib.h>

#include "base/buf.h"
#include "base/error.h"
#include "tests/unit/vmm/everything.h"

enum { FIRMWARE_SIZE = 64 * KIB, STATE_MAX = 1 << 20 };

/* By what their files begin with. */
static void machine_init(struct fake *f, const char *name)
{
	static const uint8_t firmware[FIRMWARE_SIZE];

	if (strncmp(name, "q35", 3) == 0)
		fake_init_q35(f, fake_file(firmware, sizeof(firmware)), -1);
	else
		fake_init(f);
	everything_add(&f->spec);
	f->spec.console_ports = 8;
	fake_start(f);
}

static void get(struct machine *m, struct buf *b)
{
	struct error err = { 0 };

	if (machine_get_state(m, b, &err) < 0)
		fprintf(stderr, "%s\n", err.message);
	assert(b->len);
}

static void set(struct machine *m, const struct buf *b)
{
	struct error err = { 0 };
	int r = machine_set_state(m, b->data, b->len, &err);

	if (r < 0)
		fprintf(stderr, "%s\n", err.message);
	assert(r == 0);
}

/* Also a machine that was restored is saved and restored. */
static void restores(const char *name, const struct buf *old)
{
	struct buf again = { 0 };
	struct fake f;

	machine_init(&f, name);
	set(f.m, old);
	assert(machine_run(f.m) == 0);
	machine_pause(f.m);
	get(f.m, &again);
	fake_finish(&f);

	machine_init(&f, name);
	set(f.m, &again);
	fake_finish(&f);
	buf_free(&again);
}

static void read_file(const char *dir, const char *name, struct buf *b)
{
	_cleanup_free_ char *path = xasprintf("%s/%s", dir, name);
	_cleanup_free_ char *data = xmalloc(STATE_MAX);
	gzFile z = gzopen(path, "rb");
	int n;

	assert(z);
	n = gzread(z, data, STATE_MAX);
	assert(n > 0 && n < STATE_MAX);
	buf_add(b, data, n);
	gzclose(z);
}

static void test_older(void)
{
	const char *srcdir = getenv("srcdir");
	_cleanup_free_ char *dir = xasprintf("%s/tests/unit/vmm/states",
					     srcdir ? srcdir : ".");
	DIR *d = opendir(dir);
	struct dirent *e;
	unsigned int n = 0;

	assert(d);
	while ((e = readdir(d))) {
		struct buf b = { 0 };

		if (!strstr(e->d_name, ".gz"))
			continue;
		printf("%s\n", e->d_name);
		read_file(dir, e->d_name, &b);
		restores(e->d_name, &b);
		buf_free(&b);
		n++;
	}
	closedir(d);
	assert(n >= 2);
}

/* vmm/state.c: the version is behind the type's name and the item's. */
static void test_newer(void)
{
	static const char type[] = "\x0evirtio-console";
	struct error err = { 0 };
	struct buf b = { 0 };
	struct fake f;
	uint8_t *at;

	machine_init(&f, "microvm");
	get(f.m, &b);
	at = memmem(b.data, b.len, type, strlen(type));
	assert(at);
	at += strlen(type);
	at += 1 + *at;
	at[0] = 0xff;
	assert(machine_set_state(f.m, b.data, b.len, &err) < 0);
	assert(strstr(err.message, "'virtio-console'"));
	assert(strstr(err.message, "by a later version of Vireo"));
	fake_finish(&f);
	buf_free(&b);
}

static void write_one(const char *dir, const char *machine, const char *name)
{
	_cleanup_free_ char *path = xasprintf("%s/%s.%s.gz", dir, machine,
					      name);
	gzFile z = gzopen(path, "wb9");
	struct buf b = { 0 };
	struct fake f;

	assert(z);
	machine_init(&f, machine);
	get(f.m, &b);
	assert(gzwrite(z, b.data, b.len) == (int)b.len);
	assert(gzclose(z) == Z_OK);
	fake_finish(&f);
	buf_free(&b);
}

int main(int argc, char **argv)
{
	if (argc == 4 && str_eq(argv[1], "--write")) {
		write_one(argv[2], "microvm", argv[3]);
		write_one(argv[2], "q35", argv[3]);
		return 0;
	}
	test_older();
	test_newer();
	return 0;
}
