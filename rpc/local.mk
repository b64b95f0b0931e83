# rpc/local.mk -- what rpc adds to the one Makefile.
