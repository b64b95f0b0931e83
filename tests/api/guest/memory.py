#!/usr/bin/python3
# Memory that comes to and goes from a guest while it runs, by stock clients:
# a module, a virtio-mem device of which more and less is requested, and a file
# in the guest's memory.
import hashlib

from functions import *

V = libvirt
LIVE, CONFIG = V.VIR_DOMAIN_AFFECT_LIVE, V.VIR_DOMAIN_AFFECT_CONFIG
MIB = 1024
TOP = """<maxMemory slots='4' unit='MiB'>2048</maxMemory>
  <memory unit='MiB'>192</memory>"""
PORT = "<controller type='pci' index='1' model='pcie-root-port'/>"
DIMM = """<memory model='dimm'><target><size unit='MiB'>256</size></target>
  </memory>"""
FILE = """<memoryBacking><source type='file'/><access mode='shared'/>
  </memoryBacking>"""
MEM = """<memory model='virtio-mem'><target><size unit='MiB'>512</size>
  <block unit='MiB'>2</block><requested unit='MiB'>%d</requested></target>
  </memory>"""
PMEM = """<memory model='virtio-pmem' access='shared'>
  <source><path>%s</path></source>
  <target><size unit='MiB'>64</size></target></memory>"""
PMEM_MODULES = ["libnvdimm", "nd_btt", "nd_pmem", "nd_virtio", "virtio_pmem"]


class MemoryEvents(DeviceEvents):
    """Also (alias, size)."""

    def __init__(self, conn):
        super().__init__(conn)
        conn.domainEventRegisterAny(
            None, V.VIR_DOMAIN_EVENT_ID_MEMORY_DEVICE_SIZE_CHANGE,
            lambda c, dom, alias, size, o: self.tell(alias, size), None)


def with_memory(d, name, devices, top=TOP):
    return d.xml(name, devices).replace("<memory unit='MiB'>128</memory>",
                                        top)


def total(con):
    return int(con.run("awk '/^MemTotal/ { print $2 }' /proc/meminfo"))


def field(dom, name, flags=0):
    m = re.search(rf"<{name} unit='KiB'>(\d+)<", dom.XMLDesc(flags))
    return int(m.group(1)) if m else None


def in_file(d, g):
    """The guest's memory is a file of the daemon's, all of it."""
    total = 0
    with open(f"/proc/{d.vmm_pid(g)}/maps") as f:
        for line in f:
            m = re.match(r"(\w+)-(\w+) rw-(.).* (/.*/state/ram/\S+)", line)
            if m and m.group(3) == "s":
                total += int(m.group(2), 16) - int(m.group(1), 16)
    assert total >= 192 * 1024 * MIB, total


def config(d, conn):
    """Definitions: what is refused, what is counted, what is kept."""
    fails_with("maxMemory", conn.defineXML, d.xml("c", DIMM))
    fails_with("slot count", conn.defineXML,
               with_memory(d, "c", "", TOP.replace("slots='4'", "slots='0'")))
    fails_with("maximum memory size", conn.defineXML,
               with_memory(d, "c", "", TOP.replace("2048", "64")))
    more = TOP.replace("192", "768")
    fails_with("'nvdimm'", conn.createXML,
               with_memory(d, "c", DIMM.replace("dimm", "nvdimm"), more))
    fails_with("multiple", conn.createXML, with_memory(d, "c", MEM % 3, more))
    c = conn.defineXML(with_memory(d, "c", PORT))
    c.attachDeviceFlags(DIMM, CONFIG)
    xml = c.XMLDesc()
    assert "<address type='dimm' slot='0'/>" in xml, xml
    assert field(c, "memory") == 448 * MIB and c.maxMemory() == 448 * MIB
    fails_with("exceed", c.attachDeviceFlags, DIMM.replace("256", "4096"),
               CONFIG)
    c.detachDeviceFlags(DIMM, CONFIG)
    assert field(c, "memory") == 192 * MIB
    c.setMemoryFlags(256 * MIB, V.VIR_DOMAIN_MEM_MAXIMUM | CONFIG)
    assert c.maxMemory() == 256 * MIB
    fails_with("maximum memory size", c.setMemoryFlags, 4096 * MIB,
               V.VIR_DOMAIN_MEM_MAXIMUM | CONFIG)
    c.undefine()


