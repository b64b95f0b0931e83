#!/usr/bin/python3
# Disks (of which one is a storage pool's volume) and CD-ROM drives on SATA, SCSI
# and NVMe controllers, a medium that is changed, and a watchdog: from the
# domain's XML, through stock clients.
import os
import sys

# The cloud kernel has no driver for SATA and for the watchdog.
if not os.environ.get("GENERIC_ROOT"):
    print("skip: needs GENERIC_ROOT, Debian's generic kernel unpacked")
    sys.exit(77)
os.environ["GUEST_ROOT"] = os.environ["GENERIC_ROOT"]

import hashlib

from functions import *

V = libvirt
MIB = 1024 * 1024
MODULES = """scsi_common scsi_mod crct10dif_common crct10dif_generic crc-t10dif
    crc64 crc64-rocksoft t10-pi cdrom libata libahci ahci virtio_scsi
    nvme-core nvme sd_mod sr_mod watchdog i6300esb""".split()


QCOW2 = "type='qcow2' detect_zeroes='unmap'"


def image(d, name, mib):
    data = os.urandom(mib * MIB)
    with open(f"{d.dir}/{name}", "wb") as f:
        f.write(data)
    return hashlib.md5(data).hexdigest()


def disk(d, name, target, bus, more="", driver="type='raw'"):
    return f"""
    <disk type='file' device='disk'>
      <driver name='qemu' {driver} discard='unmap'/>
      <source file='{d.dir}/{name}'/><target dev='{target}' bus='{bus}'/>
      {more}
    </disk>"""


def drive(path, target="sdb"):
    source = f"<source file='{path}'/>" if path else ""
    return f"""
    <disk type='file' device='cdrom'>
      <driver name='qemu' type='raw'/>
      {source}<target dev='{target}' bus='sata'/><readonly/>
    </disk>"""


def volume(c, d, mib):
    """A pool, a volume in it, and data that comes through a stream."""
    data = os.urandom(mib * MIB)
    pool = c.storagePoolDefineXML(f"""
    <pool type='dir'><name>p</name><target><path>{d.dir}/pool</path></target>
    </pool>""")
    pool.build()
    pool.create()
    vol = pool.createXML(f"""
    <volume><name>c</name><capacity unit='MiB'>{mib}</capacity>
    <allocation>0</allocation></volume>""")
    stream = c.newStream()
    vol.upload(stream, 0, len(data))
    sent = 0
    while sent < len(data):
        sent += stream.send(data[sent:sent + 65536])
    stream.finish()
    return vol, hashlib.md5(data).hexdigest()


def volume_disk(target, bus, more):
    return f"""
    <disk type='volume' device='disk'>
      <driver name='qemu' type='raw' discard='unmap'/>
      <source pool='p' volume='c'/><target dev='{target}' bus='{bus}'/>
      {more}
    </disk>"""


def definition(d):
    return d.xml("g", disk(d, "a", "sda", "sata",
                           "<serial>SATA-1</serial>") +
                 drive(d.dir + "/cd1") + disk(d, "b", "sdc", "scsi", "",
                                                 QCOW2) +
                 volume_disk("nvme0n1", "nvme", "<serial>NV-1</serial>") + """
    <watchdog model='i6300esb' action='pause'/>
    <panic model='pvpanic'/>""").replace(
        "<memory unit='MiB'>128", "<memory unit='MiB'>512")


def addresses(g):
    """What is shown: where everything is, and that it stays there."""
    live, later = g.XMLDesc(), g.XMLDesc(V.VIR_DOMAIN_XML_INACTIVE)
    for kind in "sata", "scsi", "nvme":
        assert re.search(f"<controller type='{kind}' index='0'", live), kind
    for alias in "sata0-0-0", "sata0-0-1", "scsi0-0-0-2", "nvme0-0-0":
        assert f"<alias name='{alias}'/>" in live, alias
    pci = r"<address type='pci'[^>]*>"
    assert re.findall(pci, live) == re.findall(pci, later)
    for xml in live, later:
        assert re.search("<source pool='p' volume='c'[ /]", xml), xml
    assert len(set(re.findall(pci, live))) == len(re.findall(pci, live))


def sizes(con):
    return dict(reversed(line.split()) for line in con.run(
        "for d in /sys/block/*; do echo $(basename $d) $(cat $d/size); "
        "done").splitlines())


def contents(con, sums):
    until("all disks", lambda: {"8192", "10240", "12288"} <= set(sizes(con)))
    by_size = sizes(con)
    for size, sum in zip(("8192", "10240", "12288"), sums):
        assert con.run(f"md5sum </dev/{by_size[size]}").split()[0] == sum
    assert con.run("cat /sys/class/nvme/nvme0/serial").strip() == "NV-1"


