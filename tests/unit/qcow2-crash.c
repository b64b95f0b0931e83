/*
 * tests/unit/qcow2-crash.c -- the power fails: of what was written since the
 * last flush some is there and some is not.  Whenever that is, nothing but
 * leaks is wrong with the image, and what the guest had flushed is there.  A
 * bitmap is said to be out of date, or what was written is dirty in it.
 *
 * The block layer's system calls are wrapped by the linker, so that the
 * order of its writes and flushes is known.
 */
#undef NDEBUG
#include <assert.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/wait.h>

#include "base/error.h"
#include "storage/format/bitmaps.h"
#include "storage/format/block.h"
#include "storage/format/dirty_bitmap.h"
#include "tests/fuzz/random.h"

enum { DISK = 3 * 1024 * 1024, SECTORS = DISK / 512, OPS = 400, CUTS = 120,
       PART = 96 * 1024, EXIT_SKIP = 77 };

/* ---- what was written ---- */

struct event {
	enum { WRITE, FLUSH, DONE } kind;
	uint64_t offset, len;
	uint8_t *data;	     /* WRITE */
	unsigned int stamp;  /* DONE: the guest's flush; what it covers */
};

static struct event *events;
static unsigned int n_events;
static bool recording;

static struct event *record(int kind)
{
	events = xrealloc(events, n_events + 1, sizeof(*events));
	events[n_events] = (struct event){ .kind = kind };
	return &events[n_events++];
}

ssize_t __real_pwritev2(int fd, const struct iovec *iov, int n, off_t offset,
			int flags);
ssize_t __wrap_pwritev2(int fd, const struct iovec *iov, int n, off_t offset,
			int flags);
int __real_fdatasync(int fd);
int __wrap_fdatasync(int fd);

ssize_t __wrap_pwritev2(int fd, const struct iovec *iov, int n, off_t offset,
			int flags)
{
	struct event *e;

	for (int i = 0; recording && i < n; i++) {
		e = record(WRITE);
		e->offset = offset;
		for (int k = 0; k < i; k++)
			e->offset += iov[k].iov_len;
		e->len = iov[i].iov_len;
		e->data = xmalloc(e->len);
		memcpy(e->data, iov[i].iov_base, e->len);
	}
	return __real_pwritev2(fd, iov, n, offset, flags);
}

int __wrap_fdatasync(int fd)
{
	if (recording)
		record(FLUSH);
	return __real_fdatasync(fd);
}

/* ---- the guest ---- */

/* Sectors carry the number of the write that they are from; zeroes none. */
static unsigned int *written[OPS + 1]; /* by op: what each sector then has */
static bool is_zero_op[OPS + 1];
static uint8_t buf[PART], disk[DISK];

static int io(struct block *blk, enum block_op op, uint64_t at, uint64_t len,
	      void *data)
{
	struct iovec iov = { data, len };
	struct block_req req = { .op = op, .offset = at, .length = len,
				 .iov = &iov, .n_iov = 1, .unmap = true };

	return block_run(blk, &req);
}

static void stamp(uint64_t len, unsigned int op)
{
	memset(buf, 0, len);
	for (uint64_t i = 0; i < len; i += 512)
		memcpy(buf + i, &op, sizeof(op));
}

static bool snapshots;
static unsigned int n_snapshots;

/* The disk stays what it is. */
static void do_snapshot(struct block *blk)
{
	bool drop = n_snapshots && chance(50);

	n_snapshots += drop ? -1 : 1;
	assert(!block_snapshot(blk, drop ? BLOCK_SNAPSHOT_DELETE :
					   BLOCK_SNAPSHOT_CREATE, "s", NULL));
}

/* Stored, and then written again. */
static bool bitmaps;

static void do_bitmap(struct block *blk)
{
	assert(!block_bitmap_enable(blk, "b", true, NULL));
	assert(!block_settle(blk));
}

static void do_op(struct block *blk, unsigned int op)
{
	if (bitmaps && chance(8))
		do_bitmap(blk);
	if (snapshots && chance(8))
		do_snapshot(blk);
	uint64_t at = below(SECTORS), n = 1 + below(PART / 512);

	n = MIN(n, SECTORS - at);
	written[op] = xcalloc(SECTORS, sizeof(**written));
	memcpy(written[op], written[op - 1], SECTORS * sizeof(**written));
	is_zero_op[op] = chance(25);
	for (uint64_t i = at; i < at + n; i++)
		written[op][i] = op;
	stamp(n * 512, op);
	assert(!io(blk, is_zero_op[op] ? BLOCK_WRITE_ZEROES : BLOCK_WRITE,
		   at * 512, n * 512, buf));
	if (chance(8)) {
		assert(!io(blk, BLOCK_FLUSH, 0, 0, NULL));
		record(DONE)->stamp = op;
	}
}

/* ---- afterwards ---- */

static const uint8_t *first_image;
static uint64_t first_size;

/* All before the last flush, and of the rest what chance says. */
static void build(unsigned int cut, const char *path)
{
	int fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	unsigned int safe = 0;

	assert(fd >= 0);
	assert(!write_full(fd, first_image, first_size));
	for (unsigned int i = 0; i < cut; i++)
		if (events[i].kind == FLUSH)
			safe = i;
	for (unsigned int i = 0; i < cut; i++) {
		struct event *e = &events[i];

		if (e->kind == WRITE && (i < safe || chance(50)))
			assert(pwrite(fd, e->data, e->len, e->offset) ==
			       (ssize_t)e->len);
	}
	close(fd);
}

