/*
 * rpc/errors.c -- an error as clients receive it.
 *
 * Clients print "message" as it comes and scripts look for libvirt's words in
 * it, so the text that libvirt puts around a detail for each code is added
 * here and nowhere else.
 */
#include <errno.h>
#include <string.h>

#include <libvirt/virterror.h>

#include "rpc/errors.h"

/* Each has one "%s"; codes that are not listed show the detail alone. */
static const char *const texts[] = {
	[VIR_ERR_INTERNAL_ERROR] = "internal error: %s",
	[VIR_ERR_NO_MEMORY] = "out of memory: %s",
	[VIR_ERR_NO_SUPPORT] =
		"this function is not supported by the connection driver: %s",
	[VIR_ERR_UNKNOWN_HOST] = "unknown host %s",
	[VIR_ERR_NO_CONNECT] = "no connection driver available for %s",
	[VIR_ERR_INVALID_CONN] = "invalid connection pointer in %s",
	[VIR_ERR_INVALID_DOMAIN] = "invalid domain pointer in %s",
	[VIR_ERR_INVALID_ARG] = "invalid argument: %s",
	[VIR_ERR_OPERATION_FAILED] = "operation failed: %s",
	[VIR_ERR_OS_TYPE] = "unknown OS type %s",
	[VIR_ERR_NO_KERNEL] = "missing kernel information: %s",
	[VIR_ERR_NO_ROOT] = "missing root device information in %s",
	[VIR_ERR_NO_SOURCE] = "missing source information for device %s",
	[VIR_ERR_NO_TARGET] = "missing target information for device %s",
	[VIR_ERR_NO_NAME] = "missing name information in %s",
	[VIR_ERR_NO_OS] = "missing operating system information for %s",
	[VIR_ERR_NO_DEVICE] = "missing devices information for %s",
	[VIR_ERR_DRIVER_FULL] = "too many drivers registered in %s",
	[VIR_ERR_CALL_FAILED] = "library call failed: %s",
	[VIR_ERR_XML_ERROR] = "XML error: %s",
	[VIR_ERR_DOM_EXIST] = "domain %s exists already",
	[VIR_ERR_OPERATION_DENIED] = "operation forbidden: %s",
	[VIR_ERR_OPEN_FAILED] = "failed to open configuration file %s",
	[VIR_ERR_READ_FAILED] = "failed to read configuration file %s",
	[VIR_ERR_PARSE_FAILED] = "failed to parse configuration file %s",
	[VIR_ERR_WRITE_FAILED] = "failed to write configuration file: %s",
	[VIR_ERR_INVALID_NETWORK] = "invalid network pointer in %s",
	[VIR_ERR_NETWORK_EXIST] = "network %s exists already",
	[VIR_WAR_NO_NETWORK] = "Failed to find the network: %s",
	[VIR_ERR_NO_DOMAIN] = "Domain not found: %s",
	[VIR_ERR_NO_NETWORK] = "Network not found: %s",
	[VIR_ERR_INVALID_MAC] = "invalid MAC address: %s",
	[VIR_ERR_AUTH_FAILED] = "authentication failed: %s",
	[VIR_ERR_INVALID_STORAGE_POOL] = "invalid storage pool pointer in %s",
	[VIR_ERR_INVALID_STORAGE_VOL] = "invalid storage volume pointer in %s",
	[VIR_WAR_NO_STORAGE] = "Failed to find a storage driver: %s",
	[VIR_ERR_NO_STORAGE_POOL] = "Storage pool not found: %s",
	[VIR_ERR_NO_STORAGE_VOL] = "Storage volume not found: %s",
	[VIR_WAR_NO_NODE] = "Failed to find a node driver: %s",
	[VIR_ERR_INVALID_NODE_DEVICE] = "invalid node device pointer in %s",
	[VIR_ERR_NO_NODE_DEVICE] = "Node device not found: %s",
	[VIR_ERR_NO_SECURITY_MODEL] = "Security model not found: %s",
	[VIR_ERR_HOOK_SCRIPT_FAILED] = "Hook script execution failed: %s",
	[VIR_ERR_OPERATION_INVALID] = "Requested operation is not valid: %s",
	[VIR_WAR_NO_INTERFACE] = "Failed to find the interface: %s",
	[VIR_ERR_NO_INTERFACE] = "Interface not found: %s",
	[VIR_ERR_INVALID_INTERFACE] = "invalid interface pointer in %s",
	[VIR_ERR_MULTIPLE_INTERFACES] =
		"multiple matching interfaces found: %s",
	[VIR_WAR_NO_NWFILTER] = "Failed to start the nwfilter driver: %s",
	[VIR_ERR_INVALID_NWFILTER] = "Invalid network filter: %s",
	[VIR_ERR_NO_NWFILTER] = "Network filter not found: %s",
	[VIR_ERR_BUILD_FIREWALL] = "Error while building firewall: %s",
	[VIR_WAR_NO_SECRET] = "Failed to find a secret storage driver: %s",
	[VIR_ERR_INVALID_SECRET] = "Invalid secret: %s",
	[VIR_ERR_NO_SECRET] = "Secret not found: %s",
	[VIR_ERR_CONFIG_UNSUPPORTED] = "unsupported configuration: %s",
	[VIR_ERR_OPERATION_TIMEOUT] = "Timed out during operation: %s",
	[VIR_ERR_MIGRATE_PERSIST_FAILED] =
		"Failed to make domain persistent after migration: %s",
	[VIR_ERR_INVALID_DOMAIN_SNAPSHOT] = "Invalid domain snapshot: %s",
	[VIR_ERR_NO_DOMAIN_SNAPSHOT] = "Domain snapshot not found: %s",
	[VIR_ERR_INVALID_STREAM] = "invalid stream pointer in %s",
	[VIR_ERR_ARGUMENT_UNSUPPORTED] = "argument unsupported: %s",
	[VIR_ERR_STORAGE_PROBE_FAILED] = "Storage pool probe failed: %s",
	[VIR_ERR_STORAGE_POOL_BUILT] = "Storage pool already built: %s",
	[VIR_ERR_SNAPSHOT_REVERT_RISKY] = "revert requires force: %s",
	[VIR_ERR_OPERATION_ABORTED] = "operation aborted: %s",
	[VIR_ERR_AUTH_CANCELLED] = "authentication cancelled: %s",
	[VIR_ERR_NO_DOMAIN_METADATA] = "metadata not found: %s",
	[VIR_ERR_MIGRATE_UNSAFE] = "Unsafe migration: %s",
	[VIR_ERR_OVERFLOW] = "numerical overflow: %s",
	[VIR_ERR_BLOCK_COPY_ACTIVE] = "block copy still active: %s",
	[VIR_ERR_OPERATION_UNSUPPORTED] = "Operation not supported: %s",
	[VIR_ERR_AGENT_UNRESPONSIVE] = "Guest agent is not responding: %s",
	[VIR_ERR_RESOURCE_BUSY] = "resource busy: %s",
	[VIR_ERR_ACCESS_DENIED] = "access denied: %s",
	[VIR_ERR_DBUS_SERVICE] = "error from service: %s",
	[VIR_ERR_STORAGE_VOL_EXIST] = "storage volume %s exists already",
	[VIR_ERR_CPU_INCOMPATIBLE] =
		"the CPU is incompatible with host CPU: %s",
	[VIR_ERR_XML_INVALID_SCHEMA] =
		"XML document failed to validate against schema: %s",
	[VIR_ERR_MIGRATE_FINISH_OK] = "migration successfully aborted: %s",
	[VIR_ERR_AUTH_UNAVAILABLE] = "authentication unavailable: %s",
	[VIR_ERR_NO_SERVER] = "Server not found: %s",
	[VIR_ERR_NO_CLIENT] = "Client not found: %s",
	[VIR_ERR_AGENT_UNSYNCED] =
		"guest agent replied with wrong id to guest-sync command: %s",
	[VIR_ERR_DEVICE_MISSING] = "device not found: %s",
	[VIR_ERR_INVALID_NWFILTER_BINDING] =
		"Invalid network filter binding: %s",
	[VIR_ERR_NO_NWFILTER_BINDING] = "Network filter binding not found: %s",
	[VIR_ERR_INVALID_DOMAIN_CHECKPOINT] = "Invalid domain checkpoint: %s",
	[VIR_ERR_NO_DOMAIN_CHECKPOINT] = "Domain checkpoint not found: %s",
	[VIR_ERR_NO_DOMAIN_BACKUP] = "Domain backup job id not found: %s",
	[VIR_ERR_INVALID_NETWORK_PORT] = "Invalid network port pointer: %s",
	[VIR_ERR_NETWORK_PORT_EXIST] = "network port %s exists already",
	[VIR_ERR_NO_NETWORK_PORT] = "network port not found: %s",
	[VIR_ERR_NO_HOSTNAME] = "no hostname found: %s",
	[VIR_ERR_CHECKPOINT_INCONSISTENT] = "checkpoint inconsistent: %s",
	[VIR_ERR_MULTIPLE_DOMAINS] = "multiple matching domains found: %s",
};

