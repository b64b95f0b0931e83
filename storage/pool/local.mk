# storage/pool/local.mk -- pools and their volumes, for the daemon.
noinst_LTLIBRARIES += %D%/libpool.la
%C%_libpool_la_SOURCES = \
	%D%/dir.c \
	%D%/disk.c \
	%D%/fs.c \
	%D%/host.h \
	%D%/image.c \
	%D%/image.h \
	%D%/iscsi.c \
	%D%/listing.c \
	%D%/logical.c \
	%D%/pool.c \
	%D%/pool.h \
	%D%/scsi.c \
	%D%/tool.c \
	%D%/tools.h \
	%D%/zfs.c \
	$(NULL)
%C%_libpool_la_CFLAGS = $(AM_CFLAGS) $(LIBVIRT_CFLAGS)
%C%_libpool_la_LIBADD = model/libmodel.la base/libbase.la
