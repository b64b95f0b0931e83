# tests/api/functions.py -- a daemon with the in-memory driver for a test.
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time

from shared import *


class Daemon:
    """tests/api/testd in a folder of its own."""

    def __init__(self, path="/test"):
        self.path = path
        self.dir = tempfile.mkdtemp(prefix="vireo-api-")
        self.sock = self.dir + "/sock"
        self.proc = subprocess.Popen(
            ["tests/api/testd", "drivers/test/.libs", self.sock,
             self.sock + "-ro", self.path, self.sock + "-metrics"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        assert self.proc.stdout.readline() == b"ready\n"

    def uri(self, scheme="vireo"):
        return f"{scheme}+unix://{self.path}?socket={self.sock}"

    def open(self, scheme="vireo"):
        return libvirt.open(self.uri(scheme))

    def open_readonly(self):
        return libvirt.openReadOnly(self.uri() + "-ro")

    def virsh(self, *args, program="virsh"):
        """A stock virsh: exit status, standard output, standard error."""
        p = subprocess.run([program, "-c", self.uri(), *args],
                           stdin=subprocess.DEVNULL, capture_output=True,
                           text=True)
        return p.returncode, p.stdout, p.stderr

    def both(self, *args):
        """The same of virsh and of our own; what they say is the same."""
        result = self.virsh(*args)
        ours = self.virsh(*args, program=os.environ.get("VIREO", "./vireo"))
        assert result[0] == ours[0] and \
            result[1].rstrip("\n") == ours[1].rstrip("\n"), (result, ours)
        return result

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.proc.stdin.close()
        status = self.proc.wait()
        shutil.rmtree(self.dir)
        assert exc[0] or status == 0, f"the daemon ended with {status}"


def xml(name, more=""):
    return f"""<domain type='test'><name>{name}</name>
<memory unit='MiB'>64</memory><vcpu>2</vcpu>
<os><type arch='x86_64'>hvm</type></os>{more}</domain>"""


def behaviour(**what):
    words = " ".join(f"{k.replace('_', '-')}='{v}'" for k, v in what.items())
    return ("<metadata><t:behaviour xmlns:t='urn:vireo:test-behaviour' "
            f"{words}/></metadata>")


class Events:
    """Collects what a callback is told; wait(n) gives the first n."""

    def __init__(self):
        self.got = []
        self.cond = threading.Condition()

    def __call__(self, *args):
        with self.cond:
            self.got.append(args)
            self.cond.notify_all()

    def wait(self, n):
        with self.cond:
            self.cond.wait_for(lambda: len(self.got) >= n)
            return self.got[:n]
