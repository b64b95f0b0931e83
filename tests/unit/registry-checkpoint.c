/*
 * tests/unit/registry-checkpoint.c -- the checkpoints of a domain: which follow
 * which, what is refused, and that the store has them all.
 */
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/checkpoint.h"
#include "daemon/snapshot.h"
#include "model/schemas.h"
#include "tests/unit/registry-test.h"

#define DISK(target, format) \
	"<disk type='file'><driver type='" format "'/>" \
	"<source file='/none/" target "'/>" \
	"<target dev='" target "' bus='virtio'/></disk>"

static char dir[] = "/tmp/vireo-checkpoint-XXXXXX";
static struct registry *reg;
static struct store *db;
static uint8_t uuid[UUID_LEN];

static void open_registry(void)
{
	_cleanup_free_ char *path = xasprintf("%s/db", dir);

	OK(store_open(path, &db, &err));
	OK(registry_open("/test", db, &reg, &err));
}

static void close_registry(void)
{
	registry_close(reg);
	store_close(db);
}

static void define(const char *disks)
{
	_cleanup_free_ char *more =
		xasprintf("<devices>%s</devices>", disks);
	_cleanup_free_ char *xml = domain_xml("g", uuid, more);
	struct domain_ref ref;

	OK(domain_define(reg, xml, 0, &ref, &err));
}

/* One without a name is called by the time. */
static void create(const char *name)
{
	_cleanup_free_ char *xml = xasprintf(
		"<domaincheckpoint><name>%s</name></domaincheckpoint>", name);
	char *got = NULL;

	OK(checkpoint_create(reg, uuid, xml, 0, &got, &err));
	assert(!strcmp(got, name));
	free(got);
}

#define REFUSED(xml, flags, code, text) \
	do { \
		char *got_ = NULL; \
		FAILS(checkpoint_create(reg, uuid, xml, flags, &got_, &err), \
		      code, text); \
		assert(!got_); \
	} while (0)

/* As one line of names. */
static void expect(const char *of, unsigned int flags, const char *want)
{
	char text[256] = "";
	unsigned int n;
	char **names;

	OK(checkpoint_names(reg, uuid, of, flags, &names, &n, &err));
	for (unsigned int i = 0; i < n; i++) {
		strcat(text, names[i]);
		strcat(text, " ");
	}
	if (strcmp(text, want))
		fprintf(stderr, "'%s', not '%s'\n", text, want);
	assert(!strcmp(text, want));
	snapshot_names_free(names, n);
}

static void expect_parent(const char *name, const char *want)
{
	struct error err = { 0 };
	char *parent = checkpoint_parent(reg, uuid, name, 0, &err);

	assert(want ? parent && !strcmp(parent, want) :
		      !parent && err.code == VIR_ERR_NO_DOMAIN_CHECKPOINT);
	free(parent);
}

static char *xml_of(const char *name, unsigned int flags)
{
	struct error err = { 0 };
	char *xml = checkpoint_xml(reg, uuid, name, flags, &err);

	if (!xml)
		fprintf(stderr, "%s\n", err.message);
	assert(xml);
	return xml;
}

static void test_refused(void)
{
	define(DISK("vda", "qcow2"));
	REFUSED("<domaincheckpoint/>", 0, VIR_ERR_OPERATION_INVALID,
		"inactive domain");
	define(DISK("vda", "qcow2") DISK("vdb", "raw"));
	OK(domain_create(reg, uuid, 0, NULL, &err));
	REFUSED("<domaincheckpoint/>", 0, VIR_ERR_CONFIG_UNSUPPORTED,
		"vdb unsupported for storage type raw");
	REFUSED("<domaincheckpoint><name>a/b</name></domaincheckpoint>", 0,
		VIR_ERR_XML_INVALID_SCHEMA, "");
	REFUSED("<domaincheckpoint/>",
		VIR_DOMAIN_CHECKPOINT_CREATE_REDEFINE_VALIDATE,
		VIR_ERR_INVALID_ARG, "requires flag 'redefine'");
	FAILS(checkpoint_check(reg, uuid, "x", 0, &err),
	      VIR_ERR_NO_DOMAIN_CHECKPOINT, "'x'");
	FAILS(checkpoint_delete(reg, uuid, "x", 0, &err),
	      VIR_ERR_NO_DOMAIN_CHECKPOINT, "'x'");
	OK(domain_destroy(reg, uuid, 0, &err));
	expect(NULL, 0, "");
}

/* a - b - c, and d beside c */
static void test_tree(void)
{
	define(DISK("vda", "qcow2"));
	OK(domain_create(reg, uuid, 0, NULL, &err));
	create("a");
	create("b");
	create("c");
	REFUSED("<domaincheckpoint><name>a</name></domaincheckpoint>", 0,
		VIR_ERR_OPERATION_INVALID, "already exists");
	OK(checkpoint_delete(reg, uuid, "c",
			     VIR_DOMAIN_CHECKPOINT_DELETE_METADATA_ONLY,
			     &err));
	create("d");
	expect_parent("d", "b");
	expect_parent("a", NULL);
	expect(NULL, 0, "a b d ");
	expect(NULL, VIR_DOMAIN_CHECKPOINT_LIST_ROOTS, "a ");
	expect(NULL, VIR_DOMAIN_CHECKPOINT_LIST_LEAVES, "d ");
	expect(NULL, VIR_DOMAIN_CHECKPOINT_LIST_NO_LEAVES, "a b ");
	expect("a", 0, "b ");
	expect("a", VIR_DOMAIN_CHECKPOINT_LIST_DESCENDANTS, "b d ");
	REFUSED("<domaincheckpoint><name>e</name><disks><disk name='vdx'/>"
		"</disks></domaincheckpoint>",
		0, VIR_ERR_CONFIG_UNSUPPORTED, "no disk named 'vdx'");
}

