#!/usr/bin/python3
# display.py ENGINE VIDEO INPUT[,INPUT...]: a stock kernel's drivers show a
# picture and hear keys and a mouse; the guest's half is display.init.
#
# GENERIC_ROOT: where Debian's generic kernel package is unpacked.
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time

here = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, here)
from vmm import Vmm  # noqa: E402
import vnc  # noqa: E402

root = os.environ.get("GENERIC_ROOT", "")
MODULES = {
    "bochs": "drm drm_kms_helper ttm drm_ttm_helper drm_vram_helper bochs",
    "virtio-gpu": "drm drm_kms_helper drm_shmem_helper virtio_dma_buf "
                  "virtio-gpu",
    "ps2": "psmouse",
    "usb": "usb-common usbcore xhci-hcd xhci-pci hid hid-generic usbhid",
    "virtio": "virtio_input",
}


def prepare(directory, names):
    modules = ["evdev"]
    for n in names:
        modules += [m for m in MODULES[n].split() if m not in modules]
    initrd = os.path.join(directory, "initrd")
    subprocess.run([here + "/mkinitrd", initrd, root, here + "/display.init"] +
                   modules, check=True)
    boot = [f for f in os.listdir(root + "/boot") if f.startswith("vmlinuz")]
    return os.path.join(root, "boot", boot[0]), initrd