static int error_code(const struct error *err)
{
	if (err->code)
		return err->code;
	return err->errnum == -ENOMEM ? VIR_ERR_NO_MEMORY
	       : err->errnum	      ? VIR_ERR_SYSTEM_ERROR
				      : VIR_ERR_INTERNAL_ERROR;
}

static const char *error_format(int code)
{
	const char *text = NULL;

	if (code > 0 && (size_t)code < ARRAY_SIZE(texts))
		text = texts[code];
	return text ? text : "%s";
}

char *rpc_error_text(const struct error *err)
{
	const char *text = error_format(error_code(err));
	const char *gap = strstr(text, "%s");

	return xasprintf("%.*s%s%s", (int)(gap - text), text, err->message,
			 gap + 2);
}

struct packet *rpc_error_packet(const wire_header *to, const struct error *err,
				int domain)
{
	_cleanup_free_ char *text = rpc_error_text(err);
	char *format = (char *)error_format(error_code(err));
	char *detail = (char *)err->message;
	wire_error e = {
		.code = error_code(err),
		.domain = err->domain ? err->domain : domain,
		.message = &text,
		.level = VIR_ERR_ERROR,
		.str1 = &format,
		.str2 = &detail,
		.int1 = -1,
		.int2 = -1,
	};
	wire_header h = *to;
	bool stream = h.type == FRAME_STREAM || h.type == FRAME_STREAM_HOLE;

	h.type = stream ? FRAME_STREAM : FRAME_REPLY;
	h.status = FRAME_ERROR;
	return packet_create(&h, (xdrproc_t)xdr_wire_error, &e);
}

/* What rpc_error_text() put in front is left out again. */
static const char *without_prefix(int code, const char *text)
{
	const char *format =
		code >= 0 && (size_t)code < ARRAY_SIZE(texts) ? texts[code] :
								NULL;
	size_t len = format ? strcspn(format, "%") : 0;

	return len && !strncmp(text, format, len) ? text + len : text;
}

int rpc_error_read(const struct frame *f, struct error *err)
{
	wire_error e = { 0 };
	int r;

	if (!body_decode(f->body, f->len, (xdrproc_t)xdr_wire_error, &e))
		return error_virt(err, VIR_ERR_RPC,
				  "the other side reports an error that cannot "
				  "be read");
	r = error_virt(err, e.code, "%s",
		       e.message ? without_prefix(e.code, *e.message) :
				   "unknown error");
	body_free((xdrproc_t)xdr_wire_error, &e);
	return r;
}
