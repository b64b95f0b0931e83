/*
 * daemon/events.h -- what a client asked to be told, and telling it.
 */
#ifndef DAEMON_EVENTS_H
#define DAEMON_EVENTS_H

#include <stdbool.h>
#include <stdint.h>

#include "model/domain.h"

struct domain_notice;
struct registry;
struct session;
struct error;

enum event_class {
	EVENT_DOMAIN,
	EVENT_NETWORK,
	EVENT_POOL,
	EVENT_NODEDEV,
	EVENT_SECRET,
};

struct subscription {
	struct subscription *next;
	enum event_class class;
	int event;
	int id;	     /* 0: the old registration, without callback ids */
	bool filter; /* only about this object: */
	uint8_t uuid[UUID_LEN];
};

/* uuid: of the one object it is about, or NULL.  *ret_id may be NULL: old. */
int events_subscribe(struct session *s, enum event_class class, int event,
		     const char *uuid, int *ret_id, struct error *err);
int events_unsubscribe(struct session *s, enum event_class class, int id,
		       struct error *err);
int events_unsubscribe_old(struct session *s, int event, struct error *err);
void events_forget(struct session *s);

/* On the loop: tells this session, if it asked. */
struct network_notice;
void events_tell_network(struct session *s, const struct network_notice *n);
void events_tell(struct session *s, const struct domain_notice *n);

#endif
