/*
 * storage/img/info.c -- vireo-img info.
 */
#include <getopt.h>
#include <json-c/json.h>
#include <sys/stat.h>

#include "storage/format/bitmaps.h"
#include "storage/img/img.h"

struct args {
	const char *format, *path;
	bool json, chain, share;
};

static int parse(int argc, char **argv, struct args *a)
{
	static const struct option longs[] = {
		{ "output", required_argument, NULL, 'O' },
		{ "backing-chain", no_argument, NULL, 'b' },
		{ "force-share", no_argument, NULL, 'U' },
		{ 0 },
	};
	int o;

	while ((o = getopt_long(argc, argv, "f:U", longs, NULL)) >= 0) {
		switch (o) {
		case 'f':
			a->format = optarg;
			break;
		case 'O':
			if (!img_output(optarg, &a->json))
				return 1;
			break;
		case 'b':
			a->chain = true;
			break;
		case 'U':
			a->share = true;
			break;
		default:
			return 1;
		}
	}
	if (argc - optind != 1)
		return img_fail("Expecting one image file name");
	a->path = argv[optind];
	return 0;
}

struct image {
	const char *path;
	char *backing; /* where that is */
	uint64_t size, actual;
	struct block_info info;
	struct block_snapshot *snapshots;
	unsigned int n_snapshots;
	struct block_bitmap_info *bitmaps;
	unsigned int n_bitmaps;
};

static void text(struct json_object *o, const char *name, const char *s)
{
	if (s)
		json_object_object_add(o, name, json_object_new_string(s));
}

static void flag(struct json_object *o, const char *name, bool b)
{
	json_object_object_add(o, name, json_object_new_boolean(b));
}

static void number(struct json_object *o, const char *name, uint64_t n)
{
	json_object_object_add(o, name, json_object_new_uint64(n));
}

enum { FLAGS = 2 };

/* NULL: it is not set. */
static const char *bitmap_flag(const struct block_bitmap_info *b,
			       unsigned int i)
{
	if (i == 0)
		return b->in_use ? "in-use" : NULL;
	return b->enabled ? "auto" : NULL;
}

static struct json_object *bitmap(const struct block_bitmap_info *b)
{
	struct json_object *o = json_object_new_object();
	struct json_object *flags = json_object_new_array();

	for (unsigned int i = 0; i < FLAGS; i++)
		if (bitmap_flag(b, i))
			json_object_array_add(
				flags,
				json_object_new_string(bitmap_flag(b, i)));
	json_object_object_add(o, "flags", flags);
	text(o, "name", b->name);
	number(o, "granularity", BIT64(b->granularity));
	return o;
}

static void add_bitmaps(struct json_object *o, const struct image *m)
{
	struct json_object *list;

	if (!m->n_bitmaps)
		return;
	list = json_object_new_array();
	for (unsigned int i = 0; i < m->n_bitmaps; i++)
		json_object_array_add(list, bitmap(&m->bitmaps[i]));
	json_object_object_add(o, "bitmaps", list);
}

static struct json_object *specific(const struct image *m)
{
	const struct block_info *i = &m->info;
	struct json_object *o = json_object_new_object();
	struct json_object *data = json_object_new_object();

	text(o, "type", i->format);
	text(data, "compat", i->version == 2 ? "0.10" : "1.1");
	text(data, "compression-type", i->zstd ? "zstd" : "zlib");
	if (i->version > 2)
		flag(data, "lazy-refcounts", i->lazy);
	add_bitmaps(data, m);
	number(data, "refcount-bits", i->refcount_bits);
	if (i->version > 2) {
		flag(data, "corrupt", i->corrupt);
		flag(data, "extended-l2", i->extended_l2);
	}
	json_object_object_add(o, "data", data);
	return o;
}

static struct json_object *snapshot(const struct block_snapshot *s)
{
	struct json_object *o = json_object_new_object();

	text(o, "id", s->id);
	text(o, "name", s->name);
	number(o, "vm-state-size", s->state_size);
	number(o, "date-sec", s->date_sec);
	number(o, "date-nsec", s->date_nsec);
	number(o, "vm-clock-sec", s->clock_nsec / 1000000000);
	number(o, "vm-clock-nsec", s->clock_nsec % 1000000000);
	if (s->icount != UINT64_MAX)
		number(o, "icount", s->icount);
	return o;
}

static void add_snapshots(struct json_object *o, const struct image *m)
{
	struct json_object *list;

	if (!m->n_snapshots)
		return;
	list = json_object_new_array();
	for (unsigned int i = 0; i < m->n_snapshots; i++)
		json_object_array_add(list, snapshot(&m->snapshots[i]));
	json_object_object_add(o, "snapshots", list);
}

static struct json_object *to_json(const struct image *m)
{
	struct json_object *o = json_object_new_object();

	add_snapshots(o, m);
	number(o, "virtual-size", m->size);
	text(o, "filename", m->path);
	if (m->info.cluster_size)
		number(o, "cluster-size", m->info.cluster_size);
	text(o, "format", m->info.format);
	number(o, "actual-size", m->actual);
	if (m->info.encrypted)
		flag(o, "encrypted", true);
	if (m->info.version)
		json_object_object_add(o, "format-specific",
				       specific(m));
	text(o, "full-backing-filename", m->backing);
	text(o, "backing-filename", m->info.backing);
	text(o, "backing-filename-format", m->info.backing_format);
	flag(o, "dirty-flag", m->info.dirty);
	return o;
}

