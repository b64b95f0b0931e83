/*
 * tests/xml/run.c -- every NAME.xml in a folder, read and written.
 *
 * NAME.out beside it is what must be written; NAME.err is the code and the
 * sentence it must be refused with; neither: it only has to be accepted.
 * Names that begin with "live-" are read and written as of a running domain,
 * those that begin with "lax-" without the schema.  What is written must
 * follow the schema and read back to the same text.
 *
 * usage: run SCHEMAS FOLDER...
 */
#undef NDEBUG
#include <dirent.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/error.h"
#include "model/domain.h"
#include "model/schemas.h"

static char *slurp(const char *path)
{
	_cleanup_fclose_ FILE *f = fopen(path, "r");
	struct buf text = { 0 };
	char part[4096];
	size_t n;

	if (!f)
		return NULL;
	while ((n = fread(part, 1, sizeof(part), f)))
		buf_add(&text, part, n);
	return buf_steal(&text);
}

/* Where things are installed differs from build to build. */
static char *portable(const char *text)
{
	struct buf out = { 0 };
	const char *hit;

	while ((hit = strstr(text, SBINDIR "/"))) {
		buf_add(&out, text, hit - text);
		buf_puts(&out, "@SBINDIR@/");
		text = hit + strlen(SBINDIR "/");
	}
	buf_puts(&out, text);
	return buf_steal(&out);
}

static bool same(const char *name, const char *want, const char *got)
{
	if (!strcmp(want, got))
		return true;
	printf("FAIL %s\n--- expected\n%s--- got\n%s", name, want, got);
	return false;
}

static char *written(const struct domain_def *def, bool live)
{
	return domain_def_format(def, live ? DOMAIN_FORMAT_LIVE : 0);
}

/* What was written must follow the schema and read back as the same. */
static bool second_pass(const char *name, const char *text, bool live)
{
	unsigned int flags = live ? DOMAIN_PARSE_LIVE : DOMAIN_PARSE_RULES;
	struct domain_def *def, *copy;
	_cleanup_free_ char *again = NULL;
	struct error err = { 0 };

	if (!str_startswith(name, "lax-"))
		flags |= DOMAIN_PARSE_VALIDATE;
	if (domain_def_parse(text, flags, &def, &err) < 0) {
		printf("FAIL %s: own output: %s\n%s", name, err.message, text);
		return false;
	}
	copy = domain_def_copy(def);
	domain_def_free(def);
	again = written(copy, live);
	domain_def_free(copy);
	return same(name, text, again);
}

static bool check_out(const char *name, const char *want,
		      const struct domain_def *def, bool live)
{
	_cleanup_free_ char *text = written(def, live);
	_cleanup_free_ char *got = portable(text);
	_cleanup_free_ char *kept = domain_def_uninterpreted(def);
	_cleanup_free_ char *all =
		kept ? xasprintf("%sKept:\n%s", got, kept) : xstrdup(got);

	return (!want || same(name, want, all)) &&
	       second_pass(name, text, live);
}

static char *expected(const char *dir, const char *name, const char *suffix)
{
	_cleanup_free_ char *path = xasprintf(
		"%s/%.*s%s", dir, (int)strlen(name) - 4, name, suffix);

	return slurp(path);
}

static bool run_case(const char *dir, const char *name)
{
	_cleanup_free_ char *path = xasprintf("%s/%s", dir, name);
	_cleanup_free_ char *xml = slurp(path);
	_cleanup_free_ char *out = expected(dir, name, ".out");
	_cleanup_free_ char *bad = expected(dir, name, ".err");
	_cleanup_free_ char *line = NULL;
	bool live = str_startswith(name, "live-"), ok;
	unsigned int flags = live ? DOMAIN_PARSE_LIVE : DOMAIN_PARSE_RULES;
	struct domain_def *def = NULL;
	struct error err = { 0 };

	if (!str_startswith(name, "lax-"))
		flags |= DOMAIN_PARSE_VALIDATE;
	if (domain_def_parse(xml, flags, &def, &err) < 0) {
		line = xasprintf("%d %s\n", err.code, err.message);
		return same(name, bad ? bad : "(accepted)\n", line);
	}
	ok = bad ? same(name, bad, "(accepted)\n") :
		   check_out(name, out, def, live);
	domain_def_free(def);
	return ok;
}

static bool is_xml(const char *name)
{
	size_t len = strlen(name);

	return len > 4 && !strcmp(name + len - 4, ".xml");
}

static int run_folder(const char *dir, int *n)
{
	DIR *d = opendir(dir);
	struct dirent *e;
	int failed = 0;

	assert(d);
	while ((e = readdir(d))) {
		if (!is_xml(e->d_name))
			continue;
		(*n)++;
		failed += !run_case(dir, e->d_name);
	}
	closedir(d);
	return failed;
}

int main(int argc, char **argv)
{
	struct error err = { 0 };
	int failed = 0, n = 0;

	assert(argc > 2);
	if (model_schemas_load(argv[1], &err) < 0) {
		printf("FAIL %s\n", err.message);
		return 1;
	}
	for (int i = 2; i < argc; i++)
		failed += run_folder(argv[i], &n);
	model_schemas_unload();
	printf("%d of %d documents failed\n", failed, n);
	return failed || n == 0;
}
