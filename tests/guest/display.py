#!/usr/bin/python3
# display.py ENGINE VIDEO INPUT[,INPUT...]: a stock kernel's drivers show a
# picture and hear keys and a mouse; the guest's half is display.init.
#
# GENERIC_ROOT: where Debian's generic kernel package is unpacked.
import os
import pty
import pwd
import shutil
import socket
import ssl
import subprocess
import sys
import tempfile
import time

here = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, here)
from vmm import Failed, Vmm  # noqa: E402
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


# The viewer's window has another size: the guest's driver hears of it.
def check_resize(vmm, path):
    vmm.said("mode: 1024x768")
    c = vnc.Client(connect(path), vnc.ZRLE, (vnc.EXTENDED_SIZE,))
    c.whole()
    c.set_size(800, 600)
    while c.resize_reply is None:
        c.request()
        c.update()
    assert c.resize_reply == 4, c.resize_reply  # the guest was asked
    vmm.said("mode: 800x600")
    c.sock.close()
    print("ok: another size")


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


# A key and a certificate of its own making, as files.
def certificates(directory):
    names = [directory + "/server-cert.pem", directory + "/server-key.pem"]
    subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes",
                    "-out", names[0], "-keyout", names[1], "-days", "2",
                    "-subj", "/CN=localhost", "-addext",
                    "subjectAltName=DNS:localhost,IP:127.0.0.1"],
                   check=True, stderr=subprocess.DEVNULL)
    return [open(n, "rb") for n in names]


def trusting(directory):
    return ssl.create_default_context(cafile=directory +
                                      "/server-cert.pem")


# gtk-vnc takes the authority from below its user's home folder, and a
# password from a terminal.
def capture(directory, host, port, password=""):
    home = directory + "/home"
    os.makedirs(home + "/.pki/CA", exist_ok=True)
    shutil.copy(directory + "/server-cert.pem",
                home + "/.pki/CA/cacert.pem")
    out = directory + "/capture.png"
    if os.path.exists(out):
        os.unlink(out)
    terminal, stdin = pty.openpty()
    path = directory + "/capture.log"
    with open(path, "wb") as log:
        process = subprocess.Popen(
            ["unshare", "-m", "sh", "-c",
             'mount --bind "$0" "$1" && shift && exec "$@"', home,
             pwd.getpwuid(0).pw_dir, "timeout", "120",
             "gvnccapture", "-d", "%s:%d" % (host, port - 5900), out],
            stdin=stdin, stdout=log, stderr=log)
    asked = False
    while process.poll() is None:
        # What is typed before it asks is thrown away.
        with open(path, "rb") as log:
            if not asked and b"Password:" in log.read():
                time.sleep(0.2)
                os.write(terminal, password.encode() + b"\n")
                asked = True
        time.sleep(0.1)
    os.close(terminal)
    os.close(stdin)
    return os.path.exists(out) and os.path.getsize(out) > 1000


def check_tls(vmm, directory, x509, anonymous):
    want = vmm.screenshot()
    where = ("127.0.0.1", x509)
    c = vnc.Client(socket.create_connection(where), vnc.RAW,
                   password="sesame", tls=trusting(directory))
    c.whole()
    assert all(c.pixels[x, 0] == want.pixel(x, 0)
               for x in range(0, c.width, 7))
    c.sock.close()
    for wrong in ("simsim", None):
        try:
            vnc.Client(socket.create_connection(where), password="simsim",
                       tls=trusting(directory) if wrong else None)
            raise AssertionError("let in: %s" % wrong)
        except vnc.Refused:
            pass
    # What comes before TLS does not count as having come through it.
    s = socket.create_connection(where)
    s.settimeout(60)
    s.sendall(b"RFB 003.008\n" + b"\x13" + b"\0\2" +
              b"\0\0\1\5" + b"\1" * 100)
    while s.recv(100):
        pass
    print("ok: VNC over TLS, X509Vnc")
    if shutil.which("gvnccapture"):
        assert capture(directory, "localhost", x509, "sesame")
        assert not capture(directory, "localhost", x509, "simsim")
        assert capture(directory, "127.0.0.1", anonymous)
        print("ok: gvnccapture over TLS, with certificates and without")


