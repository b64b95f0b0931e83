/*
 * tests/unit/registry-threads.c -- eight clients at once, on the same domains
 * and on their own.  Meant to run under ASan and, by hand, under TSan.
 */
#include "tests/unit/registry-test.h"

enum { THREADS = 8, ROUNDS = 60, SHARED = 3 };

static struct registry *reg;
static unsigned int notices;

static void on_notice(void *arg, const struct domain_notice *n)
{
	__atomic_add_fetch(&notices, 1, __ATOMIC_RELAXED);
}

/* On shared domains anything may be refused; nothing may break. */
static void use_shared(unsigned int n, unsigned int round)
{
	_cleanup_free_ char *name = xasprintf("shared%u", n), *xml = NULL;
	struct error err = { 0 };
	struct domain_info info;
	struct domain_ref ref;
	uint8_t uuid[UUID_LEN];

	number_uuid(n, uuid);
	xml = behaviour_xml(name, uuid,
			    round % 5 ? "shutdown='ignore'" :
					"crash-after-ms='1'");
	domain_define(reg, xml, 0, &ref, &err);
	domain_create(reg, uuid, 0, NULL, &err);
	domain_suspend(reg, uuid, &err);
	free(domain_get_xml(reg, uuid, 0, &err));
	domain_set_metadata(reg, uuid, VIR_DOMAIN_METADATA_TITLE, "t", NULL,
			    NULL, 0, &err);
	domain_resume(reg, uuid, &err);
	domain_get_info(reg, uuid, &info, &err);
	domain_shutdown(reg, uuid, 0, &err);
	domain_destroy(reg, uuid, 0, &err);
	domain_undefine(reg, uuid, 0, &err);
	domain_create_xml(reg, xml, 0, NULL, &ref, &err);
	domain_destroy(reg, uuid, 0, &err);
}

/* On its own domain everything must work as if it were alone. */
static void use_own(unsigned int thread)
{
	_cleanup_free_ char *name = xasprintf("own%u", thread), *xml = NULL;
	_cleanup_free_ char *other = xasprintf("renamed%u", thread);
	struct domain_ref ref, *refs;
	uint8_t uuid[UUID_LEN];

	number_uuid(100 + thread, uuid);
	xml = domain_xml(name, uuid, NULL);
	OK(domain_define(reg, xml, 0, &ref, &err));
	OK(domain_rename(reg, uuid, other, 0, &err));
	OK(domain_create(reg, uuid, 0, NULL, &err));
	OK(domain_lookup_name(reg, other, &ref, &err));
	assert(ref.id > 0);
	OK(domain_list(reg, VIR_CONNECT_LIST_DOMAINS_ACTIVE, &refs, &err));
	free(refs);
	OK(domain_suspend(reg, uuid, &err));
	OK(domain_destroy(reg, uuid, 0, &err));
	OK(domain_undefine(reg, uuid, 0, &err));
}

static void *client(void *arg)
{
	unsigned int thread = (uintptr_t)arg;

	for (unsigned int round = 0; round < ROUNDS; round++) {
		use_shared(round % SHARED, round + thread);
		use_own(thread);
	}
	return NULL;
}

/* Nobody calls any more: what is left is what the indices say is left. */
static void check_rest(void)
{
	struct domain_ref *refs, again;
	struct error err = { 0 };
	int n = domain_list(reg, 0, &refs, &err);

	assert(n >= 0 && n <= SHARED);
	for (int i = 0; i < n; i++) {
		OK(domain_lookup_name(reg, refs[i].name, &again, &err));
		OK(domain_lookup_uuid(reg, refs[i].uuid, &again, &err));
		domain_destroy(reg, refs[i].uuid, 0, &err);
		domain_undefine(reg, refs[i].uuid, 0, &err);
	}
	free(refs);
	assert(domain_list(reg, 0, &refs, &err) == 0);
	free(refs);
	assert(!reg->first && !reg->by_uuid.n_nodes && !reg->by_id.n_nodes &&
	       !reg->by_name.n_nodes);
}

int main(void)
{
	pthread_t threads[THREADS];

	registry_prepare();
	OK(drivers_load(TEST_DRIVERS, &err));
	OK(registry_open("/test", NULL, &reg, &err));
	registry_subscribe(reg, on_notice, NULL);
	for (uintptr_t i = 0; i < THREADS; i++)
		assert(pthread_create(&threads[i], NULL, client, (void *)i) ==
		       0);
	for (unsigned int i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	check_rest();
	assert(notices >= THREADS * ROUNDS * 7);
	registry_close(reg);
	return 0;
}
