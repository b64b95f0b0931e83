/*
 * tests/unit/pool.c -- pools' XML, and the kinds of pools on a host of our
 * own: real folders, and commands whose answers are written down here.
 */
#undef NDEBUG
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <libvirt/libvirt.h>
#include <libvirt/virterror.h>
#include <string.h>
#include <sys/stat.h>

#include "base/buf.h"
#include "model/pool.h"
#include "model/schemas.h"
#include "model/secret.h"
#include "storage/pool/image.h"
#include "storage/pool/pool.h"
#include "tests/unit/pool-host.h"

/* ---- a host ---- */

static const struct {
	enum pool_tool tool;
	const char *output;
} answers[] = {
	{ TOOL_VG_INFO, "  1000,400\n" },
	{ TOOL_LV_LIST,
	  "  a,uuid-a,200,-wi-a-----,,,\n"
	  "  s,uuid-s,200,swi-a-s---,a,,1.00\n"
	  "  tp,uuid-tp,300,twi-aotz--,,,10.00\n"
	  "  t,uuid-t,1000,Vwi-a-tz--,,tp,50.00\n"
	  "  [x],uuid-x,1,ewi-------,,,\n" },
	{ TOOL_PV_LIST, "  vg,/dev/sda\n  ,/dev/sdc\n  vg,/dev/sdb\n" },
	{ TOOL_ZFS_INFO, "used\t300\navailable\t700\n" },
	{ TOOL_ZFS_LIST, "tank/v\t65536\t70000\t100\ntank/set/w\t1\t1\t1\n"
			 "tanks/u\t1\t0\t1\n" },
	{ TOOL_PARTED_PRINT,
	  "BYT;\n/dev/sdx:104857600B:scsi:512:512:gpt:A disk:;\n"
	  "1:17408B:1048575B:1031168B:free;\n"
	  "1:1048576B:11534335B:10485760B:ext4:vireo:;\n"
	  "1:11534336B:104840703B:93306368B:free;\n" },
	{ TOOL_BLOCKS,
	  "/dev/sda disk 1000 3:0:1:0 0x5000 s1\n"
	  "/dev/sda1 part 500   \n"
	  "/dev/sdb disk 2000 4:0:0:0 \n"
	  "/dev/mapper/mp0 mpath 3000   \n"
	  "/dev/mapper/mp0 mpath 3000   \n" },
	{ TOOL_MOUNTS, "/ /dev/vda\n/mnt/a\\x20b srv:/x\n" },
	{ TOOL_NFS_EXPORTS, "/export/a 10.0.0.0/8\n/export/b (everyone)\n" },
	{ TOOL_ISCSI_TARGETS, "10.0.0.1:3260,1 iqn.2020-01.org:x\n" },
};

static struct buf commands; /* what was run */

static int fake_run(enum pool_tool tool, const char *const *args,
		    char **ret_output, struct error *err)
{
	char **argv = tool_argv(tool, args, err);

	if (!argv)
		return -EINVAL;
	for (unsigned int i = 0; argv[i]; i++)
		buf_printf(&commands, "%s%s", i ? " " : "", argv[i]);
	buf_puts(&commands, "\n");
	tool_argv_free(argv);
	for (size_t i = 0; i < ARRAY_SIZE(answers); i++)
		if (answers[i].tool == tool)
			*ret_output = xstrdup(answers[i].output);
	if (!*ret_output)
		*ret_output = xstrdup("");
	return 0;
}

static bool ran(const char *command)
{
	bool yes = commands.data && strstr(commands.data, command);

	if (!yes)
		printf("not run: %s\nbut:\n%s", command, commands.data);
	buf_free(&commands);
	return yes;
}

static bool fake_has(enum pool_tool tool)
{
	return true;
}

static struct pool_host host; /* its own commands */

/* ---- documents ---- */

static struct pool_def *pool(const char *xml)
{
	struct pool_def *def = NULL;
	struct error err = { 0 };

	if (pool_def_parse(xml, true, &def, &err) < 0)
		printf("%s\n", err.message);
	assert(def);
	return def;
}

