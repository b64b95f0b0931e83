/*
 * vmm/boot/firmware.h -- what firmware is told about the machine.
 */
#ifndef VMM_BOOT_FIRMWARE_H
#define VMM_BOOT_FIRMWARE_H

struct error;
struct machine;
struct rtc;

/* Once all devices are there: the fw_cfg device and the CMOS memory. */
int firmware_offer(struct machine *m, struct rtc *rtc, struct error *err);

#endif
