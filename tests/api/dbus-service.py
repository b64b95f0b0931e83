#!/usr/bin/python3
# tests/api/dbus-service.py -- vireo-dbus on a bus of its own, driven by stock D-Bus
# clients; where libvirt-dbus is installed, it must say the same of the same
# daemon, in its introspection data and in its answers.
import json
import os
import queue
import re
import shutil
import subprocess
import sys
import threading
import xml.etree.ElementTree as ET

from functions import *

try:
    import dbus
    import dbus.lowlevel
except ImportError:
    print("skip: python3-dbus is not installed")
    sys.exit(77)

for program in "dbus-daemon", "gdbus":
    if not shutil.which(program):
        print(f"skip: {program} is not installed")
        sys.exit(77)

QEMU = "/org/libvirt/QEMU"
OURS = "/org/vireo/Vireo"
PROPERTIES = "org.freedesktop.DBus.Properties"

CONFIG = """<!DOCTYPE busconfig PUBLIC
 "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig><type>session</type><listen>unix:dir=%s</listen>
<auth>EXTERNAL</auth><policy context="default">
<allow send_destination="*" eavesdrop="true"/><allow eavesdrop="true"/>
<allow own="*"/></policy>
<limit name="max_replies_per_connection">10000</limit></busconfig>"""


class Bus:
    """A dbus-daemon, which says its address when it is ready."""

    def __init__(self, folder):
        os.makedirs(folder)
        config = folder + "/bus.conf"
        with open(config, "w") as f:
            f.write(CONFIG % folder)
        self.proc = subprocess.Popen(
            ["dbus-daemon", "--nofork", "--print-address",
             "--config-file=" + config], stdout=subprocess.PIPE, text=True)
        self.address = self.proc.stdout.readline().strip()
        assert self.address
        self.conn = dbus.bus.BusConnection(self.address)
        self.conn.set_exit_on_disconnect(False)
        self.services = []

    def start(self, *command, name, env=None):
        proc = subprocess.Popen(command, env={
            **os.environ, "DBUS_SESSION_BUS_ADDRESS": self.address,
            **(env or {})})
        self.services.append(proc)
        wait_for(lambda: proc.poll() is not None or
                 self.conn.name_has_owner(name))
        assert proc.poll() is None, command
        return proc

    def stop(self):
        for proc in self.services:
            proc.terminate()
            proc.wait()
        self.conn.close()
        self.proc.terminate()
        self.proc.wait()

    def call(self, path, iface, method, signature="", *args,
             name="org.libvirt"):
        return self.conn.call_blocking(name, path, iface, method, signature,
                                       args, timeout=60)

    def introspect(self, path, name="org.libvirt"):
        return str(self.call(path, "org.freedesktop.DBus.Introspectable",
                             "Introspect", name=name))


def wait_for(done):
    for _ in range(2400):
        if done():
            return
        time.sleep(0.05)
    raise AssertionError("waited two minutes")


def refused(name, fn, *args, **more):
    try:
        fn(*args, **more)
    except dbus.DBusException as e:
        assert e.get_dbus_name() == name, (e.get_dbus_name(), str(e))
        return str(e)
    raise AssertionError("was not refused")


# ---- introspection ----

def shape(xml):
    """What introspection data says, without order and documentation."""
    ifaces = {}
    for iface in ET.fromstring(xml).iter("interface"):
        if not iface.get("name").startswith("org.libvirt"):
            continue
        members = {}
        for m in iface:
            const = any(a.get("value") == "const" for a in m.iter("annotation")
                        if a.get("name").endswith("EmitsChangedSignal"))
            members[m.tag, m.get("name")] = (
                m.get("type"), m.get("access"), const, m.get("value"),
                [(a.get("name"), a.get("type"), a.get("direction") or "in")
                 for a in m.iter("arg")])
        ifaces[iface.get("name")] = members
    return ifaces


