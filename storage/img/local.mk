# storage/img/local.mk -- vireo-img, images by hand; one file per command.
bin_PROGRAMS += vireo-img
vireo_img_SOURCES = \
	%D%/bench.c \
	%D%/bitmap.c \
	%D%/check.c \
	%D%/commit.c \
	%D%/compare.c \
	%D%/convert.c \
	%D%/create.c \
	%D%/dd.c \
	%D%/img.h \
	%D%/info.c \
	%D%/main.c \
	%D%/map.c \
	%D%/measure.c \
	%D%/open.c \
	%D%/options.c \
	%D%/rebase.c \
	%D%/resize.c \
	%D%/secret.c \
	%D%/snapshot.c \
	$(NULL)
vireo_img_CFLAGS = $(AM_CFLAGS) $(JSON_CFLAGS)
vireo_img_LDADD = storage/libformat.la base/libbase.la $(JSON_LIBS)
