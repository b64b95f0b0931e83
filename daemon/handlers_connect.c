/*
 * daemon/handlers_connect.c -- opening a connection, and what it is.
 */
#include <errno.h>
#include <string.h>

#include <libvirt/libvirt.h>
#include <libvirt/virterror.h>

#include "config.h"
#include "daemon/hostinfo.h"
#include "daemon/reply.h"
#include "daemon/server_priv.h"

/* ---- opening ---- */

/*
 * Features a client probes with VIR_DRV_FEATURE numbers: those of the
 * connection are answered by the server, those of the hypervisor tell which
 * ways to migrate there are.
 */
enum {
	FEATURE_MIGRATION_P2P = 4,
	FEATURE_MIGRATION_V3 = 6,
	FEATURE_CHANGE_PROTECTION = 7,
	FEATURE_FD_PASSING = 8,
	FEATURE_TYPED_PARAM_STRING = 9,
	FEATURE_KEEPALIVE = 10,
	FEATURE_XML_MIGRATABLE = 11,
	FEATURE_MIGRATION_OFFLINE = 12,
	FEATURE_MIGRATION_PARAMS = 13,
	FEATURE_EVENT_CALLBACKS = 14,
	FEATURE_CLOSE_CALLBACK = 15,
	FEATURE_NETWORK_UPDATE_ORDER = 16,
};

int handle_connect_supports_feature(struct call *call, const wire_int *args,
				    wire_int *reply, struct error *err)
{
	enum server_socket kind = call->session->kind;

	switch (*args) {
	case FEATURE_FD_PASSING: /* Unix sockets only */
		*reply = kind != SERVER_TCP && kind != SERVER_TLS;
		break;
	case FEATURE_KEEPALIVE:
		session_start_pings(call->session);
		*reply = 1;
		break;
	case FEATURE_MIGRATION_P2P:
	case FEATURE_MIGRATION_V3:
	case FEATURE_CHANGE_PROTECTION:
	case FEATURE_XML_MIGRATABLE:
	case FEATURE_MIGRATION_OFFLINE:
	case FEATURE_MIGRATION_PARAMS:
	case FEATURE_TYPED_PARAM_STRING:
	case FEATURE_EVENT_CALLBACKS:
	case FEATURE_CLOSE_CALLBACK:
	case FEATURE_NETWORK_UPDATE_ORDER:
		*reply = 1;
		break;
	}
	return 0;
}

static enum session_scheme uri_scheme(const char *uri, const char **ret_path)
{
	static const struct {
		const char *prefix;
		enum session_scheme scheme;
	} schemes[] = {
		{ "vireo://", SCHEME_VIREO },
		{ "qemu://", SCHEME_QEMU },
	};

	for (size_t i = 0; i < ARRAY_SIZE(schemes); i++)
		if (str_startswith(uri, schemes[i].prefix)) {
			*ret_path = uri + strlen(schemes[i].prefix);
			return schemes[i].scheme;
		}
	return SCHEME_NONE;
}

/* The path without what follows it: "?socket=..." is the client's affair. */
static struct registry *uri_registry(const char *path)
{
	_cleanup_free_ char *p = xstrndup(path, strcspn(path, "?#"));

	return registry_find(p);
}

int handle_connect_open(struct call *call, const wire_optstr_flags *args,
			struct error *err)
{
	const char *uri = args->str ? *args->str : "vireo:///system";
	struct session *s = call->session;
	enum session_scheme scheme;
	const char *path = "";
	struct registry *reg;

	if (s->reg)
		return error_virt(err, VIR_ERR_INTERNAL_ERROR, "%s",
				  "connection already open");
	scheme = uri_scheme(uri, &path);
	if (scheme == SCHEME_NONE)
		return error_virt(err, VIR_ERR_NO_CONNECT, "%s", uri);
	reg = uri_registry(path);
	if (!reg) {
		const char *name = scheme == SCHEME_QEMU ? "qemu" : "vireo";

		return error_virt(err, VIR_ERR_INTERNAL_ERROR,
				  "unexpected %s URI path '%s', try "
				  "%s:///system",
				  scheme == SCHEME_QEMU ? "QEMU" : "Vireo",
				  path, name);
	}
	s->reg = reg;
	s->scheme = scheme;
	s->uri = xstrdup(uri);
	s->readonly |= args->flags & VIR_CONNECT_RO;
	server_watch_registry(s->server, reg);
	return 0;
}

