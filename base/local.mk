# base/local.mk -- errors, logging, buffers, clean-up helpers.
noinst_LTLIBRARIES += %D%/libbase.la
%C%_libbase_la_SOURCES = \
	%D%/base64.c \
	%D%/base64.h \
	%D%/buf.c \
	%D%/buf.h \
	%D%/cpuset.c \
	%D%/cpuset.h \
	%D%/error.c \
	%D%/error.h \
	%D%/keycodes.c \
	%D%/keycodes.h \
	%D%/iov.c \
	%D%/iov.h \
	%D%/log.c \
	%D%/log.h \
	%D%/root.c \
	%D%/root.h \
	%D%/util.c \
	%D%/util.h \
	$(NULL)

# Apart, so that only programs that ask for it link libsystemd.
noinst_LTLIBRARIES += %D%/libjournal.la
%C%_libjournal_la_SOURCES = \
	%D%/journal.c \
	%D%/journal.h \
	$(NULL)
%C%_libjournal_la_CFLAGS = $(AM_CFLAGS) $(SYSTEMD_CFLAGS)
%C%_libjournal_la_LIBADD = $(SYSTEMD_LIBS)
