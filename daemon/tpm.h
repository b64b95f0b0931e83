/*
 * daemon/tpm.h -- what becomes of a TPM's state.
 */
#ifndef DAEMON_TPM_H
#define DAEMON_TPM_H

struct dom_obj;
struct error;

/* Before a domain is undefined; flags: virDomainUndefineFlagsValues. */
int tpm_forget(struct dom_obj *obj, unsigned int flags, struct error *err);
/* A run has ended, and its definition is still there. */
void tpm_run_ended(struct dom_obj *obj);

#endif
