# tests/unit/vmm.mk -- the machine, without an engine that runs anything.
vmm_test_fake = \
	tests/fuzz/random.h \
	tests/unit/vmm/fake.c \
	tests/unit/vmm/fake.h \
	$(NULL)
vmm_test_ldadd = \
	vmm/libvmm.la \
	storage/libformat.la \
	network/libport.la \
	vmm/libspec.la \
	base/libbase.la \
	$(NULL)

vmm_tests = \
	tests/unit/vmm/blockjob \
	tests/unit/vmm/boot \
	tests/unit/vmm/chardev \
	tests/unit/vmm/control \
	tests/unit/vmm/core \
	tests/unit/vmm/cpuid \
	tests/unit/vmm/devices \
	tests/unit/vmm/display \
	tests/unit/vmm/input \
	tests/unit/vmm/lun \
	tests/unit/vmm/memory \
	tests/unit/vmm/q35 \
	tests/unit/vmm/state \
	tests/unit/vmm/states \
	tests/unit/vmm/throttle \
	tests/fuzz/firmware \
	tests/fuzz/state \
	$(NULL)
check_PROGRAMS += $(vmm_tests)
TESTS += $(vmm_tests)

tests_unit_vmm_blockjob_SOURCES = tests/unit/vmm/blockjob.c tests/fuzz/random.h
tests_unit_vmm_blockjob_LDADD = $(vmm_test_ldadd)
tests_unit_vmm_throttle_SOURCES = tests/unit/vmm/throttle.c
tests_unit_vmm_throttle_LDADD = $(vmm_test_ldadd)
tests_unit_vmm_core_SOURCES = tests/unit/vmm/core.c $(vmm_test_fake)
tests_unit_vmm_core_LDADD = $(vmm_test_ldadd)
tests_unit_vmm_memory_SOURCES = tests/unit/vmm/memory.c $(vmm_test_fake)
tests_unit_vmm_memory_LDADD = $(vmm_test_ldadd)
tests_unit_vmm_devices_SOURCES = tests/unit/vmm/devices.c $(vmm_test_fake)
tests_unit_vmm_devices_LDADD = $(vmm_test_ldadd)
tests_unit_vmm_input_SOURCES = tests/unit/vmm/input.c $(vmm_test_fake)
tests_unit_vmm_input_LDADD = $(vmm_test_ldadd)
tests_unit_vmm_lun_SOURCES = tests/unit/vmm/lun.c
tests_unit_vmm_lun_LDADD = $(vmm_test_ldadd)
tests_unit_vmm_display_SOURCES = tests/unit/vmm/display.c $(vmm_test_fake)
tests_unit_vmm_display_LDADD = $(vmm_test_ldadd)
tests_fuzz_firmware_SOURCES = tests/fuzz/firmware.c $(vmm_test_fake)
tests_fuzz_firmware_LDADD = $(vmm_test_ldadd)
tests_unit_vmm_q35_SOURCES = tests/unit/vmm/q35.c $(vmm_test_fake)
tests_unit_vmm_q35_LDADD = $(vmm_test_ldadd)
tests_unit_vmm_boot_SOURCES = tests/unit/vmm/boot.c $(vmm_test_fake)
tests_unit_vmm_boot_LDADD = $(vmm_test_ldadd) $(COMPRESS_LIBS)

check_PROGRAMS += tests/unit/vmm/acpi-dump
tests_unit_vmm_acpi_dump_SOURCES = tests/unit/vmm/acpi-dump.c $(vmm_test_fake)
tests_unit_vmm_acpi_dump_LDADD = $(vmm_test_ldadd)
dist_check_SCRIPTS += tests/unit/vmm/acpi.sh
TESTS += tests/unit/vmm/acpi.sh
tests_unit_vmm_control_SOURCES = tests/unit/vmm/control.c $(vmm_test_fake)
tests_unit_vmm_control_CFLAGS = $(AM_CFLAGS) $(JSON_CFLAGS)
tests_unit_vmm_control_LDADD = $(vmm_test_ldadd) $(JSON_LIBS)

