#!/usr/bin/python3
# hotplug.py ENGINE: a stock kernel's pciehp, and its drivers, when devices come
# and go below root ports; refusals; a saved machine that knows them.
#
# GUEST_ROOT: where a Debian kernel package is unpacked.  VMM: the program.
import glob
import hashlib
import os
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
import vmm  # noqa: E402

ENGINE = sys.argv[1] if len(sys.argv) > 1 else os.environ.get("GUEST_ENGINE")
ROOT = os.environ.get("GUEST_ROOT", "")
if not ENGINE or not os.path.isdir(ROOT + "/lib/modules") \
        or not os.access(vmm.VMM, os.X_OK):
    print("needs ENGINE, GUEST_ROOT and VMM")
    sys.exit(77)
PORTS = 4


def port(n):
    return {"id": "pci.%d" % n, "index": n, "number": 0x10 + n, "chassis": n,
            "pci.slot": 2, "pci.function": n - 1}


def image(directory, name, size):
    path = os.path.join(directory, name)
    with open(path, "wb") as f:
        f.write(os.urandom(size))
    return path


def md5(path):
    with open(path, "rb") as f:
        return hashlib.md5(f.read()).hexdigest()


def disk(name, bus, fd, **more):
    return {"id": name, "format": "raw", "fd": fd, "serial": name.upper(),
            "pci.bus": bus, **more}


# Plugs a disk in, has it read, and takes it away again.
def one_disk(m, d, name, bus):
    path = image(d, name, 1 << 20)
    fd = os.open(path, os.O_RDWR)
    m.call("plug", [fd], devices={"disks": [disk(name, bus, 0)]})
    os.close(fd)
    assert m.said("plugged %s: " % name.upper()) == md5(path)
    return path


# The guest takes its time; it does so for several at once.
def remove(m, *names):
    for name in names:
        m.call("unplug", device=name)
    gone = sorted(m.event("unplugged")["device"] for _ in names)
    assert gone == sorted(names), gone
    for name in names:
        m.said("unplugged %s: " % name.upper())


def main(d):
    initrd = os.path.join(d, "initrd")
    subprocess.run([HERE + "/mkinitrd", initrd, ROOT, HERE + "/hotplug.init"],
                   check=True)
    kernel = glob.glob(ROOT + "/boot/vmlinuz-*")[0]
    cold = image(d, "cold", 1 << 20)
    fd = os.open(cold, os.O_RDWR)
    spec = {
        "ports": [port(n) for n in range(1, PORTS + 1)],
        "disks": lambda base: [disk("cold", 1, base)],
        "cmdline": os.environ.get("APPEND", "console=ttyS0 quiet panic=-1"),
    }
    m = vmm.Vmm(d, os.path.join(d, "serial"))
    try:
        m.start(ENGINE, kernel, initrd, spec, [fd], run=False)
        os.close(fd)
        again = run(m, d, cold)
        save(m, os.path.join(d, "saved"))
        m.close()
        os.unlink(os.path.join(d, "control"))
        m = vmm.Vmm(d, os.path.join(d, "serial2"))
        restored(m, d, kernel, initrd, spec, again)
    except BaseException:
        for name in "serial", "serial2", "vmm.log":
            if os.path.exists(os.path.join(d, name)):
                with open(os.path.join(d, name), errors="replace") as f:
                    print(f.read())
        raise
    finally:
        m.close()
    print("hot plug with %s: all right" % ENGINE)


def run(m, d, cold):
    # Nobody listens yet.
    m.refused("does not answer", "unplug", device="cold")
    m.call("run")
    assert m.said("bridges: ") == str(PORTS)
    m.said("ready: ")
    assert m.said("plugged COLD: ") == md5(cold)

    one_disk(m, d, "hot", 2)
    fd = os.open(cold, os.O_RDWR)
    m.refused("on PCI bus 2", "plug", [fd],
              devices={"disks": [disk("more", 2, 0)]})
    m.refused("pcie-root-port", "plug", [fd],
              devices={"disks": [disk("more", 0, 0, **{"pci.slot": 9})]})
    m.refused("'cold'", "plug", [fd],
              devices={"disks": [disk("cold", 3, 0)]})
    os.close(fd)
    m.call("plug", devices={"rngs": [{"id": "rng1", "pci.bus": 3}]})
    m.said("plugged virtio")
    # What was there from the start goes, too, and its image is free.
    remove(m, "hot", "cold")
    there = m.call("devices")["devices"]
    assert "rng1" in there and "cold" not in there and "hot" not in there
    subprocess.run(["flock", "-xn", cold, "true"], check=True)
    m.refused("no device 'hot'", "unplug", device="hot")
    return one_disk(m, d, "again", 2)


# What came later is part of a saved machine.
def save(m, path):
    with open(path, "w+b") as f:
        m.call("save", [f.fileno()], offset=0, format="raw")


def restored(m, d, kernel, initrd, spec, again):
    fds = [os.open(again, os.O_RDWR),
           os.open(os.path.join(d, "saved"), os.O_RDONLY)]
    m.start(ENGINE, kernel, initrd, {
        **spec, "disks": lambda base: [disk("again", 2, base)],
        "restore_fd": lambda base: base + 1,
        "rngs": [{"id": "rng1", "pci.bus": 3}]}, fds)
    one_disk(m, d, "later", 1)
    remove(m, "again")


with tempfile.TemporaryDirectory(dir="/var/tmp") as where:
    main(where)
