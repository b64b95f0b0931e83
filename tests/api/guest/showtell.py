#!/usr/bin/python3
# examples/show-and-tell.xml by stock virsh: defined and shown as it is, and
# started on the emulator with less memory, and with what there is in place of
# the host's devices.
#
# GENERIC_ROOT: where Debian's generic kernel is unpacked; the cloud kernel has
# no drivers for USB and SATA, so without it they are seen on PCI only.
import os

generic = os.environ.get("GENERIC_ROOT", "")
if generic:
    os.environ["GUEST_ROOT"] = generic
# Local time is another than the guest's would be without.
os.environ["TZ"] = "SHOW-5:30"

from functions import *

sys.path.append(TOP + "/tests/guest")
import vnc

EXAMPLE = TOP + "/examples/show-and-tell.xml"
OVMF = "/usr/share/OVMF/OVMF_CODE_4M.fd"
USB = ("usb-common usbcore xhci-hcd xhci-pci hid hid-generic usbhid "
       "scsi_common scsi_mod libata libahci ahci cdrom sr_mod").split()
if not os.path.exists(OVMF):
    print("skip: needs the package ovmf")
    sys.exit(77)


class Files:
    """Block devices where the host can make them of files, else the files."""

    def __init__(self, d):
        self.dir, self.loops = d.dir, []

    def put(self, element, source, name, size, content=b""):
        path = f"{self.dir}/{name}"
        with open(path, "wb") as f:
            f.write(content)
            f.truncate(size)
        p = subprocess.run(["losetup", "--find", "--show", path],
                           capture_output=True, text=True)
        source.attrib.clear()
        if p.returncode == 0:
            self.loops.append(p.stdout.strip())
            source.set("dev", self.loops[-1])
        else:
            element.set("type", "file")
            source.set("file", path)

    def close(self):
        for loop in self.loops:
            subprocess.run(["losetup", "--detach", loop], check=True)


def variables():
    with open("/usr/share/OVMF/OVMF_VARS_4M.fd", "rb") as f:
        return f.read()


def network(devices):
    card = devices.find("interface")
    card.find("target").set("dev", f"show{os.getpid()}"[:15])
    if not os.path.exists("/dev/vhost-net"):
        del card.find("driver").attrib["name"]


def host_devices(devices, files):
    """Disks, on the same ports."""
    for n, dev in enumerate(devices.findall("hostdev")):
        disk = ET.SubElement(devices, "disk", type="file", device="disk")
        ET.SubElement(disk, "driver", name="qemu", type="raw")
        path = f"{files.dir}/hostdev{n}"
        with open(path, "wb") as f:
            f.truncate((n + 3) << 20)
        ET.SubElement(disk, "source", file=path)
        ET.SubElement(disk, "target", dev="vd" + chr(ord("c") + n),
                      bus="virtio")
        disk.append(dev.findall("address")[-1])
        devices.remove(dev)


def smaller(d, root, files):
    """Memory, files and devices that a test can have."""
    for tag in "memory", "currentMemory":
        root.find(tag).text = str(512 * 1024)
    root.find("metadata/{urn:vireo:domain}bootmenu").set(
        "splash", d.dir + "/splash.bmp")
    with open(d.dir + "/splash.bmp", "wb") as f:
        f.write(b"BM" + bytes(62))
    nvram = root.find("os/nvram")
    store = variables()
    files.put(nvram, nvram.find("source"), "vars", len(store), store)
    devices = root.find("devices")
    for n, disk in enumerate(devices.findall("disk[@type='block']")):
        files.put(disk, disk.find("source"), f"disk{n}", (n + 1) << 20)
    host_devices(devices, files)
    network(devices)
    devices.find("channel/source").set("path", d.dir + "/agent")
    devices.find("graphics/listen").set("socket", d.dir + "/vnc")
    devices.append(ET.fromstring(
        f"<serial type='pty'><log file='{d.dir}/console.log'/></serial>"))
    for tag, value in (("kernel", d.kernel), ("initrd", d.initrd),
                       ("cmdline", "console=ttyS0 quiet")):
        ET.SubElement(root.find("os"), tag).text = value


