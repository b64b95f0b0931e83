/*
 * vmm/virtio/console.c -- virtio console device (virtio 1.2, section 5.3).
 *
 * One device with all console ports and named ports, each on a chardev; ports
 * come and go while the guest runs, as far as there are queues for them.
 * Everything runs on the main loop, where chardevs deliver input.  Messages
 * to the driver are kept as bits per port until there is a buffer, so that
 * nothing has to be queued.  Left out: the console's size.
 */
#include <errno.h>
#include <linux/virtio_console.h>
#include <linux/virtio_ids.h>
#include <string.h>

#include "base/error.h"
#include "vmm/chardev.h"
#include "vmm/machine.h"
#include "vmm/spec.h"
#include "vmm/state.h"
#include "vmm/virtio/devices.h"
#include "vmm/virtio/virtio.h"

/* 5.3.2: port 0, control, then the other ports; two queues each. */
enum { CTRL_RXQ = 2, CTRL_TXQ = 3, PORTS_MAX = 64, NAME_MAX_LEN = 128 };

struct port {
	struct console *console;
	struct chardev *chr; /* NULL: no such port */
	unsigned int id;
	const char *alias, *name; /* name NULL: a console; the spec's */
	bool guest_open, host_open;
	unsigned int pending; /* messages to send, BIT(VIRTIO_CONSOLE_...) */
};

struct console {
	struct virtio_dev dev;
	unsigned int n_ports; /* the highest number plus 1 */
	unsigned int n_made;  /* more, after a guest with fewer was restored */
	struct port *port;
	struct vq_buf buf;
};

static struct console *from_dev(struct virtio_dev *dev)
{
	return container_of(dev, struct console, dev);
}

static unsigned int rx_queue(unsigned int port)
{
	return port ? 2 * port + 2 : 0;
}

static unsigned int queue_count(unsigned int ports)
{
	return 2 * ports + 2;
}

static bool multiport(const struct console *c)
{
	return virtio_has(&c->dev, VIRTIO_CONSOLE_F_MULTIPORT);
}

/* Messages to the driver (5.3.6.2) */

static bool send_message(struct port *p, unsigned int event)
{
	struct console *c = p->console;
	struct virtqueue *vq = virtio_queue(&c->dev, CTRL_RXQ);
	struct virtio_console_control msg = {
		.id = p->id,
		.event = event,
		.value = event == VIRTIO_CONSOLE_PORT_OPEN ? p->host_open : 1,
	};
	uint32_t len;

	if (!vq_pop(vq, &c->buf))
		return false;
	len = vq_write(&c->buf, 0, &msg, sizeof(msg));
	if (event == VIRTIO_CONSOLE_PORT_NAME)
		len += vq_write(&c->buf, len, p->name,
				strnlen(p->name, NAME_MAX_LEN));
	vq_push(vq, c->buf.head, len);
	return true;
}

static void send_pending(struct console *c)
{
	static const unsigned int order[] = {
		VIRTIO_CONSOLE_PORT_REMOVE, /* what was there before */
		VIRTIO_CONSOLE_PORT_ADD,
		VIRTIO_CONSOLE_CONSOLE_PORT,
		VIRTIO_CONSOLE_PORT_NAME,
		VIRTIO_CONSOLE_PORT_OPEN,
	};

	for (unsigned int i = 0; i < c->n_ports * ARRAY_SIZE(order); i++) {
		struct port *p = &c->port[i / ARRAY_SIZE(order)];
		unsigned int event = order[i % ARRAY_SIZE(order)];

		if (!(p->pending & BIT(event)))
			continue;
		if (!send_message(p, event))
			break;
		p->pending &= ~BIT(event);
	}
	vq_signal(virtio_queue(&c->dev, CTRL_RXQ));
}

static void announce_ports(struct console *c)
{
	for (unsigned int i = 0; i < c->n_ports; i++) {
		if (c->port[i].chr)
			c->port[i].pending = BIT(VIRTIO_CONSOLE_PORT_ADD);
	}
}

static void set_guest_open(struct port *p, bool open)
{
	if (p->chr && p->alias && p->guest_open != open)
		machine_tell_port(p->console->dev.m, p->alias, open);
	p->guest_open = open;
}

