/*
 * daemon/hostmm.c -- huge pages and KSM, from sysfs (Linux's
 * Documentation/admin-guide/mm/hugetlbpage.rst and ksm.rst).
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include <libvirt/libvirt.h>

#include "base/util.h"
#include "daemon/hostinfo.h"
#include "daemon/hostmm.h"

#define HUGE_DIR "/sys/kernel/mm/hugepages"
#define KSM_DIR "/sys/kernel/mm/ksm"

const struct hostmm_ksm hostmm_ksm[HOSTMM_KSM_FILES] = {
	{ VIR_NODE_MEMORY_SHARED_PAGES_TO_SCAN, "pages_to_scan", HOSTMM_UINT },
	{ VIR_NODE_MEMORY_SHARED_SLEEP_MILLISECS, "sleep_millisecs",
	  HOSTMM_UINT },
	{ VIR_NODE_MEMORY_SHARED_PAGES_SHARED, "pages_shared", HOSTMM_ULLONG },
	{ VIR_NODE_MEMORY_SHARED_PAGES_SHARING, "pages_sharing",
	  HOSTMM_ULLONG },
	{ VIR_NODE_MEMORY_SHARED_PAGES_UNSHARED, "pages_unshared",
	  HOSTMM_ULLONG },
	{ VIR_NODE_MEMORY_SHARED_PAGES_VOLATILE, "pages_volatile",
	  HOSTMM_ULLONG },
	{ VIR_NODE_MEMORY_SHARED_FULL_SCANS, "full_scans", HOSTMM_ULLONG },
	{ VIR_NODE_MEMORY_SHARED_MERGE_ACROSS_NODES, "merge_across_nodes",
	  HOSTMM_UINT },
};

static void open_size(struct hostmm *mm, const char *name)
{
	_cleanup_free_ char *path = xasprintf(HUGE_DIR "/%s/free_hugepages",
					      name);
	unsigned int kib;
	int fd;

	if (mm->n == HOSTMM_SIZES || sscanf(name, "hugepages-%ukB", &kib) != 1)
		return;
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return;
	mm->size[mm->n].kib = kib;
	mm->size[mm->n++].fd = fd;
}

void hostmm_open(struct hostmm *mm)
{
	DIR *dir = opendir(HUGE_DIR);
	struct dirent *e;

	while (dir && (e = readdir(dir)))
		open_size(mm, e->d_name);
	if (dir)
		closedir(dir);
	for (unsigned int i = 0; i < HOSTMM_KSM_FILES; i++) {
		_cleanup_free_ char *path =
			xasprintf(KSM_DIR "/%s", hostmm_ksm[i].file);

		mm->ksm_fd[i] = open(path, O_RDONLY | O_CLOEXEC);
	}
}

void hostmm_close(struct hostmm *mm)
{
	while (mm->n)
		fd_close(mm->size[--mm->n].fd);
	for (unsigned int i = 0; i < HOSTMM_KSM_FILES; i++)
		if (mm->ksm_fd[i] >= 0)
			fd_close(mm->ksm_fd[i]);
}

static int read_number(int fd, uint64_t *ret)
{
	char text[32];
	ssize_t n = pread(fd, text, sizeof(text) - 1, 0);

	if (n < 0)
		return -errno;
	text[n] = '\0';
	text[strcspn(text, "\n")] = '\0';
	return parse_u64(text, 10, UINT64_MAX, ret);
}

int hostmm_free_pages(const struct hostmm *mm, unsigned int kib, uint64_t *ret)
{
	long page = sysconf(_SC_PAGESIZE);

	if (kib == page / KIB) {
		*ret = hostinfo_free_memory() / page;
		return 0;
	}
	for (unsigned int i = 0; i < mm->n; i++)
		if (mm->size[i].kib == kib)
			return read_number(mm->size[i].fd, ret);
	return -ENOENT;
}

int hostmm_ksm_read(const struct hostmm *mm, unsigned int which, uint64_t *ret)
{
	return mm->ksm_fd[which] < 0 ? -ENOENT :
				       read_number(mm->ksm_fd[which], ret);
}
