# drivers/emu/local.mk -- the x86-64 emulation engine that vireo-vmm links.
noinst_LTLIBRARIES += %D%/libemu-engine.la
%C%_libemu_engine_la_SOURCES = \
	%D%/cpu.h \
	%D%/vec.c \
	%D%/vec.h \
	$(NULL)
%C%_libemu_engine_la_LIBADD = -lZydis -lpthread
