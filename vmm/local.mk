# vmm/local.mk -- the machine, its devices, and the program that runs it.
noinst_LTLIBRARIES += %D%/libvmm.la
%C%_libvmm_la_SOURCES = \
	%D%/boot/acpi.c \
	%D%/boot/acpi.h \
	%D%/boot/aml.c \
	%D%/boot/aml.h \
	%D%/boot/boot.h \
	%D%/boot/bzimage.c \
	%D%/boot/dsdt.c \
	%D%/boot/elf.c \
	%D%/boot/image.c \
	%D%/boot/pvh.c \
	%D%/boot/unpack.c \
	%D%/bus.c \
	%D%/bus.h \
	%D%/chardev.c \
	%D%/chardev.h \
	%D%/control.h \
	%D%/cpuid.c \
	%D%/cpuid.h \
	%D%/dev/acpi_pm.c \
	%D%/dev/acpi_pm.h \
	%D%/dev/debugexit.c \
	%D%/dev/debugexit.h \
	%D%/dev/ioapic.c \
	%D%/dev/ioapic.h \
	%D%/dev/pvpanic.c \
	%D%/dev/pvpanic.h \
	%D%/dev/serial.c \
	%D%/dev/serial.h \
	%D%/devices.c \
	%D%/engine.h \
	%D%/loop.c \
	%D%/loop.h \
	%D%/machine.c \
	%D%/machine.h \
	%D%/machine_priv.h \
	%D%/ram.c \
	%D%/ram.h \
	%D%/spec.h \
	%D%/x86.c \
	%D%/x86.h \
	$(NULL)
%C%_libvmm_la_CFLAGS = $(AM_CFLAGS) $(COMPRESS_CFLAGS)
%C%_libvmm_la_LIBADD = base/libbase.la $(COMPRESS_LIBS) -lpthread

# Apart: the daemon's drivers link it too.
noinst_LTLIBRARIES += %D%/libspec.la
%C%_libspec_la_SOURCES = \
	%D%/spec.c \
	%D%/spec.h \
	$(NULL)
%C%_libspec_la_CFLAGS = $(AM_CFLAGS) $(JSON_CFLAGS)
%C%_libspec_la_LIBADD = $(JSON_LIBS)

sbin_PROGRAMS += vireo-vmm
vireo_vmm_SOURCES = \
	%D%/args.c \
	%D%/main.c \
	%D%/run.c \
	%D%/run.h \
	$(NULL)
vireo_vmm_LDADD = \
	%D%/libvmm.la \
	drivers/kvm/libkvm-engine.la \
	storage/libformat.la \
	%D%/libspec.la \
	base/libbase.la \
	$(NULL)

include vmm/virtio/local.mk
