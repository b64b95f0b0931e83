/*
 * cli/cmd-identity.c -- what a domain is called and is: names, texts, XML.
 */
#include <string.h>

#include "cli/args.h"
#include "cli/domain-action.h"
#include "cli/output.h"
#include "cli/xml.h"

/* ---- desc ---- */

static const struct flag_option desc_flags[] = {
	{ "live", VIR_DOMAIN_AFFECT_LIVE },
	{ "config", VIR_DOMAIN_AFFECT_CONFIG },
	{ NULL },
};

static int show_text(struct ctl *ctl, virDomainPtr dom, int type,
		     unsigned int bits)
{
	_cleanup_free_ char *text = virDomainGetMetadata(dom, type, NULL, bits);
	virErrorPtr e = text ? NULL : virGetLastError();

	if (text)
		say_value(ctl, "text", text);
	else if (e && e->code == VIR_ERR_NO_DOMAIN_METADATA)
		say(ctl, "No %s for domain: %s",
		    type == VIR_DOMAIN_METADATA_TITLE ? "title" : "description",
		    virDomainGetName(dom));
	else
		return say_failed(ctl, NULL);
	return EXIT_OK;
}

static int run_desc(struct ctl *ctl, const struct args *args)
{
	int type = args_has(args, "title") ? VIR_DOMAIN_METADATA_TITLE
					   : VIR_DOMAIN_METADATA_DESCRIPTION;
	const char *text = args_get(args, "new-desc");
	unsigned int bits = args_flags(args, desc_flags);
	virDomainPtr dom = ctl_domain(ctl, args);
	int status = EXIT_OK;

	if (!dom)
		return EXIT_FAILED;
	if (!text)
		status = show_text(ctl, dom, type, bits);
	else if (virDomainSetMetadata(dom, type, text, NULL, NULL, bits) < 0)
		status = say_failed(ctl, "Failed to set new domain text");
	else
		say(ctl, "Domain %s updated successfully\n",
		    args_has(args, "title") ? "title" : "description");
	virDomainFree(dom);
	return status;
}

/* ---- domid ---- */

static int run_domid(struct ctl *ctl, const struct args *args)
{
	virDomainPtr dom = ctl_domain(ctl, args);
	char text[16] = "-";
	unsigned int id;

	if (!dom)
		return EXIT_FAILED;
	id = virDomainGetID(dom);
	if (id != (unsigned int)-1)
		snprintf(text, sizeof(text), "%u", id);
	say_value(ctl, "id", text);
	virDomainFree(dom);
	return EXIT_OK;
}

/* ---- domname ---- */

static int run_domname(struct ctl *ctl, const struct args *args)
{
	virDomainPtr dom = ctl_domain(ctl, args);

	if (!dom)
		return EXIT_FAILED;
	say_value(ctl, "name", virDomainGetName(dom));
	virDomainFree(dom);
	return EXIT_OK;
}

/* ---- domuuid ---- */

static int run_domuuid(struct ctl *ctl, const struct args *args)
{
	virDomainPtr dom = ctl_domain(ctl, args);
	char text[VIR_UUID_STRING_BUFLEN] = "";

	if (!dom)
		return EXIT_FAILED;
	virDomainGetUUIDString(dom, text);
	say_value(ctl, "uuid", text);
	virDomainFree(dom);
	return EXIT_OK;
}

/* ---- dumpxml ---- */

static const struct flag_option dumpxml_flags[] = {
	{ "inactive", VIR_DOMAIN_XML_INACTIVE },
	{ "security-info", VIR_DOMAIN_XML_SECURE },
	{ "update-cpu", VIR_DOMAIN_XML_UPDATE_CPU },
	{ "migratable", VIR_DOMAIN_XML_MIGRATABLE },
	{ NULL },
};

static int run_dumpxml(struct ctl *ctl, const struct args *args,
		       virDomainPtr dom)
{
	return xml_show(
		ctl, args,
		virDomainGetXMLDesc(dom, args_flags(args, dumpxml_flags)));
}

const struct command family_identity[] = {
	{
		.name = "desc",
		.group = "domain",
		.summary = "show or set domain's description or title",
		.opts = OPTS(
			OPT_DOMAIN(complete_domains),
			MAYBE("new-desc", "the new text; empty removes it"),
			FLAG("title", "the title instead of the description"),
			FLAG("live", "affect running domain"),
			FLAG("config", "affect next boot"), FLAG("current")),
		.run = run_desc,
	},
	{
		.name = "domid",
		.group = "domain",
		.summary = "convert a domain name or UUID to domain id",
		.opts = OPTS(OPT_DOMAIN(complete_domains)),
		.run = run_domid,
	},
	{
		.name = "domname",
		.group = "domain",
		.summary = "convert a domain id or UUID to domain name",
		.opts = OPTS(OPT_DOMAIN(complete_domains)),
		.run = run_domname,
	},
	{
		.name = "domuuid",
		.group = "domain",
		.summary = "convert a domain name or id to domain UUID",
		.opts = OPTS(OPT_DOMAIN(complete_domains)),
		.run = run_domuuid,
	},
	{
		.name = "dumpxml",
		.group = "domain",
		.summary = "domain information in XML",
		.opts = OPTS(
			OPT_DOMAIN(complete_domains),
			FLAG("inactive", "show inactive defined XML"),
			FLAG("security-info",
			     "include security sensitive information"),
			FLAG("update-cpu", "update guest CPU to the host's"),
			FLAG("migratable", "provide XML for migrations"),
			NAMED("xpath"), FLAG("wrap")),
		.on_domain = run_dumpxml,
	},
	{ NULL },
};
