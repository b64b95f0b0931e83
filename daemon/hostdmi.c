/*
 * daemon/hostdmi.c -- what the host's firmware says of it, from the kernel's
 * files (sysfs-firmware-dmi-tables), without dmidecode.
 *
 * Those do not tell of processors, memory modules and OEM strings.
 */
#include "daemon/hostdmi.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"

struct entry {
	const char *file, *name;
};

static const struct entry bios[] = {
	{ "bios_vendor", "vendor" },
	{ "bios_version", "version" },
	{ "bios_date", "date" },
	{ "bios_release", "release" },
	{ NULL, NULL },
};
static const struct entry sys[] = {
	{ "sys_vendor", "manufacturer" },
	{ "product_name", "product" },
	{ "product_version", "version" },
	{ "product_serial", "serial" },
	{ "product_uuid", "uuid" },
	{ "product_sku", "sku" },
	{ "product_family", "family" },
	{ NULL, NULL },
};
static const struct entry board[] = {
	{ "board_vendor", "manufacturer" },
	{ "board_name", "product" },
	{ "board_version", "version" },
	{ "board_serial", "serial" },
	{ "board_asset_tag", "asset" },
	{ NULL, NULL },
};
static const struct entry chassis[] = {
	{ "chassis_vendor", "manufacturer" },
	{ "chassis_version", "version" },
	{ "chassis_serial", "serial" },
	{ "chassis_asset_tag", "asset" },
	{ NULL, NULL },
};

static const struct {
	const char *element;
	const struct entry *entries;
} groups[] = {
	{ "bios", bios },
	{ "system", sys },
	{ "baseBoard", board },
	{ "chassis", chassis },
};

/* Its first line, without spaces around it. */
static bool read_line(const char *dir, const char *file, char text[256])
{
	_cleanup_free_ char *path = xasprintf("%s/%s", dir, file);
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, text, 255);
	size_t len;

	text[n > 0 ? n : 0] = '\0';
	text[strcspn(text, "\n")] = '\0';
	len = strspn(text, " \t");
	memmove(text, text + len, strlen(text + len) + 1);
	len = strlen(text);
	while (len && strchr(" \t", text[len - 1]))
		text[--len] = '\0';
	return len != 0;
}

/* SMBIOS strings are ASCII; what is not, or is no character, is left out. */
static void add_text(struct buf *b, const char *text)
{
	for (; *text; text++) {
		if (*text == '&')
			buf_puts(b, "&amp;");
		else if (*text == '<')
			buf_puts(b, "&lt;");
		else if (*text == '>')
			buf_puts(b, "&gt;");
		else if (*text >= ' ' && *text <= '~')
			buf_add(b, text, 1);
	}
}

static void add_group(struct buf *b, const char *dir, const char *element,
		      const struct entry *e)
{
	bool begun = false;
	char text[256];

	for (; e->file; e++) {
		if (!read_line(dir, e->file, text))
			continue;
		if (!begun)
			buf_printf(b, "  <%s>\n", element);
		begun = true;
		buf_printf(b, "    <entry name='%s'>", e->name);
		add_text(b, text);
		buf_puts(b, "</entry>\n");
	}
	if (begun)
		buf_printf(b, "  </%s>\n", element);
}

char *hostdmi_xml(const char *dir)
{
	_cleanup_buf_ struct buf b = { 0 };
	struct buf all = { 0 };

	for (size_t i = 0; i < ARRAY_SIZE(groups); i++)
		add_group(&b, dir, groups[i].element, groups[i].entries);
	if (!b.len)
		return NULL;
	buf_printf(&all, "<sysinfo type='smbios'>\n%s</sysinfo>\n", b.data);
	return buf_steal(&all);
}
