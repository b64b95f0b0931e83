/*
 * model/uuid.c -- UUIDs (RFC 4122) as libvirt reads and writes them.
 */
#include <errno.h>
#include <string.h>
#include <sys/random.h>

#include "base/util.h"
#include "model/domain.h"

void uuid_generate_v4(uint8_t uuid[UUID_LEN])
{
	if (getrandom(uuid, UUID_LEN, 0) != UUID_LEN)
		abort(); /* 16 bytes cannot be interrupted: getrandom(2) */
	uuid[6] = (uuid[6] & 0x0f) | 0x40; /* 4.1.3: version 4 */
	uuid[8] = (uuid[8] & 0x3f) | 0x80; /* 4.1.1: the RFC's variant */
}

static int hex_digit(char c)
{
	static const char digits[] = "0123456789abcdef";
	const char *p = c ? strchr(digits, c | 0x20) : NULL;

	/* Setting 0x20 also maps 0x10..0x19 to digits: not those. */
	return p && c >= '0' ? p - digits : -1;
}

/* Like libvirt: hyphens and blanks between bytes do not matter. */
int uuid_parse(const char *text, uint8_t ret_uuid[UUID_LEN])
{
	uint8_t uuid[UUID_LEN];

	text += strspn(text, " \t\r\n");
	for (int i = 0; i < UUID_LEN; i++) {
		int high, low;

		text += strspn(text, "- ");
		high = hex_digit(text[0]);
		low = high < 0 ? -1 : hex_digit(text[1]);
		if (low < 0)
			return -EINVAL;
		uuid[i] = high << 4 | low;
		text += 2;
	}
	text += strspn(text, " \t\r\n");
	if (*text)
		return -EINVAL;
	memcpy(ret_uuid, uuid, UUID_LEN);
	return 0;
}

void uuid_format(const uint8_t uuid[UUID_LEN], char ret_text[UUID_STR_LEN])
{
	char *p = ret_text;

	for (int i = 0; i < UUID_LEN; i++) {
		if (i == 4 || i == 6 || i == 8 || i == 10)
			*p++ = '-';
		p += sprintf(p, "%02x", uuid[i]);
	}
}
