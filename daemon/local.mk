# daemon/local.mk -- what daemon adds to the one Makefile.
