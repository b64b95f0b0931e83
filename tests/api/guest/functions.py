# tests/api/guest/functions.py -- a real daemon, and a real guest: a stock
# Debian kernel on the emu engine, or the one that GUEST_ENGINE names.
import glob
import os
import pty
import re
import select
import socket
import signal
import shutil
import subprocess
import sys
import tempfile
import threading
import time
import uuid

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.append(os.path.dirname(HERE))
from shared import *

TOP = os.path.abspath(HERE + "/../../..")
BUILD = os.environ.get("BUILD", TOP + "/build")
KERNEL_ROOT = os.environ.get("GUEST_ROOT", "")
# "emu:jit": this variant, unless a test says which.
ENGINE, _, VARIANT = os.environ.get("GUEST_ENGINE", "").partition(":")
KIND = "kvm" if ENGINE == "kvm" else "qemu"
SECONDS = 240  # for anything that must happen; a busy host is slow

if os.getuid() != 0 or not KERNEL_ROOT or not shutil.which("virsh"):
    print("skip: needs root, virsh and GUEST_ROOT, an unpacked kernel package")
    sys.exit(77)


def until(what, fn):
    """Waits for fn() to be true and returns its value."""
    end = time.monotonic() + SECONDS
    while time.monotonic() < end:
        value = fn()
        if value:
            return value
        time.sleep(0.05)
    raise AssertionError(f"did not happen: {what}")


# Streams that do not block need it, too.
run_events()


class Events:
    """Lifecycle and reboot events by domain: (event, detail), "reboot"."""

    def __init__(self, conn):
        self.got = {}
        self.seen = {}
        self.cond = threading.Condition()
        conn.domainEventRegisterAny(
            None, libvirt.VIR_DOMAIN_EVENT_ID_LIFECYCLE, self.lifecycle, None)
        conn.domainEventRegisterAny(
            None, libvirt.VIR_DOMAIN_EVENT_ID_REBOOT, self.reboot, None)

    def add(self, dom, what):
        with self.cond:
            self.got.setdefault(dom.name(), []).append(what)
            self.cond.notify_all()

    def lifecycle(self, conn, dom, event, detail, opaque):
        self.add(dom, (event, detail))

    def reboot(self, conn, dom, opaque):
        self.add(dom, "reboot")

    def expect(self, name, *want):
        """The next events of this domain are these, in this order."""
        start = self.seen.get(name, 0)
        with self.cond:
            self.cond.wait_for(
                lambda: len(self.got.get(name, [])) >= start + len(want),
                SECONDS)
            got = self.got.get(name, [])[start:]
        assert got[:len(want)] == list(want), (name, got, want)
        self.seen[name] = start + len(want)

    def until(self, name, want):
        """This one comes, whatever comes before."""
        start = self.seen.get(name, 0)
        with self.cond:
            assert self.cond.wait_for(
                lambda: want in self.got.get(name, [])[start:], SECONDS), \
                (name, self.got, want)
            self.seen[name] = self.got[name].index(want, start) + 1


class DeviceEvents:
    """(what, alias): a device was added or removed, or is kept."""

    def __init__(self, conn):
        self.got, self.cond = [], threading.Condition()
        for what, event in (
                ("added", libvirt.VIR_DOMAIN_EVENT_ID_DEVICE_ADDED),
                ("removed", libvirt.VIR_DOMAIN_EVENT_ID_DEVICE_REMOVED),
                ("kept", libvirt.VIR_DOMAIN_EVENT_ID_DEVICE_REMOVAL_FAILED)):
            conn.domainEventRegisterAny(
                None, event,
                lambda c, dom, alias, what: self.tell(what, alias), what)

    def tell(self, *what):
        with self.cond:
            self.got.append(what)
            self.cond.notify_all()

    def expect(self, *want):
        with self.cond:
            assert self.cond.wait_for(lambda: want in self.got, SECONDS), \
                (want, self.got)
            self.got.remove(want)


