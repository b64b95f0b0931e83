/*
 * tests/unit/model.c -- what documents alone cannot show about model/.
 */
#undef NDEBUG
#include <errno.h>
#include <libvirt/virterror.h>
#include <libxml/parser.h>
#include <libxml/xpath.h>
#include <string.h>

#include "base/error.h"
#include "model/backup.h"
#include "model/capabilities.h"
#include "model/checkpoint.h"
#include "model/domcaps.h"
#include "model/domain.h"
#include "model/names.h"
#include "model/schemas.h"
#include "model/snapshot.h"
#include "model/units.h"

#define DOC(rest) \
	"<domain type='vireo'><name>t</name><memory>1024</memory>" rest \
	"<os><type>hvm</type></os></domain>"

static struct domain_def *parse(const char *xml)
{
	struct domain_def *def = NULL;
	struct error err = { 0 };

	if (domain_def_parse(xml, 0, &def, &err) < 0)
		printf("%s\n", err.message);
	assert(def);
	return def;
}

static void test_uuid(void)
{
	uint8_t a[UUID_LEN], b[UUID_LEN];
	char text[UUID_STR_LEN];

	uuid_generate_v4(a);
	uuid_format(a, text);
	assert(strlen(text) == 36 && text[14] == '4');
	assert(uuid_parse(text, b) == 0 && !memcmp(a, b, UUID_LEN));
	assert(uuid_parse("C7A5FDBDEDAF9455926AD65C16DB1809", b) == 0);
	assert(b[0] == 0xc7 && b[15] == 0x09);
	assert(uuid_parse("c7a5fdbd-edaf-9455-926a-d65c16db180", b) < 0);
	assert(uuid_parse("c7a5fdbd-edaf-9455-926a-d65c16db18090", b) < 0);
	assert(uuid_parse("g7a5fdbdedaf9455926ad65c16db1809", b) < 0);
	assert(uuid_parse("", b) < 0);
}

/* The units in libvirt's description of <memory>. */
static void test_units(void)
{
	static const struct {
		const char *unit;
		uint64_t bytes;
	} units[] = {
		{ NULL, 1024 },	   { "b", 1 },	       { "bytes", 1 },
		{ "KB", 1000 },	   { "k", 1024 },      { "KiB", 1024 },
		{ "MB", 1000000 }, { "M", 1048576 },   { "MiB", 1048576 },
		{ "GB", 1000000000 }, { "G", 1ull << 30 },
		{ "TiB", 1ull << 40 }, { "PiB", 1ull << 50 },
		{ "EiB", 1ull << 60 }, { "KiBs", 0 }, { "x", 0 },
	};
	uint64_t bytes;

	for (size_t i = 0; i < ARRAY_SIZE(units); i++)
		assert(unit_bytes(units[i].unit) == units[i].bytes);
	assert(size_parse("7", "EiB", &bytes) == 0);
	assert(size_parse("8", "EiB", &bytes) == -ERANGE);
	assert(size_parse("18446744073709551616", "b", &bytes) == -ERANGE);
	assert(size_parse("-1", "b", &bytes) == -EINVAL);
}

static void test_generated(void)
{
	static const char xml[] = DOC("<genid/><devices><interface "
				      "type='user'/></devices>");
	struct domain_def *a = parse(xml), *b = parse(xml);
	static const uint8_t prefix[] = { 0x52, 0x54, 0x00 };

	assert(memcmp(a->uuid, b->uuid, UUID_LEN));
	assert(strcmp(a->genid, b->genid));
	assert(!memcmp(a->ifaces[0].mac, prefix, 3));
	assert(memcmp(a->ifaces[0].mac, b->ifaces[0].mac, 6));
	domain_def_free(a);
	domain_def_free(b);
}

static void test_copy(void)
{
	struct domain_def *def = parse(DOC("<title>one</title>"));
	struct domain_def *copy = domain_def_copy(def);
	_cleanup_free_ char *before = domain_def_format(copy, 0);
	_cleanup_free_ char *after = NULL;

	domain_def_free(def);
	after = domain_def_format(copy, 0);
	assert(!strcmp(before, after));
	assert(copy->memballoon.present && !copy->memballoon.info.alias);
	domain_def_assign_aliases(copy);
	assert(!strcmp(copy->memballoon.info.alias, "balloon0"));
	domain_def_free(copy);
}