def check_picture(vmm, size):
    vmm.said("painted: ")
    time.sleep(0.5)
    picture = vmm.screenshot()
    assert (picture.width, picture.height) == size, picture.__dict__
    first = [picture.pixel(i, 0) for i in (0, 100)]
    assert first == [(255, 0, 0)] * 2, first
    # 4096 pixels of each colour follow each other.
    at = {n: ((n * 4096 + 100) % size[0], (n * 4096 + 100) // size[0])
          for n in (1, 2)}
    assert picture.pixel(*at[1]) == (0, 255, 0)
    assert picture.pixel(*at[2]) == (0, 0, 255)
    assert picture.pixel(0, size[1] - 1) == (0, 0, 0)
    print("ok: picture of %dx%d" % size)


def expect_event(vmm, name, kind, code, value):
    vmm.said("event: %s: %d %d %d" % (name, kind, code, value))


EV_KEY, EV_REL, EV_ABS = 1, 2, 3


def check_keys(vmm, name):
    vmm.keys(30)            # A
    expect_event(vmm, name, EV_KEY, 30, 1)
    expect_event(vmm, name, EV_KEY, 30, 0)
    vmm.keys(97, 100, 103)  # right control, right Alt, up
    for code in (97, 100, 103):
        expect_event(vmm, name, EV_KEY, code, 1)
        expect_event(vmm, name, EV_KEY, code, 0)
    print("ok: keys of", name)


def connect(path):
    sock = socket.socket(socket.AF_UNIX)
    sock.connect(path)
    return sock


# Three clients at once, each with another encoding, see the same.
def check_vnc(vmm, path):
    vmm.said("painted: ")
    want = vmm.screenshot()
    kinds = ((vnc.RAW, 32), (vnc.HEXTILE, 32), (vnc.ZRLE, 32), (vnc.ZRLE, 16))
    clients = [vnc.Client(connect(path), enc, bits=bits)
               for enc, bits in kinds]
    for (encoding, bits), c in zip(kinds, clients):
        c.whole()
        assert encoding in c.encodings, c.encodings
        assert (c.width, c.height) == (want.width, want.height)
        for x in range(0, c.width, 7):
            for y in range(0, c.height, 11):
                exact = want.pixel(x, y)
                assert all(abs(a - b) <= (0 if bits == 32 else 7) for a, b in
                           zip(exact, c.pixels[x, y])), (encoding, x, y)
        c.sock.close()
    print("ok: VNC, raw, hextile, ZRLE with 32 and 16 bits")


def check_vnc_pointer(vmm, path, name):
    c = vnc.Client(connect(path), vnc.ZRLE,
                   (vnc.DESKTOP_SIZE, vnc.POINTER_MODE, vnc.KEY_EVENT))
    c.whole()
    assert c.absolute == 0 and c.has_key_event
    c.pointer(0x7fff + 10, 0x7fff - 7)
    expect_event(vmm, name, EV_REL, 0, 10)
    expect_event(vmm, name, EV_REL, 1, -7)
    c.pointer(0x7fff, 0x7fff, 1)
    expect_event(vmm, name, EV_KEY, 0x110, 1)
    c.pointer(0x7fff, 0x7fff, 8)
    expect_event(vmm, name, EV_KEY, 0x110, 0)
    expect_event(vmm, name, EV_REL, 8, 1)
    c.sock.close()
    print("ok: VNC's pointer is", name)


def check_tablet(vmm, path, name):
    c = vnc.Client(connect(path), vnc.ZRLE,
                   (vnc.DESKTOP_SIZE, vnc.POINTER_MODE))
    c.whole()
    assert c.absolute == 1
    c.pointer(c.width - 1, 0)
    expect_event(vmm, name, EV_ABS, 0, 32767)
    c.pointer(100, 200, 4)
    expect_event(vmm, name, EV_ABS, 0, 100 * 32767 // (c.width - 1))
    expect_event(vmm, name, EV_ABS, 1, 200 * 32767 // (c.height - 1))
    expect_event(vmm, name, EV_KEY, 0x111, 1)
    c.pointer(100, 200, 16)
    expect_event(vmm, name, EV_KEY, 0x111, 0)
    expect_event(vmm, name, EV_REL, 8, -1)
    c.sock.close()
    print("ok: VNC's pointer is", name)


def check_vnc_keys(vmm, path, name):
    c = vnc.Client(connect(path))
    c.key(ord("?"), 1)              # shift comes with it
    expect_event(vmm, name, EV_KEY, 42, 1)
    expect_event(vmm, name, EV_KEY, 53, 1)
    expect_event(vmm, name, EV_KEY, 42, 0)
    c.extended_key(0xd3, 1)         # Delete, left pressed
    expect_event(vmm, name, EV_KEY, 111, 1)
    c.sock.close()
    expect_event(vmm, name, EV_KEY, 111, 0)
    print("ok: VNC's keys are", name)


# vncsnapshot's file is the password under a key that everybody knows.
def snapshot(directory, port, password, out):
    cipher = subprocess.run(
        ["openssl", "enc", "-des-ecb", "-nopad", "-K", "e84ad660c4721ae0",
         "-provider", "legacy", "-provider", "default"],
        input=password.ljust(8, b"\0"), stdout=subprocess.PIPE, check=True)
    with open(directory + "/passwd", "wb") as f:
        f.write(cipher.stdout)
    return subprocess.run(
        ["vncsnapshot", "-quiet", "-passwd", directory + "/passwd",
         "-encodings", "hextile raw", "127.0.0.1:%d" % (port - 5900), out],
        stdin=subprocess.DEVNULL, timeout=60).returncode == 0


# Debian's clients.
def check_stock_clients(vmm, directory, port):
    vmm.call("vnc-password", index=0, password="sesame", valid_to=0)
    try:
        c = socket.create_connection(("127.0.0.1", port))
        vnc.Client(c)
        raise AssertionError("no password was asked for")
    except vnc.Refused as refused:
        assert refused.args[0] == b"\2"
    if shutil.which("vncsnapshot") and shutil.which("openssl"):
        out = directory + "/snapshot.jpg"
        assert not snapshot(directory, port, b"simsim", out)
        assert snapshot(directory, port, b"sesame", out)
        assert os.path.getsize(out) > 1000
        vmm.call("vnc-password", index=0, password="sesame", valid_to=1)
        assert not snapshot(directory, port, b"sesame", out)
        print("ok: vncsnapshot with a password")
    vmm.call("vnc-password", index=0, valid_to=0)
    if shutil.which("gvnccapture"):
        out = directory + "/capture.png"
        subprocess.run(["gvnccapture",
                        "127.0.0.1:%d" % (port - 5900), out], check=True,
                       stdin=subprocess.DEVNULL, timeout=60)
        with open(out, "rb") as f:
            assert f.read(4) == b"\x89PNG"
        print("ok: gvnccapture")


def main():
    engine, video, inputs = (sys.argv[1:] + ["", "", ""])[:3]
    if not os.path.isdir(root) or os.geteuid() != 0:
        print("needs root and GENERIC_ROOT")
        return 77
    card = "virtio-gpu" if video == "virtio" else video
    with tempfile.TemporaryDirectory() as directory:
        kernel, initrd = prepare(directory, [card, "ps2", *inputs.split(",")])
        serial = os.path.join(directory, "serial")
        path = os.path.join(directory, "vnc")
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(path)
        listener.listen(4)
        tcp = socket.socket()
        port = 5900
        while True:
            try:
                tcp.bind(("127.0.0.1", port))
                break
            except OSError:
                port += 1
        tcp.listen(4)
        vmm = Vmm(directory, serial)
        spec = {
            "videos": [{"id": "video0", "kind": video, "vram": 16 << 20,
                        "width": 1024, "height": 768}],
            "vncs": lambda base: [{"fd": base}, {"fd": base + 1}],
            "inputs": [{"id": "input0", "kind": "keyboard", "bus": "ps2"}],
        }
        if "virtio" in inputs:
            spec["inputs"] += [{"id": "input1", "kind": "tablet",
                                "bus": "virtio"},
                               {"id": "input2", "kind": "keyboard",
                                "bus": "virtio"}]
        if "usb" in inputs:
            spec["usbs"] = [{"id": "usb"}]
            spec["inputs"] += [{"id": "input1", "kind": "tablet",
                                "bus": "usb"},
                               {"id": "input2", "kind": "keyboard",
                                "bus": "usb"}]
        try:
            vmm.start(engine, kernel, initrd, spec,
                      [tcp.fileno(), listener.fileno()])
            vmm.said("ready: ")
            print("inputs:", vmm.said("inputs: "))
            check_picture(vmm, (1024, 768))
            if "virtio" in inputs:
                check_keys(vmm, "Vireo Virtio Keyboard")
                check_tablet(vmm, path, "Vireo Virtio Tablet")
                return 0
            if "usb" in inputs:
                check_keys(vmm, "Vireo Vireo USB Keyboard")
                check_tablet(vmm, path, "Vireo Vireo USB Tablet")
                return 0
            check_keys(vmm, "AT Translated Set 2 keyboard")
            check_vnc(vmm, path)
            check_vnc_pointer(vmm, path, "ImExPS/2 Generic Explorer Mouse")
            check_vnc_keys(vmm, path, "AT Translated Set 2 keyboard")
            check_stock_clients(vmm, directory, port)
        except Exception:
            with open(serial, errors="replace") as f:
                print(f.read())
            with open(directory + "/vmm.log", errors="replace") as f:
                print(f.read())
            raise
        finally:
            vmm.close()
    return 0


sys.exit(main())
