/*
 * storage/format/vhdx.c -- Hyper-V's images (Microsoft's [MS-VHDX]), fixed
 * and dynamic; little-endian.
 *
 * One that was not closed has a log that must be carried out first: that is
 * left to who writes such images.
 */
#include <errno.h>
#include <string.h>

#include "base/error.h"
#include "storage/format/endian.h"
#include "storage/format/foreign.h"

enum {
	HEADER = 4096,
	TABLE = 64 * 1024, /* of regions, and of metadata */
	TABLE_ENTRIES = 2047,
	ENTRY = 32,
	STATE_DATA = 6, /* PAYLOAD_BLOCK_FULLY_PRESENT */
	STATE_PART = 7,
	HAS_PARENT = 2,
};

#define HEADER_1 (64 * 1024ull)
#define HEADER_2 (128 * 1024ull)
#define REGIONS	 (192 * 1024ull)
#define CHUNK	 BIT64(23) /* sectors that one bitmap block says all about */

/* Mixed-endian GUIDs as they are in the file. */
static const uint8_t bat_region[16] = {
	0x66, 0x77, 0xc2, 0x2d, 0x23, 0xf6, 0x00, 0x42,
	0x9d, 0x64, 0x11, 0x5e, 0x9b, 0xfd, 0x4a, 0x08,
};
static const uint8_t metadata_region[16] = {
	0x06, 0xa2, 0x7c, 0x8b, 0x90, 0x47, 0x9a, 0x4b,
	0xb8, 0xfe, 0x57, 0x5f, 0x05, 0x0f, 0x88, 0x6e,
};
static const uint8_t file_parameters[16] = {
	0x37, 0x67, 0xa1, 0xca, 0x36, 0xfa, 0x43, 0x4d,
	0xb3, 0xb6, 0x33, 0xf0, 0xaa, 0x44, 0xe7, 0x6b,
};
static const uint8_t virtual_disk_size[16] = {
	0x24, 0x42, 0xa5, 0x2f, 0x1b, 0xcd, 0x76, 0x48,
	0xb2, 0x11, 0x5d, 0xbe, 0xd8, 0x3b, 0xf4, 0xb8,
};
static const uint8_t logical_sector_size[16] = {
	0x1d, 0xbf, 0x41, 0x81, 0x6f, 0xa9, 0x09, 0x47,
	0xba, 0x47, 0xf2, 0x33, 0xa8, 0xfa, 0xab, 0x5f,
};

static uint32_t crc32c(const uint8_t *p, size_t n)
{
	uint32_t crc = UINT32_MAX;

	while (n--) {
		crc ^= *p++;
		for (unsigned int i = 0; i < 8; i++)
			crc = crc >> 1 ^ (crc & 1 ? 0x82f63b78 : 0);
	}
	return ~crc;
}

/* The checksum is over all of it, with zeroes in its own place. */
static bool is_sound(uint8_t *d, size_t len, const char *signature)
{
	uint32_t sum = get_le32(d + 4);

	memset(d + 4, 0, 4);
	return !memcmp(d, signature, 4) && crc32c(d, len) == sum;
}

/* "Headers": the one with the higher sequence number counts. */
static int read_header(struct foreign *f, uint8_t *ret, struct error *err)
{
	const uint64_t places[] = { HEADER_1, HEADER_2 };
	uint8_t d[HEADER];
	bool found = false;

	for (unsigned int i = 0; i < ARRAY_SIZE(places); i++) {
		if (foreign_read(f, d, sizeof(d), places[i]) < 0 ||
		    !is_sound(d, sizeof(d), "head"))
			continue;
		if (found && get_le64(d + 8) <= get_le64(ret + 8))
			continue;
		memcpy(ret, d, sizeof(d));
		found = true;
	}
	return found ? 0 : foreign_bad(err, "header is not VHDX's");
}

static int check_header(const uint8_t *d, struct error *err)
{
	static const uint8_t none[16];

	if (get_le16(d + 66) != 1)
		return foreign_bad(err, "version is unknown");
	return memcmp(d + 48, none, sizeof(none)) ?
		       error_set(err, -ENOTSUP,
				 "its log has to be carried out first, by who writes it") :
		       0;
}

/* ---- regions and metadata ---- */

