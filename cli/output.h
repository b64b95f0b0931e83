/*
 * cli/output.h -- what commands print: messages, tables, records; as text for
 * people, as JSON or as YAML.
 */
#ifndef CLI_OUTPUT_H
#define CLI_OUTPUT_H

#include <json-c/json.h>

#include "cli/command.h"

/* "error: ..." on stderr. */
void say_error(const char *fmt, ...) PRINTF(1, 2);
/*
 * The same, followed by a line with libvirt's last error, and a hint.  A NULL
 * text leaves the first line out.  Returns EXIT_FAILED.
 */
int say_failed(struct ctl *ctl, const char *fmt, ...) PRINTF(2, 3);
/* A remark that --quiet and JSON output leave out. */
void say(struct ctl *ctl, const char *fmt, ...) PRINTF(2, 3);

/* One value on a line of its own; JSON: {"key": value}. */
void say_value(struct ctl *ctl, const char *key, const char *value);

struct column {
	const char *header; /* as people read it */
	const char *key;    /* in JSON */
	bool number;	    /* JSON number, null when not one */
};

struct table;
struct table *table_new(const struct column *columns, unsigned int n);
/* n cells, copied; NULL is "-" in text and null in JSON. */
void table_row(struct table *t, const char *const *cells);
void table_print(struct table *t, struct ctl *ctl); /* frees it */

void table_free(struct table *t); /* ... without printing it */

/* A record: "Label:   value" lines, or one JSON object.  Wide ones, with
 * longer labels, leave 20 columns for them instead of 15. */
struct record;
struct record *record_new(void);
void record_add(struct record *r, const char *label, const char *key,
		bool number, const char *fmt, ...) PRINTF(5, 6);
void record_print(struct record *r, struct ctl *ctl); /* frees it */
/* Lines of before, the label in width columns, between, the value. */
void record_print_as(struct record *r, struct ctl *ctl, const char *before,
		     int width, const char *between);
void record_print_wide(struct record *r, struct ctl *ctl);
void record_free(struct record *r);

/* Any tree in the form that was asked for, which is not a table; frees it. */
void print_tree(struct ctl *ctl, struct json_object *o);

#endif