def medium(d, g, con, events, sums):
    assert con.run("md5sum </dev/sr0").split()[0] == sums[0]
    g.updateDeviceFlags(drive(d.dir + "/cd2"))
    until("the new medium",
          lambda: con.run("md5sum </dev/sr0 2>&1; true").split()[0] == sums[1])
    assert "/cd2" in g.XMLDesc() and "/cd1" not in g.XMLDesc()
    d.virsh("change-media", "g", "sdb", "--eject")
    until("the tray's event", lambda: ("sata0-0-1", 0) in events)
    assert "tray='open'" in g.XMLDesc()
    # Opening it makes the guest close the tray: there is nothing in it.
    assert con.run("dd if=/dev/sr0 of=/dev/null count=1 2>/dev/null; "
                   "echo $?") == "1"
    d.virsh("change-media", "g", "sdb", d.dir + "/cd1", "--insert")
    until("the first medium",
          lambda: con.run("md5sum </dev/sr0 2>&1; true").split()[0] == sums[0])
    # An open device is a locked drive.
    con.run("exec 6</dev/sr0")
    fails(V.VIR_ERR_OPERATION_FAILED, g.updateDeviceFlags,
          drive(d.dir + "/cd2"))
    con.run("exec 6<&-")
    g.updateDeviceFlags(drive(d.dir + "/cd2"),
                        V.VIR_DOMAIN_DEVICE_MODIFY_FORCE)
    fails(V.VIR_ERR_OPERATION_UNSUPPORTED, g.updateDeviceFlags,
          disk(d, "a", "sda", "sata"))
    fails(V.VIR_ERR_INVALID_ARG, g.updateDeviceFlags,
          drive(d.dir + "/cd1", "sdx"))


def looks(d, g):
    """How large disks are, and what is in them; as they are when it is off."""
    with open(d.dir + "/a", "rb") as f:
        data = f.read()
    assert g.blockInfo("sda")[:2] == [4 * MIB, 4 * MIB]
    assert "Capacity:       4194304" in d.virsh("domblkinfo", "g", "sda")
    assert g.blockPeek("sda", 1234567, 70000) == data[1234567:1304567]
    assert g.blockPeek(d.dir + "/a", 0, 10) == data[:10]
    fails(V.VIR_ERR_INVALID_ARG, g.blockPeek, "sdz", 0, 10)
    fails(V.VIR_ERR_CONFIG_UNSUPPORTED, g.blockPeek, "sdc", 0, 10)
    # An image that is based on others has nothing yet of what it shows.
    capacity, allocation, physical = g.blockInfo("sdc")
    assert capacity == 5 * MIB and allocation < MIB and physical < MIB
    fails(V.VIR_ERR_OPERATION_FAILED, g.blockPeek, "sda", 4 * MIB - 5, 10)


def discards(con, dev):
    """What the guest gives back of a qcow2 image reads as zeroes."""
    con.run(f"dd if=/dev/urandom of=/dev/{dev} bs=1M seek=4 count=3 "
            "conv=fsync 2>/dev/null")
    assert con.run(f"blkdiscard -o {5 * MIB} -l {MIB} /dev/{dev}; echo $?") == "0"
    zero = hashlib.md5(bytes(MIB)).hexdigest()
    assert con.run(f"dd if=/dev/{dev} bs=1M skip=5 count=1 2>/dev/null | "
                   "md5sum").split()[0] == zero
    # Zeroes that are written take no space either.
    con.run(f"dd if=/dev/zero of=/dev/{dev} bs=1M seek=4 count=1 conv=fsync "
            "2>/dev/null")


def resizes(d, g, vol, con):
    """The guest is told of a larger disk, and of a smaller one."""
    def is_there(size):
        return lambda: size in sizes(con)
    d.virsh("blockresize", "g", "sdc", "7MiB")
    until("7 MiB", is_there("14336"))
    assert g.blockInfo("sdc")[0] == 7 * MIB
    discards(con, sizes(con)["14336"])
    g.blockResize("nvme0n1", 9 * 1024)
    until("9 MiB", is_there("18432"))
    assert vol.info()[1] == 9 * MIB
    dev = sizes(con)["18432"]
    con.run(f"echo last | dd of=/dev/{dev} bs=512 seek=18431 conv=fsync,sync "
            "2>/dev/null")
    assert g.blockPeek("nvme0n1", 9 * MIB - 512, 4) == b"last"
    g.blockResize("sdc", 6 * MIB - 100, V.VIR_DOMAIN_BLOCK_RESIZE_BYTES)
    until("6 MiB", is_there("12288"))
    # As large as its device is: there is none.
    fails(V.VIR_ERR_OPERATION_UNSUPPORTED, g.blockResize, "sdc", 0, 2)


