/*
 * vmm/dev/rtc.h -- the real-time clock and its CMOS memory.
 */
#ifndef VMM_DEV_RTC_H
#define VMM_DEV_RTC_H

#include <stdint.h>

struct machine;
struct rtc;

struct rtc *rtc_create(struct machine *m);

/* A byte of CMOS memory, before the guest runs. */
void rtc_set_cmos(struct rtc *rtc, unsigned int reg, uint8_t value);

#endif
