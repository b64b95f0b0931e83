/*
 * tests/unit/vmm/everything.h -- a machine with one of each device that can be
 * saved.  tests/unit/vmm/states/ has what earlier versions saved of it: a
 * device that is new goes into a description of its own.
 */
#ifndef TESTS_UNIT_VMM_EVERYTHING_H
#define TESTS_UNIT_VMM_EVERYTHING_H

struct vmm_spec;

void everything_add(struct vmm_spec *spec);

#endif
