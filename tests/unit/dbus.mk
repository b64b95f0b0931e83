# tests/unit/dbus.mk -- the tables of vireo-dbus.
check_PROGRAMS += tests/unit/dbus
TESTS += tests/unit/dbus
tests_unit_dbus_SOURCES = tests/unit/dbus.c
tests_unit_dbus_CFLAGS = $(AM_CFLAGS) $(DBUS_CFLAGS) $(LIBVIRT_CFLAGS)
tests_unit_dbus_LDADD = dbus/libdbusservice.la
