# daemon/local.mk -- vireod: its two halves, and what main serves.
sbin_PROGRAMS += %D%/vireod
%C%_vireod_SOURCES = \
	%D%/confine.c \
	%D%/confine.h \
	%D%/domain.h \
	%D%/host.c \
	%D%/host.h \
	%D%/listen.c \
	%D%/listen.h \
	%D%/options.c \
	%D%/options.h \
	%D%/priv.c \
	%D%/priv.h \
	%D%/priv_chr.c \
	%D%/priv_net.c \
	%D%/priv_open.c \
	%D%/priv_path.c \
	%D%/priv_probe.c \
	%D%/priv_spawn.c \
	%D%/priv_vmm.c \
	%D%/serve.c \
	%D%/serve.h \
	%D%/server.h \
	%D%/store.h \
	%D%/vireod.c \
	%D%/watch.c \
	%D%/watch.h \
	$(NULL)
%C%_vireod_CPPFLAGS = $(AM_CPPFLAGS) -DSOURCE_FROM_BUILD='"$(top_srcdir)"'
%C%_vireod_CFLAGS = $(AM_CFLAGS) $(SYSTEMD_CFLAGS) $(CAPNG_CFLAGS)
# Drivers are modules that call back into us.
%C%_vireod_LDFLAGS = $(AM_LDFLAGS) -export-dynamic
%C%_vireod_LDADD = \
	base/libjournal.la \
	base/libbase.la \
	$(SYSTEMD_LIBS) \
	$(CAPNG_LIBS) \
	-lpthread \
	$(NULL)

include daemon/server.mk
