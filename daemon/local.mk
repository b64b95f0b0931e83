# daemon/local.mk -- vireod: its two halves, and what main serves.
sbin_PROGRAMS += vireod
vireod_SOURCES = \
	%D%/access_config.c \
	%D%/access_config.h \
	%D%/confine.c \
	%D%/confine.h \
	%D%/default_network.c \
	%D%/default_network.h \
	%D%/domain.h \
	%D%/host.c \
	%D%/host.h \
	%D%/host_hook.c \
	%D%/host_filter.c \
	%D%/host_filter.h \
	%D%/host_network.c \
	%D%/host_port.c \
	%D%/host_network.h \
	%D%/host_pci.c \
	%D%/host_pool.c \
	%D%/host_pool.h \
	%D%/listen.c \
	%D%/listen.h \
	%D%/options.c \
	%D%/options.h \
	%D%/polkit_asker.c \
	%D%/polkit_keeper.c \
	%D%/polkit_keeper.h \
	%D%/priv.c \
	%D%/priv.h \
	%D%/priv_chr.c \
	%D%/priv_dnsmasq.c \
	%D%/priv_file.c \
	%D%/priv_filter.c \
	%D%/priv_fs.c \
	%D%/priv_hook.c \
	%D%/priv_net.c \
	%D%/priv_direct.c \
	%D%/priv_network.c \
	%D%/priv_open.c \
	%D%/priv_path.c \
	%D%/priv_pci.c \
	%D%/priv_pci.h \
	%D%/priv_pool.c \
	%D%/priv_probe.c \
	%D%/priv_root.c \
	%D%/priv_spawn.c \
	%D%/priv_tool.c \
	%D%/priv_tpm.c \
	%D%/priv_cgroup.c \
	%D%/priv_tune.c \
	%D%/priv_vf.c \
	%D%/priv_vmm.c \
	%D%/priv_vsock.c \
	%D%/serve.c \
	%D%/serve.h \
	%D%/server.h \
	%D%/store.h \
	%D%/vireod.c \
	%D%/watch.c \
	$(NULL)
vireod_CPPFLAGS = $(AM_CPPFLAGS) -DSOURCE_FROM_BUILD='"$(top_srcdir)"'
vireod_CFLAGS = $(AM_CFLAGS) $(SYSTEMD_CFLAGS) $(CAPNG_CFLAGS) $(MNL_CFLAGS) \
	$(DBUS_CFLAGS)
# Drivers are modules that call back into us.
# Of what is called by modules alone nothing would be linked.
vireod_LDFLAGS = $(AM_LDFLAGS) -export-dynamic -Wl,-u,disk_layers
vireod_LDADD = \
	%D%/libserver.la \
	%D%/libdaemon-core.la \
	network/libnet.la \
	model/libmodel.la \
	base/libjournal.la \
	base/libbase.la \
	$(SYSTEMD_LIBS) \
	$(CAPNG_LIBS) \
	$(MNL_LIBS) \
	$(DBUS_LIBS) \
	-lpthread \
	$(NULL)

include daemon/server.mk

# Packets of volumes' data: for both libraries.
noinst_LTLIBRARIES += %D%/libtransfer.la
%C%_libtransfer_la_SOURCES = %D%/transfer.c %D%/transfer.h
%C%_libtransfer_la_LIBADD = base/libbase.la