/* The driver fills in the serial line; its console shows the same. */
static void test_live_pty(void)
{
	struct domain_def *def =
		parse(DOC("<devices><console type='pty'/></devices>"));
	_cleanup_free_ char *live = NULL, *inactive = NULL;

	assert(def->n_chars == 2);
	for (unsigned int i = 0; i < def->n_chars; i++)
		if (def->chars[i].kind == CHAR_SERIAL)
			def->chars[i].source_path = xstrdup("/dev/pts/7");
	def->id = 3;
	domain_def_assign_aliases(def);
	live = domain_def_format(def, DOMAIN_FORMAT_LIVE);
	inactive = domain_def_format(def, 0);
	assert(strstr(live, "<domain type='vireo' id='3'>"));
	assert(strstr(live, "<console type='pty' tty='/dev/pts/7'>"));
	assert(strstr(live, "<alias name='serial0'/>"));
	assert(!strstr(inactive, "/dev/pts") && !strstr(inactive, "alias"));
	assert(!strstr(inactive, "id='3'"));
	domain_def_free(def);
}

static void expect_error(const char *xml, int code)
{
	struct domain_def *def = NULL;
	struct error err = { 0 };

	assert(domain_def_parse(xml, 0, &def, &err) < 0);
	assert(!def && err.code == code);
}

static void test_limits(void)
{
	size_t size = 11 * MIB;
	_cleanup_free_ char *big = xmalloc(size + 1);

	memset(big, ' ', size);
	memcpy(big, "<domain>", 8);
	big[size] = '\0';
	expect_error(big, VIR_ERR_XML_ERROR);
	expect_error("", VIR_ERR_XML_DETAIL);
	expect_error("<network/>", VIR_ERR_XML_ERROR);
}

static void test_names(void)
{
	assert(words_value(&words_virt, "vireo") == DOM_VIRT_VIREO);
	assert(words_value(&words_onoff, "yes") < 0);
	assert(!words_name(&words_onoff, TRI_ABSENT));
	assert(!strcmp(words_name(&words_char_type, CHR_DBUS), "dbus"));
	assert(!words_name(&words_virt, 99) && !words_name(&words_virt, -1));
}

static void expect_xpath(const char *xml, const char *path, const char *want)
{
	xmlDoc *doc = xmlReadMemory(xml, strlen(xml), NULL, NULL, 0);
	xmlXPathContext *ctx = xmlXPathNewContext(doc);
	xmlXPathObject *hit = xmlXPathEval(BAD_CAST path, ctx);
	xmlChar *got = xmlXPathCastToString(hit);

	if (strcmp((char *)got, want))
		printf("%s: '%s', not '%s'\n", path, (char *)got, want);
	assert(!strcmp((char *)got, want));
	xmlFree(got);
	xmlXPathFreeObject(hit);
	xmlXPathFreeContext(ctx);
	xmlFreeDoc(doc);
}

static const char *const features[] = { "sse2", "avx", NULL };

