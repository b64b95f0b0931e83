/*
 * tests/unit/pool-host.h -- the files and folders of this process, for tests
 * of pools; it runs no commands.
 */
#ifndef TESTS_UNIT_POOL_HOST_H
#define TESTS_UNIT_POOL_HOST_H

#include "storage/pool/host.h"

extern const struct pool_host plain_host;

#endif
