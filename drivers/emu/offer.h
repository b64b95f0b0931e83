/*
 * drivers/emu/offer.h -- what CPU this engine has to offer on this host.
 */
#ifndef EMU_OFFER_H
#define EMU_OFFER_H

#include "cpu/cpuid.h"

/* After vec_isa_init(). */
void emu_cpuid_host(struct x86_cpuid *ret_cpuid);

#endif
