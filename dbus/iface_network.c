/*
 * dbus/iface_network.c -- org.libvirt.Network, NWFilter, Interface and
 * NodeDevice.
 */
#include "dbus/convert.h"

static const struct property network_properties[] = {
	PROPERTY("Active", "b", virNetworkIsActive, "@=b"),
	PROPERTY_RW("Autostart", "b", virNetworkGetAutostart, "@I=-",
		    virNetworkSetAutostart, "@i=-"),
	PROPERTY_CONST("Name", "s", virNetworkGetName, "@=c"),
	PROPERTY("Persistent", "b", virNetworkIsPersistent, "@=b"),
	PROPERTY_CONST("UUID", "s", virNetworkGetUUIDString, "@Z=-"),
	{ 0 }
};

static const struct method network_methods[] = {
	METHOD("Create", "", "", virNetworkCreate, "@=-"),
	METHOD("Destroy", "", "", virNetworkDestroy, "@=-"),
	CUSTOM("GetDHCPLeases", "mac:s flags:u", "leases:a(sxisssuss)",
	       convert_leases),
	METHOD("GetXMLDesc", "flags:u", "xml:s", virNetworkGetXMLDesc,
	       "@u=s"),
	METHOD("Undefine", "", "", virNetworkUndefine, "@=-"),
	METHOD("Update", "command:u section:u parentIndex:i xml:s flags:u",
	       "", virNetworkUpdate, "@uuisu=-"),
	{ 0 }
};

const struct iface iface_network = {
	.name = "org.libvirt.Network",
	.methods = network_methods,
	.properties = network_properties,
};

static const struct property nwfilter_properties[] = {
	PROPERTY_CONST("Name", "s", virNWFilterGetName, "@=c"),
	PROPERTY_CONST("UUID", "s", virNWFilterGetUUIDString, "@Z=-"),
	{ 0 }
};

static const struct method nwfilter_methods[] = {
	METHOD("GetXMLDesc", "flags:u", "xml:s", virNWFilterGetXMLDesc,
	       "@u=s"),
	METHOD("Undefine", "", "", virNWFilterUndefine, "@=-"),
	{ 0 }
};

const struct iface iface_nwfilter = {
	.name = "org.libvirt.NWFilter",
	.methods = nwfilter_methods,
	.properties = nwfilter_properties,
};

static const struct property interface_properties[] = {
	PROPERTY("Active", "b", virInterfaceIsActive, "@=b"),
	PROPERTY_CONST("MAC", "s", virInterfaceGetMACString, "@=c"),
	PROPERTY_CONST("Name", "s", virInterfaceGetName, "@=c"),
	{ 0 }
};

static const struct method interface_methods[] = {
	METHOD("Create", "flags:u", "", virInterfaceCreate, "@u=-"),
	METHOD("Destroy", "flags:u", "", virInterfaceDestroy, "@u=-"),
	METHOD("GetXMLDesc", "flags:u", "xml:s", virInterfaceGetXMLDesc,
	       "@u=s"),
	METHOD("Undefine", "", "", virInterfaceUndefine, "@=-"),
	{ 0 }
};

const struct iface iface_interface = {
	.name = "org.libvirt.Interface",
	.methods = interface_methods,
	.properties = interface_properties,
};

static const struct property nodedev_properties[] = {
	PROPERTY_CONST("Name", "s", virNodeDeviceGetName, "@=c"),
	PROPERTY_CONST("Parent", "s", virNodeDeviceGetParent, "@=c"),
	{ 0 }
};

static const struct method nodedev_methods[] = {
	METHOD("Destroy", "", "", virNodeDeviceDestroy, "@=-"),
	METHOD("Detach", "driverName:s flags:u", "", virNodeDeviceDetachFlags,
	       "@nu=-"),
	METHOD("GetXMLDesc", "flags:u", "xml:s", virNodeDeviceGetXMLDesc,
	       "@u=s"),
	CUSTOM("ListCaps", "", "names:as", convert_capabilities),
	METHOD("ReAttach", "", "", virNodeDeviceReAttach, "@=-"),
	METHOD("Reset", "", "", virNodeDeviceReset, "@=-"),
	{ 0 }
};

const struct iface iface_nodedev = {
	.name = "org.libvirt.NodeDevice",
	.methods = nodedev_methods,
	.properties = nodedev_properties,
};
