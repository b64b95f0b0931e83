# drivers/local.mk -- what drivers adds to the one Makefile.