static struct vol_def *volume(const char *xml, enum pool_type type)
{
	struct vol_def *def = NULL;
	struct error err = { 0 };

	if (vol_def_parse(xml, type, true, &def, &err) < 0)
		printf("%s\n", err.message);
	assert(def);
	return def;
}

static void refused(const char *xml, int code)
{
	struct pool_def *def;
	struct error err = { 0 };

	assert(pool_def_parse(xml, false, &def, &err) < 0);
	if (err.code != code)
		printf("%d: %s\n", err.code, err.message);
	assert(err.code == code);
}

/* What is written reads back to the same text. */
static void stable(const char *xml)
{
	struct pool_def *def = pool(xml), *again;
	_cleanup_free_ char *text = pool_def_format(def);
	_cleanup_free_ char *second = NULL;

	again = pool(text);
	pool_def_free(def);
	def = pool_def_copy(again);
	pool_def_free(again);
	second = pool_def_format(def);
	pool_def_free(def);
	assert(!strcmp(text, second));
}

static void test_pool_xml(void)
{
	struct pool_def *def =
		pool("<pool type='dir'><name>p</name><capacity>77</capacity>"
		     "<target><path>//var//lib/</path><permissions>"
		     "<mode>0755</mode><owner>-1</owner></permissions>"
		     "</target></pool>");
	_cleanup_free_ char *text = pool_def_format(def);

	assert(!strcmp(def->path, "/var/lib") && !def->capacity);
	assert(perms_mode(&def->perms, 0) == 0755);
	assert(perms_owner(&def->perms) == -1);
	assert(strstr(text, "<capacity unit='bytes'>0</capacity>"));
	assert(strstr(text, "<path>/var/lib</path>"));
	pool_def_free(def);

	stable("<pool type='netfs'><name>n</name><source>"
	       "<host name='h' port='2049'/><dir path='/e'/>"
	       "<format type='nfs'/><protocol ver='4.2'/></source>"
	       "<target><path>/mnt</path></target></pool>");
	stable("<pool type='iscsi'><name>n</name><source><host name='h'/>"
	       "<device path='iqn.x'/><auth type='chap' username='u'>"
	       "<secret usage='s'/></auth></source><target>"
	       "<path>/dev/disk/by-path</path></target></pool>");
	stable("<pool type='logical'><name>vg</name></pool>");

	refused("<pool type='dir'><name>p</name></pool>", VIR_ERR_XML_ERROR);
	refused("<pool type='dir'><name>a/b</name><target><path>/x</path>"
		"</target></pool>", VIR_ERR_XML_ERROR);
	refused("<pool type='no'><name>p</name></pool>", VIR_ERR_XML_ERROR);
	refused("<pool type='netfs'><name>p</name><target><path>/x</path>"
		"</target></pool>", VIR_ERR_XML_ERROR);
	refused("<pool type='fs'><name>p</name><source><device path='/dev/x'/>"
		"<format type='vfs'/></source><target><path>/x</path>"
		"</target></pool>", VIR_ERR_XML_ERROR);
}

static void test_volume_xml(void)
{
	struct error err = { 0 };
	struct vol_def *def = volume(
		"<volume><name>v.img</name><key>k</key>"
		"<capacity unit='G'>1</capacity><allocation>4096</allocation>"
		"<target><path>/no</path><format type='raw'/></target>"
		"</volume>", POOL_DIR);
	_cleanup_free_ char *text = vol_def_format(def);

	assert(def->capacity == GIB && def->allocation == 4096);
	assert(!def->key && !def->target.path);
	assert(strstr(text, "<capacity unit='bytes'>1073741824</capacity>"));
	vol_def_free(def);
	assert(vol_def_parse("<volume><name>..</name><capacity>1</capacity>"
			     "</volume>", POOL_DIR, false, &def, &err) < 0);
	assert(vol_def_parse("<volume><name>a</name></volume>", POOL_DIR,
			     false, &def, &err) < 0);
	assert(vol_def_parse("<volume><name>a</name><capacity>1</capacity>"
			     "<target><format type='qcow2'/></target>"
			     "</volume>", POOL_LOGICAL, false, &def, &err) <
	       0);
}

