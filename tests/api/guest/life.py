#!/usr/bin/python3
# A guest's whole life, as stock virsh and python-libvirt see it.
import hoststop
from functions import *

V = libvirt
STARTED = (V.VIR_DOMAIN_EVENT_STARTED, V.VIR_DOMAIN_EVENT_STARTED_BOOTED)
SHUTDOWN = (V.VIR_DOMAIN_EVENT_SHUTDOWN, V.VIR_DOMAIN_EVENT_SHUTDOWN_GUEST)
STOPPED = (V.VIR_DOMAIN_EVENT_STOPPED, V.VIR_DOMAIN_EVENT_STOPPED_SHUTDOWN)
DESTROYED = (V.VIR_DOMAIN_EVENT_STOPPED, V.VIR_DOMAIN_EVENT_STOPPED_DESTROYED)
FAILED = (V.VIR_DOMAIN_EVENT_STOPPED, V.VIR_DOMAIN_EVENT_STOPPED_FAILED)
CRASHED = (V.VIR_DOMAIN_EVENT_CRASHED, V.VIR_DOMAIN_EVENT_CRASHED_PANICKED)
STOPPED_CRASHED = (V.VIR_DOMAIN_EVENT_STOPPED,
                   V.VIR_DOMAIN_EVENT_STOPPED_CRASHED)
SUSPENDED = (V.VIR_DOMAIN_EVENT_SUSPENDED,
             V.VIR_DOMAIN_EVENT_SUSPENDED_PAUSED)
RESUMED = (V.VIR_DOMAIN_EVENT_RESUMED, V.VIR_DOMAIN_EVENT_RESUMED_UNPAUSED)
DEFINED = (V.VIR_DOMAIN_EVENT_DEFINED, V.VIR_DOMAIN_EVENT_DEFINED_ADDED)
UPDATED = (V.VIR_DOMAIN_EVENT_DEFINED, V.VIR_DOMAIN_EVENT_DEFINED_UPDATED)
UNDEFINED = (V.VIR_DOMAIN_EVENT_UNDEFINED,
             V.VIR_DOMAIN_EVENT_UNDEFINED_REMOVED)


def host(d, c):
    """What clients ask of a host before anything else."""
    assert c.getType() == "Vireo" and c.getHostname()
    assert libvirt.open(d.uri.replace("vireo+", "qemu+")).getType() == "QEMU"
    caps = c.getCapabilities()
    assert f"<emulator>{BUILD}/vireo-vmm</emulator>" in caps
    assert "<machine maxCpus='255'>microvm</machine>" in caps
    assert "<machine maxCpus='255'>q35</machine>" in caps
    assert "name='emu' usable='yes'" in caps
    kvm_works = "<domain type='kvm'" in caps
    assert ("name='kvm' usable='yes'" in caps) == kvm_works
    assert "<machine>q35</machine>" in c.getDomainCapabilities()
    assert "<machine>microvm</machine>" in \
        c.getDomainCapabilities(machine="microvm")
    fails(V.VIR_ERR_INVALID_ARG, c.getDomainCapabilities, None, None, "isapc")
    if not kvm_works:
        # It may be for another host: defined, but not started.
        k = c.defineXML(d.xml("k", kind="kvm"))
        text = fails(V.VIR_ERR_CONFIG_UNSUPPORTED, k.create)
        k.undefine()
        assert "type 'kvm' cannot be used on this host:" in text
    for cmd in ("uri", "hostname", "version", "nodeinfo", "capabilities",
                "domcapabilities"):
        assert d.virsh(cmd).strip(), cmd


