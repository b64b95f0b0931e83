/*
 * network/net/leases.c -- dnsmasq's file of leases, read.
 *
 * A line is "expiry mac ip name client-id"; after a line "duid ID" they are of
 * IPv6: "expiry iaid ip name duid".  Names come from guests: nothing is taken
 * for granted.
 */
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "network/net/dnsmasq.h"

enum { WORDS = 5 };

static char *known(const char *word)
{
	return str_eq(word, "*") ? NULL : xstrdup(word);
}

/* RFC 8415, 11.2 and 11.4: a DUID that ends in an Ethernet address. */
static char *mac_of_duid(const char *duid)
{
	bool llt = str_startswith(duid, "00:01:00:01:");
	size_t head = llt ? 8 : 4, len = strlen(duid);

	if (!llt && !str_startswith(duid, "00:03:00:01:"))
		return NULL;
	if (len != (head + 6) * 3 - 1)
		return NULL;
	return xstrdup(duid + head * 3);
}

static int split(char *line, char *words[WORDS])
{
	int n = 0;

	for (char *p = strtok_r(line, " ", &line); p && n < WORDS;
	     p = strtok_r(NULL, " ", &line))
		words[n++] = p;
	return n;
}

static bool parse_line(char *line, bool v6, struct net_lease_entry *ret)
{
	struct net_addr a;
	char *w[WORDS];
	uint64_t expiry;

	if (split(line, w) != WORDS ||
	    parse_u64(w[0], 10, INT64_MAX, &expiry) < 0 ||
	    net_addr_parse(w[2], &a) < 0 || a.v6 != v6)
		return false;
	*ret = (struct net_lease_entry){
		.expiry = (int64_t)expiry,
		.v6 = v6,
		.mac = v6 ? mac_of_duid(w[4]) : xstrdup(w[1]),
		.iaid = v6 ? xstrdup(w[1]) : NULL,
		.ip = xstrdup(w[2]),
		.hostname = known(w[3]),
		.client_id = known(w[4]),
	};
	return true;
}

unsigned int leases_parse(const char *text,
			  struct net_lease_entry **ret_entries)
{
	_cleanup_free_ char *copy = xstrdup(text);
	struct net_lease_entry *entries = NULL, one;
	char *rest = copy, *line;
	unsigned int n = 0;
	bool v6 = false;

	while ((line = strsep(&rest, "\n"))) {
		if (str_startswith(line, "duid ")) {
			v6 = true;
		} else if (parse_line(line, v6, &one)) {
			entries = xrealloc(entries, n + 1, sizeof(*entries));
			entries[n++] = one;
		}
	}
	*ret_entries = entries;
	return n;
}

void leases_free(struct net_lease_entry *entries, unsigned int n)
{
	for (unsigned int i = 0; i < n; i++) {
		free(entries[i].mac);
		free(entries[i].iaid);
		free(entries[i].ip);
		free(entries[i].hostname);
		free(entries[i].client_id);
	}
	free(entries);
}
