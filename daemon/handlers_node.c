/*
 * daemon/handlers_node.c -- the host: what it has and how it fares.
 */
#include <errno.h>
#include <string.h>

#include <libvirt/libvirt.h>
#include <libvirt/virterror.h>

#include "daemon/hostinfo.h"
#include "daemon/reply.h"

int handle_node_get_info(struct call *call, wire_node_info *reply,
			 struct error *err)
{
	static const unsigned char model[] = "x86_64";
	const struct hostinfo *host = call->host;

	for (size_t i = 0; i < sizeof(model); i++)
		reply->model[i] = model[i];
	reply->memory = host->memory / KIB;
	reply->cpus = host->n_online;
	reply->mhz = host->mhz;
	reply->nodes = host->nodes;
	reply->sockets = host->sockets;
	reply->cores = host->cores;
	reply->threads = host->threads;
	return 0;
}

int handle_node_get_cpu_map(struct call *call, const wire_cpu_map_args *args,
			    wire_cpu_map *reply, struct error *err)
{
	const struct hostinfo *host = call->host;
	size_t len = (host->n_cpus + 7) / 8;
	int r = call_flags(call, args->flags, 0, err);

	if (r < 0)
		return r;
	if (args->need_map) {
		reply->map.wire_cpumap_val = xmalloc(len);
		reply->map.wire_cpumap_len = len;
		memcpy(reply->map.wire_cpumap_val, host->online, len);
	}
	if (args->need_online)
		reply->online = host->n_online;
	reply->ret = host->n_cpus;
	return 0;
}

int handle_node_get_free_memory(struct call *call, wire_u64 *reply,
				struct error *err)
{
	*reply = hostinfo_free_memory();
	return 0;
}

/* The host is described as one cell, number 0. */
int handle_node_get_cells_free_memory(struct call *call,
				      const wire_cells_args *args,
				      wire_cells *reply, struct error *err)
{
	if (args->start != 0 || args->max < 1)
		return error_virt(err, VIR_ERR_INVALID_ARG,
				  "start cell %d out of range (0-0)",
				  args->start);
	reply->cells.cells_val = xcalloc(1, sizeof(u_quad_t));
	reply->cells.cells_val[0] = hostinfo_free_memory();
	reply->cells.cells_len = 1;
	return 0;
}

int handle_node_get_security_model(struct call *call,
				   wire_security_model *reply,
				   struct error *err)
{
	/* Two empty strings: no labels are given to guests. */
	reply->model.model_val = xcalloc(1, sizeof(int));
	reply->model.model_len = 1;
	reply->doi.doi_val = xcalloc(1, sizeof(int));
	reply->doi.doi_len = 1;
	return 0;
}

/* ---- statistics: asked for their number first, then for values ---- */

struct stat_pair {
	const char *name;
	uint64_t value;
};

static void reply_stats(wire_node_stats *reply, int asked,
			const struct stat_pair *stats, unsigned int n)
{
	reply->nparams = n;
	if (asked <= 0)
		return;
	n = MIN((unsigned int)asked, n);
	reply->params.params_val = xcalloc(n, sizeof(wire_node_stat));
	reply->params.params_len = reply->nparams = n;
	for (unsigned int i = 0; i < n; i++) {
		reply->params.params_val[i].field = xstrdup(stats[i].name);
		reply->params.params_val[i].value = stats[i].value;
	}
}

int handle_node_get_cpu_stats(struct call *call,
			      const wire_node_stats_args *args,
			      wire_node_stats *reply, struct error *err)
{
	struct host_cpu_times t;
	int r = call_flags(call, args->flags, 0, err);

	if (r < 0)
		return r;
	if (args->first < VIR_NODE_CPU_STATS_ALL_CPUS)
		return error_virt(err, VIR_ERR_INVALID_ARG,
				  "Invalid cpuNum in %s", call->proc->api);
	r = hostinfo_cpu_times(call->host, args->first, &t, err);
	if (r == -EINVAL)
		return error_virt(err, VIR_ERR_INVALID_ARG,
				  "Invalid cpuNum in %s", call->proc->api);
	if (r < 0)
		return r;
	reply_stats(reply, args->second,
		    (struct stat_pair[]){
			    { VIR_NODE_CPU_STATS_KERNEL, t.kernel },
			    { VIR_NODE_CPU_STATS_USER, t.user },
			    { VIR_NODE_CPU_STATS_IDLE, t.idle },
			    { VIR_NODE_CPU_STATS_IOWAIT, t.iowait },
		    },
		    4);
	return 0;
}

int handle_node_get_memory_stats(struct call *call,
				 const wire_node_stats_args *args,
				 wire_node_stats *reply, struct error *err)
{
	struct host_memory m;
	int r = call_flags(call, args->flags, 0, err);

	if (r < 0)
		return r;
	if (args->second > 0 || args->second < VIR_NODE_MEMORY_STATS_ALL_CELLS)
		return error_virt(err, VIR_ERR_INVALID_ARG,
				  "cellNum in %s must be less than or equal "
				  "to 0",
				  call->proc->api);
	r = hostinfo_memory(call->host, &m, err);
	if (r < 0)
		return r;
	reply_stats(reply, args->first,
		    (struct stat_pair[]){
			    { VIR_NODE_MEMORY_STATS_TOTAL, m.total },
			    { VIR_NODE_MEMORY_STATS_FREE, m.free },
			    { VIR_NODE_MEMORY_STATS_BUFFERS, m.buffers },
			    { VIR_NODE_MEMORY_STATS_CACHED, m.cached },
		    },
		    4);
	return 0;
}
