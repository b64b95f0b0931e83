/*
 * daemon/savefile.c -- a saved guest as a file: header, definition, and the
 * driver's part from the next 64 KiB on.
 *
 * The file may be anybody's: every length is checked.
 */
#include "daemon/savefile.h"

#include <errno.h>
#include <libvirt/virterror.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "base/util.h"

enum { VERSION = 1, XML_MAX = 4 << 20, STEP = 64 << 10, ROOM = 16 << 10 };

static const char magic[16] = "VireoSavedGuest";

struct header {
	char magic[16];
	uint32_t version;
	uint32_t running;
	uint32_t xml_len; /* without a terminator */
	uint32_t unused;
	uint64_t offset;
};

static int write_at(int fd, const void *data, size_t len, off_t at,
		    struct error *err)
{
	ssize_t n = pwrite(fd, data, len, at);

	if (n == (ssize_t)len)
		return 0;
	return error_virt(err, VIR_ERR_OPERATION_FAILED,
			  "cannot write the saved guest: %s",
			  n < 0 ? strerror(errno) : "the disk is full");
}

static int write_all(int fd, struct header *h, const char *xml,
		     struct error *err)
{
	int r = write_at(fd, xml, h->xml_len, sizeof(*h), err);

	return r < 0 ? r : write_at(fd, h, sizeof(*h), 0, err);
}

int savefile_write(int fd, const char *xml, bool running, uint64_t *ret_offset,
		   struct error *err)
{
	struct header h = {
		.version = VERSION,
		.running = running,
		.xml_len = strlen(xml),
	};

	memcpy(h.magic, magic, sizeof(magic));
	h.offset = ALIGN_UP(sizeof(h) + h.xml_len + ROOM, (uint64_t)STEP);
	*ret_offset = h.offset;
	return write_all(fd, &h, xml, err);
}

static int bad(struct error *err, const char *why)
{
	return error_virt(err, VIR_ERR_OPERATION_FAILED, "%s", why);
}

static int read_header(int fd, struct header *h, struct error *err)
{
	ssize_t n = pread(fd, h, sizeof(*h), 0);

	if (n < 0)
		return error_virt(err, VIR_ERR_OPERATION_FAILED,
				  "cannot read the saved guest: %s",
				  strerror(errno));
	if (n < (ssize_t)sizeof(*h) || memcmp(h->magic, magic, sizeof(magic)))
		return bad(err, "image magic is incorrect");
	if (h->version != VERSION)
		return error_virt(err, VIR_ERR_OPERATION_FAILED,
				  "image version is not supported (%u > %u)",
				  h->version, VERSION);
	if (!h->xml_len || h->xml_len > XML_MAX || h->offset % 4096 ||
	    h->offset > INT64_MAX / 2 ||
	    h->offset < sizeof(*h) + h->xml_len)
		return bad(err, "the saved guest is damaged");
	return 0;
}

int savefile_read(int fd, struct savefile *ret_file, struct error *err)
{
	_cleanup_free_ char *xml = NULL;
	struct header h;
	int r = read_header(fd, &h, err);

	if (r < 0)
		return r;
	xml = xcalloc(1, h.xml_len + 1);
	if (pread(fd, xml, h.xml_len, sizeof(h)) != (ssize_t)h.xml_len)
		return bad(err, "the saved guest is damaged");
	*ret_file = (struct savefile){ steal_ptr(&xml), h.running, h.offset };
	return 0;
}

int savefile_change(int fd, const char *xml, bool running, struct error *err)
{
	struct header h;
	int r = read_header(fd, &h, err);

	if (r < 0)
		return r;
	h.running = running;
	if (!xml)
		return write_at(fd, &h, sizeof(h), 0, err);
	if (sizeof(h) + strlen(xml) > h.offset)
		return bad(err, "new xml too large to fit in file");
	h.xml_len = strlen(xml);
	return write_all(fd, &h, xml, err);
}

void savefile_finish(struct savefile *file)
{
	free(steal_ptr(&file->xml));
}
