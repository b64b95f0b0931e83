/*
 * tests/guest/runner.c -- runs one guest test on one engine.
 *
 *	runner ENGINE SOURCE BINARY
 *
 * The machine is 16 MiB of RAM, one vCPU and port 0xf4, which ends the test.
 * The expectations are in SOURCE's first comment: "expect: rax=1
 * rflags.zf=0 ..." (see test.inc for the state at the start).  Exit status:
 * 0 as expected, 1 not, 77 the engine cannot run here or is not in the
 * source's "engines:" line.
 */
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/error.h"
#include "base/util.h"
#include "tests/unit/bare.h"
#include "vmm/bus.h"

/* TIMEOUT in seconds. */
enum {
	RAM_SIZE = 16 << 20,
	CODE = 0x10000,
	STACK = 0x80000,
	PML4 = 0x1000,
	GDT = 0x800,
	TSS = 0x3000,
	IDT = 0x4000,
	SKIP = 77,
	TIMEOUT = 300
};

struct runner {
	struct bare b;
	struct vcpu *cpu;
	uint8_t *ram;
	volatile bool done;
};

static void exit_write(void *dev, uint64_t offset, uint64_t value,
		       unsigned int size)
{
	struct runner *r = dev;

	r->done = true;
	r->b.m.engine->kick(r->cpu);
}

static uint64_t exit_read(void *dev, uint64_t offset, unsigned int size)
{
	return 0;
}

static const struct bus_ops exit_ops = { exit_read, exit_write };

/* Ports 0x92 (A20, as in a PC) and 0xb2 (an SMI). */
static void a20_write(void *dev, uint64_t offset, uint64_t value,
		      unsigned int size)
{
	struct runner *r = dev;

	if (r->b.m.engine->a20)
		r->b.m.engine->a20(r->b.m.vm, value & 2);
}

static void smi_write(void *dev, uint64_t offset, uint64_t value,
		      unsigned int size)
{
	struct runner *r = dev;

	if (r->b.m.engine->smi)
		r->b.m.engine->smi(r->cpu);
}

static const struct bus_ops a20_ops = { exit_read, a20_write };
static const struct bus_ops smi_ops = { exit_read, smi_write };

static const struct engine *find_engine(const char *name,
					const char **ret_variant)
{
	static const struct engine *const engines[] = { &kvm_engine,
							&emu_engine };
	size_t len = strcspn(name, ":");

	*ret_variant = name[len] ? name + len + 1 : NULL;
	for (size_t i = 0; i < ARRAY_SIZE(engines); i++)
		if (strlen(engines[i]->name) == len &&
		    !strncmp(engines[i]->name, name, len))
			return engines[i];
	return NULL;
}

static void put64(struct runner *r, uint64_t addr, uint64_t v)
{
	memcpy(r->ram + addr, &v, sizeof(v));
}

/* Page tables, GDT and TSS as test.inc describes them. */
static void tables(struct runner *r)
{
	static const uint64_t gdt[] = {
		0,
		0x00af9b000000ffff,
		0x00cf93000000ffff,
		0x00cf9b000000ffff,
		0x00cffb000000ffff,
		0x00cff3000000ffff,
		0x00affb000000ffff,
		0,
		0x00008b0000000067 | (uint64_t)TSS << 16,
		0,
	};

	put64(r, PML4, (PML4 + 0x1000) | 3);
	for (unsigned int i = 0; i < 4; i++)
		put64(r, PML4 + 0x1000 + 8 * i, (uint64_t)i << 30 | 0x83);
	memcpy(r->ram + GDT, gdt, sizeof(gdt));
	put64(r, TSS + 4, STACK - 0x1000);    /* RSP0 */
	put64(r, TSS + 0x24, STACK - 0x2000); /* IST1 */
	put64(r, TSS + 0x60, 0x68ull << 48);
}

static void start_state(struct x86_state *s)
{
	x86_state_reset(s, true, 0);
	s->cr0 = 0x80010033;
	s->cr3 = PML4;
	s->cr4 = 0x620;	 /* PAE, OSFXSR, OSXMMEXCPT */
	s->efer = 0xd01; /* SCE, LME, LMA, NXE */
	s->rip = CODE;
	s->gpr[X86_RSP] = STACK;
	s->gpr[X86_RDX] = 0;
	for (unsigned int i = 0; i < X86_SEGS; i++)
		s->seg[i] = (struct x86_segment){ .selector = 0x10,
						  .limit = 0xffffffff,
						  .attr = 0xc093 };
	s->seg[X86_CS].selector = 0x08;
	s->seg[X86_CS].attr = 0xa09b;
	s->tr = (struct x86_segment){
		.selector = 0x40, .base = TSS, .limit = 0x67, .attr = 0x008b
	};
	s->ldt = (struct x86_segment){ .unusable = true };
	s->gdt = (struct x86_table){ GDT, 0x4f };
	s->idt = (struct x86_table){ IDT, 0xfff };
}

static int load(struct runner *r, const char *path)
{
	_cleanup_close_ int fd = open(path, O_RDONLY);
	ssize_t n;

	if (fd < 0)
		return -errno;
	n = read(fd, r->ram + CODE, STACK - CODE);
	return n < 0 ? -errno : n ? 0 : -ENODATA;
}

