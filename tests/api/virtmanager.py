#!/usr/bin/python3
"""What virt-manager asks when it connects, with its own library.

usage: virtmanager.py URI
"""
import sys

import libvirt as V

sys.path.insert(0, "/usr/share/virt-manager")
from virtinst import DomainCapabilities, VirtinstConnection  # noqa: E402


def capabilities(c):
    """From these it chooses the machine, the firmware and the devices."""
    info = c.caps.guest_lookup(os_type="hvm", arch="x86_64")
    assert info.arch == "x86_64" and info.hypervisor_type
    dc = DomainCapabilities.build_from_params(
        c, hvtype=info.hypervisor_type, emulator=None, machine="q35",
        arch="x86_64")
    assert dc.machine == "q35" and dc.path
    assert dc.devices.disk.supported
    buses = dc.devices.disk.get_enum("bus").get_values()
    assert "virtio" in buses and "sata" in buses, buses


def lists(c):
    for fetch in (c.fetch_all_domains, c.fetch_all_pools, c.fetch_all_vols,
                  c.fetch_all_nodedevs):
        assert fetch() is not None
    assert c.listAllNetworks() is not None
    assert c.listAllInterfaces() is not None
    assert c.listAllNWFilters() is not None


def events(c):
    def nothing(*args):
        pass

    domain = [c.domainEventRegisterAny(None, e, nothing, None) for e in (
        V.VIR_DOMAIN_EVENT_ID_LIFECYCLE,
        V.VIR_DOMAIN_EVENT_ID_AGENT_LIFECYCLE,
        V.VIR_DOMAIN_EVENT_ID_DEVICE_ADDED,
        V.VIR_DOMAIN_EVENT_ID_DEVICE_REMOVED,
        V.VIR_DOMAIN_EVENT_ID_TRAY_CHANGE,
        V.VIR_DOMAIN_EVENT_ID_BALLOON_CHANGE)]
    net = c.networkEventRegisterAny(
        None, V.VIR_NETWORK_EVENT_ID_LIFECYCLE, nothing, None)
    pools = [c.storagePoolEventRegisterAny(None, e, nothing, None) for e in (
        V.VIR_STORAGE_POOL_EVENT_ID_LIFECYCLE,
        V.VIR_STORAGE_POOL_EVENT_ID_REFRESH)]
    nodedevs = [c.nodeDeviceEventRegisterAny(None, e, nothing, None) for e in (
        V.VIR_NODE_DEVICE_EVENT_ID_LIFECYCLE,
        V.VIR_NODE_DEVICE_EVENT_ID_UPDATE)]
    for e in nodedevs:
        c.nodeDeviceEventDeregisterAny(e)
    for e in pools:
        c.storagePoolEventDeregisterAny(e)
    c.networkEventDeregisterAny(net)
    for e in domain:
        c.domainEventDeregisterAny(e)


def figures(c):
    assert c.getInfo()[0] == "x86_64"
    assert "user" in c.getCPUStats(V.VIR_NODE_CPU_STATS_ALL_CPUS)
    assert c.getMemoryStats(V.VIR_NODE_MEMORY_STATS_ALL_CELLS)["total"]
    for dom in c.listAllDomains():
        assert dom.info() and dom.XMLDesc(V.VIR_DOMAIN_XML_INACTIVE)
        assert c.domainListGetStats([dom], 0, 0)


def main():
    V.virEventRegisterDefaultImpl()
    c = VirtinstConnection(sys.argv[1])
    c.open(lambda *args: 0, None)
    c.setKeepAlive(20, 1)
    for part in capabilities, lists, events, figures:
        part(c)
        print(f"ok: {part.__name__}")
    c.close()


main()
