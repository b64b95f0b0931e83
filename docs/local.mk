# docs/local.mk -- what docs adds to the one Makefile.
man_MANS = docs/man/vireo.1
EXTRA_DIST += docs/man/vireo.1.in
CLEANFILES += docs/man/vireo.1
dist_man_MANS += docs/man/vireo-img.1
dist_man_MANS += docs/man/vireo-dbus.8
dist_man_MANS += docs/man/vireo-vmm.8
dist_man_MANS += docs/man/vireod.8
EXTRA_DIST += \
	$(wildcard $(top_srcdir)/docs/*.md) \
	$(wildcard $(top_srcdir)/docs/decisions/*.md) \
	$(NULL)

# The commands' part comes from their tables.
docs/man/vireo.1: docs/man/vireo.1.in vireo$(EXEEXT)
	$(AM_V_GEN)$(MKDIR_P) docs/man && \
	{ sed '/^@COMMANDS@/,$$d' $(srcdir)/docs/man/vireo.1.in && \
	./vireo$(EXEEXT) __manual && \
	sed '1,/^@COMMANDS@/d' $(srcdir)/docs/man/vireo.1.in; } > $@.tmp && \
	mv $@.tmp $@