static void port_ready(struct port *p)
{
	p->pending |= p->name ? BIT(VIRTIO_CONSOLE_PORT_NAME) :
				BIT(VIRTIO_CONSOLE_CONSOLE_PORT);
	if (p->host_open)
		p->pending |= BIT(VIRTIO_CONSOLE_PORT_OPEN);
}

/* A message that says nothing we know is ignored. */
static void handle_message(struct console *c,
			   const struct virtio_console_control *msg)
{
	struct port *p = msg->id < c->n_ports ? &c->port[msg->id] : NULL;

	if (msg->event == VIRTIO_CONSOLE_DEVICE_READY) {
		if (msg->value)
			announce_ports(c);
		return;
	}
	if (!p || !p->chr)
		return;
	if (msg->event == VIRTIO_CONSOLE_PORT_READY && msg->value) {
		port_ready(p);
	} else if (msg->event == VIRTIO_CONSOLE_PORT_OPEN) {
		set_guest_open(p, msg->value);
		chardev_resume(p->chr);
	}
}

static void control_all(struct console *c)
{
	struct virtqueue *vq = virtio_queue(&c->dev, CTRL_TXQ);
	struct virtio_console_control msg;

	while (vq_pop(vq, &c->buf)) {
		if (vq_read(&c->buf, 0, &msg, sizeof(msg)) == sizeof(msg))
			handle_message(c, &msg);
		vq_push(vq, c->buf.head, 0);
	}
	vq_signal(vq);
	send_pending(c);
}

/* Data */

static void output_all(struct port *p)
{
	struct console *c = p->console;
	struct virtqueue *vq = virtio_queue(&c->dev, rx_queue(p->id) + 1);

	while (vq_pop(vq, &c->buf)) {
		for (unsigned int i = 0; i < c->buf.n_out && p->chr; i++)
			chardev_write(p->chr, c->buf.iov[i].iov_base,
				      c->buf.iov[i].iov_len);
		vq_push(vq, c->buf.head, 0);
	}
	vq_signal(vq);
}

/* A driver without ports has just the one, always open. */
static bool accepts_input(const struct port *p)
{
	if (!virtio_running(&p->console->dev))
		return false;
	return multiport(p->console) ? p->guest_open : p->id == 0;
}

static size_t port_input(void *arg, const uint8_t *data, size_t len)
{
	struct port *p = arg;
	struct console *c = p->console;
	struct virtqueue *vq = virtio_queue(&c->dev, rx_queue(p->id));
	size_t done = 0;

	pthread_mutex_lock(&c->dev.lock);
	while (done < len && accepts_input(p) && vq_pop(vq, &c->buf)) {
		size_t n = vq_write(&c->buf, 0, data + done, len - done);

		if (!n) {
			virtio_needs_reset(&c->dev, "empty receive buffer");
			break;
		}
		vq_push(vq, c->buf.head, n);
		done += n;
	}
	vq_signal(vq);
	pthread_mutex_unlock(&c->dev.lock);
	return done;
}

static void port_connected(void *arg, bool yes)
{
	struct port *p = arg;
	struct console *c = p->console;

	pthread_mutex_lock(&c->dev.lock);
	p->host_open = yes;
	if (virtio_live(&c->dev) && multiport(c)) {
		p->pending |= BIT(VIRTIO_CONSOLE_PORT_OPEN);
		if (virtio_running(&c->dev))
			send_pending(c);
	}
	pthread_mutex_unlock(&c->dev.lock);
}

static const struct chardev_ops port_ops = {
	.input = port_input,
	.connected = port_connected,
};

static void port_notify(struct console *c, unsigned int queue)
{
	unsigned int id = queue < CTRL_RXQ ? 0 : (queue - 2) / 2;
	struct port *p = &c->port[id];

	if (queue & 1)
		output_all(p);
	else if (p->chr && !vq_empty(virtio_queue(&c->dev, queue)))
		chardev_resume(p->chr);
}

static void console_notify(struct virtio_dev *dev, unsigned int queue)
{
	struct console *c = from_dev(dev);

	if (queue == CTRL_RXQ)
		send_pending(c);
	else if (queue == CTRL_TXQ)
		control_all(c);
	else
		port_notify(c, queue);
}