static void test_document(void)
{
	_cleanup_free_ char *all = xml_of("b", 0);
	_cleanup_free_ char *bare =
		xml_of("b", VIR_DOMAIN_CHECKPOINT_XML_NO_DOMAIN);
	_cleanup_free_ char *size =
		xml_of("b", VIR_DOMAIN_CHECKPOINT_XML_SIZE);

	assert(strstr(all, "<parent>") && strstr(all, "<uuid>"));
	assert(strstr(all, "bitmap='b'") && !strstr(all, "size='"));
	assert(!strstr(bare, "<uuid>") && strstr(size, "size='0'"));
}

/* What its images do not have is told when somebody wants to know. */
static void test_broken(void)
{
	struct error err = { 0 };

	create("broken");
	assert(!checkpoint_xml(reg, uuid, "broken",
			       VIR_DOMAIN_CHECKPOINT_XML_SIZE, &err));
	assert(err.code == VIR_ERR_CHECKPOINT_INCONSISTENT);
	OK(checkpoint_delete(reg, uuid, "broken", 0, &err));
}

static void test_domain(void)
{
	struct domain_ref *refs;
	char *got = NULL;

	FAILS(snapshot_create(reg, uuid, "<domainsnapshot/>", 0, &got, &err),
	      VIR_ERR_OPERATION_UNSUPPORTED, "while checkpoint exists");
	assert(domain_list(reg, VIR_CONNECT_LIST_DOMAINS_HAS_CHECKPOINT, &refs,
			   NULL) == 1);
	free(refs);
	OK(domain_destroy(reg, uuid, 0, &err));
	FAILS(checkpoint_delete(reg, uuid, "a", 0, &err),
	      VIR_ERR_OPERATION_INVALID, "inactive");
	FAILS(domain_rename(reg, uuid, "h", 0, &err),
	      VIR_ERR_OPERATION_INVALID, "with 3 checkpoints");
	FAILS(domain_undefine(reg, uuid, 0, &err), VIR_ERR_OPERATION_INVALID,
	      "with 3 checkpoints");
}

/* Another daemon knows them, and which is the last. */
static void test_store(void)
{
	close_registry();
	open_registry();
	expect(NULL, 0, "a b d ");
	expect_parent("d", "b");
	OK(domain_create(reg, uuid, 0, NULL, &err));
	create("e");
	expect_parent("e", "d");
}

/* One goes, and those that followed it follow the one before. */
static void test_delete(void)
{
	OK(checkpoint_delete(reg, uuid, "b", 0, &err));
	expect_parent("d", "a");
	OK(checkpoint_delete(reg, uuid, "d",
			     VIR_DOMAIN_CHECKPOINT_DELETE_CHILDREN_ONLY,
			     &err));
	expect(NULL, 0, "a d ");
	create("f");
	expect_parent("f", "d");
	FAILS(checkpoint_delete(reg, uuid, "a",
				VIR_DOMAIN_CHECKPOINT_DELETE_CHILDREN_ONLY |
					VIR_DOMAIN_CHECKPOINT_DELETE_CHILDREN,
				&err),
	      VIR_ERR_INVALID_ARG, "mutually exclusive");
	OK(checkpoint_delete(reg, uuid, "d",
			     VIR_DOMAIN_CHECKPOINT_DELETE_CHILDREN, &err));
	expect(NULL, 0, "a ");
	create("g");
	expect_parent("g", "a");
}

static void test_redefine(void)
{
	enum { REDEFINE = VIR_DOMAIN_CHECKPOINT_CREATE_REDEFINE };
	_cleanup_free_ char *a = xml_of("a", 0), *g = xml_of("g", 0);
	char *got = NULL;

	OK(checkpoint_delete(reg, uuid, "a",
			     VIR_DOMAIN_CHECKPOINT_DELETE_METADATA_ONLY,
			     &err));
	expect_parent("g", NULL);
	OK(checkpoint_create(reg, uuid, a, REDEFINE, &got, &err));
	free(steal_ptr(&got));
	OK(checkpoint_create(reg, uuid, g, REDEFINE, &got, &err));
	free(steal_ptr(&got));
	expect_parent("g", "a");
	REFUSED("<domaincheckpoint><name>x</name></domaincheckpoint>",
		REDEFINE, VIR_ERR_XML_ERROR, "creationTime");
	REFUSED("<domaincheckpoint><name>x</name>"
		"<creationTime>1</creationTime></domaincheckpoint>",
		REDEFINE, VIR_ERR_XML_ERROR, "missing domain");
}

/* They go with their domain. */
static void test_end(void)
{
	OK(domain_destroy(reg, uuid, 0, &err));
	OK(domain_undefine(reg, uuid,
			   VIR_DOMAIN_UNDEFINE_CHECKPOINTS_METADATA, &err));
	define(DISK("vda", "qcow2"));
	expect(NULL, 0, "");
	close_registry();
	open_registry();
	expect(NULL, 0, "");
}

int main(void)
{
	const char *top = getenv("srcdir");
	_cleanup_free_ char *schemas =
		xasprintf("%s/xml-schemas", top ? top : ".");
	_cleanup_free_ char *path = NULL;

	assert(mkdtemp(dir));
	path = xasprintf("%s/db", dir);
	number_uuid(7, uuid);
	registry_prepare();
	OK(model_schemas_load(schemas, &err));
	OK(drivers_load(TEST_DRIVERS, &err));
	open_registry();
	test_refused();
	test_tree();
	test_document();
	test_broken();
	test_domain();
	test_store();
	test_delete();
	test_redefine();
	test_end();
	close_registry();
	unlink(path);
	rmdir(dir);
	return 0;
}
