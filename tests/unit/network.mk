# tests/unit/network.mk -- virtual networks.
check_PROGRAMS += tests/unit/network
TESTS += tests/unit/network
tests_unit_network_SOURCES = tests/unit/network.c
tests_unit_network_CFLAGS = $(AM_CFLAGS) $(LIBVIRT_CFLAGS) -UNDEBUG
tests_unit_network_LDADD = model/libmodel.la base/libbase.la
