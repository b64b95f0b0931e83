/*
 * tests/unit/registry-calls.c -- what libvirt's documentation promises about
 * domains: who may do what when, which events follow, which code a refusal has.
 */
#include <sys/socket.h>

#include "tests/unit/registry-test.h"

static struct registry *reg;

/* ---- events, as one line of text each ---- */

static struct {
	pthread_mutex_t lock;
	pthread_cond_t cond;
	char text[4096];
} seen = { .lock = PTHREAD_MUTEX_INITIALIZER,
	   .cond = PTHREAD_COND_INITIALIZER };

static void on_notice(void *arg, const struct domain_notice *n)
{
	char line[512];

	if (n->kind == DOMAIN_NOTIFY_LIFECYCLE)
		snprintf(line, sizeof(line), "%s:%d/%d ", n->dom.name,
			 n->event, n->detail);
	else if (n->kind == DOMAIN_NOTIFY_REBOOT)
		snprintf(line, sizeof(line), "%s:reboot ", n->dom.name);
	else if (n->kind == DOMAIN_NOTIFY_BALLOON)
		snprintf(line, sizeof(line), "%s:balloon=%llu ", n->dom.name,
			 (unsigned long long)n->value);
	else
		snprintf(line, sizeof(line), "%s:metadata=%d ", n->dom.name,
			 n->type);
	pthread_mutex_lock(&seen.lock);
	assert(strlen(seen.text) + strlen(line) < sizeof(seen.text));
	strcat(seen.text, line);
	pthread_cond_broadcast(&seen.cond);
	pthread_mutex_unlock(&seen.lock);
}

/* Waits until as much was seen, then it must be this and nothing else. */
static void expect_events(const char *want)
{
	pthread_mutex_lock(&seen.lock);
	while (strlen(seen.text) < strlen(want))
		pthread_cond_wait(&seen.cond, &seen.lock);
	if (strcmp(seen.text, want))
		fprintf(stderr, "events: %s\nwanted: %s\n", seen.text, want);
	assert(strcmp(seen.text, want) == 0);
	seen.text[0] = '\0';
	pthread_mutex_unlock(&seen.lock);
}

static struct domain_ref define(const char *name, unsigned int n,
				const char *more)
{
	_cleanup_free_ char *xml = NULL;
	uint8_t uuid[UUID_LEN];
	struct domain_ref ref;

	number_uuid(n, uuid);
	xml = domain_xml(name, uuid, more);
	OK(domain_define(reg, xml, 0, &ref, &err));
	return ref;
}

static void test_define(void)
{
	struct domain_ref a = define("a", 1, NULL), b, got;
	_cleanup_free_ char *other_uuid = NULL, *other_name = NULL;
	uint8_t uuid[UUID_LEN];

	expect_events("a:0/0 ");
	define("a", 1, "<title>t</title>");
	expect_events("a:0/1 ");
	number_uuid(2, uuid);
	other_uuid = domain_xml("a", uuid, NULL);
	other_name = domain_xml("b", a.uuid, NULL);
	FAILS(domain_define(reg, other_uuid, 0, &b, &err),
	      VIR_ERR_OPERATION_FAILED,
	      "domain 'a' already exists with uuid "
	      "00000000-0000-4000-8000-000000000001");
	FAILS(domain_define(reg, other_name, 0, &b, &err),
	      VIR_ERR_OPERATION_FAILED, "domain 'a' is already defined with");
	FAILS(domain_define(reg, other_name, 1 << 30, &b, &err),
	      VIR_ERR_INVALID_ARG,
	      "unsupported flags (0x40000000) in function domain_define");
	OK(domain_lookup_name(reg, "a", &got, &err));
	assert(got.id == -1 && memcmp(got.uuid, a.uuid, UUID_LEN) == 0);
	FAILS(domain_lookup_name(reg, "b", &got, &err), VIR_ERR_NO_DOMAIN,
	      "no domain with matching name 'b'");
	FAILS(domain_lookup_uuid(reg, uuid, &got, &err), VIR_ERR_NO_DOMAIN,
	      "no domain with matching uuid "
	      "'00000000-0000-4000-8000-000000000002'");
	FAILS(domain_lookup_id(reg, 7000, &got, &err), VIR_ERR_NO_DOMAIN,
	      "no domain with matching id 7000");
	OK(domain_undefine(reg, a.uuid, VIR_DOMAIN_UNDEFINE_MANAGED_SAVE,
			   &err));
	expect_events("a:1/0 ");
	FAILS(domain_undefine(reg, a.uuid, 0, &err), VIR_ERR_NO_DOMAIN,
	      "no domain");
}

