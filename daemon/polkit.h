/*
 * daemon/polkit.h -- asking polkit.
 *
 * polkitd tells only root what others may do, and main is not root and has no
 * D-Bus.  So a third process, "vireod-polkit", asks for it: root by uid alone,
 * without a capability, with nothing open but the system bus and its end of a
 * socket pair.  What main could make it do, were main taken over, is ask
 * whether somebody may do something.
 */
#ifndef DAEMON_POLKIT_H
#define DAEMON_POLKIT_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct access_details;
struct error;
struct polkit;

enum polkit_outcome {
	POLKIT_NO,
	POLKIT_YES,
	POLKIT_CHALLENGE, /* a password would do, and nobody asks for it */
	POLKIT_DISMISSED, /* the user did not give one */
	POLKIT_FAILED,
};

struct polkit_subject {
	pid_t pid;
	uid_t uid;
	bool interactive; /* its user may be asked for a password */
};

/* On any thread.  details: NULL: none.  Fails with the reason. */
int polkit_ask(struct polkit *polkit, const struct polkit_subject *subject,
	       const char *action, const struct access_details *details,
	       enum polkit_outcome *ret_outcome, struct error *err);

struct polkit *polkit_create(int fd);
void polkit_destroy(struct polkit *polkit); /* NULL: nothing */

/* ---- between main and that process ---- */

enum { POLKIT_TEXT_MAX = 12 * 1024 };

/* Comes with a descriptor that the answer goes to. */
struct polkit_question {
	int32_t pid;
	uint32_t uid;
	uint32_t interactive;
	char text[POLKIT_TEXT_MAX]; /* the action, then keys and values: each
				       ends with a NUL, the last with the
				       message */
};

struct polkit_answer {
	uint32_t outcome;
	char text[256]; /* POLKIT_FAILED: why */
};

/* polkit_asker.c: what that process does; its exit status. */
int polkit_asker(int fd);
/* The descriptor that came with a question, or -1. */
struct msghdr;
int polkit_received_fd(struct msghdr *msg);

/* The program's name for that process; polkit_keeper.c starts it. */
#define POLKIT_ASKER "vireod-polkit"

#endif
