# cli/local.mk -- vireo, the command line; one file per command.
bin_PROGRAMS += vireo
vireo_SOURCES = \
	%D%/cmd-autostart.c \
	%D%/cmd-console.c \
	%D%/cmd-create.c \
	%D%/cmd-define.c \
	%D%/cmd-desc.c \
	%D%/cmd-destroy.c \
	%D%/cmd-doctor.c \
	%D%/cmd-domid.c \
	%D%/cmd-dominfo.c \
	%D%/cmd-domname.c \
	%D%/cmd-domrename.c \
	%D%/cmd-domstate.c \
	%D%/cmd-domuuid.c \
	%D%/cmd-dumpxml.c \
	%D%/cmd-event.c \
	%D%/cmd-host.c \
	%D%/cmd-list.c \
	%D%/cmd-reboot.c \
	%D%/cmd-reset.c \
	%D%/cmd-resume.c \
	%D%/cmd-setmem.c \
	%D%/cmd-shell.c \
	%D%/cmd-shutdown.c \
	%D%/cmd-start.c \
	%D%/cmd-suspend.c \
	%D%/cmd-undefine.c \
	%D%/command.c \
	%D%/command.h \
	%D%/commands.h \
	%D%/complete.c \
	%D%/connect.c \
	%D%/console.c \
	%D%/console.h \
	%D%/domain-action.c \
	%D%/domain-action.h \
	%D%/interactive.c \
	%D%/interactive.h \
	%D%/main.c \
	%D%/output.c \
	%D%/output.h \
	%D%/states.c \
	%D%/states.h \
	$(NULL)
vireo_CFLAGS = $(AM_CFLAGS) $(LIBVIRT_CFLAGS) $(JSON_CFLAGS) $(EDIT_CFLAGS)
vireo_LDADD = base/libbase.la $(LIBVIRT_LIBS) $(JSON_LIBS) $(EDIT_LIBS)

dist_bashcompletion_DATA += %D%/completion/vireo
