/*
 * tests/unit/rpc/registry.c -- a registry of one domain for tests of the
 * server.
 */
#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <sys/socket.h>

#include <libvirt/virterror.h>

#include "base/error.h"
#include "daemon/agent.h"
#include "daemon/checkpoint.h"
#include "daemon/migrate.h"
#include "daemon/snapshot.h"
#include "daemon/tune.h"
#include "tests/unit/rpc/registry.h"

struct registry {
	void (*fn)(void *arg, const struct domain_notice *n);
	void *arg;
};

struct networks *registry_networks(struct registry *reg)
{
	return NULL;
}

struct nwfilters *registry_nwfilters(struct registry *reg)
{
	return NULL;
}

const uint8_t foo_uuid[UUID_LEN] = { 1, 2, 3 };

static struct registry the_registry;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static bool hold;
static unsigned int held;
static int console = -1;
static void *gone;
static size_t xml_size = 16;

void fake_hold(void)
{
	pthread_mutex_lock(&lock);
	hold = true;
	pthread_mutex_unlock(&lock);
}

void fake_release(void)
{
	pthread_mutex_lock(&lock);
	hold = false;
	pthread_cond_broadcast(&changed);
	pthread_mutex_unlock(&lock);
}

unsigned int fake_held(void)
{
	unsigned int n;

	pthread_mutex_lock(&lock);
	n = held;
	pthread_mutex_unlock(&lock);
	return n;
}

void fake_notify(int event)
{
	struct domain_notice n = { .kind = DOMAIN_NOTIFY_LIFECYCLE,
				   .event = event };

	(void)domain_lookup_name(&the_registry, "foo", &n.dom, NULL);
	the_registry.fn(the_registry.arg, &n);
}

int fake_console(void)
{
	int fd;

	pthread_mutex_lock(&lock);
	fd = console;
	pthread_mutex_unlock(&lock);
	return fd;
}

void *fake_owner_gone(void)
{
	void *owner;

	pthread_mutex_lock(&lock);
	while (!gone)
		pthread_cond_wait(&changed, &lock);
	owner = gone;
	gone = NULL;
	pthread_mutex_unlock(&lock);
	return owner;
}

void *fake_forget_owner(void)
{
	void *owner;

	pthread_mutex_lock(&lock);
	owner = gone;
	gone = NULL;
	pthread_mutex_unlock(&lock);
	return owner;
}

void fake_xml_size(size_t size)
{
	pthread_mutex_lock(&lock);
	xml_size = size;
	pthread_mutex_unlock(&lock);
}

/* ---- what the server calls ---- */

struct registry *registry_find(const char *path)
{
	return strcmp(path, "/test") ? NULL : &the_registry;
}

void registry_subscribe(struct registry *reg,
			void (*fn)(void *arg, const struct domain_notice *n),
			void *arg)
{
	reg->fn = fn;
	reg->arg = arg;
}

int domain_lookup_name(struct registry *reg, const char *name,
		       struct domain_ref *ret, struct error *err)
{
	if (strcmp(name, "foo") != 0)
		return error_virt(err, VIR_ERR_NO_DOMAIN,
				  "no domain with matching name '%s'", name);
	*ret = (struct domain_ref){ .name = "foo", .id = 1 };
	memcpy(ret->uuid, foo_uuid, UUID_LEN);
	return 0;
}

int domain_suspend(struct registry *reg, const uint8_t uuid[UUID_LEN],
		   struct error *err)
{
	pthread_mutex_lock(&lock);
	held++;
	while (hold)
		pthread_cond_wait(&changed, &lock);
	held--;
	pthread_mutex_unlock(&lock);
	return 0;
}

char *domain_get_xml(struct registry *reg, const uint8_t uuid[UUID_LEN],
		     unsigned int flags, struct error *err)
{
	char *xml;

	pthread_mutex_lock(&lock);
	xml = xmalloc(xml_size + 1);
	memset(xml, 'x', xml_size);
	xml[xml_size] = '\0';
	pthread_mutex_unlock(&lock);
	return xml;
}

int domain_open_console(struct registry *reg, const uint8_t uuid[UUID_LEN],
			const char *alias, unsigned int flags, int *ret_fd,
			struct error *err)
{
	int sock[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sock) < 0)
		return error_set(err, -errno, "%m");
	pthread_mutex_lock(&lock);
	console = sock[1];
	pthread_mutex_unlock(&lock);
	*ret_fd = sock[0];
	return 0;
}

