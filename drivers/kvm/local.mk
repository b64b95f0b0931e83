# drivers/kvm/local.mk -- the engine half; driver.c, the daemon's half, is a
# module of its own.
noinst_LTLIBRARIES += drivers/kvm/libkvm-engine.la
drivers_kvm_libkvm_engine_la_SOURCES = \
	drivers/kvm/clock.c \
	drivers/kvm/cpuid.c \
	drivers/kvm/dirty.c \
	drivers/kvm/engine.c \
	drivers/kvm/hyperv.c \
	drivers/kvm/kvm.h \
	drivers/kvm/probe.c \
	drivers/kvm/route.c \
	drivers/kvm/slots.c \
	drivers/kvm/state.c \
	$(NULL)
