/*
 * daemon/savefile.h -- a saved guest as a file: the daemon's part of it, which
 * is the definition; what follows is the driver's (domain_saved).
 */
#ifndef DAEMON_SAVEFILE_H
#define DAEMON_SAVEFILE_H

#include <stdbool.h>
#include <stdint.h>

struct error;

struct savefile {
	char *xml;
	bool running;	 /* go on running rather than paused */
	uint64_t offset; /* of the driver's part, a multiple of 4 KiB */
};

/* At the beginning of an empty file. */
int savefile_write(int fd, const char *xml, bool running, uint64_t *ret_offset,
		   struct error *err);
int savefile_read(int fd, struct savefile *ret_file, struct error *err);
/* Another definition (NULL: the same) in a complete file; there is not room
 * for every length. */
int savefile_change(int fd, const char *xml, bool running, struct error *err);
void savefile_finish(struct savefile *file);

#endif
