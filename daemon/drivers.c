/*
 * daemon/drivers.c -- the hypervisor drivers: shared objects in one folder.
 */
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <libvirt/virterror.h>
#include <string.h>
#include <sys/stat.h>

#include "daemon/registry.h"
#include "model/names.h"

#define LOG_MODULE "driver"
#include "base/log.h"

enum { DRIVERS_MAX = 32 };

/* Filled once, before threads start; modules are never unloaded. */
static struct loaded_driver *loaded[DRIVERS_MAX + 1];
static unsigned int n_loaded;

/* Code that somebody else may change must not run in the daemon. */
static int check_owner(const char *path, const struct stat *st,
		       struct error *err)
{
	if (st->st_uid != 0 && st->st_uid != geteuid())
		return error_set(err, -EPERM,
				 "'%s' belongs to user %u, not to root", path,
				 st->st_uid);
	if (st->st_mode & S_IWOTH)
		return error_set(err, -EPERM, "'%s' is writable by everyone",
				 path);
	return 0;
}

static void probe(struct loaded_driver *l)
{
	struct error err = { 0 };

	if (!l->driver->probe)
		l->caps.usable = true;
	else if (l->driver->probe(&l->caps, &err) < 0) {
		l->caps.usable = false;
		if (!l->caps.why[0])
			snprintf(l->caps.why, sizeof(l->caps.why), "%.500s",
				 err.message);
	}
	log_info("driver %s: %s", l->driver->name,
		 l->caps.usable ? "usable" : l->caps.why);
}

int drivers_add(const struct driver *driver, struct error *err)
{
	if (n_loaded == DRIVERS_MAX)
		return error_set(err, -E2BIG, "more than %d drivers",
				 DRIVERS_MAX);
	if (driver_named(driver->name))
		return error_set(err, -EEXIST,
				 "a driver '%s' is already loaded",
				 driver->name);
	loaded[n_loaded] = xcalloc(1, sizeof(**loaded));
	loaded[n_loaded]->driver = driver;
	probe(loaded[n_loaded++]);
	return 0;
}

static int load_one(const char *path, struct error *err)
{
	const struct driver *driver;
	struct stat st;
	void *module;
	int r;

	if (stat(path, &st) < 0)
		return error_set(err, -errno, "cannot stat '%s': %m", path);
	r = check_owner(path, &st, err);
	if (r < 0)
		return r;
	module = dlopen(path, RTLD_NOW | RTLD_LOCAL);
	if (!module)
		return error_set(err, -ELIBBAD, "cannot load driver: %s",
				 dlerror());
	driver = dlsym(module, DRIVER_SYMBOL);
	if (!driver) {
		dlclose(module);
		return error_set(err, -ELIBBAD, "'%s' has no symbol %s", path,
				 DRIVER_SYMBOL);
	}
	return drivers_add(driver, err);
}

static int is_module(const struct dirent *entry)
{
	size_t n = strlen(entry->d_name);

	return n > 3 && str_eq(entry->d_name + n - 3, ".so");
}

static int check_dir(const char *dir, struct error *err)
{
	struct stat st;

	if (stat(dir, &st) < 0)
		return error_set(err, -errno,
				 "cannot read driver folder '%s': %m", dir);
	return check_owner(dir, &st, err);
}

/* One module that cannot be loaded does not keep the others away. */
int drivers_load(const char *dir, struct error *err)
{
	struct dirent **names;
	struct error one = { 0 };
	int n, r = check_dir(dir, err);

	if (r < 0)
		return r;
	n = scandir(dir, &names, is_module, alphasort);
	if (n < 0)
		return error_set(err, -errno,
				 "cannot read driver folder '%s': %m", dir);
	for (int i = 0; i < n; i++) {
		_cleanup_free_ char *path =
			xasprintf("%s/%s", dir, names[i]->d_name);

		if (load_one(path, &one) < 0)
			log_error("%s", one.message);
		free(names[i]);
	}
	free(names);
	return 0;
}

const struct loaded_driver *const *drivers_loaded(void)
{
	return (const struct loaded_driver *const *)loaded;
}

const struct loaded_driver *driver_named(const char *name)
{
	for (unsigned int i = 0; i < n_loaded; i++)
		if (str_eq(loaded[i]->driver->name, name))
			return loaded[i];
	return NULL;
}

static bool runs(const struct driver *driver, enum dom_virt virt)
{
	for (const enum dom_virt *v = driver->virt_types; (int)*v >= 0; v++)
		if (*v == virt)
			return true;
	return false;
}

static bool better(const struct loaded_driver *a,
		   const struct loaded_driver *b)
{
	if (!b || a->caps.usable != b->caps.usable)
		return !b || a->caps.usable;
	return a->driver->priority > b->driver->priority;
}

const struct loaded_driver *driver_for(enum dom_virt virt, struct error *err)
{
	const struct loaded_driver *best = NULL;

	for (unsigned int i = 0; i < n_loaded; i++)
		if (runs(loaded[i]->driver, virt) && better(loaded[i], best))
			best = loaded[i];
	if (best && best->caps.usable)
		return best;
	error_virt(err, VIR_ERR_CONFIG_UNSUPPORTED,
		   "domain type '%s' cannot be used on this host: %s",
		   words_name(&words_virt, virt),
		   best ? best->caps.why : "no driver for it is installed");
	return NULL;
}

int driver_lacks(const struct driver *driver, const char *op,
		 struct error *err)
{
	if (!driver)
		return error_virt(err, VIR_ERR_OPERATION_UNSUPPORTED,
				  "the driver of this domain is not loaded");
	return error_virt(err, VIR_ERR_OPERATION_UNSUPPORTED,
			  "operation %s is not supported by driver '%s'", op,
			  driver->name);
}

void domain_stats_finish(struct domain_stats *stats)
{
	free(stats->vcpu_ns);
	free(stats->vcpu_wait_ns);
	free(stats->disks);
	free(stats->nics);
	free(stats->counters);
	*stats = (struct domain_stats){ 0 };
}
