/*
 * vmm/vnc/security.c -- who a VNC client is: versions, passwords (RFB 7.1 and
 * 7.2) and TLS ("VeNCrypt", from the registry).
 */
#include <string.h>
#include <sys/random.h>

#include "vmm/vnc/client_priv.h"
#include "vmm/vnc/crypto.h"

/* #syscalls:vmm getrandom */

/* RFB 7.1.2; the last one is from the registry. */
enum { SEC_INVALID = 0, SEC_NONE = 1, SEC_VNC = 2, SEC_VENCRYPT = 19 };
/* VeNCrypt's, for servers without and with certificates. */
enum { SUB_TLS_NONE = 257, SUB_TLS_VNC, SUB_X509_NONE = 260, SUB_X509_VNC };

static void client_accepted(struct vnc_client *c, bool say)
{
	if (say)
		vnc_put32(&c->out, 0);
	c->authenticated = true;
	c->next = client_take_init;
	vnc_seen(c->s);
}

/* 7.1.3: a reason since 3.8.  The end comes once it is on its way. */
static ssize_t client_refused(struct vnc_client *c, const char *why)
{
	vnc_put32(&c->out, 1);
	if (c->minor >= 8)
		client_put_string(c, why);
	client_flush(c);
	return -1;
}

/* RFB 7.2.2 */
static ssize_t take_answer(struct vnc_client *c, const uint8_t *p, size_t len)
{
	if (len < sizeof(c->challenge))
		return 0;
	if (!vnc_check_password(c->s, c->challenge, p))
		return client_refused(c, "authentication failed");
	client_accepted(c, true);
	return sizeof(c->challenge);
}

static ssize_t begin_security(struct vnc_client *c, unsigned int type)
{
	if (type == SEC_NONE) {
		client_accepted(c, c->minor >= 8);
		return 0;
	}
	if (getrandom(c->challenge, sizeof(c->challenge), 0) !=
	    sizeof(c->challenge))
		return -1;
	buf_add(&c->out, c->challenge, sizeof(c->challenge));
	c->next = take_answer;
	return 0;
}

static unsigned int proof(const struct vnc_client *c)
{
	return !c->trusted && vnc_needs_password(c->s) ? SEC_VNC : SEC_NONE;
}

/* ---- VeNCrypt ---- */

/* Within TLS. */
static ssize_t begin_proof(struct vnc_client *c)
{
	return begin_security(c, proof(c));
}

static uint32_t subtype(const struct vnc_client *c)
{
	bool x509;

	vnc_tls(c->s, &x509);
	return (x509 ? SUB_X509_NONE : SUB_TLS_NONE) + (proof(c) == SEC_VNC);
}

/*
 * Which kind of TLS: there is one.  Nothing that comes before it counts as
 * having come through it.
 */
static ssize_t take_subtype(struct vnc_client *c, const uint8_t *p, size_t len)
{
	enum { LENGTH = 4 };
	bool right;

	if (len < LENGTH)
		return 0;
	right = client_get32(p) == subtype(c) && len == LENGTH;
	client_put8(c, right);
	client_flush(c);
	if (!right || c->out.len ||
	    vnc_wire_start_tls(c->wire, vnc_tls(c->s, NULL)) < 0)
		return -1;
	c->shaken = begin_proof;
	return LENGTH;
}

/* Version 0.2 is the one there is. */
static ssize_t take_vencrypt(struct vnc_client *c, const uint8_t *p,
			     size_t len)
{
	enum { LENGTH = 2 };

	if (len < LENGTH)
		return 0;
	if (p[0] != 0 || p[1] != 2) {
		client_put8(c, 1);
		client_flush(c);
		return -1;
	}
	client_put8(c, 0);
	client_put8(c, 1); /* so many kinds */
	vnc_put32(&c->out, subtype(c));
	c->next = take_subtype;
	return LENGTH;
}

static ssize_t begin_vencrypt(struct vnc_client *c)
{
	client_put8(c, 0);
	client_put8(c, 2);
	c->next = take_vencrypt;
	return 0;
}

/* ---- versions and types ---- */

static bool over_tls(const struct vnc_client *c)
{
	return !c->trusted && !c->websocket && vnc_tls(c->s, NULL);
}

static unsigned int wanted_security(const struct vnc_client *c)
{
	return over_tls(c) ? SEC_VENCRYPT : proof(c);
}

static ssize_t begin(struct vnc_client *c, unsigned int type)
{
	return type == SEC_VENCRYPT ? begin_vencrypt(c) :
				      begin_security(c, type);
}

static ssize_t take_security(struct vnc_client *c, const uint8_t *p,
			     size_t len)
{
	if (len < 1)
		return 0;
	if (p[0] != wanted_security(c) || begin(c, p[0]) < 0)
		return -1;
	return 1;
}

/* RFB 7.1.1: "RFB 003.008\n"; what is not known counts as 3.3. */
ssize_t client_take_version(struct vnc_client *c, const uint8_t *p, size_t len)
{
	enum { LENGTH = 12 };
	unsigned int type = wanted_security(c);

	if (len < LENGTH)
		return 0;
	if (memcmp(p, "RFB 003.", 8) != 0 || p[11] != '\n')
		return -1;
	c->minor = p[10] == '8' ? 8 : p[10] == '7' ? 7 : 3;
	if (c->minor == 3) {
		vnc_put32(&c->out, type);
		return begin(c, type) < 0 ? -1 : LENGTH;
	}
	client_put8(c, 1);
	client_put8(c, type);
	c->next = take_security;
	return LENGTH;
}

const char *client_auth(const struct vnc_client *c)
{
	bool x509, password = proof(c) == SEC_VNC;

	if (!over_tls(c))
		return password ? "vnc" : "none";
	vnc_tls(c->s, &x509);
	if (x509)
		return password ? "vencrypt+x509+vnc" : "vencrypt+x509+none";
	return password ? "vencrypt+tls+vnc" : "vencrypt+tls+none";
}
