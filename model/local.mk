# model/local.mk -- XML <-> C structs.
noinst_LTLIBRARIES += %D%/libmodel.la
%C%_libmodel_la_SOURCES = \
	%D%/disk_layers.c \
	%D%/disk_layers.h \
	%D%/bind.c \
	%D%/bind.h \
	%D%/bind_extra.c \
	%D%/bind_format.c \
	%D%/bind_mem.c \
	%D%/bind_parse.c \
	%D%/bind_scalar.c \
	%D%/capabilities.c \
	%D%/capabilities.h \
	%D%/complete.c \
	%D%/complete.h \
	%D%/complete_addresses.c \
	%D%/complete_chars.c \
	%D%/complete_controllers.c \
	%D%/complete_disks.c \
	%D%/device.c \
	%D%/complete_graphics.c \
	%D%/complete_ifaces.c \
	%D%/complete_memory.c \
	%D%/complete_os.c \
	%D%/complete_tune.c \
	%D%/cpu.c \
	%D%/domain.c \
	%D%/domain.h \
	%D%/domcaps.c \
	%D%/domcaps.h \
	%D%/firmware.c \
	%D%/firmware.h \
	%D%/hostdev.c \
	%D%/info.c \
	%D%/iotune.c \
	%D%/names.c \
	%D%/names.h \
	%D%/pool.c \
	%D%/pool.h \
	%D%/rules.c \
	%D%/rules.h \
	%D%/schemas.c \
	%D%/schemas.h \
	%D%/tables.h \
	%D%/tables_devices.c \
	%D%/tables_domain.c \
	%D%/tables_graphics.c \
	%D%/tables_pool.c \
	%D%/tables_pool.h \
	%D%/tables_tune.c \
	%D%/tune.c \
	%D%/tune.h \
	%D%/uninterpreted.c \
	%D%/units.c \
	%D%/units.h \
	%D%/uuid.c \
	%D%/secret.c \
	%D%/secret.h \
	%D%/volume.c \
	%D%/xml.c \
	%D%/xml.h \
	%D%/xml_build.c \
	%D%/xml_write.c \
	$(NULL)
%C%_libmodel_la_CFLAGS = $(AM_CFLAGS) $(XML_CFLAGS) $(LIBVIRT_CFLAGS)
%C%_libmodel_la_LIBADD = base/libbase.la $(XML_LIBS)
