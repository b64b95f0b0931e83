/*
 * storage/format/backing.c -- what an image is based on, before anything is
 * opened: for who hands a chain over.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "storage/format/block.h"
#include "storage/format/qcow2_header.h"

/* As many bytes as there are. */
static ssize_t read_some(int fd, uint8_t *data, size_t len)
{
	size_t have = 0;

	while (have < len) {
		ssize_t n = pread(fd, data + have, len - have, have);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			break;
		have += n;
	}
	return have;
}

const char *block_probe(int fd)
{
	static const struct {
		const char *format;
		unsigned int at;
		const char *text;
	} magics[] = {
		{ "luks", 0, "LUKS\xba\xbe" },
		{ "vdi", 64, "\x7f\x10\xda\xbe" },
		{ "vhdx", 0, "vhdxfile" },
		{ "vmdk", 0, "KDMV" },
		{ "vpc", 0, "conectix" },
	};
	uint8_t data[QCOW2_HEADER_MIN] = { 0 };

	if (read_some(fd, data, sizeof(data)) < 0)
		return "raw";
	for (unsigned int i = 0; i < ARRAY_SIZE(magics); i++)
		if (!memcmp(data + magics[i].at, magics[i].text,
			    strlen(magics[i].text)))
			return magics[i].format;
	return qcow2_header_cluster(data, sizeof(data)) ? "qcow2" : "raw";
}

static int read_header(int fd, struct qcow2_header *h, struct error *err)
{
	_cleanup_free_ uint8_t *data = xcalloc(1, QCOW2_HEADER_MIN);
	ssize_t n = read_some(fd, data, QCOW2_HEADER_MIN);
	size_t size = qcow2_header_cluster(data, QCOW2_HEADER_MIN);

	if (n >= 0 && size) {
		data = xrealloc(data, 1, size);
		memset(data, 0, size);
		n = read_some(fd, data, size);
	}
	if (n < 0)
		return error_set(err, n, "cannot read its header: %m");
	return qcow2_header_parse(data, MAX(size, (size_t)QCOW2_HEADER_MIN), h,
				  err);
}

int block_backing(int fd, const char *format, char **ret_name,
		  char **ret_format, struct error *err)
{
	struct qcow2_header h;
	int r;

	*ret_name = *ret_format = NULL;
	if (!str_eq(format, "qcow2"))
		return 0;
	r = read_header(fd, &h, err);
	if (r < 0)
		return r;
	if (h.backing) {
		*ret_name = steal_ptr(&h.backing);
		*ret_format = steal_ptr(&h.backing_format);
	}
	qcow2_header_free(&h);
	return 0;
}

int block_capacity(int fd, const char *format, uint64_t *ret,
		   struct error *err)
{
	struct qcow2_header h;
	off_t end;
	int r;

	if (str_eq(format, "qcow2")) {
		r = read_header(fd, &h, err);
		if (r < 0)
			return r;
		*ret = h.size;
		qcow2_header_free(&h);
		return 0;
	}
	end = lseek(fd, 0, SEEK_END);
	if (end < 0)
		return error_set(err, -errno, "cannot get its size: %m");
	*ret = end;
	return 0;
}

char *block_backing_path(const char *image, const char *name)
{
	const char *slash = strrchr(image, '/');

	if (str_startswith(name, "file:"))
		name += strlen("file:");
	if (*name == '/' || !slash)
		return xstrdup(name);
	return xasprintf("%.*s/%s", (int)(slash - image), image, name);
}
