/*
 * vmm/dev/tpm.h -- a TPM 2.0: two interfaces to the guest, of which a machine
 * has one, and the program that does the cryptography.
 *
 * tpm.c speaks to that program, which the daemon starts and which keeps the
 * TPM's permanent state; tpm_crb.c and tpm_tis.c are what the guest sees.
 */
#ifndef VMM_DEV_TPM_H
#define VMM_DEV_TPM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct error;
struct machine;
struct state_set;
struct tpm;

/* TCG PC Client Platform TPM Profile 1.05, table 4: localities 0 to 4. */
#define TPM_BASE 0xfed40000ull
enum { TPM_LOCALITY_SIZE = 0x1000, TPM_LOCALITIES = 5 };

/* TPM 2.0 Library, part 1, 18: tag, length, code. */
enum { TPM_HEADER_SIZE = 10, TPM_BUFFER_MAX = 4096 };

/* The length in a command's or response's header. */
static inline uint32_t tpm_length(const uint8_t header[TPM_HEADER_SIZE])
{
	return (uint32_t)header[2] << 24 | header[3] << 16 | header[4] << 8 |
	       header[5];
}

/* Main thread.  len 0: the TPM is gone. */
typedef void tpm_done_fn(void *arg, const uint8_t *response, size_t len);

int tpm_open(struct machine *m, unsigned int buffer_size, tpm_done_fn *done,
	     void *arg, struct tpm **ret_tpm, struct error *err);
void tpm_close(struct tpm *tpm);

/* Any thread: one command at a time; done is called later, unless this fails. */
int tpm_command(struct tpm *tpm, unsigned int locality, const uint8_t *data,
		size_t len);

/* Main thread, vCPUs stopped: what was under way is not answered any more. */
void tpm_restart(struct tpm *tpm);
/* Main thread, without the device's lock: waits until a command is answered. */
void tpm_settle(struct tpm *tpm);
void tpm_states(struct tpm *tpm, struct state_set *set);

int tpm_crb_create(struct machine *m, struct error *err);
int tpm_tis_create(struct machine *m, struct error *err);

#endif
