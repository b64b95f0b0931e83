# drivers/test/local.mk -- the hypervisor that exists only in memory.
drivers_LTLIBRARIES += %D%/test.la
%C%_test_la_SOURCES = \
	%D%/behaviour.c \
	%D%/driver.c \
	%D%/guest.c \
	%D%/guest.h \
	$(NULL)
%C%_test_la_CFLAGS = $(AM_CFLAGS) $(XML_CFLAGS)
%C%_test_la_LDFLAGS = $(AM_LDFLAGS) -module -avoid-version -shared
%C%_test_la_LIBADD = cpu/libcpu.la base/libbase.la $(XML_LIBS) -lpthread
