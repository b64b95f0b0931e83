/*
 * cli/cmd-secret.c -- secrets and their values.
 */
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include "base/base64.h"
#include "cli/output.h"
#include "cli/storage.h"
#include "cli/xml.h"

/* ---- secret-list ---- */

static const struct flag_option filters[] = {
	{ "ephemeral", VIR_CONNECT_LIST_SECRETS_EPHEMERAL },
	{ "no-ephemeral", VIR_CONNECT_LIST_SECRETS_NO_EPHEMERAL },
	{ "private", VIR_CONNECT_LIST_SECRETS_PRIVATE },
	{ "no-private", VIR_CONNECT_LIST_SECRETS_NO_PRIVATE },
	{ NULL },
};

static const struct column columns[] = {
	{ "UUID", "uuid", false },
	{ "Usage", "usage", false },
};

static const char *usage_name(int usage)
{
	static const char *const names[] = { "none",  "volume", "ceph",
					     "iscsi", "tls",	"vtpm" };

	return usage >= 0 && (size_t)usage < ARRAY_SIZE(names) ?
		       names[usage] : "unknown";
}

static int by_uuid(const void *pa, const void *pb)
{
	char a[VIR_UUID_STRING_BUFLEN] = "", b[VIR_UUID_STRING_BUFLEN] = "";

	virSecretGetUUIDString(*(virSecretPtr *)pa, a);
	virSecretGetUUIDString(*(virSecretPtr *)pb, b);
	return strcmp(a, b);
}

static void add_row(struct table *t, virSecretPtr secret)
{
	int usage = virSecretGetUsageType(secret);
	const char *id = virSecretGetUsageID(secret);
	_cleanup_free_ char *text =
		usage ? xasprintf("%s %s", usage_name(usage), id ? id : "") :
			xstrdup("Unused");
	char uuid[VIR_UUID_STRING_BUFLEN] = "";

	virSecretGetUUIDString(secret, uuid);
	table_row(t, (const char *const[]){ uuid, text });
}

static int run_secret_list(struct ctl *ctl, const struct args *args)
{
	virSecretPtr *secrets = NULL;
	int n = virConnectListAllSecrets(ctl->conn, &secrets,
					 args_flags(args, filters));
	struct table *t;

	if (n < 0)
		return say_failed(ctl, "Failed to list secrets");
	qsort(secrets, n, sizeof(*secrets), by_uuid);
	t = table_new(columns, ARRAY_SIZE(columns));
	for (int i = 0; i < n; i++) {
		add_row(t, secrets[i]);
		virSecretFree(secrets[i]);
	}
	free(secrets);
	table_print(t, ctl);
	return EXIT_OK;
}

/* ---- definitions ---- */

static int run_secret_define(struct ctl *ctl, const struct args *args)
{
	static const struct flag_option flags[] = {
		{ "validate", VIR_SECRET_DEFINE_VALIDATE },
		{ NULL },
	};
	const char *file = args_get(args, "file");
	_cleanup_free_ char *xml = read_xml_file(file);
	char uuid[VIR_UUID_STRING_BUFLEN] = "";
	virSecretPtr secret;

	if (!xml)
		return EXIT_FAILED;
	secret = virSecretDefineXML(ctl->conn, xml, args_flags(args, flags));
	if (!secret)
		return say_failed(ctl, "Failed to set attributes from %s",
				  file);
	virSecretGetUUIDString(secret, uuid);
	say(ctl, "Secret %s created\n", uuid);
	virSecretFree(secret);
	return EXIT_OK;
}

static int run_secret_dumpxml(struct ctl *ctl, const struct args *args)
{
	const char *uuid = args_get(args, "secret");
	virSecretPtr secret = ctl_secret(ctl, uuid);
	char *xml;

	if (!secret)
		return EXIT_FAILED;
	xml = virSecretGetXMLDesc(secret, 0);
	if (!xml)
		say_failed(ctl, NULL);
	virSecretFree(secret);
	return xml ? xml_show(ctl, args, xml) : EXIT_FAILED;
}

static int run_secret_undefine(struct ctl *ctl, const struct args *args)
{
	const char *uuid = args_get(args, "secret");
	virSecretPtr secret = ctl_secret(ctl, uuid);
	int status = EXIT_OK;

	if (!secret)
		return EXIT_FAILED;
	if (virSecretUndefine(secret) < 0)
		status = say_failed(ctl, "Failed to delete secret %s", uuid);
	else
		say(ctl, "Secret %s deleted\n", uuid);
	virSecretFree(secret);
	return status;
}

/* ---- values ---- */

static int run_secret_get_value(struct ctl *ctl, const struct args *args)
{
	virSecretPtr secret = ctl_secret(ctl, args_get(args, "secret"));
	unsigned char *value;
	size_t len;

	if (!secret)
		return EXIT_FAILED;
	value = virSecretGetValue(secret, &len, 0);
	if (!value)
		say_failed(ctl, NULL);
	virSecretFree(secret);
	if (!value)
		return EXIT_FAILED;
	if (args_has(args, "plain")) {
		fwrite(value, 1, len, stdout);
	} else {
		char *text = base64_encode(value, len);

		if (ctl->output == OUTPUT_TABLE)
			fputs(text, stdout);
		else
			say_value(ctl, "value", text);
		explicit_bzero(text, strlen(text));
		free(text);
	}
	explicit_bzero(value, len);
	free(value);
	return EXIT_OK;
}

