/*
 * model/firmware.h -- the firmware that distributions install, and what a
 * definition that asks for some gets.
 */
#ifndef MODEL_FIRMWARE_H
#define MODEL_FIRMWARE_H

#include "base/error.h"
#include "model/domain.h"

struct firmware {
	const char *kind;     /* "bios", "efi" */
	const char *loader;   /* the image */
	const char *template; /* of its variables; NULL: it has none */
	bool secure;	      /* secure boot, kept by management mode */
	bool enrolled;	      /* with the usual keys in the template */
};

/* In the order of preference; the last has no kind. */
extern const struct firmware firmware_known[];

/*
 * Looks which of them are installed, while files can be opened; until then all
 * count as being there.
 */
void firmware_look(void);
/* The images of a kind that are; freed as one.  NULL: none. */
const char **firmware_loaders(const char *kind);

/*
 * Fills in <loader>, <nvram> and their attributes.  nvram_dir: where variables
 * are kept that the definition gives no place; NULL: it must give one.
 */
int firmware_complete(struct domain_def *def, const char *nvram_dir,
		      struct error *err);

#endif
