/*
 * daemon/handlers_node_memory.c -- the host's pages: free ones of each size, and
 * how it merges equal ones.
 */
#include <errno.h>

#include <libvirt/libvirt.h>
#include <libvirt/virterror.h>

#include "daemon/hostinfo.h"
#include "daemon/reply.h"

/* The host is described as one cell, number 0; -1 is all of it. */
int handle_node_get_free_pages(struct call *call,
			       const wire_free_pages_args *args,
			       wire_free_pages *reply, struct error *err)
{
	unsigned int n = args->pages.pages_len;
	int r = call_flags(call, args->flags, 0, err);

	if (r < 0)
		return r;
	if (args->start < -1 || args->start > 0)
		return error_virt(err, VIR_ERR_INTERNAL_ERROR,
				  "start cell %d out of range (0-0)",
				  args->start);
	reply->counts.counts_val = xcalloc(MAX(n, 1u), sizeof(u_quad_t));
	for (unsigned int i = 0; i < n && args->cells; i++) {
		unsigned int kib = args->pages.pages_val[i];
		uint64_t count = 0;

		if (hostmm_free_pages(&call->host->mm, kib, &count) < 0)
			return error_virt(err, VIR_ERR_OPERATION_FAILED,
					  "page size %u is not available on "
					  "node %d", kib, args->start);
		reply->counts.counts_val[i] = count;
		reply->counts.counts_len = i + 1;
	}
	return 0;
}

int handle_node_get_memory_parameters(struct call *call,
				      const wire_node_params_args *args,
				      wire_few_params *reply,
				      struct error *err)
{
	struct params p = { 0 };
	int r = call_flags(call, args->flags, VIR_TYPED_PARAM_STRING_OKAY, err);

	for (unsigned int i = 0; r >= 0 && i < HOSTMM_KSM_FILES; i++) {
		uint64_t value;

		if (hostmm_ksm_read(&call->host->mm, i, &value) < 0)
			continue;
		if (hostmm_ksm[i].type == HOSTMM_UINT)
			params_uint(&p, value, "%s", hostmm_ksm[i].name);
		else
			params_ullong(&p, value, "%s", hostmm_ksm[i].name);
	}
	if (r >= 0)
		reply_params(&p, args->nparams, &reply->params.params_len,
			     &reply->params.params_val, &reply->nparams);
	return r;
}
