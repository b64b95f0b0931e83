# vmm/local.mk -- what vmm adds to the one Makefile.
