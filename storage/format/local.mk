# storage/format/local.mk -- the block layer: libformat.
noinst_LTLIBRARIES += storage/libformat.la
storage_libformat_la_SOURCES = \
	%D%/block.c \
	%D%/block.h \
	%D%/format.h \
	%D%/queue.c \
	%D%/raw.c \
	%D%/throttle.c \
	%D%/throttle.h \
	%D%/workers.c \
	%D%/workers.h \
	$(NULL)
storage_libformat_la_CFLAGS = $(AM_CFLAGS) $(URING_CFLAGS)
storage_libformat_la_LIBADD = base/libbase.la $(URING_LIBS) -lpthread