static void test_lifecycle(void)
{
	struct domain_ref a = define("a", 1, NULL), got;
	int first_id;

	FAILS(domain_destroy(reg, a.uuid, 0, &err), VIR_ERR_OPERATION_INVALID,
	      "domain is not running");
	FAILS(domain_shutdown(reg, a.uuid, 0, &err), VIR_ERR_OPERATION_INVALID,
	      "domain is not running");
	FAILS(domain_suspend(reg, a.uuid, &err), VIR_ERR_OPERATION_INVALID,
	      "domain is not running");
	OK(domain_create(reg, a.uuid, 0, NULL, &err));
	expect_events("a:0/0 a:2/0 ");
	expect_state(reg, a.uuid, VIR_DOMAIN_RUNNING, VIR_DOMAIN_RUNNING_BOOTED);
	FAILS(domain_create(reg, a.uuid, 0, NULL, &err),
	      VIR_ERR_OPERATION_INVALID, "domain is already running");
	OK(domain_lookup_name(reg, "a", &got, &err));
	first_id = got.id;
	assert(first_id > 0);
	OK(domain_lookup_id(reg, first_id, &got, &err));
	OK(domain_suspend(reg, a.uuid, &err));
	OK(domain_suspend(reg, a.uuid, &err)); /* again: nothing happens */
	expect_state(reg, a.uuid, VIR_DOMAIN_PAUSED, VIR_DOMAIN_PAUSED_USER);
	FAILS(domain_shutdown(reg, a.uuid, 0, &err), VIR_ERR_OPERATION_INVALID,
	      "domain is not running");
	OK(domain_resume(reg, a.uuid, &err));
	FAILS(domain_resume(reg, a.uuid, &err), VIR_ERR_OPERATION_INVALID,
	      "domain is already running");
	expect_state(reg, a.uuid, VIR_DOMAIN_RUNNING, VIR_DOMAIN_RUNNING_UNPAUSED);
	expect_events("a:3/0 a:4/0 ");
	OK(domain_reset(reg, a.uuid, 0, &err));
	expect_events("a:reboot ");
	OK(domain_shutdown(reg, a.uuid, 0, &err));
	expect_events("a:5/0 ");
	expect_state(reg, a.uuid, VIR_DOMAIN_SHUTOFF, VIR_DOMAIN_SHUTOFF_SHUTDOWN);
	OK(domain_create(reg, a.uuid, VIR_DOMAIN_START_PAUSED, NULL, &err));
	expect_events("a:2/0 a:3/0 ");
	expect_state(reg, a.uuid, VIR_DOMAIN_PAUSED, VIR_DOMAIN_PAUSED_USER);
	OK(domain_lookup_name(reg, "a", &got, &err));
	assert(got.id > first_id);
	FAILS(domain_lookup_id(reg, first_id, &got, &err), VIR_ERR_NO_DOMAIN,
	      "no domain with matching id");
	OK(domain_destroy(reg, a.uuid, 0, &err));
	expect_events("a:5/1 ");
	expect_state(reg, a.uuid, VIR_DOMAIN_SHUTOFF, VIR_DOMAIN_SHUTOFF_DESTROYED);
	OK(domain_undefine(reg, a.uuid, 0, &err));
	expect_events("a:1/0 ");
}

