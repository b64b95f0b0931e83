# vmm/local.mk -- the machine, its devices, and the program that runs it.
noinst_LTLIBRARIES += %D%/libvmm.la
%C%_libvmm_la_SOURCES = \
	%D%/boot/acpi.c \
	%D%/boot/acpi.h \
	%D%/boot/acpi_loader.c \
	%D%/boot/acpi_numa.c \
	%D%/boot/aml.c \
	%D%/boot/aml.h \
	%D%/boot/boot.h \
	%D%/boot/bootorder.c \
	%D%/boot/bootorder.h \
	%D%/boot/bzimage.c \
	%D%/boot/dsdt.c \
	%D%/boot/dsdt_cpus.c \
	%D%/boot/dsdt_memory.c \
	%D%/boot/dsdt_slots.c \
	%D%/boot/dsdt_slots.h \
	%D%/boot/elf.c \
	%D%/boot/firmware.c \
	%D%/boot/firmware.h \
	%D%/boot/image.c \
	%D%/boot/load.c \
	%D%/boot/multiboot.c \
	%D%/boot/pvh.c \
	%D%/boot/smbios.c \
	%D%/boot/smbios.h \
	%D%/boot/unpack.c \
	%D%/boot/wake.c \
	%D%/announce.c \
	%D%/announce.h \
	%D%/bus.c \
	%D%/bus.h \
	%D%/chardev.c \
	%D%/chardev.h \
	%D%/connector.c \
	%D%/connector.h \
	%D%/control.c \
	%D%/control.h \
	%D%/control_bitmaps.c \
	%D%/control_blockjobs.c \
	%D%/control_devices.c \
	%D%/control_events.c \
	%D%/control_jobs.c \
	%D%/control_migrate.c \
	%D%/control_priv.h \
	%D%/controllers.c \
	%D%/coredump.c \
	%D%/coredump.h \
	%D%/controllers.h \
	%D%/outflow.c \
	%D%/outflow.h \
	%D%/cpuid.c \
	%D%/cpuid.h \
	%D%/cpuid_cache.c \
	%D%/hyperv.c \
	%D%/hyperv.h \
	%D%/numa.c \
	%D%/numa.h \
	%D%/dirtyrate.c \
	%D%/dirtyrate.h \
	%D%/numa_move.c \
	%D%/dev/acpi_pm.c \
	%D%/dev/acpi_pm.h \
	%D%/dev/ahci.c \
	%D%/dev/ahci.h \
	%D%/dev/ata.c \
	%D%/dev/ata.h \
	%D%/dev/bochs.c \
	%D%/dev/bochs.h \
	%D%/dev/cpuhp.c \
	%D%/dev/cpuhp.h \
	%D%/dev/debugcon.c \
	%D%/dev/debugcon.h \
	%D%/dev/debugexit.c \
	%D%/dev/debugexit.h \
	%D%/dev/e1000e.c \
	%D%/dev/e1000e.h \
	%D%/dev/e1000e_phy.c \
	%D%/dev/e1000e_priv.h \
	%D%/dev/e1000e_rx.c \
	%D%/dev/e1000e_tx.c \
	%D%/dev/edid.c \
	%D%/dev/edid.h \
	%D%/dev/hpet.c \
	%D%/dev/hpet.h \
	%D%/dev/i6300esb.c \
	%D%/dev/i6300esb.h \
	%D%/dev/i8042.c \
	%D%/dev/i8042.h \
	%D%/dev/flash.c \
	%D%/dev/flash.h \
	%D%/dev/fwcfg.c \
	%D%/dev/fwcfg.h \
	%D%/dev/ich9_pm.c \
	%D%/dev/ich9_pm.h \
	%D%/dev/ioapic.c \
	%D%/dev/ioapic.h \
	%D%/dev/msi.c \
	%D%/dev/msi.h \
	%D%/dev/nvme.c \
	%D%/dev/nvme.h \
	%D%/dev/nvme_admin.c \
	%D%/dev/nvme_data.c \
	%D%/dev/nvme_io.c \
	%D%/dev/nvme_priv.h \
	%D%/dev/lpc.c \
	%D%/dev/lpc.h \
	%D%/dev/memhp.c \
	%D%/dev/memhp.h \
	%D%/dev/mch.c \
	%D%/dev/mch.h \
	%D%/dev/vfio.c \
	%D%/dev/vfio.h \
	%D%/dev/vfio_bar.c \
	%D%/dev/vfio_iommu.c \
	%D%/dev/vfio_irq.c \
	%D%/dev/vfio_priv.h \
	%D%/dev/pcports.c \
	%D%/dev/pcports.h \
	%D%/dev/pic.c \
	%D%/dev/pic.h \
	%D%/dev/pit.c \
	%D%/dev/pit.h \
	%D%/dev/pvpanic.c \
	%D%/dev/pvpanic.h \
	%D%/dev/ps2.h \
	%D%/dev/ps2kbd.c \
	%D%/dev/ps2mouse.c \
	%D%/dev/rtc.c \
	%D%/dev/rtc.h \
	%D%/dev/slot_status.h \
	%D%/dev/serial.c \
	%D%/dev/serial.h \
	%D%/dev/testdev.c \
	%D%/dev/testdev.h \
	%D%/dev/tpm.c \
	%D%/dev/tpm.h \
	%D%/dev/tpm_crb.c \
	%D%/dev/tpm_tis.c \
	%D%/dev/vga.c \
	%D%/dev/vmgenid.c \
	%D%/dev/vmgenid.h \
	%D%/dev/vga.h \
	%D%/dev/vga_card.c \
	%D%/dev/vga_card.h \
	%D%/dev/vga_draw.c \
	%D%/devices.c \
	%D%/drive.c \
	%D%/drive.h \
	%D%/gate.c \
	%D%/gate.h \
	%D%/blockjob.c \
	%D%/blockjob.h \
	%D%/blockjob_backup.c \
	%D%/blockjob_chain.c \
	%D%/blockjob_commit.c \
	%D%/blockjob_mirror.c \
	%D%/blockjob_priv.h \
	%D%/blockjob_pull.c \
	%D%/blockjob_since.c \
	%D%/display.c \
	%D%/display.h \
	%D%/engine.h \
	%D%/input.c \
	%D%/input.h \
	%D%/handover.c \
	%D%/handover.h \
	%D%/image.c \
	%D%/image.h \
	%D%/job.c \
	%D%/job.h \
	%D%/loop.c \
	%D%/loop.h \
	%D%/machine.c \
	%D%/machine.h \
	%D%/machine_build.c \
	%D%/machine_devices.c \
	%D%/machine_dirty.c \
	%D%/machine_disks.c \
	%D%/machine_priv.h \
	%D%/machine_sleep.c \
	%D%/machine_state.c \
	%D%/machine_tell.c \
	%D%/migrate.h \
	%D%/migrate_in.c \
	%D%/migrate_out.c \
	%D%/migrate_pages.c \
	%D%/missing.c \
	%D%/missing.h \
	%D%/postcopy.h \
	%D%/postcopy_in.c \
	%D%/postcopy_out.c \
	%D%/migrate_pages.h \
	%D%/migrate_wire.h \
	%D%/progress.h \
	%D%/memdev.c \
	%D%/memdev.h \
	%D%/memmap.c \
	%D%/memmap.h \
	%D%/ram.c \
	%D%/ram_hot.c \
	%D%/ram.h \
	%D%/ram_priv.h \
	%D%/sandbox.c \
	%D%/sandbox.h \
	%D%/spec.h \
	%D%/state.c \
	%D%/state.h \
	%D%/peek.c \
	%D%/peek.h \
	%D%/usb/hid.c \
	%D%/usb/standard.c \
	%D%/usb/standard.h \
	%D%/usb/storage.c \
	%D%/usb/usb.h \
	%D%/usb/xhci.c \
	%D%/usb/xhci_plug.c \
	%D%/usb/xhci_priv.h \
	%D%/usb/xhci_regs.c \
	%D%/stream.c \
	%D%/stream.h \
	%D%/throttle.c \
	%D%/throttle.h \
	%D%/nbd/handshake.c \
	%D%/nbd/nbd.h \
	%D%/nbd/nbd_priv.h \
	%D%/nbd/requests.c \
	%D%/nbd/server.c \
	%D%/nbd/talk.c \
	%D%/vnc/client.c \
	%D%/vnc/client_priv.h \
	%D%/vnc/crypto.c \
	%D%/vnc/crypto.h \
	%D%/vnc/encode.c \
	%D%/vnc/keysym.c \
	%D%/vnc/keysym.h \
	%D%/vnc/security.c \
	%D%/vnc/server.c \
	%D%/vnc/tls_files.c \
	%D%/vnc/tls_files.h \
	%D%/vnc/vnc.h \
	%D%/vnc/vnc_priv.h \
	%D%/vnc/websocket.c \
	%D%/vnc/websocket.h \
	%D%/vnc/wire.c \
	%D%/vnc/wire.h \
	%D%/x86.c \
	%D%/x86.h \
	$(NULL)
