/*
 * drivers/launch.h -- between the files that drive one VMM; drivers see only
 * what drivers/driver.h says of launch_*().
 */
#ifndef DRIVERS_LAUNCH_H
#define DRIVERS_LAUNCH_H

#include "drivers/driver.h"

struct json_object;
struct monitor;
struct vmm_spec;
struct spec_controller;
struct spec_char;
struct spec_disk;
struct spec_input;
struct spec_memory;
struct spec_nic;
struct spec_rng;
struct spec_place;

/* ---- launch_monitor.c: the control socket, our side (vmm/control.h) ---- */

/*
 * Takes over the descriptors, also on failure.  Returns once the VMM has
 * greeted; *ret_state is its state then ("new", "running", ...), static text
 * or NULL for an unknown one.
 */
int monitor_open(struct domain *dom, int control, int pidfd,
		 struct monitor **ret_mon, const char **ret_state,
		 struct error *err);
/* After it no call and no event is under way. */
void monitor_close(struct monitor *mon);

/*
 * Events of the guest go to the daemon from now on; one that ended it earlier
 * goes at once.
 */
void monitor_deliver(struct monitor *mon);

/*
 * One request and its reply.  args: its further members, consumed; may be
 * NULL.  ret_ok: the reply's, to be put by the caller; may be NULL.
 */
int monitor_call(struct monitor *mon, const char *request,
		 struct json_object *args, struct json_object **ret_ok,
		 struct error *err);
/* The same with descriptors, and with the arguments' JSON text made before.
 * pins: it may take long, as all guest memory is pinned. */
int monitor_create(struct monitor *mon, const char *spec, const int *fds,
		   unsigned int n_fds, bool pins, struct error *err);
/* The same with a descriptor, for what takes as long as it takes. */
int monitor_call_long(struct monitor *mon, const char *request,
		      struct json_object *args, int fd,
		      struct json_object **ret_ok, struct error *err);

/* launch_migrate.c: memory may follow the guest that comes. */
struct vmm_spec;
void launch_watch_missing(struct vmm_spec *spec);

/* ---- launch_rescue.c: a machine that may wait for memory ---- */
struct rescue {
	int fd; /* -1: none */
	bool follows, broken, over;
};
struct rescue *monitor_rescue(struct monitor *mon);
void rescue_begin(struct rescue *r, int fd); /* taken over */
void rescue_end(struct rescue *r);
bool rescue_send(struct rescue *r, int fd); /* false: there is no way */
/* "copying" or "broken" without asking the machine; NULL: ask it, and say what
 * was heard. */
const char *rescue_word(struct rescue *r);
void rescue_heard(struct rescue *r, const char *word);

int monitor_call_fds(struct monitor *mon, const char *request,
		     struct json_object *args, const int *fds,
		     unsigned int n_fds, struct error *err);

int monitor_call_fd(struct monitor *mon, const char *request,
		    struct json_object *args, int fd,
		    struct json_object **ret_ok, struct error *err);

/* "plug": the device's JSON text and its descriptors. */
int monitor_plug(struct monitor *mon, const char *devices, const int *fds,
		 unsigned int n_fds, bool pins, struct error *err);

/* Whether its process has ended; waits up to ms for it. */
bool monitor_dead(struct monitor *mon, int ms);

/* ---- launch_blockjob.c: after a time away: tells of each ---- */
void launch_find_blockjobs(struct domain *dom);

/* ---- launch_channel.c: ports of the virtio console ---- */
void launch_tell_port(struct domain *dom, const char *id, bool open);
/* Tells of each as it is now. */
void launch_ask_ports(struct domain *dom);

/* ---- launch_spec.c: a definition becomes a machine's description ---- */

/*
 * Opens everything the machine needs and fills in dom->live.  On failure
 * nothing is left open.
 */
int launch_build(struct domain *dom, const char *engine,
		 struct vmm_spec *ret_spec, struct error *err);

/* ---- launch_graphics.c: graphics, cards, input devices ---- */
int launch_check_graphics(const struct domain_def *def, struct error *err);
int launch_build_graphics(struct domain_def *def, struct vmm_spec *s,
			  struct error *err);

