# packaging/local.mk -- systemd units and the daemon's user.
systemdunitdir = $(prefix)/lib/systemd/system
sysusersdir = $(prefix)/lib/sysusers.d
packaging_units = \
	%D%/vireo-dbus.service \
	%D%/vireod-admin.socket \
	%D%/vireod-ro.socket \
	%D%/vireod.service \
	%D%/vireod.socket \
	$(NULL)
nodist_systemdunit_DATA = $(packaging_units)
CLEANFILES += $(packaging_units)

dist_pkgdata_DATA += %D%/default-network.xml

# polkit's actions, by libvirt's names; libvirt-daemon brings files of the same
# names, so a package of ours conflicts with it.
polkitdir = $(datadir)/polkit-1/actions
dist_polkit_DATA = %D%/org.libvirt.unix.policy
nodist_polkit_DATA = %D%/org.libvirt.api.policy
CLEANFILES += $(nodist_polkit_DATA)

%D%/org.libvirt.api.policy: $(RPC_PERMISSIONS) $(RPC_PERMISSIONS_AWK)
	$(AM_V_GEN)$(MKDIR_P) %D% && $(AWK) -v out=policy \
		-f $(RPC_PERMISSIONS_AWK) $(RPC_PERMISSIONS) > $@.tmp && \
		mv $@.tmp $@

EXTRA_DIST += $(wildcard $(top_srcdir)/packaging/debian/*)
EXTRA_DIST += $(packaging_units:=.in) %D%/vireo.sysusers.conf

# Who may use the system bus for it, and how the bus starts it.
dbuspolicydir = $(datadir)/dbus-1/system.d
dist_dbuspolicy_DATA = %D%/org.vireo.conf
dbusservicedir = $(datadir)/dbus-1/system-services
nodist_dbusservice_DATA = %D%/org.vireo.service
CLEANFILES += %D%/org.vireo.service
EXTRA_DIST += %D%/org.vireo.service.in

$(packaging_units) %D%/org.vireo.service: %D%/%: %D%/%.in Makefile
	$(AM_V_GEN)$(MKDIR_P) %D% && sed \
		-e 's|@sbindir[@]|$(sbindir)|' \
		-e 's|@runstatedir[@]|$(runstatedir)|' $< > $@

install-data-local: install-sysusers
install-sysusers:
	$(MKDIR_P) $(DESTDIR)$(sysusersdir)
	$(INSTALL_DATA) $(srcdir)/%D%/vireo.sysusers.conf \
		$(DESTDIR)$(sysusersdir)/vireo.conf
uninstall-local: uninstall-sysusers
uninstall-sysusers:
	rm -f $(DESTDIR)$(sysusersdir)/vireo.conf
.PHONY: install-sysusers uninstall-sysusers