static int build(struct runner *r, const char *name, struct error *err)
{
	static struct x86_state state;
	const struct engine *engine;
	const char *variant;
	int fd = -1, ret;

	engine = find_engine(name, &variant);
	if (!engine)
		return error_set(err, -ENOTSUP, "no engine '%s'", name);
	r->b.m.engine = engine;
	if (engine == &kvm_engine) {
		fd = open("/dev/kvm", O_RDWR | O_CLOEXEC);
		if (fd < 0)
			return error_set(err, -errno, "/dev/kvm: %m");
	}
	r->ram = mmap(NULL, RAM_SIZE, PROT_READ | PROT_WRITE,
		      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	r->b.slot = (struct ram_slot){ .size = RAM_SIZE, .host = r->ram };
	ret = bare_create(&r->b, engine, fd, variant, err);
	if (ret == 0)
		ret = bare_cpu(&r->b, 0, &r->cpu, err);
	if (ret < 0)
		return ret;
	bus_add(r->b.m.ports, 0xf4, 1, &exit_ops, r);
	bus_add(r->b.m.ports, 0x92, 1, &a20_ops, r);
	bus_add(r->b.m.ports, 0xb2, 1, &smi_ops, r);
	tables(r);
	start_state(&state);
	return engine->set_state(r->cpu, &state);
}

/* The text behind key in the source's first comment, up to its line's end;
 * lines that begin with the key again continue it. */
static void header(const char *path, const char *key, char *buf, size_t size)
{
	FILE *f = fopen(path, "re");
	char line[512];

	buf[0] = 0;
	while (f && fgets(line, sizeof(line), f)) {
		char *p = strstr(line, key);

		if (strstr(line, "*/"))
			break;
		if (p)
			strncat(buf, p + strlen(key), size - strlen(buf) - 1);
	}
	if (f)
		fclose(f);
}

static bool register_value(const struct x86_state *s, const char *name,
			   uint64_t *ret)
{
	static const char *const gprs[] = {
		"rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi",
		"r8",  "r9",  "r10", "r11", "r12", "r13", "r14", "r15",
	};
	static const struct {
		const char *name;
		uint8_t bit;
	} flags[] = {
		{ "cf", 0 }, { "pf", 2 }, { "af", 4 },	{ "zf", 6 },
		{ "sf", 7 }, { "if", 9 }, { "df", 10 }, { "of", 11 },
	};

	for (unsigned int i = 0; i < ARRAY_SIZE(gprs); i++)
		if (!strcmp(name, gprs[i])) {
			*ret = s->gpr[i];
			return true;
		}
	for (unsigned int i = 0; i < ARRAY_SIZE(flags); i++)
		if (!strncmp(name, "rflags.", 7) &&
		    !strcmp(name + 7, flags[i].name)) {
			*ret = s->rflags >> flags[i].bit & 1;
			return true;
		}
	if (!strcmp(name, "cr2")) {
		*ret = s->cr2;
		return true;
	}
	return false;
}

static int compare(const struct x86_state *s, char *expect)
{
	char *save = NULL;
	int failed = 0;

	for (char *word = strtok_r(expect, " \t\n", &save); word;
	     word = strtok_r(NULL, " \t\n", &save)) {
		char *value = strchr(word, '=');
		uint64_t want, is;

		if (!value)
			continue;
		*value++ = 0;
		want = strtoull(value, NULL, 0);
		if (!register_value(s, word, &is)) {
			fprintf(stderr, "unknown expectation '%s'\n", word);
			failed = 1;
		} else if (is != want) {
			fprintf(stderr, "%s is %#lx, expected %#lx\n", word, is,
				want);
			failed = 1;
		}
	}
	return failed;
}

static int run(struct runner *r, char *expect)
{
	static const char *const results[] = { "kicked", "reset", "poweroff",
					       "debug", "failed" };
	bool wants_reset = strstr(expect, "run=reset");
	enum run_result result;
	struct x86_state state;

	do
		result = r->b.m.engine->run(r->cpu);
	while (result == RUN_KICKED && !r->done);
	if (wants_reset)
		return result != RUN_RESET;
	r->b.m.engine->get_state(r->cpu, &state);
	if (result != RUN_KICKED) {
		fprintf(stderr,
			"the run ended with '%s' at rip %#lx, cr2 "
			"%#lx\n",
			results[result], state.rip, state.cr2);
		return 1;
	}
	return compare(&state, expect);
}

int main(int argc, char **argv)
{
	static struct runner r;
	struct error err = { 0 };
	char engines[256], expect[2048];
	int ret;

	if (argc != 4) {
		fprintf(stderr, "usage: runner ENGINE SOURCE BINARY\n");
		return 2;
	}
	header(argv[2], "engines:", engines, sizeof(engines));
	header(argv[2], "expect:", expect, sizeof(expect));
	if (engines[0] && !strstr(engines, argv[1]))
		return SKIP;
	if (!expect[0]) {
		fprintf(stderr, "%s expects nothing\n", argv[2]);
		return 1;
	}
	alarm(TIMEOUT); /* a test that hangs is a failed test */
	ret = build(&r, argv[1], &err);
	if (ret < 0) {
		fprintf(stderr, "%s: %s\n", argv[1],
			err.message[0] ? err.message : strerror(-ret));
		return r.b.m.engine == &kvm_engine ? SKIP : 1;
	}
	if (load(&r, argv[3]) < 0) {
		fprintf(stderr, "cannot read %s\n", argv[3]);
		return 1;
	}
	ret = run(&r, expect);
	r.b.m.engine->vcpu_destroy(r.cpu);
	bare_destroy(&r.b);
	return ret;
}
