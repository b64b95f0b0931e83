/*
 * model/tables.h -- the tables of domain.h's structs, for use inside model/.
 */
#ifndef MODEL_TABLES_H
#define MODEL_TABLES_H

#include "model/bind.h"
#include "model/domain.h"

extern const struct xml_type type_domain;
extern const struct xml_type type_cpu;
extern const struct xml_type type_os;
extern const struct xml_type type_clock;    /* in struct domain_def */
extern const struct xml_type type_features; /* in struct domain_def */
/* tables_tune.c */
extern const struct xml_type type_cell;
extern const struct xml_type type_iothreadids; /* in struct domain_def */
extern const struct xml_type type_cputune;
extern const struct xml_type type_memtune;
extern const struct xml_type type_blkiotune;
extern const struct xml_type type_iotune;
extern const struct xml_type type_numatune;
extern const struct xml_type type_backing;
extern const struct xml_type type_hyperv; /* in struct domain_def */
extern const struct xml_type type_disk;
extern const struct xml_type type_iface;
extern const struct xml_type type_char;
extern const struct xml_type type_controller;
extern const struct xml_type type_graphics;
extern const struct xml_type type_video;
extern const struct xml_type type_input;
extern const struct xml_type type_rng;
extern const struct xml_type type_hostdev;
extern const struct xml_type type_watchdog;
extern const struct xml_type type_panic;
extern const struct xml_type type_vsock, type_memory;
extern const struct xml_type type_tpm;
extern const struct xml_type type_fs;
extern const struct xml_type type_memballoon;

/* Attributes of an <address>, chosen by its type. */
const struct xml_type *address_type(const void *address);

/* What the structs of all devices begin with. */
#define INFO_FIELDS(s) \
	{ "boot@order", FIELD_UINT, offsetof(s, info.boot_order) }, \
	{ "alias@name", FIELD_STR, offsetof(s, info.alias), \
	  .flags = FIELD_ALIAS }, \
	{ "address@type", FIELD_STR, offsetof(s, info.address.type) }, \
	{ "address", FIELD_PART, offsetof(s, info.address), \
	  .part = address_type }

#endif
