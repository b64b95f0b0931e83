/*
 * model/units.h -- sizes with a unit, as in <memory unit='MiB'>.
 */
#ifndef MODEL_UNITS_H
#define MODEL_UNITS_H

#include <stdint.h>

/* The unit's bytes; NULL means KiB; 0 for a word that is none. */
uint64_t unit_bytes(const char *unit);

/* A number of the unit in bytes: 0, -EINVAL (unit, number) or -ERANGE. */
int size_parse(const char *number, const char *unit, uint64_t *ret_bytes);

#endif
