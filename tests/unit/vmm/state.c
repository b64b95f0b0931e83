/*
 * tests/unit/vmm/state.c -- saved state: the format between versions of a
 * device, what is refused and how it is named, and a whole machine's.
 */
#include "tests/unit/vmm/fake.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>

#include "base/buf.h"
#include "base/error.h"
#include "vmm/state.h"

struct part {
	uint16_t a;
	bool on;
};

struct thing {
	uint8_t small;
	uint32_t wide;
	uint8_t bytes[5];
	unsigned int n_list;
	uint16_t list[4];
	unsigned int n_parts;
	struct part *parts;
	uint64_t later;
	unsigned int loaded, restored;
};

static const struct state_field part_fields[] = {
	STATE(struct part, a),
	STATE_BOOL(struct part, on),
	STATE_END,
};

#define FIELDS_1                                                    \
	STATE_MAX(struct thing, small, 10), STATE(struct thing, wide), \
		STATE_RAW(struct thing, bytes),                     \
		{ .name = "list",                                   \
		  .kind = STATE_INT,                                \
		  .offset = offsetof(struct thing, list),           \
		  .size = 2,                                        \
		  .count = 4,                                       \
		  .counter = offsetof(struct thing, n_list) },      \
		STATE_STRUCTS_AT(struct thing, parts, n_parts, 8,   \
				 part_fields)

static const struct state_field fields_1[] = { FIELDS_1, STATE_END };
static const struct state_field fields_2[] = {
	FIELDS_1,
	STATE_SINCE(2, struct thing, later),
	STATE_END,
};
static const struct state_field fields_hint[] = {
	FIELDS_1,
	{ .name = "hint",
	  .kind = STATE_INT,
	  .optional = true,
	  .offset = offsetof(struct thing, later),
	  .size = 8,
	  .count = 1 },
	STATE_END,
};

static int thing_loaded(void *obj, unsigned int version, struct error *err)
{
	struct thing *t = obj;

	t->loaded = version;
	return t->wide == 666 ? -EINVAL : 0;
}

static void thing_restored(void *obj)
{
	((struct thing *)obj)->restored++;
}

static struct state_type thing_type(unsigned int version,
				    const struct state_field *fields)
{
	return (struct state_type){
		.name = "thing",
		.version = version,
		.fields = fields,
		.loaded = thing_loaded,
		.restored = thing_restored,
	};
}

static void saved(const struct state_type *type, struct thing *t,
		  struct buf *b)
{
	struct state_set set = { 0 };

	state_add(&set, type, "x", t);
	state_write(&set, b);
	state_finish(&set);
}

static int load(const struct state_type *type, struct thing *t,
		const struct buf *b, size_t len, struct error *err)
{
	struct state_set set = { 0 };
	int r;

	*err = (struct error){ 0 };
	state_add(&set, type, "x", t);
	r = state_read(&set, b->data, len, err);
	state_finish(&set);
	return r;
}

static void refused(const struct state_type *type, struct thing *t,
		    const struct buf *b, const char *why)
{
	struct error err;

	assert(load(type, t, b, b->len, &err) < 0);
	if (!strstr(err.message, why))
		fprintf(stderr, "'%s' is not in: %s\n", why, err.message);
	assert(strstr(err.message, why));
}

