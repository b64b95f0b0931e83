/*
 * drivers/launch_vsock.c -- <vsock>: AF_VSOCK between guest and host.
 */
#include <errno.h>
#include <json-c/json.h>
#include <libvirt/virterror.h>

#include "base/error.h"
#include "base/util.h"
#include "drivers/launch.h"
#include "vmm/spec.h"

int launch_check_vsock(const struct domain_def *def, struct error *err)
{
	const struct dom_vsock *v = def->vsocks;

	if (!def->n_vsocks)
		return 0;
	if (def->n_vsocks > 1)
		return error_virt(err, VIR_ERR_CONFIG_UNSUPPORTED,
				  "<vsock>: one is supported");
	if (!str_startswith(v->model, "virtio"))
		return error_virt(err, VIR_ERR_CONFIG_UNSUPPORTED,
				  "<vsock>: model '%s' is not supported, use 'virtio'",
				  v->model);
	if (v->cid_auto != TRI_ON && (v->cid < 3 || v->cid == UINT32_MAX))
		return error_virt(err, VIR_ERR_CONFIG_UNSUPPORTED,
				  "<vsock><cid>: the address %u is not a guest's, use auto='yes' or one from 3 up",
				  v->cid);
	return 0;
}

int launch_build_vsock(struct domain *dom, struct vmm_spec *s,
		       struct error *err)
{
	struct dom_vsock *d = dom->live->vsocks;
	struct spec_vsock *v;
	uint32_t cid;
	int r;

	if (!dom->live->n_vsocks)
		return 0;
	v = s->vsocks = xcalloc(1, sizeof(*s->vsocks));
	s->n_vsocks = 1;
	launch_set_id(&v->id, &d->info, "vsock", 0);
	launch_set_place(&v->pci, &d->info);
	cid = d->cid_auto == TRI_ON ? 0 : d->cid;
	r = host_open_vsock(dom->uuid, &cid, err, &v->vhost_fd, &v->listen_fd);
	if (r < 0)
		return r;
	v->cid = d->cid = cid;
	return 0;
}

int launch_vsock_connect(struct domain *dom, uint32_t port, struct error *err)
{
	struct json_object *args = json_object_new_object();
	_cleanup_close_ int fd = -1;
	struct error why = { 0 };
	int refused = host_connect_vsock(dom->uuid, port, &why, &fd);
	int r;

	json_object_object_add(args, "port", json_object_new_int64(port));
	r = monitor_call_fd(dom->priv, "vsock-connected", args, fd, NULL, err);
	if (r >= 0 && refused < 0)
		r = error_set(err, refused, "%s", why.message);
	return r;
}
