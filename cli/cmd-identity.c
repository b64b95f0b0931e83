/*
 * cli/cmd-identity.c -- what a domain is called and is: names, texts, XML.
 */
#include <errno.h>
#include <string.h>

#include "cli/args.h"
#include "cli/domain-action.h"
#include "cli/edit.h"
#include "cli/output.h"
#include "cli/xml.h"

/* ---- desc ---- */

struct text {
	virDomainPtr dom;
	int type; /* VIR_DOMAIN_METADATA_ */
	unsigned int flags;
};

static const char *text_name(const struct text *t)
{
	return t->type == VIR_DOMAIN_METADATA_TITLE ? "title" : "description";
}

/* "" where there is none; NULL: libvirt has the error. */
static char *get_text(void *object)
{
	struct text *t = object;
	char *text = virDomainGetMetadata(t->dom, t->type, NULL, t->flags);
	virErrorPtr e = text ? NULL : virGetLastError();

	return e && e->code == VIR_ERR_NO_DOMAIN_METADATA ? xstrdup("") : text;
}

static int set_text(struct ctl *ctl, void *object, const char *text)
{
	struct text *t = object;

	if (virDomainSetMetadata(t->dom, t->type, text, NULL, NULL, t->flags) <
	    0) {
		say_failed(ctl, "Failed to set new domain %s", text_name(t));
		return -ECANCELED;
	}
	say(ctl, "Domain %s updated successfully", text_name(t));
	return 0;
}

static int show_text(struct ctl *ctl, struct text *t)
{
	_cleanup_free_ char *text = get_text(t);

	if (!text)
		return say_failed(ctl, NULL);
	if (*text && ctl->output == OUTPUT_TABLE)
		printf("%s", text);
	else if (*text)
		say_value(ctl, "text", text);
	else
		say(ctl, "No %s for domain: %s", text_name(t),
		    virDomainGetName(t->dom));
	return EXIT_OK;
}

/* Lines end in the editor; the text does not. */
static int set_edited(struct ctl *ctl, void *object, const char *text)
{
	_cleanup_free_ char *copy = xstrdup(text);

	copy[strcspn(copy, "\n")] = '\0';
	return set_text(ctl, object, copy);
}

static char *join(const struct args *args)
{
	_cleanup_buf_ struct buf b = { 0 };

	for (int i = 0; i < args->n_rest; i++)
		buf_printf(&b, "%s%s", i ? " " : "", args->rest[i]);
	return args->n_rest ? buf_steal(&b) : NULL;
}

static int edit(struct ctl *ctl, struct text *t, const char *new)
{
	static const struct edit title = { get_text, set_edited,
					   "Domain title not changed\n%.0s",
					   NULL };
	static const struct edit description = {
		get_text, set_edited, "Domain description not changed\n%.0s",
		NULL
	};

	return edit_object_from(
		ctl,
		t->type == VIR_DOMAIN_METADATA_TITLE ? &title : &description, t,
		"", new);
}

static int run_desc(struct ctl *ctl, const struct args *args, virDomainPtr dom)
{
	_cleanup_free_ char *new = join(args);
	struct text t = { .dom = dom,
			  .type = args_has(args, "title") ?
					  VIR_DOMAIN_METADATA_TITLE :
					  VIR_DOMAIN_METADATA_DESCRIPTION };

	if (args_affect(args, &t.flags) < 0)
		return EXIT_FAILED;
	if (args_has(args, "edit"))
		return edit(ctl, &t, new);
	if (!new)
		return show_text(ctl, &t);
	return set_text(ctl, &t, new) < 0 ? EXIT_FAILED : EXIT_OK;
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
			OPT_DOMAIN(complete_domains), FLAG("live"),
			FLAG("config"), FLAG("current"),
			FLAG("title", "the title instead of the description"),
			FLAG("edit", "in an editor"), REST("new-desc")),
		.on_domain = run_desc,
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