def shown(d, name, want, *flags):
    holds(ET.fromstring(d.virsh("dumpxml", "--security-info", name, *flags)),
          want, "domain")


def defined(d, text):
    """As it is, and once more from what was shown."""
    path = d.dir + "/show.xml"
    want = ET.fromstring(text)
    for again in range(2):
        with open(path, "w") as f:
            f.write(text)
        d.virsh("define", path)
        shown(d, "show-and-tell", want)
        text = d.virsh("dumpxml", "--security-info", "show-and-tell")
    d.virsh("undefine", "show-and-tell", "--keep-nvram")


def started(d, c, text):
    files = Files(d)
    root = ET.fromstring(text)
    smaller(d, root, files)
    path = d.dir + "/small.xml"
    ET.ElementTree(root).write(path)
    try:
        d.virsh("create", path)
        shown(d, "show-and-tell", root)
        seen(d, c.lookupByName("show-and-tell"), c, root)
        d.virsh("destroy", "show-and-tell")
    finally:
        for dom in c.listAllDomains():
            dom.destroy()
        files.close()


def on_pci(shell, root):
    """Whatever has an address is there."""
    there = shell.run("ls /sys/bus/pci/devices").split()
    for a in root.iter("address"):
        if a.get("type") != "pci":
            continue
        bus, slot, function = (int(a.get(n), 16)
                               for n in ("bus", "slot", "function"))
        assert f"0000:{bus:02x}:{slot:02x}.{function}" in there, \
            (ET.tostring(a), there)


def clocks(shell):
    """Local time in the RTC, no HPET."""
    rtc = shell.run("cat /sys/class/rtc/rtc0/since_epoch")
    ahead = int(rtc) - time.time()
    assert abs(ahead - (5 * 60 + 30) * 60) < 20 * 60, ahead
    assert "HPET" not in shell.run("ls /sys/firmware/acpi/tables")


def firmware(shell):
    """What it was told: a menu, a picture, and to boot nothing else."""
    entry = "cat /sys/firmware/qemu_fw_cfg/by_name/%s/raw"
    order = shell.run(entry % "bootorder" + " | tr '\\0' '\\n'")
    assert order.split()[-1] == "HALT", order
    assert len(order.split()) == 5, order
    assert shell.run(entry % "bootsplash.bmp" + " | head -c 2") == "BM"
    wait = shell.run(entry % "etc/boot-menu-wait" + " | od -An -tu2")
    assert int(wait) == 1000, wait


def processor(shell, dom):
    assert shell.run("cat /sys/devices/system/cpu/online") == "0-4"
    info = shell.run("cat /proc/cpuinfo")
    assert re.search(r"cpu cores\s*: 5", info), info
    for flag in "lahf_lm", "sep":
        assert re.search(rf"flags\s*:.* {flag}( |$)", info, re.M), info
    assert "Hypervisor detected: KVM" not in shell.run("dmesg")
    assert shell.run("cat /sys/class/dmi/id/product_uuid") == dom.UUIDString()
    assert shell.run("test -d /sys/firmware/efi && echo efi") == "efi"


def devices(shell):
    sizes = shell.run("cat /sys/block/vd*/size").split()
    assert sorted(int(s) for s in sizes) == \
        [2048 * (n + 1) for n in range(7)], sizes
    assert "org.qemu.guest_agent.0" in \
        shell.run("cat /sys/class/virtio-ports/*/name")
    if generic:
        until("a drive", lambda: shell.run("ls /sys/block").count("sr0"))
        until("a tablet", lambda: "Tablet" in
              shell.run("cat /proc/bus/input/devices"))


def direct_io(d, dom):
    """cache='none': both disks are open so."""
    fds = f"/proc/{d.vmm_pid(dom)}/"
    direct = 0
    for fd in os.listdir(fds + "fd"):
        name = os.readlink(fds + "fd/" + fd)
        with open(fds + "fdinfo/" + fd) as f:
            flags = int(re.search(r"flags:\s*(\d+)", f.read()).group(1), 8)
        if flags & os.O_DIRECT:
            direct += 1
    assert direct >= 2, direct


