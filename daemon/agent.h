/*
 * daemon/agent.h -- the guest's agent: a program in the guest that answers
 * commands over a channel.
 *
 * The channel is the one whose name is AGENT_CHANNEL, on a Unix socket; it is
 * "connected" while the guest has its end open.  A command holds the domain's
 * job for as long as it takes to get at the channel, and then only the agent:
 * an agent that does not answer delays other commands to it and nothing else.
 */
#ifndef DAEMON_AGENT_H
#define DAEMON_AGENT_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "model/domain.h"

struct dom_obj;
struct domain_def;
struct json_object;
struct registry;
struct error;

#define AGENT_CHANNEL "org.qemu.guest_agent.0"

/* Seconds; the others are virDomainAgentResponseTimeoutValues. */
enum { AGENT_SYNC_S = 5, AGENT_SHUTDOWN_S = 60, AGENT_WAIT_FOREVER = -2,
       AGENT_WAIT_DEFAULT = -1 };

/* A domain's; the registry's lock. */
struct agent {
	int fd;	      /* connected to the channel; -1: not */
	bool busy;    /* a command has it */
	bool hung_up; /* meanwhile the other end went away */
	int timeout;  /* as the domain's user set it; 0: never did */
	pthread_cond_t idle;
};

void agent_init(struct agent *agent);
void agent_finish(struct agent *agent);

/* The definition's channel to an agent, or NULL. */
const struct dom_char *agent_channel(const struct domain_def *def);
bool agent_is_channel(const struct dom_char *chr);

/* The guest opened the channel, the job held: be there for it. */
void agent_opened(struct dom_obj *obj);
/* The channel was closed or the run is over: who waits for an answer fails. */
void agent_closed(struct dom_obj *obj);
/* The daemon stops. */
void agent_close_all(struct registry *reg);

/* ---- agent_talk.c: the protocol; fd does not block ---- */

/*
 * Takes the agent to a known point, sends the command and waits so many
 * seconds for its answer.  *ret_reply: what it returned, to be put; may be
 * NULL inside.  With timeouts and garbage the next call begins anew.
 */
int agent_talk(int fd, struct json_object *command, int timeout,
	       struct json_object **ret_reply, struct error *err);
/* The same for a command that is answered only when it fails: that the guest
 * closes the channel is what is waited for. */
int agent_talk_last(int fd, struct json_object *command, struct error *err);

/* ---- agent_call.c: one command of a domain's agent ---- */

/*
 * args: consumed; may be NULL.  *ret: what the command returned, to be put;
 * ret may be NULL.
 */
int agent_call(struct registry *reg, const uint8_t uuid[UUID_LEN],
	       const char *command, struct json_object *args,
	       struct json_object **ret, struct error *err);
/* Any command, as text; *ret_reply: all of the answer, as text. */
int agent_call_text(struct registry *reg, const uint8_t uuid[UUID_LEN],
		    const char *text, int timeout, char **ret_reply,
		    struct error *err);
/* Switches off: mode "powerdown", "reboot" or "halt". */
int agent_call_shutdown(struct registry *reg, const uint8_t uuid[UUID_LEN],
			const char *mode, struct error *err);
/* Writes its memory to its own disk and switches off. */
int agent_call_suspend(struct registry *reg, const uint8_t uuid[UUID_LEN],
		       const char *command, struct error *err);
/* How long its answers may take: virDomainAgentResponseTimeoutValues, or so
 * many seconds. */
int agent_set_timeout(struct registry *reg, const uint8_t uuid[UUID_LEN],
		      int timeout, struct error *err);
/* Whether there is one to be asked; err: why not. */
int agent_available(struct registry *reg, const uint8_t uuid[UUID_LEN],
		    struct error *err);

#endif