static void test_versions(void)
{
	const struct state_type v1 = thing_type(1, fields_1);
	const struct state_type v2 = thing_type(2, fields_2);
	const struct state_type also_v2 = thing_type(2, fields_1);
	const struct state_type hint = thing_type(1, fields_hint);
	struct part parts[2] = { { 7, true }, { 8, false } }, other[2];
	struct thing t = { .small = 3, .wide = 0x12345678, .bytes = "abcd",
			   .n_list = 2, .list = { 5, 6 }, .n_parts = 2,
			   .parts = parts, .later = 99 };
	struct thing u = { .n_parts = 2, .parts = other, .later = 5 };
	struct buf one = { 0 }, two = { 0 }, three = { 0 };
	struct error err;

	saved(&v1, &t, &one);
	saved(&v2, &t, &two);
	saved(&hint, &t, &three);

	/* The new reads the old; what was not there stays. */
	assert(load(&v2, &u, &one, one.len, &err) == 0);
	assert(u.small == 3 && u.wide == 0x12345678 && u.n_list == 2);
	assert(!memcmp(u.bytes, "abcd", 5) && u.list[1] == 6);
	assert(other[0].a == 7 && other[0].on && other[1].a == 8);
	assert(u.later == 5 && u.loaded == 1 && u.restored == 1);
	assert(load(&v2, &u, &two, two.len, &err) == 0 && u.later == 99);

	/* The old refuses the new, and what it does not know by name unless
	 * it may be left out. */
	refused(&v1, &u, &two, "(x) was saved by a later version");
	refused(&also_v2, &u, &two, "'later' is not known");
	u.later = 5;
	assert(load(&v1, &u, &three, three.len, &err) == 0 && u.later == 5);

	/* Every cut is noticed. */
	for (size_t len = 0; len < two.len; len++)
		assert(load(&v2, &u, &two, len, &err) < 0 && err.message[0]);

	buf_free(&one);
	buf_free(&two);
	buf_free(&three);
}

static void test_refusals(void)
{
	const struct state_type v1 = thing_type(1, fields_1);
	struct part parts[3] = { 0 };
	struct thing t = { .small = 11, .n_parts = 2, .parts = parts };
	struct thing u = t;
	struct buf b = { 0 };

	saved(&v1, &t, &b);
	refused(&v1, &u, &b, "'small' is out of range");
	buf_free(&b);

	t.small = 0;
	t.n_list = 4;
	saved(&v1, &t, &b);
	u.n_parts = 3; /* this machine has one more */
	refused(&v1, &u, &b, "'parts' has another number");
	buf_free(&b);

	u.n_parts = 2;
	t.wide = 666;
	saved(&v1, &t, &b);
	refused(&v1, &u, &b, "makes no sense");
	buf_free(&b);
}

/* Of what the machine may have got more of since. */
static void test_fewer(void)
{
	static const struct state_field fields[] = {
		STATE_STRUCTS_UP_TO(struct thing, parts, n_parts, 3,
				    part_fields),
		STATE_END,
	};
	const struct state_type type = thing_type(1, fields);
	struct part parts[3] = { { 7, true }, { 8, false }, { 9, false } };
	struct part other[3] = { 0 };
	struct thing t = { .n_parts = 2, .parts = parts };
	struct thing u = { .n_parts = 3, .parts = other };
	struct buf b = { 0 };
	struct error err;

	saved(&type, &t, &b);
	assert(load(&type, &u, &b, b.len, &err) == 0);
	assert(u.n_parts == 2 && other[1].a == 8);
	u.n_parts = 1;
	refused(&type, &u, &b, "'parts' has another number");
	buf_free(&b);
}

/* Integers may grow and shrink between versions, if the value fits. */
static void test_width(void)
{
	static const struct state_field narrow[] = {
		{ .name = "v", .kind = STATE_INT, .size = 1, .count = 1 },
		STATE_END,
	};
	static const struct state_field wide[] = {
		{ .name = "v", .kind = STATE_INT, .size = 8, .count = 1 },
		STATE_END,
	};
	const struct state_type small = { "t", 1, narrow, 0, 0, 0 };
	const struct state_type large = { "t", 1, wide, 0, 0, 0 };
	struct state_set set = { 0 };
	uint64_t value = 200, back = 0;
	uint8_t byte = 0;
	struct error err = { 0 };
	struct buf b = { 0 };

	state_add(&set, &large, NULL, &value);
	state_write(&set, &b);
	state_finish(&set);
	state_add(&set, &small, NULL, &byte);
	assert(state_read(&set, b.data, b.len, &err) == 0 && byte == 200);
	state_finish(&set);
	state_add(&set, &large, NULL, &back);
	assert(state_read(&set, b.data, b.len, &err) == 0 && back == 200);
	state_finish(&set);
	buf_free(&b);
	value = 256;
	state_add(&set, &large, NULL, &value);
	state_write(&set, &b);
	state_finish(&set);
	state_add(&set, &small, NULL, &byte);
	assert(state_read(&set, b.data, b.len, &err) == -EINVAL);
	state_finish(&set);
	buf_free(&b);
}

