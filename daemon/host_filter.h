/*
 * daemon/host_filter.h -- main's side of priv's operations on network filters.
 */
#ifndef DAEMON_HOST_FILTER_H
#define DAEMON_HOST_FILTER_H

#include "daemon/nwfilters.h"

extern const struct nwfilter_host host_filter;

#endif
