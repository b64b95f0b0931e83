/*
 * vmm/dev/rtc.h -- the real-time clock and its CMOS memory.
 */
#ifndef VMM_DEV_RTC_H
#define VMM_DEV_RTC_H

struct machine;

void rtc_create(struct machine *m);

#endif
