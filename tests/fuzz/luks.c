/*
 * tests/fuzz/luks.c -- LUKS headers that somebody has damaged: opening them
 * gives an error or a disk, in bounded time.
 */
#undef NDEBUG
#include <assert.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "base/error.h"
#include "storage/format/block.h"
#include "tests/fuzz/random.h"

enum { DISK = 64 * 1024, HEADER = 592, SLOTS_AT = 208, SLOT = 48 };

static uint8_t *make(size_t *ret_len)
{
	struct block_create c = { .format = "luks", .size = DISK,
				  .key = "secret", .key_len = 6,
				  .luks = { .aes_bits = 128, .iter_ms = 1 } };
	int fd = memfd_create("luks", MFD_CLOEXEC);
	struct stat st;
	uint8_t *data;

	assert(fd >= 0 && !block_create(fd, &c, NULL) && !fstat(fd, &st));
	data = xmalloc(st.st_size);
	assert(!lseek(fd, 0, SEEK_SET) && !read_full(fd, data, st.st_size));
	close(fd);
	*ret_len = st.st_size;
	return data;
}

/* Not how often a passphrase is hashed: that may be a lot. */
static bool is_count(size_t at)
{
	return (at >= 164 && at < 166) ||
	       (at >= SLOTS_AT && (at - SLOTS_AT) % SLOT >= 4 &&
		(at - SLOTS_AT) % SLOT < 6);
}

static void damage(uint8_t *data)
{
	static const uint8_t bytes[] = { 0, 1, 0x7f, 0x80, 0xff, 2, 0x40 };

	for (uint64_t n = below(5); n--;) {
		size_t at = below(HEADER);

		if (!is_count(at))
			data[at] = chance(60) ? bytes[below(sizeof(bytes))] :
						rnd();
	}
}

static void use(struct block *blk)
{
	static uint8_t buf[4096];
	struct iovec iov = { buf, sizeof(buf) };

	for (unsigned int i = 0; i < 8; i++) {
		struct block_req req = { .op = below(5), .iov = &iov,
					 .n_iov = 1, .length = sizeof(buf),
					 .offset = below(DISK) & -512ull };

		block_run(blk, &req);
	}
}

static void open_and_use(const uint8_t *data, size_t len)
{
	struct block_options opt = { .key = chance(80) ? "secret" : "other",
				     .key_len = 6 };
	int fd = memfd_create("luks", MFD_CLOEXEC);
	struct error err = { 0 };
	struct block *blk;

	assert(fd >= 0 && !write_full(fd, data, len));
	if (block_open("luks", fd, &opt, &blk, &err) < 0) {
		assert(*err.message);
		close(fd);
		return;
	}
	use(blk);
	block_close(blk);
}

int main(int argc, char **argv)
{
	unsigned int rounds = argc > 2 ? atoi(argv[2]) : 60;
	uint8_t *data, *copy;
	size_t len;

	random_arg(argc, argv, 1);
	data = make(&len);
	copy = xmalloc(len);
	for (unsigned int i = 0; i < rounds; i++) {
		size_t cut = chance(10) ? below(len) : len;

		memcpy(copy, data, len);
		damage(copy);
		open_and_use(copy, cut);
	}
	free(data);
	free(copy);
	return 0;
}
