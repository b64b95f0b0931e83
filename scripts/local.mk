# scripts/local.mk -- what the README, the tests and CI call.
dist_noinst_SCRIPTS += \
	%D%/check \
	%D%/deb \
	%D%/demo \
	%D%/down \
	%D%/lint \
	%D%/stop-daemon \
	%D%/up \
	$(NULL)
EXTRA_DIST += %D%/functions.sh

# clang-tidy and cppcheck, over one file or many: make lint LINT_FILES=...
lint: export LINT_FLAGS = -std=gnu17 $(DEFS) -I. $(DEFAULT_INCLUDES) \
	-I$(abs_builddir) $(AM_CPPFLAGS) $(XML_CFLAGS) $(LIBVIRT_CFLAGS) \
	$(TIRPC_CFLAGS) $(JSON_CFLAGS) $(EDIT_CFLAGS) \
	-DSOURCE_FROM_BUILD='"$(top_srcdir)"'
lint: export LINT_JOBS ?= 1
lint: $(BUILT_SOURCES)
	$(top_srcdir)/scripts/lint $(LINT_FILES)
.PHONY: lint