static void test_transient(void)
{
	_cleanup_free_ char *xml = NULL;
	struct domain_ref t, got;
	struct domain_info info;
	uint8_t uuid[UUID_LEN];

	number_uuid(3, uuid);
	xml = domain_xml("t", uuid, NULL);
	OK(domain_create_xml(reg, xml, 0, NULL, &t, &err));
	assert(t.id > 0);
	expect_events("t:2/0 ");
	FAILS(domain_create_xml(reg, xml, 0, NULL, &t, &err),
	      VIR_ERR_OPERATION_INVALID, "domain 't' is already active");
	FAILS(domain_undefine(reg, uuid, 0, &err), VIR_ERR_OPERATION_INVALID,
	      "cannot undefine transient domain");
	FAILS(domain_set_autostart(reg, uuid, true, &err),
	      VIR_ERR_OPERATION_INVALID,
	      "cannot set autostart for transient domain");
	OK(domain_get_info(reg, uuid, &info, &err));
	assert(info.active && !info.persistent);
	OK(domain_define(reg, xml, 0, &got, &err)); /* now it will stay */
	OK(domain_undefine(reg, uuid, 0, &err));    /* and now not again */
	expect_events("t:0/0 t:1/0 ");
	OK(domain_destroy(reg, uuid, 0, &err));
	expect_events("t:5/1 ");
	FAILS(domain_lookup_uuid(reg, uuid, &got, &err), VIR_ERR_NO_DOMAIN,
	      "no domain");
}

static void test_redefine_running(void)
{
	struct domain_ref a = define("a", 1, "<title>old</title>");
	_cleanup_free_ char *live = NULL, *next = NULL;
	struct domain_info info;

	OK(domain_create(reg, a.uuid, 0, NULL, &err));
	define("a", 1, "<title>new</title>");
	expect_events("a:0/0 a:2/0 a:0/1 ");
	OK(domain_get_info(reg, a.uuid, &info, &err));
	assert(info.updated);
	live = domain_get_xml(reg, a.uuid, 0, NULL);
	next = domain_get_xml(reg, a.uuid, VIR_DOMAIN_XML_INACTIVE, NULL);
	assert(strstr(live, "old") && strstr(live, " id='"));
	assert(strstr(next, "new") && !strstr(next, " id='"));
	OK(domain_destroy(reg, a.uuid, 0, &err));
	OK(domain_get_info(reg, a.uuid, &info, &err));
	assert(!info.updated && info.persistent);
	OK(domain_undefine(reg, a.uuid, 0, &err));
	expect_events("a:5/1 a:1/0 ");
}

static void test_rename(void)
{
	struct domain_ref a = define("a", 1, NULL), b = define("b", 2, NULL);
	struct domain_ref got;

	expect_events("a:0/0 b:0/0 ");
	FAILS(domain_rename(reg, a.uuid, "b", 0, &err),
	      VIR_ERR_OPERATION_INVALID,
	      "domain with name 'b' already exists");
	FAILS(domain_rename(reg, a.uuid, "x/y", 0, &err), VIR_ERR_XML_ERROR,
	      "cannot contain");
	OK(domain_rename(reg, a.uuid, "c", 0, &err));
	expect_events("a:1/1 c:0/2 ");
	OK(domain_lookup_name(reg, "c", &got, &err));
	FAILS(domain_lookup_name(reg, "a", &got, &err), VIR_ERR_NO_DOMAIN,
	      "'a'");
	OK(domain_create(reg, b.uuid, 0, NULL, &err));
	FAILS(domain_rename(reg, b.uuid, "d", 0, &err),
	      VIR_ERR_OPERATION_INVALID, "cannot rename active domain");
	OK(domain_destroy(reg, b.uuid, 0, &err));
	OK(domain_undefine(reg, a.uuid, 0, &err));
	OK(domain_undefine(reg, b.uuid, 0, &err));
	expect_events("b:2/0 b:5/1 c:1/0 b:1/0 ");
}

#define URI "http://example.org/app"

