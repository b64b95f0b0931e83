/*
 * cli/cmd-nwfilter.c -- network filters and their bindings.
 */
#include <string.h>

#include "cli/args.h"
#include "cli/edit.h"
#include "cli/output.h"
#include "cli/xml.h"

static virNWFilterPtr find(struct ctl *ctl, const struct args *args)
{
	const char *name = args_get(args, "nwfilter");
	virNWFilterPtr f = NULL;

	if (strlen(name) == VIR_UUID_STRING_BUFLEN - 1)
		f = virNWFilterLookupByUUIDString(ctl->conn, name);
	if (!f)
		f = virNWFilterLookupByName(ctl->conn, name);
	if (!f)
		say_failed(ctl, "failed to get nwfilter '%s'", name);
	return f;
}

static int run_nwfilter_define(struct ctl *ctl, const struct args *args)
{
	const char *file = args_get(args, "file");
	_cleanup_free_ char *xml = read_xml_file(file);
	virNWFilterPtr f;

	if (!xml)
		return EXIT_FAILED;
	f = args_has(args, "validate")
		    ? virNWFilterDefineXMLFlags(ctl->conn, xml,
						VIR_NWFILTER_DEFINE_VALIDATE)
		    : virNWFilterDefineXML(ctl->conn, xml);
	if (!f)
		return say_failed(
			ctl, "Failed to define network filter from %s", file);
	say(ctl, "Network filter %s defined from %s\n", virNWFilterGetName(f),
	    file);
	virNWFilterFree(f);
	return EXIT_OK;
}

static int run_nwfilter_undefine(struct ctl *ctl, const struct args *args)
{
	const char *name = args_get(args, "nwfilter");
	virNWFilterPtr f = find(ctl, args);
	int r;

	if (!f)
		return EXIT_FAILED;
	r = virNWFilterUndefine(f);
	if (r < 0)
		say_failed(ctl, "Failed to undefine network filter %s", name);
	else
		say(ctl, "Network filter %s undefined\n", name);
	virNWFilterFree(f);
	return r < 0 ? EXIT_FAILED : EXIT_OK;
}

static int run_nwfilter_dumpxml(struct ctl *ctl, const struct args *args)
{
	virNWFilterPtr f = find(ctl, args);
	int status;

	if (!f)
		return EXIT_FAILED;
	status = xml_show(ctl, args, virNWFilterGetXMLDesc(f, 0));
	virNWFilterFree(f);
	return status;
}

static const struct column columns[] = {
	{ "UUID", "uuid", false },
	{ "Name", "name", false },
};

static int by_name(const void *a, const void *b)
{
	return strcasecmp(virNWFilterGetName(*(virNWFilterPtr *)a),
			  virNWFilterGetName(*(virNWFilterPtr *)b));
}

static int run_nwfilter_list(struct ctl *ctl, const struct args *args)
{
	virNWFilterPtr *all = NULL;
	int n = virConnectListAllNWFilters(ctl->conn, &all, 0);
	struct table *t;

	(void)args;
	if (n < 0)
		return say_failed(ctl, "Failed to list network filters");
	qsort(all, (size_t)n, sizeof(*all), by_name);
	t = table_new(columns, ARRAY_SIZE(columns));
	for (int i = 0; i < n; i++) {
		char uuid[VIR_UUID_STRING_BUFLEN] = "";
		const char *cells[] = { uuid, virNWFilterGetName(all[i]) };

		virNWFilterGetUUIDString(all[i], uuid);
		table_row(t, cells);
		virNWFilterFree(all[i]);
	}
	free(all);
	table_print(t, ctl);
	return EXIT_OK;
}

static char *get_xml(void *object)
{
	return virNWFilterGetXMLDesc(object, 0);
}

static int define(struct ctl *ctl, void *object, const char *xml)
{
	virNWFilterPtr f = virNWFilterDefineXML(ctl->conn, xml);

	(void)object;
	if (!f)
		return -1;
	virNWFilterFree(f);
	return 0;
}

static int run_nwfilter_edit(struct ctl *ctl, const struct args *args)
{
	static const struct edit edit = {
		get_xml, define,
		"Network filter %s XML configuration not changed.\n",
		"Network filter %s XML configuration edited.\n"
	};
	virNWFilterPtr f = find(ctl, args);
	int status;

	if (!f)
		return EXIT_FAILED;
	status = edit_object(ctl, &edit, f, virNWFilterGetName(f));
	virNWFilterFree(f);
	return status;
}

/* ---- bindings: a filter on one port ---- */

static virNWFilterBindingPtr find_binding(struct ctl *ctl,
					  const struct args *args)
{
	const char *port = args_get(args, "binding");
	virNWFilterBindingPtr b =
		virNWFilterBindingLookupByPortDev(ctl->conn, port);

	if (!b)
		say_failed(ctl, "failed to get nwfilter binding '%s'", port);
	return b;
}

