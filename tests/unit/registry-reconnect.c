/*
 * tests/unit/registry-reconnect.c -- what a daemon finds when it starts: guests
 * that run, guests that ended in one way or another, guests half started.
 */
#include <errno.h>

#include "tests/unit/registry-test.h"

static struct {
	int r; /* reconnect()'s answer */
	bool paused;
	const char *why;
	unsigned int starts, stops, interrupts;
} fake;

static char dir[] = "/tmp/vireo-reconnect-XXXXXX";
static char path[64];
static struct store *store;
static struct registry *reg;

static int fake_start(struct domain *dom, const struct domain_saved *from, bool paused,
		      struct error *err)
{
	fake.starts++;
	return 0;
}

static int fake_stop(struct domain *dom, enum stop_how how, struct error *err)
{
	fake.stops++;
	return 0;
}

static void fake_interrupt(struct domain *dom)
{
	fake.interrupts++;
}

static int fake_reconnect(struct domain *dom, bool *ret_paused,
			  const char **ret_why, struct error *err)
{
	*ret_paused = fake.paused;
	*ret_why = fake.why;
	return fake.r < 0 ? error_set(err, fake.r, "as told") : 0;
}

static const enum dom_virt fake_virt[] = { DOM_VIRT_QEMU, -1 };
static const struct driver fake_driver = {
	.name = "fake",
	.virt_types = fake_virt,
	.start = fake_start,
	.stop = fake_stop,
	.interrupt = fake_interrupt,
	.reconnect = fake_reconnect,
};

static void open_daemon(const char *boot_id)
{
	OK(store_open(path, &store, &err));
	OK(registry_open("/system", store, &reg, &err));
	reg->boot_id = boot_id;
	registry_reconnect(reg);
}

/* As a kill would: guests and store stay as they are. */
static void leave_daemon(void)
{
	registry_close(reg);
	store_close(store);
}

static char *qemu_xml_with(const char *name, const uint8_t *uuid,
			   const char *more)
{
	_cleanup_free_ char *xml = domain_xml(name, uuid, more);

	return xasprintf("<domain type='qemu'>%s",
			 xml + strlen("<domain type='test'>"));
}

static char *qemu_xml(const char *name, const uint8_t *uuid)
{
	return qemu_xml_with(name, uuid, NULL);
}

static void define_running(uint8_t uuid[UUID_LEN], unsigned int n)
{
	_cleanup_free_ char *name = xasprintf("d%u", n), *xml = NULL;
	struct domain_ref ref;

	number_uuid(n, uuid);
	xml = qemu_xml(name, uuid);
	OK(domain_define(reg, xml, 0, &ref, &err));
	OK(domain_create(reg, uuid, 0, NULL, &err));
}

static void test_still_running(void)
{
	struct domain_ref before, after;
	uint8_t uuid[UUID_LEN];

	open_daemon("boot1");
	define_running(uuid, 1);
	OK(domain_lookup_uuid(reg, uuid, &before, &err));
	leave_daemon();
	fake.r = 0;
	open_daemon("boot1");
	OK(domain_lookup_uuid(reg, uuid, &after, &err));
	assert(before.id > 0 && after.id == before.id);
	expect_state(reg, uuid, VIR_DOMAIN_RUNNING, VIR_DOMAIN_RUNNING_BOOTED);
	OK(domain_destroy(reg, uuid, 0, &err));
	OK(domain_create(reg, uuid, 0, NULL, &err));
	OK(domain_lookup_uuid(reg, uuid, &after, &err));
	assert(after.id > before.id);
	leave_daemon();
	fake.paused = true;
	open_daemon("boot1");
	expect_state(reg, uuid, VIR_DOMAIN_PAUSED, VIR_DOMAIN_PAUSED_UNKNOWN);
	fake.paused = false;
	OK(domain_destroy(reg, uuid, 0, &err));
	leave_daemon();
}

static void gone(int r, const char *why, int reason)
{
	uint8_t uuid[UUID_LEN];

	open_daemon("boot1");
	define_running(uuid, 1);
	leave_daemon();
	fake.r = r;
	fake.why = why;
	open_daemon("boot1");
	expect_state(reg, uuid, VIR_DOMAIN_SHUTOFF, reason);
	leave_daemon();
	open_daemon("boot1"); /* and it is known for good */
	expect_state(reg, uuid, VIR_DOMAIN_SHUTOFF, reason);
	leave_daemon();
}

static void test_gone(void)
{
	gone(-ESRCH, "poweroff", VIR_DOMAIN_SHUTOFF_SHUTDOWN);
	gone(-ESRCH, "crash", VIR_DOMAIN_SHUTOFF_CRASHED);
	gone(-ESRCH, "quit", VIR_DOMAIN_SHUTOFF_DESTROYED);
	gone(-ESRCH, NULL, VIR_DOMAIN_SHUTOFF_UNKNOWN);
	fake.interrupts = 0;
	gone(-ECONNREFUSED, NULL, VIR_DOMAIN_SHUTOFF_FAILED);
	assert(fake.interrupts == 1);
}

