# examples/local.mk -- what examples adds to the one Makefile.