static void test_metadata(void)
{
	struct domain_ref a = define("a", 1, NULL);
	const int element = VIR_DOMAIN_METADATA_ELEMENT;
	char *text;

	OK(domain_set_metadata(reg, a.uuid, VIR_DOMAIN_METADATA_TITLE, "T",
			       NULL, NULL, 0, &err));
	OK(domain_set_metadata(reg, a.uuid, element, "<x><y/></x>", "app", URI,
			       0, &err));
	expect_events("a:0/0 a:metadata=1 a:metadata=2 ");
	text = domain_get_metadata(reg, a.uuid, VIR_DOMAIN_METADATA_TITLE,
				   NULL, 0, NULL);
	assert(str_eq(text, "T"));
	free(text);
	text = domain_get_xml(reg, a.uuid, 0, NULL);
	assert(strstr(text, "<app:x xmlns:app=\"" URI "\""));
	free(text);
	text = domain_get_metadata(reg, a.uuid, element, URI, 0, NULL);
	assert(text && strstr(text, "<x>") && strstr(text, "<y/>"));
	free(text);
	FAILS(domain_set_metadata(reg, a.uuid, element, "<x>", "app", URI, 0,
				  &err),
	      VIR_ERR_XML_ERROR, "metadata");
	FAILS(domain_set_metadata(reg, a.uuid, 0, "d", NULL, NULL,
				  VIR_DOMAIN_AFFECT_LIVE, &err),
	      VIR_ERR_OPERATION_INVALID, "domain is not running");
	OK(domain_set_metadata(reg, a.uuid, element, NULL, NULL, URI, 0,
			       &err));
	FAILS((text = domain_get_metadata(reg, a.uuid, element, URI, 0, &err))
		      ? 0
		      : -1,
	      VIR_ERR_NO_DOMAIN_METADATA, "not present");
	OK(domain_undefine(reg, a.uuid, 0, &err));
	expect_events("a:metadata=2 a:1/0 ");
}

static void test_memory(void)
{
	struct domain_ref a = define("a", 1, NULL);
	struct domain_info info;

	OK(domain_create(reg, a.uuid, 0, NULL, &err));
	OK(domain_set_memory(reg, a.uuid, 32 * MIB, 0, &err));
	expect_events("a:0/0 a:2/0 a:balloon=32768 ");
	OK(domain_get_info(reg, a.uuid, &info, &err));
	assert(info.memory == 32 * MIB && info.max_mem == 64 * MIB);
	FAILS(domain_set_memory(reg, a.uuid, 65 * MIB, 0, &err),
	      VIR_ERR_INVALID_ARG, "cannot set memory higher than max");
	FAILS(domain_set_memory(reg, a.uuid, 65 * MIB, VIR_DOMAIN_MEM_MAXIMUM,
				&err),
	      VIR_ERR_OPERATION_INVALID, "cannot resize the maximum memory");
	OK(domain_set_memory(reg, a.uuid, 48 * MIB,
			     VIR_DOMAIN_MEM_MAXIMUM | VIR_DOMAIN_AFFECT_CONFIG,
			     &err));
	OK(domain_destroy(reg, a.uuid, 0, &err));
	OK(domain_get_info(reg, a.uuid, &info, &err));
	assert(info.max_mem == 48 * MIB && info.memory == 48 * MIB);
	OK(domain_undefine(reg, a.uuid, 0, &err));
	expect_events("a:5/1 a:1/0 ");
}

static int count(unsigned int flags)
{
	struct domain_ref *refs = NULL;
	struct error err = { 0 };
	int n = domain_list(reg, flags, &refs, &err);

	free(refs);
	return n;
}

static void test_list(void)
{
	struct domain_ref a = define("a", 1, NULL), b = define("b", 2, NULL);

	OK(domain_create(reg, b.uuid, 0, NULL, &err));
	OK(domain_set_autostart(reg, a.uuid, true, &err));
	assert(count(0) == 2);
	assert(count(VIR_CONNECT_LIST_DOMAINS_ACTIVE) == 1);
	assert(count(VIR_CONNECT_LIST_DOMAINS_INACTIVE) == 1);
	assert(count(VIR_CONNECT_LIST_DOMAINS_TRANSIENT) == 0);
	assert(count(VIR_CONNECT_LIST_DOMAINS_AUTOSTART) == 1);
	assert(count(VIR_CONNECT_LIST_DOMAINS_PAUSED |
		     VIR_CONNECT_LIST_DOMAINS_SHUTOFF) == 1);
	assert(count(VIR_CONNECT_LIST_DOMAINS_HAS_SNAPSHOT) == 0);
	assert(count(1u << 31) < 0);
	OK(domain_destroy(reg, b.uuid, 0, &err));
	OK(domain_undefine(reg, a.uuid, 0, &err));
	OK(domain_undefine(reg, b.uuid, 0, &err));
	expect_events("a:0/0 b:0/0 b:2/0 b:5/1 a:1/0 b:1/0 ");
}