static void test_capabilities(void)
{
	static const struct caps_cpu cpus[] = { { 0, 0, 0, 0, "0-1" },
						{ 1, 0, 0, 0, "0-1" } };
	static const struct caps_pages pages[] = { { 4, 1000 } };
	static const struct caps_cell cells[] = {
		{ .memory = 4096000, .n_pages = 1, .n_cpus = 2,
		  .pages = pages, .cpus = cpus },
	};
	static const struct caps_machine machines[] = {
		{ "q35", NULL, 255 }, { "pc", "q35", 255 },
	};
	static const struct caps_driver drivers[] = {
		{ "kvm", false, "too <slow>" }, { "emu", true, "" },
	};
	const struct caps_guest guests[] = {
		{ DOM_VIRT_QEMU, "/e&mu", 2, machines },
		{ DOM_VIRT_KVM, "/kvm", 1, machines },
	};
	struct caps_host host = {
		.vendor = "AMD", .sockets = 1, .threads = 2,
		.features = features, .n_cells = 1, .cells = cells,
		.n_guests = 2, .guests = guests,
		.n_drivers = 2, .drivers = drivers,
	};
	_cleanup_free_ char *xml = capabilities_format(&host);

	expect_xpath(xml, "string(//host/cpu/arch)", "x86_64");
	expect_xpath(xml, "string(//host/cpu/feature[2]/@name)", "avx");
	expect_xpath(xml, "string(//cell/memory[@unit='KiB'])", "4000");
	expect_xpath(xml, "string(//cpus/cpu[2]/@siblings)", "0-1");
	expect_xpath(xml, "string(//guest/arch/emulator)", "/e&mu");
	expect_xpath(xml, "string(//machine[.='pc']/@canonical)", "q35");
	expect_xpath(xml, "string(//domain[@type='kvm']/emulator)", "/kvm");
	expect_xpath(xml, "string(/capabilities/*[local-name()='driver' and "
			  "namespace-uri()='urn:vireo:capabilities']"
			  "[@usable='no'])", "too <slow>");
	expect_xpath(xml, "string(/capabilities/*[@name='emu']/@usable)",
		     "yes");
}

static void test_domcaps(void)
{
	static const struct domcaps_model models[] = {
		{ "good", "AMD", NULL },
		{ "bad", NULL, features },
	};
	struct domcaps caps = { .path = "/e", .virt = DOM_VIRT_KVM,
				.machine = "q35", .max_vcpus = 8,
				.cpu_models = models, .n_cpu_models = 2 };
	_cleanup_free_ char *xml = NULL;

	domcaps_defaults(&caps);
	xml = domcaps_format(&caps);
	expect_xpath(xml, "string(/domainCapabilities/domain)", "kvm");
	expect_xpath(xml, "string(//vcpu/@max)", "8");
	expect_xpath(xml, "string(//disk/enum[@name='bus']/value)", "virtio");
	expect_xpath(xml, "string(//mode[@name='host-model']/@supported)",
		     "no");
	expect_xpath(xml, "string(//model[@usable='yes'][@vendor='AMD'])",
		     "good");
	expect_xpath(xml, "string(//model[@usable='no'])", "bad");
	expect_xpath(xml, "count(//blockers[@model='bad']/feature)", "2");
	expect_xpath(xml, "string(//backup/@supported)", "yes");
}

#define SNAPSHOT(rest) \
	"<domainsnapshot><name>s</name>" rest "</domainsnapshot>"

static int snapshot_error(const char *xml)
{
	struct snapshot_def *def = NULL;
	struct error err = { 0 };

	assert(snapshot_def_parse(xml, 0, &def, &err) < 0 && !def);
	return err.code;
}

static void test_snapshot_names(void)
{
	_cleanup_free_ char *a = snapshot_image_name("/d.d/x.qcow2", "s");
	_cleanup_free_ char *b = snapshot_image_name("/d.d/x", "s");

	assert(!strcmp(a, "/d.d/x.s") && !strcmp(b, "/d.d/x.s"));
}

/* Written, read and copied, it says the same. */
static void test_snapshot_document(void)
{
	static const char xml[] = SNAPSHOT(
		"<description>d</description><state>running</state>"
		"<parent><name>p</name></parent>"
		"<creationTime>7</creationTime><memory file='/m'/>"
		"<disks><disk name='vda' type='block'>"
		"<source dev='/dev/x'/></disk></disks>");
	struct snapshot_def *def = NULL, *again = NULL, *copy;
	_cleanup_free_ char *first = NULL, *second = NULL;
	struct error err = { 0 };

	assert(snapshot_def_parse(xml, 0, &def, &err) == 0);
	first = snapshot_def_format(def, NULL, 0);
	assert(snapshot_def_parse(first, 0, &again, &err) == 0);
	copy = snapshot_def_copy(again);
	second = snapshot_def_format(copy, NULL, 0);
	assert(!strcmp(first, second));
	expect_xpath(first, "string(//memory/@snapshot)", "external");
	expect_xpath(first, "string(//disk/@snapshot)", "external");
	expect_xpath(first, "string(//disk/source/@dev)", "/dev/x");
	expect_xpath(first, "string(//parent/name)", "p");
	snapshot_def_free(def);
	snapshot_def_free(again);
	snapshot_def_free(copy);
}