def screen(d):
    """It wants a password."""
    sock = socket.socket(socket.AF_UNIX)
    sock.connect(d.dir + "/vnc")
    try:
        vnc.Client(sock)
    except vnc.Refused as e:
        assert e.args[0] == b"\2", e.args  # VNC's own, RFC 6143 7.2.2
    else:
        raise AssertionError("no password is asked for")
    sock.close()


def seen(d, dom, c, root):
    screen(d)
    shell = console(c, dom)
    processor(shell, dom)
    on_pci(shell, root)
    devices(shell)
    clocks(shell)
    firmware(shell)
    shell.close()
    direct_io(d, dom)


def no_such_device(c):
    """One that is not there is refused, by name."""
    for dev in c.listAllDevices():
        root = ET.fromstring(dev.XMLDesc())
        assert root.findtext("name") == dev.name()
        assert c.nodeDeviceLookupByName(dev.name()).listCaps() == ["pci"]
    text = """<domain type='qemu'><name>nobody</name>
      <memory unit='MiB'>64</memory>
      <os><type machine='q35'>hvm</type></os>
      <devices><hostdev mode='subsystem' type='pci' managed='yes'>
        <source><address domain='0xfffe' bus='0' slot='0' function='0'/>
        </source></hostdev></devices></domain>"""
    try:
        c.createXML(text)
        assert False, "a device that is not there"
    except libvirt.libvirtError as e:
        assert "not found" in str(e) or "runs as root" in str(e), e


def no_such_unit(d, c):
    """Commands are passed to a SCSI unit only, and not all of them."""
    def refused(code, attributes, more="", kind="block", bus="scsi"):
        where = "dev" if kind == "block" else "file"
        return fails(code, c.createXML, d.xml("unit", f"""
            <controller type='scsi' model='virtio-scsi'/>
            <disk type='{kind}' device='lun' {attributes}>
            <source {where}='{d.dir}/unit'>{more}</source>
            <target dev='sda' bus='{bus}'/></disk>"""))

    unsupported = libvirt.VIR_ERR_CONFIG_UNSUPPORTED
    assert "rawio" in refused(unsupported, "rawio='yes'")
    assert "sgio" in refused(unsupported, "sgio='unfiltered'")
    assert "reservations" in \
        refused(unsupported, "", "<reservations managed='yes'/>")
    refused(unsupported, "", kind="file")
    refused(unsupported, "", bus="sata")
    assert "device='lun'" in fails(unsupported, c.createXML, d.xml("unit", """
        <hostdev mode='subsystem' type='scsi'><source>
        <adapter name='scsi_host0'/><address bus='0' target='0' unit='0'/>
        </source></hostdev>"""))
    p = subprocess.run(["losetup", "--find", "--show", d.dir + "/disk"],
                       capture_output=True, text=True)
    if p.returncode:
        return  # no loop devices
    os.symlink(p.stdout.strip(), d.dir + "/unit")
    try:
        assert "no SCSI unit" in refused(libvirt.VIR_ERR_OPERATION_FAILED, "")
    finally:
        subprocess.run(["losetup", "--detach", p.stdout.strip()], check=True)


def no_vhost(d, c):
    """<driver name='vhost'/> insists."""
    if os.path.exists("/dev/vhost-net"):
        return
    refused = fails(libvirt.VIR_ERR_SYSTEM_ERROR, c.createXML,
                    d.xml("vhost", """<interface type='ethernet'>
                    <model type='virtio'/><driver name='vhost'/>
                    </interface>"""))
    assert "/dev/vhost-net" in refused, refused


with Daemon(["qemu_fw_cfg", *(USB if generic else [])]) as daemon:
    conn = daemon.open()
    with open(EXAMPLE) as f:
        example = f.read().replace("type='kvm'", "type='qemu'", 1)
    no_such_device(conn)
    with open(daemon.dir + "/disk", "wb") as f:
        f.truncate(1 << 20)
    no_such_unit(daemon, conn)
    no_vhost(daemon, conn)
    defined(daemon, example)
    started(daemon, conn, example)
    conn.close()
