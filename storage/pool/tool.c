/*
 * storage/pool/tool.c -- the command lines of tools.h, arguments put in.
 *
 * The process with rights runs what this makes: what is not plainly a name, a
 * number or a path of the kind that a place wants is refused.
 */
#include <errno.h>
#include <stdarg.h>
#include <string.h>

#include "base/buf.h"
#include "storage/pool/host.h"

enum { ARGS_MAX = 8, WORDS_MAX = 32 };

static const char *const templates[] = {
#define TOOL(name, words) [TOOL_##name] = words,
#include "storage/pool/tools.h"
#undef TOOL
};

#define ALNUM "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"

static bool only(const char *s, const char *chars)
{
	return *s && *s != '-' && !s[strspn(s, chars)];
}

/* To LVM, "@x" is whatever has the tag x. */
static bool is_name(const char *s, const char *chars)
{
	return only(s, chars) && strchr(ALNUM "_", *s);
}

static bool is_number(const char *s)
{
	uint64_t n;

	return only(s, "0123456789") && parse_u64(s, 10, INT64_MAX, &n) == 0;
}

/* No "." or ".." between slashes, and nothing that is not printed. */
static bool is_path(const char *s)
{
	for (const char *p = s; *p; p++)
		if ((unsigned char)*p < ' ' || *p == 0x7f ||
		    !strncmp(p, "/../", 4) || str_eq(p, "/.."))
			return false;
	return *s == '/';
}

static bool is_in(const char *path, const char *folder)
{
	size_t len = strlen(folder);

	return !strncmp(path, folder, len) &&
	       (!path[len] || path[len] == '/');
}

/* What is mounted hides what was there: programs and their settings must not
 * be replaced in that way. */
static bool is_mount_point(const char *s)
{
	static const char *const never[] = {
		"/bin", "/boot", "/dev", "/etc", "/lib", "/lib32", "/lib64",
		"/libx32", "/proc", "/root", "/run", "/sbin", "/sys", "/usr",
	};

	if (!is_path(s) || !s[1] || strstr(s, "//") || strstr(s, "/./"))
		return false;
	for (size_t i = 0; i < ARRAY_SIZE(never); i++)
		if (is_in(s, never[i]))
			return false;
	return true;
}

/* mount(8) and mkfs(8) run a program of that name. */
static bool is_fs_type(const char *s)
{
	static const char *const known[] = {
		"ext2", "ext3", "ext4", "ufs", "iso9660", "udf", "gfs",
		"gfs2", "vfat", "hfs+", "xfs", "ocfs2", "vmfs", "btrfs",
	};

	for (size_t i = 0; i < ARRAY_SIZE(known); i++)
		if (str_eq(s, known[i]))
			return true;
	return false;
}

static bool fits(char kind, const char *s)
{
	switch (kind) {
	case 'n':
		return is_name(s, ALNUM "_.+:@-");
	case 'z':
		return is_name(s, ALNUM "_.+:@-/") && !strstr(s, "..");
	case 'm':
		return is_mount_point(s);
	case 'f':
		return is_fs_type(s);
	case 'u':
		return is_number(s);
	case 'p':
		return is_path(s);
	case 'd':
		return is_path(s) && str_startswith(s, "/dev/");
	case 'h':
		return only(s, ALNUM "_.:[]%-");
	default:
		return false;
	}
}

/* One word; *args advances over what it takes. */
static char *expand(const char *word, size_t len, const char *const **args)
{
	struct buf out = { 0 };

	for (size_t i = 0; i < len; i++) {
		if (word[i] != '%') {
			buf_add(&out, word + i, 1);
			continue;
		}
		if (!**args || !fits(word[++i], **args)) {
			buf_free(&out);
			return NULL;
		}
		buf_puts(&out, *(*args)++);
	}
	return buf_steal(&out);
}

char **tool_argv(enum pool_tool tool, const char *const *args,
		 struct error *err)
{
	char **argv = xcalloc(WORDS_MAX + 1, sizeof(*argv));
	const char *p = templates[tool];

	for (unsigned int n = 0; *p; n++) {
		size_t len = strcspn(p, " ");

		assert(n < WORDS_MAX);
		argv[n] = expand(p, len, &args);
		if (!argv[n]) {
			error_set(err, -EINVAL,
				  "'%s' cannot be an argument of %s",
				  *args ? *args : "", argv[0]);
			tool_argv_free(argv);
			return NULL;
		}
		p += len;
		p += strspn(p, " ");
	}
	return argv;
}

char *tool_program(enum pool_tool tool)
{
	return xstrndup(templates[tool], strcspn(templates[tool], " "));
}

void tool_argv_free(char **argv)
{
	for (unsigned int n = 0; argv && argv[n]; n++)
		free(argv[n]);
	free(argv);
}

int pool_run(const struct pool_host *host, char **ret_output,
	     struct error *err, enum pool_tool tool, ...)
{
	const char *args[ARGS_MAX + 1] = { NULL };
	char *output = NULL;
	unsigned int n = 0;
	va_list ap;
	int r;

	va_start(ap, tool);
	while (n < ARGS_MAX && (args[n] = va_arg(ap, const char *)))
		n++;
	va_end(ap);
	r = host->run(tool, args, &output, err);
	if (r == 0 && ret_output)
		*ret_output = steal_ptr(&output);
	free(output);
	return r;
}
