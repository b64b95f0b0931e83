/*
 * model/cpu.c -- a <cpu> by itself, as clients compare and combine them.
 */
#include <string.h>

#include "model/domain.h"
#include "model/tables.h"
#include "model/xml.h"

int cpu_def_parse(const char *text, struct dom_cpu *ret_cpu,
		  struct error *err)
{
	_cleanup_xml_ xmlDoc *doc = NULL;
	struct dom_cpu cpu = { 0 };
	int r = xml_parse(text, "cpu", &doc, err);

	if (r == 0)
		r = bind_parse(&type_cpu, xmlDocGetRootElement(doc), false,
			       &cpu, err);
	if (r < 0)
		cpu_def_finish(&cpu);
	else
		*ret_cpu = cpu;
	return r;
}

char *cpu_def_format(const struct dom_cpu *cpu)
{
	xmlNode *root = xml_new("cpu");

	bind_format(&type_cpu, cpu, false, root);
	return xml_finish(root);
}

void cpu_def_finish(struct dom_cpu *cpu)
{
	bind_finish(&type_cpu, cpu);
}
