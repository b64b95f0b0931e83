/*
 * network/net/nft.h -- nft(8)'s language, to the kernel by libnftables.
 */
#ifndef NETWORK_NET_NFT_H
#define NETWORK_NET_NFT_H

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

#endif
