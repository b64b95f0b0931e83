/*
 * vmm/main.c -- vireo-vmm: runs one guest.
 *
 * The only file of the VMM that names the engines.
 */
#include <string.h>
#include <time.h>

#include "base/error.h"
#include "vmm/engine.h"
#include "vmm/run.h"
#include "vmm/spec.h"

static const struct engine *const engines[] = {
	&kvm_engine,
};

const struct engine *engine_find(const char *name, const char **ret_variant)
{
	size_t len = strcspn(name, ":");

	for (size_t i = 0; i < ARRAY_SIZE(engines); i++) {
		if (strlen(engines[i]->name) == len &&
		    strncmp(engines[i]->name, name, len) == 0) {
			*ret_variant = name[len] ? name + len + 1 : NULL;
			return engines[i];
		}
	}
	return NULL;
}

/* What the dynamic linker took is our time too. */
static uint64_t process_start(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts);
	return now_ns() - (ts.tv_sec * 1000000000ull + ts.tv_nsec);
}

int main(int argc, char **argv)
{
	struct run_options opt = { .started = process_start() };
	struct error err = { 0 };
	struct vmm_spec spec;
	int status;

	if (args_parse(argc, argv, &spec, &opt, &err) < 0) {
		fprintf(stderr, "vireo-vmm: %s\n", err.message);
		vmm_spec_finish(&spec);
		return EXIT_RUN_ERROR;
	}
	status = run_machine(&spec, &opt);
	vmm_spec_finish(&spec);
	return status;
}
