/*
 * drivers/test/guest.h -- a guest that exists only in memory.
 *
 * Each has one thread, which stands for the machine: it echoes on consoles,
 * acts on the power button, and does by itself what its definition's
 * behaviour element says.
 */
#ifndef DRIVERS_TEST_GUEST_H
#define DRIVERS_TEST_GUEST_H

#include "drivers/driver.h"

#define BEHAVIOUR_URI "urn:vireo:test-behaviour"

/*
 * How to misbehave, for tests of the daemon:
 *
 *	<metadata>
 *	  <t:behaviour xmlns:t='urn:vireo:test-behaviour' start='fail'
 *	               pause='hang' crash-after-ms='50'/>
 *	</metadata>
 */
enum behaviour_op { OP_START, OP_STOP, OP_PAUSE, OP_RESUME, OP_STATS,
		    OP_SHUTDOWN, BEHAVIOUR_OPS };
enum behaviour_how { BEHAVE, BEHAVE_FAIL, BEHAVE_HANG, BEHAVE_IGNORE };

struct behaviour {
	enum behaviour_how how[BEHAVIOUR_OPS];
	unsigned int crash_after_ms, poweroff_after_ms; /* 0: never */
};

int behaviour_parse(const char *metadata, struct behaviour *ret,
		    struct error *err);

struct guest;

/* What the guest's thread is to do; several may be pending. */
enum guest_request { GUEST_POWER_BUTTON = 1 << 0, GUEST_RESET = 1 << 1,
		     GUEST_KILLED = 1 << 2, GUEST_QUIT = 1 << 3 };

int guest_create(struct domain *dom, const struct behaviour *behaviour,
		 struct guest **ret_guest, struct error *err);
int guest_boot(struct guest *guest, bool paused, struct error *err);
void guest_destroy(struct guest *guest); /* ends its thread */
void guest_request(struct guest *guest, unsigned int requests);
/* Finds it, or does nothing: it may end at the same time. */
void guest_kill(const uint8_t uuid[UUID_LEN]);
/* 0, or what the guest's behaviour says about this operation. */
int guest_behave(struct guest *guest, enum behaviour_op op, struct error *err);

void guest_set_paused(struct guest *guest, bool paused);
void guest_set_balloon(struct guest *guest, uint64_t bytes);
uint64_t guest_balloon(struct guest *guest);
/* What it does when it ends. */
void guest_set_actions(struct guest *guest, const struct domain_def *def);
uint64_t guest_cpu_ns(struct guest *guest);
int guest_open_console(struct guest *guest, unsigned int index, bool force,
		       int *ret_fd, struct error *err);

#endif
