/*
 * dbus/iface_storage.c -- org.libvirt.StoragePool, StorageVol and Secret.
 */
#include "dbus/convert.h"

static const struct property pool_properties[] = {
	PROPERTY("Active", "b", virStoragePoolIsActive, "@=b"),
	PROPERTY_RW("Autostart", "b", virStoragePoolGetAutostart, "@I=-",
		    virStoragePoolSetAutostart, "@i=-"),
	PROPERTY_CONST("Name", "s", virStoragePoolGetName, "@=c"),
	PROPERTY("Persistent", "b", virStoragePoolIsPersistent, "@=b"),
	PROPERTY_CONST("UUID", "s", virStoragePoolGetUUIDString, "@Z=-"),
	{ 0 }
};

static const struct method pool_methods[] = {
	METHOD("Build", "flags:u", "", virStoragePoolBuild, "@u=-"),
	METHOD("Create", "flags:u", "", virStoragePoolCreate, "@u=-"),
	METHOD("Delete", "flags:u", "", virStoragePoolDelete, "@u=-"),
	METHOD("Destroy", "", "", virStoragePoolDestroy, "@=-"),
	METHOD("GetInfo", "", "info:(ittt)", virStoragePoolGetInfo, "@$=-"),
	METHOD("GetXMLDesc", "flags:u", "xml:s", virStoragePoolGetXMLDesc,
	       "@u=s"),
	METHOD("ListStorageVolumes", "flags:u", "storageVols:ao",
	       virStoragePoolListAllVolumes, "@*Vu=-"),
	METHOD("Refresh", "flags:u", "", virStoragePoolRefresh, "@u=-"),
	METHOD("StorageVolCreateXML", "xml:s flags:u", "storageVol:o",
	       virStorageVolCreateXML, "@su=oV"),
	METHOD("StorageVolCreateXMLFrom", "xml:s key:s flags:u",
	       "storageVol:o", virStorageVolCreateXMLFrom, "@svu=oV"),
	METHOD("StorageVolLookupByName", "name:s", "storageVol:o",
	       virStorageVolLookupByName, "@s=oV"),
	METHOD("Undefine", "", "", virStoragePoolUndefine, "@=-"),
	{ 0 }
};

static const struct signal pool_signals[] = {
	{ "Refresh", "" },
	{ 0 }
};

const struct iface iface_pool = {
	.name = "org.libvirt.StoragePool",
	.methods = pool_methods,
	.properties = pool_properties,
	.signals = pool_signals,
};

static const struct property vol_properties[] = {
	PROPERTY_CONST("Name", "s", virStorageVolGetName, "@=c"),
	PROPERTY_CONST("Key", "s", virStorageVolGetKey, "@=c"),
	PROPERTY_CONST("Path", "s", virStorageVolGetPath, "@=s"),
	{ 0 }
};

static const struct method vol_methods[] = {
	METHOD("Delete", "flags:u", "", virStorageVolDelete, "@u=-"),
	METHOD("GetInfo", "flags:u", "info:(itt)", virStorageVolGetInfoFlags,
	       "@$u=-"),
	METHOD("GetXMLDesc", "flags:u", "xml:s", virStorageVolGetXMLDesc,
	       "@u=s"),
	METHOD("Resize", "capacity:t flags:u", "", virStorageVolResize,
	       "@tu=-"),
	METHOD("Wipe", "pattern:u flags:u", "", virStorageVolWipePattern,
	       "@uu=-"),
	{ 0 }
};

const struct iface iface_vol = {
	.name = "org.libvirt.StorageVol",
	.methods = vol_methods,
	.properties = vol_properties,
};

static const struct property secret_properties[] = {
	PROPERTY_CONST("UUID", "s", virSecretGetUUIDString, "@Z=-"),
	PROPERTY_CONST("UsageID", "s", virSecretGetUsageID, "@=c"),
	PROPERTY_CONST("UsageType", "i", virSecretGetUsageType, "@=i"),
	{ 0 }
};

static const struct method secret_methods[] = {
	CUSTOM("GetValue", "flags:u", "value:ay", convert_secret),
	METHOD("GetXMLDesc", "flags:u", "xml:s", virSecretGetXMLDesc, "@u=s"),
	METHOD("SetValue", "value:ay flags:u", "", virSecretSetValue,
	       "@Yu=-"),
	METHOD("Undefine", "", "", virSecretUndefine, "@=-"),
	{ 0 }
};

const struct iface iface_secret = {
	.name = "org.libvirt.Secret",
	.methods = secret_methods,
	.properties = secret_properties,
};
