/*
 * model/tables_pool.h -- the tables of pool.h's structs, for use inside
 * model/.
 */
#ifndef MODEL_TABLES_POOL_H
#define MODEL_TABLES_POOL_H

#include "model/bind.h"
#include "model/pool.h"

extern const struct xml_type type_pool, type_pool_source;
extern const struct xml_type type_vol;

#endif
