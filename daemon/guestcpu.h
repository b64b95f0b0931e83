/*
 * daemon/guestcpu.h -- what a definition's <cpu> comes to on a CPU.
 */
#ifndef DAEMON_GUESTCPU_H
#define DAEMON_GUESTCPU_H

#include "cpu/models.h"
#include "drivers/driver.h"

struct error;

/*
 * Turns a run's <cpu> into what the guest really gets: a host-model into a
 * model and features, optional features into given or disabled ones.  What
 * the host cannot give is an error unless check='none' leaves it out.
 */
int guestcpu_resolve(struct dom_cpu *cpu, const struct host_caps *caps,
		     struct error *err);

/* ---- for comparing and combining ---- */

struct guestcpu {
	const struct cpu_model *model; /* NULL: none named */
	struct cpu_set want;
	struct cpu_set on, off;	  /* named by their own elements */
	struct cpu_set forbidden; /* the host must not have */
};

/* The model and the policies, before any host is looked at. */
int guestcpu_read(const struct dom_cpu *cpu, struct guestcpu *ret_cpu,
		  struct error *err);
/*
 * VIR_CPU_COMPARE_* or -errno.  of_guests: what they get only by name does not
 * make the host have more.
 */
int guestcpu_compare(const struct dom_cpu *cpu, struct x86_cpuid *host,
		     bool of_guests, struct error *err);

/* What host-model is on this CPU; features that stay on one host apart. */
void guestcpu_host_model(struct x86_cpuid *host, struct dom_cpu *ret_cpu);
/* The model, with these features and without those. */
void guestcpu_describe(struct dom_cpu *cpu, const struct cpu_model *model,
		       const struct cpu_set *more, const struct cpu_set *less);

#endif