static struct domain_ref define_behaviour(const char *attributes)
{
	_cleanup_free_ char *xml = NULL;
	struct domain_ref ref;
	uint8_t uuid[UUID_LEN];

	number_uuid(9, uuid);
	xml = behaviour_xml("m", uuid, attributes);
	OK(domain_define(reg, xml, 0, &ref, &err));
	return ref;
}

static void test_crash(void)
{
	struct domain_ref m = define_behaviour("crash-after-ms='5'");

	OK(domain_create(reg, m.uuid, 0, NULL, &err));
	expect_events("m:0/0 m:2/0 m:8/0 m:5/2 ");
	expect_state(reg, m.uuid, VIR_DOMAIN_SHUTOFF, VIR_DOMAIN_SHUTOFF_CRASHED);
	m = define_behaviour("start='fail'");
	FAILS(domain_create(reg, m.uuid, 0, NULL, &err),
	      VIR_ERR_OPERATION_FAILED, "told to fail");
	expect_state(reg, m.uuid, VIR_DOMAIN_SHUTOFF, VIR_DOMAIN_SHUTOFF_FAILED);
	OK(domain_undefine(reg, m.uuid, 0, &err));
	expect_events("m:0/1 m:1/0 ");
}

static void *suspend_it(void *arg)
{
	struct domain_ref *m = arg;
	struct error err = { 0 };

	return (void *)(intptr_t)domain_suspend(reg, m->uuid, &err);
}

/* Until the call in the thread holds the job. */
static void wait_for_job(const struct domain_ref *m, const char *job)
{
	struct dom_obj *obj;
	bool held = false;

	OK(obj_get(reg, m->uuid, &obj, &err));
	while (!held) {
		pthread_mutex_lock(&reg->lock);
		held = str_eq(obj->job, job);
		pthread_mutex_unlock(&reg->lock);
		sleep_ms(1);
	}
	obj_unref(obj);
}

static void test_hang(void)
{
	struct domain_ref m = define_behaviour("pause='hang'");
	struct domain_info info;
	pthread_t thread;
	void *result;

	OK(domain_create(reg, m.uuid, 0, NULL, &err));
	pthread_create(&thread, NULL, suspend_it, &m);
	wait_for_job(&m, "suspend");
	reg->job_timeout_ms = 20;
	FAILS(domain_resume(reg, m.uuid, &err), VIR_ERR_OPERATION_TIMEOUT,
	      "held by suspend");
	OK(domain_get_info(reg, m.uuid, &info, &err)); /* from memory */
	reg->job_timeout_ms = 30000;
	OK(domain_destroy(reg, m.uuid, 0, &err));
	pthread_join(thread, &result);
	assert((intptr_t)result < 0);
	expect_events("m:0/0 m:2/0 m:5/1 ");
	expect_state(reg, m.uuid, VIR_DOMAIN_SHUTOFF, VIR_DOMAIN_SHUTOFF_DESTROYED);
	OK(domain_undefine(reg, m.uuid, 0, &err));
	expect_events("m:1/0 ");
}

static void *start_it(void *arg)
{
	struct domain_ref *m = arg;
	struct error err = { 0 };

	return (void *)(intptr_t)domain_create(reg, m->uuid, 0, NULL, &err);
}

static void test_hanging_start(void)
{
	struct domain_ref m = define_behaviour("start='hang'");
	pthread_t thread;
	void *result;

	pthread_create(&thread, NULL, start_it, &m);
	wait_for_job(&m, "start");
	while (count(VIR_CONNECT_LIST_DOMAINS_ACTIVE) == 0)
		sleep_ms(1);
	OK(domain_destroy(reg, m.uuid, 0, &err));
	pthread_join(thread, &result);
	assert((intptr_t)result < 0);
	OK(domain_undefine(reg, m.uuid, 0, &err));
	expect_events("m:0/0 m:1/0 ");
}

