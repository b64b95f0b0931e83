/*
 * model/names.h -- the words that XML uses for each enum of domain.h.
 */
#ifndef MODEL_NAMES_H
#define MODEL_NAMES_H

struct words {
	const char *const *word; /* by value; NULL: has no word */
	unsigned int n;
};

const char *words_name(const struct words *words, int value); /* or NULL */
int words_value(const struct words *words, const char *name); /* or -1 */

extern const struct words words_virt, words_action, words_onoff, words_yesno;
extern const struct words words_cpu_mode, words_cpu_policy, words_clock;
extern const struct words words_disk_type, words_disk_device;
extern const struct words words_iface_type, words_hostdev_type;
extern const struct words words_char_kind, words_char_type;
extern const struct words words_rng_backend;

#endif
