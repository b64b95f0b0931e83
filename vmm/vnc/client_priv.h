/*
 * vmm/vnc/client_priv.h -- one VNC client, between client.c and security.c.
 */
#ifndef VMM_VNC_CLIENT_PRIV_H
#define VMM_VNC_CLIENT_PRIV_H

#include "vmm/vnc/vnc_priv.h"
#include "vmm/vnc/wire.h"

enum { CLIENT_IN_MAX = 16384, CLIENT_KEYS = 256 };

struct vnc_client {
	struct vnc_server *s;
	struct vnc_wire *wire;
	/* What follows once the wire is ready; NULL: it is. */
	ssize_t (*shaken)(struct vnc_client *c);
	/*
	 * Takes a message from the front: its length, 0 if it is not all
	 * there, -1 to end the connection.
	 */
	ssize_t (*next)(struct vnc_client *c, const uint8_t *p, size_t len);
	uint8_t in[CLIENT_IN_MAX];
	size_t in_len;
	uint64_t skip; /* bytes of a message that nobody wants */
	struct buf out;
	size_t sent;
	bool in_loop, broken, told;

	unsigned int minor; /* of the protocol's version, 3.3 to 3.8 */
	uint8_t challenge[16];
	bool trusted, authenticated;
	bool websocket; /* TLS is below it, if there is any */

	struct vnc_format format;
	enum vnc_encoding encoding;
	bool desktop_size, extended_size, pointer_mode, key_event;
	bool told_keys;
	int absolute; /* as told to the client; -1: not yet */
	z_stream z;
	bool z_ready;

	/* The picture, and what of it has not been sent. */
	bool wants;
	struct vnc_rect want_all; /* not incremental: this part in any case */
	unsigned int serial, width, height, tiles_x, tiles_y;
	uint8_t *dirty;
	bool new_size;
	int size_reply; /* to a request for another size; -1: none */

	unsigned int x, y;
	bool placed;
	uint8_t buttons;
	bool caps;
	uint8_t held[CLIENT_KEYS / 8];
};

/* ---- client.c ---- */

void client_flush(struct vnc_client *c);
void client_put8(struct vnc_client *c, uint8_t v);
void client_put_string(struct vnc_client *c, const char *text);
uint32_t client_get32(const uint8_t *p);
/* RFB 7.3: where the conversation goes on once the client may. */
ssize_t client_take_init(struct vnc_client *c, const uint8_t *p, size_t len);

/* ---- security.c ---- */

/* RFB 7.1: where it begins. */
ssize_t client_take_version(struct vnc_client *c, const uint8_t *p,
			    size_t len);
/* How it proves who it is, as events name it. */
const char *client_auth(const struct vnc_client *c);

#endif
