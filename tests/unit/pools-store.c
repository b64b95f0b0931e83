/*
 * tests/unit/pools-store.c -- pools and secrets over the daemon's restarts and
 * the host's.
 */
#undef NDEBUG
#include <fcntl.h>
#include <libvirt/virterror.h>
#include <string.h>
#include <sys/stat.h>

#include "daemon/pools.h"
#include "daemon/registry.h"
#include "daemon/secret_key.h"
#include "daemon/secrets.h"
#include "tests/unit/pool-host.h"

static char dir[] = "/tmp/vireo-pools-XXXXXX";
static struct store *store;
static struct registry *reg;

static void good(int r, const struct error *err)
{
	if (r < 0)
		printf("%s\n", err->message);
	assert(r == 0);
}

/* A daemon's start, on a host that has booted that often. */
static void begin(const char *boot)
{
	_cleanup_free_ char *path = xasprintf("%s/db", dir);
	struct error err = { 0 };

	good(store_open(path, &store, &err), &err);
	good(registry_open("/system", store, &reg, &err), &err);
	reg->boot_id = boot;
	good(secrets_open(reg, dir, &err), &err);
	good(pools_open(reg, &plain_host, &err), &err);
}

static void end(void)
{
	pools_close(reg);
	secrets_close(reg);
	registry_close(reg);
	store_close(store);
}

static void add_pool(const char *name, bool transient, struct pool_ref *ref)
{
	_cleanup_free_ char *path = xasprintf("%s/%s", dir, name);
	_cleanup_free_ char *xml = xasprintf(
		"<pool type='dir'><name>%s</name><target><path>%s</path>"
		"</target></pool>", name, path);
	struct error err = { 0 };

	assert(mkdir(path, 0755) == 0);
	good(pool_define(reg, xml, transient, 0, ref, &err), &err);
}

static bool active(const struct pool_ref *ref)
{
	struct pool_info info;
	struct error err = { 0 };

	good(pool_get_info(reg, ref->uuid, &info, &err), &err);
	return info.active;
}

static bool there(const char *name)
{
	struct pool_ref ref;

	if (pool_lookup(reg, POOL_BY_NAME, name, &ref, NULL) < 0)
		return false;
	pool_ref_finish(&ref);
	return true;
}

static void remove_dir(const char *name)
{
	_cleanup_free_ char *path = xasprintf("%s/%s", dir, name);

	assert(rmdir(path) == 0);
}

static void test_pools(void)
{
	struct pool_ref started, marked, passing;
	struct error err = { 0 };

	begin("first");
	add_pool("started", false, &started);
	add_pool("marked", false, &marked);
	add_pool("passing", true, &passing);
	good(pool_do(reg, started.uuid, POOL_START, 0, &err), &err);
	good(pool_set_autostart(reg, marked.uuid, true, &err), &err);
	end();

	begin("first"); /* the daemon alone */
	assert(active(&started) && active(&passing) && !active(&marked));
	end();

	begin("second");
	assert(!active(&started) && active(&marked) && !there("passing"));
	good(pool_do(reg, marked.uuid, POOL_STOP, 0, &err), &err);
	end();

	begin("second"); /* once for each boot */
	assert(!active(&marked));
	good(pool_do(reg, marked.uuid, POOL_START, 0, &err), &err);
	end();

	remove_dir("marked");
	begin("second"); /* its folder has gone */
	assert(!active(&marked));
	good(pool_do(reg, marked.uuid, POOL_UNDEFINE, 0, &err), &err);
	end();
	begin("second");
	assert(!there("marked") && there("started"));
	end();
	remove_dir("started");
	remove_dir("passing");
	pool_ref_finish(&started);
	pool_ref_finish(&marked);
	pool_ref_finish(&passing);
}

/* ---- secrets ---- */

static const char word[] = "a word that nobody knows";

static bool is_in(const char *name)
{
	_cleanup_free_ char *path = xasprintf("%s/%s", dir, name);
	_cleanup_close_ int fd = open(path, O_RDONLY);
	_cleanup_free_ char *data = NULL;
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0)
		return false;
	data = xmalloc(st.st_size + 1);
	assert(read_full(fd, data, st.st_size) == 0);
	return memmem(data, st.st_size, word, strlen(word));
}

static void expect_value(const struct secret_ref *ref)
{
	struct error err = { 0 };
	void *value;
	size_t len;

	good(secret_get_value(reg, ref->uuid, false, &value, &len, &err),
	     &err);
	assert(len == strlen(word) && !memcmp(value, word, len));
	secret_value_free(value, len);
}

static void test_secrets(void)
{
	_cleanup_free_ char *key = xasprintf("%s/secrets.key", dir);
	struct secret_ref kept, passing;
	struct error err = { 0 };
	struct stat st;
	size_t len;
	void *value;

	begin("second");
	good(secret_define(reg, "<secret private='yes'/>", false, &kept, &err),
	     &err);
	good(secret_define(reg, "<secret ephemeral='yes'/>", false, &passing,
			   &err), &err);
	good(secret_set_value(reg, kept.uuid, word, strlen(word), &err), &err);
	good(secret_set_value(reg, passing.uuid, word, strlen(word), &err),
	     &err);
	expect_value(&passing);
	assert(!is_in("db") && !is_in("db-wal"));
	end();
	assert(stat(key, &st) == 0 && (st.st_mode & 0777) == 0600);

	begin("second");
	expect_value(&kept);
	assert(secret_get_value(reg, kept.uuid, true, &value, &len, &err) < 0);
	assert(err.code == VIR_ERR_INVALID_SECRET);
	assert(secret_get_xml(reg, passing.uuid, &err) == NULL);
	end();

	assert(unlink(key) == 0);
	begin("second"); /* with another key */
	assert(secret_get_value(reg, kept.uuid, false, &value, &len, &err) <
	       0);
	good(secret_undefine(reg, kept.uuid, &err), &err);
	end();
	assert(unlink(key) == 0);
	secret_ref_finish(&kept);
	secret_ref_finish(&passing);
}

static void test_key(void)
{
	uint8_t sealed[3 + SECRET_OVERHEAD], opened[3];
	struct secret_key k;
	struct error err = { 0 };

	good(secret_key_load(NULL, &k, &err), &err);
	good(secret_seal(&k, "me", 2, "abc", 3, sealed, &err), &err);
	assert(secret_unseal(&k, "me", 2, sealed, sizeof(sealed), opened,
			     &err) == 0 && !memcmp(opened, "abc", 3));
	assert(secret_unseal(&k, "he", 2, sealed, sizeof(sealed), opened,
			     &err) < 0);
	assert(secret_unseal(&k, "me", 2, sealed, SECRET_OVERHEAD - 1, opened,
			     &err) < 0);
	sealed[sizeof(sealed) - 1] ^= 1;
	assert(secret_unseal(&k, "me", 2, sealed, sizeof(sealed), opened,
			     &err) < 0);
}

int main(void)
{
	static const char *const files[] = { "db", "db-wal", "db-shm" };

	assert(mkdtemp(dir));
	test_pools();
	test_secrets();
	test_key();
	for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
		_cleanup_free_ char *path = xasprintf("%s/%s", dir, files[i]);

		unlink(path);
	}
	assert(rmdir(dir) == 0);
	return 0;
}
