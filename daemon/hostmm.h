/*
 * daemon/hostmm.h -- the host's huge pages and its merging of equal pages (KSM).
 * The files are opened once and read again: the main process opens nothing
 * later.
 */
#ifndef DAEMON_HOSTMM_H
#define DAEMON_HOSTMM_H

#include <stdint.h>

enum { HOSTMM_SIZES = 8, HOSTMM_KSM_FILES = 8 };

struct hostmm {
	struct {
		unsigned int kib;
		int fd; /* of free_hugepages */
	} size[HOSTMM_SIZES];
	unsigned int n;
	int ksm_fd[HOSTMM_KSM_FILES]; /* -1: this kernel has none */
};

void hostmm_open(struct hostmm *mm);
void hostmm_close(struct hostmm *mm);

/* Free pages of a size of the whole host; -ENOENT: not a size it has. */
int hostmm_free_pages(const struct hostmm *mm, unsigned int kib,
		      uint64_t *ret);

struct hostmm_ksm {
	const char *name; /* of libvirt's parameter */
	const char *file;
	enum { HOSTMM_UINT, HOSTMM_ULLONG } type;
};
extern const struct hostmm_ksm hostmm_ksm[HOSTMM_KSM_FILES];
int hostmm_ksm_read(const struct hostmm *mm, unsigned int which, uint64_t *ret);

#endif