static void test_secret_xml(void)
{
	struct error err = { 0 };
	struct secret_def *def;
	_cleanup_free_ char *text = NULL;

	assert(secret_def_parse("<secret private='yes'><usage type='ceph'>"
				"<name>n</name></usage></secret>", true, &def,
				&err) == 0);
	assert(def->is_private && !def->ephemeral);
	assert(def->usage == SECRET_CEPH && !strcmp(def->usage_id, "n"));
	text = secret_def_format(def);
	assert(strstr(text, "ephemeral='no'") && strstr(text, "<uuid>"));
	secret_def_free(def);
	assert(secret_def_parse("<secret><usage type='volume'/></secret>",
				false, &def, &err) < 0);
	assert(secret_def_parse("<secret/>", true, &def, &err) == 0);
	secret_def_free(def);
}

/* ---- the examples ---- */

static char *slurp(const char *path)
{
	_cleanup_fclose_ FILE *f = fopen(path, "r");
	struct buf text = { 0 };
	char part[4096];
	size_t n;

	assert(f);
	while ((n = fread(part, 1, sizeof(part), f)))
		buf_add(&text, part, n);
	return buf_steal(&text);
}

static void test_example(const char *name, const char *xml)
{
	struct error err = { 0 };
	struct secret_def *secret;

	if (strstr(name, "secret")) {
		assert(secret_def_parse(xml, true, &secret, &err) == 0);
		secret_def_free(secret);
	} else if (strstr(name, "volume")) {
		vol_def_free(volume(xml, POOL_DIR));
	} else {
		stable(xml);
	}
}

static void test_examples(const char *dir)
{
	DIR *d = opendir(dir);
	unsigned int n = 0;
	struct dirent *e;

	assert(d);
	while ((e = readdir(d))) {
		_cleanup_free_ char *path = xasprintf("%s/%s", dir, e->d_name);
		_cleanup_free_ char *xml = NULL;

		if (!strstr(e->d_name, ".xml"))
			continue;
		xml = slurp(path);
		test_example(e->d_name, xml);
		n++;
	}
	closedir(d);
	assert(n >= 6);
}

/* ---- arguments ---- */

static void test_arguments(void)
{
	static const struct {
		enum pool_tool tool;
		const char *args[4];
		bool good;
	} cases[] = {
		{ TOOL_VG_START, { "vg-0.x" }, true },
		{ TOOL_VG_START, { "-vg" }, false },
		{ TOOL_VG_START, { "a b" }, false },
		{ TOOL_VG_START, { "" }, false },
		{ TOOL_VG_START, { NULL }, false },
		{ TOOL_UNMOUNT, { "/a b/c" }, true },
		{ TOOL_UNMOUNT, { "a/b" }, false },
		{ TOOL_UNMOUNT, { "/a/../b" }, false },
		{ TOOL_UNMOUNT, { "/a\nb" }, false },
		{ TOOL_UNMOUNT, { "/" }, false },
		{ TOOL_MOUNT, { "/dev/sda", "/usr/sbin" }, false },
		{ TOOL_MOUNT, { "/dev/sda", "/usr" }, false },
		{ TOOL_MOUNT, { "/dev/sda", "//usr" }, false },
		{ TOOL_MOUNT, { "/dev/sda", "/./usr" }, false },
		{ TOOL_MOUNT, { "/dev/sda", "/usrdata" }, true },
		{ TOOL_MOUNT_TYPE, { "fuse", "/dev/sda", "/srv/a" }, false },
		{ TOOL_MOUNT_TYPE, { "xfs", "/dev/sda", "/srv/a" }, true },
		{ TOOL_VG_REMOVE, { "@tag" }, false },
		{ TOOL_PV_CREATE, { "/dev/sda" }, true },
		{ TOOL_PV_CREATE, { "/etc/passwd" }, false },
		{ TOOL_PV_CREATE, { "/dev/../etc/passwd" }, false },
		{ TOOL_NFS_EXPORTS, { "[fe80::1%eth0]" }, true },
		{ TOOL_NFS_EXPORTS, { "--help" }, false },
		{ TOOL_LV_RESIZE, { "12", "vg", "lv" }, true },
		{ TOOL_LV_RESIZE, { "+12", "vg", "lv" }, false },
		{ TOOL_ZFS_INFO, { "tank/a" }, true },
		{ TOOL_ZFS_INFO, { "../tank" }, false },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		char **argv = tool_argv(cases[i].tool, cases[i].args, NULL);

		if (!argv != !cases[i].good)
			printf("case %zu\n", i);
		assert(!argv == !cases[i].good);
		tool_argv_free(argv);
	}
}

