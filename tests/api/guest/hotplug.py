#!/usr/bin/python3
# Devices that come to and go from a guest while it runs, by stock clients.
import hashlib
import os
import signal

# The generic kernel has drivers for USB, which the cloud kernel has not.
if os.environ.get("GENERIC_ROOT"):
    os.environ["GUEST_ROOT"] = os.environ["GENERIC_ROOT"]

from functions import *

# In a network of its own: its bridge is nobody's else.
if "VIREO_TEST_NETNS" not in os.environ:
    os.environ["VIREO_TEST_NETNS"] = "1"
    os.execvp("unshare", ["unshare", "-n", sys.executable, "-B", __file__])

V = libvirt
LIVE, CONFIG = V.VIR_DOMAIN_AFFECT_LIVE, V.VIR_DOMAIN_AFFECT_CONFIG
MIB = 1024 * 1024
MAC = "52:54:00:12:34:77"
PORTS = "".join(
    "<controller type='pci' index='%d' model='pcie-root-port'/>" % n
    for n in range(1, 5)) + """
  <controller type='scsi' index='0' model='virtio-scsi'/>
  <controller type='virtio-serial' index='0' ports='4'/>
  <controller type='usb' index='0' model='qemu-xhci'/>"""
MODULES = """scsi_common scsi_mod crct10dif_common crct10dif_generic crc-t10dif
  crc64 crc64-rocksoft t10-pi cdrom virtio_scsi sd_mod sr_mod""".split()
USB = """usb-common usbcore xhci-hcd xhci-pci usb-storage hid hid-generic
  usbhid""".split() if os.environ.get("GENERIC_ROOT") else []


def make_disk(d, name):
    data = os.urandom(MIB)
    with open(f"{d.dir}/{name}", "wb") as f:
        f.write(data)
    return hashlib.md5(data).hexdigest()


def disk(d, name, dev, bus="virtio"):
    return f"""<disk type='file' device='disk'>
      <driver name='qemu' type='raw'/><source file='{d.dir}/{name}'/>
      <target dev='{dev}' bus='{bus}'/><serial>{name.upper()}</serial>
    </disk>"""


def iface(link=""):
    return f"""<interface type='bridge'><mac address='{MAC}'/>
      <source bridge='vhot'/><model type='virtio'/>
      <driver queues='2'/>{link}</interface>"""


def there(con, dev):
    return con.run(f"[ -e /sys/block/{dev} ] && echo yes || echo no") == "yes"


def expect_disk(con, dev, serial, md5):
    until(dev, lambda: there(con, dev))
    assert con.run(f"cat /sys/block/{dev}/serial") == serial
    assert con.run(f"md5sum </dev/{dev}").split()[0] == md5


def no_system(d, conn):
    """Nothing in the guest listens: a detach is refused at once."""
    make_disk(d, "cold")
    g = conn.createXML(d.xml("early", PORTS + f"""<disk type='file'>
      <source file='{d.dir}/cold'/><target dev='vda' bus='virtio'/>
      <address type='pci' bus='0x01' slot='0x00'/></disk>"""),
                       V.VIR_DOMAIN_START_PAUSED)
    fails_with("does not answer", g.detachDeviceAlias, "virtio-disk0", LIVE)
    g.destroy()


def disks(d, g, con, ev):
    md5 = make_disk(d, "hot")
    g.attachDeviceFlags(disk(d, "hot", "vdb"), LIVE)
    ev.expect("added", "virtio-disk1")
    expect_disk(con, "vda", "HOT", md5)
    assert "virtio-disk1" in g.XMLDesc()
    assert "vdb" not in g.XMLDesc(V.VIR_DOMAIN_XML_INACTIVE)
    assert g.blockStats("vdb")[0] > 0
    fails_with("already exists", g.attachDeviceFlags, disk(d, "hot", "vdb"),
               LIVE)
    # It grows, and its driver is told.
    d.virsh("blockresize", "g", "vdb", "3MiB")
    until("3 MiB", lambda: con.run("cat /sys/block/vda/size") == "6144")
    # Both at once, by virsh.
    md5 = make_disk(d, "both")
    d.virsh("attach-disk", "g", d.dir + "/both", "vdc", "--serial", "BOTH",
            "--targetbus", "virtio", "--live", "--config")
    ev.expect("added", "virtio-disk2")
    expect_disk(con, "vdb", "BOTH", md5)
    assert "vdc" in g.XMLDesc(V.VIR_DOMAIN_XML_INACTIVE)
    # Away again: returns when it is gone or after a while, then the event.
    g.detachDeviceFlags(disk(d, "hot", "vdb"), LIVE)
    ev.expect("removed", "virtio-disk1")
    until("vda gone", lambda: not there(con, "vda"))
    assert "virtio-disk1" not in g.XMLDesc()
    fails_with("not found", g.detachDeviceFlags, disk(d, "hot", "vdb"), LIVE)


