#!/usr/bin/python3
# tests/api/deaf.py -- a client that asks for events and then reads nothing: what
# is kept for it is bounded, it is dropped, and others notice nothing.
import os
import signal

from functions import *

# A change's event has its whole URI in it, so that few are enough.
URI = "urn:" + "x" * (1 << 20)
# daemon/session.h: SESSION_OUT_MAX is 40 MiB; the socket holds some more.
MOST = 64


def deaf_client(uri):
    """A process of its own that stops once it has asked for events."""
    script = f"""
import os, signal, sys
sys.path.insert(0, {os.path.dirname(os.path.abspath(__file__))!r})
from shared import *
run_events()
c = libvirt.open({uri!r})
closed = threading.Event()
c.registerCloseCallback(lambda *a: closed.set(), None)
c.domainEventRegisterAny(
    None, libvirt.VIR_DOMAIN_EVENT_ID_METADATA_CHANGE, lambda *a: None, None)
print("ready", flush=True)
os.kill(os.getpid(), signal.SIGSTOP)
closed.wait()
print("closed", flush=True)
os._exit(0)
"""
    p = subprocess.Popen([sys.executable, "-B", "-c", script],
                         stdout=subprocess.PIPE)
    assert p.stdout.readline() == b"ready\n"
    assert os.WIFSTOPPED(os.waitpid(p.pid, os.WUNTRACED)[1])
    return p


def descriptors(d):
    return len(os.listdir(f"/proc/{d.proc.pid}/fd"))


def memory_kib(d):
    with open(f"/proc/{d.proc.pid}/status") as f:
        return next(int(line.split()[1]) for line in f
                    if line.startswith("VmRSS"))


run_events()
with Daemon() as d:
    c = d.open()
    hearing = Events()
    c.domainEventRegisterAny(
        None, libvirt.VIR_DOMAIN_EVENT_ID_METADATA_CHANGE, hearing, None)
    dom = c.defineXML(xml("a"))
    alone = descriptors(d)
    deaf = deaf_client(d.uri())
    assert descriptors(d) > alone
    try:
        n = 0
        while descriptors(d) > alone:
            assert n < MOST, f"still there after {n} MiB of events"
            dom.setMetadata(libvirt.VIR_DOMAIN_METADATA_ELEMENT,
                            f"<m n='{n}'/>", "m", URI, 0)
            n += 1
        # Who reads has all of them, in order, and goes on.
        assert len(hearing.wait(n)) == n
        assert c.isAlive() and dom.name() == "a"
        assert memory_kib(d) < 1 << 20, memory_kib(d)
    finally:
        os.kill(deaf.pid, signal.SIGCONT)
    assert deaf.stdout.readline() == b"closed\n"
    assert deaf.wait() == 0
    c.close()
