/*
 * cli/output.c -- messages, tables and records.
 *
 * Text has virsh's shape, so that scripts that read it go on working.
 * Every table and record is JSON or YAML as well.
 */
#include "cli/output.h"
#include "cli/errors.h"
#include "cli/yaml.h"

#include <ctype.h>
#include <stdarg.h>
#include <string.h>
#include <wchar.h>

#define GREEN  "\033[32m"
#define YELLOW "\033[33m"
#define RED    "\033[31m"
#define NORMAL "\033[0m"

static void vsay_error(const char *fmt, va_list ap)
{
	fflush(stdout);
	fputs("error: ", stderr);
	vfprintf(stderr, fmt, ap);
	fputc('\n', stderr);
}

void say_error(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsay_error(fmt, ap);
	va_end(ap);
}

int say_failed(struct ctl *ctl, const char *fmt, ...)
{
	virErrorPtr e = virGetLastError();
	const struct error_help *help = e ? error_help_of(e->code) : NULL;
	va_list ap;

	if (ctl->muted)
		return EXIT_FAILED;
	va_start(ap, fmt);
	if (fmt)
		vsay_error(fmt, ap);
	va_end(ap);
	if (e && e->message)
		say_error("%s", e->message);
	if (help && !ctl->quiet && isatty(STDERR_FILENO))
		fprintf(stderr, "hint: %s\n", help->remedy);
	return EXIT_FAILED;
}

void say(struct ctl *ctl, const char *fmt, ...)
{
	va_list ap;

	if (ctl->quiet || ctl->output != OUTPUT_TABLE)
		return;
	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
}

static struct json_object *json_value(const char *text, bool number)
{
	char *end;

	if (!text)
		return NULL;
	if (!number)
		return json_object_new_string(text);
	if (*text == '-') {
		long long v = strtoll(text, &end, 10);

		return text[1] && !*end ? json_object_new_int64(v) : NULL;
	} else {
		unsigned long long v = strtoull(text, &end, 10);

		return *text && !*end ? json_object_new_uint64(v) : NULL;
	}
}

void print_tree(struct ctl *ctl, struct json_object *o)
{
	if (ctl->output == OUTPUT_YAML)
		yaml_print(o, stdout);
	else
		puts(json_object_to_json_string_ext(
			o, JSON_C_TO_STRING_PRETTY |
				   JSON_C_TO_STRING_NOSLASHESCAPE));
	json_object_put(o);
}

void say_value(struct ctl *ctl, const char *key, const char *value)
{
	struct json_object *o;

	if (ctl->output == OUTPUT_TABLE) {
		printf("%s\n", value);
		return;
	}
	o = json_object_new_object();
	json_object_object_add(o, key, json_object_new_string(value));
	print_tree(ctl, o);
}

struct table {
	const struct column *columns;
	unsigned int n;
	size_t n_rows;
	char ***rows;
};

struct table *table_new(const struct column *columns, unsigned int n)
{
	struct table *t = xcalloc(1, sizeof(*t));

	t->columns = columns;
	t->n = n;
	return t;
}

void table_row(struct table *t, const char *const *cells)
{
	char **row = xcalloc(t->n, sizeof(*row));

	for (unsigned int i = 0; i < t->n; i++)
		row[i] = xstrdup(cells[i]);
	t->rows = xrealloc(t->rows, t->n_rows + 1, sizeof(*t->rows));
	t->rows[t->n_rows++] = row;
}

void table_free(struct table *t)
{
	for (size_t r = 0; r < t->n_rows; r++) {
		for (unsigned int i = 0; i < t->n; i++)
			free(t->rows[r][i]);
		free(t->rows[r]);
	}
	free(t->rows);
	free(t);
}

static const char *cell(const struct table *t, size_t row, unsigned int col)
{
	return t->rows[row][col] ? t->rows[row][col] : "-";
}

/* Columns on a terminal; bytes where the text is not in the locale. */
static size_t width(const char *s)
{
	size_t n = mbstowcs(NULL, s, 0);
	_cleanup_free_ wchar_t *w = NULL;
	int columns;

	if (n == (size_t)-1)
		return strlen(s);
	w = xcalloc(n + 1, sizeof(*w));
	mbstowcs(w, s, n + 1);
	columns = wcswidth(w, n);
	return columns < 0 ? strlen(s) : (size_t)columns;
}

