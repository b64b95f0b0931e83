/*
 * dbus/convert.c -- the calls whose results are arrays of structs, or need a
 * second call to know how much to ask for.
 */
#include <string.h>

#include "dbus/convert.h"

static void open_array(const struct call *c, const char *of,
		       DBusMessageIter *ret)
{
	dbus_message_iter_open_container(c->reply, 'a', of, ret);
}

static bool close_array(const struct call *c, DBusMessageIter *array)
{
	return dbus_message_iter_close_container(c->reply, array);
}

static void open_struct(DBusMessageIter *in, DBusMessageIter *ret)
{
	dbus_message_iter_open_container(in, 'r', NULL, ret);
}

static void close_struct(DBusMessageIter *in, DBusMessageIter *s)
{
	dbus_message_iter_close_container(in, s);
}

static void put_entry(DBusMessageIter *array, const char *name, uint64_t value)
{
	DBusMessageIter entry;

	dbus_message_iter_open_container(array, 'e', NULL, &entry);
	put_string(&entry, name);
	put_basic(&entry, 't', &value);
	dbus_message_iter_close_container(array, &entry);
}

static void put_strings(DBusMessageIter *to, char *const *strings, int n)
{
	DBusMessageIter array;

	dbus_message_iter_open_container(to, 'a', "s", &array);
	for (int i = 0; i < n; i++)
		put_string(&array, strings[i]);
	dbus_message_iter_close_container(to, &array);
}

static void strings_free(char **strings, int n)
{
	for (int i = 0; i < n; i++)
		free(strings[i]);
	free(strings);
}

bool convert_all_stats(const struct call *c)
{
	virDomainStatsRecordPtr *records = NULL;
	DBusMessageIter array, entry;
	int n = virConnectGetAllDomainStats(c->conn, c->in->v[0].u, &records,
					    c->in->v[1].u);

	if (n < 0)
		return false;
	open_array(c, "(sa{sv})", &array);
	for (int i = 0; i < n; i++) {
		open_struct(&array, &entry);
		put_string(&entry, virDomainGetName(records[i]->dom));
		put_params(&entry, records[i]->params, records[i]->nparams);
		close_struct(&array, &entry);
	}
	virDomainStatsRecordListFree(records);
	return close_array(c, &array);
}

bool convert_stats(const struct call *c)
{
	virDomainPtr domains[] = { c->self, NULL };
	virDomainStatsRecordPtr *records = NULL;
	int n = virDomainListGetStats(domains, c->in->v[0].u, &records,
				      c->in->v[1].u);

	if (n == 1)
		put_params(c->reply, records[0]->params, records[0]->nparams);
	if (n >= 0)
		virDomainStatsRecordListFree(records);
	return n == 1;
}

bool convert_cpu_map(const struct call *c)
{
	unsigned char *map = NULL;
	unsigned int online;
	int n = virNodeGetCPUMap(c->conn, &map, &online, c->in->v[0].u);

	if (n >= 0)
		put_map(c->reply, map, n);
	free(map);
	return n >= 0;
}

bool convert_cpu_stats(const struct call *c)
{
	_cleanup_free_ virNodeCPUStatsPtr stats = NULL;
	int cpu = c->in->v[0].i, n = 0;
	unsigned int flags = c->in->v[1].u;
	DBusMessageIter array;

	if (virNodeGetCPUStats(c->conn, cpu, NULL, &n, flags) < 0)
		return false;
	stats = xcalloc(MAX(n, 1), sizeof(*stats));
	if (n && virNodeGetCPUStats(c->conn, cpu, stats, &n, flags) < 0)
		return false;
	open_array(c, "{st}", &array);
	for (int i = 0; i < n; i++)
		put_entry(&array, stats[i].field, stats[i].value);
	return close_array(c, &array);
}

bool convert_memory_stats(const struct call *c)
{
	_cleanup_free_ virNodeMemoryStatsPtr stats = NULL;
	int cell = c->in->v[0].i, n = 0;
	unsigned int flags = c->in->v[1].u;
	DBusMessageIter array;

	if (virNodeGetMemoryStats(c->conn, cell, NULL, &n, flags) < 0)
		return false;
	stats = xcalloc(MAX(n, 1), sizeof(*stats));
	if (n && virNodeGetMemoryStats(c->conn, cell, stats, &n, flags) < 0)
		return false;
	open_array(c, "{st}", &array);
	for (int i = 0; i < n; i++)
		put_entry(&array, stats[i].field, stats[i].value);
	return close_array(c, &array);
}

bool convert_security_model(const struct call *c)
{
	DBusMessageIter entry;
	virSecurityModel model;

	if (virNodeGetSecurityModel(c->conn, &model) < 0)
		return false;
	open_struct(c->reply, &entry);
	put_string(&entry, model.model);
	put_string(&entry, model.doi);
	close_struct(c->reply, &entry);
	return true;
}

