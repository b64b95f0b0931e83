/*
 * cli/cmd-tune.c -- limits and shares of domains: memory, CPU time, disks.
 */
#include <string.h>

#include "cli/args.h"
#include "cli/output.h"
#include "cli/params.h"

#define ULL VIR_TYPED_PARAM_ULLONG

/* "Get all parameters, or set those given", of one domain's part. */
struct tune {
	virDomainPtr dom;
	const char *device;
	int (*get)(void *of, virTypedParameterPtr v, int *n,
		   unsigned int flags);
	int (*set)(struct tune *t, virTypedParameterPtr v, int n,
		   unsigned int flags);
	const char *no_get, *no_set;
	void (*print)(struct ctl *ctl, const struct params *p);
};

static void print_plain(struct ctl *ctl, const struct params *p)
{
	params_print(ctl, p, "", 15, ": ");
}

static int tune(struct ctl *ctl, const struct args *args, struct tune *t,
		struct params *p)
{
	unsigned int flags;
	int status;

	if (args_affect(args, &flags) < 0)
		return EXIT_FAILED;
	if (p->n)
		return t->set(t, p->v, p->n, flags) < 0
			       ? say_failed(ctl, "%s", t->no_set)
			       : EXIT_OK;
	status = params_get(ctl, p, t->get, t, flags, t->no_get);
	if (!status)
		(t->print ? t->print : print_plain)(ctl, p);
	return status;
}

/* ---- memory ---- */

static int get_memory(void *of, virTypedParameterPtr v, int *n,
		      unsigned int flags)
{
	return virDomainGetMemoryParameters(((struct tune *)of)->dom, v, n,
					    flags);
}

static int set_memory(struct tune *t, virTypedParameterPtr v, int n,
		      unsigned int flags)
{
	return virDomainSetMemoryParameters(t->dom, v, n, flags);
}

static void print_memory(struct ctl *ctl, const struct params *p)
{
	if (ctl->output != OUTPUT_TABLE) {
		print_plain(ctl, p);
		return;
	}
	for (int i = 0; i < p->n; i++) {
		_cleanup_free_ char *text = param_text(&p->v[i]);
		bool none =
			p->v[i].type == ULL &&
			p->v[i].value.ul == VIR_DOMAIN_MEMORY_PARAM_UNLIMITED;

		printf("%-15s: %s\n", p->v[i].field, none ? "unlimited" : text);
	}
}

/* A size in KiB, or -1 for no limit. */
static int add_limit(const struct args *args, const char *name,
		     const char *field, struct params *p)
{
	unsigned long long v = 0;
	int r;

	if (str_eq(args_get(args, name), "-1"))
		return virTypedParamsAddULLong(
			&p->v, &p->n, &p->max, field,
			VIR_DOMAIN_MEMORY_PARAM_UNLIMITED);
	r = args_size(args, name, KIB, &v);
	if (r <= 0)
		return r;
	return virTypedParamsAddULLong(&p->v, &p->n, &p->max, field, v / KIB);
}

static int run_memtune(struct ctl *ctl, const struct args *args,
		       virDomainPtr dom)
{
	struct tune t = { dom,
			  NULL,
			  get_memory,
			  set_memory,
			  "Unable to get number of memory parameters",
			  "Unable to change memory parameters",
			  print_memory };
	_cleanup_params_ struct params p = { NULL };

	if (add_limit(args, "hard-limit", VIR_DOMAIN_MEMORY_HARD_LIMIT, &p) <
		    0 ||
	    add_limit(args, "soft-limit", VIR_DOMAIN_MEMORY_SOFT_LIMIT, &p) <
		    0 ||
	    add_limit(args, "swap-hard-limit",
		      VIR_DOMAIN_MEMORY_SWAP_HARD_LIMIT, &p) < 0 ||
	    add_limit(args, "min-guarantee", VIR_DOMAIN_MEMORY_MIN_GUARANTEE,
		      &p) < 0)
		return EXIT_FAILED;
	return tune(ctl, args, &t, &p);
}

/* ---- NUMA ---- */

static const char *const numa_modes[] = { "strict", "preferred", "interleave",
					  "restrictive" };

static int get_numa(void *of, virTypedParameterPtr v, int *n,
		    unsigned int flags)
{
	return virDomainGetNumaParameters(((struct tune *)of)->dom, v, n,
					  flags);
}

static int set_numa(struct tune *t, virTypedParameterPtr v, int n,
		    unsigned int flags)
{
	return virDomainSetNumaParameters(t->dom, v, n, flags);
}

