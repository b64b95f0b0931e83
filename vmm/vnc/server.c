/*
 * vmm/vnc/server.c -- the VNC server: listening, clients, pictures.
 *
 * Everything is on one thread of its own, which is born with the first client.
 * While somebody waits for a picture, the display is drawn some thirty times a
 * second, and less and less often while nothing changes and nobody types.
 *
 * Other threads come in through loop_defer() only, but for the password,
 * which has the lock.
 */
#include "vmm/vnc/vnc.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>

#include "base/error.h"
#include "vmm/loop.h"
#include "vmm/machine.h"
#include "vmm/spec.h"
#include "vmm/virtio/iothread.h"
#include "vmm/vnc/crypto.h"
#include "vmm/vnc/tls_files.h"
#include "vmm/vnc/vnc_priv.h"

/* #syscalls:vmm accept4 fcntl close getsockname getpeername */

enum { CLIENTS_MAX = 16 };
#define FRAME_NS     33000000ull
#define IDLE_NS	     250000000ull
#define HANDSHAKE_NS 30000000000ull

struct entry {
	struct vnc_client *c;
	uint64_t deadline; /* to authenticate until */
};

/* Where clients come in. */
struct door {
	struct vnc_server *s;
	int fd;
	unsigned int how;
};

struct vnc_server {
	struct machine *m;
	unsigned int index;
	unsigned int n_doors; /* 0: clients are only handed in */
	struct door *doors;
	struct vnc_tls *tls; /* NULL: none */
	bool x509;
	enum spec_vnc_share share;
	struct iothread *thread;
	struct loop *loop;
	struct loop_timer *timer;

	/* The thread's. */
	unsigned int n;
	struct entry clients[CLIENTS_MAX];
	uint64_t interval;
	bool armed;

	pthread_mutex_t lock; /* the rest */
	unsigned int n_new;
	struct newcomer {
		int fd;
		unsigned int how;
	} newcomers[CLIENTS_MAX]; /* not with the thread yet */
	char *password;	      /* NULL: none is needed */
	int64_t valid_to;     /* seconds since 1970; 0: for ever */
	unsigned int viewers; /* clients that may look */
};

struct machine *vnc_machine(struct vnc_server *s)
{
	return s->m;
}

struct loop *vnc_loop(struct vnc_server *s)
{
	return s->loop;
}

enum spec_vnc_share vnc_share(const struct vnc_server *s)
{
	return s->share;
}

/* ---- the password (RFB 7.2.2) ---- */

bool vnc_needs_password(struct vnc_server *s)
{
	bool needs;

	pthread_mutex_lock(&s->lock);
	needs = s->password;
	pthread_mutex_unlock(&s->lock);
	return needs;
}

static bool same_bytes(const uint8_t *a, const uint8_t *b, size_t n)
{
	uint8_t differ = 0;

	for (size_t i = 0; i < n; i++)
		differ |= a[i] ^ b[i];
	return !differ;
}

/* An empty password lets nobody in, as libvirt has it. */
bool vnc_check_password(struct vnc_server *s, const uint8_t challenge[16],
			const uint8_t answer[16])
{
	char password[VNC_PASSWORD_MAX] = "";
	uint8_t want[VNC_CHALLENGE];
	bool ok;

	pthread_mutex_lock(&s->lock);
	ok = s->password && *s->password &&
	     (!s->valid_to || time(NULL) < s->valid_to);
	if (s->password)
		memcpy(password, s->password,
		       MIN(strlen(s->password), sizeof(password)));
	pthread_mutex_unlock(&s->lock);
	vnc_crypto()->answer(password, challenge, want);
	return same_bytes(want, answer, sizeof(want)) && ok;
}

struct vnc_tls *vnc_tls(struct vnc_server *s, bool *ret_x509)
{
	if (ret_x509)
		*ret_x509 = s->x509;
	return s->tls;
}

void vnc_seen(struct vnc_server *s)
{
	pthread_mutex_lock(&s->lock);
	s->viewers++;
	pthread_mutex_unlock(&s->lock);
}

/* ---- pictures ---- */

static void look_again(struct vnc_server *s, uint64_t ns)
{
	s->armed = true;
	timer_arm(s->timer, now_ns() + ns);
}

void vnc_look_soon(struct vnc_server *s)
{
	if (s->armed && s->interval == FRAME_NS)
		return;
	s->interval = FRAME_NS;
	look_again(s, FRAME_NS / 4);
}

/* Whether anything had changed. */
static bool show_picture(struct vnc_server *s)
{
	struct display *d = s->m->display;
	const struct display_view *v;
	size_t tiles;
	bool changed;

	display_lock(d);
	v = display_draw(d);
	tiles = (size_t)v->tiles_x * v->tiles_y;
	changed = tiles && memchr(v->dirty, 1, tiles);
	for (unsigned int i = 0; i < s->n; i++)
		vnc_client_picture(s->clients[i].c, v);
	if (tiles)
		memset(v->dirty, 0, tiles);
	display_unlock(d);
	return changed;
}

