/*
 * vmm/control.h -- the control socket of a VMM: the protocol, both sides'.
 *
 * SOCK_SEQPACKET, one JSON object a message, descriptors as ancillary data.
 * vireo-vmm listens; the daemon connects (again after its restart).  One
 * client at a time: a new connection replaces the old one.
 *
 * On connecting, the VMM greets:
 *	{"vireo-vmm": 1, "version": "0.1.0", "pid": 123, "state": STATE,
 *	 "reason": STOP or null}
 * STATE is one of
 *	"new"      nothing built yet; the VMM exits if its client goes away
 *	"paused"   built, or paused by request
 *	"running"
 *	"stopped"  the guest is gone but was to be preserved; "reason" is set
 *
 * A request names what it wants beside its arguments, and carries an "id":
 *	{"id": 7, "request": "create", "spec": {...}}
 * It gets exactly one reply with the same id, in any order: {"id": 7, "ok":
 * {...}} or {"id": 7, "error": "one sentence", "errno": 22}.  What follows is
 * each request's name and its arguments (none: {}), or the members of its ok.
 *
 *	"create"   {"spec": {...}} + descriptors: build the machine, paused.
 *		   Sent in state "new" only.
 *	"run"      start or resume the vCPUs
 *	"pause"    reply when all vCPUs have stopped
 *	"reset"    as the reset button
 *	"powerbutton" {"reboot": bool}  optional: when the guest then switches
 *		   off, start it anew as after a reset
 *	"wake"     a guest that is suspended to RAM; nothing if it is not
 *	"nmi"
 *	"quit"     stop at once and exit; the reply is sent first
 *	"status"   {"state", "reason", "handover": STATE of vmm/handover.h,
 *		   "copying" or "broken" (memory follows, on either side) or
 *		   null, "asleep": bool, suspended to RAM,
 *		   "balloon": bytes the guest keeps,
 *		   "cpu_ns": [per vCPU thread], "first_run_ns": time from exec
 *		   to the first guest instruction}
 *	"stats"    {"cpu_ns": [...], "user_ns", "system_ns", "dirty_rate":
 *		   {"status": enum dirtyrate_status, "log": 0 or 1, "seconds",
 *		   "start": of the epoch, "bytes_per_second"},
 *		   "disks": {id: {"rd_req", "rd_bytes",
 *		   "wr_req", "wr_bytes", "flush_req", "rd_ns", "wr_ns",
 *		   "flush_ns"}}, "nics": {id: {"rx_bytes", "rx_packets",
 *		   "rx_drop", "tx_bytes", "tx_packets", "tx_drop"}},
 *		   "ports": {id: {"open": 0 or 1, by the guest}},
 *		   "balloon": {"actual", ...}, "memory": {id: {"size",
 *		   "requested"}}, "engine": {name: count}}
 *	"balloon"  {"target": bytes}
 *	"memory"   {"device": id, "requested": bytes}: the guest shall use so
 *		   much of a virtio-mem device
 *	"nodes"    {"nodes": set}: the host's that memory without nodes of its
 *		   own is to come from; what is elsewhere moves by and by
 *	"balloon-period" {"seconds": between statistics, 0: only when read}
 *	"dirtyrate" {"seconds", "log": bool}: "stats" tells it from then on; a
 *		   migration ends it
 *	"link"     {"nic": id, "up": bool}
 *	"insert"   {"drive": id, "format", "force": bool} and a descriptor, or
 *		   none: the CD-ROM drive is empty then
 *	"plug"     {"devices": {...}} + descriptors: one device, as the spec has
 *		   it (a controller with its disks counts as one): a function
 *		   below an empty root port, a memory module, or a disk on a
 *		   virtio-scsi controller.  The guest is told.
 *	"limit"    {"devices": {"disks": [...]}} as the spec has them: each of
 *		   these disks, by its id, gets the limits that are there, and
 *		   shares them with those of the group's name
 *	"switch"   {"devices": {"disks": [...]}}: each of these disks, by its
 *		   id, gets the images that are there, all at one moment; the
 *		   descriptors go with it
 *	"blockjob" {"kind": "pull", "commit", "copy", "active-commit",
 *		   "backup" or "export", "export": its name,
 *		   "bitmap", "context": only what is dirty, or so told;
 *		   "devices": {"disks": [...]}, "top", "bottom", "backing",
 *		   "backing_format", "synchronous", "speed": bytes/s} +
 *		   descriptors: long work on a disk's images begins
 *		   (vmm/blockjob.h).  One at a time for a disk.
 *	"blockjobs" {"blockjobs": [{"drive", "kind", "state": "running",
 *		   "ready", "completed", "failed" or "canceled", "error",
 *		   "current", "end", "speed"}]}: those that have ended, too,
 *		   until they are forgotten
 *	"blockjob-change" {"drive", "what": "pivot", "abort", "speed" or
 *		   "forget", "speed"}: -ESRCH: there is none, or it is over
 *	"nbd-start" + a socket that listens: clients may read all exports
 *		   (vmm/nbd/nbd.h) until "nbd-stop", or until one is forgotten
 *	"nbd-stop"
 *	"bitmaps" {"drive"}: {"bitmaps": [{"name", "inconsistent", "dirty"}]}:
 *		   of the disk's own image (storage/format/bitmaps.h)
 *	"bitmap-change" {"drive", "name", "what": "add" or "remove"}: one that
 *		   is kept in the image and marked from now on
 *	"unplug"   {"device": id}: asks the guest to let go of it; the event
 *		   "unplugged" follows when it has, "kept" when it will not.
 *		   Refused when nothing in the guest listens.
 *	"devices"  {"devices": [ids]}: all that is there
 *	"connect"  {"port": id, "force": bool} and one end of a socket: a client
 *		   for a port of the virtio console that takes clients; force
 *		   sends another one away
 *	"vcpus"    {"count": N, optional}: the guest is given vCPUs, or asked
 *		   for some, so that there are N: {"count": how many there are}
 *	"save"     {"offset": bytes, "format": "raw" or "zstd"} + one descriptor
 *		   of a regular file, open for reading and writing: pauses the
 *		   machine and writes it there (vmm/image.h).  The reply comes
 *		   when that is done; until then other requests but "job",
 *		   "cancel", "status" and "quit" are refused.  The machine stays
 *		   paused, also when it could not be saved.
 *	"dump"     {"live": bool} + one descriptor of a regular file: writes an
 *		   ELF core there (vmm/coredump.h).  The guest stands still
 *		   meanwhile, unless it is live.  A job as "save" is.
 *	"migrate"  {"bandwidth": bytes/s, "downtime_ns", "zstd": bool,
 *		   "auto_converge": bool, "throttle_first", "throttle_step":
 *		   percent, "carried": bool, all optional} + one to sixteen
 *		   connected stream sockets: sends the guest there (vmm/migrate.h).  carried: the
 *		   socket is not the other machine's own, somebody passes bytes
 *		   on.  The reply comes when the other side has all of it; the
 *		   machine is paused then.  "run" takes it back, unless it is the
 *		   other side's already (vmm/handover.h).  When it fails the
 *		   machine goes on as it was.
 *	"migrate-limits" {"bandwidth", "downtime_ns", "now": bool,
 *		   "postcopy_now": bool, "postcopy_bandwidth", all
 *		   optional}: changes them while it goes on
 *		   "migrate" and "receive" with "postcopy": true have one
 *		   socket more, the last one, for memory that follows the guest
 *		   (vmm/postcopy.h); the spec of the receiving machine says
 *		   "postcopy", too.  After "postcopy_now" the reply
 *		   comes as soon as the guest can run there.
 *		   "receive" with "rescue": true has a further one after that: a
 *		   sequenced-packet socket, on which "broken" and "complete" are
 *		   said, and which takes a byte with a stream, as "recover"
 *		   does, also while the machine waits for memory.
 *	"recover"  + one socket: memory goes on following, over this one
 *	"break"    memory no longer follows, until "recover"
 *	"keep"     after "migrate": the guest is not given away, or no more; it
 *		   stays paused.  -EPERM: the other side has it, -EBUSY: is
 *		   about to
 *	"receive"  {"carried"} + as many, the first first: the other side of
 *		   "migrate", for a machine whose spec said "incoming".  The reply
 *		   comes when the guest is complete
 *	"take"     then: makes it ours and nobody else's.  An error: it is the
 *		   source's still.  "run" starts it
 *	"job"      {"job": "save" or null, "total", "done", "written", "zero",
 *		   "normal", "elapsed_ns", ...}: how far it is, or how far the
 *		   last one came (vmm/progress.h)
 *	"cancel"   the job's own reply is an error then
 *	"keys"     {"codes": [Linux key codes, at most 16], "hold_ms": N}: all
 *		   down in order, and up again after that time
 *	"screenshot" {} + a pipe or socket: {"mime"}; the picture is written to
 *		   it as it is read there, then it is closed
 *	"vnc-client" {"index": which VNC server, "trusted": bool, needs no
 *		   password} + a client's socket
 *	"vsock-connected" {"port"} + the socket, or nothing: refused
 *	"vnc-password" {"index", "password": text or null, "valid_to": seconds
 *		   since 1970, or 0, "viewers": who look while it changes,
 *		   "keep" (as without it), "fail" or "disconnect"}
 *
 * Events have no id:
 *	{"event": "reset"}                     the guest rebooted
 *	{"event": "stopped", "reason": STOP, "detail": text or null}
 *		   then the VMM exits, unless the action was "preserve"
 *	{"event": "shutdown"}                  guest began to act on the button
 *	{"event": "asleep"}                    it suspended itself to RAM
 *	{"event": "awake"}                     from then on it runs again
 *	{"event": "balloon", "actual": bytes}
 *	{"event": "watchdog", "action": word}
 *	{"event": "tray", "drive": id, "open": bool}
 *	{"event": "memory", "device": id, "size": bytes}  so much of a
 *		   virtio-mem device is in use
 *	{"event": "blockjob", ...} as in "blockjobs": it is ready or over
 *	{"event": "unplugged", "device": id}    a device is gone
 *	{"event": "kept", "device": id}         the guest will not let go of it
 *	{"event": "port", "port": id, "open": bool} by the guest
 *	{"event": "iteration", "n": how often all memory was gone through}
 *	{"event": "handover", "state"}         of the guest sent, as in
 *		   "status"; "complete": all that followed it is here
 *	{"event": "panicked"}
 *	{"event": "vsock", "port"}: the guest connects to the host, and waits
 *	 for "vsock-connected"
 *	{"event": "rtc", "offset": seconds}    the guest has set its clock,
 *		   so much ahead of UTC
 *	{"event": "vcpus", "count": N}         the guest gave some back
 *	{"event": "vnc", "phase": "connected", "initialized" or "disconnected",
 *	 "auth": "none", "vnc", "vencrypt+x509+vnc", ..., "index", "local": ADDRESS, "remote": ADDRESS}
 *		   ADDRESS: {"family": "ipv4", "ipv6" or "unix", "node",
 *		   "service"}
 * STOP is "poweroff", "reset", "crash" or "quit".
 *
 * A VMM also keeps its last state in a small file handed to it ("status
 * file": one line "STATE REASON\n", rewritten with pwrite), so that a daemon
 * that was away finds out how the guest ended.
 */
#ifndef VMM_CONTROL_H
#define VMM_CONTROL_H

#define CONTROL_VERSION 1
#define CONTROL_MSG_MAX (128 * 1024) /* one message's JSON text */
#define CONTROL_PEEK_MAX (4 << 20) /* bytes of guest memory at once */
#define CONTROL_FDS_MAX 250	     /* SCM_RIGHTS' limit is 253 */

struct control;
struct loop;
struct error;

/*
 * vireo-vmm's side.  listen_fd: bound and listening; status_fd: the status
 * file or -1.  Serves until loop_quit().
 */
int control_create(struct loop *loop, int listen_fd, int status_fd,
		   struct control **ret_control, struct error *err);
void control_destroy(struct control *control);

#endif
