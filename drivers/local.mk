# drivers/local.mk -- what drivers adds to the one Makefile.
include drivers/kvm/local.mk
include %D%/emu/local.mk
include drivers/test/local.mk

# What drivers with a VMM share.
noinst_LTLIBRARIES += %D%/liblaunch.la
%C%_liblaunch_la_SOURCES = \
	%D%/driver.h \
	%D%/launch.c \
	%D%/launch.h \
	%D%/launch_bitmap.c \
	%D%/launch_blockjob.c \
	%D%/launch_chain.c \
	%D%/launch_channel.c \
	%D%/launch_check.c \
	%D%/launch_disk.c \
	%D%/launch_graphics.c \
	%D%/launch_hostdev.c \
	%D%/launch_memory.c \
	%D%/launch_tpm.c \
	%D%/launch_firmware.c \
	%D%/launch_migrate.c \
	%D%/launch_monitor.c \
	%D%/launch_plug.c \
	%D%/launch_nic.c \
	%D%/launch_port.c \
	%D%/launch_rescue.c \
	%D%/launch_place.c \
	%D%/launch_save.c \
	%D%/launch_spec.c \
	%D%/launch_stats.c \
	%D%/launch_tune.c \
	%D%/launch_variant.c \
	%D%/launch_fs.c \
	%D%/launch_vsock.c \
	$(NULL)
%C%_liblaunch_la_CFLAGS = $(AM_CFLAGS) $(JSON_CFLAGS) $(LIBVIRT_CFLAGS) \
	$(XML_CFLAGS)
%C%_liblaunch_la_LIBADD = vmm/libspec.la storage/libheader.la base/libbase.la $(JSON_LIBS)

# Modules that the daemon loads; they call back into it.
drivers_LTLIBRARIES += %D%/kvm.la %D%/emu.la
%C%_kvm_la_SOURCES = %D%/kvm/cpuid.c %D%/kvm/driver.c
%C%_kvm_la_CFLAGS = $(AM_CFLAGS) $(LIBVIRT_CFLAGS)
%C%_kvm_la_LDFLAGS = $(AM_LDFLAGS) -module -avoid-version -shared
%C%_kvm_la_LIBADD = %D%/liblaunch.la cpu/libcpu.la
%C%_emu_la_SOURCES = %D%/emu/driver.c
%C%_emu_la_LDFLAGS = $(AM_LDFLAGS) -module -avoid-version -shared
%C%_emu_la_LIBADD = %D%/emu/libemu-offer.la %D%/liblaunch.la cpu/libcpu.la
