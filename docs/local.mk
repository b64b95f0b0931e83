# docs/local.mk -- what docs adds to the one Makefile.
dist_man_MANS += docs/man/vireo.1
dist_man_MANS += docs/man/vireo-vmm.8
dist_man_MANS += docs/man/vireod.8
EXTRA_DIST += \
	$(wildcard $(top_srcdir)/docs/*.md) \
	$(wildcard $(top_srcdir)/docs/decisions/*.md) \
	$(NULL)
