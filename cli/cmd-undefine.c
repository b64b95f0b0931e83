/*
 * cli/cmd-undefine.c -- domains forgotten, with what belongs to them.
 *
 * The daemon knows nothing of the volumes that --storage and its kin delete:
 * they are looked up in the definition before it goes, and deleted after it.
 */
#include <string.h>

#include "cli/output.h"
#include "cli/xml.h"

enum { VOLUMES_MAX = 256 };

struct volume {
	char *target, *source;
	virStorageVolPtr vol;
};

struct volumes {
	struct volume v[VOLUMES_MAX];
	size_t n;
};

static void volumes_free(struct volumes *all)
{
	for (size_t i = 0; i < all->n; i++) {
		free(all->v[i].target);
		free(all->v[i].source);
		virStorageVolFree(all->v[i].vol);
	}
}

/* ---- which volumes ---- */

/* Takes the word out of the list: false, it is not there. */
static bool take_word(char **words, size_t n, const char *word)
{
	for (size_t i = 0; i < n; i++) {
		if (!str_eq(words[i], word))
			continue;
		words[i] = NULL;
		return true;
	}
	return false;
}

static virStorageVolPtr lookup(struct ctl *ctl, struct xml *x, xmlNodePtr disk,
			       const char *source)
{
	_cleanup_free_ char *pool = xml_string(x, disk, "./source/@pool");
	virStorageVolPtr vol = NULL;
	virStoragePoolPtr p;

	if (!pool)
		return virStorageVolLookupByPath(ctl->conn, source);
	p = virStoragePoolLookupByName(ctl->conn, pool);
	if (p) {
		vol = virStorageVolLookupByName(p, source);
		virStoragePoolFree(p);
	}
	return vol;
}

/* words NULL: every disk is meant; else those that are found become NULL. */
static void add_disk(struct ctl *ctl, struct xml *x, xmlNodePtr disk,
		     char **words, size_t n_words, struct volumes *all)
{
	_cleanup_free_ char *target = xml_string(x, disk, "./target/@dev");
	_cleanup_free_ char *source =
		xml_string(x, disk,
			   "./source/@file | ./source/@dev | "
			   "./source/@dir | ./source/@name | "
			   "./source/@volume");
	virStorageVolPtr vol;

	if (!source || !target || all->n == VOLUMES_MAX)
		return;
	if (words && !take_word(words, n_words, target) &&
	    !take_word(words, n_words, source))
		return;
	vol = lookup(ctl, x, disk, source);
	if (vol)
		all->v[all->n++] = (struct volume){ steal_ptr(&target),
						    steal_ptr(&source), vol };
	else
		say_error("Storage volume '%s'(%s) is not managed by libvirt. "
			  "Remove it manually.\n",
			  target, source);
}

static void add_disks(struct ctl *ctl, struct xml *x, char **words, size_t n,
		      struct volumes *all)
{
	xmlXPathObjectPtr disks = xml_find(x, NULL, "./devices/disk");

	for (int i = 0; i < xml_count(disks); i++)
		add_disk(ctl, x, disks->nodesetval->nodeTab[i], words, n, all);
	xmlXPathFreeObject(disks);
}

static int add_named(struct ctl *ctl, struct xml *x, const char *list,
		     struct volumes *all)
{
	_cleanup_free_ char *copy = xstrdup(list);
	char *words[VOLUMES_MAX], *rest = copy, *word;
	size_t n = 0;
	int r = 0;

	while (n < VOLUMES_MAX && (word = comma_next(&rest)))
		if (*word)
			words[n++] = word;
	add_disks(ctl, x, words, n, all);
	for (size_t i = 0; i < n; i++) {
		if (!words[i])
			continue;
		say_error("Volume '%s' was not found in domain's "
			  "definition.\n",
			  words[i]);
		r = -1;
	}
	return r;
}

static int collect(struct ctl *ctl, const struct args *args, virDomainPtr dom,
		   struct volumes *all)
{
	const char *list = args_get(args, "storage");
	_cleanup_xml_ struct xml x = { NULL };

	if (virDomainIsActive(dom) == 1) {
		say_error("Storage volume deletion is supported only on "
			  "stopped domains");
		return -1;
	}
	if (list && args_has(args, "remove-all-storage")) {
		say_error("Specified both --storage and --remove-all-storage");
		return -1;
	}
	if (xml_open_domain(ctl, &x, dom, VIR_DOMAIN_XML_INACTIVE) < 0)
		return -1;
	if (list)
		return add_named(ctl, &x, list, all);
	add_disks(ctl, &x, NULL, 0, all);
	return 0;
}