int handle_connect_close(struct call *call, struct error *err)
{
	call->session->closing = true; /* once the reply is out */
	return 0;
}

int handle_connect_register_close_callback(struct call *call, struct error *err)
{
	return 0; /* the connection ends only with the socket */
}

int handle_connect_unregister_close_callback(struct call *call,
					     struct error *err)
{
	return 0;
}

/* ---- what it is ---- */

static bool call_is_test(const struct call *call)
{
	return call->reg == registry_find("/test");
}

int handle_connect_get_type(struct call *call, wire_str *reply,
			    struct error *err)
{
	*reply = xstrdup(call_is_test(call)	       ? "TEST"
			 : call->scheme == SCHEME_QEMU ? "QEMU"
						       : "Vireo");
	return 0;
}

/* libvirt's form of a version: a million to the major number. */
static uint64_t own_version(void)
{
	unsigned int major = 0, minor = 0, micro = 0;

	(void)sscanf(PACKAGE_VERSION, "%u.%u.%u", &major, &minor, &micro);
	return major * 1000000ull + minor * 1000 + micro;
}

/* Clients that opened "qemu" switch features on by QEMU's version. */
enum { QEMU_VERSION = 7002000 };

int handle_connect_get_version(struct call *call, wire_u64 *reply,
			       struct error *err)
{
	*reply = call->scheme == SCHEME_QEMU ? QEMU_VERSION : own_version();
	return 0;
}

int handle_connect_get_lib_version(struct call *call, wire_u64 *reply,
				   struct error *err)
{
	*reply = LIBVIR_VERSION_NUMBER; /* the protocol that we speak */
	return 0;
}

int handle_connect_get_hostname(struct call *call, wire_str *reply,
				struct error *err)
{
	char name[256] = "";

	if (gethostname(name, sizeof(name) - 1) < 0)
		return error_set(err, -errno, "cannot read the hostname: %m");
	*reply = xstrdup(name);
	return 0;
}

int handle_connect_get_uri(struct call *call, wire_str *reply,
			   struct error *err)
{
	*reply = xstrdup(call->uri);
	return 0;
}

int handle_connect_is_secure(struct call *call, wire_int *reply,
			     struct error *err)
{
	/* A Unix socket never leaves the host. */
	*reply = call->session->kind != SERVER_TCP;
	return 0;
}

/* ---- what it can do ---- */

int handle_connect_get_capabilities(struct call *call, wire_str *reply,
				    struct error *err)
{
	*reply = capabilities_xml(err);
	return *reply ? 0 : -EINVAL;
}

int handle_connect_get_sysinfo(struct call *call, const wire_int *args,
			       wire_str *reply, struct error *err)
{
	int r = call_flags(call, *args, 0, err);

	if (r < 0)
		return r;
	if (!call->host->sysinfo)
		return error_virt(err, VIR_ERR_CONFIG_UNSUPPORTED,
				  "Host SMBIOS information is not available");
	*reply = xstrdup(call->host->sysinfo);
	return 0;
}

int handle_connect_get_domain_capabilities(struct call *call,
					   const wire_domcaps_args *args,
					   wire_str *reply, struct error *err)
{
	int r = call_flags(call, args->flags, 0, err);

	if (r < 0)
		return r;
	*reply = domain_capabilities_xml(opt(args->emulator), opt(args->arch),
					 opt(args->machine),
					 opt(args->virttype), err);
	return *reply ? 0 : -EINVAL;
}

static int virt_from_name(const char *name)
{
	static const char *const names[] = {
		[DOM_VIRT_KVM] = "kvm",
		[DOM_VIRT_QEMU] = "qemu",
		[DOM_VIRT_VIREO] = "vireo",
		[DOM_VIRT_TEST] = "test",
	};

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (str_eq(name, names[i]))
			return i;
	return -1;
}

int handle_connect_get_max_vcpus(struct call *call, const wire_optstr *args,
				 wire_int *reply, struct error *err)
{
	const char *type = opt(*args);
	const struct loaded_driver *drv;
	int virt = call_is_test(call) ? DOM_VIRT_TEST : DOM_VIRT_VIREO;

	if (type)
		virt = virt_from_name(type);
	if (virt < 0)
		return error_virt(err, VIR_ERR_INVALID_ARG, "unknown type '%s'",
				  type);
	drv = driver_for(virt, err);
	if (!drv)
		return -EINVAL;
	*reply = drv->caps.max_vcpus;
	return 0;
}
