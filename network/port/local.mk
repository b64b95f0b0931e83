# network/port/local.mk -- what a network card plugs into: libport.
noinst_LTLIBRARIES += network/libport.la
network_libport_la_SOURCES = \
	%D%/tap.c \
	%D%/tap.h \
	$(NULL)
