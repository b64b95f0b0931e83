/*
 * drivers/emu/jit_mem.c -- a vCPU's translated code and what belongs to it.
 *
 * The code is one memfd mapped twice, writable and executable at different
 * addresses: nothing is ever both.  Pages are touched as code is made.
 */
#include <errno.h>
#include <sys/mman.h>

#include "drivers/emu/jit.h"
#include "drivers/emu/jit_scan.h"
#include "drivers/emu/vec_int.h"

static void *map(size_t size)
{
	void *p = mmap(NULL, size, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	return p == MAP_FAILED ? NULL : p;
}

/* #syscalls:vmm-init memfd_create ftruncate mmap */
static int map_code(struct jit *j)
{
	_cleanup_close_ int fd = memfd_create("code", MFD_CLOEXEC);
	void *w, *x;

	if (fd < 0 || ftruncate(fd, JIT_CODE_SIZE) < 0)
		return -errno;
	w = mmap(NULL, JIT_CODE_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd,
		 0);
	if (w == MAP_FAILED)
		return -errno;
	j->write = w;
	x = mmap(NULL, JIT_CODE_SIZE, PROT_READ | PROT_EXEC, MAP_SHARED, fd, 0);
	if (x == MAP_FAILED)
		return -errno;
	j->exec = x;
	return 0;
}

static size_t hash_size(void)
{
	return sizeof(struct jit_block *) << JIT_HASH_BITS;
}

static size_t list_size(void)
{
	return sizeof(struct jit_block *) * JIT_LIST_MAX;
}

static void set_up(struct emu_cpu *cpu, struct jit *j)
{
	j->buf = (struct jit_buf){
		.w = j->write,
		.end = j->write + JIT_HOT_SIZE,
		.to_exec = j->exec - j->write,
	};
	j->cold = j->buf;
	j->cold.w = j->buf.end;
	j->cold.end = j->write + JIT_CODE_SIZE;
	j->hot = cpu->vm->lockstep ? 0 : JIT_HOT;
	j->strict = cpu->vm->lockstep;
	cpu->jit.priv = j;
	cpu->jit.self = cpu;
	cpu->jit.xcr0 = vec_xcr0_mask();
	cpu->jit.host_mxcsr = MXCSR_DEFAULT;
	jit_make_trampolines(cpu);
	jit_jumps_start(cpu);
	jit_returns_start(cpu);
}

int jit_create(struct emu_cpu *cpu)
{
	struct jit *j = xcalloc(1, sizeof(*j));
	int r = map_code(j);

	j->hash = map(hash_size());
	j->list = map(list_size());
	j->pages = map(JIT_PAGES * sizeof(*j->pages));
	j->heat = map(1 << JIT_HEAT_BITS);
	j->scan = map(sizeof(*j->scan));
	cpu->jit.priv = j;
	if (r == 0 && (!j->hash || !j->list || !j->pages || !j->heat ||
		       !j->scan))
		r = -ENOMEM;
	if (r == 0)
		r = jit_returns_create(cpu);
	if (r == 0)
		r = jit_signal_init();
	if (r == 0 && cpu->vm->lockstep)
		r = jit_lockstep_create(cpu);
	if (r < 0) {
		jit_destroy(cpu);
		return r;
	}
	set_up(cpu, j);
	return 0;
}

static void unmap(void *p, size_t size)
{
	if (p)
		munmap(p, size);
}

void jit_destroy(struct emu_cpu *cpu)
{
	struct jit *j = jit_of(cpu);

	if (!j)
		return;
	jit_lockstep_destroy(cpu);
	jit_returns_destroy(cpu);
	jit_signal_detach();
	unmap(j->write, JIT_CODE_SIZE);
	unmap((void *)j->exec, JIT_CODE_SIZE);
	unmap(j->hash, hash_size());
	unmap(j->list, list_size());
	unmap(j->pages, JIT_PAGES * sizeof(*j->pages));
	unmap(j->heat, 1 << JIT_HEAT_BITS);
	unmap(j->scan, sizeof(*j->scan));
	free(j);
	cpu->jit.priv = NULL;
}

void jit_flush(struct emu_cpu *cpu)
{
	struct jit *j = jit_of(cpu);

	if (!j)
		return;
	memset(j->hash, 0, hash_size());
	memset(j->known, 0, sizeof(j->known));
	memset(j->apart, 0, sizeof(j->apart));
	memset(j->pages, 0, JIT_PAGES * sizeof(*j->pages));
	j->n_list = 0;
	j->n_pages = 0;
	j->buf.w = j->blocks_start;
	j->cold.w = j->buf.end;
	j->full = false;
	jit_forget_jumps(cpu, true);
	cpu->jit.n_flush++;
}

/* #syscalls:vmm madvise */
void jit_release(struct emu_cpu *cpu)
{
	struct jit *j = jit_of(cpu);
	uintptr_t from;

	if (!j)
		return;
	from = ALIGN_UP((uintptr_t)j->blocks_start, (uintptr_t)EMU_PAGE);
	madvise((void *)from, (uintptr_t)j->write + JIT_CODE_SIZE - from,
		MADV_REMOVE);
}
