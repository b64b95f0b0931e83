/*
 * cli/cmd-explain.c -- what an error means and what to do about it.
 */
#include <string.h>

#include "cli/args.h"
#include "cli/errors.h"
#include "cli/output.h"

/* By number, or by name in any case, with or without VIR_ERR_. */
static const struct error_help *find(const char *word)
{
	char *end;
	long code = strtol(word, &end, 10);

	if (end != word && !*end)
		return error_help_of((int)code);
	if (strncasecmp(word, "VIR_ERR_", 8) == 0)
		word += 8;
	for (const struct error_help *e = error_helps; e->name; e++)
		if (strcasecmp(e->name, word) == 0)
			return e;
	return NULL;
}

static const struct column columns[] = {
	{ "Code", "code", true },
	{ "Error", "error", false },
	{ "Meaning", "meaning", false },
};

static int list(struct ctl *ctl)
{
	struct table *t = table_new(columns, ARRAY_SIZE(columns));

	for (const struct error_help *e = error_helps; e->name; e++) {
		char code[16];

		snprintf(code, sizeof(code), "%d", e->code);
		table_row(t, (const char *[]){ code, e->name, e->meaning });
	}
	table_print(t, ctl);
	return EXIT_OK;
}

static int run_explain(struct ctl *ctl, const struct args *args)
{
	const char *word = args_get(args, "error");
	const struct error_help *e = word ? find(word) : NULL;
	struct record *r;

	if (!word)
		return list(ctl);
	if (!e) {
		say_error("no error '%s' is known: explain lists them", word);
		return EXIT_FAILED;
	}
	r = record_new();
	record_add(r, "Error:", "error", false, "%s (%d)", e->name, e->code);
	record_add(r, "Meaning:", "meaning", false, "%s", e->meaning);
	record_add(r, "Remedy:", "remedy", false, "%s", e->remedy);
	record_print(r, ctl);
	return EXIT_OK;
}

const struct command family_explain[] = {
	{ .name = "explain",
	  .group = "vireo",
	  .summary = "what an error means and what to do about it",
	  .opts = OPTS(MAYBE("error", "number or name of the error")),
	  .local = true,
	  .run = run_explain },
	{ NULL },
};
