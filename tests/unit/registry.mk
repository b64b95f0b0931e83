# The domain registry, its store and the in-memory driver.
registry_tests = \
	tests/unit/agent \
	tests/unit/pools-store \
	tests/unit/registry-calls \
	tests/unit/registry-checkpoint \
	tests/unit/registry-reconnect \
	tests/unit/registry-store \
	tests/unit/registry-threads \
	$(NULL)
check_PROGRAMS += $(registry_tests)
TESTS += $(registry_tests)

registry_test_cppflags = $(AM_CPPFLAGS) \
	-DTEST_DRIVERS='"$(abs_top_builddir)/drivers/test/.libs"'
registry_test_cflags = $(AM_CFLAGS) $(SQLITE_CFLAGS) -UNDEBUG
# The driver is a module and calls back.
registry_test_ldflags = $(AM_LDFLAGS) -export-dynamic
registry_test_ldadd = daemon/libdaemon-core.la $(SQLITE_LIBS)

tests_unit_agent_SOURCES = tests/unit/agent.c
tests_unit_agent_CFLAGS = $(registry_test_cflags) $(JSON_CFLAGS)
tests_unit_agent_LDFLAGS = $(registry_test_ldflags)
tests_unit_agent_LDADD = $(registry_test_ldadd)

tests_unit_pools_store_SOURCES = \
	tests/unit/pool-host.c \
	tests/unit/pool-host.h \
	tests/unit/pools-store.c \
	$(NULL)
tests_unit_pools_store_CFLAGS = $(registry_test_cflags) $(LIBVIRT_CFLAGS)
tests_unit_pools_store_LDFLAGS = $(registry_test_ldflags)
tests_unit_pools_store_LDADD = $(registry_test_ldadd)

tests_unit_registry_calls_SOURCES = \
	tests/unit/registry-calls.c tests/unit/registry-test.h
tests_unit_registry_calls_CPPFLAGS = $(registry_test_cppflags)
tests_unit_registry_calls_CFLAGS = $(registry_test_cflags)
tests_unit_registry_calls_LDFLAGS = $(registry_test_ldflags)
tests_unit_registry_calls_LDADD = $(registry_test_ldadd)

tests_unit_registry_checkpoint_SOURCES = \
	tests/unit/registry-checkpoint.c tests/unit/registry-test.h
tests_unit_registry_checkpoint_CPPFLAGS = $(registry_test_cppflags)
tests_unit_registry_checkpoint_CFLAGS = $(registry_test_cflags)
tests_unit_registry_checkpoint_LDFLAGS = $(registry_test_ldflags)
tests_unit_registry_checkpoint_LDADD = $(registry_test_ldadd)

tests_unit_registry_reconnect_SOURCES = \
	tests/unit/registry-reconnect.c tests/unit/registry-test.h
tests_unit_registry_reconnect_CPPFLAGS = $(registry_test_cppflags)
tests_unit_registry_reconnect_CFLAGS = $(registry_test_cflags)
tests_unit_registry_reconnect_LDFLAGS = $(registry_test_ldflags)
tests_unit_registry_reconnect_LDADD = $(registry_test_ldadd)

tests_unit_registry_store_SOURCES = \
	tests/unit/registry-store.c tests/unit/registry-test.h
tests_unit_registry_store_CPPFLAGS = $(registry_test_cppflags)
tests_unit_registry_store_CFLAGS = $(registry_test_cflags)
tests_unit_registry_store_LDFLAGS = $(registry_test_ldflags)
tests_unit_registry_store_LDADD = $(registry_test_ldadd)

tests_unit_registry_threads_SOURCES = \
	tests/unit/registry-threads.c tests/unit/registry-test.h
tests_unit_registry_threads_CPPFLAGS = $(registry_test_cppflags)
tests_unit_registry_threads_CFLAGS = $(registry_test_cflags)
tests_unit_registry_threads_LDFLAGS = $(registry_test_ldflags)
tests_unit_registry_threads_LDADD = $(registry_test_ldadd)
