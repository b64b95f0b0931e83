/*
 * network/net/nft.h -- nft(8)'s language, to the kernel by libnftables.
 */
#ifndef NETWORK_NET_NFT_H
#define NETWORK_NET_NFT_H

#include <stdbool.h>

struct error;

/*
 * All of it in one transaction, or nothing.  whose: "the rules of 'x'", for
 * the error.  ret_output: what its "list" commands print, which the caller
 * frees; may be NULL.
 */
int nft_run(const char *text, const char *whose, char **ret_output,
	    struct error *err);

/* The same for the rules of one network or port; frees the text. */
int nft_set(char *text, const char *name, struct error *err);

/* How often the text has that part. */
unsigned int nft_count(const char *text, const char *part);
/* How many rules a list has in wanted chains; name: what follows "chain ". */
typedef bool nft_wanted_fn(const char *name, const void *arg);
unsigned int nft_listed_rules(const char *listing, nft_wanted_fn *wanted,
			      const void *arg);

#endif