/* ---- kinds of pools ---- */

static void refresh(struct pool_def *def, struct vol_list *vols)
{
	struct error err = { 0 };
	int r = pool_backend(def->type)->refresh(&host, def, vols, &err);

	if (r < 0)
		printf("%s\n", err.message);
	assert(r == 0);
}

static void write_file(const char *path, const void *data, size_t len)
{
	_cleanup_close_ int fd = open(path, O_WRONLY | O_CREAT, 0600);

	assert(fd >= 0 && write_full(fd, data, len) == 0);
}

/* The header of a qcow2 image of 1 GiB over "base.img". */
static void make_qcow2(const char *path)
{
	uint8_t h[256] = { 'Q', 'F', 'I', 0xfb, 0, 0, 0, 3 };

	h[15] = 200;			  /* backing_file_offset */
	h[19] = strlen("base.img");	  /* its length */
	h[23] = 16;			  /* cluster_bits */
	h[28] = 0x40;			  /* size: 1 << 30 */
	h[103] = 104;			  /* header_length */
	memcpy(h + 104, "\xe2\x79\x2a\xca\0\0\0\3raw", 11);
	memcpy(h + 200, "base.img", 8);
	write_file(path, h, sizeof(h));
}

static void test_dir_lists(const char *dir)
{
	_cleanup_free_ char *xml = xasprintf(
		"<pool type='dir'><name>d</name><target><path>%s</path>"
		"</target></pool>", dir);
	_cleanup_free_ char *image = xasprintf("%s/i.qcow2", dir);
	_cleanup_free_ char *base = xasprintf("%s/base.img", dir);
	struct pool_def *def = pool(xml);
	struct vol_list vols = { 0 };
	const struct vol_def *v;

	make_qcow2(image);
	write_file(base, "x", 1);
	refresh(def, &vols);
	assert(vols.n == 2 && def->capacity && def->available);
	v = vol_list_find(&vols, "i.qcow2");
	assert(v && str_eq(v->target.format, "qcow2"));
	assert(v->capacity == GIB && v->physical == 256);
	assert(str_eq(v->backing.path, base));
	assert(str_eq(v->backing.format, "raw"));
	assert(str_eq(v->target.compat, "1.1"));
	v = vol_list_find(&vols, "base.img");
	assert(v && str_eq(v->target.format, "raw") && v->capacity == 1);
	assert(str_eq(v->key, base));
	vol_list_free(&vols);
	pool_def_free(def);
	unlink(image);
	unlink(base);
}

