#!/usr/bin/python3
# A guest in virtual networks: its lease, its names, what reaches what; the
# host's network is one of this test's own, and so is what is outside of it.
import signal
import urllib.request

from functions import *

if "VIREO_TEST_NETNS" not in os.environ:
    os.environ["VIREO_TEST_NETNS"] = "1"
    os.execvp("unshare", ["unshare", "-n", sys.executable, "-B", __file__])

V = libvirt
MAC = "52:54:00:12:34:81"
LAB = f"""<network>
  <name>lab</name>
  <forward mode='nat'/>
  <bridge name='vlab0' stp='off'/>
  <domain name='lab.example' localOnly='yes'/>
  <dns><host ip='10.77.0.9'><hostname>nine</hostname></host></dns>
  <ip address='10.77.0.1' prefix='24'>
    <dhcp>
      <range start='10.77.0.100' end='10.77.0.110'/>
      <host mac='{MAC}' name='one' ip='10.77.0.5'/>
    </dhcp>
  </ip>
</network>"""
ALONE = """<network>
  <name>alone</name>
  <bridge name='valone0' stp='off'/>
  <ip address='10.78.0.1' prefix='24'>
    <dhcp><range start='10.78.0.100' end='10.78.0.110'/></dhcp>
  </ip>
</network>"""
# Which says whom it sees: what NAT made of the guest's address.
SERVER = """
import http.server
class H(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(self.client_address[0].encode())
http.server.HTTPServer(('', 8000), H).serve_forever()
"""
DHCP = """cat >/dhcp <<'END'
[ "$1" = bound ] || exit 0
ip addr add $ip/24 dev $interface
[ -z "$router" ] || ip route add default via $router
[ -z "$dns" ] || echo nameserver $dns >/etc/resolv.conf
echo $ip $domain >/lease.$interface
END
chmod 755 /dhcp; mkdir -p /etc"""


def host(*args, check=True):
    return subprocess.run(args, check=check, capture_output=True,
                          text=True, timeout=SECONDS).stdout


class Outside:
    """What is behind the host: 203.0.113.2, which knows no way back but to
    203.0.113.1."""

    def __init__(self):
        self.proc = subprocess.Popen(["unshare", "-n", "sleep", "100000"])
        mine = os.readlink("/proc/self/ns/net")
        until("a namespace", lambda: os.readlink(
            f"/proc/{self.proc.pid}/ns/net") != mine)
        for args in ("link set lo up",
                     "link add vout type veth peer name vin",
                     "addr add 203.0.113.1/24 dev vout",
                     "link set vout up",
                     f"link set vin netns {self.proc.pid}"):
            host("ip", *args.split())
        self.run("ip", "addr", "add", "203.0.113.2/24", "dev", "vin")
        for dev in ("lo", "vin"):
            self.run("ip", "link", "set", dev, "up")
        self.server = subprocess.Popen(
            self.inside(sys.executable, "-c", SERVER),
            stderr=subprocess.DEVNULL)
        until("the outside's server", lambda: self.sees("203.0.113.2", 8000))

    def inside(self, *args):
        return ["nsenter", "-t", str(self.proc.pid), "-n", *args]

    def run(self, *args, check=True):
        return host(*self.inside(*args), check=check)

    def sees(self, address, port=80):
        return self.run("curl", "-s", "--noproxy", "*", "--max-time", "30",
                        f"http://{address}:{port}/", check=False)

    def close(self):
        for p in (self.server, self.proc):
            p.kill()
            p.wait()


def lease(con, dev):
    con.run(f"ip link set {dev} up")
    con.run(f"udhcpc -i {dev} -n -q -t 30 -T 3 -s /dhcp >/dev/null 2>&1")
    return con.run(f"cat /lease.{dev}").split()


def reached(con, address):
    """What that server answers, or nothing.  (A static busybox's wget looks up
    what port http has, which it cannot.)"""
    return con.run(r"printf 'GET / HTTP/1.0\r\n\r\n' | "
                   f"nc -w 30 {address} 8000 2>/dev/null | tail -n 1; true")


def in_nat(d, c, g, con, outside):
    con.run(DHCP)
    assert lease(con, "eth0") == ["10.77.0.5", "lab.example"]
    con.run("nslookup nine.lab.example >/names 2>&1 || true")
    assert "10.77.0.9" in con.run("cat /names")
    con.run("ping -c 1 -W 60 10.77.0.1 >/dev/null")
    con.run("ping -c 1 -W 60 203.0.113.2 >/dev/null")
    # Out by TCP, with the host's address; in, from the host.
    assert reached(con, "203.0.113.2") == "203.0.113.1"
    con.run("mkdir /www; echo of the guest >/www/index.html; "
            "httpd -p 80 -h /www")
    assert urllib.request.urlopen("http://10.77.0.5/",
                                  timeout=SECONDS).read() == b"of the guest\n"
    # Nobody comes in through NAT, though the way is known.
    outside.run("ip", "route", "add", "10.77.0.0/24", "via", "203.0.113.1")
    assert outside.sees("10.77.0.5") == ""


def addresses(d, c, g):
    net = c.networkLookupByName("lab")
    leases = net.DHCPLeases()
    assert [(l["mac"], l["ipaddr"], l["prefix"], l["hostname"])
            for l in leases] == [(MAC, "10.77.0.5", 24, "one")], leases
    for source in (V.VIR_DOMAIN_INTERFACE_ADDRESSES_SRC_LEASE,
                   V.VIR_DOMAIN_INTERFACE_ADDRESSES_SRC_ARP):
        got = g.interfaceAddresses(source)
        assert [(i["hwaddr"], i["addrs"][0]["addr"]) for i in
                got.values()] == [(MAC, "10.77.0.5")], got
    assert "10.77.0.5/24" in d.virsh("domifaddr", "g")
    assert "10.77.0.5" in d.virsh("domifaddr", "g", "--source", "arp")


