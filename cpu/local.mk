# cpu/local.mk -- what an x86 CPU is: CPUID, features by name, models.
noinst_LTLIBRARIES += %D%/libcpu.la
%C%_libcpu_la_SOURCES = \
	%D%/cpuid.c \
	%D%/cpuid.h \
	%D%/features.c \
	%D%/features.h \
	%D%/models.c \
	%D%/models.h \
	$(NULL)