static void print_numa(struct ctl *ctl, const struct params *p)
{
	struct record *r = record_new();

	for (int i = 0; i < p->n; i++) {
		_cleanup_free_ char *text = param_text(&p->v[i]);
		bool mode = str_eq(p->v[i].field, VIR_DOMAIN_NUMA_MODE) &&
			    (size_t)p->v[i].value.i < ARRAY_SIZE(numa_modes);

		record_add(r, p->v[i].field, p->v[i].field, false, "%s",
			   mode ? numa_modes[p->v[i].value.i] : text);
	}
	record_print_as(r, ctl, "", 15, ": ");
}

/* A mode by name, or by the number a newer host may know. */
static int add_mode(const char *mode, struct params *p)
{
	size_t i = 0;
	char *end;
	long v;

	if (!mode)
		return 0;
	while (i < ARRAY_SIZE(numa_modes) && !str_eq(numa_modes[i], mode))
		i++;
	v = (long)i;
	if (i == ARRAY_SIZE(numa_modes)) {
		v = strtol(mode, &end, 0);
		if (end == mode || *end) {
			say_error("Invalid mode: %s", mode);
			return -1;
		}
	}
	return virTypedParamsAddInt(&p->v, &p->n, &p->max, VIR_DOMAIN_NUMA_MODE,
				    (int)v);
}

static int run_numatune(struct ctl *ctl, const struct args *args,
			virDomainPtr dom)
{
	static const struct param_option nodes[] = {
		{ "nodeset", VIR_DOMAIN_NUMA_NODESET, VIR_TYPED_PARAM_STRING,
		  false, 0 },
		{ NULL },
	};
	struct tune t = { dom,
			  NULL,
			  get_numa,
			  set_numa,
			  "Unable to get number of memory parameters",
			  "Unable to change numa parameters",
			  print_numa };
	_cleanup_params_ struct params p = { NULL };

	if (args_params(args, nodes, &p) < 0 ||
	    add_mode(args_get(args, "mode"), &p) < 0)
		return EXIT_FAILED;
	return tune(ctl, args, &t, &p);
}

/* ---- disks ---- */

static int get_blkio(void *of, virTypedParameterPtr v, int *n,
		     unsigned int flags)
{
	return virDomainGetBlkioParameters(((struct tune *)of)->dom, v, n,
					   flags);
}

static int set_blkio(struct tune *t, virTypedParameterPtr v, int n,
		     unsigned int flags)
{
	return virDomainSetBlkioParameters(t->dom, v, n, flags);
}

static int run_blkiotune(struct ctl *ctl, const struct args *args,
			 virDomainPtr dom)
{
	static const struct param_option settings[] = {
		{ "weight", VIR_DOMAIN_BLKIO_WEIGHT, VIR_TYPED_PARAM_UINT,
		  false, 0 },
		{ "device-weights", VIR_DOMAIN_BLKIO_DEVICE_WEIGHT,
		  VIR_TYPED_PARAM_STRING, false, 0 },
		{ "device-read-iops-sec", VIR_DOMAIN_BLKIO_DEVICE_READ_IOPS,
		  VIR_TYPED_PARAM_STRING, false, 0 },
		{ "device-write-iops-sec", VIR_DOMAIN_BLKIO_DEVICE_WRITE_IOPS,
		  VIR_TYPED_PARAM_STRING, false, 0 },
		{ "device-read-bytes-sec", VIR_DOMAIN_BLKIO_DEVICE_READ_BPS,
		  VIR_TYPED_PARAM_STRING, false, 0 },
		{ "device-write-bytes-sec", VIR_DOMAIN_BLKIO_DEVICE_WRITE_BPS,
		  VIR_TYPED_PARAM_STRING, false, 0 },
		{ NULL },
	};
	struct tune t = { dom,
			  NULL,
			  get_blkio,
			  set_blkio,
			  "Unable to get number of blkio parameters",
			  "Unable to change blkio parameters",
			  NULL };
	_cleanup_params_ struct params p = { NULL };

	if (args_params(args, settings, &p) < 0)
		return EXIT_FAILED;
	return tune(ctl, args, &t, &p);
}

static int get_iotune(void *of, virTypedParameterPtr v, int *n,
		      unsigned int flags)
{
	struct tune *t = of;

	return virDomainGetBlockIoTune(t->dom, t->device, v, n, flags);
}

static int set_iotune(struct tune *t, virTypedParameterPtr v, int n,
		      unsigned int flags)
{
	return virDomainSetBlockIoTune(t->dom, t->device, v, n, flags);
}

