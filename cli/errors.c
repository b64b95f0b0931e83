/*
 * cli/errors.c -- what libvirt's errors mean and what to do about them.
 */
#include "cli/errors.h"

#include <libvirt/virterror.h>
#include <stddef.h>

#define E(name) VIR_ERR_##name, #name
const struct error_help error_helps[] = {
	{ E(INTERNAL_ERROR), "Something went wrong that has no code of its own.",
	  "the daemon's log says more; 'vireo doctor' checks this host" },
	{ E(NO_SUPPORT), "The hypervisor does not have this call.",
	  "docs/PROCEDURES.md lists what the daemon has" },
	{ E(NO_CONNECT), "No daemon answers at this URI.",
	  "'vireo doctor' checks this host" },
	{ E(INVALID_ARG), "An argument or a combination of flags is not valid.",
	  "'vireo help COMMAND' lists the options" },
	{ E(OPERATION_FAILED), "It was tried and did not succeed.",
	  "the domain's log may say why" },
	{ E(XML_ERROR), "The XML is not what it should be.",
	  "--validate checks it against the schema and names the element" },
	{ E(NO_DOMAIN), "There is no such domain.",
	  "'vireo list --all' shows the domains" },
	{ E(SYSTEM_ERROR), "A system call failed; the message has its error.",
	  "'vireo doctor' checks this host" },
	{ E(CONFIG_UNSUPPORTED), "The definition asks for what cannot be had.",
	  "'vireo domcapabilities' shows what can" },
	{ E(OPERATION_INVALID), "Not while the domain is in this state.",
	  "'vireo domstate --reason DOMAIN' shows the state" },
	{ E(OPERATION_DENIED), "The connection is read-only.",
	  "connect without --readonly" },
	{ E(AUTH_FAILED), "The daemon does not know who this is.",
	  "check user and password, or the certificate" },
	{ E(ACCESS_DENIED), "The policy does not allow it.",
	  "an administrator changes the polkit rules" },
	{ E(NO_NETWORK), "There is no such network.",
	  "networks are listed by net-list --all" },
	{ E(NO_STORAGE_POOL), "There is no such storage pool.",
	  "pools are listed by pool-list --all" },
	{ E(NO_STORAGE_VOL), "There is no such volume.",
	  "volumes are listed by vol-list POOL" },
	{ E(NO_SECRET), "There is no such secret.",
	  "secrets are listed by secret-list" },
	{ E(NO_DOMAIN_SNAPSHOT), "The domain has no such snapshot.",
	  "snapshots are listed by snapshot-list DOMAIN" },
	{ E(NO_DOMAIN_CHECKPOINT), "The domain has no such checkpoint.",
	  "'vireo checkpoint-list DOMAIN' shows the checkpoints" },
	{ E(NO_NODE_DEVICE), "The host has no such device.",
	  "'vireo nodedev-list' shows the devices" },
	{ E(OPERATION_TIMEOUT), "It took too long, often behind another job.",
	  "'vireo domjobinfo DOMAIN' shows the job, domjobabort ends it" },
	{ E(OPERATION_ABORTED), "The job was stopped on request.", "try again" },
	{ E(OPERATION_UNSUPPORTED), "This domain's engine cannot do it.",
	  "docs/CAVEATS.md says what each engine cannot" },
	{ E(ARGUMENT_UNSUPPORTED), "The call is there, but not this use of it.",
	  "the message names the argument" },
	{ E(AGENT_UNRESPONSIVE), "The agent in the guest does not answer.",
	  "install and start qemu-guest-agent in the guest" },
	{ E(RESOURCE_BUSY), "Something else uses it.",
	  "end that, then try again" },
	{ E(NO_DOMAIN_METADATA), "The domain has no such metadata.",
	  "'vireo dumpxml DOMAIN --xpath //metadata' shows all" },
	{ E(DEVICE_MISSING), "The domain has no such device.",
	  "'vireo dumpxml DOMAIN' shows the devices" },
	{ 0, NULL, NULL, NULL },
};
#undef E

const struct error_help *error_help_of(int code)
{
	for (const struct error_help *e = error_helps; e->name; e++)
		if (e->code == code)
			return e;
	return NULL;
}
