# tests/unit/emu.mk -- the emulation engine against the host's own CPU.
check_PROGRAMS += tests/unit/emu/vec-thunk
TESTS += tests/unit/emu/vec-thunk
tests_unit_emu_vec_thunk_SOURCES = tests/unit/emu/vec-thunk.c
tests_unit_emu_vec_thunk_LDADD = drivers/emu/libemu-engine.la base/libbase.la
