#!/usr/bin/python3 -B
# memory.py [ENGINE]: memory that comes to and goes from a stock kernel while it
# runs: modules by ACPI, and blocks of a virtio-mem device; what is refused; and
# that a saved guest has what it had.  Also by GUEST_ENGINE.
import glob
import os
import socket
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
import vmm

ENGINE = sys.argv[1] if len(sys.argv) > 1 else os.environ.get("GUEST_ENGINE")
ROOT = os.environ.get("GUEST_ROOT", "")
if not ENGINE or not os.path.isdir(ROOT + "/lib/modules") \
        or not os.access(vmm.VMM, os.X_OK):
    print("needs an engine, GUEST_ROOT and VMM")
    sys.exit(77)
VIRTIOFSD = "/usr/lib/qemu/virtiofsd"
MIB = 1 << 20
HOT = 4 << 30
KERNEL = glob.glob(ROOT + "/boot/vmlinuz-*")[0]
DIMM = {"id": "dimm0", "kind": "dimm", "base": HOT, "size": 256 * MIB,
        "slot": 1}
MEM = {"id": "mem0", "kind": "virtio", "base": HOT + 1024 * MIB,
       "size": 512 * MIB, "block": 2 * MIB, "requested": 0, "pci.bus": 1}


# The next line that begins so; those before it are done with.
def said(m, text, timeout=300):
    end = time.monotonic() + timeout * float(os.environ.get("SLOW", "1"))
    at = getattr(m, "heard", 0)
    while time.monotonic() < end:
        with open(m.serial_path, "rb") as f:
            lines = f.read().decode(errors="replace").split("\n")[:-1]
        for i in range(at, len(lines)):
            if lines[i].startswith(text):
                m.heard = i + 1
                return lines[i][len(text):].strip()
        if m.process.poll() is not None:
            break
        time.sleep(0.1)
    raise vmm.Failed("the guest never said '%s'" % text)


def spec(machine, *memories):
    return {"machine": machine, "max_memory": 2048 * MIB, "memory_slots": 4,
            "ports": [{"id": "pci.1", "index": 1, "number": 17, "chassis": 1,
                       "pci.slot": 2}],
            "memories": list(memories),
            "cmdline": os.environ.get("APPEND", "console=ttyS0 quiet panic=-1")}


def grows(m, had, by):
    now = 0
    while now < had + by - 16: # it comes in parts
        now = int(said(m, "memory: "))
    assert now <= had + by, (had, by, now)
    return now


def shrinks(m, had, by):
    now = had
    while now > had - by + 16:
        now = int(said(m, "memory: "))
    assert now >= had - by, (had, by, now)
    return now


def size(m):
    return m.call("stats")["memory"]["mem0"]["size"]


def hostile_names(m):
    m.refused("slot 9", "plug",
              devices={"memories": [dict(DIMM, id="x", slot=9)]})
    m.refused("no room", "plug",
              devices={"memories": [dict(DIMM, id="x", base=HOT - MIB)]})
    m.refused("no room", "plug",
              devices={"memories": [dict(DIMM, id="x", size=4096 * MIB)]})
    m.refused("whole blocks", "plug",
              devices={"memories": [dict(DIMM, id="x", size=MIB)]})
    m.refused("there is memory", "plug",
              devices={"memories": [dict(DIMM, id="x", base=MEM["base"])]})
    m.refused("'mem0'", "plug", devices={"memories": [dict(MEM)]})
    m.refused("no whole blocks", "memory", device="mem0", requested=MIB)
    m.refused("no whole blocks", "memory", device="mem0",
              requested=514 * MIB)
    m.refused("'dimm9'", "memory", device="dimm9", requested=0)
    m.refused("no device", "unplug", device="dimm0")


def whole(m):
    hostile_names(m)
    m.call("run")
    had = int(said(m, "ready: "))
    m.call("plug", devices={"memories": [DIMM]})
    had = grows(m, had, 256)
    m.refused("'dimm0'", "plug", devices={"memories": [DIMM]})
    m.refused("slot 1 is taken", "plug",
              devices={"memories": [dict(DIMM, id="x", base=HOT + 512 * MIB)]})
    m.call("memory", device="mem0", requested=256 * MIB)
    m.event("memory", 300, device="mem0", size=256 * MIB)
    had = grows(m, had, 256)
    assert size(m) == 256 * MIB
    m.refused("uses 256 MiB", "unplug", device="mem0")
    return had


