/*
 * tests/unit/cpu/dump.c -- prints what compare.py compares: a line per model
 * (name, vendor, family, model, stepping, brand, features), then a line per
 * feature name.
 */
#undef NDEBUG
#include <assert.h>
#include <string.h>

#include "base/buf.h"
#include "cpu/models.h"

static void print_model(const struct cpu_model *m)
{
	struct cpu_set set = cpu_model_features(m), own = { 0 };
	_cleanup_buf_ struct buf names = { 0 };

	assert(cpu_set_parse(&own, m->adds));
	assert(!m->base || cpu_model_find(m->base));
	assert(cpu_model_find(m->name) == m);
	assert(strlen(m->brand) <= 48);
	cpu_set_print(&set, &names);
	printf("model|%s|%s|%u|%u|%u|%s|%s\n", m->name,
	       m->vendor ? m->vendor : "", m->signature.family,
	       m->signature.model, m->signature.stepping, m->brand,
	       names.data);
}

/* A CPU that is the model is recognized as that, or as one that is alike. */
static void check_nearest(const struct cpu_model *m)
{
	struct cpu_set set = cpu_model_features(m), again;
	const struct cpu_model *found = cpu_model_nearest(
		&set, m->vendor ? m->vendor : "GenuineIntel", &m->signature,
		true);

	again = cpu_model_features(found);
	if (strcmp(found->name, m->name) != 0)
		assert(memcmp(&set, &again, sizeof(set)) == 0);
}

int main(void)
{
	for (size_t i = 0; cpu_model_at(i); i++) {
		print_model(cpu_model_at(i));
		check_nearest(cpu_model_at(i));
	}
	for (unsigned int i = 0; i < 32 * CPU_WORDS; i++) {
		const char *name = cpu_feature_name(i);

		/* No name twice. */
		assert(!name || cpu_feature_find(name) == (int)i);
		if (name)
			printf("feature|%s\n", name);
	}
	return 0;
}
