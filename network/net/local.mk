# network/net/local.mk -- virtual networks on the host: libnet.
noinst_LTLIBRARIES += network/libnet.la
network_libnet_la_SOURCES = \
	%D%/bridge.c \
	%D%/bridge.h \
	%D%/bridge_port.c \
	%D%/direct.c \
	%D%/direct.h \
	%D%/dnsmasq.c \
	%D%/dnsmasq.h \
	%D%/filter.h \
	%D%/filter_plan.c \
	%D%/filter_text.c \
	%D%/leases.c \
	%D%/netlink.c \
	%D%/netlink.h \
	%D%/nft.c \
	%D%/nft.h \
	%D%/plan.c \
	%D%/plan.h \
	%D%/rate.c \
	%D%/rate.h \
	%D%/rules.c \
	%D%/rules.h \
	%D%/rules_watch.c \
	%D%/view.c \
	%D%/view.h \
	%D%/view_write.c \
	$(NULL)
network_libnet_la_CFLAGS = $(AM_CFLAGS) $(MNL_CFLAGS) $(NFTABLES_CFLAGS) \
	$(LIBVIRT_CFLAGS)
network_libnet_la_LIBADD = model/libmodel.la base/libbase.la $(MNL_LIBS) \
	$(NFTABLES_LIBS)
