#!/usr/bin/python3
# A domain's life as python-libvirt sees it, and the codes of what is refused.
from functions import *

with Daemon() as d:
    c = d.open()
    assert c.getType() == "TEST" and c.getHostname()
    assert c.getURI() and c.isSecure() == 1 and c.isAlive() == 1
    assert c.getLibVersion() >= 6000000

    def names():
        """All but the one that /test begins with."""
        return [x.name() for x in c.listAllDomains() if x.name() != "test"]

    assert names() == []

    dom = c.defineXML(xml("one", "<title>The first</title>"))
    assert dom.name() == "one" and dom.ID() == -1
    assert not dom.isActive() and dom.isPersistent()
    assert "one" in c.listDefinedDomains() and names() == ["one"]
    assert c.numOfDefinedDomains() == len(c.listDefinedDomains())
    assert dom.state()[0] == libvirt.VIR_DOMAIN_SHUTOFF
    assert dom.OSType() == "hvm" and dom.autostart() == 0
    assert dom.maxMemory() == 65536
    assert dom.vcpusFlags(libvirt.VIR_DOMAIN_AFFECT_CONFIG) == 2
    assert dom.metadata(libvirt.VIR_DOMAIN_METADATA_TITLE, None) == "The first"
    dom.setAutostart(1)
    assert dom.autostart() == 1

    # Not while it is off.
    for call in (dom.suspend, dom.resume, dom.destroy, dom.shutdown,
                 dom.reset, dom.maxVcpus, dom.memoryStats):
        fails(libvirt.VIR_ERR_OPERATION_INVALID, call)

    dom.create()
    assert dom.ID() > 0 and dom.isActive()
    assert dom.state() == [libvirt.VIR_DOMAIN_RUNNING,
                           libvirt.VIR_DOMAIN_RUNNING_BOOTED]
    assert dom.ID() in c.listDomainsID()
    assert c.lookupByID(dom.ID()).UUIDString() == dom.UUIDString()
    fails(libvirt.VIR_ERR_OPERATION_INVALID, dom.create)
    state, max_mem, mem, vcpus, ns = dom.info()
    assert (state, max_mem, vcpus) == (1, 65536, 2)
    assert dom.maxVcpus() == 2 and len(dom.vcpus()[0]) == 2
    dom.suspend()
    assert dom.state()[0] == libvirt.VIR_DOMAIN_PAUSED
    dom.resume()
    assert "id='%d'" % dom.ID() in dom.XMLDesc()
    stats = [x for y, x in c.getAllDomainStats() if y.name() == "one"]
    assert len(stats) == 1 and stats[0]["state.state"] == 1
    assert c.domainListGetStats([dom])[0][1]["vcpu.current"] == 2
    assert dom.jobInfo()[0] == libvirt.VIR_DOMAIN_JOB_NONE
    assert dom.hasManagedSaveImage() == 0 and dom.snapshotNum() == 0
    assert dom.isUpdated() in (0, 1)
    dom.setMetadata(libvirt.VIR_DOMAIN_METADATA_TITLE, "Another", None, None,
                    libvirt.VIR_DOMAIN_AFFECT_CONFIG)
    dom.destroy()
    assert dom.ID() == -1 and dom.state()[0] == libvirt.VIR_DOMAIN_SHUTOFF
    assert dom.metadata(libvirt.VIR_DOMAIN_METADATA_TITLE, None) == "Another"

    # A transient one leaves nothing; its id is not used again.
    t = c.createXML(xml("two"))
    assert not t.isPersistent() and t.isActive()
    t.destroy()
    fails(libvirt.VIR_ERR_NO_DOMAIN, c.lookupByName, "two")
    assert "two" in fails(libvirt.VIR_ERR_NO_DOMAIN, c.lookupByName, "two")

    # Ends with the connection that made it.
    other = d.open()
    other.createXML(xml("three"), libvirt.VIR_DOMAIN_START_AUTODESTROY)
    assert c.lookupByName("three").isActive()
    other.close()
    while "three" in names():
        time.sleep(0.01)

    # What is refused, and how.
    text = fails(libvirt.VIR_ERR_INVALID_ARG, dom.createWithFlags, 1 << 20)
    assert "0x100000" in text
    fails(libvirt.VIR_ERR_NO_SUPPORT, dom.setBlockThreshold,
          "vda", 1)
    fails(libvirt.VIR_ERR_OPERATION_INVALID, dom.save, "/nowhere")
    fails(libvirt.VIR_ERR_NO_NETWORK, c.networkLookupByName, "x")
    fails(libvirt.VIR_ERR_NO_STORAGE_POOL, c.storagePoolLookupByName, "x")
    fails(libvirt.VIR_ERR_NO_NWFILTER, c.nwfilterLookupByName, "x")
    fails(libvirt.VIR_ERR_NO_SECRET, c.secretLookupByUUIDString,
          "00000000-0000-4000-8000-000000000001")
    fails(libvirt.VIR_ERR_NO_NODE_DEVICE, c.nodeDeviceLookupByName, "x")
    fails(libvirt.VIR_ERR_NO_INTERFACE, c.interfaceLookupByName, "x")
    fails(libvirt.VIR_ERR_NO_DOMAIN_SNAPSHOT, dom.snapshotLookupByName, "x")
    assert c.listAllNetworks() == [] and c.listNetworks() == []
    assert c.listAllStoragePools() == [] and c.listAllDevices() == []

    # Read-only means it.
    r = d.open_readonly()
    rdom = r.lookupByName("one")
    assert rdom.state()[0] == libvirt.VIR_DOMAIN_SHUTOFF
    fails(libvirt.VIR_ERR_OPERATION_DENIED, rdom.create)
    fails(libvirt.VIR_ERR_OPERATION_DENIED, rdom.XMLDesc,
          libvirt.VIR_DOMAIN_XML_SECURE)
    # ... also when the client does not know that it is.
    sly = libvirt.open(d.uri() + "-ro")
    text = fails(libvirt.VIR_ERR_OPERATION_DENIED,
                 sly.lookupByName("one").create)
    assert "read only access prevents virDomainCreate" in text

    assert d.open("qemu").getType() == "TEST"
    fails(libvirt.VIR_ERR_NO_CONNECT, libvirt.open,
          d.uri().replace("vireo+unix", "xen+unix"))
    fails(libvirt.VIR_ERR_INTERNAL_ERROR, libvirt.open,
          d.uri().replace("/test", "/nowhere"))

    dom.undefine()
    fails(libvirt.VIR_ERR_NO_DOMAIN, dom.info)
