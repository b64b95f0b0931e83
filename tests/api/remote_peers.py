# tests/api/remote_peers.py -- peers that keep to no protocol: they are bounded,
# dropped, and delay nobody; started by tests/api/remote.sh.
#
#	remote_peers.py TLS-PORT TCP-PORT UNIX-SOCKET PKI
import os
import select
import socket
import struct
import sys

from shared import *

tls_port, tcp_port, unix_path, pki = sys.argv[1:]
uri = f"vireo+tls://localhost:{tls_port}/system?pkipath={pki}"


def connect(port):
    return socket.create_connection(("127.0.0.1", int(port)))


def ended(sock, seconds=120):
    """The far side hangs up, whatever it says before."""
    sock.settimeout(seconds)
    try:
        while sock.recv(65536):
            pass
    except (ConnectionResetError, BrokenPipeError):
        pass
    return True


def works():
    conn = libvirt.open(uri)
    assert conn.numOfDefinedDomains() == 40
    conn.close()


# ---- silence and half a handshake, as many as may be ----
hello = bytes.fromhex("16030100a5010000a10303") + bytes(20)
silent = [connect(tls_port) for _ in range(8)]
half = [connect(tls_port) for _ in range(8)]
for s in half:
    s.sendall(hello)
works()     # four places are left, and nobody waits for the others

# ---- too many: a place that is given up counts ----
# Those who have been silent for longest make room, and nobody is held off.
more = [connect(tls_port) for _ in range(16)]
for s in silent:
    assert ended(s)
works()
unix = libvirt.open(f"vireo+unix:///system?socket={unix_path}")
assert unix.numOfDefinedDomains() == 40, "remote peers delay local ones"
for s in silent + half + more:
    s.close()
for _ in range(600):        # until the daemon has seen them go
    try:
        works()
        break
    except libvirt.libvirtError:
        select.select([], [], [], 0.1)
else:
    raise AssertionError("places are not given up")

# ---- no TLS at all, and no protocol ----
s = connect(tls_port)
s.sendall(b"GET / HTTP/1.0\r\n\r\n" * 100)
assert ended(s)
s = connect(tcp_port)
s.sendall(struct.pack(">I", 0xffffffff) + bytes(1000))
assert ended(s)
s = connect(tcp_port)
s.sendall(struct.pack(">I", 3) + bytes(1000))
assert ended(s)
s = connect(tcp_port)       # half a message, and then nothing
s.sendall(struct.pack(">I", 1000) + bytes(10))
works()
s.close()
