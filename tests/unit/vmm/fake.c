/*
 * tests/unit/vmm/fake.c -- see fake.h.
 */
#include "tests/unit/vmm/fake.h"

#include <elf.h>
#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/error.h"
#include "vmm/bus.h"
#include "vmm/loop.h"
#include "vmm/x86.h"

struct vm {
	pthread_mutex_t lock;
	unsigned int msis;
	struct fake_msi last;
	bool extint;
};

struct vcpu {
	pthread_mutex_t lock;
	pthread_cond_t wake;
	bool kicked;
	struct x86_state state;
};

static int fake_vm_create(struct machine *m, int fd, const char *variant,
			  struct vm **ret_vm, struct error *err)
{
	*ret_vm = xcalloc(1, sizeof(struct vm));
	pthread_mutex_init(&(*ret_vm)->lock, NULL);
	return 0;
}

static void fake_vm_destroy(struct vm *vm)
{
	free(vm);
}

static int fake_cpuid(struct vm *vm, struct x86_cpuid *ret)
{
	static const struct x86_cpuid_leaf leaves[] = {
		{ .function = 0, .eax = 0x1f, .ebx = 0x756e6547,
		  .edx = 0x49656e69, .ecx = 0x6c65746e },
		{ .function = 1, .eax = 0x306c1, .ecx = 0x9ef82203,
		  .edx = 0x178bfbff },
		{ .function = 4, .indexed = true, .index = 0,
		  .eax = 0x1c004121 },
		{ .function = 7, .indexed = true, .ebx = 0x20 },
		{ .function = 0x80000000, .eax = 0x80000008 },
		{ .function = 0x80000008, .eax = 0x3028 },
	};

	memcpy(ret->leaf, leaves, sizeof(leaves));
	ret->n = ARRAY_SIZE(leaves);
	return 0;
}

static int fake_set_ram(struct vm *vm, const struct ram_slot *slot)
{
	return 0;
}

static int fake_msi(struct vm *vm, uint64_t addr, uint32_t data)
{
	pthread_mutex_lock(&vm->lock);
	vm->msis++;
	vm->last = (struct fake_msi){ addr, data };
	pthread_mutex_unlock(&vm->lock);
	return 0;
}

static void fake_set_extint(struct vm *vm, bool level)
{
	vm->extint = level;
}

static int fake_vcpu_create(struct vm *vm, unsigned int id,
			    const struct x86_cpuid *cpuid,
			    struct vcpu **ret_cpu, struct error *err)
{
	struct vcpu *cpu = xcalloc(1, sizeof(*cpu));

	pthread_mutex_init(&cpu->lock, NULL);
	pthread_cond_init(&cpu->wake, NULL);
	*ret_cpu = cpu;
	return 0;
}

static void fake_vcpu_destroy(struct vcpu *cpu)
{
	free(cpu);
}

static enum run_result fake_run(struct vcpu *cpu)
{
	pthread_mutex_lock(&cpu->lock);
	while (!cpu->kicked)
		pthread_cond_wait(&cpu->wake, &cpu->lock);
	cpu->kicked = false;
	pthread_mutex_unlock(&cpu->lock);
	return RUN_KICKED;
}

static void fake_kick(struct vcpu *cpu)
{
	pthread_mutex_lock(&cpu->lock);
	cpu->kicked = true;
	pthread_cond_signal(&cpu->wake);
	pthread_mutex_unlock(&cpu->lock);
}

static int fake_get_state(struct vcpu *cpu, struct x86_state *ret)
{
	*ret = cpu->state;
	return 0;
}

static int fake_set_state(struct vcpu *cpu, const struct x86_state *state)
{
	cpu->state = *state;
	return 0;
}

static void fake_nmi(struct vcpu *cpu)
{
}

const struct engine fake_engine = {
	.name = "fake",
	.vm_create = fake_vm_create,
	.vm_destroy = fake_vm_destroy,
	.cpuid = fake_cpuid,
	.set_ram = fake_set_ram,
	.msi = fake_msi,
	.extint = fake_set_extint,
	.vcpu_create = fake_vcpu_create,
	.vcpu_destroy = fake_vcpu_destroy,
	.run = fake_run,
	.kick = fake_kick,
	.get_state = fake_get_state,
	.set_state = fake_set_state,
	.nmi = fake_nmi,
};

unsigned int fake_msis(struct machine *m, struct fake_msi *ret_last)
{
	if (ret_last)
		*ret_last = m->vm->last;
	return m->vm->msis;
}

