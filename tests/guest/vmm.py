# tests/guest/vmm.py -- one vireo-vmm, driven over its control socket as the
# daemon does (vmm/control.h).
import array
import json
import os
import socket
import subprocess
import time

VMM = os.environ.get("VMM", os.path.join(os.environ.get("BUILD", "."),
                                         "vireo-vmm"))
VNC_MODULE = os.path.join(os.path.dirname(VMM), "vmm/.libs/vnc-crypto.so")


class Failed(Exception):
    pass


class Vmm:
    def __init__(self, directory, serial, vnc=False):
        path = os.path.join(directory, "control")
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        listener.bind(path)
        listener.listen(1)
        log = open(os.path.join(directory, "vmm.log"), "wb")
        self.serial_path = serial
        keep = [listener.fileno(), log.fileno()]
        args = [VMM, "--control-fd", str(keep[0]), "--log-fd", str(keep[1])]
        if vnc:
            keep.append(os.open(VNC_MODULE, os.O_RDONLY))
            args += ["--vnc-module-fd", str(keep[2])]
        self.process = subprocess.Popen(args, pass_fds=keep, stderr=log)
        if vnc:
            os.close(keep[2])
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.socket.connect(path)
        self.socket.settimeout(60)
        self.events = []
        self.id = 0
        self.greeting = self.receive()

    def receive(self):
        message = self.socket.recv(1 << 20)
        if not message:
            raise Failed("the VMM is gone")
        return json.loads(message)

    def call(self, request, fds=(), **args):
        self.id += 1
        message = {"id": self.id, "request": request, **args}
        self.socket.sendmsg(
            [json.dumps(message).encode()],
            [(socket.SOL_SOCKET, socket.SCM_RIGHTS,
              array.array("i", fds))] if fds else [])
        while True:
            reply = self.receive()
            if reply.get("id") != self.id:
                self.events.append(reply)
            elif "error" in reply:
                raise Failed(reply["error"])
            else:
                return reply["ok"]

    # What is asked for so fails with a sentence that has this part.
    def refused(self, part, request, *args, **kw):
        try:
            self.call(request, *args, **kw)
        except Failed as e:
            assert part in str(e), e
            return
        raise Failed("'%s' was not refused" % request)

    # The next event of this name that has all that is in 'what'; others are
    # kept.
    def event(self, name, timeout=120, **what):
        end = time.monotonic() + timeout * float(os.environ.get("SLOW", "1"))
        while time.monotonic() < end:
            for e in self.events:
                if e["event"] == name and what.items() <= e.items():
                    self.events.remove(e)
                    return e
            self.call("status")
            time.sleep(0.1)
        raise Failed("no event '%s' with %s, only %s" %
                     (name, what, self.events))

    # A Debian kernel, an initrd and what else the specification has.
    def start(self, engine, kernel, initrd, spec, fds=(), memory=512,
              run=True):
        own = [os.open(kernel, os.O_RDONLY), os.open(initrd, os.O_RDONLY),
               os.open(self.serial_path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)]
        if engine.startswith("kvm"):
            own.append(os.open("/dev/kvm", os.O_RDWR))
            spec["kvm_fd"] = 3
        base = len(own)
        whole = {
            "name": "test", "uuid": "00" * 16, "engine": engine,
            "machine": "microvm", "memory": memory << 20, "vcpus": 1,
            "cpu_model": "host", "kernel_fd": 0, "initrd_fd": 1,
            "cmdline": "console=ttyS0 quiet panic=-1",
            "serials": [{"id": "serial0", "kind": "fd", "fd": 2}],
        }
        for key, value in spec.items():
            whole[key] = value(base) if callable(value) else value
        self.call("create", own + list(fds), spec=whole)
        for fd in own:
            os.close(fd)
        if run:
            self.call("run")

    # Waits until the guest has said this on its serial line; what follows it.
    def said(self, text, timeout=120):
        end = time.monotonic() + timeout * float(os.environ.get("SLOW", "1"))
        while time.monotonic() < end:
            with open(self.serial_path, "rb") as f:
                lines = f.read().decode(errors="replace").splitlines(True)
            if lines and not lines[-1].endswith("\n"):
                lines.pop()  # it is still being written
            for line in lines:
                if line.startswith(text):
                    return line[len(text):].strip()
            if self.process.poll() is not None:
                break
            time.sleep(0.1)
        raise Failed("the guest never said '%s'" % text)

    def screenshot(self):
        ours, theirs = socket.socketpair()
        with theirs:
            mime = self.call("screenshot", [theirs.fileno()])["mime"]
        data = b""
        with ours:
            while True:
                part = ours.recv(1 << 20)
                if not part:
                    break
                data += part
        assert mime == "image/x-portable-pixmap", mime
        return Picture(data)

    def keys(self, *codes, hold_ms=50):
        self.call("keys", codes=list(codes), hold_ms=hold_ms)

    def close(self):
        try:
            self.call("quit")
        except (Failed, OSError):
            pass
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
        self.socket.close()


# A portable pixmap.
class Picture:
    def __init__(self, data):
        magic, width, height, rest = data.split(maxsplit=3)
        depth, self.data = rest.split(b"\n", 1)
        assert magic == b"P6" and depth == b"255"
        self.width, self.height = int(width), int(height)
        assert len(self.data) == self.width * self.height * 3

    def pixel(self, x, y):
        at = (y * self.width + x) * 3
        return tuple(self.data[at:at + 3])
