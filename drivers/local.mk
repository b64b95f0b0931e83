# drivers/local.mk -- what drivers adds to the one Makefile.
include drivers/kvm/local.mk
include %D%/emu/local.mk
