/*
 * cli/connect.c -- the connection, and domains looked up as virsh does it.
 */
#include "cli/command.h"

#include <string.h>
#include <unistd.h>

#include "cli/args.h"
#include "cli/output.h"

static const char *default_uri(void)
{
	static const char *const vars[] = { "VIREO_DEFAULT_URI",
					    "VIRSH_DEFAULT_CONNECT_URI",
					    "LIBVIRT_DEFAULT_URI" };

	for (size_t i = 0; i < ARRAY_SIZE(vars); i++) {
		const char *uri = getenv(vars[i]);

		if (uri && *uri)
			return uri;
	}
	return geteuid() == 0 ? "vireo:///system" : "vireo:///session";
}

virConnectPtr ctl_connect(struct ctl *ctl)
{
	const char *uri = ctl->uri ? ctl->uri : default_uri();

	if (ctl->conn && virConnectIsAlive(ctl->conn) == 1)
		return ctl->conn;
	ctl_disconnect(ctl);
	ctl->conn = virConnectOpenAuth(uri, virConnectAuthPtrDefault,
				       ctl->readonly ? VIR_CONNECT_RO : 0);
	if (!ctl->conn)
		say_failed(ctl, "failed to connect to '%s'", uri);
	else /* after N unanswered pings the server is gone */
		virConnectSetKeepAlive(ctl->conn, 5, 6);
	return ctl->conn;
}

void ctl_disconnect(struct ctl *ctl)
{
	if (ctl->conn)
		virConnectClose(ctl->conn);
	ctl->conn = NULL;
}

static virDomainPtr lookup_id(struct ctl *ctl, const char *name)
{
	uint64_t id;

	if (parse_u64(name, 10, INT32_MAX, &id) < 0)
		return NULL;
	return virDomainLookupByID(ctl->conn, id);
}

/* A name may look like an id or a uuid: those are tried first, as virsh. */
virDomainPtr ctl_domain_named(struct ctl *ctl, const char *name)
{
	virDomainPtr dom = lookup_id(ctl, name);

	if (!dom && strlen(name) == VIR_UUID_STRING_BUFLEN - 1)
		dom = virDomainLookupByUUIDString(ctl->conn, name);
	if (!dom)
		dom = virDomainLookupByName(ctl->conn, name);
	if (!dom && !ctl->muted) /* virsh does not say why either */
		say_error("failed to get domain '%s'", name);
	return dom;
}

virDomainPtr ctl_domain(struct ctl *ctl, const struct args *args)
{
	return ctl_domain_named(ctl, args_get(args, "domain"));
}