static bool console_reset(struct virtio_dev *dev)
{
	struct console *c = from_dev(dev);

	for (unsigned int i = 0; i < c->n_ports; i++) {
		set_guest_open(&c->port[i], false);
		c->port[i].pending = 0;
	}
	return true;
}

/* 5.3.5.1: the emergency write, in any state. */
static void console_config_write(struct virtio_dev *dev, unsigned int offset,
				 uint32_t value, unsigned int size)
{
	struct console *c = from_dev(dev);
	uint8_t byte = value;

	if (offset == offsetof(struct virtio_console_config, emerg_wr) &&
	    c->port[0].chr)
		chardev_write(c->port[0].chr, &byte, 1);
}

static const struct state_field port_fields[] = {
	STATE_BOOL(struct port, guest_open),
	STATE_MAX(struct port, pending, BIT(VIRTIO_CONSOLE_PORT_NAME + 1) - 1),
	STATE_END,
};

static const struct state_field console_fields[] = {
	STATE_STRUCTS_UP_TO(struct console, port, n_ports, PORTS_MAX,
			    port_fields),
	STATE_END,
};

static void tell_ports(struct console *c)
{
	struct virtio_console_config *config = (void *)c->dev.config;

	config->max_nr_ports = c->n_ports;
}

/* A guest that was started with fewer ports keeps as many. */
static int console_loaded(void *obj, unsigned int version, struct error *err)
{
	struct console *c = obj;

	for (unsigned int i = c->n_ports; i < c->n_made; i++)
		if (c->port[i].chr)
			return error_set(err, -EINVAL,
					 "console port %u is not one of the "
					 "%u that the saved guest has",
					 i, c->n_ports);
	tell_ports(c);
	return c->dev.n_queues == queue_count(c->n_ports) ? 0 : -EINVAL;
}

/* Whoever is at the host's end may have come or gone in between. */
static void console_restored(void *obj)
{
	struct console *c = obj;

	for (unsigned int i = 0; i < c->n_ports; i++) {
		struct port *p = &c->port[i];

		if (p->chr && p->alias && p->guest_open)
			machine_tell_port(c->dev.m, p->alias, true);
		if (!p->chr)
			p->pending &= BIT(VIRTIO_CONSOLE_PORT_REMOVE);
		else if (multiport(c) && p->guest_open)
			p->pending |= BIT(VIRTIO_CONSOLE_PORT_OPEN);
		if (!p->name)
			p->pending &= ~BIT(VIRTIO_CONSOLE_PORT_NAME);
	}
}

static const struct state_type console_state = {
	.name = "virtio-console",
	.version = 1,
	.fields = console_fields,
	.loaded = console_loaded,
	.restored = console_restored,
};

/* Outside; the main thread */

static void console_stats(void *arg, machine_stat_fn *emit, void *emit_arg)
{
	struct console *c = arg;

	for (unsigned int i = 0; i < c->n_ports; i++)
		if (c->port[i].chr && c->port[i].alias)
			emit(emit_arg, "ports", c->port[i].alias, "open",
			     c->port[i].guest_open);
}

static int console_connect(void *arg, const char *id, int fd, bool force)
{
	struct console *c = arg;

	for (unsigned int i = 0; i < c->n_ports; i++)
		if (c->port[i].chr && str_eq(c->port[i].alias, id))
			return chardev_connect(c->port[i].chr, fd, force);
	return -ENOENT;
}

static void console_destroy(struct virtio_dev *dev)
{
	struct console *c = from_dev(dev);

	for (unsigned int i = 0; i < c->n_made; i++)
		chardev_destroy(c->port[i].chr);
	virtio_finish(dev);
	free(c->port);
	free(c);
}

static const struct virtio_type virtio_console = {
	.name = "console",
	.id = VIRTIO_ID_CONSOLE,
	.class_code = 0x078000, /* PCI D.8: other communication device */
	.notify = console_notify,
	.config_write = console_config_write,
	.reset = console_reset,
	.state = &console_state,
	.fewer_queues = true,
	.destroy = console_destroy,
};

static int add_port(struct console *c, const struct spec_char *spec,
		    struct error *err)
{
	struct port *p = &c->port[spec->index];
	int r;