static void drop_late(struct vnc_server *s)
{
	for (unsigned int i = s->n; i-- > 0;)
		if (!vnc_client_authenticated(s->clients[i].c) &&
		    now_ns() > s->clients[i].deadline)
			vnc_gone(s, s->clients[i].c);
}

static void on_timer(void *arg)
{
	struct vnc_server *s = arg;
	bool waits = false;

	s->armed = false;
	drop_late(s);
	if (!s->n)
		return;
	if (show_picture(s))
		s->interval = FRAME_NS;
	else
		s->interval = MIN(s->interval * 5 / 4, IDLE_NS);
	for (unsigned int i = 0; i < s->n; i++)
		waits |= vnc_client_waits(s->clients[i].c) ||
			 !vnc_client_authenticated(s->clients[i].c);
	if (waits)
		look_again(s, s->interval);
}

/* ---- clients ---- */

void vnc_gone(struct vnc_server *s, struct vnc_client *c)
{
	unsigned int i = 0;

	while (i < s->n && s->clients[i].c != c)
		i++;
	s->clients[i] = s->clients[--s->n];
	pthread_mutex_lock(&s->lock);
	s->viewers -= vnc_client_authenticated(c);
	pthread_mutex_unlock(&s->lock);
	vnc_client_destroy(c);
	if (s->n)
		return;
	display_lock(s->m->display);
	display_watch(s->m->display, false);
	display_unlock(s->m->display);
}

void vnc_exclusive(struct vnc_server *s, const struct vnc_client *c)
{
	for (unsigned int i = s->n; i-- > 0;)
		if (s->clients[i].c != c)
			vnc_gone(s, s->clients[i].c);
}

static void add_client(struct vnc_server *s, int fd, unsigned int how)
{
	if (s->n == CLIENTS_MAX) {
		fd_close(fd);
		return;
	}
	s->clients[s->n++] = (struct entry){
		.c = vnc_client_create(s, fd, how),
		.deadline = now_ns() + HANDSHAKE_NS,
	};
	vnc_look_soon(s);
}

/* fd -1: nobody waits. */
static struct newcomer take_newcomer(struct vnc_server *s)
{
	struct newcomer n = { .fd = -1 };

	pthread_mutex_lock(&s->lock);
	if (s->n_new)
		n = s->newcomers[--s->n_new];
	pthread_mutex_unlock(&s->lock);
	return n;
}

static bool put_newcomer(struct vnc_server *s, int fd, unsigned int how)
{
	bool room;

	pthread_mutex_lock(&s->lock);
	room = s->n_new < CLIENTS_MAX;
	if (room)
		s->newcomers[s->n_new++] = (struct newcomer){ fd, how };
	pthread_mutex_unlock(&s->lock);
	return room;
}

static void on_newcomer(void *arg)
{
	struct newcomer n;

	while ((n = take_newcomer(arg)).fd >= 0)
		add_client(arg, n.fd, n.how);
}

/* On the main thread: the server's own may not be there yet. */
static int hand_over(struct vnc_server *s, int fd, unsigned int how)
{
	int flags = fcntl(fd, F_GETFL);
	int r = flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0 ?
			-errno :
			iothread_start(s->thread);

	if (r == 0 && !put_newcomer(s, fd, how))
		r = -EBUSY;
	if (r < 0)
		fd_close(fd);
	else
		loop_defer(s->loop, on_newcomer, s);
	return r;
}

static void on_connection(void *arg, uint32_t events)
{
	const struct door *d = arg;
	int fd = accept4(d->fd, NULL, NULL, SOCK_CLOEXEC);

	if (fd >= 0)
		hand_over(d->s, fd, d->how);
}

/* ---- events ---- */

void vnc_tell(struct vnc_server *s, const struct vnc_client *c,
	      enum vnc_phase phase)
{
	static const char *const names[] = { "connected", "initialized",
					     "disconnected" };
	struct vnc_event e = {
		.phase = names[phase],
		.index = s->index,
		.auth = vnc_client_auth(c),
	};
	socklen_t len = sizeof(e.local);

	getsockname(vnc_client_fd(c), (struct sockaddr *)&e.local, &len);
	len = sizeof(e.remote);
	getpeername(vnc_client_fd(c), (struct sockaddr *)&e.remote, &len);
	machine_tell_vnc(s->m, &e);
}

/* ---- the machine's side ---- */

static int vnc_op_client(void *dev, unsigned int index, int fd, bool trusted)
{
	struct vnc_server *s = dev;

	return index == s->index ?
		       hand_over(s, fd, trusted ? VNC_TRUSTED : 0) :
		       -ENOENT;
}

