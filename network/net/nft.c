/*
 * network/net/nft.c -- nft(8)'s language, to the kernel by libnftables.
 */
#include "network/net/nft.h"

#include <errno.h>
#include <nftables/libnftables.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/util.h"

/* The library has state of its own beside its contexts. */
static pthread_mutex_t nft_lock = PTHREAD_MUTEX_INITIALIZER;

static int run_locked(const char *text, const char *whose, char **ret_output,
		      struct error *err)
{
	struct nft_ctx *ctx = nft_ctx_new(NFT_CTX_DEFAULT);
	const char *why;
	int r = 0;

	if (!ctx)
		return error_set(err, -ENOMEM, "cannot use nftables");
	nft_ctx_buffer_error(ctx);
	nft_ctx_buffer_output(ctx);
	if (nft_run_cmd_from_buffer(ctx, text)) {
		why = nft_ctx_get_error_buffer(ctx);
		r = error_set(err, -EIO, "nftables refuses %s: %.*s", whose,
			      why ? (int)strcspn(why, "\n") : 0,
			      why ? why : "");
	} else if (ret_output) {
		why = nft_ctx_get_output_buffer(ctx);
		*ret_output = xstrdup(why ? why : "");
	}
	nft_ctx_free(ctx);
	return r;
}

int nft_run(const char *text, const char *whose, char **ret_output,
	    struct error *err)
{
	int r;

	pthread_mutex_lock(&nft_lock);
	r = run_locked(text, whose, ret_output, err);
	pthread_mutex_unlock(&nft_lock);
	return r;
}

int nft_set(char *text, const char *name, struct error *err)
{
	char whose[64];
	int r;

	snprintf(whose, sizeof(whose), "the rules of '%s'", name);
	r = nft_run(text, whose, NULL, err);
	free(text);
	return r;
}

unsigned int nft_count(const char *text, const char *part)
{
	unsigned int n = 0;

	while ((text = strstr(text, part))) {
		text += strlen(part);
		n++;
	}
	return n;
}

/* Each rule is a line of its chain, like the one that says what a base chain
 * is. */
unsigned int nft_listed_rules(const char *listing, nft_wanted_fn *wanted,
			      const void *arg)
{
	bool inside = false;
	unsigned int n = 0;

	for (const char *line = listing; *line;) {
		size_t len = strcspn(line, "\n");
		const char *text = line + strspn(line, "\t");

		if (*text == '}')
			inside = false;
		else if (inside && strncmp(text, "type ", 5))
			n++;
		else if (!strncmp(text, "chain ", 6))
			inside = wanted(text + 6, arg);
		line += len + (line[len] == '\n');
	}
	return n;
}
