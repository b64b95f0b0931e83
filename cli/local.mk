# cli/local.mk -- vireo, the command line; one file per family of commands.
bin_PROGRAMS += vireo
vireo_SOURCES = \
	%D%/args.c \
	%D%/args.h \
	%D%/cmd-agent.c \
	%D%/cmd-checkpoint.c \
	%D%/cmd-console.c \
	%D%/cmd-cpu.c \
	%D%/cmd-device.c \
	%D%/cmd-disk.c \
	%D%/cmd-doctor.c \
	%D%/cmd-dominfo.c \
	%D%/cmd-domstate.c \
	%D%/cmd-event.c \
	%D%/cmd-explain.c \
	%D%/cmd-guest.c \
	%D%/cmd-host.c \
	%D%/cmd-identity.c \
	%D%/cmd-iface.c \
	%D%/cmd-import.c \
	%D%/cmd-interface.c \
	%D%/cmd-life.c \
	%D%/cmd-list.c \
	%D%/cmd-logs.c \
	%D%/cmd-memory.c \
	%D%/cmd-migrate.c \
	%D%/cmd-net-define.c \
	%D%/cmd-net-event.c \
	%D%/cmd-net-info.c \
	%D%/cmd-net-list.c \
	%D%/cmd-net.c \
	%D%/cmd-node.c \
	%D%/cmd-nodedev-event.c \
	%D%/cmd-nodedev.c \
	%D%/cmd-nwfilter.c \
	%D%/cmd-pool-define.c \
	%D%/cmd-pool-info.c \
	%D%/cmd-pool-list.c \
	%D%/cmd-pool.c \
	%D%/cmd-run.c \
	%D%/cmd-save.c \
	%D%/cmd-secret.c \
	%D%/cmd-shell.c \
	%D%/cmd-snapshot-list.c \
	%D%/cmd-snapshot.c \
	%D%/cmd-ssh.c \
	%D%/cmd-stats.c \
	%D%/cmd-storage-event.c \
	%D%/cmd-top.c \
	%D%/cmd-tune.c \
	%D%/cmd-undefine.c \
	%D%/cmd-vcpu.c \
	%D%/cmd-vol-create.c \
	%D%/cmd-vol-data.c \
	%D%/cmd-vol-info.c \
	%D%/cmd-vol.c \
	%D%/cmd-xml.c \
	%D%/command.c \
	%D%/command.h \
	%D%/complete.c \
	%D%/connect.c \
	%D%/console.c \
	%D%/console.h \
	%D%/device.c \
	%D%/device.h \
	%D%/domain-action.c \
	%D%/domain-action.h \
	%D%/edit.c \
	%D%/edit.h \
	%D%/errors.c \
	%D%/errors.h \
	%D%/families.h \
	%D%/groups.h \
	%D%/help.c \
	%D%/import.c \
	%D%/import.h \
	%D%/interactive.c \
	%D%/interactive.h \
	%D%/job.c \
	%D%/job.h \
	%D%/main.c \
	%D%/network.c \
	%D%/network.h \
	%D%/output.c \
	%D%/output.h \
	%D%/params.c \
	%D%/params.h \
	%D%/run.c \
	%D%/run.h \
	%D%/snapshot.c \
	%D%/snapshot.h \
	%D%/states.c \
	%D%/states.h \
	%D%/storage.c \
	%D%/storage.h \
	%D%/tree.c \
	%D%/tree.h \
	%D%/watch.c \
	%D%/watch.h \
	%D%/words.c \
	%D%/xml.c \
	%D%/xml.h \
	%D%/yaml.c \
	%D%/yaml.h \
	$(NULL)
vireo_CFLAGS = $(AM_CFLAGS) $(LIBVIRT_CFLAGS) $(JSON_CFLAGS) $(EDIT_CFLAGS) \
	$(XML_CFLAGS)
vireo_LDADD = base/libbase.la $(LIBVIRT_LIBS) $(JSON_LIBS) $(EDIT_LIBS) \
	$(XML_LIBS)

dist_bashcompletion_DATA += %D%/completion/vireo
zshcompletiondir = $(datadir)/zsh/site-functions
dist_zshcompletion_DATA = %D%/completion/_vireo
fishcompletiondir = $(datadir)/fish/vendor_completions.d
dist_fishcompletion_DATA = %D%/completion/vireo.fish
