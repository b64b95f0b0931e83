# model/local.mk -- what model adds to the one Makefile.
