# vmm/scsi/local.mk -- SCSI commands.
vmm_libvmm_la_SOURCES += \
	%D%/cdrom.c \
	%D%/lun.c \
	%D%/pages.c \
	%D%/scsi.c \
	%D%/scsi.h \
	%D%/scsi_priv.h \
	%D%/transfer.c \
	$(NULL)
