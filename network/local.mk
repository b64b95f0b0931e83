# network/local.mk -- what network adds to the one Makefile.
