# xml-schemas/local.mk -- what xml-schemas adds to the one Makefile.