def cards(d, g, con, ev):
    subprocess.run("ip link add vhot type bridge; ip link set vhot up",
                   shell=True, check=True)
    g.attachDeviceFlags(iface(), LIVE)
    ev.expect("added", "net0")
    until("eth0", lambda: con.run("ls /sys/class/net").split().count("eth0"))
    assert con.run("cat /sys/class/net/eth0/address") == MAC
    con.run("ip link set eth0 up")
    carrier = "cat /sys/class/net/eth0/carrier"
    until("carrier", lambda: con.run(carrier) == "1")
    g.updateDeviceFlags(iface("<link state='down'/>"), LIVE)
    until("no carrier", lambda: con.run(carrier) == "0")
    assert "<link state='down'/>" in g.XMLDesc()
    g.updateDeviceFlags(iface("<link state='up'/>"), LIVE)
    until("carrier", lambda: con.run(carrier) == "1")
    g.attachDeviceFlags("<rng model='virtio'><backend model='random'>"
                        "/dev/urandom</backend></rng>", LIVE)
    ev.expect("added", "rng0")
    until("rng", lambda: "virtio_rng" in con.run(
        "cat /sys/class/misc/hw_random/rng_available"))


def virtual_md5(con, dev):
    return con.run(f"md5sum </dev/{dev}").split()[0]


def has_disk(con, md5):
    """Whatever its name is: what has just gone may not have given it back."""
    return lambda: md5 in con.run(
        "for d in /dev/sd?; do md5sum <$d; done 2>/dev/null || true")


def scsi(d, g, con, ev):
    """Units of a SCSI controller: it tells its driver, which agrees at once."""
    md5 = make_disk(d, "unit")
    d.virsh("attach-disk", "g", d.dir + "/unit", "sda", "--targetbus", "scsi",
            "--serial", "UNIT", "--live")
    ev.expect("added", "scsi0-0-0-0")
    until("sda", lambda: there(con, "sda"))
    assert virtual_md5(con, "sda") == md5
    make_disk(d, "more")
    fails_with("already exists", g.attachDeviceFlags,
               disk(d, "more", "sda", "scsi"), LIVE)
    cd = make_disk(d, "cd")
    g.attachDeviceFlags(disk(d, "cd", "sdc", "scsi").replace(
        "device='disk'", "device='cdrom'"), LIVE)
    ev.expect("added", "scsi0-0-0-2")
    until("sr0", lambda: there(con, "sr0"))
    assert virtual_md5(con, "sr0") == cd
    # Others of the target stay; what had gone may come back.
    g.detachDeviceFlags(disk(d, "unit", "sda", "scsi"), LIVE)
    ev.expect("removed", "scsi0-0-0-0")
    until("sda gone", lambda: not there(con, "sda"))
    assert virtual_md5(con, "sr0") == cd
    subprocess.run(["flock", "-xn", d.dir + "/unit", "true"], check=True)
    g.attachDeviceFlags(disk(d, "unit", "sda", "scsi"), LIVE)
    ev.expect("added", "scsi0-0-0-0")
    until("sda", has_disk(con, md5))
    fails_with("cannot be hotplugged", g.attachDeviceFlags,
               disk(d, "more", "sdd", "sata"), LIVE)


CHANNEL = """<channel type='unix'>
  <target type='virtio' name='org.example.%d'/></channel>"""


def channels(d, g, con, ev):
    """Ports of the virtio console, where a guest agent may be."""
    port = "/dev/$(grep -l org.example.%d /sys/class/virtio-ports/*/name |" \
        " cut -d / -f 5)"
    names = "cat /sys/class/virtio-ports/*/name 2>/dev/null || true"
    for n in 1, 2:
        g.attachDeviceFlags(CHANNEL % n, LIVE)
        ev.expect("added", "channel%d" % (n - 1))
        until("port", lambda: "org.example.%d" % n in con.run(names))
    con.run("exec 7<>" + port % 2)
    until("state", lambda: "state='connected'" in g.XMLDesc())
    stream = g.connect().newStream(0)
    g.openChannel("org.example.2", stream, 0)
    stream.send(b"hello\n")
    assert con.run("head -n 1 <&7") == "hello"
    stream.abort()
    con.run("exec 7>&-")
    g.detachDeviceFlags(CHANNEL % 1, LIVE)
    ev.expect("removed", "channel0")
    until("port gone", lambda: "org.example.1" not in con.run(names))
    assert "org.example.2" in con.run(names)
    # Its number is free again; and there are no more than the controller has.
    g.attachDeviceFlags(CHANNEL % 3, LIVE)
    until("port", lambda: "org.example.3" in con.run(names))
    g.attachDeviceFlags(CHANNEL % 4, LIVE)
    fails_with("4 ports", g.attachDeviceFlags, CHANNEL % 5, LIVE)


TABLET = "<input type='tablet' bus='usb'/>"


