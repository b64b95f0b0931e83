/*
 * storage/img/secret.c -- what is said before any command: secrets, and that
 * images are named by options.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "storage/img/img.h"

enum { SECRETS_MAX = 16, SECRET_MAX = 16 * 1024 };

struct secret {
	const char *id;
	char *data;
	size_t len;
};

/* The command line's, which there is one of. */
static struct secret secrets[SECRETS_MAX];
static unsigned int n_secrets;
static bool by_options;

bool img_by_options(void)
{
	return by_options;
}

const void *img_secret(const char *id, size_t *ret_len)
{
	for (unsigned int i = 0; i < n_secrets; i++) {
		if (!str_eq(secrets[i].id, id))
			continue;
		*ret_len = secrets[i].len;
		return secrets[i].data;
	}
	return NULL;
}

static int read_file(const char *path, struct secret *s)
{
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = 0;

	if (fd < 0)
		return img_fail("cannot open '%s': %m", path);
	s->data = xcalloc(1, SECRET_MAX + 1);
	while (s->len < SECRET_MAX &&
	       (n = read(fd, s->data + s->len, SECRET_MAX - s->len)) > 0)
		s->len += n;
	return n < 0 ? img_fail("cannot read '%s': %m", path) : 0;
}

static int digit(char c)
{
	static const char digits[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	const char *at = c ? strchr(digits, c) : NULL;

	return at ? at - digits : -1;
}

static int decode(struct secret *s)
{
	unsigned int bits = 0, n = 0;
	size_t len = 0, i;

	for (i = 0; i < s->len && s->data[i] != '='; i++) {
		int d = digit(s->data[i]);

		if (strchr("\r\n", s->data[i]))
			continue;
		if (d < 0)
			return img_fail("secret '%s' is not base64", s->id);
		bits = bits << 6 | d;
		n += 6;
		if (n >= 8) {
			n -= 8;
			s->data[len++] = bits >> n;
		}
	}
	s->len = len;
	return 0;
}

static int set(struct secret *s, const char *name, const char *value,
	       bool *base64)
{
	if (str_eq(name, "id")) {
		s->id = value;
	} else if (str_eq(name, "data")) {
		s->data = xstrdup(value);
		s->len = strlen(value);
	} else if (str_eq(name, "file")) {
		return read_file(value, s);
	} else if (str_eq(name, "format")) {
		*base64 = str_eq(value, "base64");
		if (!*base64 && !str_eq(value, "raw"))
			return img_fail("secret format '%s' is not supported",
					value);
	} else {
		return img_fail("secret's '%s' is not supported", name);
	}
	return 0;
}

/* The text stays where it is. */
static int add_secret(char *text)
{
	struct secret s = { 0 };
	char *save = NULL, *o = strtok_r(text, ",", &save);
	bool base64 = false;

	if (!o || !str_eq(o, "secret"))
		return img_fail("--object: only secrets are supported");
	while ((o = strtok_r(NULL, ",", &save))) {
		char *value = strchr(o, '=');

		if (!value)
			return img_fail("--object: '%s' has no value", o);
		*value++ = '\0';
		if (set(&s, o, value, &base64))
			return 1;
	}
	if (!s.id || !s.data)
		return img_fail("a secret has an id, and data or a file");
	if (n_secrets == SECRETS_MAX)
		return img_fail("too many secrets");
	if (base64 && decode(&s))
		return 1;
	secrets[n_secrets++] = s;
	return 0;
}

int img_take_objects(int *argc, char **argv)
{
	int to = 1;

	for (int i = 1; i < *argc; i++) {
		char *text = NULL;

		if (str_startswith(argv[i], "--object="))
			text = argv[i] + strlen("--object=");
		else if (str_eq(argv[i], "--object") && i + 1 < *argc)
			text = argv[++i];
		else if (str_eq(argv[i], "--image-opts"))
			by_options = true;
		else
			argv[to++] = argv[i];
		if (text && add_secret(text))
			return 1;
	}
	*argc = to;
	argv[to] = NULL;
	return 0;
}
