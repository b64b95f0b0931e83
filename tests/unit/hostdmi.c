/*
 * tests/unit/hostdmi.c -- <sysinfo> from files as the kernel has them.
 */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/util.h"
#include "daemon/hostdmi.h"

static char dir[] = "/tmp/vireo-dmi-XXXXXX";

static const struct {
	const char *name, *text;
} files[] = {
	{ "bios_vendor", "SeaBIOS\n" },
	{ "bios_date", "04/01/2014\n" },
	{ "sys_vendor", "  A & B <Ltd>  \n" },
	{ "product_name", "Thing\x01\xff" },
	{ "product_serial", "   \n" },
	{ "chassis_asset_tag", "tag" },
};

static const char want[] =
	"<sysinfo type='smbios'>\n"
	"  <bios>\n"
	"    <entry name='vendor'>SeaBIOS</entry>\n"
	"    <entry name='date'>04/01/2014</entry>\n"
	"  </bios>\n"
	"  <system>\n"
	"    <entry name='manufacturer'>A &amp; B &lt;Ltd&gt;</entry>\n"
	"    <entry name='product'>Thing</entry>\n"
	"  </system>\n"
	"  <chassis>\n"
	"    <entry name='asset'>tag</entry>\n"
	"  </chassis>\n"
	"</sysinfo>\n";

static char *path_of(size_t i)
{
	return xasprintf("%s/%s", dir, files[i].name);
}

static void write_file(size_t i)
{
	_cleanup_free_ char *path = path_of(i);
	FILE *f = fopen(path, "w");

	assert(f);
	fputs(files[i].text, f);
	assert(fclose(f) == 0);
}

int main(void)
{
	char *xml;

	assert(mkdtemp(dir));
	assert(!hostdmi_xml("/nowhere"));
	assert(!hostdmi_xml(dir));
	for (size_t i = 0; i < ARRAY_SIZE(files); i++)
		write_file(i);
	xml = hostdmi_xml(dir);
	assert(xml);
	fputs(xml, stdout);
	assert(strcmp(xml, want) == 0);
	free(xml);
	for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
		_cleanup_free_ char *path = path_of(i);

		unlink(path);
	}
	rmdir(dir);
	return 0;
}
