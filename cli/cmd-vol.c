/*
 * cli/cmd-vol.c -- commands that do one thing to one volume: delete, wipe and
 * resize it; and its names.
 */
#include "cli/output.h"
#include "cli/storage.h"

#define OPTS_VOL DATA("vol"), STRING("pool")

static virStorageVolPtr get(struct ctl *ctl, const struct args *args)
{
	return ctl_vol(ctl, args, args_get(args, "vol"), "pool");
}

/* ---- vol-delete ---- */

static int run_vol_delete(struct ctl *ctl, const struct args *args)
{
	static const struct flag_option flags[] = {
		{ "delete-snapshots", VIR_STORAGE_VOL_DELETE_WITH_SNAPSHOTS },
		{ NULL },
	};
	virStorageVolPtr vol = get(ctl, args);
	const char *name = args_get(args, "vol");
	int status = EXIT_OK;

	if (!vol)
		return EXIT_FAILED;
	if (virStorageVolDelete(vol, args_flags(args, flags)) < 0)
		status = say_failed(ctl, "Failed to delete vol %s", name);
	else
		say(ctl, "Vol %s deleted\n", name);
	virStorageVolFree(vol);
	return status;
}

/* ---- vol-wipe ---- */

static const struct flag_option algorithms[] = {
	{ "zero", VIR_STORAGE_VOL_WIPE_ALG_ZERO },
	{ "nnsa", VIR_STORAGE_VOL_WIPE_ALG_NNSA },
	{ "dod", VIR_STORAGE_VOL_WIPE_ALG_DOD },
	{ "bsi", VIR_STORAGE_VOL_WIPE_ALG_BSI },
	{ "gutmann", VIR_STORAGE_VOL_WIPE_ALG_GUTMANN },
	{ "schneier", VIR_STORAGE_VOL_WIPE_ALG_SCHNEIER },
	{ "pfitzner7", VIR_STORAGE_VOL_WIPE_ALG_PFITZNER7 },
	{ "pfitzner33", VIR_STORAGE_VOL_WIPE_ALG_PFITZNER33 },
	{ "random", VIR_STORAGE_VOL_WIPE_ALG_RANDOM },
	{ "trim", VIR_STORAGE_VOL_WIPE_ALG_TRIM },
	{ NULL },
};

static const struct flag_option *find_algorithm(const char *name)
{
	const struct flag_option *a = algorithms;

	while (a->name && name && !str_eq(a->name, name))
		a++;
	return a->name ? a : NULL;
}

static int wipe(struct ctl *ctl, virStorageVolPtr vol,
		const struct flag_option *algorithm)
{
	const char *name = virStorageVolGetName(vol);
	int r = algorithm->bit == VIR_STORAGE_VOL_WIPE_ALG_ZERO ?
			virStorageVolWipe(vol, 0) :
			virStorageVolWipePattern(vol, algorithm->bit, 0);

	if (r < 0)
		return say_failed(ctl, "Failed to wipe vol %s", name);
	say(ctl, "Vol %s wiped\n", name);
	return EXIT_OK;
}

static int run_vol_wipe(struct ctl *ctl, const struct args *args)
{
	const char *name = args_get(args, "algorithm");
	const struct flag_option *algorithm = find_algorithm(name);
	virStorageVolPtr vol = get(ctl, args);
	int status = EXIT_FAILED;

	if (!vol)
		return EXIT_FAILED;
	if (algorithm)
		status = wipe(ctl, vol, algorithm);
	else
		say_error("Unsupported algorithm '%s'", name);
	virStorageVolFree(vol);
	return status;
}

/* ---- vol-resize ---- */

static int resize(struct ctl *ctl, virStorageVolPtr vol,
		  const struct args *args, unsigned long long capacity)
{
	static const struct flag_option flags[] = {
		{ "allocate", VIR_STORAGE_VOL_RESIZE_ALLOCATE },
		{ "delta", VIR_STORAGE_VOL_RESIZE_DELTA },
		{ "shrink", VIR_STORAGE_VOL_RESIZE_SHRINK },
		{ NULL },
	};
	const char *name = virStorageVolGetName(vol);
	const char *size = args_get(args, "capacity");
	const char *by = args_has(args, "delta") ? "by" : "to";

	if (virStorageVolResize(vol, capacity, args_flags(args, flags)) < 0)
		return say_failed(ctl,
				  "Failed to change size of volume '%s' %s %s",
				  name, by, size);
	say(ctl, "Size of volume '%s' successfully changed %s %s\n", name, by,
	    size);
	return EXIT_OK;
}