static int run_blkdeviotune(struct ctl *ctl, const struct args *args,
			    virDomainPtr dom)
{
#define BYTES(o, f)                                          \
	{                                                    \
		o, VIR_DOMAIN_BLOCK_IOTUNE_##f, ULL, true, 0 \
	}
#define COUNT(o, f)                                           \
	{                                                     \
		o, VIR_DOMAIN_BLOCK_IOTUNE_##f, ULL, false, 0 \
	}
	static const struct param_option settings[] = {
		BYTES("total-bytes-sec", TOTAL_BYTES_SEC),
		BYTES("read-bytes-sec", READ_BYTES_SEC),
		BYTES("write-bytes-sec", WRITE_BYTES_SEC),
		BYTES("total-bytes-sec-max", TOTAL_BYTES_SEC_MAX),
		BYTES("read-bytes-sec-max", READ_BYTES_SEC_MAX),
		BYTES("write-bytes-sec-max", WRITE_BYTES_SEC_MAX),
		COUNT("total-iops-sec", TOTAL_IOPS_SEC),
		COUNT("read-iops-sec", READ_IOPS_SEC),
		COUNT("write-iops-sec", WRITE_IOPS_SEC),
		COUNT("write-iops-sec-max", WRITE_IOPS_SEC_MAX),
		COUNT("read-iops-sec-max", READ_IOPS_SEC_MAX),
		COUNT("total-iops-sec-max", TOTAL_IOPS_SEC_MAX),
		COUNT("size-iops-sec", SIZE_IOPS_SEC),
		{ "group-name", VIR_DOMAIN_BLOCK_IOTUNE_GROUP_NAME,
		  VIR_TYPED_PARAM_STRING, false, 0 },
		COUNT("total-bytes-sec-max-length", TOTAL_BYTES_SEC_MAX_LENGTH),
		COUNT("read-bytes-sec-max-length", READ_BYTES_SEC_MAX_LENGTH),
		COUNT("write-bytes-sec-max-length", WRITE_BYTES_SEC_MAX_LENGTH),
		COUNT("total-iops-sec-max-length", TOTAL_IOPS_SEC_MAX_LENGTH),
		COUNT("read-iops-sec-max-length", READ_IOPS_SEC_MAX_LENGTH),
		COUNT("write-iops-sec-max-length", WRITE_IOPS_SEC_MAX_LENGTH),
		{ NULL },
	};
#undef BYTES
#undef COUNT
	struct tune t = { dom,
			  args_get(args, "device"),
			  get_iotune,
			  set_iotune,
			  "Unable to get number of block I/O throttle "
			  "parameters",
			  "Unable to change block I/O throttle",
			  NULL };
	_cleanup_params_ struct params p = { NULL };

	if (args_params(args, settings, &p) < 0)
		return EXIT_FAILED;
	return tune(ctl, args, &t, &p);
}

/* ---- CPU time ---- */

static int add_setting(const struct params *all, const char *name,
		       const char *value, struct params *p)
{
	virTypedParameterPtr known = virTypedParamsGet(all->v, all->n, name);

	if (!known) {
		say_error("invalid scheduler option: %s", name);
		return -1;
	}
	return virTypedParamsAddFromString(&p->v, &p->n, &p->max, name,
					   known->type, value);
}

static int read_settings(const struct args *args, const struct params *all,
			 struct params *p)
{
	static const char *const own[] = { "cap", "weight" };

	for (int i = 0; i < args->n_rest; i++) {
		_cleanup_free_ char *name = xstrdup(args->rest[i]);
		char *value = strchr(name, '=');

		if (!value) {
			say_error("Invalid syntax for --set, expecting "
				  "name=value");
			return -1;
		}
		*value++ = '\0';
		if (add_setting(all, name, value, p) < 0)
			return -1;
	}
	for (size_t i = 0; i < ARRAY_SIZE(own); i++)
		if (args_has(args, own[i]) &&
		    add_setting(all, own[i], args_get(args, own[i]), p) < 0)
			return -1;
	return 0;
}

static int get_schedule(virDomainPtr dom, struct params *p, unsigned int flags,
			bool plain)
{
	int n = p->max;

	if ((plain ? virDomainGetSchedulerParameters(dom, p->v, &n)
		   : virDomainGetSchedulerParametersFlags(dom, p->v, &n,
							  flags)) < 0)
		return -1;
	p->n = n;
	return 0;
}