def check_websockets(directory, secure, plain):
    s = socket.create_connection(("127.0.0.1", plain))
    s.sendall(b"GET / HTTP/1.1\r\nHost: here\r\n\r\n")
    s.settimeout(60)
    assert s.recv(100).startswith(b"HTTP/1.1 400 ")
    s.close()
    try:
        import websocket
    except ImportError:
        print("python3-websocket is not installed")
        return
    ws = websocket.create_connection("ws://127.0.0.1:%d" % plain,
                                     subprotocols=["binary"])
    assert ws.subprotocol == "binary"
    c = vnc.Client(vnc.WebSocket(ws), vnc.RAW)
    c.whole()
    c.sock.close()
    ws = websocket.create_connection(
        "wss://localhost:%d" % secure, subprotocols=["binary"],
        sslopt={"ca_certs": directory + "/server-cert.pem"})
    c = vnc.Client(vnc.WebSocket(ws), vnc.RAW, password="sesame")
    c.whole()
    c.sock.close()
    print("ok: VNC through websockets, with TLS and without")


# What becomes of who looks when the password changes.
def check_viewers(vmm, path):
    c = vnc.Client(connect(path))
    vmm.call("vnc-password", index=0, password="a", valid_to=0)
    c.whole()
    try:
        vmm.call("vnc-password", index=0, valid_to=0, viewers="fail")
        raise AssertionError("nobody objected")
    except Failed as refused:
        assert "somebody looks" in str(refused), refused
    vmm.call("vnc-password", index=0, valid_to=0, viewers="disconnect")
    while c.sock.recv(1 << 16):
        pass
    c.sock.close()
    c = vnc.Client(connect(path))
    c.sock.close()
    print("ok: viewers and a new password")


def listen_tcp():
    port = 5900
    while True:
        tcp = socket.socket()
        try:
            tcp.bind(("127.0.0.1", port))
            tcp.listen(4)
            return tcp
        except OSError:
            tcp.close()
            port += 1


def main():
    engine, video, inputs = (sys.argv[1:] + ["", "", ""])[:3]
    if not os.path.isdir(root) or os.geteuid() != 0:
        print("needs root and GENERIC_ROOT")
        return 77
    card = "virtio-gpu" if video.startswith("virtio") else video
    with tempfile.TemporaryDirectory() as directory:
        kernel, initrd = prepare(directory, [card, "ps2", *inputs.split(",")])
        serial = os.path.join(directory, "serial")
        path = os.path.join(directory, "vnc")
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(path)
        listener.listen(4)
        tcps = [listen_tcp() for _ in range(5)]
        pems = certificates(directory)
        port = tcps[0].getsockname()[1]
        vmm = Vmm(directory, serial, vnc=True)
        spec = {
            "videos": [{"id": "video0", "kind": video, "vram": 16 << 20,
                        "width": 1024, "height": 768}],
            # Five sockets, two files, a socket.
            "vncs": lambda base: [
                {"listens": [{"fd": base}, {"fd": base + 7}]},
                {"listens": [{"fd": base + 1},
                             {"fd": base + 2, "websocket": True}],
                 "tls": "x509", "certificate_fd": base + 5,
                 "key_fd": base + 6, "password": "sesame"},
                {"listens": [{"fd": base + 3}], "tls": "anonymous"},
                {"listens": [{"fd": base + 4, "websocket": True}]}],
            "inputs": [{"id": "input0", "kind": "keyboard", "bus": "ps2"}],
        }
        if video == "virtio-vga":
            spec["machine"] = "q35"
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
                      [t.fileno() for t in tcps] +
                      [p.fileno() for p in pems] + [listener.fileno()])
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
                check_resize(vmm, path)
                return 0
            check_keys(vmm, "AT Translated Set 2 keyboard")
            check_vnc(vmm, path)
            check_vnc_pointer(vmm, path, "ImExPS/2 Generic Explorer Mouse")
            check_vnc_keys(vmm, path, "AT Translated Set 2 keyboard")
            check_stock_clients(vmm, directory, port)
            ports = [t.getsockname()[1] for t in tcps[1:]]
            check_tls(vmm, directory, ports[0], ports[2])
            check_websockets(directory, ports[1], ports[3])
            check_viewers(vmm, path)
        except Exception:
            with open(serial, errors="replace") as f:
                print(f.read())
            with open(directory + "/vmm.log", errors="replace") as f:
                print(f.read())
            if os.path.exists(directory + "/capture.log"):
                with open(directory + "/capture.log", errors="replace") as f:
                    print(f.read()[-5000:])
            raise
        finally:
            vmm.close()
    return 0


sys.exit(main())