/* Those of the old password's. */
static void send_away(void *arg)
{
	struct vnc_server *s = arg;

	while (s->n)
		vnc_gone(s, s->clients[0].c);
}

static int set_password(struct vnc_server *s, const char *password,
			int64_t valid_to, enum vnc_viewers viewers)
{
	if (viewers == VIEWERS_FAIL && s->viewers)
		return -EBUSY;
	free(s->password);
	s->password = password ? xstrdup(password) : NULL;
	s->valid_to = valid_to;
	return 0;
}

static int vnc_op_password(void *dev, unsigned int index, const char *password,
			   int64_t valid_to, enum vnc_viewers viewers)
{
	struct vnc_server *s = dev;
	int r;

	if (index != s->index)
		return -ENOENT;
	if (password && !vnc_crypto())
		return -EOPNOTSUPP;
	pthread_mutex_lock(&s->lock);
	r = set_password(s, password, valid_to, viewers);
	pthread_mutex_unlock(&s->lock);
	if (r == 0 && viewers == VIEWERS_DISCONNECT)
		loop_defer(s->loop, send_away, s);
	return r;
}

static void vnc_destroy(void *dev)
{
	struct vnc_server *s = dev;

	for (unsigned int i = 0; i < s->n_doors; i++)
		loop_remove(s->m->loop, s->doors[i].fd);
	iothread_stop(s->thread);
	while (s->n)
		vnc_gone(s, s->clients[0].c);
	while (s->n_new)
		fd_close(s->newcomers[--s->n_new].fd);
	timer_destroy(s->timer);
	iothread_destroy(s->thread);
	pthread_mutex_destroy(&s->lock);
	if (s->tls)
		vnc_crypto()->destroy(s->tls);
	free(s->doors);
	free(s->password);
	free(s);
}

static const struct machine_dev_ops vnc_dev_ops = {
	.name = "vnc",
	.stateless = true, /* clients connect anew */
	.destroy = vnc_destroy,
	.vnc_client = vnc_op_client,
	.vnc_password = vnc_op_password,
};

static int open_door(struct vnc_server *s, const struct spec_vnc_listen *l)
{
	struct door *d = &s->doors[s->n_doors];
	int flags = fcntl(l->fd, F_GETFL), r;

	*d = (struct door){ s, l->fd, l->websocket ? VNC_WEBSOCKET : 0 };
	if (flags < 0 || fcntl(l->fd, F_SETFL, flags | O_NONBLOCK) < 0)
		return -errno;
	r = loop_add(s->m->loop, l->fd, EPOLLIN, on_connection, d);
	s->n_doors += r == 0;
	return r;
}

static int open_doors(struct vnc_server *s, const struct spec_vnc *spec)
{
	int r = 0;

	s->doors = xcalloc(spec->n_listens, sizeof(*s->doors));
	for (unsigned int i = 0; i < spec->n_listens && r == 0; i++)
		if (spec->listens[i].fd >= 0)
			r = open_door(s, &spec->listens[i]);
	return r;
}

static bool needs_crypto(const struct spec_vnc *spec)
{
	for (unsigned int i = 0; i < spec->n_listens; i++)
		if (spec->listens[i].websocket)
			return true;
	return spec->password || spec->tls != VNC_TLS_NONE;
}

int vnc_create(struct machine *m, const struct spec_vnc *spec,
	       unsigned int index, struct error *err)
{
	struct vnc_server *s;
	int r = 0;

	if (needs_crypto(spec) && !vnc_crypto())
		return error_set(err, -EOPNOTSUPP,
				 "VNC with a password, TLS or a websocket "
				 "needs the module that was not loaded");
	s = xcalloc(1, sizeof(*s));
	if (spec->tls != VNC_TLS_NONE)
		r = vnc_tls_load(spec, &s->tls, err);
	if (r == 0)
		r = iothread_create("vnc", &s->thread, err);
	if (r < 0) {
		if (s->tls)
			vnc_crypto()->destroy(s->tls);
		free(s);
		return r;
	}
	s->m = m;
	s->index = index;
	s->x509 = spec->tls == VNC_TLS_X509;
	s->share = spec->share;
	s->loop = iothread_loop(s->thread);
	s->password = spec->password ? xstrdup(spec->password) : NULL;
	s->valid_to = spec->password_valid_to;
	s->interval = FRAME_NS;
	pthread_mutex_init(&s->lock, NULL);
	r = timer_create_on(s->loop, on_timer, s, &s->timer);
	if (r == 0)
		r = open_doors(s, spec);
	machine_add_device(m, &vnc_dev_ops, s);
	return r < 0 ? error_set(err, r, "cannot serve VNC: %m") : 0;
}
