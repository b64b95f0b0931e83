# Stock clients against the server, the registry and the in-memory driver.
check_PROGRAMS += tests/api/testd
tests_api_testd_SOURCES = \
	tests/api/testd.c \
	tests/unit/pool-host.c \
	tests/unit/pool-host.h \
	$(NULL)
tests_api_testd_CFLAGS = $(AM_CFLAGS) $(SYSTEMD_CFLAGS)
# The driver is a module and calls back.
tests_api_testd_LDFLAGS = $(AM_LDFLAGS) -export-dynamic
tests_api_testd_LDADD = \
	daemon/libserver.la \
	daemon/libdaemon-core.la \
	base/libbase.la \
	$(SYSTEMD_LIBS) \
	$(NULL)

api_tests = \
	tests/api/actions.py \
	tests/api/cpu.py \
	tests/api/dbus-service.py \
	tests/api/deaf.py \
	tests/api/events.py \
	tests/api/host.py \
	tests/api/lifecycle.py \
	tests/api/metrics.py \
	tests/api/secrets.py \
	tests/api/showtell.py \
	tests/api/storage.py \
	tests/api/virsh.py \
	$(NULL)
TESTS += $(api_tests)
dist_check_SCRIPTS += $(api_tests)
EXTRA_DIST += tests/api/functions.py tests/api/shared.py
# Run by scripts/check: tests with a daemon of their own, as root.
dist_check_SCRIPTS += tests/api/access.sh tests/api/admin.sh tests/api/hooks.sh \
	tests/api/remote.sh
EXTRA_DIST += tests/api/access.rules tests/api/access_client.py tests/api/remote_peers.py \
	tests/api/admin_clients.py tests/api/hooks_client.py
TEST_EXTENSIONS = .test .py
PY_LOG_COMPILER = /usr/bin/python3
AM_PY_LOG_FLAGS = -B
# Run by scripts/check, which gets a kernel for the guests.
dist_check_SCRIPTS += tests/api/guest.sh
EXTRA_DIST += $(wildcard $(top_srcdir)/tests/api/guest/*)
