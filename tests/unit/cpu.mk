# The table of CPU models beside what others take them to be.
check_PROGRAMS += tests/unit/cpu/dump
TESTS += tests/unit/cpu/compare.py
dist_check_SCRIPTS += tests/unit/cpu/compare.py
tests_unit_cpu_dump_SOURCES = tests/unit/cpu/dump.c
tests_unit_cpu_dump_LDADD = cpu/libcpu.la base/libbase.la
