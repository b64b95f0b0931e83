/*
 * cli/run.h -- a domain's XML, made up for an image or a kernel.
 */
#ifndef CLI_RUN_H
#define CLI_RUN_H

#include "base/buf.h"
#include "cli/args.h"

enum image_kind { IMAGE_KERNEL, IMAGE_DISK, IMAGE_CDROM };

/* What a file begins with tells what it is. */
struct image {
	enum image_kind kind;
	const char *format; /* of a disk */
};

/* --kind and --format count, else the file does; -1: said why. */
int image_detect(const struct args *args, const char *path, struct image *ret);

/* What a guest is given; strings are the caller's. */
struct run_plan {
	const char *type; /* of the domain: vireo, kvm, ... */
	const char *name, *path, *network;
	struct image image;
	unsigned int cpus;
	unsigned long long memory; /* bytes */
};

/* -1: an option makes no sense, said why. */
int run_xml(struct buf *b, const struct args *args, const struct run_plan *p);

#endif
