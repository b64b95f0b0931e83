/*
 * vmm/loop.h -- a small epoll loop: descriptors, timers, calls from other
 * threads.
 *
 * Only loop_defer(), loop_mod(), loop_mute(), loop_unmute(), timer_arm() and
 * timer_disarm() may be called from any thread; everything else on the loop's
 * own thread (or before it runs).
 */
#ifndef VMM_LOOP_H
#define VMM_LOOP_H

#include <stdbool.h>
#include <stdint.h>

struct loop;
struct loop_timer;
struct error;

typedef void loop_fd_fn(void *arg, uint32_t events);
typedef void loop_fn(void *arg);

int loop_create(struct loop **ret_loop, struct error *err);
void loop_destroy(struct loop *loop);
int loop_run(struct loop *loop); /* until loop_quit() */
void loop_quit(struct loop *loop);

/* events: EPOLLIN, EPOLLOUT; loop_mod() changes them. */
int loop_add(struct loop *loop, int fd, uint32_t events, loop_fd_fn *fn,
	     void *arg);
int loop_mod(struct loop *loop, int fd, uint32_t events);
/* Of what was added: not even errors are reported until it is unmuted (but
 * what was found before may be). */
void loop_mute(struct loop *loop, int fd);
int loop_unmute(struct loop *loop, int fd, uint32_t events);
void loop_remove(struct loop *loop, int fd);

/* Runs fn(arg) once on the loop's thread, soon. */
void loop_defer(struct loop *loop, loop_fn *fn, void *arg);

/* One-shot timers on CLOCK_MONOTONIC; when: absolute nanoseconds. */
int timer_create_on(struct loop *loop, loop_fn *fn, void *arg,
		    struct loop_timer **ret_timer);
void timer_arm(struct loop_timer *timer, uint64_t when);
void timer_disarm(struct loop_timer *timer);
void timer_destroy(struct loop_timer *timer);

#endif
