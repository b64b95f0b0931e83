# tests/unit/model.mk -- reading and writing XML.
check_PROGRAMS += tests/unit/model tests/xml/run tests/fuzz/xml
check_PROGRAMS += tests/unit/pool
TESTS += tests/unit/pool
TESTS += tests/unit/model tests/xml/run.sh tests/fuzz/xml.sh
# Not the folder: a build leaves things in it.
EXTRA_DIST += \
	$(wildcard $(top_srcdir)/tests/xml/*.err) \
	$(wildcard $(top_srcdir)/tests/xml/*.out) \
	$(wildcard $(top_srcdir)/tests/xml/*.xml) \
	tests/xml/run.sh \
	tests/fuzz/xml.sh \
	$(NULL)

tests_unit_model_SOURCES = tests/unit/model.c
tests_unit_model_CFLAGS = $(AM_CFLAGS) $(XML_CFLAGS) $(LIBVIRT_CFLAGS)
tests_unit_model_LDADD = model/libmodel.la base/libbase.la $(XML_LIBS)

tests_xml_run_SOURCES = tests/xml/run.c
tests_xml_run_LDADD = model/libmodel.la base/libbase.la

tests_fuzz_xml_SOURCES = tests/fuzz/xml.c
tests_fuzz_xml_LDADD = model/libmodel.la base/libbase.la

tests_unit_pool_SOURCES = \
	tests/unit/pool-host.c \
	tests/unit/pool-host.h \
	tests/unit/pool.c \
	$(NULL)
tests_unit_pool_CFLAGS = $(AM_CFLAGS) $(XML_CFLAGS) $(LIBVIRT_CFLAGS)
tests_unit_pool_LDADD = storage/pool/libpool.la model/libmodel.la \
	base/libbase.la $(XML_LIBS)
