/*
 * dbus/service.h -- libvirt's D-Bus interfaces (those of libvirt-dbus 1.4), in
 * front of libvirt's own client library.
 *
 * Theory of operation.  A table (iface_*.c) says for each method what its
 * arguments are on the bus and, in a short string, how they become arguments of
 * one function of libvirt's API; call.c makes that call, whatever its prototype.
 * What a string cannot say is a function in convert.c.  Nothing is kept about
 * objects: each message names one by its path (path.c), which is looked up for
 * it.  The main thread reads the bus and runs libvirt's event loop (bus.c);
 * workers make the calls, each on connections of its own (tree.c), so a call
 * that takes long delays no other.  Events arrive on one more connection for
 * each tree and become signals (signals.c).
 */
#ifndef DBUS_SERVICE_H
#define DBUS_SERVICE_H

#include <dbus/dbus.h>
#include <libvirt/libvirt.h>
#include <libvirt/virterror.h>

#include "base/buf.h"
#include "base/error.h"

/* What an object path can name. */
enum kind {
	KIND_CONNECT,
	KIND_DOMAIN,
	KIND_SNAPSHOT,
	KIND_INTERFACE,
	KIND_NETWORK,
	KIND_NODEDEV,
	KIND_NWFILTER,
	KIND_SECRET,
	KIND_POOL,
	KIND_VOL,
	KINDS,
};

/*
 * One value on its way between the bus and a C function.  'type' is the D-Bus
 * type, or for arrays:
 *	S strings   B booleans, a byte each   Y bytes   U numbers
 *	H descriptors   P typed parameters   O objects, ended by NULL
 */
struct value {
	char type;
	union {
		int32_t i;
		uint32_t u;
		int64_t x;
		uint64_t t;
		unsigned long l;
		double d;
		char *s;
		void *data;
		virTypedParameterPtr params;
	};
	int n;		/* how many in the array; of a C function's choosing */
	enum kind kind; /* of objects */
	bool owned;	/* 's' or 'data' is freed with the value */
};

enum { MAX_VALUES = 16 };

struct values {
	struct value v[MAX_VALUES];
	unsigned int n;
};

struct value *values_add(struct values *list, char type);
void values_free(struct values *list);
/* The message's arguments; a type that no method has is an error. */
int values_read(DBusMessage *msg, struct values *ret, struct error *err);

/* One invocation: whose, on what, with what. */
struct call {
	const struct tree *tree;
	virConnectPtr conn;
	void *self; /* conn itself, or an object of it */
	const struct method *method;
	const struct values *in;
	DBusMessageIter *reply;
	const char **refused; /* why, when it is not libvirt that refused */
};

/*
 * in, out  "name:type name:type ..." as introspection shows them
 * call     what fn's arguments are and what its result means: see call.c
 * custom   instead of both, a function that appends to the reply; it returns
 *          false when *refused or libvirt's last error says why not
 */
struct method {
	const char *name, *in, *out, *call;
	void (*fn)(void);
	bool (*custom)(const struct call *c);
};

/* A property of that type; get takes no arguments, set one of the type. */
struct property {
	const char *name, *type;
	struct method get, set;
	bool constant;
};

struct signal {
	const char *name, *args;
};

/* Lists of them end with an entry without a name. */
struct iface {
	const char *name;
	const struct method *methods;
	const struct property *properties;
	const struct signal *signals;
};

#define FN(function) ((void (*)(void))(function))
#define METHOD(name_, in_, out_, fn_, call_) \
	{ .name = name_, .in = in_, .out = out_, .fn = FN(fn_), .call = call_ }
#define CUSTOM(name_, in_, out_, custom_) \
	{ .name = name_, .in = in_, .out = out_, .custom = custom_ }
#define PROPERTY(name_, type_, fn_, call_) \
	{ .name = name_, .type = type_, \
	  .get = { .out = ":" type_, .fn = FN(fn_), .call = call_ } }