def module(g, con, ev, d):
    before = total(con)
    path = f"{d.dir}/dimm.xml"
    with open(path, "w") as f:
        f.write(DIMM)
    d.virsh("attach-device", "g", path, "--live", "--config")
    ev.expect("added", "dimm0")
    until("a module", lambda: total(con) > before + 240 * MIB)
    assert "base='0x" in g.XMLDesc()
    assert "base='0x" not in g.XMLDesc(V.VIR_DOMAIN_XML_INACTIVE)
    assert g.maxMemory() == (192 + 512 + 256) * MIB, g.maxMemory()
    until("the balloon's word", lambda: field(g, "currentMemory") ==
          (192 + 256) * MIB)
    assert g.memoryStats()["actual"] == (192 + 256) * MIB


def blocks(g, con, ev, d):
    before = total(con)
    d.virsh("update-memory-device", "g", "--alias", "virtiomem0",
            "--requested-size", "256MiB", "--live")
    ev.expect("virtiomem0", 256 * MIB)
    until("its blocks", lambda: total(con) > before + 240 * MIB)
    assert field(g, "requested") == 256 * MIB
    until("what it uses", lambda: field(g, "current") == 256 * MIB)
    until("the sum", lambda: field(g, "currentMemory") ==
          (192 + 256 + 256) * MIB)
    assert field(g, "requested", V.VIR_DOMAIN_XML_INACTIVE) is not None
    assert field(g, "current", V.VIR_DOMAIN_XML_INACTIVE) is None
    fails_with("request 0 first", g.detachDeviceAlias, "virtiomem0", LIVE)
    fails_with("multiple of block", g.updateDeviceFlags,
               re.sub(r"(<requested.*?>)\d+", r"\g<1>3",
                      re.search(r"<memory model='virtio-mem'.*?</memory>",
                                g.XMLDesc(), re.S).group(0)), LIVE)


def after(g, con, ev, d):
    before = total(con)
    d.virsh("detach-device-alias", "g", "dimm0", "--live")
    ev.expect("removed", "dimm0")
    assert "dimm0" not in g.XMLDesc()
    until("no module", lambda: total(con) < before - 240 * MIB)
    d.virsh("update-memory-device", "g", "--alias", "virtiomem0",
            "--requested-size", "0", "--live")
    ev.expect("virtiomem0", 0)
    until("nothing", lambda: not field(g, "current"))
    until("the sum", lambda: field(g, "currentMemory") == 192 * MIB)


def file_md5(path):
    with open(path, "rb") as f:
        return hashlib.md5(f.read()).hexdigest()


def persistent(g, con, ev, d):
    """A file of 32 MiB that becomes 64 large; what either side writes, the
    other reads, and the guest's flushes are answered."""
    path = d.dir + "/pmem"
    with open(path, "wb") as f:
        f.write(os.urandom(32 << 20))
    fails_with("path is required", g.attachDeviceFlags,
               re.sub(r"(?s)<source>.*</source>", "", PMEM), LIVE)
    g.attachDeviceFlags(PMEM % path, LIVE)
    ev.expect("added", "virtiopmem0")
    until("its driver", lambda: con.run("cat /sys/block/pmem0/size; true") ==
          str((64 << 20) // 512))
    assert os.path.getsize(path) == 64 << 20
    assert con.run("md5sum </dev/pmem0").split()[0] == file_md5(path)
    con.run("dd if=/dev/urandom of=/dev/pmem0 bs=1M seek=16 count=40 "
            "conv=fsync 2>/dev/null")
    there = con.run("md5sum </dev/pmem0").split()[0]
    assert there == file_md5(path)
    fails_with("virtiopmem0", g.managedSave)
    assert g.isActive()
    g.detachDeviceAlias("virtiopmem0", LIVE)
    ev.expect("removed", "virtiopmem0")
    assert "virtio-pmem" not in g.XMLDesc() and there == file_md5(path)


def main():
    with Daemon(["virtio_mem", *PMEM_MODULES]) as d:
        conn = d.open()
        ev = MemoryEvents(conn)
        config(d, conn)
        g = conn.defineXML(with_memory(d, "g", PORT + MEM % 0, TOP.replace(
            "192", str(192 + 512)) + FILE))
        g.create()
        in_file(d, g)
        con = StreamConsole(conn, g)
        con.wake()
        con.run("echo online_movable "
                ">/sys/devices/system/memory/auto_online_blocks")
        module(g, con, ev, d)
        blocks(g, con, ev, d)
        con.close()
        g.managedSave()
        g.create()
        con = StreamConsole(conn, g)
        con.wake()
        in_file(d, g)
        until("what it used", lambda: field(g, "current") == 256 * MIB)
        after(g, con, ev, d)
        persistent(g, con, ev, d)
        assert "dimm" in g.XMLDesc(V.VIR_DOMAIN_XML_INACTIVE)
        con.close()
        g.destroy()
    print("memory: all right")


main()