/* "interp", ... that <metadata> asks for, or NULL (launch_variant.c). */
#define LAUNCH_NAMESPACE "urn:vireo:domain"
/* An attribute of an element of ours in <metadata>; NULL: it has none. */
int launch_metadata(const struct domain_def *def, const char *element,
		    const char *attr, bool *ret_there, char **ret_value,
		    struct error *err);
int launch_variant(const struct domain_def *def, char **ret_variant,
		   struct error *err);

/* Whether a character device is one, and not a serial line's other name. */
bool launch_char_is_device(const struct dom_char *chr);

/* enum spec_watchdog, or -1 for a word that is none. */
int launch_watchdog_action(const char *word);

void launch_set_id(char **id, const struct dom_info *info, const char *kind,
		   unsigned int i);
void launch_set_place(struct spec_place *place, const struct dom_info *info);

/* ---- launch_firmware.c: what starts the guest ---- */

int launch_check_firmware(const struct dom_os *os, struct error *err);
int launch_build_firmware(const struct domain_def *def, struct vmm_spec *s,
			  struct error *err);
/* <boot dev=...>, once the devices are in the description. */
void launch_boot_order(const struct dom_os *os, struct vmm_spec *s);

/* ---- launch_port.c: PCI's bridges ---- */

int launch_check_port(const struct dom_controller *c, struct error *err);
void launch_build_ports(const struct domain_def *def, struct vmm_spec *s);

/* ---- launch_plug.c: devices of a running machine ---- */

/* After a time away: tells of devices that have gone meanwhile. */
void launch_find_gone(struct domain *dom);

/* ---- one device each of a definition, into its place ---- */

/* Those of want's disks that are others than the live ones'. */
int launch_limit_disks(struct domain *dom, const struct domain_def *want,
		       struct error *err);
/* The same of network cards. */
int launch_limit_nics(struct domain *dom, const struct domain_def *want,
		      struct error *err);
/* Images of that format; NULL: raw. */
bool launch_has_format(const char *format);
/* The image is open: what it is based on. */
int launch_build_chain(const struct dom_disk *d, struct spec_disk *s,
		       struct error *err);
int launch_build_disk(const struct dom_disk *d, unsigned int i,
		      struct spec_disk *s, struct error *err);
void launch_build_controller(const struct dom_controller *c,
			     struct spec_controller *to);
enum { LAUNCH_NIC_QUEUES = 64 };
int launch_build_nic(const uint8_t owner[UUID_LEN], struct dom_iface *d,
		     unsigned int i, struct spec_nic *s, struct error *err);
/* What its macvtap is on; NULL: it has none. */
const char *launch_direct_dev(const struct dom_iface *d);
/* launch_memory.c */
int launch_check_memories(const struct domain_def *def, struct error *err);
int launch_build_memories(struct domain_def *def, struct vmm_spec *s,
			  struct error *err);
int launch_build_memory(struct domain_def *def, unsigned int i,
			struct spec_memory *s, struct error *err);
void launch_tell_memory(struct domain *dom, const char *alias,
			uint64_t bytes);
/* After a time away: how much of each is in use. */
void launch_find_memory(struct domain *dom);

void launch_build_rng(const struct dom_rng *d, unsigned int i,
		      struct spec_rng *s);
int launch_build_char(struct dom_char *d, unsigned int i, struct spec_char *s,
		      struct error *err);
void launch_build_input(const struct dom_input *i, struct spec_input *s);

/* ---- launch_tune.c: clocks, Hyper-V, NUMA, where memory is ---- */

int launch_check_tune(const struct domain_def *def, struct error *err);
void launch_build_tune(const struct domain_def *def, struct vmm_spec *s);

/* ---- launch_place.c: CPUs, limits ---- */

/* Before the machine is built, when it is, and when its guest runs. */
int launch_place_before(struct domain *dom, struct error *err);
int launch_place_built(struct domain *dom, struct error *err);
int launch_place_running(struct domain *dom, struct error *err);

