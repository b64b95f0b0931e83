# drivers/emu/local.mk -- the x86-64 emulation engine that vireo-vmm links.
noinst_LTLIBRARIES += %D%/libemu-engine.la
%C%_libemu_engine_la_SOURCES = \
	%D%/cpu.h \
	%D%/vec.c \
	%D%/vec.h \
	%D%/vec_canon.c \
	%D%/vec_emit.c \
	%D%/vec_fault.c \
	%D%/vec_int.h \
	%D%/vec_isa.c \
	%D%/vec_mem.c \
	%D%/vec_xsave.c \
	$(NULL)
%C%_libemu_engine_la_LIBADD = -lZydis -lpthread