static struct block *open_image(const char *path, bool readonly)
{
	struct block_layer layers[2] = {
		{ "qcow2", open(path, (readonly ? O_RDONLY : O_RDWR) |
					      O_CLOEXEC) },
		{ "raw", open("base", O_RDONLY | O_CLOEXEC) },
	};
	struct block_options opt = { .readonly = readonly, .repair = readonly };
	struct error err = { 0 };
	struct block *blk = NULL;

	if (block_open_chain(layers, 2, &opt, &blk, &err) < 0)
		fprintf(stderr, "%s: %s\n", path, err.message);
	assert(blk);
	return blk;
}

/* What the guest had flushed by then, or something later. */
static void judge_sector(unsigned int i, unsigned int flushed)
{
	unsigned int have, least = flushed ? written[flushed][i] : 0;

	memcpy(&have, disk + i * 512, sizeof(have));
	if (have) {
		assert(have <= OPS && have >= least);
		assert(written[have][i] == have && !is_zero_op[have]);
		return;
	}
	for (unsigned int op = least; op <= OPS; op++)
		if (written[op][i] == op && (!op || is_zero_op[op]))
			return;
	fprintf(stderr, "sector %u is lost: %u\n", i, least);
	abort();
}

/*
 * Counts and flags of a snapshot that was not there yet, or just was, are at
 * odds; what makes them right takes nothing from the disk.
 */
static void repair(void)
{
	struct block *blk = open_image("cut", false);
	struct block_verdict v;

	assert(!block_verify(blk, BLOCK_FIX_ALL, &v, NULL));
	assert(!v.errors && !v.corruptions);
	block_close(blk);
}

static unsigned int n_usable;

static void judge_bitmap(struct block *blk)
{
	struct block_bitmap_info *list;
	struct dirty_bitmap *bits;
	uint64_t same;
	unsigned int n;

	assert(!block_bitmaps(blk, &list, &n, NULL));
	assert(n == 1 && str_eq(list[0].name, "b"));
	if (!list[0].inconsistent) {
		n_usable++;
		assert(!block_bitmap_copy(blk, "b", &bits, NULL));
		for (unsigned int i = 0; i < SECTORS; i++)
			if (disk[i * 512])
				assert(dirty_bitmap_get(bits, i * 512ull, 1,
							&same));
		dirty_bitmap_destroy(bits);
	}
	free(list);
}

static void judge(unsigned int cut)
{
	struct block_verdict v;
	unsigned int flushed = 0;
	struct block *blk;
	int status;

	if (snapshots)
		repair();
	blk = open_image("cut", true);
	assert(!block_verify(blk, 0, &v, NULL));
	assert(!v.errors && !v.corruptions);
	assert(!io(blk, BLOCK_READ, 0, DISK, disk));
	if (bitmaps)
		judge_bitmap(blk);
	block_close(blk);
	for (unsigned int i = 0; i < cut; i++)
		if (events[i].kind == DONE)
			flushed = events[i].stamp;
	for (unsigned int i = 0; i < SECTORS; i++)
		judge_sector(i, flushed);
	if (chance(90))
		return;
	status = system("qemu-img check -q cut >/dev/null 2>&1");
	assert(WIFEXITED(status) &&
	       (!WEXITSTATUS(status) || WEXITSTATUS(status) == 3));
}

static void keep_image(void)
{
	int fd = open("top", O_RDONLY | O_CLOEXEC);
	uint8_t *data;
	struct stat st;

	assert(fd >= 0 && !fstat(fd, &st));
	data = xmalloc(st.st_size);
	assert(!read_full(fd, data, st.st_size));
	first_image = data;
	first_size = st.st_size;
	close(fd);
}

static void forget(void)
{
	for (unsigned int i = 0; i < n_events; i++)
		free(events[i].data);
	for (unsigned int i = 0; i <= OPS; i++)
		free(written[i]);
	free(events);
	free((void *)first_image);
	events = NULL;
	n_events = 0;
}

static void try(const char *options)
{
	_cleanup_free_ char *command = xasprintf(
		"qemu-img create -q -f qcow2 -o %s -b base -F raw top", options);
	struct block *blk;

	assert(!system(command));
	if (bitmaps)
		assert(!system("qemu-img bitmap --add -g 4096 top b"));
	keep_image();
	written[0] = xcalloc(SECTORS, sizeof(**written));
	blk = open_image("top", false);
	recording = true;
	for (unsigned int op = 1; op <= OPS; op++)
		do_op(blk, op);
	block_close(blk);
	recording = false;
	for (unsigned int i = 0; i < CUTS; i++) {
		unsigned int cut = 1 + below(n_events);

		build(cut, "cut");
		judge(cut);
	}
	printf("%s: %u writes and flushes\n", options, n_events);
	forget();
	n_snapshots = 0;
}

int main(int argc, char **argv)
{
	char dir[] = "qcow2-crash-XXXXXX";

	if (system("qemu-img --version >/dev/null 2>&1"))
		return EXIT_SKIP;
	random_arg(argc, argv, 1);
	assert(mkdtemp(dir) && !chdir(dir));
	assert(!system("qemu-img create -q -f raw base 3M"));
	try("cluster_size=64k");
	try("cluster_size=4k,refcount_bits=64");
	try("cluster_size=512");
	snapshots = true;
	try("cluster_size=4k");
	snapshots = false;
	bitmaps = true;
	try("cluster_size=1k");
	assert(n_usable);
	assert(!remove("top") && !remove("cut") && !remove("base"));
	assert(!chdir("..") && !rmdir(dir));
	return 0;
}