class Daemon:
    """What scripts/up starts, in a folder of its own.  modules: what the
    guest's kernel is to load besides the usual."""

    def __init__(self, modules=()):
        self.dir = tempfile.mkdtemp(prefix="vireo-guest-")
        os.chmod(self.dir, 0o755)
        self.options = []  # more, from the next up() on
        kernels = os.listdir(KERNEL_ROOT + "/boot")
        self.kernel = KERNEL_ROOT + "/boot/" + next(
            k for k in kernels if k.startswith("vmlinuz-"))
        self.initrd = self.dir + "/initrd"
        subprocess.run([TOP + "/tests/guest/mkinitrd", self.initrd,
                        KERNEL_ROOT, HERE + "/init", "button", "evdev", *modules],
                       check=True)
        self.up()

    def up(self):
        """Starts it, or starts it anew."""
        p = subprocess.run([TOP + "/scripts/up", self.dir,
                            f"--migrate-tls-dir={self.dir}/pki",
                            *self.options], check=True,
                           stdout=subprocess.PIPE, text=True,
                           env=dict(os.environ, BUILD=BUILD),
                           timeout=SECONDS)
        self.uri = p.stdout.split()[-1]

    def open(self):
        return libvirt.open(self.uri)

    def open_readonly(self):
        return libvirt.openReadOnly(self.uri + "-ro")

    def pids(self):
        """(priv, main)"""
        with open(self.dir + "/run/vireod.lock") as f:
            priv = int(f.read())
        p = subprocess.run(["pgrep", "-P", str(priv), "vireod-main"],
                           stdout=subprocess.PIPE, text=True)
        return priv, int(p.stdout.split()[0])

    def kill_main(self):
        """kill -9; its parent ends, too, and the guests stay."""
        pids = self.pids()
        os.kill(pids[1], signal.SIGKILL)
        until("the end of the daemon", lambda: not any(
            os.path.exists(f"/proc/{p}/exe") for p in pids))

    def vmm_pid(self, dom):
        with open(f"{self.dir}/run/vmm/{dom.UUIDString()}/pid") as f:
            return int(f.read().split()[0])

    def virsh(self, *args):
        """A stock virsh that must succeed: its standard output."""
        p = subprocess.run(["virsh", "-q", "-c", self.uri, *args],
                           stdin=subprocess.DEVNULL, capture_output=True,
                           text=True, timeout=SECONDS)
        assert p.returncode == 0, (args, p.stdout, p.stderr)
        return p.stdout

    def vireo(self, *args):
        """Ours, the same."""
        p = subprocess.run([BUILD + "/vireo", "-q", "-c",
                            self.uri, *args], stdin=subprocess.DEVNULL,
                           capture_output=True, text=True, timeout=SECONDS)
        assert p.returncode == 0, (args, p.stdout, p.stderr)
        return p.stdout

    def __enter__(self):
        return self

    def __exit__(self, kind, *rest):
        if kind:
            vmm = glob.glob(self.dir + "/run/vmm/*/log")
            for name in ["vireod.log", "console.log",
                         *(os.path.relpath(v, self.dir) for v in vmm)]:
                if os.path.exists(f"{self.dir}/{name}"):
                    print(f"---- {name}")
                    with open(f"{self.dir}/{name}", errors="replace") as f:
                        print("".join(f.readlines()[-25:]))
        subprocess.run([TOP + "/scripts/down", self.dir], timeout=SECONDS)
        shutil.rmtree(self.dir, ignore_errors=True)

    def xml(self, name, devices="", more="", cmdline="", vcpus=1,
            kind=KIND, variant=VARIANT):
        metadata = variant and f"""<metadata>
    <vireo:engine xmlns:vireo='urn:vireo:domain' variant='{variant}'/>
  </metadata>"""
        return f"""<domain type='{kind}'>
  <name>{name}</name>
  {metadata}
  <memory unit='MiB'>128</memory>
  <vcpu>{vcpus}</vcpu>
  <os>
    <type arch='x86_64' machine='microvm'>hvm</type>
    <kernel>{self.kernel}</kernel>
    <initrd>{self.initrd}</initrd>
    <cmdline>console=ttyS0 quiet {cmdline}</cmdline>
  </os>
  {more}
  <devices>
    <serial type='pty'>
      <log file='{self.dir}/console.log'/><target port='0'/>
    </serial>
    {devices}
  </devices>
</domain>"""


class Console:
    """A shell of the guest's: send(), expect(), run().  Subclasses give
    read_some(), which returns b'' when nothing came, and write()."""

    def __init__(self):
        self.text = ""

    def expect(self, pattern):
        """Waits for the pattern, and forgets the text up to its end."""
        end = time.monotonic() + SECONDS
        while True:
            m = re.search(pattern, self.text)
            if m:
                self.text = self.text[m.end():]
                return m
            assert time.monotonic() < end, \
                f"no {pattern!r} on the console: ...{self.text[-500:]!r}"
            data = self.read_some()
            self.text += data.decode(errors="replace")

    def send(self, line):
        self.write(line.encode() + b"\n")

    def run(self, command):
        """What a command of the guest's prints."""
        # The echoed line has neither the word nor a number in it.
        self.send(f'echo STA""RT; {command}; echo "=$?="')
        self.expect(r"START\r*\n")
        m = self.expect(r"(?s)^(.*?)=(\d+)=")
        assert m.group(2) == "0", (command, m.group(0))
        return m.group(1).replace("\r", "").strip()

    def wait_prompt(self):
        self.expect("guest# ")

    def wake(self):
        """Asks for a prompt, again and again: what is typed before a client
        has set its terminal up is lost."""
        def asked():
            self.send("")
            time.sleep(0.5)
            self.text += self.read_some().decode(errors="replace")
            return "guest# " in self.text

        until("a prompt", asked)
        self.wait_prompt()


