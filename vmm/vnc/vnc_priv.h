/*
 * vmm/vnc/vnc_priv.h -- between the files of the VNC server.
 *
 * "RFB" with a section number is RFC 6143, The Remote Framebuffer Protocol;
 * what it does not have is in the registry it refers to (rfbproto.rst).
 */
#ifndef VMM_VNC_VNC_PRIV_H
#define VMM_VNC_VNC_PRIV_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <zlib.h>

#include "base/buf.h"
#include "vmm/display.h"
#include "vmm/spec.h"

struct loop;
struct machine;
struct vnc_client;
struct vnc_server;
struct vnc_tls;

/* RFB 7.7 and 7.8; the ones below 0 say what the client can do. */
enum vnc_encoding {
	ENC_RAW = 0,
	ENC_HEXTILE = 5,
	ENC_ZRLE = 16,
	ENC_DESKTOP_SIZE = -223,
	ENC_POINTER_MODE = -257,
	ENC_KEY_EVENT = -258,
	ENC_EXTENDED_SIZE = -308,
};

/* RFB 7.4 */
struct vnc_format {
	unsigned int bytes; /* a pixel: 1, 2 or 4 */
	bool big_endian;
	uint16_t max[3]; /* red, green, blue */
	uint8_t shift[3];
	unsigned int compact; /* bytes of ZRLE's CPIXEL (7.7.5) */
	unsigned int skip;    /* of those the first is not sent */
};

struct vnc_rect {
	unsigned int x, y, w, h;
};

/* ---- server.c ---- */

struct machine *vnc_machine(struct vnc_server *s);
struct loop *vnc_loop(struct vnc_server *s);
/* The client's thread is the server's; all of these are on it. */
void vnc_gone(struct vnc_server *s, struct vnc_client *c);
void vnc_exclusive(struct vnc_server *s, const struct vnc_client *c);
void vnc_look_soon(struct vnc_server *s); /* somebody waits for a picture */

enum spec_vnc_share vnc_share(const struct vnc_server *s);
/* NULL: none; ret_x509: with certificates; may be NULL. */
struct vnc_tls *vnc_tls(struct vnc_server *s, bool *ret_x509);
/* A client has proved who it is. */
void vnc_seen(struct vnc_server *s);
bool vnc_needs_password(struct vnc_server *s);
/* Whether the answer is the challenge under the password, which is valid. */
bool vnc_check_password(struct vnc_server *s, const uint8_t challenge[16],
			const uint8_t answer[16]);

enum vnc_phase { VNC_CONNECTED, VNC_INITIALIZED, VNC_DISCONNECTED };
void vnc_tell(struct vnc_server *s, const struct vnc_client *c,
	      enum vnc_phase phase);

/* ---- client.c ---- */

/* How a client came. */
enum { VNC_TRUSTED = 1 /* needs no password */, VNC_WEBSOCKET = 2 };

/* Takes over fd. */
struct vnc_client *vnc_client_create(struct vnc_server *s, int fd,
				     unsigned int how);
void vnc_client_destroy(struct vnc_client *c);
bool vnc_client_authenticated(const struct vnc_client *c);
int vnc_client_fd(const struct vnc_client *c);
const char *vnc_client_auth(const struct vnc_client *c);
/* The display is locked and drawn: takes note, and sends what is wanted. */
void vnc_client_picture(struct vnc_client *c, const struct display_view *v);
bool vnc_client_waits(const struct vnc_client *c);

/* ---- encode.c ---- */

void vnc_format_default(struct vnc_format *f);
/* RFB 7.4's sixteen bytes; false: nonsense. */
bool vnc_format_parse(struct vnc_format *f, const uint8_t data[16]);
/* RFB 7.6.2, for a client that wants a palette: what f then is. */
void vnc_put_palette(struct buf *b);

/* A rectangle's data in one encoding; z is a client's, for ZRLE. */
void vnc_encode(struct buf *b, enum vnc_encoding enc,
		const struct vnc_format *f, z_stream *z,
		const struct display_view *v, const struct vnc_rect *r);

void vnc_put16(struct buf *b, uint16_t v);
void vnc_put32(struct buf *b, uint32_t v);

#endif
