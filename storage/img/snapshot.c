/*
 * storage/img/snapshot.c -- vireo-img snapshot: what an image keeps of itself
 * is listed, made, dropped and gone back to.
 */
#include <getopt.h>
#include <time.h>

#include "storage/img/img.h"

#define LLU(n) ((unsigned long long)(n))

struct args {
	const char *format, *path, *name;
	int action; /* the option's letter */
	bool quiet, share;
};

static int parse(int argc, char **argv, struct args *a)
{
	int o;

	while ((o = getopt(argc, argv, "a:c:d:f:lqU")) >= 0) {
		switch (o) {
		case 'a':
		case 'c':
		case 'd':
		case 'l':
			if (a->action)
				return img_fail("Cannot mix '-l', '-a', '-c', '-d'");
			a->action = o;
			a->name = optarg;
			break;
		case 'f':
			a->format = optarg;
			break;
		case 'q':
			a->quiet = true;
			break;
		case 'U':
			a->share = true;
			break;
		default:
			return 1;
		}
	}
	if (!a->action)
		a->action = 'l';
	if (argc - optind != 1)
		return img_fail("Expecting one image file name");
	a->path = argv[optind];
	return 0;
}

static void print_one(const struct block_snapshot *s)
{
	_cleanup_free_ char *size = img_human(s->state_size);
	_cleanup_free_ char *icount =
		s->icount == UINT64_MAX ? xstrdup("") :
					  xasprintf("%llu", LLU(s->icount));
	time_t when = s->date_sec;
	uint64_t sec = s->clock_nsec / 1000000000;
	char date[32], clock[64];
	struct tm tm;

	localtime_r(&when, &tm);
	strftime(date, sizeof(date), "%Y-%m-%d %H:%M:%S", &tm);
	snprintf(clock, sizeof(clock), "%02llu:%02llu:%02llu.%03llu",
		 LLU(sec / 3600), LLU(sec / 60 % 60), LLU(sec % 60),
		 LLU(s->clock_nsec / 1000000 % 1000));
	printf("%-9s %-16s %8s%20s%13s%11s\n", s->id, s->name, size, date,
	       clock, icount);
}

void img_print_snapshots(const struct block_snapshot *list, unsigned int n)
{
	puts("Snapshot list:");
	printf("%-9s %-16s %8s%20s%13s%11s\n", "ID", "TAG", "VM SIZE", "DATE",
	       "VM CLOCK", "ICOUNT");
	for (unsigned int i = 0; i < n; i++)
		print_one(&list[i]);
}

static int list(struct block *blk, const struct args *a)
{
	struct block_snapshot *all;
	struct error err = { 0 };
	unsigned int n;

	if (block_snapshots(blk, &all, &n, &err) < 0)
		return img_fail("%s: %s", a->path, err.message);
	if (n)
		img_print_snapshots(all, n);
	block_snapshots_free(all, n);
	return 0;
}

static int change(struct block *blk, const struct args *a)
{
	enum block_snapshot_op op = a->action == 'a' ? BLOCK_SNAPSHOT_APPLY :
				    a->action == 'c' ? BLOCK_SNAPSHOT_CREATE :
						       BLOCK_SNAPSHOT_DELETE;
	struct error err = { 0 };

	if (block_snapshot(blk, op, a->name, &err) < 0)
		return img_fail("Could not change '%s': %s", a->path,
				err.message);
	return 0;
}

int img_snapshot(int argc, char **argv)
{
	struct args a = { 0 };
	struct img_open how = { .alone = true };
	struct block *blk;
	int r;

	if (parse(argc, argv, &a))
		return 1;
	how.format = a.format;
	how.share = a.share && a.action == 'l';
	how.writable = a.action != 'l';
	blk = img_open(a.path, &how);
	if (!blk)
		return 1;
	r = a.action == 'l' ? list(blk, &a) : change(blk, &a);
	block_close(blk);
	return r;
}