KINDS = {
    "": "Connect", "/domain/_x": "Domain", "/network/_x": "Network",
    "/domainsnapshot/_x": "DomainSnapshot", "/interface/_x": "Interface",
    "/nodedev/x": "NodeDevice", "/nwfilter/_x": "NWFilter",
    "/secret/_x": "Secret", "/storagepool/_x": "StoragePool",
    "/storagevol/_x": "StorageVol",
}


def check_installed_descriptions(bus):
    """The files that libvirt-dbus installs, which define the interfaces."""
    folder = "/usr/share/dbus-1/interfaces"
    compared = 0
    for path, name in KINDS.items():
        got = shape(bus.introspect(QEMU + path))
        assert list(got) == ["org.libvirt." + name], (path, list(got))
        file = f"{folder}/org.libvirt.{name}.xml"
        if not os.path.exists(file):
            continue
        with open(file) as f:
            want = shape(f.read())
        assert got == want, diff(got, want)
        compared += 1
    print(f"{compared} of {len(KINDS)} interfaces compared")


def diff(got, want):
    out = []
    for iface in want:
        for key in {*got.get(iface, {}), *want[iface]}:
            a, b = got.get(iface, {}).get(key), want[iface].get(key)
            if a != b:
                out.append(f"{iface} {key}: {a} and not {b}")
    return "\n".join(out)


def check_tree(bus, uuids):
    nodes = lambda path: [n.get("name") for n in ET.fromstring(
        bus.introspect(path)).findall("node")]
    assert nodes("/") == ["org"]
    assert nodes("/org") == ["libvirt", "vireo"]
    assert nodes("/org/libvirt") == ["QEMU"]
    assert sorted(nodes(QEMU)) == sorted(
        p.split("/")[1] for p in KINDS if p), nodes(QEMU)
    assert sorted(nodes(QEMU + "/domain")) == sorted(uuids)


# ---- calls ----

def plain(value):
    """A D-Bus value with its types, to be compared."""
    level = getattr(value, "variant_level", 0)
    kind = type(value).__name__ + "v" * level
    if isinstance(value, dict):
        return [kind, sorted([plain(k), plain(v)] for k, v in value.items())]
    if isinstance(value, (list, tuple)):
        return [kind, [plain(v) for v in value]]
    return [kind, str(value)]


def answer(bus, path, iface, method, signature, args):
    try:
        return plain(bus.call(path, iface, method, signature, *args))
    except dbus.DBusException as e:
        return ["error", e.get_dbus_name(), e.get_dbus_message()]


ONES = dbus.Array([True] * 2, signature="b")
EMPTY = dbus.Dictionary({}, signature="sv")
NO_UUID = "00000000-0000-4000-8000-000000000000"