/* One line, without showing it where it is typed. */
static char *ask(void)
{
	struct termios shown, hidden;
	bool tty = tcgetattr(STDIN_FILENO, &shown) == 0;
	char *line = NULL;
	size_t size = 0;
	ssize_t n;

	fputs("Enter new value for secret:", stderr);
	if (tty) {
		hidden = shown;
		hidden.c_lflag &= ~(tcflag_t)ECHO;
		tcsetattr(STDIN_FILENO, TCSAFLUSH, &hidden);
	}
	n = getline(&line, &size, stdin);
	if (tty)
		tcsetattr(STDIN_FILENO, TCSAFLUSH, &shown);
	fputc('\n', stderr);
	if (n < 0) {
		free(line);
		return NULL;
	}
	line[strcspn(line, "\n")] = '\0';
	return line;
}

/* The value in some form; NULL: said why. */
static char *text_of(const struct args *args)
{
	const char *given = args_get(args, "base64");

	if (given) {
		say_error("Passing secret value as command-line argument is "
			  "insecure!");
		return xstrdup(given);
	}
	if (args_has(args, "file"))
		return args_file(args, "file");
	if (args_has(args, "interactive"))
		return ask();
	say_error("Input secret value is missing");
	return NULL;
}

/* NULL: said why. */
static void *value_of(const struct args *args, size_t *ret_len)
{
	char *text = text_of(args);
	void *value;

	if (!text)
		return NULL;
	if (args_has(args, "plain") || args_has(args, "interactive")) {
		*ret_len = strlen(text);
		return text;
	}
	value = base64_decode(text, ret_len);
	if (!value)
		say_error("the value is not base64");
	explicit_bzero(text, strlen(text));
	free(text);
	return value;
}

static int check_set(const struct args *args)
{
	static const char *const pairs[][2] = {
		{ "file", "base64" },
		{ "plain", "base64" },
		{ "interactive", "base64" },
		{ "interactive", "plain" },
		{ "interactive", "file" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(pairs); i++)
		if (args_exclusive(args, pairs[i][0], pairs[i][1]) < 0)
			return -1;
	return 0;
}

static int run_secret_set_value(struct ctl *ctl, const struct args *args)
{
	virSecretPtr secret;
	int status = EXIT_OK;
	size_t len;
	void *value;

	if (check_set(args) < 0)
		return EXIT_FAILED;
	secret = ctl_secret(ctl, args_get(args, "secret"));
	value = secret ? value_of(args, &len) : NULL;
	if (!value) {
		status = EXIT_FAILED;
	} else {
		if (virSecretSetValue(secret, value, len, 0) < 0)
			status = say_failed(ctl, "Failed to set secret value");
		else
			say(ctl, "Secret value set\n");
		explicit_bzero(value, len);
		free(value);
	}
	if (secret)
		virSecretFree(secret);
	return status;
}

/* ---- the commands ---- */

const struct command family_secret[] = {
	{
		.name = "secret-list",
		.group = "secret",
		.summary = "list secrets",
		.opts = OPTS(FLAG("ephemeral", "list ephemeral secrets"),
			     FLAG("no-ephemeral", "list those that are kept"),
			     FLAG("private", "list private secrets"),
			     FLAG("no-private", "list those that are not")),
		.run = run_secret_list,
	},
	{
		.name = "secret-define",
		.group = "secret",
		.summary = "define or modify a secret from an XML file",
		.opts = OPTS(DATA("file"), FLAG("validate")),
		.run = run_secret_define,
	},
	{
		.name = "secret-dumpxml",
		.group = "secret",
		.summary = "secret attributes in XML",
		.opts = OPTS(DATA("secret", "uuid"), STRING("xpath"),
			     FLAG("wrap")),
		.run = run_secret_dumpxml,
	},
	{
		.name = "secret-undefine",
		.group = "secret",
		.summary = "undefine a secret",
		.opts = OPTS(DATA("secret", "uuid")),
		.run = run_secret_undefine,
	},
	{
		.name = "secret-get-value",
		.group = "secret",
		.summary = "output a secret value",
		.details = "In base64, or as it is. A private secret's value "
			   "is not given.",
		.opts = OPTS(DATA("secret", "uuid"),
			     FLAG("plain", "as it is, not in base64")),
		.run = run_secret_get_value,
	},
	{
		.name = "secret-set-value",
		.group = "secret",
		.summary = "set a secret value",
		.details = "From a file, or typed: a value among the words can "
			   "be seen by others.",
		.opts = OPTS(DATA("secret", "uuid"),
			     STRING("file", "file that has it, in base64"),
			     FLAG("plain", "the file has it as it is"),
			     FLAG("interactive", "ask for it"),
			     STRING("base64", "the value, in base64")),
		.run = run_secret_set_value,
	},
	{ NULL },
};
