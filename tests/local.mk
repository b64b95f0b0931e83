# tests/local.mk -- what tests adds to the one Makefile.
