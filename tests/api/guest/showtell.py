#!/usr/bin/python3
# examples/show-and-tell.xml started on the emulator: smaller, with disks in place
# of the host's devices.
import xml.etree.ElementTree as ET

from functions import *

EXAMPLE = TOP + "/examples/show-and-tell.xml"
OVMF = "/usr/share/OVMF/OVMF_CODE_4M.fd"
if not os.path.exists(OVMF):
    print("skip: needs the package ovmf")
    sys.exit(77)


def smaller(d, text):
    """Memory, files and devices that a test can have."""
    root = ET.fromstring(text)
    root.set("type", "qemu")
    for tag in "memory", "currentMemory":
        root.find(tag).text = str(512 * 1024)
    picture = root.find("metadata/{urn:vireo:domain}bootmenu")
    picture.set("splash", d.dir + "/splash.bmp")
    nvram = root.find("os/nvram")
    nvram.set("type", "file")
    nvram.find("source").attrib = {"file": d.dir + "/vars.fd"}
    root.find("os/bootmenu").set("timeout", "100")
    devices = root.find("devices")
    files = 0
    for disk in devices.findall("disk[@type='block']"):
        disk.set("type", "file")
        file(disk, d, files)
        files += 1
    for port in devices.findall("controller[@model='pcie-root-port']"):
        devices.remove(port)
    for dev in devices.findall("hostdev"):
        disk = ET.SubElement(devices, "disk", type="file", device="disk")
        ET.SubElement(disk, "driver", name="qemu", type="raw")
        ET.SubElement(disk, "source")
        ET.SubElement(disk, "target", dev="vd" + chr(ord("c") + files),
                      bus="virtio")
        file(disk, d, files)
        files += 1
        devices.remove(dev)
    devices.find("channel/source").set("path", d.dir + "/agent")
    devices.find("graphics/listen").set("socket", d.dir + "/vnc")
    devices.remove(devices.find("interface"))
    serial = ET.fromstring(f"<serial type='pty'><log file='{d.dir}"
                           "/console.log'/></serial>")
    devices.append(serial)
    os_element = root.find("os")
    for tag, value in (("kernel", d.kernel), ("initrd", d.initrd),
                       ("cmdline", "console=ttyS0 quiet")):
        ET.SubElement(os_element, tag).text = value
    for boot in root.iter("disk"):
        for order in boot.findall("boot"):
            boot.remove(order)
    return ET.tostring(root, encoding="unicode")


def file(disk, d, n):
    path = f"{d.dir}/disk{n}"
    with open(path, "wb") as f:
        f.truncate((n + 1) << 20)
    source = disk.find("source")
    source.attrib.clear()
    source.set("file", path)


def started(d, c):
    with open(EXAMPLE) as f:
        text = smaller(d, f.read())
    shutil.copy("/usr/share/OVMF/OVMF_VARS_4M.fd", d.dir + "/vars.fd")
    with open(d.dir + "/splash.bmp", "wb") as f:
        f.write(b"BM" + bytes(62))
    dom = c.createXML(text)
    shell = StreamConsole(c, dom)
    shell.wake()
    assert shell.run("cat /sys/devices/system/cpu/online") == "0-4"
    info = shell.run("cat /proc/cpuinfo")
    assert re.search(r"cpu cores\s*: 5", info), info
    assert shell.run("cat /sys/class/dmi/id/product_uuid") == dom.UUIDString()
    sizes = shell.run("cat /sys/block/vd*/size").split()
    assert sorted(int(s) for s in sizes) == \
        [2048 * (n + 1) for n in range(7)], sizes
    assert shell.run("test -d /sys/firmware/efi && echo efi") == "efi"
    log = shell.run("dmesg")
    assert "Hypervisor detected: KVM" not in log
    now = time.localtime()
    rtc = shell.run("cat /sys/class/rtc/rtc0/date").split("-")
    assert abs(int(rtc[0]) - now.tm_year) <= 1, rtc
    shell.close()
    dom.destroy()


def host_devices(c):
    """Those there are are described; one that is not there is refused."""
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


with Daemon() as daemon:
    conn = daemon.open()
    host_devices(conn)
    started(daemon, conn)
    conn.close()
