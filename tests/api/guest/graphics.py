#!/usr/bin/python3
# A guest's picture, keyboard and VNC server, as stock clients ask for them.
#
# GENERIC_ROOT: where Debian's generic kernel is unpacked; the cloud kernel has
# no driver for a graphics card, so without it there is no picture to see.
import os
import socket
import sys

generic = os.environ.get("GENERIC_ROOT", "")
if generic:
    os.environ["GUEST_ROOT"] = generic

from functions import *

sys.path.append(TOP + "/tests/guest")
import vnc
from vmm import Picture

V = libvirt
BOCHS = "drm drm_kms_helper ttm drm_ttm_helper drm_vram_helper bochs".split()


def definition(d):
    return d.xml("g", f"""
    <graphics type='vnc' passwd='sesame' websocket='-1' connected='keep'>
      <listen type='address' address='127.0.0.1'/>
      <listen type='address' address='127.0.0.2'/>
      <listen type='socket' socket='{d.dir}/run/g2.vnc'/>
    </graphics>
    <graphics type='vnc' socket='{d.dir}/run/g.vnc'/>
    <video><model type='bochs'><resolution x='800' y='600'/></model></video>""")


def definitions(d, c):
    """What we have not is refused, and what we have is shown as libvirt has
    it."""
    for bad in ("<graphics type='spice'/>",
                "<graphics type='vnc' websocket='-1' socket='/nowhere'/>",
                "<graphics type='vnc'><listen type='network' network='n'/>"
                "</graphics>",
                "<graphics type='vnc' listen='localhost'/>",
                "<video><model type='qxl'/></video>",
                "<video><model type='vga'/></video>",
                "<input type='tablet' bus='ps2'/>"):
        fails(V.VIR_ERR_CONFIG_UNSUPPORTED, c.createXML, d.xml("bad", bad))
    g = c.defineXML(definition(d))
    xml = g.XMLDesc()
    for want in ("<graphics type='vnc' port='-1' autoport='yes' "
                 "websocket='-1' listen='127.0.0.1' connected='keep'>",
                 "<listen type='address' address='127.0.0.2'/>",
                 f"<graphics type='vnc' socket='{d.dir}/run/g.vnc'>",
                 "<input type='mouse' bus='ps2'/>",
                 "<input type='keyboard' bus='ps2'/>",
                 "<model type='bochs' vram='16384' heads='1' primary='yes'>"):
        assert want in xml, (want, xml)
    assert "sesame" not in xml
    assert "passwd='sesame'" in g.XMLDesc(V.VIR_DOMAIN_XML_SECURE)
    return g


def display(d, g):
    """The port, as virsh has it."""
    found = re.search(r"port='(\d+)' autoport='yes' websocket='(\d+)' "
                      "listen='127.0.0.1'", g.XMLDesc())
    port, web = int(found.group(1)), int(found.group(2))
    assert port >= 5900 and 5700 <= web != port
    for address in ("127.0.0.1", "127.0.0.2"):
        with connect((address, port), socket.AF_INET) as s:
            assert s.recv(4) == b"RFB "
        with connect((address, web), socket.AF_INET) as s:
            s.sendall(b"GET / HTTP/1.0\r\n\r\n")
            assert s.recv(12) == b"HTTP/1.1 400"
    with connect(d.dir + "/run/g2.vnc", socket.AF_UNIX) as s:
        assert s.recv(4) == b"RFB "
    assert d.virsh("vncdisplay", "g").strip() == f"127.0.0.1:{port - 5900}"
    assert d.virsh("domdisplay", "g").strip() == \
        f"vnc://127.0.0.1:{port - 5900}"
    assert "alias name='video0'" in g.XMLDesc()
    assert "alias name='input0'" in g.XMLDesc()
    return port


def connect(where, family):
    s = socket.socket(family)
    s.settimeout(SECONDS)
    s.connect(where)
    return s


def wants_password(port):
    try:
        vnc.Client(connect(("127.0.0.1", port), socket.AF_INET))
    except vnc.Refused:
        return True
    return False


def let_in(port, password):
    try:
        c = vnc.Client(connect(("127.0.0.1", port), socket.AF_INET),
                       password=password)
        c.sock.close()
        return True
    except vnc.Refused:
        return False


