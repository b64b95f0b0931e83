#!/usr/bin/python3
# Block jobs of a guest that writes: a copy with abort and pivot, also over the
# daemon's end, pull, commit of what is below and of the disk's own image.
import signal

from functions import *

V = libvirt
MIB = 1024 * 1024
PIVOT = V.VIR_DOMAIN_BLOCK_JOB_ABORT_PIVOT


def definition(d, path):
    return d.xml("g", f"""
    <disk type='file' device='disk'>
      <driver name='qemu' type='qcow2'/>
      <source file='{path}'/><target dev='vda' bus='virtio'/>
    </disk>""")


def disk(g, flags=0):
    return ET.fromstring(g.XMLDesc(flags)).find("devices/disk")


def source(g, flags=0):
    return disk(g, flags).find("source").get("file")


def write(con, n):
    con.run("dd if=/dev/urandom of=/dev/vda bs=64k count=9 "
            f"seek={n * 7} conv=notrunc,fsync 2>/dev/null")
    return md5(con)


def md5(con):
    con.run("echo 3 >/proc/sys/vm/drop_caches")
    return con.run("md5sum </dev/vda").split()[0]


def mirror_ready(g):
    m = disk(g).find("mirror")
    return m is not None and m.get("ready") == "yes"


def copy_to(d, name, kind="raw"):
    return (f"<disk type='file'><source file='{d.dir}/{name}'/>"
            f"<driver type='{kind}'/></disk>")


def over(g):
    return not g.blockJobInfo("vda")


def test(d):
    c = d.open()
    top = chain(d.dir, "top", os.urandom(8 * MIB))
    g = c.defineXML(definition(d, top))
    got = []
    for event in V.VIR_DOMAIN_EVENT_ID_BLOCK_JOB, \
            V.VIR_DOMAIN_EVENT_ID_BLOCK_JOB_2:
        c.domainEventRegisterAny(
            None, event, lambda c, g, path, kind, status, opaque:
            got.append((path, kind, status)), None)
    g.create()
    con = console(c, g)

    # What cannot be.
    fails(V.VIR_ERR_INVALID_ARG, g.blockJobAbort, "vda")
    fails(V.VIR_ERR_INVALID_ARG, g.blockPull, "vdz")
    fails(V.VIR_ERR_INVALID_ARG, g.blockRebase, "vda", "/nowhere")
    fails(V.VIR_ERR_INVALID_ARG, g.blockCommit, "vda", None, None)
    assert over(g)

    # A copy that is given up, and one that the guest changes over to.
    write(con, 1)
    g.blockCopy("vda", copy_to(d, "copy.raw"),
                {V.VIR_DOMAIN_BLOCK_COPY_BANDWIDTH: MIB})
    info = g.blockJobInfo("vda", 1)
    assert info["type"] == V.VIR_DOMAIN_BLOCK_JOB_TYPE_COPY
    assert info["bandwidth"] == MIB
    fails(V.VIR_ERR_BLOCK_COPY_ACTIVE, g.blockPull, "vda")
    fails(V.VIR_ERR_BLOCK_COPY_ACTIVE, g.blockJobAbort, "vda", PIVOT)
    write(con, 2)
    g.blockJobAbort("vda")
    assert over(g) and disk(g).find("mirror") is None
    os.unlink(d.dir + "/copy.raw")
    g.blockCopy("vda", copy_to(d, "copy", "qcow2"), {}, 0)
    until("a copy that is ready", lambda: mirror_ready(g))
    write(con, 3)

    # A daemon that is killed finds it again.
    pids = d.pids()
    os.kill(pids[1], signal.SIGKILL)
    until("the end of the daemon",
          lambda: not any(os.path.exists(f"/proc/{p}/exe") for p in pids))
    d.up()
    c = d.open()
    g = c.lookupByName("g")
    con = console(c, g)
    assert mirror_ready(g)
    assert g.blockJobInfo("vda")["type"] == \
        V.VIR_DOMAIN_BLOCK_JOB_TYPE_COPY
    want = write(con, 4)
    g.blockJobAbort("vda", PIVOT)
    assert over(g) and source(g) == d.dir + "/copy"
    assert source(g, V.VIR_DOMAIN_XML_INACTIVE) == d.dir + "/copy"
    assert md5(con) == want

    # Images on top, of which the middle one goes down, then the last one.
    for name in "one", "two", "three":
        d.virsh("snapshot-create-as", "g", name, "--disk-only",
                "--no-metadata")
        want = write(con, len(name))
    assert source(g) == d.dir + "/copy.three"
    d.virsh("blockcommit", "g", "vda", "--top", d.dir + "/copy.two",
            "--base", d.dir + "/copy.one", "--wait")
    until("the end of the commit", lambda: over(g))
    below = [e.get("file") for e in disk(g).iterfind(".//backingStore/source")]
    assert below == [d.dir + "/copy.one", d.dir + "/copy"], below
    assert md5(con) == want
    want = write(con, 6)
    d.virsh("blockcommit", "g", "vda", "--active", "--pivot", "--shallow")
    assert source(g) == d.dir + "/copy.one"
    assert md5(con) == want

    # And what is below comes up.
    d.virsh("blockpull", "g", "vda", "--wait")
    until("the end of the pull", lambda: over(g))
    want = write(con, 8)
    assert disk(g).find(".//backingStore/source") is None
    g.destroy()
    image_tool("check", "-q", d.dir + "/copy.one")
    assert "backing" not in image_tool("info", d.dir + "/copy.one")
    g.create()
    assert md5(console(c, g)) == want
    g.destroy()
    g.undefine()


with Daemon() as d:
    test(d)
print("blockjob: all right")