def usb(d, g, con, ev):
    """A stick, a drive and a tablet on USB: pulled like cables."""
    md5 = make_disk(d, "stick")
    g.attachDeviceFlags(disk(d, "stick", "sdp", "usb"), LIVE)
    ev.expect("added", "usb-disk15")
    assert "<address type='usb' bus='0' port='1'/>" in g.XMLDesc()
    until("the stick", has_disk(con, md5))
    g.attachDeviceFlags(TABLET, LIVE)
    ev.expect("added", "input0")
    tablet = "grep -c Tablet /proc/bus/input/devices || true"
    until("tablet", lambda: con.run(tablet) == "1")
    g.detachDeviceFlags(TABLET, LIVE)
    ev.expect("removed", "input0")
    until("tablet gone", lambda: con.run(tablet) == "0")
    g.detachDeviceFlags(disk(d, "stick", "sdp", "usb"), LIVE)
    ev.expect("removed", "usb-disk15")
    until("the stick gone", lambda: not has_disk(con, md5)())
    # Media go in and out.
    cd = make_disk(d, "cd2")
    g.attachDeviceFlags(f"""<disk type='file' device='cdrom'>
      <target dev='sdq' bus='usb'/><readonly/></disk>""", LIVE)
    ev.expect("added", "usb-disk16")
    until("sr1", lambda: there(con, "sr1"))
    d.virsh("change-media", "g", "sdq", d.dir + "/cd2", "--insert", "--live")
    until("medium", lambda: con.run(
        "md5sum </dev/sr1 2>/dev/null || true").startswith(cd))
    g.attachDeviceFlags(disk(d, "stick", "sdp", "usb"), LIVE)
    until("the stick", has_disk(con, md5))


def restart(d, g):
    """A daemon that was away finds what came and what has gone meanwhile."""
    g.detachDeviceAlias("rng0", LIVE)
    priv, main = d.pids()
    os.kill(priv, signal.SIGKILL)
    until("the end of main", lambda: not os.path.exists(f"/proc/{main}"))
    d.up()


def after(d, g, con, ev):
    until("rng0 gone", lambda: "rng0" not in g.XMLDesc())
    assert "net0" in g.XMLDesc()
    # What is on controllers is still known, and goes.
    g.detachDeviceFlags(disk(d, "cd", "sdc", "scsi").replace(
        "device='disk'", "device='cdrom'"), LIVE)
    ev.expect("removed", "scsi0-0-0-2")
    until("sr0 gone", lambda: not there(con, "sr0"))
    g.detachDeviceFlags(CHANNEL % 2, LIVE)
    ev.expect("removed", "channel1")
    if USB:
        g.detachDeviceAlias("usb-disk16", LIVE)
        ev.expect("removed", "usb-disk16")
        until("sr1 gone", lambda: not there(con, "sr1"))
    g.detachDeviceFlags(iface(), LIVE)
    ev.expect("removed", "net0")
    # All ports but one are free; then there are none.
    for dev in "vdd", "vde", "vdf":
        make_disk(d, dev)
        g.attachDeviceFlags(disk(d, dev, dev), LIVE)
    make_disk(d, "more")
    fails_with("pcie-root-port", g.attachDeviceFlags, disk(d, "more", "vdg"),
               LIVE)
    assert "vdg" not in g.XMLDesc()


def config(d, conn):
    """A definition alone: addresses stay, ports are made."""
    make_disk(d, "cfg")
    q35 = d.xml("c").replace("microvm", "q35")
    c = conn.defineXML(q35)
    c.attachDeviceFlags(disk(d, "cfg", "vda"), CONFIG)
    xml = c.XMLDesc()
    assert "<target chassis='1' port='0x8'/>" in xml, xml
    m = re.search(r"dev='vda'.*?bus='0x(\d+)' slot='0x00'", xml, re.S)
    assert m and int(m.group(1), 16) > 0, xml
    c.attachDeviceFlags(disk(d, "cfg", "vdb"), 0)
    assert xml.replace("</disk>", "").split("vda")[1].split("/>")[0] in \
        c.XMLDesc()
    c.detachDeviceFlags(disk(d, "cfg", "vda"), CONFIG)
    assert "vda" not in c.XMLDesc() and "vdb" in c.XMLDesc()
    c.undefine()


def main():
    with Daemon(MODULES + USB) as d:
        conn = d.open()
        ev = DeviceEvents(conn)
        no_system(d, conn)
        config(d, conn)
        g = conn.defineXML(d.xml("g", PORTS))
        g.create()
        con = StreamConsole(conn, g)
        con.wake()
        disks(d, g, con, ev)
        cards(d, g, con, ev)
        scsi(d, g, con, ev)
        channels(d, g, con, ev)
        if USB:
            usb(d, g, con, ev)
        con.close()
        restart(d, g)
        conn = d.open()
        ev = DeviceEvents(conn)
        g = conn.lookupByName("g")
        con = StreamConsole(conn, g)
        con.wake()
        after(d, g, con, ev)
        con.close()
        g.managedSave()
        g.create()
        con = StreamConsole(conn, g)
        con.wake()
        assert con.run("ls -d /sys/block/vd* | wc -l") == "4"
        with open(d.dir + "/unit", "rb") as f:
            assert has_disk(con, hashlib.md5(f.read()).hexdigest())()
        if USB:
            with open(d.dir + "/stick", "rb") as f:
                assert has_disk(con, hashlib.md5(f.read()).hexdigest())()
        assert "org.example.3" in con.run("cat /sys/class/virtio-ports/*/name")
        g.destroy()
    print("hot plug: all right")


main()
