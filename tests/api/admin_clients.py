# tests/api/admin_clients.py -- clients as the administrator sees them, their
# limits, and those that do not read; started by tests/api/admin.sh.
#
#	admin_clients.py URI TCP-URI ADMIN-URI
import os
import re
import socket
import struct
import subprocess
import sys
import time

from shared import *

uri, tcp_uri, admin_uri = sys.argv[1:]
path = uri.split("socket=")[1]


def admin(*args):
    p = subprocess.run(["virt-admin", "-q", "-c", admin_uri, *args],
                       stdin=subprocess.DEVNULL, capture_output=True, text=True)
    return p.returncode, p.stdout, p.stderr


def clients(server="vireod"):
    code, out, err = admin("srv-clients-list", server)
    assert code == 0, err
    return [line.split()[:2] for line in out.splitlines() if line.strip()]


def until(what, fn):
    for _ in range(1200):
        if fn():
            return
        time.sleep(0.1)
    raise AssertionError(what)


def info(text):
    return dict(re.split(r"\s*:\s*", line.strip(), maxsplit=1)
                for line in text.splitlines() if ":" in line)


# ---- who is there ----
unix = libvirt.open(uri)
tcp = libvirt.open(tcp_uri)
got = clients()
assert [kind for _, kind in got] == ["unix", "tcp"], got
assert len(clients("admin")) == 1       # virt-admin itself
code, out, err = admin("client-info", "vireod", got[0][0])
assert code == 0, err
values = info(out)
assert values["id"] == got[0][0] and values["transport"] == "unix", values
assert values["readonly"] == "no", values
assert values["unix_user_id"] == "0", values
assert values["unix_process_id"] == str(os.getpid()), values
code, out, err = admin("client-info", "vireod", got[1][0])
values = info(out)
assert values["transport"] == "tcp", values
assert values["sock_addr"].startswith("127.0.0.1:"), values
code, out, err = admin("client-info", "vireod", "999999")
assert code and "No client with matching ID '999999'" in err, err

# ---- and who is to go ----
assert admin("client-disconnect", "vireod", got[1][0])[0] == 0
fails(libvirt.VIR_ERR_SYSTEM_ERROR, tcp.getHostname)
assert len(clients()) == 1 and unix.getHostname()

# ---- limits: one too many gets an error and not silence ----
code, out, err = admin("srv-clients-info", "vireod")
values = info(out)
assert values == {"nclients_max": "100", "nclients": "1",
                  "nclients_unauth_max": "20", "nclients_unauth": "0"}, values
code, out, err = admin("srv-clients-set", "vireod", "--max-clients", "2")
assert code and "at most all may be unauthenticated" in err, err
assert admin("srv-clients-set", "vireod", "--max-clients", "2",
             "--max-unauth-clients", "2")[0] == 0
second = libvirt.open(uri)
text = fails(libvirt.VIR_ERR_OPERATION_FAILED, libvirt.open, uri)
assert "the daemon serves 2 clients" in text, text
assert unix.getHostname() and second.getHostname()
second.close()
until("a place that was given up is not there",
      lambda: len(clients()) == 1)
second = libvirt.open(uri)
second.close()
assert admin("srv-clients-set", "vireod", "--max-clients", "100")[0] == 0

# ---- a client that asks and does not read ----
def message(proc, serial, body=b""):
    return struct.pack(">IIIIIII", 28 + len(body), 0x20008086, 1, proc, 0,
                       serial, 0) + body


def open_raw():
    s = socket.socket(socket.AF_UNIX)
    s.connect(path)
    name = b"vireo:///system\0"[:15]
    s.sendall(message(66, 1) + message(1, 2, struct.pack(">II", 1, 15) + name +
                                       b"\0" + struct.pack(">I", 0)))
    return s


deaf = open_raw()
deaf.setblocking(False)
asked = 0
try:
    while asked < 200000:       # CONNECT_GET_CAPABILITIES
        asked += deaf.send(message(7, 3 + asked))
except BlockingIOError:
    pass
assert asked < 28 * 200000, "all of it was read"
for _ in range(100):
    assert unix.getHostname() and unix.listAllDomains() == []

# ---- one that subscribes to events and does not read them ----
run = open_raw()
run.sendall(message(316, 3, struct.pack(">II", 0, 0)))  # lifecycle, any domain
until("three clients", lambda: len(clients()) == 3)
xml = """<domain type='vireo'><name>noisy</name>
<uuid>8f2bd1ea-7a5c-4c0e-9d4b-0a3e3c1f6b11</uuid><memory unit='MiB'>16</memory>
<description>%s</description><vcpu>1</vcpu>
<os><type arch='x86_64'>hvm</type></os></domain>"""
for n in range(300):
    unix.defineXML(xml % n)
unix.lookupByName("noisy").undefine()
assert unix.getHostname()
deaf.close()
run.close()
until("they are gone", lambda: len(clients()) == 1)