%C%_libvmm_la_CFLAGS = $(AM_CFLAGS) $(COMPRESS_CFLAGS) \
	$(JSON_CFLAGS) $(SECCOMP_CFLAGS)
%C%_libvmm_la_LIBADD = cpu/libcpu.la base/libbase.la $(COMPRESS_LIBS) \
	$(JSON_LIBS) $(SECCOMP_LIBS) -lpthread

# The sandbox's list, gathered from the comments beside the calls.
vmm_callers = $(wildcard $(foreach d,base cpu vmm vmm/boot vmm/vnc vmm/dev vmm/scsi vmm/virtio \
	drivers/kvm drivers/emu storage/format network/port, \
	$(top_srcdir)/$(d)/*.c))
%D%/sandbox-calls.h: $(top_srcdir)/%D%/syscalls.awk $(vmm_callers)
	@mkdir -p %D%
	$(AM_V_GEN)$(AWK) -f $(top_srcdir)/%D%/syscalls.awk $(vmm_callers) \
		> $@.new && mv $@.new $@
# Through a variable: automake would take a plain target for the whole rule.
vmm_sandbox_object = %D%/libvmm_la-sandbox.lo
$(vmm_sandbox_object): %D%/sandbox-calls.h
BUILT_SOURCES += %D%/sandbox-calls.h
CLEANFILES += %D%/sandbox-calls.h
EXTRA_DIST += %D%/syscalls.awk

# What the VNC server has of cryptography: vmm/vnc/crypto.h.
pkglib_LTLIBRARIES += %D%/vnc-crypto.la
%C%_vnc_crypto_la_SOURCES = \
	%D%/vnc/crypto.h \
	%D%/vnc/crypto_module.c \
	$(NULL)
%C%_vnc_crypto_la_CFLAGS = $(AM_CFLAGS) $(GNUTLS_CFLAGS) $(NETTLE_CFLAGS)
%C%_vnc_crypto_la_LDFLAGS = $(AM_LDFLAGS) -module -avoid-version -shared
%C%_vnc_crypto_la_LIBADD = $(GNUTLS_LIBS) $(NETTLE_LIBS)

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
	drivers/emu/libemu-engine.la \
	storage/libformat.la \
	network/libport.la \
	%D%/libspec.la \
	base/libbase.la \
	$(NULL)

include vmm/scsi/local.mk
include vmm/virtio/local.mk
