# vmm/virtio/local.mk -- PCI and virtio, part of libvmm.
vmm_libvmm_la_SOURCES += \
	vmm/dev/msix.c \
	vmm/dev/msix.h \
	vmm/dev/pci.c \
	vmm/dev/pci.h \
	vmm/dev/pci_rom.c \
	vmm/dev/pci_rom.h \
	%D%/balloon.c \
	%D%/blk.c \
	%D%/console.c \
	%D%/devices.c \
	%D%/devices.h \
	%D%/input.c \
	%D%/iothread.c \
	%D%/iothread.h \
	%D%/net.c \
	%D%/pci.c \
	%D%/rng.c \
	%D%/scsi.c \
	%D%/vhost.c \
	%D%/vhost.h \
	%D%/vhost_kernel.c \
	%D%/vhost_vsock.c \
	%D%/virtio.c \
	%D%/virtio.h \
	%D%/virtio_state.c \
	%D%/virtqueue.c \
	%D%/vsock.c \
	%D%/vsock.h \
	%D%/vsock_conn.c \
	$(NULL)
