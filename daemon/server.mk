# daemon/server.mk -- the RPC server, in a library so that tests can link it.
daemon_made = \
	%D%/handlers-gen.c \
	%D%/handlers-gen.h \
	$(NULL)
BUILT_SOURCES += $(daemon_made)
CLEANFILES += $(daemon_made)

%D%/handlers-gen.c: $(RPC_PROCS) $(RPC_AWK)
	$(AM_V_GEN)$(MKDIR_P) %D% && \
		$(AWK) -v out=handlers -f $(RPC_AWK) $(RPC_PROCS) > $@.tmp && \
		mv $@.tmp $@

%D%/handlers-gen.h: $(RPC_PROCS) $(RPC_AWK)
	$(AM_V_GEN)$(MKDIR_P) %D% && \
		$(AWK) -v out=prototypes -f $(RPC_AWK) $(RPC_PROCS) > \
			$@.tmp && mv $@.tmp $@

# Networks: without what they need of host and store, which main gives.
noinst_LTLIBRARIES += %D%/libnetworks.la
%C%_libnetworks_la_SOURCES = \
	%D%/networks.c \
	%D%/networks.h \
	%D%/networks_ports.c \
	%D%/networks_priv.h \
	%D%/networks_rules.c \
	%D%/networks_run.c \
	%D%/nwfilters.c \
	%D%/nwfilters.h \
	$(NULL)
%C%_libnetworks_la_CFLAGS = $(AM_CFLAGS) $(LIBVIRT_CFLAGS)
%C%_libnetworks_la_LIBADD = network/libnet.la

noinst_LTLIBRARIES += %D%/libserver.la
%C%_libserver_la_CFLAGS = $(AM_CFLAGS) $(SYSTEMD_CFLAGS) $(TIRPC_CFLAGS) \
	$(LIBVIRT_CFLAGS) $(JSON_CFLAGS) $(XML_CFLAGS) $(SASL_CFLAGS)
%C%_libserver_la_LIBADD = rpc/librpc.la %D%/libtransfer.la $(SASL_LIBS) $(SYSTEMD_LIBS) $(JSON_LIBS) \
	-lpthread
nodist_%C%_libserver_la_SOURCES = \
	%D%/handlers-gen.c \
	%D%/handlers-gen.h \
	$(NULL)
%C%_libserver_la_SOURCES = \
	%D%/access.c \
	%D%/access.h \
	%D%/access_driver.c \
	%D%/access_driver.h \
	%D%/acl.c \
	%D%/acl.h \
	%D%/acl_events.c \
	%D%/acl_filter.c \
	%D%/acl_subject.c \
	%D%/dispatch.c \
	%D%/dispatch.h \
	%D%/domstats.c \
	%D%/domstats.h \
	%D%/events.c \
	%D%/events.h \
	%D%/handlers_admin.c \
	%D%/handlers_admin_log.c \
	%D%/handlers_agent.c \
	%D%/handlers_auth.c \
	%D%/handlers_block.c \
	%D%/handlers_blockjob.c \
	%D%/handlers_connect.c \
	%D%/handlers_cpu.c \
	%D%/handlers_device.c \
	%D%/handlers_domain.c \
	%D%/handlers_addresses.c \
	%D%/handlers_domain_info.c \
	%D%/handlers_event.c \
	%D%/handlers_graphics.c \
	%D%/guestinfo.h \
	%D%/handlers_guestcpus.c \
	%D%/handlers_guestinfo.c \
	%D%/handlers_iface_params.c \
	%D%/handlers_iotune.c \
	%D%/handlers_lifecycle.c \
	%D%/handlers_limits.c \
	%D%/handlers_tune.c \
	%D%/handlers_interface.c \
	%D%/handlers_migrate.c \
	%D%/handlers_network.c \
	%D%/handlers_network_port.c \
	%D%/handlers_node.c \
	%D%/handlers_node_memory.c \
	%D%/handlers_nodedev.c \
	%D%/handlers_nwfilter.c \
	%D%/handlers_save.c \
	%D%/handlers_secret.c \
	%D%/handlers_checkpoint.c \
	%D%/handlers_snapshot.c \
	%D%/reply_moment.c \
	%D%/reply_moment.h \
	%D%/handlers_stats.c \
	%D%/handlers_storage.c \
	%D%/handlers_volume.c \
	%D%/hostinfo.c \
	%D%/hostinfo.h \
	%D%/hostdmi.c \
	%D%/hostdmi.h \
	%D%/hostmm.c \
	%D%/hostmm.h \
	%D%/metrics.c \
	%D%/metrics.h \
	%D%/metrics_text.c \
	%D%/polkit.c \
	%D%/polkit.h \
	%D%/remote.c \
	%D%/reply.c \
	%D%/reply.h \
	%D%/sasl.c \
	%D%/sasl.h \
	%D%/server.c \
	%D%/server.h \
	%D%/server_priv.h \
	%D%/session.c \
	%D%/session.h \
	%D%/stream.c \
	%D%/stream.h \
	%D%/stream_console.c \
	%D%/workers.c \
	%D%/workers.h \
	$(NULL)
%C%_libserver_la_LIBADD += %D%/libnetworks.la
