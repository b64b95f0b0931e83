# cli/local.mk -- what cli adds to the one Makefile.