def in_isolated(d, c, g, con):
    """A second network, while it runs: no way out of it, nor into it."""
    g.attachDevice("<interface type='network'><source network='alone'/>"
                   "<model type='virtio'/>"
                   "<filterref filter='clean-traffic'/></interface>")
    until("a second card", lambda: con.run(
        "ls -d /sys/class/net/eth1 2>/dev/null || true"))
    ip, = lease(con, "eth1")
    assert ip.startswith("10.78.0.1"), ip
    # Its filter lets it go further once its lease has been seen; no other
    # address of the guest's passes.
    until("what the lease says", lambda: "passes" in con.run(
        "ping -c 1 -W 2 10.78.0.1 >/dev/null && echo passes; true"))
    binding, = c.listAllNWFilterBindings()
    assert binding.filterName() == "clean-traffic"
    assert f"<portdev name='{binding.portDev()}'/>" in binding.XMLDesc()
    assert fails_any(c.nwfilterLookupByName("clean-traffic").undefine)
    con.run("ip addr add 10.78.0.77/24 dev eth1; "
            "! ping -c 1 -W 5 -I 10.78.0.77 10.78.0.1 >/dev/null; "
            "ip addr del 10.78.0.77/24 dev eth1")
    con.run("ip route add 203.0.113.2/32 via 10.78.0.1 dev eth1")
    assert reached(con, "203.0.113.2") == ""
    con.run("! ping -c 1 -W 5 203.0.113.2 >/dev/null")
    con.run("ip route del 203.0.113.2/32")
    assert reached(con, "203.0.113.2") == "203.0.113.1"
    xml = c.networkLookupByName("alone").XMLDesc()
    assert "<network connections='1'>" in xml, xml
    return ip


def from_the_other(con, outside, ip):
    outside.run("ip", "route", "add", "10.78.0.0/24", "via", "203.0.113.1")
    assert outside.sees(ip) == ""
    assert urllib.request.urlopen(f"http://{ip}/", timeout=SECONDS).read()


def survives(d, con):
    """The daemon dies; the guest and its networks do not."""
    priv, main = d.pids()
    os.kill(priv, signal.SIGKILL)
    until("the end", lambda: not os.path.exists(f"/proc/{main}"))
    d.up()
    c = d.open()
    g = c.lookupByName("g")
    assert g.isActive() and c.networkLookupByName("lab").isActive()
    con = StreamConsole(c, g)
    con.wake()
    assert reached(con, "203.0.113.2") == "203.0.113.1"
    assert len(c.networkLookupByName("lab").listAllPorts()) == 1
    return c, g, con


def macvtaps():
    return host("ip", "-o", "link", "show", "type", "macvtap")


def on_a_device(c, g, con):
    """A card on the host's device that leads outside, without a bridge."""
    xml = ("<interface type='direct'><mac address='52:54:00:12:34:82'/>"
           "<source dev='vout' mode='bridge'/><model type='virtio'/>"
           "</interface>")
    try:
        host("ip", "link", "add", "link", "vout", "name", "try0", "type",
             "macvtap", "mode", "bridge")
    except subprocess.CalledProcessError:
        return
    host("ip", "link", "del", "try0")
    g.attachDevice(xml)
    until("a third card", lambda: con.run(
        "ls -d /sys/class/net/eth2 2>/dev/null || true"))
    con.run("ip addr add 203.0.113.9/24 dev eth2; ip link set eth2 up")
    con.run("ping -c 1 -W 60 -I eth2 203.0.113.2 >/dev/null")
    assert "macvtap0@vout" in macvtaps(), macvtaps()
    g.detachDevice(xml)
    until("the macvtap's end", lambda: "macvtap0" not in macvtaps())


def unplugged(c, g):
    xml = re.findall(r"(?s)<interface.*?</interface>", g.XMLDesc())[1]
    g.detachDevice(xml)
    net = c.networkLookupByName("alone")
    until("the port's end", lambda: not net.listAllPorts())
    until("the filter's end", lambda: not c.listAllNWFilterBindings())


with Daemon() as d:
    host("ip", "link", "set", "lo", "up")
    outside = Outside()
    try:
        c = d.open()
        for xml in (LAB, ALONE):
            c.networkCreateXML(xml)
        g = c.createXML(d.xml("g", "<controller type='pci' index='0' "
            "model='pcie-root'/>" + "".join(
            f"<controller type='pci' index='{n}' model='pcie-root-port'/>"
            for n in (1, 2, 3, 4)) + f"""<interface type='network'>
              <mac address='{MAC}'/><source network='lab'/>
              <model type='virtio'/></interface>"""))
        con = StreamConsole(c, g)
        con.wait_prompt()
        in_nat(d, c, g, con, outside)
        addresses(d, c, g)
        ip = in_isolated(d, c, g, con)
        from_the_other(con, outside, ip)
        on_a_device(c, g, con)
        c, g, con = survives(d, con)
        unplugged(c, g)
        con.send("poweroff -f")
        until("the end", lambda: not c.listAllDomains())
        assert not c.networkLookupByName("lab").listAllPorts()
        for name in ("lab", "alone"):
            c.networkLookupByName(name).destroy()
        assert not os.path.exists("/sys/class/net/vlab0")
        assert "vlab0" not in host("nft", "list", "ruleset")
    finally:
        outside.close()
print("a guest in networks: all right")