static const char *truth(bool b)
{
	return b ? "true" : "false";
}

static void print_bitmaps(const struct image *m)
{
	if (m->n_bitmaps)
		puts("    bitmaps:");
	for (unsigned int i = 0; i < m->n_bitmaps; i++) {
		const struct block_bitmap_info *b = &m->bitmaps[i];
		unsigned int n = 0;

		printf("        [%u]:\n            flags:\n", i);
		for (unsigned int f = 0; f < FLAGS; f++)
			if (bitmap_flag(b, f))
				printf("                [%u]: %s\n", n++,
				       bitmap_flag(b, f));
		printf("            name: %s\n            granularity: %llu\n",
		       b->name, (unsigned long long)BIT64(b->granularity));
	}
}

static void print_specific(const struct image *m)
{
	const struct block_info *i = &m->info;

	printf("Format specific information:\n    compat: %s\n    compression type: %s\n",
	       i->version == 2 ? "0.10" : "1.1", i->zstd ? "zstd" : "zlib");
	if (i->version > 2)
		printf("    lazy refcounts: %s\n", truth(i->lazy));
	print_bitmaps(m);
	printf("    refcount bits: %u\n", i->refcount_bits);
	if (i->version > 2)
		printf("    corrupt: %s\n    extended l2: %s\n",
		       truth(i->corrupt), truth(i->extended_l2));
}

static void print_human(const struct image *m)
{
	_cleanup_free_ char *size = img_human(m->size);
	_cleanup_free_ char *actual = img_human(m->actual);

	printf("image: %s\nfile format: %s\nvirtual size: %s (%llu bytes)\ndisk size: %s\n",
	       m->path, m->info.format, size, (unsigned long long)m->size,
	       actual);
	if (m->info.encrypted)
		puts("encrypted: yes");
	if (m->info.cluster_size)
		printf("cluster_size: %llu\n",
		       (unsigned long long)m->info.cluster_size);
	if (m->info.dirty)
		puts("cleanly shut down: no");
	if (m->backing && str_eq(m->backing, m->info.backing))
		printf("backing file: %s\n", m->info.backing);
	else if (m->backing)
		printf("backing file: %s (actual path: %s)\n", m->info.backing,
		       m->backing);
	if (m->info.backing_format)
		printf("backing file format: %s\n", m->info.backing_format);
	if (m->n_snapshots)
		img_print_snapshots(m->snapshots, m->n_snapshots);
	if (m->info.version)
		print_specific(m);
}

static void show(const struct args *a, const struct image *m,
		 struct json_object *list)
{
	if (!a->json) {
		print_human(m);
		return;
	}
	if (a->chain)
		json_object_array_add(list, to_json(m));
	else
		img_print_json(to_json(m));
}

/* Shows one image; ret: what it is based on, which the caller frees. */
static int look(const struct args *a, const char *path, const char *format,
		struct json_object *list, char **ret, char **ret_format)
{
	struct img_open how = { .format = format, .alone = true,
				.share = a->share };
	struct image m = { .path = path };
	struct block *blk = img_open(path, &how);
	struct error err = { 0 };
	struct stat st;

	if (!blk)
		return 1;
	if (block_snapshots(blk, &m.snapshots, &m.n_snapshots, &err) < 0 ||
	    block_bitmaps(blk, &m.bitmaps, &m.n_bitmaps, &err) < 0) {
		block_snapshots_free(m.snapshots, m.n_snapshots);
		block_close(blk);
		return img_fail("Could not open '%s': %s", path, err.message);
	}
	block_info(blk, &m.info);
	m.size = block_size(blk);
	m.actual = stat(path, &st) == 0 ? st.st_blocks * 512ull : 0;
	if (m.info.backing)
		m.backing = block_backing_path(path, m.info.backing);
	show(a, &m, list);
	*ret = m.backing;
	*ret_format = xstrdup(m.info.backing_format);
	block_snapshots_free(m.snapshots, m.n_snapshots);
	free(m.bitmaps);
	block_close(blk);
	return 0;
}

static int walk(const struct args *a, struct json_object *list)
{
	char *path = xstrdup(a->path), *format = xstrdup(a->format);
	unsigned int n = 0;
	int r = 0;

	while (path && r == 0) {
		char *next = NULL, *next_format = NULL;

		if (n && !a->json)
			putchar('\n');
		r = look(a, path, format, list, &next, &next_format);
		free(path);
		free(format);
		path = next;
		format = next_format;
		if (!a->chain)
			break;
		if (path && (++n >= BLOCK_LAYERS_MAX || !format))
			r = img_fail("'%s': %s", path,
				     format ? "too many images" :
					      "its format is not known");
	}
	free(path);
	free(format);
	return r;
}

int img_info(int argc, char **argv)
{
	struct args a = { 0 };
	struct json_object *list;
	int r;

	if (parse(argc, argv, &a))
		return 1;
	list = json_object_new_array();
	r = walk(&a, list);
	if (r == 0 && a.json && a.chain)
		img_print_json(list);
	else
		json_object_put(list);
	return r;
}