static void test_dir_volumes(const char *dir)
{
	const struct pool_backend *b = pool_backend(POOL_DIR);
	_cleanup_free_ char *xml = xasprintf(
		"<pool type='dir'><name>d</name><target><path>%s/p</path>"
		"</target></pool>", dir);
	struct pool_def *def = pool(xml);
	struct vol_def *v = volume(
		"<volume><name>v</name><capacity>1000000</capacity>"
		"<allocation>0</allocation><target><permissions>"
		"<mode>0640</mode></permissions></target></volume>", POOL_DIR);
	struct error err = { 0 };
	struct stat st;

	assert(!b->is_active(&host, def));
	assert(b->build(&host, def, 0, &err) == 0 && b->is_active(&host, def));
	assert(b->vol_create(&host, def, v, &err) == 0);
	assert(v->capacity == 1000000 && v->allocation < 1000000);
	assert(v->type == VOL_FILE && v->target.mtime);
	assert(stat(v->target.path, &st) == 0 && (st.st_mode & 0777) == 0640);
	assert(b->vol_resize(&host, def, v, 2000000, true, &err) == 0);
	assert(b->vol_refresh(&host, def, v, &err) == 0);
	assert(v->capacity == 2000000 && v->allocation >= 1000000);
	assert(b->destroy(&host, def, &err) < 0); /* not empty */
	assert(b->vol_remove(&host, def, v, &err) == 0);
	assert(b->destroy(&host, def, &err) == 0);
	vol_def_free(v);
	v = volume("<volume><name>v</name><capacity>1</capacity><target>"
		   "<format type='vmdk'/></target></volume>", POOL_DIR);
	assert(b->build(&host, def, 0, &err) == 0);
	assert(b->vol_create(&host, def, v, &err) < 0);
	assert(err.code == VIR_ERR_OPERATION_UNSUPPORTED);
	assert(access(v->target.path, F_OK) < 0);
	assert(b->destroy(&host, def, &err) == 0);
	vol_def_free(v);
	pool_def_free(def);
}

static void test_logical(void)
{
	struct pool_def *def =
		pool("<pool type='logical'><name>vg</name></pool>");
	const struct pool_backend *b = pool_backend(POOL_LOGICAL);
	struct source_list sources = { 0 };
	struct vol_list vols = { 0 };
	const struct vol_def *v;
	struct vol_def *new;

	refresh(def, &vols);
	assert(def->capacity == 1000 && def->available == 400);
	assert(vols.n == 3 && !vol_list_find(&vols, "tp"));
	v = vol_list_find(&vols, "s");
	assert(v && str_eq(v->backing.path, "/dev/vg/a"));
	v = vol_list_find(&vols, "t");
	assert(v && v->capacity == 1000 && v->allocation == 500);
	assert(b->find_sources(&host, &def->source, &sources, NULL) == 0);
	assert(sources.n == 1 && sources.sources[0].n_devices == 2);
	buf_free(&commands);

	new = volume("<volume><name>a</name><capacity>4096</capacity>"
		     "</volume>", POOL_LOGICAL);
	assert(b->vol_create(&host, def, new, NULL) == 0);
	assert(str_eq(new->key, "uuid-a") && new->type == VOL_BLOCK);
	assert(ran("lvcreate -y -W y --name a -L 4096b vg\n"));
	vol_def_free(new);
	new = volume("<volume><name>t</name><capacity>4096</capacity>"
		     "<backingStore><path>/dev/vg/tp</path></backingStore>"
		     "</volume>", POOL_LOGICAL);
	assert(b->vol_create(&host, def, new, NULL) == 0);
	assert(ran("lvcreate -y -W y --name t -V 4096b --thinpool tp vg\n"));
	vol_def_free(new);
	source_list_free(&sources);
	vol_list_free(&vols);
	pool_def_free(def);
}

static void test_zfs(void)
{
	struct pool_def *def =
		pool("<pool type='zfs'><name>z</name><source>"
		     "<name>tank</name></source></pool>");
	struct vol_list vols = { 0 };
	struct vol_def *new;

	refresh(def, &vols);
	assert(def->capacity == 1000 && vols.n == 1);
	assert(str_eq(vols.vols[0]->target.path, "/dev/zvol/tank/v"));
	assert(vols.vols[0]->allocation == 70000);
	new = volume("<volume><name>n</name><capacity>10000</capacity>"
		     "<allocation>0</allocation></volume>", POOL_ZFS);
	assert(pool_backend(POOL_ZFS)->vol_create(&host, def, new, NULL) == 0);
	assert(ran("zfs create -s -V 16384 tank/n\n"));
	vol_def_free(new);
	vol_list_free(&vols);
	pool_def_free(def);
}