static int run_vol_resize(struct ctl *ctl, const struct args *args)
{
	virStorageVolPtr vol = get(ctl, args);
	unsigned long long capacity;
	int status = EXIT_FAILED;

	if (!vol)
		return EXIT_FAILED;
	if (args_bytes(args, "capacity", &capacity) == 0)
		status = resize(ctl, vol, args, capacity);
	virStorageVolFree(vol);
	return status;
}

/* ---- names ---- */

static int run_vol_key(struct ctl *ctl, const struct args *args)
{
	virStorageVolPtr vol = get(ctl, args);

	if (!vol)
		return EXIT_FAILED;
	say_value(ctl, "key", virStorageVolGetKey(vol));
	virStorageVolFree(vol);
	return EXIT_OK;
}

static int run_vol_name(struct ctl *ctl, const struct args *args)
{
	virStorageVolPtr vol =
		ctl_vol(ctl, args, args_get(args, "vol"), NULL);

	if (!vol)
		return EXIT_FAILED;
	say_value(ctl, "name", virStorageVolGetName(vol));
	virStorageVolFree(vol);
	return EXIT_OK;
}

static int run_vol_path(struct ctl *ctl, const struct args *args)
{
	virStorageVolPtr vol = get(ctl, args);
	_cleanup_free_ char *path = NULL;

	if (!vol)
		return EXIT_FAILED;
	path = virStorageVolGetPath(vol);
	if (path)
		say_value(ctl, "path", path);
	else
		say_failed(ctl, NULL);
	virStorageVolFree(vol);
	return path ? EXIT_OK : EXIT_FAILED;
}

static int run_vol_pool(struct ctl *ctl, const struct args *args)
{
	virStorageVolPtr vol =
		ctl_vol(ctl, args, args_get(args, "vol"), NULL);
	virStoragePoolPtr pool = vol ? virStoragePoolLookupByVolume(vol) : NULL;
	char uuid[VIR_UUID_STRING_BUFLEN] = "";

	if (vol && !pool)
		say_failed(ctl, "failed to get parent pool");
	if (vol)
		virStorageVolFree(vol);
	if (!pool)
		return EXIT_FAILED;
	if (!args_has(args, "uuid"))
		say_value(ctl, "pool", virStoragePoolGetName(pool));
	else if (virStoragePoolGetUUIDString(pool, uuid) == 0)
		say_value(ctl, "uuid", uuid);
	virStoragePoolFree(pool);
	return EXIT_OK;
}

/* ---- the commands ---- */

const struct command family_vol[] = {
	{
		.name = "vol-delete",
		.group = "volume",
		.summary = "delete a vol",
		.opts = OPTS(OPTS_VOL,
			     FLAG("delete-snapshots", "its snapshots too")),
		.run = run_vol_delete,
	},
	{
		.name = "vol-wipe",
		.group = "volume",
		.summary = "wipe a vol",
		.details = "What was in it cannot be read from it any more. "
			   "Algorithms: zero, nnsa, dod, bsi, gutmann, "
			   "schneier, pfitzner7, pfitzner33, random, trim.",
		.opts = OPTS(OPTS_VOL,
			     STRING("algorithm", "zero unless it is given")),
		.run = run_vol_wipe,
	},
	{
		.name = "vol-resize",
		.group = "volume",
		.summary = "resize a vol",
		.details = "Of one that no guest uses: see blockresize.",
		.opts = OPTS(DATA("vol"),
			     DATA("capacity", "bytes unless it has a unit"),
			     STRING("pool"),
			     FLAG("allocate", "take the room now"),
			     FLAG("delta", "capacity is what is added"),
			     FLAG("shrink", "allow it to become smaller")),
		.run = run_vol_resize,
	},
	{
		.name = "vol-key",
		.group = "volume",
		.summary = "the key of a volume's name or path",
		.opts = OPTS(OPTS_VOL),
		.run = run_vol_key,
	},
	{
		.name = "vol-name",
		.group = "volume",
		.summary = "the name of a volume's key or path",
		.opts = OPTS(DATA("vol", "volume key or path")),
		.run = run_vol_name,
	},
	{
		.name = "vol-path",
		.group = "volume",
		.summary = "the path of a volume's name or key",
		.opts = OPTS(OPTS_VOL),
		.run = run_vol_path,
	},
	{
		.name = "vol-pool",
		.group = "volume",
		.summary = "the pool of a volume's key or path",
		.opts = OPTS(DATA("vol", "volume key or path"),
			     FLAG("uuid", "its uuid, not its name")),
		.run = run_vol_pool,
	},
	{ NULL },
};