def questions(domain):
    """Calls that change nothing, most that there are."""
    connect = "org.libvirt.Connect"
    for method, signature, *args in [
            ("GetCapabilities", ""), ("ListDomains", "u", 0),
            ("ListDomains", "u", 0x80000000),
            ("DomainLookupByName", "s", "one"),
            ("DomainLookupByName", "s", "nobody"),
            ("DomainLookupByID", "i", 1), ("DomainLookupByID", "i", 99),
            ("DomainLookupByUUID", "s", NO_UUID),
            ("DomainLookupByUUID", "s", "junk"),
            ("DomainDefineXML", "s", "<junk"),
            ("DomainCreateXML", "su", "", 0),
            ("GetDomainCapabilities", "ssssu", "", "", "", "", 0),
            ("GetCPUModelNames", "su", "x86_64", 0),
            ("GetCPUModelNames", "su", "vax", 0),
            ("GetAllDomainStats", "uu", 0x1 | 0x8, 0),
            ("CompareCPU", "su", "<cpu><arch>x86_64</arch></cpu>", 0),
            ("BaselineCPU", "asu", dbus.Array([], signature="s"), 0),
            ("NodeGetCPUMap", "u", 0), ("NodeGetCPUMap", "u", 5),
            ("NodeGetMemoryStats", "iu", -1, 9),
            ("NodeGetMemoryParameters", "u", 8),
            ("NodeSetMemoryParameters", "a{sv}u", EMPTY, 0),
            ("NodeGetSecurityModel", ""), ("GetSysinfo", "u", 7),
            ("ListNetworks", "u", 0), ("ListInterfaces", "u", 2),
            ("ListNodeDevices", "u", 0x80000000),
            ("ListNWFilters", "u", 0), ("ListSecrets", "u", 0),
            ("ListStoragePools", "u", 0),
            ("NetworkLookupByName", "s", "none"),
            ("NetworkLookupByUUID", "s", NO_UUID),
            ("NodeDeviceLookupByName", "s", "none"),
            ("NWFilterLookupByName", "s", "none"),
            ("SecretLookupByUUID", "s", NO_UUID),
            ("SecretLookupByUsage", "is", 1, "none"),
            ("StoragePoolLookupByName", "s", "none"),
            ("StorageVolLookupByPath", "s", "/none"),
            ("StorageVolLookupByKey", "s", "/none"),
            ("InterfaceLookupByName", "s", "none"),
            ("FindStoragePoolSources", "ssu", "junk", "", 0),
            ("DomainSaveImageGetXMLDesc", "su", "/none", 0)]:
        yield QEMU, connect, method, signature, args
    for method, signature, *args in [
            ("GetXMLDesc", "u", 0), ("GetXMLDesc", "u", 2),
            ("GetState", "u", 0), ("GetState", "u", 4),
            ("GetVcpus", "u", 0), ("GetVcpus", "u", 4),
            ("GetStats", "uu", 1 | 8, 0), ("GetControlInfo", "u", 0),
            ("GetJobInfo", ""), ("GetJobStats", "u", 0),
            ("GetMemoryParameters", "u", 0),
            ("GetSchedulerParameters", "u", 0),
            ("GetBlockIOParameters", "u", 0), ("GetNumaParameters", "u", 0),
            ("GetPerfEvents", "u", 0), ("GetDiskErrors", "u", 0),
            ("GetEmulatorPinInfo", "u", 0), ("GetVcpuPinInfo", "u", 0),
            ("GetVcpuPinInfo", "u", 2), ("GetIOThreadInfo", "u", 0),
            ("GetFSInfo", "u", 0), ("GetGuestVcpus", "u", 0),
            ("GetHostname", "u", 0), ("GetTime", "u", 0),
            ("GetSecurityLabelList", ""), ("HasManagedSaveImage", "u", 0),
            ("GetMetadata", "isu", 1, "", 0),
            ("GetMetadata", "isu", 2, "urn:none", 0),
            ("InterfaceAddresses", "uu", 0, 0),
            ("ListDomainSnapshots", "u", 0), ("SnapshotCurrent", "u", 0),
            ("SnapshotLookupByName", "su", "none", 0),
            ("GetBlockJobInfo", "su", "vda", 0),
            ("GetBlockIOTune", "su", "vda", 0),
            ("GetInterfaceParameters", "su", "vnet0", 0),
            ("MemoryStats", "u", 0),
            ("MigrateGetMaxSpeed", "u", 0),
            ("MigrateGetCompressionCache", "u", 0),
            ("BlockPeek", "sttu", "vda", 0, 16, 0),
            ("MemoryPeek", "ttu", 0, 16, 2),
            ("SetMemory", "tu", 1 << 40, 0),
            ("SetVcpus", "uu", 99, 0),
            ("PinVcpu", "uabu", 77, ONES, 0),
            ("FSFreeze", "asu", dbus.Array(["/"], signature="s"), 0),
            ("FSTrim", "stu", "", 0, 0),
            ("SendKey", "uuauu", 0, 0, dbus.Array([1], signature="u"), 9),
            ("SendProcessSignal", "xuu", 1, 9, 0),
            ("SetMemoryParameters", "a{sv}u",
             dbus.Dictionary({"junk": dbus.Int32(1)}, signature="sv"), 0),
            ("OpenGraphicsFD", "uu", 7, 0),
            ("AttachDevice", "su", "<junk/>", 0),
            ("AbortJob", ""), ("Rename", "su", "", 0)]:
        yield domain, "org.libvirt.Domain", method, signature, args
    for path, iface in (QEMU, connect), (domain, "org.libvirt.Domain"):
        yield path, PROPERTIES, "GetAll", "s", [iface]
        yield path, PROPERTIES, "Get", "ss", [iface, "Version"]
    yield domain, PROPERTIES, "Get", "ss", ["org.libvirt.Domain",
                                            "SchedulerType"]
    yield domain, PROPERTIES, "Get", "ss", ["org.libvirt.Domain", "UUID"]


