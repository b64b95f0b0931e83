# PCI, virtio, and what they are built on.
virtio_unit_ldadd = vmm/libvmm.la vmm/libspec.la storage/libformat.la network/libport.la \
	base/libbase.la -lpthread

check_PROGRAMS += tests/unit/virtio/pci
TESTS += tests/unit/virtio/pci
tests_unit_virtio_pci_SOURCES = \
	tests/unit/virtio/pci.c \
	tests/unit/virtio/rig.c \
	tests/unit/virtio/rig.h \
	$(NULL)
tests_unit_virtio_pci_LDADD = $(virtio_unit_ldadd)

check_PROGRAMS += tests/unit/virtio/queue
TESTS += tests/unit/virtio/queue
tests_unit_virtio_queue_SOURCES = \
	tests/unit/virtio/queue.c \
	tests/unit/virtio/rig.c \
	tests/unit/virtio/rig.h \
	$(NULL)
tests_unit_virtio_queue_LDADD = $(virtio_unit_ldadd)

check_PROGRAMS += tests/unit/block
TESTS += tests/unit/block
tests_unit_block_SOURCES = tests/unit/block.c
tests_unit_block_LDADD = storage/libformat.la base/libbase.la

check_PROGRAMS += tests/unit/dirty-bitmap
TESTS += tests/unit/dirty-bitmap
tests_unit_dirty_bitmap_SOURCES = tests/unit/dirty-bitmap.c tests/fuzz/random.h
tests_unit_dirty_bitmap_LDADD = storage/libformat.la base/libbase.la

check_PROGRAMS += tests/unit/qcow2
TESTS += tests/unit/qcow2
tests_unit_qcow2_SOURCES = tests/unit/qcow2.c tests/fuzz/random.h
tests_unit_qcow2_LDADD = storage/libformat.la base/libbase.la

check_PROGRAMS += tests/unit/qcow2-crash
TESTS += tests/unit/qcow2-crash
tests_unit_qcow2_crash_SOURCES = tests/unit/qcow2-crash.c tests/fuzz/random.h
tests_unit_qcow2_crash_LDFLAGS = -Wl,--wrap=pwritev2,--wrap=fdatasync
tests_unit_qcow2_crash_LDADD = storage/libformat.la base/libbase.la

check_PROGRAMS += tests/fuzz/foreign
TESTS += tests/fuzz/foreign
tests_fuzz_foreign_SOURCES = tests/fuzz/foreign.c tests/fuzz/random.h
tests_fuzz_foreign_LDADD = storage/libformat.la base/libbase.la
check_PROGRAMS += tests/fuzz/luks
TESTS += tests/fuzz/luks
tests_fuzz_luks_SOURCES = tests/fuzz/luks.c tests/fuzz/random.h
tests_fuzz_luks_LDADD = storage/libformat.la base/libbase.la
check_PROGRAMS += tests/fuzz/qcow2
TESTS += tests/fuzz/qcow2
tests_fuzz_qcow2_SOURCES = tests/fuzz/qcow2.c tests/fuzz/random.h
tests_fuzz_qcow2_LDADD = storage/libformat.la base/libbase.la

check_PROGRAMS += tests/fuzz/virtio
TESTS += tests/fuzz/virtio
tests_fuzz_virtio_SOURCES = \
	tests/fuzz/virtio.c \
	tests/fuzz/random.h \
	tests/unit/virtio/rig.c \
	tests/unit/virtio/rig.h \
	$(NULL)
tests_fuzz_virtio_LDADD = $(virtio_unit_ldadd)

dist_check_SCRIPTS += \
	tests/guest/e1000e.init \
	tests/guest/e1000e.sh \
	tests/guest/guards.init \
	tests/guest/guards.sh \
	tests/guest/mkinitrd \
	tests/guest/cdtray.c \
	tests/guest/vhost_user_net.py \
	tests/guest/nic.c \
	tests/guest/vsock.c \
	tests/guest/storage.init \
	tests/guest/storage.sh \
	tests/guest/virtio.init \
	tests/guest/virtio.sh \
	tests/lab/virtio.sh \
	$(NULL)

check_PROGRAMS += tests/unit/virtio/devices
TESTS += tests/unit/virtio/devices
tests_unit_virtio_devices_SOURCES = \
	tests/unit/virtio/devices.c \
	tests/unit/virtio/rig.c \
	tests/unit/virtio/rig.h \
	$(NULL)
tests_unit_virtio_devices_LDADD = $(virtio_unit_ldadd)

check_PROGRAMS += tests/unit/virtio/net
TESTS += tests/unit/virtio/net
tests_unit_virtio_net_SOURCES = \
	tests/unit/virtio/net.c \
	tests/unit/virtio/rig.c \
	tests/unit/virtio/rig.h \
	$(NULL)
tests_unit_virtio_net_LDADD = $(virtio_unit_ldadd)

check_PROGRAMS += tests/fuzz/ahci
TESTS += tests/fuzz/ahci
tests_fuzz_ahci_SOURCES = \
	tests/fuzz/ahci.c \
	tests/fuzz/random.h \
	tests/unit/virtio/rig.c \
	tests/unit/virtio/rig.h \
	$(NULL)
tests_fuzz_ahci_LDADD = $(virtio_unit_ldadd)

check_PROGRAMS += tests/fuzz/e1000e
TESTS += tests/fuzz/e1000e
tests_fuzz_e1000e_SOURCES = \
	tests/fuzz/e1000e.c \
	tests/fuzz/random.h \
	tests/unit/virtio/rig.c \
	tests/unit/virtio/rig.h \
	$(NULL)
tests_fuzz_e1000e_LDADD = $(virtio_unit_ldadd)

check_PROGRAMS += tests/fuzz/nvme
TESTS += tests/fuzz/nvme
tests_fuzz_nvme_SOURCES = \
	tests/fuzz/nvme.c \
	tests/fuzz/random.h \
	tests/unit/virtio/rig.c \
	tests/unit/virtio/rig.h \
	$(NULL)
tests_fuzz_nvme_LDADD = $(virtio_unit_ldadd)