static int run_nwfilter_binding_create(struct ctl *ctl, const struct args *args)
{
	const char *file = args_get(args, "file");
	_cleanup_free_ char *xml = read_xml_file(file);
	virNWFilterBindingPtr b;

	if (!xml)
		return EXIT_FAILED;
	b = virNWFilterBindingCreateXML(
		ctl->conn, xml,
		args_has(args, "validate")
			? VIR_NWFILTER_BINDING_CREATE_VALIDATE
			: 0);
	if (!b)
		return say_failed(
			ctl, "Failed to create network filter from %s", file);
	say(ctl, "Network filter binding on %s created from %s\n",
	    virNWFilterBindingGetPortDev(b), file);
	virNWFilterBindingFree(b);
	return EXIT_OK;
}

static int run_nwfilter_binding_delete(struct ctl *ctl, const struct args *args)
{
	const char *port = args_get(args, "binding");
	virNWFilterBindingPtr b = find_binding(ctl, args);
	int r;

	if (!b)
		return EXIT_FAILED;
	r = virNWFilterBindingDelete(b);
	if (r < 0)
		say_failed(ctl,
			   "Failed to delete network filter binding on "
			   "%s",
			   port);
	else
		say(ctl, "Network filter binding on %s deleted\n", port);
	virNWFilterBindingFree(b);
	return r < 0 ? EXIT_FAILED : EXIT_OK;
}

static int run_nwfilter_binding_dumpxml(struct ctl *ctl,
					const struct args *args)
{
	virNWFilterBindingPtr b = find_binding(ctl, args);
	int status;

	if (!b)
		return EXIT_FAILED;
	status = xml_show(ctl, args, virNWFilterBindingGetXMLDesc(b, 0));
	virNWFilterBindingFree(b);
	return status;
}

static const struct column binding_columns[] = {
	{ "Port Dev", "port", false },
	{ "Filter", "filter", false },
};

static int by_port(const void *a, const void *b)
{
	return strcasecmp(
		virNWFilterBindingGetPortDev(*(virNWFilterBindingPtr *)a),
		virNWFilterBindingGetPortDev(*(virNWFilterBindingPtr *)b));
}

static int run_nwfilter_binding_list(struct ctl *ctl, const struct args *args)
{
	virNWFilterBindingPtr *all = NULL;
	int n = virConnectListAllNWFilterBindings(ctl->conn, &all, 0);
	struct table *t;

	(void)args;
	if (n < 0)
		return say_failed(ctl,
				  "Failed to list network filter bindings");
	qsort(all, (size_t)n, sizeof(*all), by_port);
	t = table_new(binding_columns, ARRAY_SIZE(binding_columns));
	for (int i = 0; i < n; i++) {
		const char *cells[] = { virNWFilterBindingGetPortDev(all[i]),
					virNWFilterBindingGetFilterName(
						all[i]) };

		table_row(t, cells);
		virNWFilterBindingFree(all[i]);
	}
	free(all);
	table_print(t, ctl);
	return EXIT_OK;
}

const struct command family_nwfilter[] = {
	{ .name = "nwfilter-binding-create",
	  .group = "filter",
	  .summary = "bind a filter to a port from an XML file",
	  .opts = OPTS(DATA("file"), FLAG("validate")),
	  .run = run_nwfilter_binding_create },
	{ .name = "nwfilter-binding-delete",
	  .group = "filter",
	  .summary = "remove the filter of a port",
	  .opts = OPTS(DATA("binding")),
	  .run = run_nwfilter_binding_delete },
	{ .name = "nwfilter-binding-dumpxml",
	  .group = "filter",
	  .summary = "the filter of a port in XML",
	  .opts = OPTS(DATA("binding"), NAMED("xpath"), FLAG("wrap")),
	  .run = run_nwfilter_binding_dumpxml },
	{ .name = "nwfilter-binding-list",
	  .group = "filter",
	  .summary = "list the filters of ports",
	  .run = run_nwfilter_binding_list },
	{ .name = "nwfilter-define",
	  .group = "filter",
	  .summary = "define a network filter from an XML file",
	  .opts = OPTS(DATA("file"), FLAG("validate")),
	  .run = run_nwfilter_define },
	{ .name = "nwfilter-dumpxml",
	  .group = "filter",
	  .summary = "a network filter in XML",
	  .opts = OPTS(DATA("nwfilter"), NAMED("xpath"), FLAG("wrap")),
	  .run = run_nwfilter_dumpxml },
	{ .name = "nwfilter-edit",
	  .group = "filter",
	  .summary = "edit the XML of a network filter",
	  .opts = OPTS(DATA("nwfilter")),
	  .run = run_nwfilter_edit },
	{ .name = "nwfilter-list",
	  .group = "filter",
	  .summary = "list network filters",
	  .run = run_nwfilter_list },
	{ .name = "nwfilter-undefine",
	  .group = "filter",
	  .summary = "remove a network filter",
	  .opts = OPTS(DATA("nwfilter")),
	  .run = run_nwfilter_undefine },
	{ NULL },
};
