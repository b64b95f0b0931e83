/*
 * cli/states.h -- libvirt's domain states and reasons in virsh's words.
 */
#ifndef CLI_STATES_H
#define CLI_STATES_H

const char *state_name(int state);
const char *reason_name(int state, int reason);

#endif