def after(m, had):
    said(m, "alive: ")
    assert size(m) == 256 * MIB
    m.call("unplug", device="dimm0")
    m.event("unplugged", 300, device="dimm0")
    assert "dimm0" not in m.call("devices")["devices"]
    m.call("memory", device="mem0", requested=0)
    m.event("memory", 300, device="mem0", size=0)
    # Nothing of it is in use: it can go, and another come.
    m.call("unplug", device="mem0")
    m.event("unplugged", 300, device="mem0")
    had = shrinks(m, had, 512)
    m.call("plug", devices={"memories": [dict(DIMM, base=HOT + 1024 * MIB)]})
    grows(m, had, 256)


def show(d):
    for name in "serial", "serial2", "vmm.log":
        if os.path.exists(os.path.join(d, name)):
            with open(os.path.join(d, name), errors="replace") as f:
                print(f.read())


def save_and_restore(d, initrd):
    m = vmm.Vmm(d, os.path.join(d, "serial"))
    try:
        m.start(ENGINE, KERNEL, initrd, spec("q35", MEM), memory=192,
                run=False)
        had = whole(m)
        with open(os.path.join(d, "saved"), "w+b") as f:
            m.call("save", [f.fileno()], offset=0, format="raw")
        m.close()
        os.unlink(os.path.join(d, "control"))
        m = vmm.Vmm(d, os.path.join(d, "serial2"))
        fd = os.open(os.path.join(d, "saved"), os.O_RDONLY)
        m.start(ENGINE, KERNEL, initrd,
                {**spec("q35", DIMM, MEM), "restore_fd": lambda base: base},
                [fd], memory=192)
        after(m, had)
    finally:
        m.close()


# A program that serves a device out of the guest's memory; None: not installed.
def share(d):
    if not os.access(VIRTIOFSD, os.X_OK):
        return None, None
    os.mkdir(d + "/share")
    with open(d + "/share/data", "wb") as f:
        f.write(os.urandom(32 * MIB))
    with open(d + "/share/sum", "wb") as f:
        subprocess.run(["md5sum", "data"], cwd=d + "/share", stdout=f,
                       check=True)
    with open(d + "/virtiofsd.log", "wb") as log:
        server = subprocess.Popen(
            [VIRTIOFSD, "--socket-path=" + d + "/fs", "-o",
             "source=" + d + "/share", "-o", "sandbox=chroot"],
            stdout=log, stderr=log)
    s = socket.socket(socket.AF_UNIX)
    while server.poll() is None:
        try:
            s.connect(d + "/fs")
            return server, s
        except (FileNotFoundError, ConnectionRefusedError):
            time.sleep(0.1)
    return None, None  # it may not be allowed to


# The small machine, whose events come another way.
def small(d, initrd):
    os.unlink(os.path.join(d, "control"))
    server, s = share(d)
    m = vmm.Vmm(d, os.path.join(d, "serial"))
    # One that is there when it starts.
    machine = spec("microvm", dict(DIMM, id="dimm1", slot=0,
                                   base=HOT + 512 * MIB))
    if server:
        machine["filesystems"] = lambda base: [
            {"id": "fs0", "tag": "share", "fd": base}]
    try:
        m.start(ENGINE, KERNEL, initrd, machine, [s.fileno()] if s else [],
                memory=192)
        if s:
            s.close()
        had = int(said(m, "ready: "))
        assert had > 300, had
        m.call("plug", devices={"memories": [DIMM]})
        had = grows(m, had, 256)
        m.call("unplug", device="dimm1")
        m.event("unplugged", 300, device="dimm1")
        shrinks(m, had, 256)
        said(m, "alive: ")
        with open(os.path.join(d, "serial")) as f:
            assert not server or f.read().count("shared at") >= 2
    finally:
        m.close()
        if server:
            server.kill()
            server.wait()


def main(d):
    initrd = os.path.join(d, "initrd")
    subprocess.run([HERE + "/mkinitrd", initrd, ROOT, HERE + "/memory.init",
                    "virtio_mem", "fuse", "virtiofs"], check=True)
    try:
        save_and_restore(d, initrd)
        small(d, initrd)
        for name in "serial", "serial2":
            with open(os.path.join(d, name), errors="replace") as f:
                text = f.read()
                assert "FAIL" not in text and ": NO" not in text
                assert "used" in text or name == "serial2"
    except BaseException:
        show(d)
        raise
    print("memory with %s: all right" % ENGINE)


with tempfile.TemporaryDirectory(dir="/var/tmp") as where:
    main(where)