static int run_schedinfo(struct ctl *ctl, const struct args *args,
			 virDomainPtr dom)
{
	_cleanup_params_ struct params all = { NULL }, p = { NULL };
	bool live = args_has(args, "live"), config = args_has(args, "config");
	_cleanup_free_ char *type = NULL;
	unsigned int flags, query;
	bool plain;

	if (args_affect(args, &flags) < 0)
		return EXIT_FAILED;
	plain = !flags && !args_has(args, "current");
	query = live && config ? 0 : flags;
	type = virDomainGetSchedulerType(dom, &all.max);
	if (ctl->output == OUTPUT_TABLE)
		printf("%-15s: %s\n", "Scheduler", type ? type : "Unknown");
	if (!type || !all.max)
		return say_failed(ctl, NULL);
	all.v = xcalloc((size_t)all.max, sizeof(*all.v));
	if (get_schedule(dom, &all, query, plain) < 0)
		return say_failed(ctl, NULL);
	if (read_settings(args, &all, &p) < 0)
		return say_failed(ctl, NULL);
	if (!p.n && live && config) {
		say_error("cannot query both live and config at once");
		return EXIT_FAILED;
	}
	if (p.n && ((plain ? virDomainSetSchedulerParameters(dom, p.v, p.n)
			   : virDomainSetSchedulerParametersFlags(dom, p.v, p.n,
								  flags)) < 0 ||
		    get_schedule(dom, &all, query, plain) < 0))
		return say_failed(ctl, NULL);
	params_print(ctl, &all, "", 15, ": ");
	return EXIT_OK;
}

/* ---- perf events ---- */

static int add_events(const char *list, int on, struct params *p)
{
	_cleanup_free_ char *copy = xstrdup(list);
	char *save, *word;

	for (word = copy ? strtok_r(copy, ",", &save) : NULL; word;
	     word = strtok_r(NULL, ",", &save))
		if (virTypedParamsAddBoolean(&p->v, &p->n, &p->max, word, on) <
		    0)
			return -1;
	return 0;
}

static void print_events(struct ctl *ctl, const struct params *p)
{
	struct record *r = record_new();

	for (int i = 0; i < p->n; i++)
		record_add(r, p->v[i].field, p->v[i].field, false, "%s",
			   p->v[i].type == VIR_TYPED_PARAM_BOOLEAN &&
					   p->v[i].value.b
				   ? "enabled"
				   : "disabled");
	if (!ctl->quiet || ctl->output != OUTPUT_TABLE)
		record_print_as(r, ctl, "", 15, ": ");
	else
		record_free(r);
}

static int run_perf(struct ctl *ctl, const struct args *args, virDomainPtr dom)
{
	_cleanup_params_ struct params p = { NULL };
	unsigned int flags;

	if (args_affect(args, &flags) < 0 ||
	    add_events(args_get(args, "enable"), 1, &p) < 0 ||
	    add_events(args_get(args, "disable"), 0, &p) < 0)
		return EXIT_FAILED;
	if (!p.n && virDomainGetPerfEvents(dom, &p.v, &p.n, flags) < 0)
		return say_failed(ctl, "Unable to get perf events");
	else if (p.max && virDomainSetPerfEvents(dom, p.v, p.n, flags) < 0)
		return say_failed(ctl, "Unable to enable/disable perf events");
	print_events(ctl, &p);
	return EXIT_OK;
}

/* ---- on_poweroff and its like ---- */

static int find_word(const char *const *words, int n, const char *word,
		     const char *what)
{
	for (int i = 0; i < n; i++)
		if (str_eq(words[i], word))
			return i;
	say_error("Invalid lifecycle %s '%s'.", what, word);
	return -1;
}

static int run_set_lifecycle_action(struct ctl *ctl, const struct args *args,
				    virDomainPtr dom)
{
	static const char *const types[] = { "poweroff", "reboot", "crash" };
	static const char *const actions[] = {
		"destroy",  "restart",		"rename-restart",
		"preserve", "coredump-destroy", "coredump-restart"
	};
	int type, action;
	unsigned int flags;

	if (args_affect(args, &flags) < 0)
		return EXIT_FAILED;
	type = find_word(types, ARRAY_SIZE(types), args_get(args, "type"),
			 "type");
	if (type < 0)
		return EXIT_FAILED;
	action = find_word(actions, ARRAY_SIZE(actions),
			   args_get(args, "action"), "action");
	if (action < 0)
		return EXIT_FAILED;
	if (virDomainSetLifecycleAction(dom, (unsigned int)type,
					(unsigned int)action, flags) < 0)
		return say_failed(ctl, "Unable to change lifecycle action.");
	return EXIT_OK;
}

