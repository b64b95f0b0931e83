# docs/local.mk -- what docs adds to the one Makefile.
