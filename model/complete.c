/*
 * model/complete.c -- a domain's own defaults.
 */
#include "model/complete.h"

#include <libvirt/virterror.h>
#include <string.h>

#include "model/capabilities.h"

void default_str(char **member, const char *value)
{
	if (!*member)
		*member = xstrdup(value);
}

static int check_name(const struct domain_def *def, struct error *err)
{
	if (strchr(def->name, '/') || !strcmp(def->name, ".") ||
	    !strcmp(def->name, ".."))
		return error_virt(err, VIR_ERR_XML_ERROR,
				  "name '%.80s' cannot contain '/'",
				  def->name);
	if (strpbrk(def->name, "\n\r"))
		return error_virt(err, VIR_ERR_XML_ERROR,
				  "a domain's name cannot contain a newline");
	if (def->title && strchr(def->title, '\n'))
		return error_virt(err, VIR_ERR_XML_ERROR,
				  "Domain title can't contain newlines");
	return 0;
}

/* What SMBIOS is to show, if the definition says so. */
static const char *smbios_uuid(const struct domain_def *def)
{
	for (unsigned int i = 0; i < def->n_sysinfos; i++) {
		const struct dom_sysinfo *s = &def->sysinfos[i];

		for (unsigned int k = 0;
		     str_eq(s->type, "smbios") && k < s->n_entries; k++)
			if (str_eq(s->entries[k].name, "uuid"))
				return s->entries[k].value;
	}
	return NULL;
}

static void complete_uuid(struct domain_def *def)
{
	static const uint8_t none[UUID_LEN];
	const char *text = smbios_uuid(def);

	if (!memcmp(def->uuid, none, UUID_LEN) &&
	    (!text || uuid_parse(text, def->uuid) < 0))
		uuid_generate_v4(def->uuid);
}

/* <genid/> asks for one to be made. */
static int complete_genid(struct domain_def *def, struct error *err)
{
	uint8_t uuid[UUID_LEN];

	if (!def->genid)
		return 0;
	if (!*def->genid)
		uuid_generate_v4(uuid);
	else if (uuid_parse(def->genid, uuid) < 0)
		return error_virt(err, VIR_ERR_XML_ERROR,
				  "malformed genid '%.80s'", def->genid);
	free(def->genid);
	def->genid = xmalloc(UUID_STR_LEN);
	uuid_format(uuid, def->genid);
	return 0;
}

static int complete_memory(struct domain_def *def, struct error *err)
{
	int r = domain_complete_memories(def, err);

	if (r < 0)
		return r;
	if (!def->memory)
		return error_virt(err, VIR_ERR_XML_ERROR,
				  "the domain's <memory> must be given and "
				  "not be 0");
	def->memory = ALIGN_UP(def->memory, KIB);
	def->cur_memory = ALIGN_UP(def->cur_memory, KIB);
	if (!def->cur_memory || def->cur_memory > def->memory)
		def->cur_memory = def->memory;
	return 0;
}

static int complete_vcpus(struct domain_def *def, struct error *err)
{
	if (!def->max_vcpus)
		def->max_vcpus = 1;
	if (!def->vcpus)
		def->vcpus = def->max_vcpus;
	if (def->vcpus > def->max_vcpus)
		return error_virt(err, VIR_ERR_XML_ERROR,
				  "maxvcpus must not be less than current "
				  "vcpus (%u < %u)", def->max_vcpus,
				  def->vcpus);
	default_str(&def->vcpu_placement, "static");
	return 0;
}

/* Sockets, dies, cores and threads are 1 unless said otherwise. */
static int complete_cpu(struct domain_def *def, struct error *err)
{
	struct dom_cpu *cpu = &def->cpu;
	uint64_t n;

	if (!cpu->sockets && !cpu->dies && !cpu->cores && !cpu->threads)
		return 0;
	cpu->sockets = MAX(cpu->sockets, 1u);
	cpu->dies = MAX(cpu->dies, 1u);
	cpu->cores = MAX(cpu->cores, 1u);
	cpu->threads = MAX(cpu->threads, 1u);
	if (ckd_mul(&n, (uint64_t)cpu->sockets * cpu->dies,
		    (uint64_t)cpu->cores * cpu->threads) ||
	    n != def->max_vcpus)
		return error_virt(err, VIR_ERR_CONFIG_UNSUPPORTED,
				  "CPU topology doesn't match maximum vcpu "
				  "count");
	return 0;
}

static void complete_vsock(struct dom_vsock *v)
{
	default_str(&v->model, "virtio");
	if (v->cid_auto == TRI_ABSENT)
		v->cid_auto = v->cid ? TRI_OFF : TRI_ON;
}

static void complete_devices(struct domain_def *def)
{
	if (!def->memballoon.present) {
		def->memballoon.present = true;
		def->memballoon.model = xstrdup("virtio");
	}
	for (unsigned int i = 0; i < def->n_watchdogs; i++)
		default_str(&def->watchdogs[i].action, "reset");
	for (unsigned int i = 0; i < def->n_panics; i++)
		default_str(&def->panics[i].model, "isa");
	for (unsigned int i = 0; i < def->n_filesystems; i++) {
		default_str(&def->filesystems[i].type, "mount");
		default_str(&def->filesystems[i].accessmode, "passthrough");
	}
	for (unsigned int i = 0; i < def->n_hostdevs; i++) {
		default_str(&def->hostdevs[i].mode, "subsystem");
		default_str(&def->hostdevs[i].managed, "no");
	}
	for (unsigned int i = 0; i < def->n_vsocks; i++)
		complete_vsock(&def->vsocks[i]);
	for (unsigned int i = 0; i < def->n_tpms; i++) {
		default_str(&def->tpms[i].model, "tpm-tis");
		if (str_eq(def->tpms[i].backend, "emulator"))
			default_str(&def->tpms[i].version, "2.0");
	}
	if (def->virt != DOM_VIRT_TEST)
		default_str(&def->emulator, caps_emulator());
}

static int complete_guest(struct domain_def *def, struct error *err)
{
	int r = check_name(def, err);

	complete_uuid(def);
	if (r == 0)
		r = complete_genid(def, err);
	if (r == 0)
		r = complete_vcpus(def, err);
	if (r == 0)
		r = domain_complete_tune(def, err);
	if (r == 0)
		r = complete_memory(def, err);
	if (r == 0)
		r = complete_cpu(def, err);
	return r < 0 ? r : domain_complete_os(def, err);
}


int domain_complete(struct domain_def *def, bool live, struct error *err)
{
	int r = complete_guest(def, err);

	if (r < 0)
		return r;
	complete_devices(def);
	r = domain_complete_disks(def, err);
	if (r == 0)
		r = domain_complete_ifaces(def, live, err);
	if (r == 0)
		r = domain_complete_chars(def, err);
	if (r < 0)
		return r;
	r = domain_complete_graphics(def, live, err);
	if (r < 0)
		return r;
	domain_complete_controllers(def);
	r = domain_complete_addresses(def, err);
	if (r < 0)
		return r;
	if (live)
		domain_def_assign_aliases(def);
	return domain_check_unique(def, err);
}