/* ---- launch_disk.c: disks and the controllers they are on ---- */

bool launch_is_storage(const struct dom_controller *c);
int launch_check_storage(const struct dom_controller *c, struct error *err);
int launch_check_disk(const struct dom_disk *d, struct error *err);
int launch_build_disks(const struct domain_def *def, struct vmm_spec *s,
		       struct error *err);

/* ---- launch_fs.c: shared folders ---- */
/* The port of a USB device. */
int launch_check_usb(const struct dom_address *a, struct error *err);
int launch_check_fs(const struct dom_fs *f, struct error *err);
int launch_build_fs(const struct domain_def *def, struct vmm_spec *s,
		    struct error *err);

/* ---- launch_vsock.c: AF_VSOCK ---- */
int launch_check_vsock(const struct domain_def *def, struct error *err);
int launch_build_vsock(struct domain *dom, struct vmm_spec *s,
		       struct error *err);

/* ---- launch_hostdev.c: PCI functions of the host's ---- */
int launch_check_hostdev(const struct dom_hostdev *h, struct error *err);
int launch_check_hostdev_iface(const struct dom_iface *i, struct error *err);
bool launch_has_hostdevs(const struct domain_def *def);
/* Takes them from the host's drivers where that is ours to do. */
int launch_build_hostdevs(const struct domain_def *def, struct vmm_spec *s,
			  struct error *err);
/* The one with this info, which the definition has already. */
int launch_plug_hostdev(struct domain *dom, const struct domain_def *def,
			const struct dom_info *info, struct vmm_spec *s,
			struct error *err);

/* ---- launch_tpm.c ---- */
int launch_check_tpms(const struct domain_def *def, struct error *err);
/* Starts it: last, so that nothing else fails afterwards. */
int launch_build_tpm(const struct domain_def *def, struct vmm_spec *s,
		     struct error *err);

/* What every driver with a VMM has in common in its table. */
#define LAUNCH_OPS \
	.stop = launch_stop, .pause = launch_pause, .resume = launch_resume, \
	.reset = launch_reset, .reboot = launch_reboot, .nmi = launch_nmi, \
	.wake = launch_wake, .asleep = launch_asleep, \
	.interrupt = launch_interrupt, .save = launch_save, \
	.dump = launch_dump, .job_progress = launch_job_progress, \
	.tune = launch_tune, .set_vcpus = launch_set_vcpus, \
	.job_cancel = launch_job_cancel, .migrate = launch_migrate, \
	.receive = launch_receive, .take = launch_take, .keep = launch_keep, \
	.handover = launch_handover, .recover = launch_recover, \
	.follow_break = launch_follow_break, \
	.migrate_limits = launch_migrate_limits, .set_balloon = launch_set_balloon, \
	.set_balloon_period = launch_set_balloon_period, \
	.measure_dirty = launch_measure_dirty, \
	.change_medium = launch_change_medium, \
	.resize_disk = launch_resize_disk, \
	.switch_disks = launch_switch_disks, \
	.blockjob_begin = launch_blockjob_begin, \
	.blockjob_change = launch_blockjob_change, \
	.blockjob_info = launch_blockjob_info, \
	.bitmap_change = launch_bitmap_change, \
	.bitmap_info = launch_bitmap_info, \
	.nbd_start = launch_nbd_start, \
	.nbd_stop = launch_nbd_stop, \
	.peek_memory = launch_peek_memory, \
	.attach = launch_attach, .detach = launch_detach, \
	.set_link = launch_set_link, \
	.set_memory = launch_set_memory, \
	.stats = launch_stats, .open_console = launch_open_console, \
	.vsock_connect = launch_vsock_connect, \
	.open_channel = launch_open_channel, \
	.send_keys = launch_send_keys, .screenshot = launch_screenshot, \
	.open_graphics = launch_open_graphics, \
	.set_graphics_password = launch_set_graphics_password, \
	.reconnect = launch_reconnect

extern const char *const launch_machines[]; /* for host_caps */

#endif