static void test_snapshot_disks(void)
{
	struct domain_def *domain = parse(DOC(
		"<devices><disk type='file'><source file='/a.raw'/>"
		"<target dev='vda' bus='virtio'/></disk>"
		"<disk type='file' snapshot='no'><source file='/b.raw'/>"
		"<target dev='vdb' bus='virtio'/></disk></devices>"));
	struct snapshot_def *def = NULL;
	struct error err = { 0 };

	assert(snapshot_def_parse(SNAPSHOT(""), 0, &def, &err) == 0);
	assert(snapshot_align_disks(def, domain, SNAP_EXTERNAL, &err) == 0);
	assert(def->n_disks == 2 && def->disks[1].where == SNAP_NO);
	assert(!strcmp(def->disks[0].file, "/a.s"));
	snapshot_def_free(def);
	assert(snapshot_def_parse(SNAPSHOT("<disks><disk name='vdz'/></disks>"),
				  0, &def, &err) == 0);
	assert(snapshot_align_disks(def, domain, SNAP_EXTERNAL, &err) < 0);
	assert(err.code == VIR_ERR_CONFIG_UNSUPPORTED);
	snapshot_def_free(def);
	domain_def_free(domain);
}

static void test_snapshot_errors(void)
{
	assert(snapshot_error("<domainsnapshot><name>a/b</name>"
			      "</domainsnapshot>") == VIR_ERR_XML_DETAIL);
	assert(snapshot_error(SNAPSHOT("<state>odd</state>")) ==
	       VIR_ERR_XML_ERROR);
	assert(snapshot_error(SNAPSHOT("<memory file='m'/>")) ==
	       VIR_ERR_XML_ERROR);
	assert(snapshot_error(SNAPSHOT("<memory snapshot='external'/>")) ==
	       VIR_ERR_XML_ERROR);
	assert(snapshot_error(SNAPSHOT("<disks><disk name='a' snapshot="
				       "'internal'><source file='/x'/></disk>"
				       "</disks>")) == VIR_ERR_XML_ERROR);
	assert(snapshot_error(SNAPSHOT("<creationTime>x</creationTime>")) ==
	       VIR_ERR_XML_ERROR);
}

#define CHECKPOINT(rest) \
	"<domaincheckpoint><name>c</name>" rest "</domaincheckpoint>"

static struct domain_def *two_disks(void)
{
	return parse(DOC(
		"<devices><disk type='file'><driver type='qcow2'/>"
		"<source file='/a.qcow2'/>"
		"<target dev='vda' bus='virtio'/></disk>"
		"<disk type='file'><driver type='raw'/>"
		"<source file='/b.raw'/>"
		"<target dev='vdb' bus='virtio'/></disk></devices>"));
}

static void test_checkpoint_document(void)
{
	static const char xml[] = CHECKPOINT(
		"<description>d</description><parent><name>p</name></parent>"
		"<creationTime>7</creationTime>"
		"<disks><disk name='vda'/>"
		"<disk name='vdb' checkpoint='no'/></disks>");
	const uint64_t sizes[] = { 65536, 0 };
	const struct checkpoint_shown how = { "p", sizes };
	struct domain_def *domain = two_disks();
	struct checkpoint_def *def = NULL, *again = NULL;
	_cleanup_free_ char *first = NULL, *second = NULL;
	struct error err = { 0 };

	assert(!checkpoint_def_parse(xml, CHECKPOINT_PARSE_VALIDATE, &def,
				     &err));
	assert(!checkpoint_align_disks(def, domain, &err));
	first = checkpoint_def_format(def, &how);
	assert(!checkpoint_def_parse(first, 0, &again, &err));
	second = checkpoint_def_format(again, &how);
	assert(!strcmp(first, second));
	expect_xpath(first, "string(//parent/name)", "p");
	expect_xpath(first, "string(//disk[@name='vda']/@bitmap)", "c");
	expect_xpath(first, "string(//disk[@name='vda']/@size)", "65536");
	expect_xpath(first, "string(//disk[@name='vdb']/@checkpoint)", "no");
	checkpoint_def_free(def);
	checkpoint_def_free(again);
	domain_def_free(domain);
}

