# tests/guest/guest.mk -- code snippets with their expectations, per engine.
check_PROGRAMS += tests/guest/runner
tests_guest_runner_SOURCES = \
	tests/guest/runner.c \
	tests/unit/bare.c \
	tests/unit/bare.h \
	$(NULL)
tests_guest_runner_LDADD = \
	drivers/kvm/libkvm-engine.la \
	drivers/emu/libemu-engine.la \
	vmm/libvmm.la \
	storage/libformat.la \
	network/libport.la \
	vmm/libspec.la \
	base/libbase.la \
	$(NULL)
dist_check_SCRIPTS += \
	tests/guest/all.sh \
	tests/guest/kvm-unit-tests.sh \
	tests/guest/multiboot.sh \
	$(NULL)
TESTS += \
	tests/guest/all.sh \
	tests/guest/kvm-unit-tests.sh \
	tests/guest/multiboot.sh \
	$(NULL)
EXTRA_DIST += $(wildcard $(top_srcdir)/tests/guest/*.S) tests/guest/test.inc
EXTRA_DIST += \
	tests/guest/boots.sh \
	tests/guest/migrate.sh \
	tests/guest/compile.c \
	tests/guest/program.c \
	tests/guest/display.init \
	tests/guest/display.py \
	tests/guest/display.sh \
	tests/guest/firmware.sh \
	tests/guest/hotplug.init \
	tests/guest/hotplug.py \
	tests/guest/hotplug.sh \
	tests/guest/memory.init \
	tests/guest/memory.py \
	tests/guest/memory.sh \
	tests/guest/functions.sh \
	tests/guest/grub.py \
	tests/guest/installer.sh \
	tests/guest/mkdisk \
	tests/guest/vmm.py \
	tests/guest/presses.py \
	tests/guest/vnc.py \
	tests/guest/mkguest \
	tests/guest/mkroot \
	tests/guest/migrate.py \
	tests/guest/board.init \
	tests/guest/board.py \
	tests/guest/board.sh \
	tests/guest/releases.sh \
	tests/guest/save.init \
	tests/guest/save.sh \
	tests/guest/stress.init \
	tests/guest/direct.sh \
	tests/guest/stress.sh \
	$(NULL)