# The registry and its store: what the RPC handlers call.
noinst_LTLIBRARIES += %D%/libdaemon-core.la
%C%_libdaemon_core_la_SOURCES = \
	%D%/agent.h \
	%D%/agent_call.c \
	%D%/agent_talk.c \
	%D%/capabilities.c \
	%D%/carrier.c \
	%D%/carrier.h \
	%D%/carrier_tls.c \
	%D%/carrier_tls.h \
	%D%/control.c \
	%D%/coredump.c \
	%D%/definition.c \
	%D%/nvram.c \
	%D%/nvram.h \
	%D%/tpm.c \
	%D%/tpm.h \
	%D%/attach.c \
	%D%/disk.c \
	%D%/definition.h \
	%D%/block.c \
	%D%/backup.c \
	%D%/backup.h \
	%D%/blockjob.c \
	%D%/blockjob.h \
	%D%/blockjob_chain.c \
	%D%/blockjob_merge.c \
	%D%/graphics.c \
	%D%/domain.h \
	%D%/drivers.c \
	%D%/guest.c \
	%D%/guestcpu.c \
	%D%/hooks.c \
	%D%/hooks.h \
	%D%/hostdev.c \
	%D%/hostdev.h \
	%D%/nodedev.c \
	%D%/guestcpu.h \
	%D%/hostcaps.c \
	%D%/hostcaps.h \
	%D%/index.c \
	%D%/index.h \
	%D%/job.c \
	%D%/memory.c \
	%D%/metadata.c \
	%D%/migrate.h \
	%D%/migrate_cookie.c \
	%D%/migrate_disks.c \
	%D%/migrate_flags.c \
	%D%/migrate_follow.c \
	%D%/migrate_in.c \
	%D%/migrate_offline.c \
	%D%/migrate_out.c \
	%D%/migrate_p2p.c \
	%D%/migrate_priv.h \
	%D%/migrate_uri.c \
	%D%/peer.c \
	%D%/filtered.c \
	%D%/filtered.h \
	%D%/plugged.c \
	%D%/plugged.h \
	%D%/peer.h \
	%D%/tune.c \
	%D%/tune.h \
	%D%/query.c \
	%D%/autostart.c \
	%D%/autostart.h \
	%D%/reconnect.c \
	%D%/registry.c \
	%D%/registry.h \
	%D%/jobinfo.c \
	%D%/run.c \
	%D%/overlay.c \
	%D%/overlay.h \
	%D%/save.c \
	%D%/savefile.c \
	%D%/savefile.h \
	%D%/pool_ops.c \
	%D%/pm.c \
	%D%/pools.c \
	%D%/pools.h \
	%D%/pools_priv.h \
	%D%/secret_key.c \
	%D%/secret_key.h \
	%D%/secrets.c \
	%D%/secrets.h \
	%D%/checkpoint.c \
	%D%/checkpoint.h \
	%D%/checkpoint_bitmaps.c \
	%D%/checkpoint_create.c \
	%D%/checkpoint_delete.c \
	%D%/checkpoint_query.c \
	%D%/moments.c \
	%D%/moments.h \
	%D%/snapshot.c \
	%D%/snapshot.h \
	%D%/snapshot_create.c \
	%D%/snapshot_delete.c \
	%D%/snapshot_images.c \
	%D%/snapshot_query.c \
	%D%/snapshot_revert.c \
	%D%/snapshot_take.c \
	%D%/snapshot_take.h \
	%D%/store.c \
	%D%/store.h \
	%D%/store_priv.h \
	%D%/store_nwfilter.c \
	%D%/store_nwfilter.h \
	%D%/store_storage.c \
	%D%/store_storage.h \
	%D%/vol_data.c \
	%D%/vol_disks.c \
	%D%/vol_image.c \
	%D%/vol_transfer.c \
	%D%/volumes.c \
	$(NULL)
%C%_libdaemon_core_la_CFLAGS = $(AM_CFLAGS) $(SQLITE_CFLAGS) $(XML_CFLAGS) \
	$(JSON_CFLAGS) $(TIRPC_CFLAGS) $(GNUTLS_CFLAGS)
%C%_libdaemon_core_la_LIBADD = \
	storage/pool/libpool.la \
	%D%/libtransfer.la \
	%D%/libnetworks.la \
	model/libmodel.la \
	cpu/libcpu.la \
	rpc/librpc.la \
	storage/libformat.la \
	base/libbase.la \
	$(SQLITE_LIBS) \
	$(GNUTLS_LIBS) \
	$(XML_LIBS) \
	$(JSON_LIBS) \
	-lpthread \
	$(NULL)