static void test_autodestroy(void)
{
	struct domain_ref a = define("a", 1, NULL);
	int owner, other;

	OK(domain_create(reg, a.uuid, VIR_DOMAIN_START_AUTODESTROY, &owner,
			 &err));
	domain_owner_gone(reg, &other);
	expect_state(reg, a.uuid, VIR_DOMAIN_RUNNING, VIR_DOMAIN_RUNNING_BOOTED);
	domain_owner_gone(reg, &owner);
	expect_state(reg, a.uuid, VIR_DOMAIN_SHUTOFF, VIR_DOMAIN_SHUTOFF_DESTROYED);
	OK(domain_undefine(reg, a.uuid, 0, &err));
	expect_events("a:0/0 a:2/0 a:5/1 a:1/0 ");
}

static void test_console(void)
{
	struct domain_ref a =
		define("a", 1, "<devices><console type='pty'/></devices>");
	char text[3] = "";
	int fd, second;

	FAILS(domain_open_console(reg, a.uuid, NULL, 0, &fd, &err),
	      VIR_ERR_OPERATION_INVALID, "domain is not running");
	OK(domain_create(reg, a.uuid, 0, NULL, &err));
	OK(domain_open_console(reg, a.uuid, NULL, 0, &fd, &err));
	FAILS(domain_open_console(reg, a.uuid, NULL, 0, &second, &err),
	      VIR_ERR_OPERATION_FAILED, "Active console session");
	assert(write_full(fd, "hi", 2) == 0 && read_full(fd, text, 2) == 0);
	assert(str_eq(text, "hi"));
	OK(domain_open_console(reg, a.uuid, NULL, VIR_DOMAIN_CONSOLE_FORCE,
			       &second, &err));
	assert(read(fd, text, 1) == 0); /* taken away */
	close(fd);
	close(second);
	OK(domain_destroy(reg, a.uuid, 0, &err));
	OK(domain_undefine(reg, a.uuid, 0, &err));
	expect_events("a:0/0 a:2/0 a:5/1 a:1/0 ");
}

static void test_default_domain(void)
{
	struct domain_ref test;

	registry_reconnect(reg);
	OK(domain_lookup_name(reg, "test", &test, &err));
	expect_state(reg, test.uuid, VIR_DOMAIN_RUNNING, VIR_DOMAIN_RUNNING_BOOTED);
	expect_events("test:0/0 test:2/0 ");
}

static int domcaps(const char *arch, const char *machine, const char *virt,
		   struct error *err)
{
	_cleanup_free_ char *xml =
		domain_capabilities_xml(NULL, arch, machine, virt, err);

	return xml && strstr(xml, "<machine>q35</machine>") ? 0 : -1;
}

static void test_capabilities(void)
{
	_cleanup_free_ char *xml = capabilities_xml(NULL);

	assert(xml && strstr(xml, "<arch>x86_64</arch>"));
	assert(strstr(xml, "<model>") && strstr(xml, "<feature name='"));
	assert(strstr(xml, "<cell id='0'>"));
	OK(domcaps("x86_64", "pc", "test", &err));
	FAILS(domcaps("sparc", NULL, "test", &err), VIR_ERR_INVALID_ARG,
	      "'sparc'");
	FAILS(domcaps(NULL, "isapc", "test", &err), VIR_ERR_INVALID_ARG,
	      "'isapc'");
	FAILS(domcaps(NULL, NULL, "xen", &err), VIR_ERR_INVALID_ARG,
	      "unknown virttype: xen");
	FAILS(domcaps(NULL, NULL, "kvm", &err), VIR_ERR_INVALID_ARG,
	      "the accel 'kvm' is not supported");
}

int main(void)
{
	registry_prepare();
	OK(drivers_load(TEST_DRIVERS, &err));
	OK(registry_open("/test", NULL, &reg, &err));
	assert(registry_find("/test") == reg && !registry_find("/system"));
	registry_subscribe(reg, on_notice, NULL);
	reg->destroy_grace_ms = 10;
	test_define();
	test_lifecycle();
	test_transient();
	test_redefine_running();
	test_rename();
	test_metadata();
	test_memory();
	test_list();
	test_crash();
	test_hang();
	test_hanging_start();
	test_autodestroy();
	test_console();
	test_default_domain();
	test_capabilities();
	registry_close(reg);
	return 0;
}
