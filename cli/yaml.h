/*
 * cli/yaml.h -- JSON trees written as YAML.
 */
#ifndef CLI_YAML_H
#define CLI_YAML_H

#include <json-c/json.h>
#include <stdio.h>

void yaml_print(struct json_object *o, FILE *to);

#endif
