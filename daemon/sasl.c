/*
 * daemon/sasl.c -- clients say who they are by SASL (daemon/sasl.h).
 */
#include "daemon/sasl.h"

#include <errno.h>
#include <pthread.h>
#include <sasl/sasl.h>
#include <string.h>

#include <libvirt/virterror.h>

#define LOG_MODULE "sasl"
#include "base/error.h"
#include "base/log.h"
#include "base/util.h"

struct sasl_settings {
	const char *database, *mechanisms;
};

/* ---- what the library asks ---- */

static int on_getopt(void *arg, const char *plugin, const char *option,
		     const char **result, unsigned int *len)
{
	const struct sasl_settings *s = arg;
	const struct {
		const char *option, *value;
	} known[] = {
		{ "mech_list", s->mechanisms },
		{ "sasldb_path", s->database },
		{ "auxprop_plugin", "sasldb" },
		{ "pwcheck_method", "auxprop" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(known); i++)
		if (str_eq(option, known[i].option)) {
			*result = known[i].value;
			if (len)
				*len = strlen(known[i].value);
			return SASL_OK;
		}
	return SASL_FAIL;
}

static int on_log(void *arg, int level, const char *text)
{
	if (level <= SASL_LOG_WARN)
		log_warn("%s", text);
	return SASL_OK;
}

static int failed(struct error *err, int code, sasl_conn_t *conn)
{
	log_warn("%s", conn ? sasl_errdetail(conn) :
			      sasl_errstring(code, NULL, NULL));
	/* Whoever tries passwords is not told what was wrong. */
	return error_virt(err, VIR_ERR_AUTH_FAILED, "%s",
			  "authentication failed");
}

int sasl_prepare(const char *database, const char *mechanisms,
		 struct error *err)
{
	/* The library keeps both as long as the process lives. */
	static struct sasl_settings settings;
	static const sasl_callback_t callbacks[] = {
		{ SASL_CB_GETOPT, (int (*)(void))(void *)on_getopt, &settings },
		{ SASL_CB_LOG, (int (*)(void))(void *)on_log, NULL },
		{ SASL_CB_LIST_END, NULL, NULL },
	};
	int r;

	settings = (struct sasl_settings){ database, mechanisms };
	r = sasl_server_init(callbacks, "vireo");
	if (r != SASL_OK)
		return error_set(err, -EIO, "cannot set up SASL: %s",
				 sasl_errstring(r, NULL, NULL));
	return 0;
}

/* ---- one login ---- */

struct sasl_login {
	pthread_mutex_t lock;
	sasl_conn_t *conn;
	bool begun, done;
};

struct sasl_login *sasl_login_create(void)
{
	struct sasl_login *login = xcalloc(1, sizeof(*login));

	pthread_mutex_init(&login->lock, NULL);
	return login;
}

void sasl_login_free(struct sasl_login *login)
{
	if (!login)
		return;
	sasl_dispose(&login->conn);
	pthread_mutex_destroy(&login->lock);
	free(login);
}

static int begin(struct sasl_login *login, bool encrypted, char **ret_mechs,
		 struct error *err)
{
	const sasl_security_properties_t props = {
		.max_ssf = 0, /* TLS or the kernel protects what follows */
		.maxbufsize = 65536,
		.security_flags = SASL_SEC_NOANONYMOUS |
				  (encrypted ? 0 : SASL_SEC_NOPLAINTEXT),
	};
	const char *mechs = NULL;
	int r;

	if (login->conn)
		return error_virt(err, VIR_ERR_AUTH_FAILED, "%s",
				  "authentication has begun already");
	r = sasl_server_new("libvirt", SASL_REALM, SASL_REALM, NULL, NULL, NULL,
			    0, &login->conn);
	if (r == SASL_OK)
		r = sasl_setprop(login->conn, SASL_SEC_PROPS, &props);
	if (r == SASL_OK)
		r = sasl_listmech(login->conn, NULL, "", ",", "", &mechs, NULL,
				  NULL);
	if (r != SASL_OK)
		return failed(err, r, login->conn);
	*ret_mechs = xstrdup(mechs);
	return 0;
}

int sasl_login_begin(struct sasl_login *login, bool encrypted, char **ret_mechs,
		     struct error *err)
{
	int r;

	pthread_mutex_lock(&login->lock);
	r = begin(login, encrypted, ret_mechs, err);
	pthread_mutex_unlock(&login->lock);
	return r;
}

static int step(struct sasl_login *login, const char *mech, const char *data,
		size_t len, const char **ret_data, size_t *ret_len,
		struct error *err)
{
	unsigned int n = 0;
	int r;

	if (!login->conn || login->done || login->begun == !!mech)
		return error_virt(err, VIR_ERR_AUTH_FAILED, "%s",
				  "this is not the step that was to come");
	login->begun = true;
	*ret_data = NULL;
	r = mech ? sasl_server_start(login->conn, mech, data, len, ret_data,
				     &n) :
		   sasl_server_step(login->conn, data, len, ret_data, &n);
	*ret_len = n;
	login->done = r == SASL_OK;
	if (r != SASL_OK && r != SASL_CONTINUE)
		return failed(err, r, login->conn);
	return r == SASL_OK;
}

int sasl_login_step(struct sasl_login *login, const char *mech,
		    const char *data, size_t len, const char **ret_data,
		    size_t *ret_len, struct error *err)
{
	int r;

	pthread_mutex_lock(&login->lock);
	r = step(login, mech, data, len, ret_data, ret_len, err);
	/* One try: the next one needs a connection of its own. */
	if (r < 0)
		login->done = true;
	pthread_mutex_unlock(&login->lock);
	return r;
}

char *sasl_login_user(struct sasl_login *login)
{
	const void *user = NULL;
	char *copy, *at;

	if (sasl_getprop(login->conn, SASL_USERNAME, &user) != SASL_OK || !user)
		return NULL;
	copy = xstrdup(user);
	at = strrchr(copy, '@');
	if (at && str_eq(at + 1, SASL_REALM))
		*at = '\0';
	return copy;
}