check_PROGRAMS += tests/unit/vmm/pcie
TESTS += tests/unit/vmm/pcie
tests_unit_vmm_pcie_SOURCES = tests/unit/vmm/pcie.c $(vmm_test_fake)
tests_unit_vmm_pcie_LDADD = $(vmm_test_ldadd)

check_PROGRAMS += tests/fuzz/pcie
TESTS += tests/fuzz/pcie
tests_fuzz_pcie_SOURCES = tests/fuzz/pcie.c $(vmm_test_fake)
tests_fuzz_pcie_LDADD = $(vmm_test_ldadd)

check_PROGRAMS += tests/fuzz/xhci
TESTS += tests/fuzz/xhci
tests_fuzz_xhci_SOURCES = tests/fuzz/xhci.c $(vmm_test_fake)
tests_fuzz_xhci_LDADD = $(vmm_test_ldadd)

check_PROGRAMS += tests/unit/vmm/usb-immediate
TESTS += tests/unit/vmm/usb-immediate
tests_unit_vmm_usb_immediate_SOURCES = \
	tests/unit/vmm/usb-immediate.c \
	$(vmm_test_fake)
tests_unit_vmm_usb_immediate_LDADD = $(vmm_test_ldadd)

check_PROGRAMS += tests/fuzz/websocket
TESTS += tests/fuzz/websocket
tests_fuzz_websocket_SOURCES = tests/fuzz/websocket.c tests/fuzz/random.h
tests_fuzz_websocket_LDADD = $(vmm_test_ldadd)

check_PROGRAMS += tests/fuzz/nbd
TESTS += tests/fuzz/nbd
tests_fuzz_nbd_SOURCES = tests/fuzz/nbd.c tests/fuzz/random.h
tests_fuzz_nbd_LDADD = $(vmm_test_ldadd)

check_PROGRAMS += tests/fuzz/vnc
TESTS += tests/fuzz/vnc
tests_fuzz_vnc_SOURCES = tests/fuzz/vnc.c $(vmm_test_fake)
tests_fuzz_vnc_LDADD = $(vmm_test_ldadd)

check_PROGRAMS += tests/fuzz/kernel
tests_fuzz_kernel_SOURCES = tests/fuzz/kernel.c
tests_fuzz_kernel_LDADD = $(vmm_test_ldadd)
tests_unit_vmm_cpuid_SOURCES = tests/unit/vmm/cpuid.c
tests_unit_vmm_cpuid_LDADD = $(vmm_test_ldadd)
tests_unit_vmm_chardev_SOURCES = tests/unit/vmm/chardev.c
tests_unit_vmm_chardev_LDADD = $(vmm_test_ldadd)
tests_unit_vmm_state_SOURCES = tests/unit/vmm/state.c $(vmm_test_fake)
tests_unit_vmm_state_LDADD = $(vmm_test_ldadd)
vmm_test_everything = \
	tests/unit/vmm/everything.c \
	tests/unit/vmm/everything.h \
	$(vmm_test_fake) \
	$(NULL)
tests_fuzz_state_SOURCES = tests/fuzz/state.c $(vmm_test_everything)
tests_fuzz_state_LDADD = $(vmm_test_ldadd)
tests_unit_vmm_states_SOURCES = tests/unit/vmm/states.c $(vmm_test_everything)
tests_unit_vmm_states_LDADD = $(vmm_test_ldadd) $(COMPRESS_LIBS)
EXTRA_DIST += \
	tests/unit/vmm/states/README \
	tests/unit/vmm/states/microvm.1.gz \
	tests/unit/vmm/states/microvm.2.gz \
	tests/unit/vmm/states/q35.1.gz \
	tests/unit/vmm/states/q35.2.gz \
	$(NULL)

check_PROGRAMS += tests/fuzz/hpet
TESTS += tests/fuzz/hpet
tests_fuzz_hpet_SOURCES = tests/fuzz/hpet.c $(vmm_test_fake)
tests_fuzz_hpet_LDADD = $(vmm_test_ldadd)

check_PROGRAMS += tests/fuzz/tpm
TESTS += tests/fuzz/tpm
tests_fuzz_tpm_SOURCES = tests/fuzz/tpm.c $(vmm_test_fake)
tests_fuzz_tpm_LDADD = $(vmm_test_ldadd)
