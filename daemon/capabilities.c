/*
 * daemon/capabilities.c -- what this host can run, for clients.
 */
#include "daemon/domain.h"

#include <libvirt/virterror.h>

#include "base/buf.h"
#include "base/error.h"

static const char *virt_name(enum dom_virt virt)
{
	static const char *const names[] = {
		[DOM_VIRT_KVM] = "kvm",
		[DOM_VIRT_QEMU] = "qemu",
		[DOM_VIRT_VIREO] = "vireo",
		[DOM_VIRT_TEST] = "test",
	};

	return names[virt];
}

/* Each type once, whichever of the usable drivers runs it. */
static void add_type(struct buf *b, enum dom_virt virt)
{
	const struct loaded_driver *l = driver_for(virt, NULL);

	if (!l)
		return;
	buf_printf(b, "      <domain type='%s'>\n", virt_name(virt));
	if (l->caps.emulator)
		buf_printf(b, "        <emulator>%s</emulator>\n",
			   l->caps.emulator);
	for (const char *const *m = l->caps.machines; m && *m; m++)
		buf_printf(b, "        <machine maxCpus='%u'>%s</machine>\n",
			   l->caps.max_vcpus, *m);
	buf_puts(b, "      </domain>\n");
}

char *capabilities_xml(struct error *err)
{
	struct buf b = { 0 };

	buf_puts(&b, "<capabilities>\n"
		     "  <host>\n"
		     "    <cpu>\n"
		     "      <arch>x86_64</arch>\n"
		     "    </cpu>\n"
		     "  </host>\n"
		     "  <guest>\n"
		     "    <os_type>hvm</os_type>\n"
		     "    <arch name='x86_64'>\n"
		     "      <wordsize>64</wordsize>\n");
	for (enum dom_virt v = DOM_VIRT_KVM; v <= DOM_VIRT_VIREO; v++)
		add_type(&b, v);
	buf_puts(&b, "    </arch>\n"
		     "  </guest>\n"
		     "</capabilities>\n");
	return buf_steal(&b);
}

char *domain_capabilities_xml(const char *emulator, const char *arch,
			      const char *machine, const char *virttype,
			      struct error *err)
{
	error_virt(err, VIR_ERR_NO_SUPPORT,
		   "this version does not describe domain capabilities");
	return NULL;
}
