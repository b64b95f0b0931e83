/*
 * daemon/access_config.c -- the options about access, checked.
 */
#include "daemon/access_config.h"

#include <errno.h>
#include <grp.h>

#include "base/error.h"
#include "base/util.h"
#include "daemon/access.h"
#include "daemon/access_driver.h"
#include "daemon/options.h"

static int read_group(const char *name, gid_t *ret, struct error *err)
{
	struct group *g = getgrnam(name ? name : "libvirt");

	if (!g && name)
		return error_set(err, -ENOENT, "there is no group '%s'", name);
	if (!g)
		g = getgrnam("vireo");
	*ret = g ? g->gr_gid : 0;
	return 0;
}

static int read_mode(const char *option, const char *text, mode_t *ret,
		     struct error *err)
{
	uint64_t mode;

	if (!text)
		return 0;
	if (parse_u64(text, 8, 0777, &mode) < 0)
		return error_set(err, -EINVAL, "--%s=%s is no mode, as 0770 is",
				 option, text);
	*ret = mode;
	return 0;
}

/*
 * polkit knows no one from elsewhere.  SASL by TCP would need a protected layer
 * of its own: by TLS it has one.
 */
static int read_remote_auth(const struct options *opt, struct access_config *c,
			    struct error *err)
{
	enum auth_method tls;
	int r = auth_method_parse(opt->auth_tls, &tls, err);

	if (r < 0)
		return r;
	if (tls == AUTH_POLKIT)
		return error_set(err, -EINVAL,
				 "--auth-tls=polkit: polkit knows local processes only");
	if (opt->listen_tcp && !str_eq(opt->auth_tcp, "none"))
		return error_set(err, -EINVAL,
				 "--listen-tcp needs --auth-tcp=none: nothing protects what goes by TCP; --listen-tls has passwords, too");
	c->server.auth[SERVER_TLS] = tls;
	c->server.tls_names = opt->tls_names;
	c->server.sasl_users = opt->sasl_users;
	return 0;
}

static int read_number(const char *option, const char *text,
		       unsigned int *ret, struct error *err)
{
	uint64_t n;

	if (!text)
		return 0;
	if (parse_u64(text, 10, 4096, &n) < 0 || !n)
		return error_set(err, -EINVAL, "--%s=%s is not 1 to 4096",
				 option, text);
	*ret = n;
	return 0;
}

static int read_auth(const struct options *opt, struct access_config *c,
		     struct error *err)
{
	enum auth_method rw, ro;
	int r = auth_method_parse(opt->auth_unix_rw, &rw, err);

	if (r >= 0)
		r = auth_method_parse(opt->auth_unix_ro, &ro, err);
	if (r < 0)
		return r;
	r = read_remote_auth(opt, c, err);
	if (r < 0)
		return r;
	c->server.auth[SERVER_RW] = rw;
	c->server.auth[SERVER_RO] = ro;
	c->sasl = rw == AUTH_SASL || ro == AUTH_SASL ||
		  c->server.auth[SERVER_TLS] == AUTH_SASL;
	c->polkit = c->server.driver == &access_polkit || rw == AUTH_POLKIT ||
		    ro == AUTH_POLKIT;
	if (c->polkit && opt->session)
		return error_set(err, -EINVAL,
				 "a session's daemon serves one user: it does not ask polkit");
	return 0;
}

int access_config_read(const struct options *opt, struct access_config *ret,
		       struct error *err)
{
	struct access_config c = {
		.modes = { [SERVER_RO] = 0777, [SERVER_ADMIN] = 0700 },
	};
	int r = access_driver_find(opt->access, &c.server.driver, err);

	if (r >= 0)
		r = read_auth(opt, &c, err);
	if (r >= 0)
		r = read_group(opt->unix_group, &c.group, err);
	/* Whoever has to say who he is may say so. */
	c.modes[SERVER_RW] = c.server.auth[SERVER_RW] ? 0777 :
			     c.group		      ? 0770 :
							0700;
	if (r >= 0)
		r = read_mode("unix-sock-rw-perms", opt->unix_rw_perms,
			      &c.modes[SERVER_RW], err);
	if (r >= 0)
		r = read_mode("unix-sock-ro-perms", opt->unix_ro_perms,
			      &c.modes[SERVER_RO], err);
	if (r >= 0)
		r = read_number("max-clients", opt->max_clients,
				&c.server.max_clients, err);
	if (r >= 0)
		r = read_number("max-anonymous-clients", opt->max_anonymous,
				&c.server.max_anonymous, err);
	*ret = c;
	return r;
}
