/*
 * storage/pool/host.h -- what pools ask of whoever may open things.
 *
 * Backends are logic only: they say which folder to list, which file to make
 * and which command to run, and understand the answers.  The daemon's main
 * process passes it on to the one that may; tests have a host of their own.
 */
#ifndef STORAGE_POOL_HOST_H
#define STORAGE_POOL_HOST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

enum pool_tool {
#define TOOL(name, words) TOOL_##name,
#include "storage/pool/tools.h"
#undef TOOL
	POOL_TOOLS,
};

enum { POOL_HEAD = 8, POOL_DIR_MAX = 1 << 20 };

/* What is in a folder; fixed size, for it crosses between processes. */
struct pool_dirent {
	char name[256];
	uint32_t mode, uid, gid;
	uint32_t nsec[3]; /* of the three times */
	int64_t atime, mtime, ctime;
	uint64_t size, allocated; /* bytes */
	uint8_t head[POOL_HEAD];  /* what a regular file begins with */
};

struct pool_dir {
	uint64_t total, available; /* of the file system */
	uint32_t mode, uid, gid;
	uint32_t n;
	struct pool_dirent entries[]; /* in no order */
};

/*
 * What is in the folder behind fd, or in it under one name (only, or NULL).
 * For whoever has the rights; free with free().
 */
int pool_listing(int fd, const char *only, struct pool_dir **ret_dir);
size_t pool_listing_size(const struct pool_dir *dir);

struct pool_access {
	unsigned int mode;
	bool mode_given; /* else only what is new gets it */
	int uid, gid; /* -1: leave it */
};

struct pool_host {
	/* Of a folder, or of one file, which is then the only entry; free
	 * with free(). */
	int (*list)(const char *path, struct pool_dir **ret_dir,
		    struct error *err);
	/* With those above it that are missing; it may be there already. */
	int (*make_dir)(const char *path, const struct pool_access *access,
			struct error *err);
	int (*remove_dir)(const char *path, struct error *err);
	/* A new file, for reading and writing. */
	int (*create)(const char *path, const struct pool_access *access,
		      struct error *err, int *ret_fd);
	int (*remove)(const char *path, struct error *err);
	int (*open)(const char *path, bool readonly, bool block,
		    struct error *err, int *ret_fd);
	/* args: NULL-terminated; the output is the caller's to free. */
	int (*run)(enum pool_tool tool, const char *const *args,
		   char **ret_output, struct error *err);
	/* Whether the command of a tool is installed. */
	bool (*has)(enum pool_tool tool);
};

/* host->run(), arguments up to a NULL; ret_output may be NULL. */
int pool_run(const struct pool_host *host, char **ret_output,
	     struct error *err, enum pool_tool tool, ...)
	__attribute__((sentinel));

/*
 * A tool's words with its arguments in place, checked as tools.h says; free
 * with tool_argv_free().  NULL with err.
 */
char **tool_argv(enum pool_tool tool, const char *const *args,
		 struct error *err);
void tool_argv_free(char **argv);
char *tool_program(enum pool_tool tool); /* its first word; caller frees */

#endif
