/*
 * daemon/handlers_block.c -- sizes and contents of disks and memory.
 */
#include <libvirt/virterror.h>

#include "daemon/reply.h"

int handle_domain_get_block_info(struct call *call,
				 const wire_dom_str_flags *args,
				 wire_block_info *reply, struct error *err)
{
	struct domain_block_info info = { 0 };
	int r = domain_block_info(call->reg, wire_uuid_of(&args->dom),
				  args->str, args->flags, &info, err);

	reply->allocation = info.allocation;
	reply->capacity = info.capacity;
	reply->physical = info.physical;
	return r;
}

int handle_domain_block_resize(struct call *call,
			       const wire_block_resize_args *args,
			       struct error *err)
{
	return domain_block_resize(call->reg, wire_uuid_of(&args->dom),
				   args->disk, args->size, args->flags, err);
}

/* Room for an answer, which is the reply's from here on. */
static int make_room(wire_peek *reply, unsigned int size, struct error *err)
{
	if (size > WIRE_PEEK_MAX)
		return error_virt(err, VIR_ERR_INVALID_ARG,
				  "size %u is above %u", size, WIRE_PEEK_MAX);
	reply->data.data_val = xmalloc(size + 1);
	reply->data.data_len = size;
	return 0;
}

int handle_domain_block_peek(struct call *call,
			     const wire_block_peek_args *args,
			     wire_peek *reply, struct error *err)
{
	int r = make_room(reply, args->size, err);

	return r < 0 ? r :
		       domain_block_peek(call->reg, wire_uuid_of(&args->dom),
					 args->path, args->offset,
					 reply->data.data_val, args->size,
					 args->flags, err);
}

int handle_domain_memory_peek(struct call *call,
			      const wire_memory_peek_args *args,
			      wire_peek *reply, struct error *err)
{
	int r = make_room(reply, args->size, err);

	return r < 0 ? r :
		       domain_memory_peek(call->reg, wire_uuid_of(&args->dom),
					  args->offset, reply->data.data_val,
					  args->size, args->flags, err);
}