# What differs for a reason.  libvirt-dbus shows "Encrypted" as "Secure"; it
# does not pass the flags of GetDiskErrors on.  SetGuestVcpus is not asked:
# libvirt-dbus 1.4.1 crashes.
def without_known(result):
    text = json.dumps(result)
    text = re.sub(r'\["String", "Secure"\], \["Booleanvv", "[01]"\]', "", text)
    # Figures that move from one call to the next.
    return re.sub(r'"(cpu|vcpu|balloon)[.][^"]*"\], \["[^"]*", "\d+"\]', "",
                  text)


def compare(ours, theirs, domains):
    n = errors = 0
    wrong = []
    for domain in domains:
        for question in questions(domain):
            a, b = answer(ours, *question), answer(theirs, *question)
            # For a mistake in the call itself GDBus has a name of its own.
            if a[0] == b[0] == "error" and "freedesktop" in a[1] + b[1]:
                assert "freedesktop" in a[1] and "freedesktop" in b[1], \
                    (question, a, b)
                assert "NoReply" not in a[1] + b[1], (question, a, b)
                continue
            if without_known(a) != without_known(b):
                wrong.append(f"{question}:\n  {a}\n  {b}"[:2000])
            n += 1
            errors += a[0] == "error"
    print(f"{n} answers are libvirt-dbus's, {errors} of them errors")
    assert not wrong, "\n".join(wrong)
    assert n - errors > 60


def check_refusals(bus, domain):
    """What a client may get wrong, and what answers."""
    error = "org.freedesktop.DBus.Error."
    iface = "org.libvirt.Domain"
    refused(error + "UnknownMethod", bus.call, domain, iface, "Junk")
    refused(error + "UnknownMethod", bus.call, domain, "org.junk", "Create")
    refused(error + "UnknownMethod", bus.call, "/org", iface, "Create")
    refused(error + "UnknownObject", bus.call, "/junk", iface, "Create")
    for path in "/domain/x", "/domain/_1", "/junk/x", "/nodedev/_zz", \
            "/domainsnapshot/_x", "/nodedev/_00", "/nodedev/_4":
        refused(error + "UnknownObject", bus.call, QEMU + path,
                shape_name(path), *some_call(path))
    for signature, *args in ("s", "x"), ("", ), ("uu", 0, 0), ("i", 0):
        refused(error + "InvalidArgs", bus.call, domain, iface, "GetXMLDesc",
                signature, *args)
    refused(error + "InvalidArgs", bus.call, domain, PROPERTIES, "GetAll", "s",
            "org.junk")
    refused(error + "InvalidArgs", bus.call, domain, PROPERTIES, "Get", "s",
            "x")
    refused(error + "UnknownProperty", bus.call, domain, PROPERTIES, "Get",
            "ss", iface, "Junk")
    refused(error + "PropertyReadOnly", bus.call, domain, PROPERTIES, "Set",
            "ssv", iface, "Name", "x")
    refused(error + "InvalidArgs", bus.call, domain, PROPERTIES, "Set", "ssv",
            iface, "Autostart", "x")
    refused(error + "InvalidArgs", bus.call, domain, iface,
            "SetMemoryParameters", "a{sv}u",
            dbus.Dictionary({"x": dbus.Array([], "s")}, signature="sv"), 0)
    refused(error + "LimitsExceeded", bus.call, domain, iface, "MemoryPeek",
            "ttu", 0, 1 << 62, 1)
    gone = QEMU + "/domain/_" + NO_UUID.replace("-", "_")
    text = refused("org.libvirt.Error", bus.call, gone, iface, "GetXMLDesc",
                   "u", 0)
    assert "no domain with matching" in text.lower(), text
    # Without an interface, D-Bus lets the name decide.
    msg = dbus.lowlevel.MethodCallMessage("org.vireo", domain, None,
                                          "GetState")
    msg.append(dbus.UInt32(0), signature="u")
    reply = bus.conn.send_message_with_reply_and_block(msg, 60)
    assert reply.get_signature() == "(ii)"


