#!/usr/bin/python3
# migrate.py [--runs N] ENGINE: a stock kernel that checks its memory and its
# disk goes from one vireo-vmm to the next, N times (default 7), and is left
# alone by attempts that are broken off.
#
# GUEST_ROOT: where a Debian kernel package is unpacked (boot/, lib/modules/).
# VMM: the program, default vireo-vmm of the build folder.  CPUS: default 2.
import array
import ctypes
import fcntl
import glob
import json
import os
import random
import shutil
import socket
import struct
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
SECONDS = 300
runs, args = 7, sys.argv[1:]
if args[:1] == ["--runs"]:
    runs, args = int(args[1]), args[2:]
ENGINE = args[0] if args else os.environ.get("GUEST_ENGINE", "")
ROOT = os.environ.get("GUEST_ROOT", "")
VMM = os.environ.get("VMM", os.environ.get("BUILD", ".") + "/vireo-vmm")
CPUS = int(os.environ.get("CPUS", "2"))
if not ENGINE or not os.path.isdir(ROOT + "/lib/modules") \
        or not os.access(VMM, os.X_OK):
    print("needs ENGINE, GUEST_ROOT and VMM")
    sys.exit(77)


class Refused(Exception):
    pass


MAC = "525400123456"


class Tap:
    """A network interface of our own, in a namespace of our own, and what a
    switch would see of it."""

    CLONE_NEWNET, TUNSETIFF, TAP_FLAGS = 0x40000000, 0x400454ca, 0x5002
    RARP = 0x8035
    made = 0

    @classmethod
    def possible(cls):
        return os.access("/dev/net/tun", os.R_OK | os.W_OK) and \
            shutil.which("ip") and \
            ctypes.CDLL(None).unshare(cls.CLONE_NEWNET) == 0

    def __init__(self):
        Tap.made += 1
        name = f"t{Tap.made}"
        self.fd = os.open("/dev/net/tun", os.O_RDWR)
        fcntl.ioctl(self.fd, self.TUNSETIFF,
                    struct.pack("16sH22x", name.encode(), self.TAP_FLAGS))
        subprocess.run(["ip", "link", "set", name, "up"], check=True)
        self.seen = socket.socket(socket.AF_PACKET, socket.SOCK_RAW,
                                  socket.htons(self.RARP))
        self.seen.bind((name, self.RARP))
        self.seen.settimeout(SECONDS)

    def announced(self):
        """The guest's address came by, from where the guest is."""
        frame = self.seen.recv(2000)
        assert frame[:6] == b"\xff" * 6, frame
        assert frame[6:12] == bytes.fromhex(MAC), frame
        assert frame[12:14] == b"\x80\x35" and len(frame) >= 60, frame


class Vmm:
    """One vireo-vmm and its control socket (vmm/control.h)."""

    def __init__(self, d):
        path = f"{d}/control"
        if os.path.exists(path):
            os.unlink(path)
        with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as listener:
            listener.bind(path)
            listener.listen(1)
            self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
            self.sock.connect(path)
            self.proc = subprocess.Popen(
                [VMM, f"--control-fd={listener.fileno()}", "--log-fd=2"],
                pass_fds=[listener.fileno()])
        self.sock.settimeout(SECONDS)
        self.id, self.replies = 0, {}
        assert self.receive()["vireo-vmm"] == 1

    def receive(self):
        data = self.sock.recv(1 << 17)
        assert data, "the VMM hung up"
        return json.loads(data)

    def send(self, request, fds=(), **members):
        """Returns the request's id."""
        self.id += 1
        text = json.dumps({"id": self.id, "request": request, **members})
        anc = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", fds))]
        self.sock.sendmsg([text.encode()], anc if fds else [])
        return self.id

    def wait(self, ident):
        while ident not in self.replies:
            o = self.receive()
            if "id" in o:
                self.replies[o["id"]] = o
        o = self.replies.pop(ident)
        if "error" in o:
            raise Refused(o["error"])
        return o["ok"]

    def call(self, request, fds=(), **members):
        return self.wait(self.send(request, fds, **members))

    def end(self):
        try:
            self.call("quit")
        except (AssertionError, OSError, Refused):
            self.proc.kill()
        self.proc.wait()
        self.sock.close()


