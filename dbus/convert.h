/*
 * dbus/convert.h -- what tables name where a string cannot say it.
 */
#ifndef DBUS_CONVERT_H
#define DBUS_CONVERT_H

#include "dbus/service.h"

bool convert_all_stats(const struct call *c);
bool convert_stats(const struct call *c);
bool convert_cpu_map(const struct call *c);
bool convert_cpu_stats(const struct call *c);
bool convert_memory_stats(const struct call *c);
bool convert_security_model(const struct call *c);
bool convert_cpu_models(const struct call *c);
bool convert_disk_errors(const struct call *c);
bool convert_emulator_pins(const struct call *c);
bool convert_vcpu_pins(const struct call *c);
bool convert_iothreads(const struct call *c);
bool convert_fsinfo(const struct call *c);
bool convert_labels(const struct call *c);
bool convert_addresses(const struct call *c);
bool convert_domain_memory(const struct call *c);
bool convert_scheduler(const struct call *c);
bool convert_leases(const struct call *c);
bool convert_capabilities(const struct call *c);
bool convert_secret(const struct call *c);

#endif