static size_t column_width(const struct table *t, unsigned int col)
{
	size_t w = width(t->columns[col].header);

	for (size_t r = 0; r < t->n_rows; r++)
		w = MAX(w, width(cell(t, r, col)));
	return w;
}

static const char *state_color(const struct ctl *ctl, const struct column *c,
			       const char *text)
{
	if (!ctl->color || !str_eq(c->key, "state"))
		return NULL;
	if (str_eq(text, "running"))
		return GREEN;
	if (str_eq(text, "paused"))
		return YELLOW;
	return str_eq(text, "crashed") ? RED : NULL;
}

static void print_cell(const struct ctl *ctl, const struct table *t,
		       unsigned int col, const char *text, size_t w)
{
	const char *color = state_color(ctl, &t->columns[col], text);

	printf(" %s%s%s", color ? color : "", text, color ? NORMAL : "");
	if (col + 1 < t->n)
		printf("%*s", (int)(w - width(text) + 2), "");
	else
		putchar('\n');
}

static void table_text(struct table *t, struct ctl *ctl)
{
	_cleanup_free_ size_t *w = xcalloc(t->n, sizeof(*w));
	size_t total = 0;

	for (unsigned int i = 0; i < t->n; i++) {
		w[i] = column_width(t, i);
		total += w[i] + 3;
	}
	if (!ctl->quiet) {
		for (unsigned int i = 0; i < t->n; i++)
			print_cell(ctl, t, i, t->columns[i].header, w[i]);
		while (total--)
			putchar('-');
		putchar('\n');
	}
	for (size_t r = 0; r < t->n_rows; r++)
		for (unsigned int i = 0; i < t->n; i++)
			print_cell(ctl, t, i, cell(t, r, i), w[i]);
}

static void table_tree(struct table *t, struct ctl *ctl)
{
	struct json_object *list = json_object_new_array(), *o;

	for (size_t r = 0; r < t->n_rows; r++) {
		o = json_object_new_object();
		for (unsigned int i = 0; i < t->n; i++)
			json_object_object_add(
				o, t->columns[i].key,
				json_value(t->rows[r][i],
					   t->columns[i].number));
		json_object_array_add(list, o);
	}
	print_tree(ctl, list);
}

void table_print(struct table *t, struct ctl *ctl)
{
	if (ctl->output != OUTPUT_TABLE)
		table_tree(t, ctl);
	else
		table_text(t, ctl);
	table_free(t);
}

struct field {
	char *label, *key;
	bool number;
	char *value;
};

struct record {
	size_t n;
	struct field *fields;
};

struct record *record_new(void)
{
	return xcalloc(1, sizeof(struct record));
}

void record_add(struct record *r, const char *label, const char *key,
		bool number, const char *fmt, ...)
{
	struct field *f;
	va_list ap;

	r->fields = xrealloc(r->fields, r->n + 1, sizeof(*r->fields));
	f = &r->fields[r->n++];
	*f = (struct field){ .label = xstrdup(label),
			     .key = xstrdup(key),
			     .number = number };
	va_start(ap, fmt);
	if (vasprintf(&f->value, fmt, ap) < 0)
		abort();
	va_end(ap);
}

static void record_tree(struct record *r, struct ctl *ctl)
{
	struct json_object *o = json_object_new_object();

	for (size_t i = 0; i < r->n; i++)
		json_object_object_add(
			o, r->fields[i].key,
			json_value(r->fields[i].value, r->fields[i].number));
	print_tree(ctl, o);
}

void record_free(struct record *r)
{
	for (size_t i = 0; i < r->n; i++) {
		free(r->fields[i].label);
		free(r->fields[i].key);
		free(r->fields[i].value);
	}
	free(r->fields);
	free(r);
}

void record_print_as(struct record *r, struct ctl *ctl, const char *before,
		     int width, const char *between)
{
	if (ctl->output != OUTPUT_TABLE)
		record_tree(r, ctl);
	for (size_t i = 0; ctl->output == OUTPUT_TABLE && i < r->n; i++)
		printf("%s%-*s%s%s\n", before, width, r->fields[i].label,
		       between, r->fields[i].value);
	record_free(r);
}

void record_print(struct record *r, struct ctl *ctl)
{
	record_print_as(r, ctl, "", 15, " ");
}

void record_print_wide(struct record *r, struct ctl *ctl)
{
	record_print_as(r, ctl, "", 20, " ");
}
