# dbus/local.mk -- vireo-dbus, libvirt's D-Bus interfaces for the daemon.
sbin_PROGRAMS += vireo-dbus
noinst_LTLIBRARIES += %D%/libdbusservice.la
%C%_libdbusservice_la_SOURCES = \
	%D%/bus.c \
	%D%/call.c \
	%D%/convert.c \
	%D%/convert.h \
	%D%/encode.c \
	%D%/handle.c \
	%D%/iface_connect.c \
	%D%/iface_domain.c \
	%D%/iface_network.c \
	%D%/iface_storage.c \
	%D%/introspect.c \
	%D%/path.c \
	%D%/properties.c \
	%D%/service.h \
	%D%/signals.c \
	%D%/tree.c \
	%D%/values.c \
	$(NULL)
%C%_libdbusservice_la_CFLAGS = \
	$(AM_CFLAGS) $(DBUS_CFLAGS) $(FFI_CFLAGS) $(LIBVIRT_CFLAGS)
%C%_libdbusservice_la_LIBADD = \
	base/libbase.la $(DBUS_LIBS) $(FFI_LIBS) $(LIBVIRT_LIBS)

vireo_dbus_SOURCES = %D%/main.c
vireo_dbus_CFLAGS = $(AM_CFLAGS) $(DBUS_CFLAGS) $(LIBVIRT_CFLAGS)
vireo_dbus_LDADD = %D%/libdbusservice.la
