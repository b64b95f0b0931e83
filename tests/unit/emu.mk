# tests/unit/emu.mk -- the emulation engine against the host's own CPU.
emu_test_libs = \
	drivers/emu/libemu-engine.la \
	vmm/libvmm.la \
	storage/libformat.la \
	network/libport.la \
	vmm/libspec.la \
	base/libbase.la \
	$(NULL)

check_PROGRAMS += tests/unit/emu/vec-thunk
TESTS += tests/unit/emu/vec-thunk
tests_unit_emu_vec_thunk_SOURCES = tests/unit/emu/vec-thunk.c
tests_unit_emu_vec_thunk_LDADD = $(emu_test_libs)

# differ --help: longer runs by hand, and replay of single cases.
check_PROGRAMS += tests/unit/emu/differ
TESTS += tests/unit/emu/differ
tests_unit_emu_differ_SOURCES = \
	tests/unit/emu/case.c \
	tests/unit/emu/case.h \
	tests/unit/emu/differ.c \
	tests/unit/emu/execemu.c \
	tests/unit/emu/execvec.c \
	tests/unit/emu/gen.c \
	tests/unit/emu/native.c \
	$(NULL)
tests_unit_emu_differ_LDADD = $(emu_test_libs)

dist_check_SCRIPTS += tests/unit/emu/jit.sh
TESTS += tests/unit/emu/jit.sh

check_PROGRAMS += tests/unit/emu/parallel
TESTS += tests/unit/emu/parallel
tests_unit_emu_parallel_SOURCES = \
	tests/unit/bare.c \
	tests/unit/bare.h \
	tests/unit/emu/parallel.c \
	$(NULL)
tests_unit_emu_parallel_LDADD = $(emu_test_libs)

check_PROGRAMS += tests/fuzz/decode
TESTS += tests/fuzz/decode
tests_fuzz_decode_SOURCES = tests/fuzz/decode.c
tests_fuzz_decode_LDADD = $(emu_test_libs)

check_PROGRAMS += tests/fuzz/guest
TESTS += tests/fuzz/guest
tests_fuzz_guest_SOURCES = \
	tests/fuzz/guest.c \
	tests/unit/bare.c \
	tests/unit/bare.h \
	$(NULL)
tests_fuzz_guest_CFLAGS = $(AM_CFLAGS) -fno-strict-aliasing
tests_fuzz_guest_LDADD = $(emu_test_libs)

EXTRA_DIST += \
	tests/unit/emu/corpus/integer.txt \
	tests/unit/emu/corpus/mmx.txt \
	tests/unit/emu/corpus/sse.txt \
	tests/unit/emu/corpus/x87.txt \
	$(NULL)
