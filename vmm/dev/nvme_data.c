/*
 * vmm/dev/nvme_data.c -- where a command's data is: physical region pages
 * (NVMe 4.3).  Scatter gather lists are not offered.
 */
#include <string.h>

#include "base/util.h"
#include "vmm/dev/nvme_priv.h"
#include "vmm/machine.h"
#include "vmm/ram.h"

enum { ENTRIES_PER_PAGE = NVME_PAGE / 8 };

/* Pages side by side in memory become one piece. */
static int add_page(struct nvme_cmd *c, uint64_t gpa, uint64_t len)
{
	uint8_t *host = ram_ptr(c->ctl->m->ram, gpa, len);
	struct iovec *last = c->n_iov ? &c->iov[c->n_iov - 1] : NULL;

	if (!host)
		return NVME_TRANSFER_ERROR | NVME_DNR;
	if (last && (uint8_t *)last->iov_base + last->iov_len == host)
		last->iov_len += len;
	else
		c->iov[c->n_iov++] = (struct iovec){ host, len };
	c->len += len;
	return NVME_OK;
}

static int map_aligned(struct nvme_cmd *c, uint64_t gpa, uint64_t left)
{
	if (gpa % NVME_PAGE)
		return NVME_INVALID_PRP_OFFSET | NVME_DNR;
	return add_page(c, gpa, MIN(left, (uint64_t)NVME_PAGE));
}

/*
 * 4.3: a list may begin anywhere in its page, on a quad word; its page's last
 * entry points to the next list when more pages follow than it has room for.
 */
static int map_list(struct nvme_cmd *c, uint64_t list, uint64_t left)
{
	int r = NVME_OK;

	if (list % 8)
		return NVME_INVALID_PRP_OFFSET | NVME_DNR;
	while (left && r == NVME_OK) {
		bool last = (list + 8) % NVME_PAGE == 0;
		uint64_t entry;

		if (ram_read(c->ctl->m->ram, list, &entry, 8) < 0)
			return NVME_TRANSFER_ERROR | NVME_DNR;
		if (last && left > NVME_PAGE) {
			if (entry % NVME_PAGE)
				return NVME_INVALID_PRP_OFFSET | NVME_DNR;
			list = entry;
			continue;
		}
		r = map_aligned(c, entry, left);
		left -= MIN(left, (uint64_t)NVME_PAGE);
		list += 8;
	}
	return r;
}

int nvme_map(struct nvme_cmd *c, uint64_t len)
{
	uint64_t first =
		MIN(len, NVME_PAGE - c->sqe.prp1 % NVME_PAGE), left;
	int r;

	c->n_iov = 0;
	c->len = 0;
	if (c->sqe.flags >> 6) /* PSDT: PRPs only */
		return NVME_INVALID_FIELD | NVME_DNR;
	if (len > (uint64_t)NVME_PAGE << NVME_MDTS)
		return NVME_INVALID_FIELD | NVME_DNR;
	if (c->sqe.prp1 % 4)
		return NVME_INVALID_PRP_OFFSET | NVME_DNR;
	r = add_page(c, c->sqe.prp1, first);
	left = len - first;
	if (r != NVME_OK || !left)
		return r;
	if (left <= NVME_PAGE)
		return map_aligned(c, c->sqe.prp2, left);
	return map_list(c, c->sqe.prp2, left);
}
