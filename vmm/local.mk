# vmm/local.mk -- the machine, its devices, and the program that runs it.
noinst_LTLIBRARIES += %D%/libvmm.la
%C%_libvmm_la_SOURCES = \
	%D%/bus.c \
	%D%/bus.h \
	%D%/control.h \
	%D%/dev/ioapic.c \
	%D%/dev/ioapic.h \
	%D%/engine.h \
	%D%/loop.c \
	%D%/loop.h \
	%D%/machine.h \
	%D%/ram.c \
	%D%/ram.h \
	%D%/spec.h \
	%D%/x86.c \
	%D%/x86.h \
	$(NULL)
%C%_libvmm_la_LIBADD = base/libbase.la -lpthread
# vmm/local.mk -- what vmm adds to the one Makefile.

# Apart: the daemon's drivers link it too.
noinst_LTLIBRARIES += %D%/libspec.la
%C%_libspec_la_SOURCES = \
	%D%/spec.c \
	%D%/spec.h \
	$(NULL)
%C%_libspec_la_CFLAGS = $(AM_CFLAGS) $(JSON_CFLAGS)
%C%_libspec_la_LIBADD = $(JSON_LIBS)