void domain_owner_gone(struct registry *reg, void *owner)
{
	pthread_mutex_lock(&lock);
	gone = owner;
	pthread_cond_broadcast(&changed);
	pthread_mutex_unlock(&lock);
}

/* ---- what no test here comes to ---- */

#define NOT_HERE(type, name, args, value)                              \
	type name args;                                                \
	type name args                                                 \
	{                                                              \
		error_virt(err, VIR_ERR_OPERATION_UNSUPPORTED, #name); \
		return value;                                          \
	}
#define NOT_HERE_INT(name, ...)                                     \
	NOT_HERE(int, name,                                         \
		 (struct registry * reg __VA_OPT__(, ) __VA_ARGS__, \
		  struct error * err),                              \
		 -EOPNOTSUPP)
#define UUID const uint8_t uuid[UUID_LEN]

NOT_HERE_INT(domain_lookup_uuid, UUID, struct domain_ref *ret)
NOT_HERE_INT(domain_lookup_id, int id, struct domain_ref *ret)
NOT_HERE_INT(domain_list, unsigned int flags, struct domain_ref **ret)
NOT_HERE_INT(domain_define, const char *xml, unsigned int flags,
	     struct domain_ref *ret)
NOT_HERE_INT(domain_create_xml, const char *xml, unsigned int flags,
	     void *owner, struct domain_ref *ret)
NOT_HERE_INT(domain_undefine, UUID, unsigned int flags)
NOT_HERE_INT(domain_create, UUID, unsigned int flags, void *owner)
NOT_HERE_INT(domain_destroy, UUID, unsigned int flags)
NOT_HERE_INT(domain_shutdown, UUID, unsigned int flags)
NOT_HERE_INT(domain_reboot, UUID, unsigned int flags)
NOT_HERE_INT(domain_reset, UUID, unsigned int flags)
NOT_HERE_INT(domain_resume, UUID)
NOT_HERE_INT(domain_inject_nmi, UUID, unsigned int flags)
NOT_HERE_INT(domain_send_keys, UUID, unsigned int set, unsigned int hold_ms,
	     const unsigned int *codes, unsigned int n, unsigned int flags)
NOT_HERE_INT(domain_screenshot, UUID, unsigned int screen,
	     unsigned int flags, int *ret_fd, char ret_mime[64])
NOT_HERE_INT(domain_open_graphics, UUID, unsigned int index, int fd,
	     unsigned int flags)
NOT_HERE_INT(domain_open_graphics_fd, UUID, unsigned int index,
	     unsigned int flags, int *ret_fd)
NOT_HERE_INT(domain_update_graphics, UUID, const struct dom_graphics *want,
	     unsigned int flags)
NOT_HERE_INT(domain_update_memory, UUID, const char *xml, unsigned int flags)
NOT_HERE_INT(snapshot_names, UUID, const char *of, unsigned int flags,
	     char ***ret_names, unsigned int *ret_n)
NOT_HERE_INT(snapshot_is_current, UUID, const char *name, unsigned int flags)
NOT_HERE_INT(snapshot_check, UUID, const char *name, unsigned int flags)
NOT_HERE_INT(snapshot_create, UUID, const char *xml, unsigned int flags,
	     char **ret_name)
NOT_HERE_INT(snapshot_revert, UUID, const char *name, unsigned int flags)
NOT_HERE_INT(snapshot_delete, UUID, const char *name, unsigned int flags)
NOT_HERE(char *, snapshot_xml,
	 (struct registry * reg, UUID, const char *name, unsigned int flags,
	  struct error *err), NULL)
NOT_HERE(char *, snapshot_parent,
	 (struct registry * reg, UUID, const char *name, unsigned int flags,
	  struct error *err), NULL)
NOT_HERE(char *, snapshot_current,
	 (struct registry * reg, UUID, unsigned int flags, struct error *err),
	 NULL)
NOT_HERE_INT(checkpoint_names, UUID, const char *of, unsigned int flags,
	     char ***ret_names, unsigned int *ret_n)
NOT_HERE_INT(checkpoint_check, UUID, const char *name, unsigned int flags)
NOT_HERE_INT(checkpoint_create, UUID, const char *xml, unsigned int flags,
	     char **ret_name)
NOT_HERE_INT(checkpoint_delete, UUID, const char *name, unsigned int flags)
NOT_HERE(char *, checkpoint_xml,
	 (struct registry * reg, UUID, const char *name, unsigned int flags,
	  struct error *err), NULL)
NOT_HERE(char *, checkpoint_parent,
	 (struct registry * reg, UUID, const char *name, unsigned int flags,
	  struct error *err), NULL)
void snapshot_names_free(char **names, unsigned int n)
{
}
NOT_HERE_INT(domain_block_info, UUID, const char *path, unsigned int flags,
	     struct domain_block_info *ret)
NOT_HERE_INT(domain_block_job_info, UUID, const char *path, unsigned int flags,
	     struct domain_block_job *ret)
NOT_HERE_INT(domain_block_job_speed, UUID, const char *path, uint64_t speed,
	     unsigned int flags)
NOT_HERE_INT(domain_block_job_abort, UUID, const char *path,
	     unsigned int flags)
NOT_HERE_INT(domain_block_pull, UUID, const char *path, const char *base,
	     uint64_t speed, unsigned int flags)
NOT_HERE_INT(domain_block_commit, UUID, const char *path, const char *base,
	     const char *top, uint64_t speed, unsigned int flags)
NOT_HERE_INT(domain_block_copy, UUID, const char *path,
	     const struct domain_block_copy *to, unsigned int flags)
NOT_HERE_INT(domain_backup_begin, UUID, const char *xml,
	     const char *checkpoint, unsigned int flags)
NOT_HERE(char *, domain_backup_xml,
	 (struct registry * reg, UUID, unsigned int flags, struct error *err),
	 NULL)
NOT_HERE_INT(domain_block_resize, UUID, const char *path, uint64_t size,
	     unsigned int flags)
NOT_HERE_INT(domain_block_peek, UUID, const char *path, uint64_t offset,
	     void *to, size_t len, unsigned int flags)
NOT_HERE_INT(domain_memory_peek, UUID, uint64_t at, void *to, size_t len,
	     unsigned int flags)
NOT_HERE_INT(domain_set_vcpu, UUID, const char *which, bool there,
	     unsigned int flags)
NOT_HERE_INT(domain_pm_suspend, UUID, unsigned int target)
NOT_HERE_INT(domain_pm_wakeup, UUID)
NOT_HERE_INT(domain_open_channel, UUID, const char *name, unsigned int flags,
	     int *ret_fd)
NOT_HERE_INT(agent_call, UUID, const char *command, struct json_object *args,
	     struct json_object **ret)
NOT_HERE_INT(agent_call_text, UUID, const char *text, int timeout,
	     char **ret_reply)
NOT_HERE_INT(agent_set_timeout, UUID, int timeout)
NOT_HERE_INT(domain_core_dump, UUID, const char *path, unsigned int format,
	     unsigned int flags)
NOT_HERE_INT(domain_save, UUID, const char *path, const char *dxml,
	     unsigned int flags)
NOT_HERE_INT(domain_restore, const char *path, const char *dxml,
	     unsigned int flags)
NOT_HERE_INT(domain_save_image_define, const char *path, const char *dxml,
	     unsigned int flags)
NOT_HERE_INT(domain_managed_save, UUID, unsigned int flags)
NOT_HERE_INT(domain_has_managed_save, UUID)
NOT_HERE_INT(domain_managed_save_remove, UUID)
NOT_HERE_INT(domain_managed_save_define, UUID, const char *dxml,
	     unsigned int flags)
NOT_HERE_INT(domain_migrate_begin, UUID, const struct migrate_args *args,
	     char **ret_xml, struct migrate_cookie *out)
NOT_HERE_INT(domain_migrate_prepare, const struct migrate_args *args,
	     const struct migrate_cookie *in, char **ret_uri,
	     struct migrate_cookie *out)
NOT_HERE_INT(domain_migrate_perform, UUID, const struct migrate_args *args,
	     const struct migrate_cookie *in, struct migrate_cookie *out)
NOT_HERE_INT(domain_migrate_finish, const struct migrate_args *args,
	     const struct migrate_cookie *in, bool cancelled,
	     struct domain_ref *ret)
NOT_HERE_INT(domain_migrate_confirm, UUID, const struct migrate_args *args,
	     bool cancelled)
NOT_HERE_INT(migrate_peer_to_peer, UUID, const struct migrate_args *args)
NOT_HERE_INT(domain_migrate_limit, UUID, enum migrate_limit which, bool set,
	     uint64_t *value)
NOT_HERE_INT(domain_migrate_start_postcopy, UUID)
NOT_HERE_INT(domain_abort_job, UUID, unsigned int flags)
NOT_HERE_INT(domain_job_info, UUID, bool completed, bool keep,
	     struct domain_job *ret_job)
NOT_HERE(char *, domain_save_image_xml,
	 (struct registry * reg, const char *path, unsigned int flags,
	  struct error *err),
	 NULL)
NOT_HERE(char *, domain_managed_save_xml,
	 (struct registry * reg, UUID, unsigned int flags, struct error *err),
	 NULL)
NOT_HERE_INT(domain_set_autostart, UUID, bool autostart)
NOT_HERE_INT(domain_set_vcpus, UUID, unsigned int n, unsigned int flags)
NOT_HERE_INT(domain_tune, UUID, const char *job, unsigned int flags,
	     unsigned int what, tune_edit *edit, const void *arg)
NOT_HERE_INT(domain_set_memory, UUID, uint64_t bytes, unsigned int flags)
NOT_HERE_INT(domain_set_memory_stats_period, UUID, int period,
	     unsigned int flags)
NOT_HERE_INT(domain_measure_dirty, UUID, unsigned int seconds, bool log)
NOT_HERE_INT(domain_update_disk, UUID, const char *xml, unsigned int flags)
NOT_HERE_INT(domain_attach_device, UUID, const char *xml, unsigned int flags)
NOT_HERE_INT(domain_detach_device, UUID, const char *xml, unsigned int flags)
NOT_HERE_INT(domain_detach_alias, UUID, const char *alias, unsigned int flags)
NOT_HERE_INT(domain_update_iface, UUID, const char *xml, unsigned int flags)
NOT_HERE_INT(nodedev_list, const char *cap, char ***ret_names,
	     unsigned int *ret_n)
NOT_HERE_INT(nodedev_check, const char *name)
NOT_HERE_INT(nodedev_detach, const char *name, const char *driver)
NOT_HERE_INT(nodedev_reattach, const char *name)
NOT_HERE_INT(nodedev_reset, const char *name)
NOT_HERE(char *, nodedev_parent,
	 (struct registry * reg, const char *name, struct error *err), NULL)
NOT_HERE(char *, nodedev_xml,
	 (struct registry * reg, const char *name, struct error *err), NULL)
NOT_HERE_INT(domain_rename, UUID, const char *name, unsigned int flags)
NOT_HERE_INT(domain_set_metadata, UUID, int type, const char *metadata,
	     const char *key, const char *uri, unsigned int flags)
NOT_HERE_INT(domain_get_info, UUID, struct domain_info *ret)
NOT_HERE_INT(domain_peek_info, UUID, struct domain_info *ret)
NOT_HERE_INT(domain_try_stats, UUID, struct domain_stats *ret)
NOT_HERE_INT(domain_get_stats, UUID, struct domain_stats *ret)
NOT_HERE(char *, domain_get_metadata,
	 (struct registry * reg, UUID, int type, const char *uri,
	  unsigned int flags, struct error *err),
	 NULL)
NOT_HERE(struct domain_def *, domain_tuned,
	 (struct registry * reg, UUID, unsigned int flags, struct error *err),
	 NULL)
NOT_HERE(struct domain_def *, domain_get_def,
	 (struct registry * reg, UUID, bool live, struct error *err), NULL)
NOT_HERE(const struct loaded_driver *, driver_for,
	 (enum dom_virt virt, struct error *err), NULL)
NOT_HERE(char *, capabilities_xml, (struct error * err), NULL)
NOT_HERE(const struct loaded_driver *, domain_capabilities_driver,
	 (const char *emulator, const char *arch, const char *machine,
	  const char *virttype, enum dom_virt *ret_virt,
	  const char **ret_machine, struct error *err), NULL)
NOT_HERE(char *, domain_capabilities_xml,
	 (const char *emulator, const char *arch, const char *machine,
	  const char *virttype, struct error *err),
	 NULL)

const struct loaded_driver *const *drivers_loaded(void)
{
	return NULL;
}

void domain_stats_finish(struct domain_stats *stats)
{
}
