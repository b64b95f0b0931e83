# tests/api/access_client.py -- what user "nobody" can do under
# tests/api/access.rules; started by tests/api/access.sh.
import socket
import struct
import sys

from shared import *


def string(data):
    return struct.pack(">I", len(data)) + data + bytes(-len(data) % 4)


class Raw:
    """A client that sends what it is told to."""

    def __init__(self, path):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect(path)
        self.serial = 0

    def take(self, n):
        data = b""
        while len(data) < n:
            more = self.sock.recv(n - len(data))
            assert more, "hung up"
            data += more
        return data

    def call(self, proc, body=b""):
        """Its answer's status and body."""
        self.serial += 1
        self.sock.sendall(struct.pack(">IIIIIII", 28 + len(body), 0x20008086,
                                      1, proc, 0, self.serial, 0) + body)
        length, = struct.unpack(">I", self.take(4))
        got = self.take(length - 4)
        return struct.unpack(">I", got[20:24])[0], got[24:]


uri = sys.argv[1]
run_events()
conn = libvirt.open(uri)
denied = libvirt.VIR_ERR_ACCESS_DENIED

# ---- lists hold what may be seen ----
visible = ["mine", "shown"]
assert sorted(d.name() for d in conn.listAllDomains()) == visible
assert sorted(conn.listDefinedDomains()) == visible
assert conn.numOfDefinedDomains() == 2
assert conn.listDomainsID() == [] and conn.numOfDomains() == 0
assert sorted(r[0].name() for r in conn.getAllDomainStats()) == visible

# ---- lookups ----
mine, shown = (conn.lookupByName(n) for n in visible)
fails(denied, conn.lookupByName, "hidden")
assert conn.lookupByUUIDString(mine.UUIDString()).name() == "mine"

# ---- calls ----
assert "mine" in mine.XMLDesc() and "shown" in shown.XMLDesc()
mine.XMLDesc(libvirt.VIR_DOMAIN_XML_SECURE)
fails(denied, shown.XMLDesc, libvirt.VIR_DOMAIN_XML_SECURE)
mine.setAutostart(True)
fails(denied, shown.setAutostart, True)
fails(denied, shown.create)
fails(denied, shown.undefine)
text = fails(denied, shown.setMetadata, libvirt.VIR_DOMAIN_METADATA_TITLE, "t",
             None, None, libvirt.VIR_DOMAIN_AFFECT_CONFIG)
assert "domain:write" in text, text

# ---- definitions ----
new = mine.XMLDesc().replace("<memory unit='KiB'>16384", "<memory unit='KiB'>32768")
conn.defineXML(new)
fails(denied, conn.defineXML, shown.XMLDesc())
fails(denied, conn.defineXML, "<domain type='vireo'><name>other</name>"
      "<memory>1024</memory><os><type>hvm</type></os></domain>")

# ---- events: those of what may be seen, in order ----
got = []
event = threading.Event()
def on_event(conn, dom, what, detail, opaque):
    got.append((dom.name(), what))
    if what == libvirt.VIR_DOMAIN_EVENT_UNDEFINED:
        event.set()
conn.domainEventRegisterAny(None, libvirt.VIR_DOMAIN_EVENT_ID_LIFECYCLE,
                            on_event, None)
for _ in range(20):
    conn.defineXML(new)
mine.undefine()
assert event.wait(120)
assert got == [("mine", libvirt.VIR_DOMAIN_EVENT_DEFINED)] * 20 + \
    [("mine", libvirt.VIR_DOMAIN_EVENT_UNDEFINED)], got

# ---- the read-only socket ----
ro = libvirt.openReadOnly(uri + "-ro")
assert [d.name() for d in ro.listAllDomains()] == ["shown"]
fails(libvirt.VIR_ERR_OPERATION_DENIED, ro.listAllDomains()[0].create)

# ---- a domain is not had by another's name ----
# The protocol has name and uuid in each call; only the uuid counts.
conn.defineXML(new)
raw = Raw(sys.argv[2])
raw.call(66)                        # AUTH_LIST
status, body = raw.call(1, struct.pack(">I", 1) + string(b"vireo:///system") +
                        struct.pack(">I", 0))
assert status == 1, "CONNECT_OPEN before authentication"
assert raw.call(70) == (0, struct.pack(">I", 1))    # AUTH_POLKIT
raw.call(1, struct.pack(">I", 1) + string(b"vireo:///system") +
         struct.pack(">I", 0))
for uuid, status in (mine.UUID(), 0), (bytes.fromhex(sys.argv[3]), 1):
    got = raw.call(14, string(b"mine") + uuid + struct.pack(">iI", -1, 0))
    assert got[0] == status, got    # DOMAIN_GET_XML_DESC
assert struct.unpack(">I", got[1][:4])[0] == denied