class Guest:
    def __init__(self, d):
        self.d = d
        kernel = glob.glob(ROOT + "/boot/vmlinuz-*")[0]
        initrd, disk, self.serial = (d + "/initrd", d + "/disk", d + "/serial")
        subprocess.run([HERE + "/mkinitrd", initrd, ROOT, HERE + "/save.init"],
                       check=True)
        with open(disk, "wb") as f:
            f.truncate(16 << 20)
        open(self.serial, "w").close()
        self.fds = [os.open(kernel, os.O_RDONLY),
                    os.open(initrd, os.O_RDONLY), os.open(disk, os.O_RDWR),
                    os.open(self.serial, os.O_RDWR | os.O_APPEND)]
        self.taps = Tap.possible()
        self.spec = {
            "name": "guest", "uuid": "00" * 16, "engine": ENGINE,
            "machine": "microvm", "memory": 192 << 20, "vcpus": CPUS,
            "max_vcpus": CPUS, "cpu_model": "host", "kernel_fd": 0,
            "initrd_fd": 1, "cmdline": "console=ttyS0 quiet panic=-1",
            "disks": [{"id": "disk", "format": "raw", "fd": 2}],
            "serials": [{"id": "serial0", "kind": "fd", "fd": 3}],
            "rngs": [{"id": "rng0"}], "balloon": True}
        if ENGINE.startswith("kvm"):
            self.spec["kvm_fd"] = len(self.fds)
            self.fds.append(os.open("/dev/kvm", os.O_RDWR))

    def vmm(self, **more):
        v = Vmm(self.d)
        fds = list(self.fds)
        if self.taps:
            v.tap = Tap()
            more["nics"] = [{"id": "net0", "fd": len(fds), "mac": MAC}]
            fds.append(v.tap.fd)
        if more.get("postcopy") and os.path.exists("/dev/userfaultfd"):
            more["userfault_fd"] = len(fds)
            fds.append(os.open("/dev/userfaultfd", os.O_RDWR))
        v.call("create", fds, spec={**self.spec, **more})
        for fd in fds[len(self.fds):]:
            os.close(fd)
        return v

    def text(self):
        with open(self.serial, errors="replace") as f:
            return f.read()

    def rounds(self):
        return self.text().count("\nround ")

    def works(self, more=1):
        """The guest checks itself on, and has found nothing wrong."""
        want, end = self.rounds() + more, time.monotonic() + SECONDS
        while self.rounds() < want:
            assert time.monotonic() < end, self.text()[-4000:]
            time.sleep(0.1)
        assert "BAD" not in self.text(), self.text()[-2000:]


def begin(guest, source, streams=1, **options):
    """A destination, and the ids of the two requests."""
    postcopy = options.get("postcopy", False)
    pairs = [socket.socketpair() for _ in range(streams + postcopy)]
    dest = guest.vmm(incoming=True, postcopy=postcopy)
    dest.rescue, theirs = socket.socketpair(socket.AF_UNIX,
                                            socket.SOCK_SEQPACKET)
    dest.rescue.settimeout(SECONDS)
    r = dest.send("receive", [b.fileno() for _, b in pairs]
                  + [theirs.fileno()], postcopy=postcopy, rescue=True)
    theirs.close()
    s = source.send("migrate", [a.fileno() for a, _ in pairs], **options)
    for a, b in pairs:
        a.close()
        b.close()
    return dest, r, s


def refused(vmm, ident):
    try:
        vmm.wait(ident)
    except Refused as e:
        return str(e)
    raise AssertionError("that should have failed")