#define PROPERTY_CONST(name_, type_, fn_, call_) \
	{ .name = name_, .type = type_, .constant = true, \
	  .get = { .out = ":" type_, .fn = FN(fn_), .call = call_ } }
#define PROPERTY_RW(name_, type_, get_, get_call_, set_, set_call_) \
	{ .name = name_, .type = type_, \
	  .get = { .out = ":" type_, .fn = FN(get_), .call = get_call_ }, \
	  .set = { .in = ":" type_, .out = "", .fn = FN(set_), \
		   .call = set_call_ } }

extern const struct iface iface_connect, iface_domain, iface_snapshot,
	iface_interface, iface_network, iface_nodedev, iface_nwfilter,
	iface_secret, iface_pool, iface_vol;

/* call.c: false when *refused or libvirt's last error says why not. */
bool call_method(const struct call *c);

/* encode.c: a value of the D-Bus signature 'type', made of 'from' in order. */
void put_values(DBusMessageIter *to, const char *type,
		const struct values *from, const struct tree *tree);
void put_string(DBusMessageIter *to, const char *s); /* NULL: empty */
void put_basic(DBusMessageIter *to, char type, const void *value);
void put_params(DBusMessageIter *to, const virTypedParameter *params, int n);
void put_map(DBusMessageIter *to, const unsigned char *map, int cpus);

/* The type part of "name:type name:type ...". */
char *signature_of(const char *args);

/* path.c */
struct kind_ops {
	const char *node; /* below the tree's path */
	const struct iface *iface;
	void *(*lookup)(virConnectPtr conn, const char *id);
	bool (*id)(void *object, struct buf *ret); /* as it stands in a path */
	bool (*decode)(const char *id, struct buf *ret);
	int (*list)(virConnectPtr conn, void *ret, unsigned int flags);
	int (*free)(void *object);
};

const struct kind_ops *kind_ops(enum kind kind);
char *path_of(const struct tree *tree, enum kind kind, void *object);
void objects_free(enum kind kind, void **objects);

/* A tree of objects: one connection's. */
struct tree {
	const char *path; /* "/org/libvirt/QEMU" */
	const char *uri;
	struct signals *signals;
};

/* What a path names, 'id' pointing into it. */
enum place {
	PLACE_NOWHERE,
	PLACE_ABOVE, /* a folder of trees */
	PLACE_TREE,
	PLACE_KIND, /* a folder of objects */
	PLACE_OBJECT,
};
struct where {
	enum place place;
	struct tree *tree;
	enum kind kind;
	const char *id;
};
struct trees {
	struct tree *tree;
	unsigned int n;
};
struct where path_find(const struct trees *trees, const char *path);

/* A worker's connections, one for each tree, opened when first needed. */
struct connections {
	virConnectPtr *conn;
};
virConnectPtr tree_open(struct connections *of, const struct trees *trees,
			struct tree *tree);

/* introspect.c: the XML of what is at a path. */
char *introspect(const struct trees *trees, const struct where *where,
		 const char *path, virConnectPtr conn);

/* properties.c: what the standard interfaces answer. */
DBusMessage *properties_get(DBusMessage *msg, struct call *c,
			    const struct iface *iface);
DBusMessage *properties_set(DBusMessage *msg, struct call *c,
			    const struct iface *iface);
DBusMessage *properties_all(DBusMessage *msg, struct call *c,
			    const struct iface *iface);

/* handle.c: the answer to a call, on a worker's thread. */
DBusMessage *handle(DBusMessage *msg, const struct trees *trees,
		    struct connections *connections);
DBusMessage *reply_virt_error(DBusMessage *msg);

/* signals.c: sees to it that events of a tree become signals. */
struct signals *signals_create(DBusConnection *bus, struct tree *tree);
void signals_open(struct signals *signals); /* returns after an attempt */

/* bus.c */
struct options {
	const char *address; /* of a bus, or NULL */
	DBusBusType type;
	bool as_libvirt; /* owns org.libvirt too */
	unsigned int threads;
};
int serve_bus(const struct options *options, struct trees *trees,
	      struct error *err);

#endif