def shape_name(path):
    for known, name in KINDS.items():
        if known and path.split("/")[1] == known.split("/")[1]:
            return "org.libvirt." + name
    return "org.libvirt.Domain"


def some_call(path):
    if "domainsnapshot" in path or "nodedev" in path or "domain" in path:
        return "GetXMLDesc", "u", 0
    return "Create", "u", 0


# ---- changes and signals ----

class Signals:
    """gdbus, a client of another library, listening."""

    def __init__(self, bus, name):
        self.lines = queue.Queue()
        bus.services.append(self)
        self.proc = subprocess.Popen(
            ["stdbuf", "-oL", "gdbus", "monitor", "--address", bus.address, "--dest", name],
            stdout=subprocess.PIPE, text=True)
        threading.Thread(target=self.read, daemon=True).start()
        self.expect("is owned by")

    def read(self):
        for line in self.proc.stdout:
            self.lines.put(line.strip())

    def expect(self, *words):
        while True:
            line = self.lines.get(timeout=120)
            if all(w in line for w in words):
                return line

    def terminate(self):
        self.proc.terminate()

    def wait(self):
        self.proc.wait()


def check_life(bus, daemon):
    """A domain from its definition to its end, as Cockpit does it."""
    bus.call(OURS, "org.libvirt.Connect", "ListDomains", "u", 0,
             name="org.vireo")  # from here on there are signals
    signals = Signals(bus, "org.vireo")
    path = bus.call(OURS, "org.libvirt.Connect", "DomainDefineXML", "s",
                    xml("life"), name="org.vireo")
    assert path.startswith(OURS + "/domain/_"), path
    do = lambda method, sig="", *a: bus.call(path, "org.libvirt.Domain",
                                             method, sig, *a,
                                             name="org.vireo")
    get = lambda name: bus.call(path, PROPERTIES, "Get", "ss",
                                "org.libvirt.Domain", name, name="org.vireo")
    signals.expect(OURS, "Connect.DomainEvent", path, "0, 0")
    do("Create", "u", 0)
    signals.expect("Connect.DomainEvent", path, "2, 0")
    assert get("Active") and get("Name") == "life" and get("Id") > 0
    do("Suspend")
    assert [int(v) for v in do("GetState", "u", 0)] == [3, 1]
    do("Resume")
    bus.call(path, PROPERTIES, "Set", "ssv", "org.libvirt.Domain",
             "Autostart", True, name="org.vireo")
    assert get("Autostart") is not False and bool(get("Autostart"))
    do("SetMetadata", "isssu", 0, "a description", "", "", 3)
    assert do("GetMetadata", "isu", 0, "", 0) == "a description"
    signals.expect(path, "Domain.MetadataChange")
    do("Destroy", "u", 0)
    signals.expect("Connect.DomainEvent", path, "5, 1")
    do("Undefine", "u", 0)
    signals.expect("Connect.DomainEvent", path, "1, 0")
    refused("org.libvirt.Error", do, "GetXMLDesc", "u", 0)