class StreamConsole(Console):
    """virDomainOpenConsole, read by polling."""

    def __init__(self, conn, dom, name=None):
        super().__init__()
        self.stream = conn.newStream(libvirt.VIR_STREAM_NONBLOCK)
        dom.openConsole(name, self.stream,
                        libvirt.VIR_DOMAIN_CONSOLE_FORCE)

    def read_some(self):
        data = self.stream.recv(4096)
        if data == -2:
            time.sleep(0.05)
            return b""
        assert data, "the console was closed"
        return data

    def write(self, data):
        while data:
            n = self.stream.send(data)
            if n == -2:
                time.sleep(0.01)
            else:
                data = data[n:]

    def close(self):
        self.stream.abort()


class PtyConsole(Console):
    """A program on a terminal of its own, such as virsh console."""

    def __init__(self, *argv):
        super().__init__()
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.execvp(argv[0], argv)

    def read_some(self):
        if not select.select([self.fd], [], [], 0.1)[0]:
            return b""
        return os.read(self.fd, 4096)

    def write(self, data):
        os.write(self.fd, data)

    def ended(self):
        # A terminal that nobody reads may keep its program waiting.
        try:
            self.read_some()
        except OSError:
            pass
        pid, self.status = os.waitpid(self.pid, os.WNOHANG)
        return pid

    def wait_end(self):
        """Its exit status."""
        until("the end of the program", self.ended)
        os.close(self.fd)
        return os.waitstatus_to_exitcode(self.status)


# Checks what it has in memory and on its disk, changes both, and again.
IMAGE_TOOL = shutil.which("qemu-img") or os.environ["BUILD"] + "/vireo-img"


def image_tool(*args):
    """What the reference has to say of an image, or else our own tool."""
    return subprocess.run([IMAGE_TOOL, *args], check=True, text=True,
                          stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE).stdout


def chain(folder, name, data):
    """A qcow2 image of another on a raw one, which has all the data."""
    with open(f"{folder}/{name}.raw", "wb") as f:
        f.write(data)
    image_tool("create", "-q", "-f", "qcow2", "-o", "compat=0.10", "-b",
               f"{name}.raw", "-F", "raw", f"{folder}/{name}.middle")
    image_tool("create", "-q", "-f", "qcow2", "-b", f"{name}.middle", "-F",
               "qcow2", f"{folder}/{name}")
    return f"{folder}/{name}"


def check_chain(path, data, size=None):
    """It is sound, and shows the data where nothing was written."""
    image_tool("check", "-q", path)
    image_tool("convert", "-f", "qcow2", "-O", "raw", path, path + ".flat")
    with open(path + ".flat", "rb") as f:
        now = f.read()
    assert len(now) == (size or len(data))
    with open(path + ".raw", "rb") as f:
        assert f.read() == data, "the base was written"
    return now


WORK = r"""cat >/work <<'END'
dd if=/dev/urandom of=/big bs=64k count=64 2>/dev/null
n=0
while :; do
	want=$(md5sum </big)
	dd if=/big of=/dev/vda bs=64k conv=fsync 2>/dev/null
	echo 3 >/proc/sys/vm/drop_caches
	got=$(dd if=/dev/vda bs=64k count=64 2>/dev/null | md5sum)
	[ "$got" = "$want" ] && [ "$(md5sum </big)" = "$want" ] || echo n=$n >>/bad
	dd if=/dev/urandom of=/big bs=64k seek=$((n % 60)) count=4 conv=notrunc \
		2>/dev/null
	n=$((n + 1))
	echo $n >/rounds
done
END
sh /work & echo begun"""


def rounds(con):
    return int(con.run("cat /rounds 2>/dev/null; true") or 0)


def works(con):
    """The guest's work goes on, and nothing it checked was wrong."""
    before = rounds(con)
    until("a round of work", lambda: rounds(con) > before + 1)
    assert con.run("cat /bad 2>/dev/null; true") == ""


def console(c, dom):
    con = StreamConsole(c, dom)
    con.wake()
    return con


def fails_any(fn, *args):
    try:
        fn(*args)
    except libvirt.libvirtError:
        return True
    return False


def ignore(fn):
    try:
        return fn()
    except libvirt.libvirtError:
        return None


def code_of(fn, *args):
    try:
        fn(*args)
    except libvirt.libvirtError as e:
        return e.get_error_code()
    return None
