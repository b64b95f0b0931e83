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
