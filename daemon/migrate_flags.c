/*
 * daemon/migrate_flags.c -- which of libvirt's many ways to migrate there are
 * here; the others are refused by name.
 */
#include <libvirt/libvirt.h>
#include <libvirt/virterror.h>

#include "daemon/migrate_priv.h"

enum {
	SUPPORTED = VIR_MIGRATE_LIVE | VIR_MIGRATE_PEER2PEER |
		    VIR_MIGRATE_PERSIST_DEST | VIR_MIGRATE_UNDEFINE_SOURCE |
		    VIR_MIGRATE_PAUSED | VIR_MIGRATE_CHANGE_PROTECTION |
		    VIR_MIGRATE_UNSAFE | VIR_MIGRATE_COMPRESSED |
		    VIR_MIGRATE_OFFLINE | VIR_MIGRATE_TLS |
		    VIR_MIGRATE_POSTCOPY | VIR_MIGRATE_POSTCOPY_RESUME |
		    VIR_MIGRATE_PARALLEL | VIR_MIGRATE_ABORT_ON_ERROR |
		    VIR_MIGRATE_AUTO_CONVERGE | VIR_MIGRATE_TUNNELLED,
};

static const struct {
	unsigned int flag;
	const char *why;
} refused[] = {
	{ VIR_MIGRATE_NON_SHARED_DISK | VIR_MIGRATE_NON_SHARED_INC,
	  "disks are not copied: both hosts must have them (shared storage)" },
	{ VIR_MIGRATE_RDMA_PIN_ALL, "migration over RDMA is not supported" },
};

static int check_flags_of(unsigned int flags, struct error *err)
{
	for (size_t i = 0; i < ARRAY_SIZE(refused); i++)
		if (flags & refused[i].flag)
			return error_virt(err, VIR_ERR_ARGUMENT_UNSUPPORTED,
					  "%s", refused[i].why);
	return check_flags(flags, SUPPORTED, "virDomainMigrate", err);
}

int migrate_check_here(const struct registry *reg, struct error *err)
{
	return reg->net ? 0 :
			  error_virt(err, VIR_ERR_OPERATION_UNSUPPORTED,
				     "domains of '%s' cannot migrate",
				     reg->path);
}

/* In libvirt's words. */
static const struct {
	unsigned int flag;
	int code;
	const char *why;
} not_tunnelled[] = {
	{ VIR_MIGRATE_POSTCOPY, VIR_ERR_ARGUMENT_UNSUPPORTED,
	  "post-copy is not supported with tunnelled migration" },
	{ VIR_MIGRATE_OFFLINE, VIR_ERR_OPERATION_INVALID,
	  "tunnelled offline migration does not make sense" },
	{ VIR_MIGRATE_PARALLEL, VIR_ERR_INVALID_ARG,
	  "a tunnel has no parallel connections" },
	{ VIR_MIGRATE_TLS, VIR_ERR_ARGUMENT_UNSUPPORTED,
	  "a tunnel is as secret as the daemons' connection: no TLS of its "
	  "own" },
};

static int check_tunnel(const struct migrate_args *args, struct error *err)
{
	for (size_t i = 0; i < ARRAY_SIZE(not_tunnelled); i++)
		if (args->flags & not_tunnelled[i].flag)
			return error_virt(err, not_tunnelled[i].code, "%s",
					  not_tunnelled[i].why);
	if (!(args->flags & VIR_MIGRATE_PEER2PEER))
		return error_virt(err, VIR_ERR_OPERATION_INVALID,
				  "cannot perform tunnelled migration without "
				  "using peer2peer flag");
	if (args->uri || args->listen)
		return error_virt(err, VIR_ERR_ARGUMENT_UNSUPPORTED,
				  "%s is not supported by tunnelled migration",
				  args->uri ? "migration URI" :
					      "listen address");
	return 0;
}

int migrate_check(const struct migrate_args *args, struct error *err)
{
	int r = check_flags_of(args->flags, err);

	if (r == 0 && args->flags & VIR_MIGRATE_TUNNELLED)
		r = check_tunnel(args, err);
	if (r < 0)
		return r;
	if (args->flags & VIR_MIGRATE_OFFLINE) {
		r = offline_check(args, err);
		if (r < 0)
			return r;
	}
	if (args->flags & VIR_MIGRATE_POSTCOPY_RESUME &&
	    !(args->flags & VIR_MIGRATE_POSTCOPY))
		return error_virt(err, VIR_ERR_INVALID_ARG,
				  "only a post-copy migration can be resumed");
	if (args->compression && !str_eq(args->compression, "zstd"))
		return error_virt(err, VIR_ERR_ARGUMENT_UNSUPPORTED,
				  "compression method '%s' is not supported, "
				  "use 'zstd'",
				  args->compression);
	if (args->compression && !(args->flags & VIR_MIGRATE_COMPRESSED))
		return error_virt(err, VIR_ERR_INVALID_ARG,
				  "turn compression on to name its method");
	return 0;
}

int migrate_check_source(const struct migrate_args *args, struct error *err)
{
	int r = migrate_check(args, err);

	if (r < 0)
		return r;
	if ((args->throttle_first || args->throttle_step) &&
	    !(args->flags & VIR_MIGRATE_AUTO_CONVERGE))
		return error_virt(err, VIR_ERR_INVALID_ARG,
				  "turn auto convergence on to tune it");
	if (args->connections && !(args->flags & VIR_MIGRATE_PARALLEL))
		return error_virt(err, VIR_ERR_INVALID_ARG,
				  "turn parallel migration on to tune it");
	if (args->connections + !!(args->flags & VIR_MIGRATE_POSTCOPY) >
	    DOMAIN_STREAMS_MAX)
		return error_virt(err, VIR_ERR_INVALID_ARG,
				  "a guest migrates over at most %d "
				  "connections",
				  DOMAIN_STREAMS_MAX);
	if (args->throttle_first > 99 || args->throttle_step > 99)
		return error_virt(err, VIR_ERR_INVALID_ARG,
				  "a guest can be slowed down by 1 to 99 "
				  "percent");
	return 0;
}