static void test_disk(void)
{
	struct pool_def *def =
		pool("<pool type='disk'><name>x</name><source>"
		     "<device path='/dev/sdx'/><format type='gpt'/></source>"
		     "<target><path>/dev</path></target></pool>");
	const struct pool_backend *b = pool_backend(POOL_DISK);
	struct vol_list vols = { 0 };
	struct vol_def *new;

	refresh(def, &vols);
	assert(def->capacity == 104857600 && vols.n == 1);
	assert(str_eq(vols.vols[0]->name, "sdx1"));
	assert(vols.vols[0]->extents[0].start == 1048576);
	new = volume("<volume><name>whatever</name><capacity>2000000"
		     "</capacity></volume>", POOL_DISK);
	/* The disk that is written down here does not change. */
	assert(b->vol_create(&host, def, new, NULL) < 0);
	assert(ran("mkpart vireo 11534336B 13631487B\n"));
	assert(b->vol_remove(&host, def, vols.vols[0], NULL) == 0);
	assert(ran("parted -s /dev/sdx rm 1\n"));
	vol_def_free(new);
	vol_list_free(&vols);
	pool_def_free(def);
}

static void test_found(void)
{
	struct pool_def *def =
		pool("<pool type='scsi'><name>s</name><source>"
		     "<adapter name='scsi_host3'/></source><target>"
		     "<path>/dev/disk/by-path</path></target></pool>");
	struct vol_list vols = { 0 };

	refresh(def, &vols);
	assert(vols.n == 1 && str_eq(vols.vols[0]->name, "unit:0:1:0"));
	vol_list_free(&vols);
	pool_def_free(def);
	def = pool("<pool type='mpath'><name>m</name></pool>");
	refresh(def, &vols);
	assert(vols.n == 1 && vols.vols[0]->capacity == 3000);
	vol_list_free(&vols);
	pool_def_free(def);
}

static void test_netfs(void)
{
	struct pool_def *def =
		pool("<pool type='netfs'><name>n</name><source>"
		     "<host name='srv'/><dir path='/x'/></source>"
		     "<target><path>/mnt/a b</path></target></pool>");
	const struct pool_backend *b = pool_backend(POOL_NETFS);
	struct source_list sources = { 0 };

	assert(b->is_active(&host, def));
	assert(b->stop(&host, def, NULL) == 0 && ran("umount /mnt/a b\n"));
	free(def->path);
	def->path = xstrdup("/mnt");
	assert(!b->is_active(&host, def) && b->start(&host, def, NULL) == 0);
	assert(ran("mount -t nfs -o nodev,nosuid,noexec srv:/x "
		   "/mnt\n"));
	assert(b->find_sources(&host, &def->source, &sources, NULL) == 0);
	assert(sources.n == 2 && str_eq(sources.sources[1].dir, "/export/b"));
	source_list_free(&sources);
	pool_def_free(def);
	buf_free(&commands);
}

int main(void)
{
	char dir[] = "/tmp/vireo-pool-XXXXXX";
	const char *src = getenv("srcdir");
	_cleanup_free_ char *schemas =
		xasprintf("%s/xml-schemas", src ? src : ".");
	_cleanup_free_ char *examples =
		xasprintf("%s/examples/storage", src ? src : ".");
	struct error err = { 0 };

	if (model_schemas_load(schemas, &err) < 0)
		printf("%s\n", err.message);
	assert(!err.errnum && mkdtemp(dir));
	host = plain_host;
	host.run = fake_run;
	host.has = fake_has;
	umask(0);
	test_pool_xml();
	test_volume_xml();
	test_secret_xml();
	test_examples(examples);
	test_arguments();
	test_dir_lists(dir);
	test_dir_volumes(dir);
	test_logical();
	test_zfs();
	test_disk();
	test_found();
	test_netfs();
	assert(rmdir(dir) == 0);
	model_schemas_unload();
	buf_free(&commands);
	return 0;
}
