# The descriptions and descriptors that cross between daemon and VMM.
check_PROGRAMS += tests/unit/spec
TESTS += tests/unit/spec
tests_unit_spec_SOURCES = tests/unit/spec.c
tests_unit_spec_CFLAGS = $(AM_CFLAGS) $(JSON_CFLAGS) -UNDEBUG
tests_unit_spec_LDADD = vmm/libspec.la base/libbase.la