bool convert_cpu_models(const struct call *c)
{
	char **models = NULL;
	int n = virConnectGetCPUModelNames(c->conn, c->in->v[0].s, &models,
					   c->in->v[1].u);

	if (n < 0)
		return false;
	put_strings(c->reply, models, n);
	strings_free(models, n);
	return true;
}

bool convert_disk_errors(const struct call *c)
{
	unsigned int flags = c->in->v[0].u;
	_cleanup_free_ virDomainDiskErrorPtr errors = NULL;
	int max = virDomainGetDiskErrors(c->self, NULL, 0, flags), n = 0;
	DBusMessageIter array, entry;

	if (max < 0)
		return false;
	errors = xcalloc(MAX(max, 1), sizeof(*errors));
	if (max)
		n = virDomainGetDiskErrors(c->self, errors, max, flags);
	if (n < 0)
		return false;
	open_array(c, "(si)", &array);
	for (int i = 0; i < n; i++) {
		open_struct(&array, &entry);
		put_string(&entry, errors[i].disk);
		put_basic(&entry, 'i', &errors[i].error);
		close_struct(&array, &entry);
		free(errors[i].disk);
	}
	return close_array(c, &array);
}

static int host_cpus(const struct call *c)
{
	return virNodeGetCPUMap(c->conn, NULL, NULL, 0);
}

bool convert_emulator_pins(const struct call *c)
{
	_cleanup_free_ unsigned char *map = NULL;
	int cpus = host_cpus(c);

	if (cpus < 0)
		return false;
	map = xcalloc(1, VIR_CPU_MAPLEN(cpus));
	if (virDomainGetEmulatorPinInfo(c->self, map, VIR_CPU_MAPLEN(cpus),
					c->in->v[0].u) < 0)
		return false;
	put_map(c->reply, map, cpus);
	return true;
}

bool convert_vcpu_pins(const struct call *c)
{
	_cleanup_free_ unsigned char *maps = NULL;
	int cpus = host_cpus(c), len, n;
	DBusMessageIter array;
	virDomainInfo info;

	if (cpus < 0 || virDomainGetInfo(c->self, &info) < 0)
		return false;
	len = VIR_CPU_MAPLEN(cpus);
	maps = xcalloc(info.nrVirtCpu, len);
	n = virDomainGetVcpuPinInfo(c->self, info.nrVirtCpu, maps, len,
				    c->in->v[0].u);
	if (n < 0)
		return false;
	open_array(c, "ab", &array);
	for (int i = 0; i < info.nrVirtCpu; i++)
		put_map(&array, maps + i * len, cpus);
	return close_array(c, &array);
}

bool convert_iothreads(const struct call *c)
{
	virDomainIOThreadInfoPtr *info = NULL;
	int n = virDomainGetIOThreadInfo(c->self, &info, c->in->v[0].u);
	DBusMessageIter array, entry;

	if (n < 0)
		return false;
	open_array(c, "(uab)", &array);
	for (int i = 0; i < n; i++) {
		int cpus = MIN(host_cpus(c), info[i]->cpumaplen * 8);

		open_struct(&array, &entry);
		put_basic(&entry, 'u', &info[i]->iothread_id);
		put_map(&entry, info[i]->cpumap, cpus);
		close_struct(&array, &entry);
		virDomainIOThreadInfoFree(info[i]);
	}
	free(info);
	return close_array(c, &array);
}

bool convert_fsinfo(const struct call *c)
{
	virDomainFSInfoPtr *info = NULL;
	int n = virDomainGetFSInfo(c->self, &info, c->in->v[0].u);
	DBusMessageIter array, entry;

	if (n < 0)
		return false;
	open_array(c, "(sssas)", &array);
	for (int i = 0; i < n; i++) {
		open_struct(&array, &entry);
		put_string(&entry, info[i]->mountpoint);
		put_string(&entry, info[i]->name);
		put_string(&entry, info[i]->fstype);
		put_strings(&entry, info[i]->devAlias, info[i]->ndevAlias);
		close_struct(&array, &entry);
		virDomainFSInfoFree(info[i]);
	}
	free(info);
	return close_array(c, &array);
}

bool convert_labels(const struct call *c)
{
	virSecurityLabelPtr labels = NULL;
	int n = virDomainGetSecurityLabelList(c->self, &labels);
	DBusMessageIter array, entry;

	if (n < 0)
		return false;
	open_array(c, "(sb)", &array);
	for (int i = 0; i < n; i++) {
		dbus_bool_t enforcing = labels[i].enforcing != 0;

		open_struct(&array, &entry);
		put_string(&entry, labels[i].label);
		put_basic(&entry, 'b', &enforcing);
		close_struct(&array, &entry);
	}
	free(labels);
	return close_array(c, &array);
}