static int run_domblkthreshold(struct ctl *ctl, const struct args *args,
			       virDomainPtr dom)
{
	unsigned long long bytes;

	if (args_size(args, "threshold", 1, &bytes) < 0)
		return EXIT_FAILED;
	if (virDomainSetBlockThreshold(dom, args_get(args, "dev"), bytes, 0) <
	    0)
		return say_failed(ctl, NULL);
	return EXIT_OK;
}

const struct command family_tune[] = {
	{ .name = "blkdeviotune",
	  .group = "domain",
	  .summary = "read or set the limits of a disk",
	  .opts = OPTS(
		  OPT_DOMAIN(complete_domains), DATA("device"),
		  NUMBER("total-bytes-sec"), NUMBER("read-bytes-sec"),
		  NUMBER("write-bytes-sec"), NUMBER("total-iops-sec"),
		  NUMBER("read-iops-sec"), NUMBER("write-iops-sec"),
		  NUMBER("total-bytes-sec-max"), NUMBER("read-bytes-sec-max"),
		  NUMBER("write-bytes-sec-max"), NUMBER("total-iops-sec-max"),
		  NUMBER("read-iops-sec-max"), NUMBER("write-iops-sec-max"),
		  NUMBER("size-iops-sec"), STRING("group-name"),
		  NUMBER("total-bytes-sec-max-length"),
		  NUMBER("read-bytes-sec-max-length"),
		  NUMBER("write-bytes-sec-max-length"),
		  NUMBER("total-iops-sec-max-length"),
		  NUMBER("read-iops-sec-max-length"),
		  NUMBER("write-iops-sec-max-length"), OPTS_AFFECT),
	  .on_domain = run_blkdeviotune },
	{ .name = "blkiotune",
	  .group = "domain",
	  .summary = "read or set shares and limits of the host's disks",
	  .opts = OPTS(OPT_DOMAIN(complete_domains), NUMBER("weight"),
		       STRING("device-weights"), STRING("device-read-iops-sec"),
		       STRING("device-write-iops-sec"),
		       STRING("device-read-bytes-sec"),
		       STRING("device-write-bytes-sec"), OPTS_AFFECT),
	  .on_domain = run_blkiotune },
	{ .name = "domblkthreshold",
	  .group = "domain",
	  .summary = "tell when a disk is written beyond an offset",
	  .opts = OPTS(OPT_DOMAIN(complete_domains), DATA("dev"),
		       DATA_NUMBER("threshold")),
	  .on_domain = run_domblkthreshold },
	{ .name = "memtune",
	  .group = "domain",
	  .summary = "read or set the limits of memory",
	  .opts = OPTS(OPT_DOMAIN(complete_domains), NUMBER("hard-limit"),
		       NUMBER("soft-limit"), NUMBER("swap-hard-limit"),
		       NUMBER("min-guarantee"), OPTS_AFFECT),
	  .on_domain = run_memtune },
	{ .name = "numatune",
	  .group = "domain",
	  .summary = "read or set where memory comes from",
	  .opts = OPTS(OPT_DOMAIN(complete_domains),
		       STRING("mode",
			      "strict, preferred, interleave or restrictive"),
		       STRING("nodeset"), OPTS_AFFECT),
	  .on_domain = run_numatune },
	{ .name = "perf",
	  .group = "domain",
	  .summary = "read or set which perf events are counted",
	  .opts = OPTS(OPT_DOMAIN(complete_domains),
		       STRING("enable", "events, a,b,..."),
		       STRING("disable", "events, a,b,..."), OPTS_AFFECT),
	  .on_domain = run_perf },
	{ .name = "schedinfo",
	  .group = "domain",
	  .summary = "read or set shares and limits of CPU time",
	  .opts = OPTS(OPT_DOMAIN(complete_domains), NAMED_NUMBER("weight"),
		       NAMED_NUMBER("cap"), OPTS_AFFECT,
		       REST("set", "name=value")),
	  .on_domain = run_schedinfo },
	{ .name = "set-lifecycle-action",
	  .group = "domain",
	  .summary = "set what happens when a guest stops",
	  .opts = OPTS(OPT_DOMAIN(complete_domains),
		       DATA("type", "poweroff, reboot or crash"),
		       DATA("action"), OPTS_AFFECT),
	  .on_domain = run_set_lifecycle_action },
	{ NULL },
};