bool fake_extint(struct machine *m)
{
	return m->vm->extint;
}

void fake_init(struct fake *f)
{
	memset(f, 0, sizeof(*f));
	vmm_spec_init(&f->spec);
	f->spec.name = xstrdup("fake");
	f->spec.engine = xstrdup("fake");
	f->spec.machine = xstrdup("microvm");
	f->spec.memory = 16 * MIB;
	f->spec.vcpus = f->spec.max_vcpus = 1;
	f->spec.kernel_fd = fake_kernel();
}

void fake_init_q35(struct fake *f, int firmware_fd, int nvram_fd)
{
	fake_init(f);
	fd_close(f->spec.kernel_fd);
	f->spec.kernel_fd = -1;
	free(f->spec.machine);
	f->spec.machine = xstrdup("q35");
	f->spec.firmware_fd = firmware_fd;
	f->spec.nvram_fd = nvram_fd;
}

void fake_add_stick(struct fake *f, unsigned int unit)
{
	int fd = memfd_create("stick", 0);

	assert(fd >= 0 && ftruncate(fd, 1 << 20) == 0);
	f->spec.disks = xcalloc(1, sizeof(*f->spec.disks));
	f->spec.n_disks = 1;
	f->spec.disks[0] = (struct spec_disk){ .id = xstrdup("stick"),
					       .bus = SPEC_USB,
					       .unit = unit,
					       .format = xstrdup("raw"),
					       .unlocked = true,
					       .fd = fd };
}

void fake_start(struct fake *f)
{
	struct error err = { 0 };
	int r = loop_create(&f->loop, &err);

	if (r == 0)
		r = machine_create(&f->spec, &fake_engine, NULL, f->loop,
				   &f->m, &err);
	if (r == 0)
		r = machine_load(f->m, &err);
	if (r < 0)
		fprintf(stderr, "%s\n", err.message);
	assert(r == 0);
}

static void stop_loop(void *arg)
{
	loop_quit(arg);
}

void fake_settle(struct fake *f)
{
	/* What is done may ask for more. */
	for (unsigned int round = 0; round < 4; round++) {
		loop_defer(f->loop, stop_loop, f->loop);
		loop_run(f->loop);
	}
}

void fake_finish(struct fake *f)
{
	machine_destroy(f->m);
	loop_destroy(f->loop);
	vmm_spec_finish(&f->spec);
}

uint8_t port_in(struct machine *m, uint16_t port)
{
	uint8_t v;

	bus_io(m->ports, port, &v, 1, false);
	return v;
}

void port_out(struct machine *m, uint16_t port, uint8_t value)
{
	bus_io(m->ports, port, &value, 1, true);
}

uint32_t mmio_in(struct machine *m, uint64_t addr)
{
	uint32_t v;

	bus_io(m->mmio, addr, &v, 4, false);
	return v;
}

void mmio_out(struct machine *m, uint64_t addr, uint32_t value)
{
	bus_io(m->mmio, addr, &value, 4, true);
}

int fake_file(const void *data, size_t len)
{
	int fd = memfd_create("test", MFD_CLOEXEC);

	assert(fd >= 0 && write_full(fd, data, len) == 0);
	return fd;
}

int fake_kernel(void)
{
	struct {
		Elf32_Ehdr e;
		Elf32_Phdr p[2];
		Elf32_Nhdr n;
		char name[4];
		uint32_t entry;
		uint8_t code[4];
	} k = {
		.e = { .e_machine = EM_386,
		       .e_phoff = sizeof(Elf32_Ehdr),
		       .e_phentsize = sizeof(Elf32_Phdr),
		       .e_phnum = 2 },
		.p = { { .p_type = PT_LOAD,
			 .p_offset = offsetof(__typeof__(k), code),
			 .p_paddr = 0x100000,
			 .p_filesz = 4,
			 .p_memsz = 0x2000 },
		       { .p_type = PT_NOTE,
			 .p_offset = offsetof(__typeof__(k), n),
			 .p_filesz = 20,
			 .p_align = 4 } },
		.n = { .n_namesz = 4, .n_descsz = 4, .n_type = 18 },
		.name = "Xen",
		.entry = 0x100000,
		.code = { 0xf4, 0xf4, 0xf4, 0xf4 }, /* hlt */
	};

	memcpy(k.e.e_ident, ELFMAG, SELFMAG);
	k.e.e_ident[EI_CLASS] = ELFCLASS32;
	k.e.e_ident[EI_DATA] = ELFDATA2LSB;
	return fake_file(&k, sizeof(k));
}
