/*
 * tests/unit/registry-test.h -- what the registry's tests share.
 */
#ifndef TESTS_REGISTRY_TEST_H
#define TESTS_REGISTRY_TEST_H

#include <libvirt/libvirt.h>
#include <libvirt/virterror.h>
#include <pthread.h>
#include <string.h>
#include <time.h>

#include "base/error.h"
#include "daemon/registry.h"

#define OK(call) \
	do { \
		struct error err = { 0 }; \
		int r_ = (call); \
		if (r_ < 0) \
			fprintf(stderr, "%s:%d: %s: %s\n", __FILE__, \
				__LINE__, #call, err.message); \
		assert(r_ >= 0); \
	} while (0)

/* Fails with this code, and with this text somewhere in its sentence. */
#define FAILS(call, want_code, want_text) \
	do { \
		struct error err = { 0 }; \
		int r_ = (call); \
		if (r_ >= 0 || err.code != (want_code) || \
		    !strstr(err.message, want_text)) \
			fprintf(stderr, "%s:%d: %s: %d, code %d: %s\n", \
				__FILE__, __LINE__, #call, r_, err.code, \
				err.message); \
		assert(r_ < 0 && err.code == (want_code)); \
		assert(strstr(err.message, want_text)); \
	} while (0)

static inline char *domain_xml(const char *name, const uint8_t *uuid,
			       const char *more)
{
	char text[UUID_STR_LEN];

	uuid_format(uuid, text);
	return xasprintf("<domain type='test'><name>%s</name><uuid>%s</uuid>"
			 "<memory unit='MiB'>64</memory><vcpu>1</vcpu>"
			 "<os><type arch='x86_64'>hvm</type></os>%s</domain>",
			 name, text, more ? more : "");
}

static inline char *behaviour_xml(const char *name, const uint8_t *uuid,
				  const char *attributes)
{
	_cleanup_free_ char *more = xasprintf(
		"<metadata><t:behaviour xmlns:t='urn:vireo:test-behaviour' "
		"%s/></metadata>",
		attributes);

	return domain_xml(name, uuid, more);
}

static inline void number_uuid(unsigned int n, uint8_t uuid[UUID_LEN])
{
	memset(uuid, 0, UUID_LEN);
	uuid[6] = 0x40;
	uuid[8] = 0x80;
	uuid[14] = n >> 8;
	uuid[15] = n;
}

static inline void expect_state(struct registry *reg, const uint8_t *uuid,
				int state, int reason)
{
	struct domain_info info;

	OK(domain_get_info(reg, uuid, &info, &err));
	if (info.state != state || info.reason != reason)
		fprintf(stderr, "state %d/%d, not %d/%d\n", info.state,
			info.reason, state, reason);
	assert(info.state == state && info.reason == reason);
}

static inline void sleep_ms(unsigned int ms)
{
	nanosleep(&(struct timespec){ ms / 1000, ms % 1000 * 1000000 }, NULL);
}

#endif
