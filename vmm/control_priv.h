/*
 * vmm/control_priv.h -- what vmm/control*.c share.
 */
#ifndef VMM_CONTROL_PRIV_H
#define VMM_CONTROL_PRIV_H

#include <json-c/json.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "vmm/control.h"
#include "vmm/handover.h"
#include "vmm/image.h"
#include "vmm/job.h"
#include "vmm/machine.h"
#include "vmm/migrate.h"
#include "vmm/postcopy.h"
#include "vmm/spec.h"

enum state { STATE_NEW = 1, STATE_PAUSED = 2, STATE_RUNNING = 4,
	     STATE_STOPPED = 8 };

enum { REPLY_LATER = 1 };

struct control {
	struct loop *loop;
	int listen_fd, status_fd;
	int client; /* -1: nobody */
	uint64_t started;
	enum state state;
	enum machine_stop reason;
	bool tried; /* one "create" a process: the sandbox stays */
	bool leaving; /* after the reply */
	struct vmm_spec spec;
	struct machine *m;
	struct hotplug *hotplug;

	/* What takes long, and which request is answered at its end. */
	struct job *job;
	struct progress progress; /* of the last one, too */
	int64_t job_id;
	int job_fd;
	int more[MIGRATE_MORE_MAX]; /* streams beside job_fd */
	unsigned int n_more;
	uint64_t job_offset;
	enum image_format job_format;
	const char *job_name;
	struct migrate_options migrate;
	struct migrate_limits limits;
	bool job_paused; /* the job paused it */
	bool job_froze;	 /* its memory: none comes or goes */
	bool job_trusted; /* its stream is the other VMM's own */
	struct handover *handover; /* the guest was sent or came, or NULL */
	/* Memory that follows it: one of the two at most. */
	struct postcopy_out *out;
	struct postcopy_in *in;
	struct postcopy_listener follower;
	int page_fd, rescue_fd, missing_fd;
	struct announce *announce;
	struct numa_move *numa_move; /* its memory moves among nodes */
	struct dirtyrate *dirtyrate; /* NULL: never measured */
	struct blockjobs *blockjobs; /* on disks' images, and over */
	struct control_nbd *nbd; /* who reads exports; or NULL */
	int64_t take_id;
	struct buf job_state;
	struct x86_state *job_cpus;
	unsigned int n_job_cpus;

	/* The request at hand. */
	int fds[CONTROL_FDS_MAX];
	unsigned int n_fds;
	char *msg; /* CONTROL_MSG_MAX + 1 bytes */
};

/*
 * A request: its answer's members go into ok.  REPLY_LATER: a job that it
 * began answers it; below 0: err says why it is refused.
 */
typedef int control_request_fn(struct control *c, struct json_object *req,
			       struct json_object *ok, struct error *err);

/* ---- control.c ---- */

struct json_object *control_event(const char *name);
void control_add_str(struct json_object *o, const char *key, const char *s);
void control_add_u64(struct json_object *o, const char *key, uint64_t v);
void control_send(struct control *c, struct json_object *msg);
/* To the request of that id: ok, which it takes, or what err says. */
void control_reply(struct control *c, struct json_object *id, int r,
		   struct json_object *ok, const struct error *err);
void control_set_state(struct control *c, enum state state,
		       enum machine_stop reason);
struct json_object *control_cpu_ns(struct control *c);
const char *control_handover(const struct control *c);
/* Images are this process's alone to write, or nobody's. */
int control_claim_disk(const struct spec_disk *d, struct error *err);
int control_claim_disks(struct control *c, struct error *err);
void control_let_go_disks(struct control *c);

/* ---- control_events.c ---- */

extern const struct machine_listener control_listener;
void control_on_stopped(void *control, enum machine_stop why,
			const char *detail, bool preserved);
/* An event that is about a device. */
void control_tell_device(struct control *c, const char *event, const char *id);

/* ---- control_devices.c ---- */

control_request_fn control_stats, control_balloon, control_memory, control_nodes,
	control_balloon_period, control_dirtyrate, control_link, control_keys,
	control_screenshot, control_vnc_client, control_vsock_connected,
	control_vnc_password, control_vcpus, control_insert, control_resize,
	control_peek, control_plug, control_switch, control_limit,
	control_unplug, control_devices, control_connect;

/* ---- control_jobs.c ---- */

int control_start_job(struct control *c, struct json_object *req,
		      const char *name, job_work_fn *work, job_done_fn *done,
		      struct error *err);
/* It is over: its descriptors and buffers go, and the machine runs on if the
 * job paused it. */
void control_forget_job(struct control *c);
void control_save_done(void *control, int result, const struct error *err);
control_request_fn control_save, control_dump, control_job, control_cancel;

/* ---- control_blockjobs.c ---- */

void control_end_blockjobs(struct control *c);
bool control_has_blockjobs(const struct control *c);
control_request_fn control_blockjob, control_blockjobs,
	control_blockjob_change, control_nbd_start, control_nbd_stop;

/* NULL: it is no text. */
const char *control_text(struct json_object *req, const char *key);
/* The disk's images are others when its job is over. */
bool control_moves_images(struct control *c, const char *disk);

/* ---- control_bitmaps.c ---- */

control_request_fn control_bitmaps, control_bitmap_change;

/* ---- control_migrate.c ---- */

/* Memory that follows the guest has arrived, or does not. */
void control_on_follow(void *control);
control_request_fn control_migrate, control_limits, control_receive, control_take,
	control_recover, control_break;

#endif