/* ---- their end ---- */

static int wipe(struct ctl *ctl, const struct volume *v)
{
	say(ctl, "Wiping volume '%s'(%s) ... ", v->target, v->source);
	fflush(stdout);
	if (virStorageVolWipe(v->vol, 0) < 0)
		return say_failed(ctl, "Failed! Volume not removed.");
	say(ctl, "Done.\n");
	return EXIT_OK;
}

static int delete_volumes(struct ctl *ctl, const struct args *args,
			  const struct volumes *all)
{
	unsigned int flags = args_has(args, "delete-storage-volume-snapshots") ?
				     VIR_STORAGE_VOL_DELETE_WITH_SNAPSHOTS :
				     0;
	int status = EXIT_OK;

	for (size_t i = 0; i < all->n; i++) {
		const struct volume *v = &all->v[i];

		if (args_has(args, "wipe-storage") && wipe(ctl, v) != EXIT_OK)
			status = EXIT_FAILED;
		else if (virStorageVolDelete(v->vol, flags) < 0)
			status = say_failed(ctl,
					    "Failed to remove storage volume "
					    "'%s'(%s)",
					    v->target, v->source);
		else
			say(ctl, "Volume '%s'(%s) removed.\n", v->target,
			    v->source);
	}
	return status;
}

/* ---- the command ---- */

static const struct flag_option flags[] = {
	{ "managed-save", VIR_DOMAIN_UNDEFINE_MANAGED_SAVE },
	{ "snapshots-metadata", VIR_DOMAIN_UNDEFINE_SNAPSHOTS_METADATA },
	{ "checkpoints-metadata", VIR_DOMAIN_UNDEFINE_CHECKPOINTS_METADATA },
	{ "nvram", VIR_DOMAIN_UNDEFINE_NVRAM },
	{ "keep-nvram", VIR_DOMAIN_UNDEFINE_KEEP_NVRAM },
	{ "tpm", VIR_DOMAIN_UNDEFINE_TPM },
	{ "keep-tpm", VIR_DOMAIN_UNDEFINE_KEEP_TPM },
	{ NULL },
};

static int check(const struct args *args)
{
	bool all = args_has(args, "remove-all-storage");

	if (args_exclusive(args, "nvram", "keep-nvram") < 0 ||
	    args_exclusive(args, "tpm", "keep-tpm") < 0)
		return -1;
	if (args_requires(args, "delete-storage-volume-snapshots",
			  "remove-all-storage") < 0)
		return -1;
	if (args_has(args, "wipe-storage") && !all &&
	    !args_has(args, "storage")) {
		say_error("'--wipe-storage' requires '--storage <string>' or "
			  "'--remove-all-storage'");
		return -1;
	}
	return 0;
}

static int undefine(struct ctl *ctl, const struct args *args, virDomainPtr dom)
{
	unsigned int bits = args_flags(args, flags);
	const char *name = virDomainGetName(dom);

	/* Without flags, the call that older servers have too. */
	if ((bits ? virDomainUndefineFlags(dom, bits) :
		    virDomainUndefine(dom)) < 0)
		return say_failed(ctl, "Failed to undefine domain '%s'", name);
	say(ctl, "Domain '%s' has been undefined\n", name);
	return EXIT_OK;
}

static int run_undefine(struct ctl *ctl, const struct args *args,
			virDomainPtr dom)
{
	struct volumes all = { .n = 0 };
	int status = EXIT_FAILED;

	if (check(args) < 0)
		return EXIT_FAILED;
	if ((!args_has(args, "storage") &&
	     !args_has(args, "remove-all-storage")) ||
	    collect(ctl, args, dom, &all) == 0)
		status = undefine(ctl, args, dom);
	if (status == EXIT_OK)
		status = delete_volumes(ctl, args, &all);
	volumes_free(&all);
	return status;
}

const struct command family_undefine[] = {
	{
		.name = "undefine",
		.group = "domain",
		.summary = "undefine a domain",
		.details = "Removes the definition of an inactive domain; a "
			   "running one becomes transient.",
		.opts = OPTS(OPT_DOMAIN(complete_domains), FLAG("managed-save"),
			     STRING("storage"), FLAG("remove-all-storage"),
			     FLAG("delete-storage-volume-snapshots"),
			     FLAG("wipe-storage"), FLAG("snapshots-metadata"),
			     FLAG("checkpoints-metadata"),
			     FLAG("nvram", "remove the variable store"),
			     FLAG("keep-nvram", "keep the variable store"),
			     FLAG("tpm"), FLAG("keep-tpm")),
		.on_domain = run_undefine,
	},
	{ NULL },
};
