#!/usr/bin/python3
# Stock virsh: the commands people type first.
from functions import *

if not shutil.which("virsh"):
    print("skip: virsh is not installed")
    sys.exit(77)

with Daemon() as d:
    file = d.dir + "/one.xml"
    with open(file, "w") as f:
        f.write(xml("one", "<title>A title</title>"))

    def ok(*args):
        status, out, err = d.virsh(*args)
        assert status == 0, (args, out, err)
        return out

    def refused(text, *args):
        status, out, err = d.virsh(*args)
        assert status == 1 and text in err, (args, status, out, err)

    ok("define", file)
    assert "shut off" in ok("list", "--all")
    assert "A title" in ok("list", "--all", "--title")
    ok("start", "one")
    out = ok("dominfo", "one")
    for line in ("Name:           one", "State:          running",
                 "CPU(s):         2", "Max memory:     65536 KiB",
                 "Persistent:     yes", "Autostart:      disable",
                 "Managed save:   no"):
        assert line in out, out
    assert "running (booted)" in ok("domstate", "--reason", "one")
    assert ok("domid", "one").strip().isdigit()
    assert ok("domname", ok("domuuid", "one").strip()).strip() == "one"
    ok("suspend", "one")
    assert "paused (user)" in ok("domstate", "--reason", "one")
    ok("resume", "one")
    ok("autostart", "one")
    assert "Autostart:      enable" in ok("dominfo", "one")
    ok("reset", "one")
    ok("dumpxml", "one")
    assert "state.state=1" in ok("domstats", "one")
    ok("dommemstat", "one")
    assert "ok" in ok("domcontrol", "one")
    assert "None" in ok("domjobinfo", "one")
    ok("vcpucount", "one")
    ok("vcpuinfo", "one")
    ok("desc", "--title", "one")
    for cmd in ("version", "hostname", "uri", "nodeinfo", "nodecpumap",
                "nodecpustats", "nodememstats", "freecell", "capabilities"):
        assert ok(cmd).strip(), cmd
    assert "<domain>test<" in ok("domcapabilities", "--virttype", "test")
    for cmd in ("net-list", "pool-list", "iface-list", "nwfilter-list",
                "secret-list", "nodedev-list"):
        ok(cmd)
    ok("net-list", "--all")
    ok("pool-list", "--all")
    ok("snapshot-list", "one")
    ok("checkpoint-list", "one")
    refused("this function is not supported by the connection driver: "
            "virDomainSendProcessSignal", "send-process-signal", "one", "1",
            "term")
    refused("cannot be saved", "save", "one", "/nowhere")
    refused("already active", "start", "one")
    refused("failed to get domain 'nobody'", "domuuid", "nobody")
    ok("destroy", "one")
    assert "shut off (destroyed)" in ok("domstate", "--reason", "one")
    ok("undefine", "one")
    ok("create", file)
    ok("destroy", "one")
    assert "one" not in ok("list", "--all")

    # Checkpoints, as people make and look at them.
    with open(file, "w") as f:
        f.write(xml("two", """<devices><disk type='file'>
        <driver type='qcow2'/><source file='/none/disk'/>
        <target dev='vda' bus='virtio'/></disk></devices>"""))
    ok("define", file)
    refused("inactive domain", "checkpoint-create", "two")
    ok("start", "two")
    for name in "monday", "tuesday", "friday":
        ok("checkpoint-create-as", "two", name, "--description", "weekly")
    refused("already exists", "checkpoint-create-as", "two", "monday")
    refused("bitmap for disk 'vda' must match", "checkpoint-create-as",
            "two", "x", "--diskspec", "vda,bitmap=y")
    assert ok("checkpoint-list", "two", "--name").split() == \
        ["friday", "monday", "tuesday"]
    assert ok("checkpoint-list", "two", "--tree").split() == \
        ["monday", "|", "+-", "tuesday", "|", "+-", "friday"]
    assert ok("checkpoint-list", "two", "--leaves", "--name").split() == \
        ["friday"]
    assert ok("checkpoint-list", "two", "--from", "monday",
              "--name").split() == ["tuesday"]
    assert ok("checkpoint-parent", "two", "friday").strip() == "tuesday"
    assert "Children:       1" in ok("checkpoint-info", "two", "monday")
    out = ok("checkpoint-dumpxml", "two", "tuesday", "--size", "--no-domain")
    assert "size='0'" in out and "<domain " not in out
    assert "two" in ok("list", "--all", "--with-checkpoint", "--name")
    ok("checkpoint-delete", "two", "tuesday")
    assert ok("checkpoint-parent", "two", "friday").strip() == "monday"
    ok("checkpoint-delete", "two", "monday", "--children-only")
    ok("checkpoint-delete", "two", "monday", "--metadata")
    refused("no domain checkpoint with matching name", "checkpoint-dumpxml",
            "two", "monday")
    ok("destroy", "two")
    ok("undefine", "two")
