/*
 * tests/unit/rpc/registry.h -- a registry of one domain, "foo", for tests of
 * the server: it hangs, floods and forgets on demand.
 */
#ifndef TESTS_UNIT_RPC_REGISTRY_H
#define TESTS_UNIT_RPC_REGISTRY_H

#include "daemon/domain.h"

extern const uint8_t foo_uuid[UUID_LEN];

void fake_hold(void);		 /* from now on domain_suspend() waits ... */
void fake_release(void);	 /* ... until this */
unsigned int fake_held(void);	 /* calls that wait now */
void fake_notify(int event);	 /* a lifecycle event of foo */
int fake_console(void);		 /* the far side of the console opened last */
void *fake_forget_owner(void);	 /* the owner that is gone, if any */
void *fake_owner_gone(void);	 /* waits for the call and returns its owner */
void fake_xml_size(size_t size); /* of what domain_get_xml() gives */

#endif
