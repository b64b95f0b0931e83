/*
 * cli/cmd-dominfo.c -- the essentials about a domain.
 */
#include <string.h>

#include "cli/output.h"
#include "cli/states.h"

static void add_identity(struct record *r, virDomainPtr dom)
{
	unsigned int id = virDomainGetID(dom);
	char uuid[VIR_UUID_STRING_BUFLEN] = "";
	_cleanup_free_ char *os = virDomainGetOSType(dom);

	if (id == (unsigned int)-1)
		record_add(r, "Id:", "id", true, "-");
	else
		record_add(r, "Id:", "id", true, "%u", id);
	record_add(r, "Name:", "name", false, "%s", virDomainGetName(dom));
	virDomainGetUUIDString(dom, uuid);
	record_add(r, "UUID:", "uuid", false, "%s", uuid);
	if (os)
		record_add(r, "OS Type:", "os_type", false, "%s", os);
}

static void add_info(struct record *r, const virDomainInfo *info)
{
	record_add(r, "State:", "state", false, "%s", state_name(info->state));
	record_add(r, "CPU(s):", "cpus", true, "%d", info->nrVirtCpu);
	if (info->cpuTime)
		record_add(r, "CPU time:", "cpu_time", false, "%.1fs",
			   info->cpuTime / 1e9);
	record_add(r, "Max memory:", "max_memory", false, "%lu KiB",
		   info->maxMem);
	record_add(r, "Used memory:", "memory", false, "%lu KiB", info->memory);
}

static void add_flags(struct record *r, virDomainPtr dom)
{
	int persistent = virDomainIsPersistent(dom);
	int saved = virDomainHasManagedSaveImage(dom, 0), autostart;

	record_add(r, "Persistent:", "persistent", false, "%s",
		   persistent < 0 ? "unknown"
		   : persistent	  ? "yes"
				  : "no");
	if (virDomainGetAutostart(dom, &autostart) == 0)
		record_add(r, "Autostart:", "autostart", false, "%s",
			   autostart ? "enable" : "disable");
	record_add(r, "Managed save:", "managed_save", false, "%s",
		   saved < 0 ? "unknown"
		   : saved   ? "yes"
			     : "no");
}

static void add_security(struct record *r, struct ctl *ctl, virDomainPtr dom)
{
	virSecurityModel m = { 0 };
	virSecurityLabel label = { 0 };

	if (virNodeGetSecurityModel(ctl->conn, &m) < 0 || !*m.model)
		return;
	record_add(r, "Security model:", "security_model", false, "%s",
		   m.model);
	record_add(r, "Security DOI:", "security_doi", false, "%s", m.doi);
	if (virDomainGetSecurityLabel(dom, &label) == 0 && *label.label)
		record_add(r, "Security label:", "security_label", false,
			   "%s (%s)", label.label,
			   label.enforcing ? "enforcing" : "permissive");
}

static void add_messages(struct record *r, virDomainPtr dom)
{
	char **messages = NULL;
	int n = virDomainGetMessages(dom, &messages, 0);

	for (int i = 0; i < n; i++) {
		record_add(r, i ? "" : "Messages:", "messages", false, "%s",
			   messages[i]);
		free(messages[i]);
	}
	free(messages);
}

static int run_dominfo(struct ctl *ctl, const struct args *args)
{
	virDomainPtr dom = ctl_domain(ctl, args);
	struct record *r = record_new();
	int status = EXIT_OK;
	virDomainInfo info;

	if (dom && virDomainGetInfo(dom, &info) == 0) {
		add_identity(r, dom);
		add_info(r, &info);
		add_flags(r, dom);
		add_security(r, ctl, dom);
		add_messages(r, dom);
	} else {
		status = dom ? say_failed(ctl, "cannot inspect domain '%s'",
					  virDomainGetName(dom))
			     : EXIT_FAILED;
	}
	if (status == EXIT_OK)
		record_print(r, ctl);
	else
		record_free(r);
	if (dom)
		virDomainFree(dom);
	return status;
}

const struct command family_dominfo[] = {
	{
		.name = "dominfo",
		.group = "monitor",
		.summary = "domain information",
		.opts = OPTS(OPT_DOMAIN(complete_domains)),
		.run = run_dominfo,
	},
	{ NULL },
};