	if (p->chr)
		return error_set(err, -EEXIST,
				 "console port %u is given twice",
				 spec->index);
	p->alias = spec->id;
	p->name = spec->port_name;
	p->host_open = !spec->port_name || spec->kind != CHARDEV_SOCKET;
	r = chardev_create(c->dev.loop, spec, &port_ops, p, &p->chr, err);
	if (r < 0)
		*p = (struct port){ .console = c, .id = p->id };
	return r;
}

/* ---- ports that come and go; the main thread ---- */

static void tell_driver(struct port *p, unsigned int event)
{
	struct console *c = p->console;

	pthread_mutex_lock(&c->dev.lock);
	if (virtio_live(&c->dev) && multiport(c)) {
		p->pending |= BIT(event);
		if (virtio_running(&c->dev))
			send_pending(c);
	}
	pthread_mutex_unlock(&c->dev.lock);
}

static int console_plug(void *arg, const struct vmm_spec *one,
			struct error *err)
{
	struct console *c = arg;
	int r;

	if (!one->n_consoles)
		return -ENOENT;
	if (one->consoles[0].index >= c->n_ports)
		return error_set(err, -ENOSPC,
				 "there is no port %u: the controller was made with %u ports",
				 one->consoles[0].index, c->n_ports);
	r = add_port(c, &one->consoles[0], err);
	if (r == 0)
		tell_driver(&c->port[one->consoles[0].index],
			    VIRTIO_CONSOLE_PORT_ADD);
	return r;
}

static struct port *port_of(struct console *c, const char *id)
{
	for (unsigned int i = 0; i < c->n_ports; i++)
		if (c->port[i].chr && str_eq(c->port[i].alias, id))
			return &c->port[i];
	return NULL;
}

/* It is gone at once; what the guest had written is. */
static int console_unplug(void *arg, const char *id)
{
	struct console *c = arg;
	struct port *p = port_of(c, id);

	if (!p)
		return -ENOENT;
	pthread_mutex_lock(&c->dev.lock);
	chardev_retire(p->chr);
	*p = (struct port){ .console = c, .id = p->id };
	pthread_mutex_unlock(&c->dev.lock);
	tell_driver(p, VIRTIO_CONSOLE_PORT_REMOVE);
	return 0;
}

static const struct machine_dev_ops console_machine_ops = {
	.name = "virtio-console",
	.stateless = true, /* its PCI function saves it */
	.stats = console_stats,
	.connect = console_connect,
	.plug = console_plug,
	.unplug = console_unplug,
};

static int count_ports(const struct vmm_spec *spec, unsigned int *ret_ports,
		       struct error *err)
{
	unsigned int ports = MIN(MAX(spec->console_ports, 1u), PORTS_MAX);

	for (unsigned int i = 0; i < spec->n_consoles; i++) {
		if (spec->consoles[i].index >= PORTS_MAX)
			return error_set(err, -EINVAL,
					 "console port %u is above %u",
					 spec->consoles[i].index,
					 PORTS_MAX - 1);
		ports = MAX(ports, spec->consoles[i].index + 1);
	}
	*ret_ports = ports;
	return 0;
}

static void init_ports(struct console *c, unsigned int n)
{
	c->port = xcalloc(n, sizeof(*c->port));
	c->n_ports = c->n_made = n;
	for (unsigned int i = 0; i < n; i++) {
		c->port[i].console = c;
		c->port[i].id = i;
	}
	c->dev.config_size = sizeof(struct virtio_console_config);
	tell_ports(c);
}

int virtio_console_add(struct machine *m, const struct vmm_spec *spec,
		       struct error *err)
{
	struct console *c;
	unsigned int ports = 1;
	int r = count_ports(spec, &ports, err);

	if (r < 0)
		return r;
	c = xcalloc(1, sizeof(*c));
	init_ports(c, ports);
	r = virtio_init(&c->dev, &virtio_console, m, "virtio-serial0",
			queue_count(ports),
			BIT64(VIRTIO_CONSOLE_F_MULTIPORT) |
				BIT64(VIRTIO_CONSOLE_F_EMERG_WRITE),
			err);
	for (unsigned int i = 0; i < spec->n_consoles && r >= 0; i++)
		r = add_port(c, &spec->consoles[i], err);
	if (r >= 0)
		r = virtio_pci_plug(&c->dev, &spec->console_pci, err);
	if (r < 0)
		console_destroy(&c->dev);
	else
		machine_add_device(m, &console_machine_ops, c);
	return r;
}