def migrate(guest, source, **options):
    dest, r, s = begin(guest, source, **options)
    source.wait(s)
    dest.wait(r)
    job = source.call("job")
    dest.call("take")
    refused(source, source.send("run"))
    source.end()
    dest.call("run")
    if guest.taps:
        dest.tap.announced()
    print(f"  {options or ''} {job['iterations']} rounds, "
          f"{job['written'] >> 20} MiB, downtime "
          f"{job['downtime_ns'] / 1e6:.0f} ms, throttle {job['throttle']}",
          flush=True)
    return dest


def handover(vmm, *words):
    """Waits until that is how it stands."""
    end = time.monotonic() + SECONDS
    while vmm.call("status")["handover"] not in words:
        assert time.monotonic() < end, vmm.call("status")
        time.sleep(0.02)


def recover(source, dest):
    """The machine there may itself be waiting for memory."""
    a, b = socket.socketpair()
    with a, b:
        dest.rescue.sendmsg([b"r"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS,
                                      array.array("i", [b.fileno()]))])
        source.call("recover", [a.fileno()])


def post_copy(guest, source, breaks=0, wait=0.2, **options):
    """The guest goes at once, and its memory follows."""
    dest, r, s = begin(guest, source, postcopy=True, downtime_ns=1,
                       bandwidth=30 << 20,
                       postcopy_bandwidth=40 << 20 if breaks else 0,
                       **options)
    time.sleep(wait)
    source.call("migrate-limits", postcopy_now=True)
    source.wait(s)
    dest.wait(r)
    left = source.call("job")["remaining"]
    dest.call("take")
    refused(source, source.send("run"))
    dest.call("run")
    for i in range(breaks):
        handover(source, "copying")
        source.call("break")
        handover(source, "broken")
        assert dest.rescue.recv(100) == b"broken"
        recover(source, dest)
    if breaks:
        source.call("migrate-limits", postcopy_bandwidth=0)
    handover(source, "done")
    handover(dest, None)
    source.end()
    print(f"  post-copy {options or ''}: {left >> 20} MiB followed",
          flush=True)
    return dest


def broken_off(guest, source, how, wait):
    """The source goes on, and the other side cannot run."""
    dest, r, s = begin(guest, source, random.choice((1, 3)),
                       bandwidth=40 << 20, downtime_ns=1)
    time.sleep(wait)
    if how == "cancel":
        source.call("cancel")
    elif how == "kill":
        dest.proc.kill()
    else:
        dest.call("cancel")
    refused(source, s)
    if how != "kill":
        refused(dest, r)
        refused(dest, dest.send("run"))
    dest.end()
    guest.works()


def main(d):
    guest = Guest(d)
    vmm = guest.vmm()
    vmm.call("run")
    guest.works(2)
    for how in ("cancel", "kill", "refuse"):
        for wait in (0.05, 0.6):
            broken_off(guest, vmm, how, wait)
    options = [{}, {"zstd": True, "streams": 4}, {"streams": 2}, {"bandwidth": 100 << 20},
               {"auto_converge": True, "bandwidth": 60 << 20},
               {"downtime_ns": 1000000000}]
    try:
        for i in range(runs):
            vmm = migrate(guest, vmm, **options[i % len(options)])
            guest.works()
        # A full kernel only lets those watch memory who may.
        if os.path.exists("/dev/userfaultfd"):
            for more in ({}, {"zstd": True}, {"streams": 3},
                         {"breaks": 2, "wait": 0.02}):
                vmm = post_copy(guest, vmm, **more)
                guest.works()
    finally:
        vmm.end()
    print(f"ok: migrated {runs} times, {guest.rounds()} rounds of work, "
          f"{ENGINE}")


directory = tempfile.mkdtemp(prefix="vireo-migrate-")
try:
    main(directory)
finally:
    shutil.rmtree(directory)
