/*
 * cli/yaml.c -- JSON trees written as YAML 1.2 in block style.
 *
 * Texts of more than letters, digits and the like are quoted as in JSON, which
 * YAML's double quotes include; so are those that would read as something
 * else than a text.
 */
#include "cli/yaml.h"

#include <string.h>

#include "base/util.h"

static bool is_plain(const char *s)
{
	static const char first[] = "abcdefghijklmnopqrstuvwxyz"
				    "ABCDEFGHIJKLMNOPQRSTUVWXYZ/_";
	static const char rest[] = "abcdefghijklmnopqrstuvwxyz"
				   "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
				   "0123456789/_.+-";
	static const char *const words[] = { "true", "false", "null",
					     "yes",  "no",    "on",
					     "off",  "y",     "n" };

	for (size_t i = 0; i < ARRAY_SIZE(words); i++)
		if (strcasecmp(words[i], s) == 0)
			return false;
	return *s && strchr(first, *s) && s[strspn(s, rest)] == '\0';
}

static void print_scalar(struct json_object *o, FILE *to)
{
	if (json_object_is_type(o, json_type_string) &&
	    is_plain(json_object_get_string(o)))
		fputs(json_object_get_string(o), to);
	else
		fputs(json_object_to_json_string_ext(
			      o, JSON_C_TO_STRING_PLAIN |
					 JSON_C_TO_STRING_NOSLASHESCAPE),
		      to);
	fputc('\n', to);
}

static bool is_nested(struct json_object *o)
{
	return (json_object_is_type(o, json_type_object) &&
		json_object_object_length(o)) ||
	       (json_object_is_type(o, json_type_array) &&
		json_object_array_length(o));
}

/* The cursor stands behind "- " for a list's first line: lead is then 0. */
static void print_node(struct json_object *o, int indent, int lead, FILE *to)
{
	if (!is_nested(o)) {
		print_scalar(o, to);
	} else if (json_object_is_type(o, json_type_array)) {
		for (size_t i = 0; i < json_object_array_length(o); i++) {
			fprintf(to, "%*s- ", i ? indent : lead, "");
			print_node(json_object_array_get_idx(o, i), indent + 2,
				   0, to);
		}
	} else {
		json_object_object_foreach(o, key, value)
		{
			fprintf(to,
				is_plain(key) ? "%*s%s:" : "%*s\"%s\":", lead,
				"", key);
			fputc(is_nested(value) ? '\n' : ' ', to);
			print_node(value, indent + 2, indent + 2, to);
			lead = indent;
		}
	}
}

void yaml_print(struct json_object *o, FILE *to)
{
	print_node(o, 0, 0, to);
}
