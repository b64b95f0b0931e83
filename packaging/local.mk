# packaging/local.mk -- what packaging adds to the one Makefile.
