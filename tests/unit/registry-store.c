/*
 * tests/unit/registry-store.c -- no accepted change is lost, whenever the
 * writer is killed or the disk is full; bad databases are refused clearly.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sqlite3.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "tests/unit/registry-test.h"

enum { DOMAINS = 20, ROUNDS = 25 };

static char dir[] = "/tmp/vireo-store-XXXXXX";
static char path[64];

/* ---- killed writers ---- */

/* Change number k gives domain k % DOMAINS the definition "<v>k</v>". */
static void write_change(struct store *s, unsigned int k)
{
	_cleanup_free_ char *name = xasprintf("d%u", k % DOMAINS);
	_cleanup_free_ char *xml = xasprintf("<v>%u</v>", k);
	struct store_domain row = { .name = name, .xml = xml };

	number_uuid(k % DOMAINS, row.uuid);
	OK(store_domain_define(s, &row, &err));
	row.live_xml = xml;
	row.id = k;
	row.driver = "test";
	OK(store_domain_live(s, &row, &err));
	if (k % 3 == 0)
		OK(store_domain_stopped(s, row.uuid, 1, &err));
}

/* Acknowledges each change only when the store has accepted all of it. */
static void writer(unsigned int from, int ack_fd)
{
	struct store *s;

	OK(store_open(path, &s, &err));
	for (unsigned int k = from;; k++) {
		write_change(s, k);
		assert(write_full(ack_fd, &k, sizeof(k)) == 0);
	}
}

struct found {
	unsigned int version[DOMAINS], rows;
};

static void note_row(void *arg, const struct store_domain *d)
{
	struct found *f = arg;
	unsigned int v;

	assert(sscanf(d->xml, "<v>%u</v>", &v) == 1);
	assert(v % DOMAINS == d->uuid[15]);
	f->version[d->uuid[15]] = v;
	f->rows++;
}

/* acked: the last change the writer was told is safe; the next may be in. */
static unsigned int check_after_kill(unsigned int acked)
{
	struct found f = { 0 };
	unsigned int newest = 0;
	struct store *s;

	OK(store_open(path, &s, &err));
	OK(store_domain_each(s, note_row, &f, &err));
	store_close(s);
	for (unsigned int i = 0; i < DOMAINS && i <= acked; i++) {
		unsigned int last = acked - (acked - i) % DOMAINS;

		assert(f.version[i] == last ||
		       (f.version[i] == acked + 1 &&
			(acked + 1) % DOMAINS == i));
		newest = MAX(newest, f.version[i]);
	}
	return newest;
}

static unsigned int kill_writer(unsigned int from, unsigned int wanted)
{
	unsigned int k, acked = from - 1, status;
	int ack[2];
	pid_t pid;

	assert(pipe2(ack, O_CLOEXEC) == 0);
	pid = fork();
	if (pid == 0)
		writer(from, ack[1]);
	close(ack[1]);
	for (unsigned int n = 0; n < wanted; n++) {
		assert(read_full(ack[0], &k, sizeof(k)) == 0);
		acked = k;
	}
	kill(pid, SIGKILL);
	while (read_full(ack[0], &k, sizeof(k)) == 0)
		acked = k;
	assert(waitpid(pid, (int *)&status, 0) == pid);
	close(ack[0]);
	return acked;
}

static void test_kills(void)
{
	unsigned int newest = 0;

	for (unsigned int round = 0; round < ROUNDS; round++)
		newest = check_after_kill(
			kill_writer(newest + 1, round * 7 % 31));
}

static int one_text(void *arg, int n, char **values, char **names)
{
	snprintf(arg, 64, "%s", values[0]);
	return 0;
}

static void sql(const char *text, char ret[64])
{
	sqlite3 *db;

	assert(sqlite3_open(path, &db) == SQLITE_OK);
	assert(sqlite3_exec(db, text, one_text, ret, NULL) == SQLITE_OK);
	sqlite3_close(db);
}

static void test_integrity(void)
{
	char answer[64] = "";
	struct stat st;

	sql("PRAGMA integrity_check", answer);
	assert(str_eq(answer, "ok"));
	sql("PRAGMA journal_mode", answer);
	assert(str_eq(answer, "wal"));
	assert(stat(path, &st) == 0 && (st.st_mode & 0777) == 0600);
}

/* ---- a full disk ---- */

static void limit_file_size(rlim_t bytes)
{
	struct rlimit limit;

	signal(SIGXFSZ, SIG_IGN);
	assert(getrlimit(RLIMIT_FSIZE, &limit) == 0);
	limit.rlim_cur = bytes == RLIM_INFINITY ? limit.rlim_max : bytes;
	assert(setrlimit(RLIMIT_FSIZE, &limit) == 0);
}

static void test_full_disk(void)
{
	_cleanup_free_ char *xml = NULL, *xml2 = NULL, *now = NULL;
	struct registry *reg;
	struct domain_ref ref;
	uint8_t uuid[UUID_LEN];
	struct store *s;
	struct error err = { 0 };

	OK(store_open(path, &s, &err));
	OK(registry_open("/test", s, &reg, &err));
	number_uuid(1, uuid);
	xml = domain_xml("full", uuid, NULL);
	xml2 = domain_xml("full", uuid, "<title>second</title>");
	OK(domain_define(reg, xml, 0, &ref, &err));
	limit_file_size(4096);
	assert(domain_define(reg, xml2, 0, &ref, &err) < 0);
	assert(domain_create(reg, uuid, 0, NULL, &err) < 0);
	assert(domain_undefine(reg, uuid, 0, &err) < 0);
	limit_file_size(RLIM_INFINITY);
	now = domain_get_xml(reg, uuid, 0, &err);
	assert(now && !strstr(now, "second"));
	OK(domain_define(reg, xml2, 0, &ref, &err));
	OK(domain_create(reg, uuid, 0, NULL, &err));
	registry_close(reg);
	store_close(s);
	unlink(path);
}

/* ---- databases that cannot be used ---- */

static void test_too_new(void)
{
	char ignored[64];
	struct store *s;

	sql("PRAGMA user_version = 99", ignored);
	FAILS(store_open(path, &s, &err), 0, "written by a newer version");
	unlink(path);
}

static void test_damaged(void)
{
	int fd = open(path, O_RDWR | O_CREAT, 0600);
	char junk[4096];
	struct store *s;

	memset(junk, 0x5a, sizeof(junk));
	assert(write_full(fd, junk, sizeof(junk)) == 0);
	close(fd);
	FAILS(store_open(path, &s, &err), 0, "damaged");
	unlink(path);
}

int main(void)
{
	_cleanup_free_ char *cleanup = NULL;

	registry_prepare();
	assert(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/state.db", dir);
	OK(drivers_load(TEST_DRIVERS, &err));
	test_kills();
	test_integrity();
	unlink(path);
	test_full_disk();
	test_too_new();
	test_damaged();
	cleanup = xasprintf("rm -r %s", dir);
	return system(cleanup);
}