static const uint8_t *find_region(const uint8_t *table, const uint8_t *guid)
{
	uint32_t n = get_le32(table + 8);

	for (uint32_t i = 0; i < n && i < TABLE_ENTRIES; i++)
		if (!memcmp(table + 16 + i * ENTRY, guid, 16))
			return table + 16 + i * ENTRY;
	return NULL;
}

static int item(struct foreign *f, const uint8_t *table, uint64_t region,
		const uint8_t *guid, void *to, uint32_t len)
{
	uint32_t n = get_le16(table + 10);

	for (uint32_t i = 0; i < n && i < TABLE_ENTRIES; i++) {
		const uint8_t *e = table + 32 + i * ENTRY;

		if (!memcmp(e, guid, 16) && get_le32(e + 20) >= len)
			return foreign_read(f, to, len,
					    region + get_le32(e + 16));
	}
	return -ENOENT;
}

static int read_metadata(struct block *blk, struct foreign *f,
			 uint64_t region, struct error *err)
{
	_cleanup_free_ uint8_t *table = xmalloc(TABLE);
	uint8_t parameters[8], size[8], sector[4];

	if (foreign_read(f, table, TABLE, region) < 0 ||
	    memcmp(table, "metadata", 8) ||
	    item(f, table, region, file_parameters, parameters, 8) < 0 ||
	    item(f, table, region, virtual_disk_size, size, 8) < 0 ||
	    item(f, table, region, logical_sector_size, sector, 4) < 0)
		return foreign_bad(err, "metadata is incomplete");
	if (get_le32(parameters + 4) & HAS_PARENT)
		return error_set(err, -ENOTSUP,
				 "it is based on another image, which is not supported for VHDX");
	f->unit = get_le32(parameters);
	blk->size = get_le64(size);
	if (f->unit < MIB || (f->unit & (f->unit - 1)) ||
	    (get_le32(sector) != 512 && get_le32(sector) != 4096))
		return foreign_bad(err, "blocks cannot have that size");
	f->step = CHUNK * get_le32(sector) / f->unit;
	return foreign_check(f, blk->size, err);
}

/* ---- blocks ---- */

/* After each "chunk" the table has an entry for that one's bitmap. */
static int place(struct foreign *f, uint64_t offset, struct foreign_place *p)
{
	uint64_t block = offset / f->unit, inside = offset % f->unit;
	uint64_t i = block + block / f->step, e;
	uint8_t data[8];
	int r = foreign_read(f, data, sizeof(data), f->table + i * 8);

	*p = (struct foreign_place){ .len = f->unit - inside };
	if (r < 0)
		return r;
	e = get_le64(data);
	if ((e & 7) == STATE_PART)
		return -EIO;
	if ((e & 7) == STATE_DATA) {
		p->where = FOREIGN_DATA;
		p->host = ALIGN_DOWN(e, MIB) + inside;
	}
	return 0;
}

static int parse(struct block *blk, struct foreign *f, struct error *err)
{
	_cleanup_free_ uint8_t *table = xmalloc(TABLE);
	const uint8_t *bat, *metadata;
	uint8_t header[HEADER];
	int r = read_header(f, header, err);

	if (r >= 0)
		r = check_header(header, err);
	if (r < 0)
		return r;
	if (foreign_read(f, table, TABLE, REGIONS) < 0 ||
	    !is_sound(table, TABLE, "regi"))
		return foreign_bad(err, "region table is not there");
	bat = find_region(table, bat_region);
	metadata = find_region(table, metadata_region);
	if (!bat || !metadata || get_le64(bat + 16) > INT64_MAX / 2 ||
	    get_le64(metadata + 16) > INT64_MAX / 2)
		return foreign_bad(err, "regions are incomplete");
	f->table = get_le64(bat + 16);
	f->place = place;
	return read_metadata(blk, f, get_le64(metadata + 16), err);
}

static int vhdx_open(struct block *blk, struct error *err)
{
	struct foreign *f;
	int r = foreign_open(blk, &f, err);

	if (r < 0)
		return r;
	r = parse(blk, f, err);
	if (r < 0)
		foreign_close(blk);
	return r;
}

FOREIGN_FORMAT(block_vhdx, "vhdx", vhdx_open);