static int checkpoint_error(const char *xml, const char *text)
{
	struct domain_def *domain = two_disks();
	struct checkpoint_def *def = NULL;
	struct error err = { 0 };
	int r = checkpoint_def_parse(xml, CHECKPOINT_PARSE_VALIDATE, &def,
				     &err);

	if (r >= 0)
		r = checkpoint_align_disks(def, domain, &err);
	assert(r < 0 && strstr(err.message, text));
	checkpoint_def_free(def);
	domain_def_free(domain);
	return err.code;
}

static void test_checkpoint_errors(void)
{
	assert(checkpoint_error(CHECKPOINT(""),
				"vdb unsupported for storage type raw") ==
	       VIR_ERR_CONFIG_UNSUPPORTED);
	assert(checkpoint_error(CHECKPOINT("<disks><disk name='x'/></disks>"),
				"no disk named 'x'") ==
	       VIR_ERR_CONFIG_UNSUPPORTED);
	assert(checkpoint_error(CHECKPOINT("<disks><disk name='vda'/>"
					   "<disk name='vda'/></disks>"),
				"specified twice") ==
	       VIR_ERR_CONFIG_UNSUPPORTED);
	assert(checkpoint_error(CHECKPOINT("<disks><disk name='vda' "
					   "bitmap='other'/></disks>"),
				"must match checkpoint name") ==
	       VIR_ERR_CONFIG_UNSUPPORTED);
	assert(checkpoint_error("<domaincheckpoint><name>.c</name>"
				"</domaincheckpoint>",
				"") == VIR_ERR_XML_INVALID_SCHEMA);
	assert(checkpoint_error(CHECKPOINT("<disks><disk name='vda' "
					   "checkpoint='no' bitmap='c'/>"
					   "</disks>"),
				"") == VIR_ERR_XML_INVALID_SCHEMA);
}

/* What is asked of one disk goes before what is asked of all. */
static void test_backup_incremental(void)
{
	static const char xml[] =
		"<domainbackup mode='pull'><incremental>c</incremental>"
		"<server transport='unix' socket='/s'/><disks>"
		"<disk name='vda' type='file'><scratch file='/x'/></disk>"
		"<disk name='vdb' type='file' backupmode='full'>"
		"<scratch file='/y'/></disk></disks></domainbackup>";
	struct domain_def *domain = two_disks();
	_cleanup_free_ char *text = NULL;
	struct backup_def *def = NULL;
	struct error err = { 0 };

	assert(!backup_def_parse(xml, &def, &err));
	assert(!backup_align(def, domain, "t", &err));
	text = backup_def_format(def);
	expect_xpath(text, "string(/domainbackup/incremental)", "c");
	expect_xpath(text, "string(//disk[@name='vda']/@incremental)", "c");
	expect_xpath(text, "string(//disk[@name='vda']/@exportbitmap)",
		     "backup-vda");
	expect_xpath(text, "string(//disk[@name='vdb']/@backupmode)", "full");
	expect_xpath(text, "count(//disk[@name='vdb']/@incremental)", "0");
	backup_def_free(def);
	assert(!backup_def_parse("<domainbackup><disks><disk name='vda' "
				 "backupmode='incremental'/></disks>"
				 "</domainbackup>",
				 &def, &err));
	assert(backup_align(def, domain, "t", &err) < 0 &&
	       err.code == VIR_ERR_XML_ERROR);
	backup_def_free(def);
	domain_def_free(domain);
}

static void load_schemas(void)
{
	const char *dir = getenv("srcdir");
	_cleanup_free_ char *path =
		xasprintf("%s/xml-schemas", dir ? dir : ".");

	assert(!model_schemas_load(path, NULL));
}

int main(void)
{
	load_schemas();
	test_snapshot_names();
	test_snapshot_document();
	test_snapshot_disks();
	test_snapshot_errors();
	test_checkpoint_document();
	test_checkpoint_errors();
	test_backup_incremental();
	test_uuid();
	test_units();
	test_generated();
	test_copy();
	test_live_pty();
	test_limits();
	test_names();
	test_capabilities();
	test_domcaps();
	return 0;
}
