/*
 * model/iotune.c -- limits of a disk: what goes together.
 */
#include <libvirt/virterror.h>
#include <string.h>

#include "base/error.h"
#include "base/util.h"
#include "model/tune.h"

/* Total, read and write of bytes, then of operations. */
enum { OF_BYTES = 0, OF_OPS = 3, GROUP_MAX = 100 };

const char *const iotune_names[IOTUNE_KINDS] = {
	"total_bytes_sec", "read_bytes_sec", "write_bytes_sec",
	"total_iops_sec",  "read_iops_sec",  "write_iops_sec",
};

static int check_range(int64_t v, const char *name, const char *suffix,
		       int code, struct error *err)
{
	if (v >= 0 && v <= IOTUNE_MAX)
		return 0;
	return error_virt(err, code,
			  "block I/O throttle limit value '%s%s' must be no "
			  "more than %lld", name, suffix, IOTUNE_MAX);
}

/* A limit of both ways, or one of each. */
static int check_exclusive(const int64_t v[IOTUNE_KINDS], unsigned int from,
			   const char *what, int code, struct error *err)
{
	if (!v[from] || (!v[from + 1] && !v[from + 2]))
		return 0;
	return error_virt(err, code,
			  "total and read/write %s cannot be set at the same "
			  "time", what);
}

static int check_burst(const struct dom_iotune *t, unsigned int k, int code,
		       struct error *err)
{
	const char *name = iotune_names[k];

	if (t->burst[k] && !t->rate[k])
		return error_virt(err, code,
				  "value '%s_max' cannot be set if '%s' is not "
				  "set", name, name);
	if (t->burst[k] && t->burst[k] < t->rate[k])
		return error_virt(err, code,
				  "value '%s_max' cannot be smaller than '%s'",
				  name, name);
	if (t->seconds[k] && !t->burst[k])
		return error_virt(err, code,
				  "value '%s_max_length' cannot be set if "
				  "'%s_max' is not set", name, name);
	return 0;
}

static int check_kind(const struct dom_iotune *t, unsigned int k, int code,
		      struct error *err)
{
	int r = check_range(t->rate[k], iotune_names[k], "", code, err);

	if (r == 0)
		r = check_range(t->burst[k], iotune_names[k], "_max", code,
				err);
	if (r == 0)
		r = check_range(t->seconds[k], iotune_names[k], "_max_length",
				code, err);
	return r < 0 ? r : check_burst(t, k, code, err);
}

int iotune_check(const struct dom_iotune *t, int code, struct error *err)
{
	int r = check_exclusive(t->rate, OF_BYTES, "bytes_sec", code, err);

	if (r == 0)
		r = check_exclusive(t->rate, OF_OPS, "iops_sec", code, err);
	if (r == 0)
		r = check_exclusive(t->burst, OF_BYTES, "bytes_sec_max", code,
				    err);
	if (r == 0)
		r = check_exclusive(t->burst, OF_OPS, "iops_sec_max", code,
				    err);
	for (unsigned int k = 0; k < IOTUNE_KINDS && r == 0; k++)
		r = check_kind(t, k, code, err);
	if (r == 0)
		r = check_range(t->op_bytes, "size_iops_sec", "", code, err);
	if (r == 0 && t->group && strlen(t->group) > GROUP_MAX)
		r = error_virt(err, code,
			       "group_name is longer than %d characters",
			       GROUP_MAX);
	return r;
}

bool iotune_any(const struct dom_iotune *t)
{
	for (unsigned int k = 0; k < IOTUNE_KINDS; k++)
		if (t->rate[k])
			return true;
	return false;
}

bool iotune_same(const struct dom_iotune *a, const struct dom_iotune *b)
{
	return !memcmp(a->rate, b->rate, sizeof(a->rate)) &&
	       !memcmp(a->burst, b->burst, sizeof(a->burst)) &&
	       !memcmp(a->seconds, b->seconds, sizeof(a->seconds)) &&
	       a->op_bytes == b->op_bytes && str_eq(a->group, b->group);
}