/* What has come to a machine since it was saved, where it may. */
static void test_lack(void)
{
	static const struct state_field none[] = { STATE_END };
	const struct state_type old = { .name = "old", .fields = none };
	struct state_type come = { .name = "come", .fields = none };
	struct state_set set = { 0 };
	struct error err = { 0 };
	struct buf b = { 0 };
	int obj = 0;

	state_add(&set, &old, NULL, &obj);
	state_write(&set, &b);
	state_add(&set, &come, NULL, &obj);
	assert(state_read(&set, b.data, b.len, &err) == -EINVAL);
	state_finish(&set);
	come.may_lack = true;
	state_add(&set, &old, NULL, &obj);
	state_add(&set, &come, NULL, &obj);
	assert(state_read(&set, b.data, b.len, &err) == 0);
	state_finish(&set);
	buf_free(&b);
}

/* ---- a machine ---- */

static void machine_init(struct fake *f)
{
	fake_init(f);
	f->spec.n_serials = 1;
	f->spec.serials = xcalloc(1, sizeof(*f->spec.serials));
	f->spec.serials[0] = (struct spec_char){
		.id = xstrdup("serial0"), .kind = CHARDEV_NULL,
		.fd = -1, .log_fd = -1,
	};
	f->spec.balloon = true;
	vmm_spec_add_rng(&f->spec);
	fake_start(f);
}

static void test_machine(void)
{
	struct buf a = { 0 }, b = { 0 };
	struct error err = { 0 };
	struct fake f, g;

	machine_init(&f);
	machine_init(&g);
	port_out(f.m, 0x3f8 + 7, 0x5a); /* UART's scratch register */
	port_out(f.m, 0x3f8 + 3, 0x80);
	port_out(f.m, 0x3f8, 0x0c);
	port_out(f.m, 0x70, 0x40); /* CMOS memory */
	port_out(f.m, 0x71, 0x77);
	port_out(f.m, 0x20, 0x11); /* the PIC, half initialised */
	port_out(f.m, 0x21, 0x30);
	mmio_out(f.m, IOAPIC_BASE, 0x12);
	mmio_out(f.m, IOAPIC_BASE + 0x10, 0x0234);
	mmio_out(f.m, ECAM_BASE + (1 << 15) + 4, 6); /* memory, bus master */

	assert(machine_get_state(f.m, &a, &err) == 0);
	assert(machine_set_state(g.m, a.data, a.len, &err) == 0);
	assert(machine_get_state(g.m, &b, &err) == 0);
	assert(a.len == b.len && !memcmp(a.data, b.data, a.len));

	assert(port_in(g.m, 0x3f8 + 7) == 0x5a);
	assert(port_in(g.m, 0x3f8) == 0x0c);
	assert(port_in(g.m, 0x71) == 0x77);
	assert(mmio_in(g.m, IOAPIC_BASE + 0x10) == 0x0234);
	port_out(g.m, 0x21, 0x04); /* the PIC wants ICW3, ICW4, then a mask */
	port_out(g.m, 0x21, 0x01);
	port_out(g.m, 0x21, 0x99);
	assert(port_in(g.m, 0x21) == 0x99);
	assert((mmio_in(g.m, ECAM_BASE + (1 << 15) + 4) & 6) == 6);
	assert(machine_run(g.m) == 0);
	assert(machine_get_state(g.m, &b, &err) == -EBUSY);
	machine_pause(g.m);

	buf_free(&a);
	buf_free(&b);
	fake_finish(&f);
	fake_finish(&g);
}

/* A machine with other devices refuses the state and names the device. */
static void test_other_machine(void)
{
	struct buf a = { 0 };
	struct error err = { 0 };
	struct fake f, g;

	machine_init(&f);
	fake_init(&g);
	vmm_spec_add_rng(&g.spec);
	fake_start(&g);
	assert(machine_get_state(f.m, &a, &err) == 0);
	assert(machine_set_state(g.m, a.data, a.len, &err) < 0);
	assert(strstr(err.message, "serial"));
	assert(machine_run(g.m) == -EINVAL);
	buf_free(&a);
	fake_finish(&f);
	fake_finish(&g);
}

int main(void)
{
	test_versions();
	test_fewer();
	test_refusals();
	test_width();
	test_lack();
	test_machine();
	test_other_machine();
	return 0;
}
