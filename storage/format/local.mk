# storage/format/local.mk -- the block layer: libformat; what images say of
# themselves, for who opens none: libheader.
noinst_LTLIBRARIES += storage/libheader.la
storage_libheader_la_SOURCES = \
	%D%/backing.c \
	%D%/endian.h \
	%D%/qcow2_header.c \
	%D%/qcow2_header.h \
	$(NULL)

noinst_LTLIBRARIES += storage/libformat.la
storage_libformat_la_SOURCES = \
	%D%/bitmaps.c \
	%D%/bitmaps.h \
	%D%/bitmaps_format.h \
	%D%/block.c \
	%D%/block.h \
	%D%/dirty_bitmap.c \
	%D%/dirty_bitmap.h \
	%D%/foreign.c \
	%D%/foreign.h \
	%D%/format.h \
	%D%/image.c \
	%D%/luks.c \
	%D%/luks_header.c \
	%D%/luks_header.h \
	%D%/measure.c \
	%D%/merge.c \
	%D%/qcow2.c \
	%D%/qcow2.h \
	%D%/qcow2_bitdir.c \
	%D%/qcow2_bitdir.h \
	%D%/qcow2_bitmaps.c \
	%D%/qcow2_cache.c \
	%D%/qcow2_check.c \
	%D%/qcow2_commit.c \
	%D%/qcow2_create.c \
	%D%/qcow2_crypt.c \
	%D%/qcow2_free.c \
	%D%/qcow2_head.c \
	%D%/qcow2_map.c \
	%D%/qcow2_pack.c \
	%D%/qcow2_measure.c \
	%D%/qcow2_packed.c \
	%D%/qcow2_read.c \
	%D%/qcow2_refcount.c \
	%D%/qcow2_repair.c \
	%D%/qcow2_resize.c \
	%D%/qcow2_snapshot.c \
	%D%/qcow2_snaptable.c \
	%D%/qcow2_snaptable.h \
	%D%/qcow2_tables.c \
	%D%/qcow2_tables.h \
	%D%/qcow2_tree.c \
	%D%/qcow2_tree.h \
	%D%/qcow2_write.c \
	%D%/qcow2_zero.c \
	%D%/queue.c \
	%D%/raw.c \
	%D%/sector_cipher.c \
	%D%/sector_cipher.h \
	%D%/throttle.c \
	%D%/throttle.h \
	%D%/vdi.c \
	%D%/vhdx.c \
	%D%/vmdk.c \
	%D%/vpc.c \
	%D%/workers.c \
	%D%/workers.h \
	$(NULL)
storage_libformat_la_CFLAGS = $(AM_CFLAGS) $(URING_CFLAGS) $(COMPRESS_CFLAGS) $(NETTLE_CFLAGS)
storage_libformat_la_LIBADD = storage/libheader.la base/libbase.la $(URING_LIBS) $(COMPRESS_LIBS) $(NETTLE_LIBS) \
	-lpthread
