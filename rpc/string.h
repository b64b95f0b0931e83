/*
 * rpc/string.h -- strings in bodies.
 */
#ifndef RPC_STRING_H
#define RPC_STRING_H

#include <rpc/xdr.h>

/*
 * As xdr_string(), which the generated code would call, but a string that is
 * too long to be encoded can still be freed.
 */
bool_t rpc_xdr_string(XDR *xdr, char **s, u_int max);

#endif
