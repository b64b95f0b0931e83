/*
 * rpc/string.c -- strings in bodies.
 */
#include <stdlib.h>

#include "rpc/string.h"

bool_t rpc_xdr_string(XDR *xdr, char **s, u_int max)
{
	if (xdr->x_op != XDR_FREE)
		return xdr_string(xdr, s, max);
	free(*s);
	*s = NULL;
	return TRUE;
}
