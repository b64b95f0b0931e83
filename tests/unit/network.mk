# tests/unit/network.mk -- virtual networks.
check_PROGRAMS += tests/unit/network
TESTS += tests/unit/network
tests_unit_network_SOURCES = tests/unit/network.c
tests_unit_network_CFLAGS = $(AM_CFLAGS) $(LIBVIRT_CFLAGS) -UNDEBUG
tests_unit_network_LDADD = model/libmodel.la base/libbase.la

check_PROGRAMS += tests/unit/net
TESTS += tests/unit/net
tests_unit_net_SOURCES = tests/unit/net.c
tests_unit_net_CFLAGS = $(AM_CFLAGS) $(LIBVIRT_CFLAGS) $(NFTABLES_CFLAGS) \
	$(MNL_CFLAGS) -UNDEBUG
tests_unit_net_LDADD = network/libnet.la $(NFTABLES_LIBS) $(MNL_LIBS)

check_PROGRAMS += tests/unit/nwfilter
TESTS += tests/unit/nwfilter
tests_unit_nwfilter_SOURCES = tests/unit/nwfilter.c
tests_unit_nwfilter_CFLAGS = $(AM_CFLAGS) $(LIBVIRT_CFLAGS) \
	$(NFTABLES_CFLAGS) -UNDEBUG
tests_unit_nwfilter_LDADD = network/libnet.la $(NFTABLES_LIBS) $(MNL_LIBS)