def errors(d, c):
    a = c.defineXML(d.xml("a"))
    other = uuid.uuid4()
    fails(V.VIR_ERR_OPERATION_FAILED, c.defineXML,
          d.xml("a").replace("<name>", f"<uuid>{other}</uuid><name>"))
    fails(V.VIR_ERR_OPERATION_FAILED, c.defineXML,
          d.xml("b").replace("<name>",
                             f"<uuid>{a.UUIDString()}</uuid><name>"))
    fails(V.VIR_ERR_XML_DETAIL, c.defineXML, "<domain")
    fails(V.VIR_ERR_XML_ERROR, c.defineXML, "<network/>")
    fails(V.VIR_ERR_NO_DOMAIN, c.lookupByName, "nobody")
    fails(V.VIR_ERR_NO_DOMAIN, c.lookupByUUIDString, str(other))
    fails(V.VIR_ERR_NO_DOMAIN, c.lookupByID, 4711)
    for call in (a.destroy, a.shutdown, a.reboot, a.reset, a.suspend,
                 a.resume):
        fails(V.VIR_ERR_OPERATION_INVALID, call)
    ro = d.open_readonly()
    fails(V.VIR_ERR_OPERATION_DENIED, ro.lookupByName("a").create)
    fails(V.VIR_ERR_OPERATION_DENIED, ro.defineXML, d.xml("b"))
    a.undefine()
    fails(V.VIR_ERR_NO_DOMAIN, a.create)

    # A machine that nobody has.
    text = fails(V.VIR_ERR_CONFIG_UNSUPPORTED, c.defineXML,
                 d.xml("q").replace("'microvm'", "'isapc'"))
    assert "microvm" in text and "q35" in text


def basics(d, c, events):
    with open(d.dir + "/g.xml", "w") as f:
        f.write(d.xml("g", vcpus=2))
    d.virsh("define", d.dir + "/g.xml")
    assert "shut off" in d.virsh("list", "--all")
    d.virsh("start", "g")
    g = c.lookupByName("g")
    events.expect("g", DEFINED, STARTED)
    fails(V.VIR_ERR_OPERATION_INVALID, g.create)
    fails(V.VIR_ERR_OPERATION_INVALID, c.createXML, g.XMLDesc(
        V.VIR_DOMAIN_XML_INACTIVE))
    assert "running (booted)" in d.virsh("domstate", "--reason", "g")
    out = d.virsh("dominfo", "g")
    for line in ("Name:           g", "CPU(s):         2",
                 "Max memory:     131072 KiB", "Persistent:     yes"):
        assert line in out, out
    live = g.XMLDesc()
    assert re.search(rf"^<domain type='qemu' id='{g.ID()}'>", live), live
    assert re.search(r"<console type='pty' tty='/dev/pts/\d+'>", live), live
    assert "<alias name='serial0'/>" in live
    assert re.search(r"<source path='/dev/pts/\d+'/>", live), live
    config = g.XMLDesc(V.VIR_DOMAIN_XML_INACTIVE)
    assert "alias" not in config and "/dev/pts" not in config
    assert d.virsh("domid", "g").strip() == str(g.ID())
    assert d.virsh("domuuid", "g").strip() == g.UUIDString()
    assert d.virsh("domname", g.UUIDString()).strip() == "g"
    return g


def consoles(d, c, g):
    con = StreamConsole(c, g)
    con.wait_prompt()
    assert con.run("nproc") == "2"
    assert con.run("echo $((6 * 7))") == "42"
    # Only one at a time, unless forced.
    other = c.newStream()
    fails(V.VIR_ERR_OPERATION_FAILED, g.openConsole, None, other,
          V.VIR_DOMAIN_CONSOLE_SAFE)
    con.close()

    for client in (["virsh"], [BUILD + "/vireo"]):
        p = PtyConsole(*client, "-c", d.uri, "console", "g")
        p.expect("Escape character is")
        p.wake()
        assert p.run("echo typed-$((40 + 2))") == "typed-42"
        p.write(b"\x1d")  # Ctrl-]
        assert p.wait_end() == 0
    return StreamConsole(c, g)


def pauses(d, g, con, events):
    """Nothing runs while it is suspended, and its clock stands still."""
    con.send("")
    con.wait_prompt()
    before = float(con.run("cat /proc/uptime").split()[0])
    g.suspend()
    events.expect("g", SUSPENDED)
    assert "paused (user)" in d.virsh("domstate", "--reason", "g")
    used = g.info()[4]
    con.send("echo late-$((1 + 1))")
    time.sleep(20)
    assert "late-2" not in con.text + con.read_some().decode()
    assert g.info()[4] == used
    g.resume()
    events.expect("g", RESUMED)
    con.expect("late-2")
    con.wait_prompt()
    after = float(con.run("cat /proc/uptime").split()[0])
    assert after - before < 20, (before, after)


