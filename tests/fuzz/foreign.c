/*
 * tests/fuzz/foreign.c -- images of other programs' formats that somebody has
 * damaged: opening and reading them gives errors or data, in bounded time.
 */
#undef NDEBUG
#include <assert.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "base/error.h"
#include "storage/format/block.h"
#include "tests/fuzz/random.h"

enum { PART = 64 * 1024, IMAGE_MAX = 16 * 1024 * 1024, EXIT_SKIP = 77 };

static const struct {
	const char *format, *options;
} kinds[] = {
	{ "vdi", "static=off" },
	{ "vpc", "force_size=on" },
	{ "vpc", "subformat=fixed" },
	{ "vhdx", "block_size=1M" },
	{ "vmdk", "subformat=monolithicSparse" },
	{ "vmdk", "subformat=streamOptimized" },
};

static uint8_t buf[PART];

static bool run(const char *command)
{
	int status = system(command);

	return WIFEXITED(status) && !WEXITSTATUS(status);
}

static uint8_t *make(unsigned int kind, size_t *ret_len)
{
	_cleanup_free_ char *command = NULL;
	char dir[] = "/tmp/vireo-fuzz-XXXXXX";
	_cleanup_free_ char *path = NULL;
	struct stat st;
	uint8_t *data;
	int fd;

	assert(mkdtemp(dir));
	path = xasprintf("%s/image", dir);
	command = xasprintf(
		"seq 1 20000 >%s/raw && qemu-img convert -f raw -O %s -o %s %s/raw %s",
		dir, kinds[kind].format, kinds[kind].options, dir, path);
	assert(run(command));
	fd = open(path, O_RDONLY | O_CLOEXEC);
	assert(fd >= 0 && !fstat(fd, &st) && st.st_size < IMAGE_MAX);
	data = xcalloc(1, st.st_size + 1);
	assert(!read_full(fd, data, st.st_size));
	close(fd);
	free(command);
	command = xasprintf("rm -r %s", dir);
	assert(run(command));
	*ret_len = st.st_size;
	return data;
}

/* Where numbers are: the beginning, the end, or anywhere. */
static size_t somewhere(size_t len)
{
	if (chance(60))
		return below(MIN(len, 1024u));
	if (chance(30))
		return len - 1 - below(MIN(len, 1536u));
	return below(len);
}

static void damage(uint8_t *data, size_t len)
{
	static const uint8_t bytes[] = { 0, 1, 0x7f, 0x80, 0xff, 2, 0x40 };

	for (uint64_t n = 1 + below(6); n--;)
		data[somewhere(len)] =
			chance(60) ? bytes[below(ARRAY_SIZE(bytes))] : rnd();
}

static void use(struct block *blk)
{
	struct iovec iov = { .iov_base = buf };
	struct block_req req = { .op = BLOCK_READ, .iov = &iov, .n_iov = 1 };
	uint64_t size = block_size(blk);
	struct block_extent e;

	for (unsigned int i = 0; i < 20; i++) {
		req.offset = below(size) & -512ull;
		req.length = iov.iov_len = MIN(size - req.offset,
					       (uint64_t)PART);
		block_run(blk, &req);
		if (!block_extent(blk, req.offset, size - req.offset, &e))
			assert(e.length && e.length <= size - req.offset);
	}
}

static void open_and_use(const char *format, const uint8_t *data, size_t len)
{
	struct block_options opt = { .readonly = true };
	int fd = memfd_create("image", MFD_CLOEXEC);
	struct error err = { 0 };
	struct block *blk;

	assert(fd >= 0 && !write_full(fd, data, len));
	if (block_open(format, fd, &opt, &blk, &err) < 0) {
		assert(*err.message);
		close(fd);
		return;
	}
	use(blk);
	block_close(blk);
}

int main(int argc, char **argv)
{
	unsigned int rounds = argc > 2 ? atoi(argv[2]) : 100;

	random_arg(argc, argv, 1);
	if (!run("qemu-img --version >/dev/null 2>&1"))
		return EXIT_SKIP;
	for (unsigned int kind = 0; kind < ARRAY_SIZE(kinds); kind++) {
		size_t len;
		_cleanup_free_ uint8_t *good = make(kind, &len);
		_cleanup_free_ uint8_t *bad = xmalloc(len);

		for (unsigned int i = 0; i < rounds; i++) {
			memcpy(bad, good, len);
			damage(bad, len);
			open_and_use(kinds[kind].format, bad,
				     chance(90) ? len : below(len));
		}
	}
	return 0;
}