def memory(g, con):
    """The kernel's memory, by its own addresses and by the machine's."""
    con.run("echo 0 >/proc/sys/kernel/kptr_restrict")
    at = dict(reversed(line.split()[::2]) for line in con.run(
        "grep -wE '_text|linux_banner' /proc/kallsyms").splitlines())
    banner = int(at["linux_banner"], 16)
    # Where a processor is in a program may have no more than that mapped.
    until("the banner", lambda: peek(g, banner, 13) == b"Linux version")
    code = con.run("grep 'Kernel code' /proc/iomem").split("-")[0]
    text = g.memoryPeek(int(code, 16), 4096, V.VIR_MEMORY_PHYSICAL)
    until("the code", lambda: peek(g, int(at["_text"], 16), 4096) == text)
    fails(V.VIR_ERR_OPERATION_FAILED, g.memoryPeek, 1 << 50, 8,
          V.VIR_MEMORY_PHYSICAL)


def peek(g, at, size):
    try:
        return g.memoryPeek(at, size, V.VIR_MEMORY_VIRTUAL)
    except V.libvirtError:
        return None


def refusals(c, d):
    luks = """<encryption format='luks'>
      <secret type='passphrase' uuid='f52a81b2-424e-490c-823d-6bd4235bc572'/>
      </encryption>"""
    plain = disk(d, "a", "vda", "virtio")
    for xml in (
            plain.replace("<target", luks + "<target"),
            plain.replace("'/><target", f"'>{luks}</source><target"),
            drive(d.dir + "/cd1", "vdb").replace("'sata'", "'virtio'"),
            disk(d, "a", "hda", "ide"), disk(d, "a", "xvda", "xen"),
            "<watchdog model='ib700'/>",
            "<watchdog model='i6300esb' action='dump'/>",
            "<controller type='scsi' model='lsilogic'/>"):
        fails(V.VIR_ERR_CONFIG_UNSUPPORTED, c.createXML,
              d.xml("no", xml))


def unsound(d, c):
    """Images that cannot be used: one sentence, which names the file."""
    shutil.copy(d.dir + "/b", d.dir + "/bad")
    def start(name, *parts):
        g = c.defineXML(d.xml("bad", disk(d, name, "vda", "virtio", "",
                                          "type='qcow2'")))
        try:
            g.create()
            assert False, name
        except V.libvirtError as e:
            said = str(e)
        g.undefine()
        for part in parts:
            assert part in said, said
        assert "\n" not in said, said
    start("a", "/a'", "qcow2")
    with open(d.dir + "/bad", "r+b") as f:
        f.seek(40)
        f.write(b"\xff" * 8)  # where its table is
    start("bad", "/bad'")
    os.unlink(d.dir + "/b.raw")
    start("b", "/b.raw")


with Daemon(MODULES) as d:
    b = os.urandom(5 * MIB)
    chain(d.dir, "b", b)
    cds = image(d, "cd1", 2), image(d, "cd2", 1)
    c = d.open()
    refusals(c, d)
    vol, vol_sum = volume(c, d, 6)
    sums = image(d, "a", 4), hashlib.md5(b).hexdigest(), vol_sum
    trays, barks = [], []
    c.domainEventRegisterAny(
        None, V.VIR_DOMAIN_EVENT_ID_TRAY_CHANGE,
        lambda conn, dom, alias, reason, _: trays.append((alias, reason)),
        None)
    c.domainEventRegisterAny(
        None, V.VIR_DOMAIN_EVENT_ID_WATCHDOG,
        lambda conn, dom, action, _: barks.append(action), None)
    g = c.defineXML(definition(d))
    # Where the volume is, is looked for when the domain starts.
    c.storagePoolLookupByName("p").destroy()
    fails(V.VIR_ERR_OPERATION_INVALID, g.create)
    c.storagePoolLookupByName("p").create()
    g.create()
    con = StreamConsole(c, g)
    con.wait_prompt()
    addresses(g)
    contents(con, sums)
    looks(d, g)
    resizes(d, g, vol, con)
    memory(g, con)
    medium(d, g, con, trays, cds)
    stats = c.domainListGetStats([g])[0][1]
    assert stats["block.count"] == 4 and stats["block.0.rd.bytes"] >= 4 * MIB
    assert stats["block.0.capacity"] == stats["block.0.physical"] == 4 * MIB
    assert stats["block.2.capacity"] == 6 * MIB > stats["block.2.physical"]
    # Opened and never fed again: 30 seconds.
    con.run("exec 7>/dev/watchdog; echo fed >&7")
    until("the watchdog", lambda: barks == [V.VIR_DOMAIN_EVENT_WATCHDOG_PAUSE])
    until("the pause", lambda: g.state() ==
          [V.VIR_DOMAIN_PAUSED, V.VIR_DOMAIN_PAUSED_WATCHDOG])
    g.destroy()
    assert g.blockInfo("sda")[0] == 4 * MIB
    assert g.blockInfo("nvme0n1")[0] == 9 * MIB
    assert g.blockInfo("sdc")[0] == 6 * MIB
    fails(V.VIR_ERR_OPERATION_INVALID, g.blockResize, "sda", 8192)
    now = check_chain(d.dir + "/b", b, 6 * MIB)
    assert now[:4 * MIB] == b[:4 * MIB] and not any(now[4 * MIB:])
    unsound(d, c)
print("storage: all right")