static void test_transient_gone(void)
{
	_cleanup_free_ char *xml = NULL;
	struct domain_ref ref;
	uint8_t uuid[UUID_LEN];

	number_uuid(2, uuid);
	xml = qemu_xml("t", uuid);
	open_daemon("boot1");
	OK(domain_create_xml(reg, xml, 0, NULL, &ref, &err));
	leave_daemon();
	fake.r = 0;
	open_daemon("boot1");
	OK(domain_lookup_name(reg, "t", &ref, &err));
	leave_daemon();
	fake.r = -ESRCH;
	open_daemon("boot1");
	FAILS(domain_lookup_name(reg, "t", &ref, &err), VIR_ERR_NO_DOMAIN,
	      "'t'");
	leave_daemon();
}

/* Killed between the record and the driver's answer. */
static void test_half_started(void)
{
	struct store_domain row = { .name = "d1", .driver = "fake", .id = 90,
				    .state = VIR_DOMAIN_PAUSED,
				    .reason = VIR_DOMAIN_PAUSED_STARTING_UP,
				    .starting = true };
	_cleanup_free_ char *xml = NULL;

	number_uuid(1, row.uuid);
	xml = qemu_xml("d1", row.uuid);
	row.live_xml = xml;
	OK(store_open(path, &store, &err));
	OK(store_domain_live(store, &row, &err));
	store_close(store);
	fake.r = 0;
	fake.stops = 0;
	open_daemon("boot1");
	assert(fake.stops == 1);
	expect_state(reg, row.uuid, VIR_DOMAIN_SHUTOFF, VIR_DOMAIN_SHUTOFF_FAILED);
	leave_daemon();
}

static void test_autostart(void)
{
	uint8_t uuid[UUID_LEN];

	number_uuid(1, uuid);
	open_daemon("boot1");
	OK(domain_set_autostart(reg, uuid, true, &err));
	leave_daemon();
	fake.starts = 0;
	open_daemon("boot1");
	assert(fake.starts == 0);
	leave_daemon();
	open_daemon("boot2");
	assert(fake.starts == 1);
	OK(domain_destroy(reg, uuid, 0, &err));
	leave_daemon();
	open_daemon("boot2");
	assert(fake.starts == 1);
	leave_daemon();
}

/* Lower orders first, those without one last; a pause holds the others up. */
static void test_autostart_order(void)
{
	static const struct {
		const char *name, *plan;
	} want[] = {
		{ "second", "order='7' delay='1'" },
		{ "last", "delay='0'" },
		{ "first", "order='2'" },
	};
	static const unsigned int by_start[] = { 2, 0, 1 };
	uint8_t uuid[3][UUID_LEN];
	struct domain_info info[3];
	unsigned int active = 0;

	open_daemon("boot2");
	for (unsigned int i = 0; i < 3; i++) {
		_cleanup_free_ char *xml = NULL, *more = xasprintf(
			"<metadata><a:autostart xmlns:a='urn:vireo:autostart' "
			"%s/></metadata>", want[i].plan);
		struct domain_ref ref;

		number_uuid(90 + i, uuid[i]);
		xml = qemu_xml_with(want[i].name, uuid[i], more);
		OK(domain_define(reg, xml, 0, &ref, &err));
		OK(domain_set_autostart(reg, uuid[i], true, &err));
	}
	leave_daemon();
	open_daemon("boot3");
	while (active < 3) {
		active = 0;
		for (unsigned int i = 0; i < 3; i++) {
			OK(domain_peek_info(reg, uuid[i], &info[i], &err));
			active += info[i].active;
		}
		usleep(1000);
	}
	for (unsigned int i = 0; i < 2; i++)
		assert(info[by_start[i]].id < info[by_start[i + 1]].id);
	for (unsigned int i = 0; i < 3; i++)
		OK(domain_destroy(reg, uuid[i], 0, &err));
	leave_daemon();
}

static void test_autostart_nonsense(void)
{
	_cleanup_free_ char *xml = NULL;
	uint8_t uuid[UUID_LEN];
	struct domain_ref ref;

	open_daemon("boot3");
	number_uuid(95, uuid);
	xml = qemu_xml_with("nonsense", uuid,
			    "<metadata><autostart xmlns='urn:vireo:autostart' "
			    "order='soon'/></metadata>");
	FAILS(domain_define(reg, xml, 0, &ref, &err),
	      VIR_ERR_CONFIG_UNSUPPORTED, "order='soon'");
	leave_daemon();
}

int main(void)
{
	_cleanup_free_ char *cleanup = NULL;

	registry_prepare();
	assert(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/state.db", dir);
	OK(drivers_add(&fake_driver, &err));
	test_still_running();
	test_gone();
	test_transient_gone();
	test_half_started();
	test_autostart();
	test_autostart_order();
	test_autostart_nonsense();
	cleanup = xasprintf("rm -r %s", dir);
	return system(cleanup);
}
