# network/local.mk -- what network adds to the one Makefile.

include network/port/local.mk
include network/net/local.mk
