# The wire protocol, and the server against clients of every kind.
check_PROGRAMS += \
	tests/unit/hostdmi \
	tests/unit/rpc/frame \
	tests/unit/rpc/server \
	tests/fuzz/auth \
	tests/fuzz/rpc \
	$(NULL)
TESTS += \
	tests/unit/hostdmi \
	tests/unit/rpc/frame \
	tests/unit/rpc/server \
	tests/fuzz/auth.sh \
	tests/fuzz/rpc.sh \
	$(NULL)
dist_check_SCRIPTS += tests/fuzz/auth.sh tests/fuzz/rpc.sh
EXTRA_DIST += tests/fuzz/auth.corpus tests/fuzz/rpc.corpus

tests_unit_rpc_frame_SOURCES = tests/unit/rpc/frame.c
tests_unit_rpc_frame_CFLAGS = $(AM_CFLAGS) $(TIRPC_CFLAGS) -UNDEBUG
tests_unit_rpc_frame_LDADD = rpc/librpc.la base/libbase.la

tests_unit_hostdmi_SOURCES = daemon/hostdmi.c tests/unit/hostdmi.c
tests_unit_hostdmi_CFLAGS = $(AM_CFLAGS) -UNDEBUG
tests_unit_hostdmi_LDADD = base/libbase.la

tests_unit_rpc_server_SOURCES = \
	daemon/carrier.c \
	daemon/carrier_tls.c \
	daemon/guestcpu.c \
	daemon/migrate_cookie.c \
	tests/unit/rpc/client.c \
	tests/unit/rpc/client.h \
	tests/unit/rpc/registry.c \
	tests/unit/rpc/registry.h \
	tests/unit/rpc/server.c \
	tests/unit/rpc/storage.c \
	$(NULL)
tests_unit_rpc_server_CFLAGS = $(AM_CFLAGS) $(TIRPC_CFLAGS) \
	$(SYSTEMD_CFLAGS) $(LIBVIRT_CFLAGS) $(JSON_CFLAGS) -UNDEBUG
tests_unit_rpc_server_LDADD = daemon/libserver.la model/libmodel.la \
	cpu/libcpu.la base/libbase.la $(JSON_LIBS) $(GNUTLS_LIBS)

tests_fuzz_rpc_SOURCES = tests/fuzz/rpc.c
tests_fuzz_rpc_CFLAGS = $(AM_CFLAGS) $(TIRPC_CFLAGS) -UNDEBUG
tests_fuzz_rpc_LDADD = rpc/librpc.la base/libbase.la

tests_fuzz_auth_SOURCES = daemon/sasl.c tests/fuzz/auth.c
tests_fuzz_auth_CFLAGS = $(AM_CFLAGS) $(TIRPC_CFLAGS) $(SASL_CFLAGS) \
	$(LIBVIRT_CFLAGS) -UNDEBUG
tests_fuzz_auth_LDADD = rpc/librpc.la base/libbase.la $(SASL_LIBS)