def check_many(bus, domain):
    """More calls than the queue holds, at once; each is answered."""
    left = 2000
    done = threading.Event()
    replies = []

    def on_reply(msg):
        replies.append(msg.get_type())
        if len(replies) == left:
            done.set()

    for _ in range(left):
        msg = dbus.lowlevel.MethodCallMessage("org.libvirt", domain,
                                              "org.libvirt.Domain", "GetState")
        msg.append(dbus.UInt32(0), signature="u")
        pending.append(bus.conn.send_message_with_reply(msg, on_reply, 300))
    for p in pending:
        p.block()
    assert len(replies) == left and set(replies) == {2}, (len(replies),
                                                         set(replies))


pending = []


def check_daemon_gone(bus, daemon, service):
    """Calls fail while there is no daemon, and service goes on."""
    daemon.proc.stdin.close()
    assert daemon.proc.wait() == 0
    refused("org.libvirt.Error", bus.call, QEMU, "org.libvirt.Connect",
            "ListDomains", "u", 0)
    assert service.poll() is None


def main():
    daemon = Daemon("/session")
    ours = Bus(daemon.dir + "/ours")
    theirs = Bus(daemon.dir + "/theirs")
    try:
        run(daemon, ours, theirs)
    finally:
        ours.stop()
        theirs.stop()
        if daemon.proc.poll() is None:
            daemon.proc.stdin.close()
            daemon.proc.wait()
        shutil.rmtree(daemon.dir)


def start_libvirt_dbus(bus, daemon):
    """It knows fixed places only: for root /run, in a namespace of its own."""
    place, command = daemon.dir + "/run", ["libvirt-dbus", "--session"]
    if os.geteuid() == 0:
        place, command = "/run", ["unshare", "-m", "sh", "-c", f"""
mount -t tmpfs none /run && mkdir /run/libvirt &&
ln -s {daemon.sock} /run/libvirt/virtqemud-sock &&
exec libvirt-dbus --session"""]
    else:
        os.makedirs(place + "/libvirt")
        os.symlink(daemon.sock, place + "/libvirt/virtqemud-sock")
    if not shutil.which("libvirt-dbus") or (
            os.geteuid() == 0 and subprocess.run(
                ["unshare", "-m", "mount", "-t", "tmpfs", "none", "/run"],
                stderr=subprocess.DEVNULL).returncode):
        print("libvirt-dbus cannot be run here: nothing to compare with")
        return False
    bus.start(*command, name="org.libvirt",
              env={"XDG_RUNTIME_DIR": place,
                   "XDG_CONFIG_HOME": daemon.dir + "/config"})
    return True


def run(daemon, ours, theirs):
    conn = daemon.open()
    one = conn.createXML(xml("one"), 0)
    conn.defineXML(xml("two", "<title>Zwölf &amp; mehr</title>"))
    service = ours.start("./vireo-dbus", "--address=" + ours.address,
                         "--session", "--libvirt", "--socket=" + daemon.sock,
                         name="org.libvirt")
    check_installed_descriptions(ours)
    uuids = ["_" + d.UUIDString().replace("-", "_")
             for d in conn.listAllDomains()]
    check_tree(ours, uuids)
    domains = sorted(ours.call(QEMU, "org.libvirt.Connect", "ListDomains",
                               "u", 0))
    uuid = "/domain/_" + one.UUIDString().replace("-", "_")
    assert domains == sorted(QEMU + "/domain/" + u for u in uuids), domains
    check_refusals(ours, QEMU + uuid)
    if start_libvirt_dbus(theirs, daemon):
        compare(ours, theirs, domains)
    check_life(ours, daemon)
    check_many(ours, QEMU + uuid)
    conn.close()
    check_daemon_gone(ours, daemon, service)


main()