def passwords(d, g, port):
    assert wants_password(port)
    live = V.VIR_DOMAIN_AFFECT_LIVE
    g.updateDeviceFlags("<graphics type='vnc' port='-1' autoport='yes'/>",
                        live)
    assert not wants_password(port)
    g.updateDeviceFlags("<graphics type='vnc' passwd='other'/>",
                        live | V.VIR_DOMAIN_AFFECT_CONFIG)
    assert wants_password(port)
    # It was valid for some time, and who looks may be in the way.
    g.updateDeviceFlags("<graphics type='vnc' passwd='other' "
                        "passwdValidTo='2001-01-01T00:00:00'/>", live)
    assert not let_in(port, "other")
    g.updateDeviceFlags("<graphics type='vnc' passwd='other'/>", live)
    viewer = vnc.Client(connect(("127.0.0.1", port), socket.AF_INET),
                        password="other")
    fails(V.VIR_ERR_OPERATION_FAILED, g.updateDeviceFlags,
          "<graphics type='vnc' passwd='new' connected='fail'/>", live)
    assert let_in(port, "other")
    g.updateDeviceFlags("<graphics type='vnc' passwd='other' "
                        "connected='disconnect'/>", live)
    try:
        while viewer.sock.recv(4096):
            pass
    except ConnectionError:
        pass
    secure = V.VIR_DOMAIN_XML_SECURE
    assert "passwd='other'" in g.XMLDesc(secure)
    assert "passwd='other'" in g.XMLDesc(secure | V.VIR_DOMAIN_XML_INACTIVE)
    fails(V.VIR_ERR_CONFIG_UNSUPPORTED, g.updateDeviceFlags,
          "<graphics type='vnc' port='5999' autoport='no'/>", live)
    fails(V.VIR_ERR_OPERATION_UNSUPPORTED, g.updateDeviceFlags,
          "<video/>", live)


def viewers(c):
    """Who comes and goes is told."""
    got = []
    c.domainEventRegisterAny(
        None, V.VIR_DOMAIN_EVENT_ID_GRAPHICS,
        lambda conn, dom, phase, local, remote, auth, subject, opaque:
        got.append((phase, local["family"], local["node"], auth)), None)
    return got


def clients(d, g):
    """On the Unix socket, and handed in."""
    c = vnc.Client(connect(d.dir + "/run/g.vnc", socket.AF_UNIX))
    assert c.name == "g"
    c.sock.close()
    fd = g.openGraphicsFD(0, V.VIR_DOMAIN_OPEN_GRAPHICS_SKIPAUTH)
    c = vnc.Client(socket.socket(fileno=fd))
    assert c.name == "g"
    c.sock.close()
    ours, theirs = socket.socketpair()
    with theirs:
        g.openGraphics(1, theirs.fileno())
    c = vnc.Client(ours)
    c.sock.close()
    fails(V.VIR_ERR_INTERNAL_ERROR, g.openGraphicsFD, 2)


def keys(g, con):
    """The guest's keyboard gets them, whatever set names them."""
    con.run("kbd=$(grep -A 9 'AT Translated' /proc/bus/input/devices | "
            "sed -n 's/.*\\(event[0-9]*\\).*/\\1/p')")
    con.run("{ dd if=/dev/input/$kbd of=/events bs=24 count=18 "
            "2>/dev/null & }")
    time.sleep(1)
    for codeset, code in ((V.VIR_KEYCODE_SET_LINUX, 30),
                          (V.VIR_KEYCODE_SET_USB, 4),
                          (V.VIR_KEYCODE_SET_ATSET2, 0x1c)):
        g.sendKey(codeset, 20, [code], 1)
        time.sleep(0.5)
    until("six events", lambda: con.run("wc -c </events") == "432")
    got = con.run("od -An -v -tu2 -w24 /events | "
                  "sed -n 's/.* 1 *30 *\\([01]\\) *0$/\\1/p' | tr '\\n' ' '")
    assert got.split() == ["1", "0"] * 3, got
    fails(V.VIR_ERR_INTERNAL_ERROR, g.sendKey, V.VIR_KEYCODE_SET_USB, 0,
          [0x1234], 1)


def screenshot(c, g):
    def take():
        stream = c.newStream()
        mime = g.screenshot(stream, 0)
        data = bytearray()
        stream.recvAll(lambda s, part, opaque: opaque.extend(part), data)
        stream.finish()
        return mime, bytes(data)

    if not generic:
        fails(V.VIR_ERR_OPERATION_FAILED, take)
        return
    mime, data = take()
    assert mime == "image/x-portable-pixmap"
    picture = Picture(data)
    assert (picture.width, picture.height) == (800, 600)
    path = g.name() + ".ppm"
    d.virsh("screenshot", "g", d.dir + "/" + path)
    with open(d.dir + "/" + path, "rb") as f:
        Picture(f.read())


with Daemon(BOCHS if generic else ()) as d:
    c = d.open()
    g = definitions(d, c)
    g.create()
    con = StreamConsole(c, g)
    con.wait_prompt()
    port = display(d, g)
    passwords(d, g, port)
    told = viewers(c)
    clients(d, g)
    until("nine events",
          lambda: len([e for e in told if e[2] == ""]) >= 9)
    unix = V.VIR_DOMAIN_EVENT_GRAPHICS_ADDRESS_UNIX
    for phase in range(3):
        assert told.count((phase, unix, "", "none")) == 3, told
    keys(g, con)
    screenshot(c, g)
    d.virsh("send-key", "g", "--codeset", "win32", "VK_RETURN")
    d.virsh("inject-nmi", "g")
    c.close()
    d.up()
    c = d.open()
    g = c.lookupByName("g")
    assert display(d, g) == port
    clients(d, g)
    g.destroy()
    assert "port='-1'" in g.XMLDesc()
print("a guest's graphics: all right")