static void put_address(DBusMessageIter *array, virDomainIPAddressPtr a)
{
	DBusMessageIter entry;
	int32_t type = a->type;
	uint32_t prefix = a->prefix;

	open_struct(array, &entry);
	put_basic(&entry, 'i', &type);
	put_string(&entry, a->addr);
	put_basic(&entry, 'u', &prefix);
	close_struct(array, &entry);
}

bool convert_addresses(const struct call *c)
{
	virDomainInterfacePtr *ifaces = NULL;
	int n = virDomainInterfaceAddresses(c->self, &ifaces, c->in->v[0].u,
					    c->in->v[1].u);
	DBusMessageIter array, entry, addresses;

	if (n < 0)
		return false;
	open_array(c, "(ssa(isu))", &array);
	for (int i = 0; i < n; i++) {
		open_struct(&array, &entry);
		put_string(&entry, ifaces[i]->name);
		put_string(&entry, ifaces[i]->hwaddr);
		dbus_message_iter_open_container(&entry, 'a', "(isu)",
						 &addresses);
		for (unsigned int j = 0; j < ifaces[i]->naddrs; j++)
			put_address(&addresses, &ifaces[i]->addrs[j]);
		dbus_message_iter_close_container(&entry, &addresses);
		close_struct(&array, &entry);
		virDomainInterfaceFree(ifaces[i]);
	}
	free(ifaces);
	return close_array(c, &array);
}

bool convert_domain_memory(const struct call *c)
{
	virDomainMemoryStatStruct stats[VIR_DOMAIN_MEMORY_STAT_NR];
	int n = virDomainMemoryStats(c->self, stats, ARRAY_SIZE(stats),
				     c->in->v[0].u);
	DBusMessageIter array, entry;

	if (n < 0)
		return false;
	open_array(c, "{it}", &array);
	for (int i = 0; i < n; i++) {
		dbus_message_iter_open_container(&array, 'e', NULL, &entry);
		put_basic(&entry, 'i', &stats[i].tag);
		put_basic(&entry, 't', &stats[i].val);
		dbus_message_iter_close_container(&array, &entry);
	}
	return close_array(c, &array);
}

/* How many there are is what the scheduler's type says. */
bool convert_scheduler(const struct call *c)
{
	virTypedParameterPtr params;
	char *type;
	int n = 0, r;

	type = virDomainGetSchedulerType(c->self, &n);
	if (!type)
		return false;
	free(type);
	params = xcalloc(MAX(n, 1), sizeof(*params));
	r = n ? virDomainGetSchedulerParametersFlags(c->self, params, &n,
						     c->in->v[0].u) : 0;
	if (r >= 0)
		put_params(c->reply, params, n);
	virTypedParamsFree(params, r >= 0 ? n : 0);
	return r >= 0;
}

static void put_lease(DBusMessageIter *array, virNetworkDHCPLeasePtr lease)
{
	int64_t expiry = lease->expirytime;
	int32_t type = lease->type;
	uint32_t prefix = lease->prefix;
	DBusMessageIter entry;

	open_struct(array, &entry);
	put_string(&entry, lease->iface);
	put_basic(&entry, 'x', &expiry);
	put_basic(&entry, 'i', &type);
	put_string(&entry, lease->mac);
	put_string(&entry, lease->iaid);
	put_string(&entry, lease->ipaddr);
	put_basic(&entry, 'u', &prefix);
	put_string(&entry, lease->hostname);
	put_string(&entry, lease->clientid);
	close_struct(array, &entry);
}

bool convert_leases(const struct call *c)
{
	const char *mac = c->in->v[0].s;
	virNetworkDHCPLeasePtr *leases = NULL;
	int n = virNetworkGetDHCPLeases(c->self, *mac ? mac : NULL, &leases,
					c->in->v[1].u);
	DBusMessageIter array;

	if (n < 0)
		return false;
	open_array(c, "(sxisssuss)", &array);
	for (int i = 0; i < n; i++) {
		put_lease(&array, leases[i]);
		virNetworkDHCPLeaseFree(leases[i]);
	}
	free(leases);
	return close_array(c, &array);
}

bool convert_capabilities(const struct call *c)
{
	int max = virNodeDeviceNumOfCaps(c->self), n;
	char **caps;

	if (max < 0)
		return false;
	caps = xcalloc(max + 1, sizeof(*caps));
	n = virNodeDeviceListCaps(c->self, caps, max);
	if (n >= 0)
		put_strings(c->reply, caps, n);
	strings_free(caps, MAX(n, 0));
	return n >= 0;
}

bool convert_secret(const struct call *c)
{
	size_t size = 0;
	unsigned char *value = virSecretGetValue(c->self, &size,
						 c->in->v[0].u);
	DBusMessageIter array;

	if (!value)
		return false;
	open_array(c, "y", &array);
	dbus_message_iter_append_fixed_array(&array, 'y', &value, size);
	explicit_bzero(value, size);
	free(value);
	return close_array(c, &array);
}