def restarts(d, c, g, con, events):
    # init of this guest reacts to the button; the machine makes it a reboot.
    con.run("touch /before")
    ident = g.ID()
    d.virsh("reboot", "g")
    con.expect("power button")
    events.expect("g", "reboot")
    con.wait_prompt()
    con.run("[ ! -e /before ]")
    assert c.lookupByID(ident).name() == "g" and g.state()[0] == V.VIR_DOMAIN_RUNNING

    con.send("reboot -f")
    events.expect("g", "reboot")
    con.wait_prompt()

    d.virsh("reset", "g")
    events.expect("g", "reboot")
    con.wait_prompt()
    assert c.lookupByID(ident).name() == "g"

    hoststop.host(d, "stop", ON_SHUTDOWN="shutdown")
    events.expect("g", SHUTDOWN, STOPPED)
    assert "shut off (shutdown)" in d.virsh("domstate", "--reason", "g")
    assert c.lookupByName("g").ID() == -1 and not g.isActive()


def without_guest(d, c, events):
    """What needs no system inside: the kernel may be anywhere in its boot."""
    g = c.lookupByName("g")
    d.virsh("start", "g")
    pid = d.vmm_pid(g)
    d.virsh("destroy", "g")
    events.expect("g", STARTED, DESTROYED)
    assert "shut off (destroyed)" in d.virsh("domstate", "--reason", "g")
    assert not os.path.exists(f"/proc/{pid}/fd")

    # The guest's process is killed.
    g.create()
    os.kill(d.vmm_pid(g), 9)
    events.expect("g", STARTED, FAILED)
    assert g.state() == [V.VIR_DOMAIN_SHUTOFF, V.VIR_DOMAIN_SHUTOFF_CRASHED]

    # Without a definition it is there as long as it runs.
    g.create()
    g.undefine()
    assert g.isActive() and not g.isPersistent()
    g.destroy()
    events.expect("g", STARTED, UNDEFINED, DESTROYED)
    fails(V.VIR_ERR_NO_DOMAIN, c.lookupByName, "g")
    d.virsh("create", d.dir + "/g.xml")
    t = c.lookupByName("g")
    assert not t.isPersistent()
    fails(V.VIR_ERR_OPERATION_INVALID, t.setAutostart, 1)
    t.destroy()
    events.expect("g", STARTED, DESTROYED)
    fails(V.VIR_ERR_NO_DOMAIN, c.lookupByName, "g")

    # Started paused, it has run nothing.
    p = c.createXML(d.xml("p"), V.VIR_DOMAIN_START_PAUSED)
    assert p.state() == [V.VIR_DOMAIN_PAUSED, V.VIR_DOMAIN_PAUSED_USER]
    events.expect("p", STARTED, SUSPENDED)
    p.resume()
    events.expect("p", RESUMED)
    p.destroy()


def crashes(d, c, events):
    """A guest without its init panics; panic=-1 resets the machine."""
    for action, name in (("destroy", "c1"), ("preserve", "c2")):
        g = c.createXML(d.xml(
            name, more=f"<on_reboot>{action}</on_reboot>",
            cmdline="panic=-1 rdinit=/nothing root=/dev/nothing"))
        events.expect(name, STARTED)
        if action == "destroy":
            events.expect(name, STOPPED)
            fails(V.VIR_ERR_NO_DOMAIN, c.lookupByName, name)
        else:
            until("preserved", lambda: g.state()[0] !=
                  V.VIR_DOMAIN_RUNNING)
            assert g.isActive()
            g.destroy()


with Daemon() as d:
    c = d.open()
    events = Events(c)
    host(d, c)
    errors(d, c)
    g = basics(d, c, events)
    con = consoles(d, c, g)
    pauses(d, g, con, events)
    restarts(d, c, g, con, events)
    without_guest(d, c, events)
    crashes(d, c, events)
print("a guest's life: all right")
