#!/usr/bin/python3
# Block jobs of a guest that writes: a copy with abort and pivot, also over the
# daemon's end, pull, commit of what is below and of the disk's own image.
import hashlib

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


class Jobs:
    """What JOB_COMPLETED tells."""

    def __init__(self, c):
        self.got, self.cond = [], threading.Condition()
        c.domainEventRegisterAny(None, V.VIR_DOMAIN_EVENT_ID_JOB_COMPLETED,
                                 self.tell, None)

    def tell(self, c, g, params, opaque):
        with self.cond:
            self.got.append(params)
            self.cond.notify_all()

    def next(self):
        with self.cond:
            assert self.cond.wait_for(lambda: self.got, SECONDS)
            return self.got.pop(0)


def tool(*args):
    p = subprocess.run(args, capture_output=True, text=True, timeout=SECONDS)
    assert p.returncode == 0, (args, p.stdout, p.stderr)
    return p.stdout


def raw_md5(*image):
    """Of what qemu-img reads there."""
    with tempfile.NamedTemporaryFile() as f:
        tool("qemu-img", "convert", "-O", "raw", *image, f.name)
        return hashlib.md5(f.read()).hexdigest()


def no_job(g):
    return g.jobStats()["type"] == V.VIR_DOMAIN_JOB_NONE


def push(d, g, con, jobs):
    """The disk as it was, while the guest writes."""
    want = write(con, 10)
    g.backupBegin(f"""
    <domainbackup><disks><disk name='vda' type='file'>
      <target file='{d.dir}/pushed'/><driver type='qcow2'/>
    </disk></disks></domainbackup>""", None)
    write(con, 11)
    write(con, 1)
    end = jobs.next()
    assert end["operation"] == V.VIR_DOMAIN_JOB_OPERATION_BACKUP
    assert end["success"] and end["disk_total"] == 8 * MIB, end
    assert end["disk_processed"] == 8 * MIB and no_job(g)
    assert raw_md5("-f", "qcow2", d.dir + "/pushed") == want
    tool("qemu-img", "check", "-q", d.dir + "/pushed")
    assert over(g)


def pull(d, g, con, jobs):
    """Clients read it, several at a time, while the guest writes."""
    want = write(con, 12)
    path = d.dir + "/backup.socket"
    # A file that is there is not written over.
    with open(d.dir + "/there", "w"):
        pass
    fails_with("/there", g.backupBegin, f"""
    <domainbackup mode='pull'><server transport='unix' socket='{path}'/>
    <disks><disk name='vda' type='file'><scratch file='{d.dir}/there'/>
    </disk></disks></domainbackup>""", None)
    fails(V.VIR_ERR_NO_DOMAIN_BACKUP, g.backupGetXMLDesc)
    g.backupBegin(f"""
    <domainbackup mode='pull'><server transport='unix' socket='{path}'/>
    <disks><disk name='vda' type='file' exportname='disk'>
      <scratch file='{d.dir}/scratch'/>
    </disk></disks></domainbackup>""", None)
    assert not os.path.exists(d.dir + "/scratch")
    assert "exportname='disk'" in g.backupGetXMLDesc()
    stats = g.jobStats()
    assert stats["operation"] == V.VIR_DOMAIN_JOB_OPERATION_BACKUP
    assert stats["disk_total"] == 8 * MIB
    fails(V.VIR_ERR_OPERATION_INVALID, g.backupBegin, "<domainbackup/>",
          None)
    fails(V.VIR_ERR_OPERATION_INVALID, g.blockJobAbort, "vda")
    uri = "nbd+unix:///disk?socket=" + path
    for n in 13, 1, 14:
        assert raw_md5(uri) == want
        write(con, n)
    assert raw_md5(uri) == want
    if shutil.which("nbdinfo"):
        assert tool("nbdinfo", "--size", uri).strip() == str(8 * MIB)
        assert "base:allocation" in tool("nbdinfo", "--list", uri)
        lines = tool("nbdinfo", "--map", uri).split("\n")
        assert sum(int(l.split()[1]) for l in lines if l) == 8 * MIB
        tool("nbdcopy", "--connections=4", uri, d.dir + "/copied")
        with open(d.dir + "/copied", "rb") as f:
            assert hashlib.md5(f.read()).hexdigest() == want
    now = md5(con)
    g.abortJob()
    assert jobs.next()["success"] and no_job(g) and md5(con) == now
    p = subprocess.run(["qemu-img", "info", uri], capture_output=True,
                       timeout=SECONDS)
    assert p.returncode != 0

    # By TCP, at a port of the daemon's choice; the guest ends with it.
    d.virsh("backup-begin", "g", file_of(d, f"""
    <domainbackup mode='pull'><server name='127.0.0.1' port='0'/>
    </domainbackup>"""))
    port = ET.fromstring(g.backupGetXMLDesc()).find("server").get("port")
    uri = f"nbd://127.0.0.1:{port}/vda"
    assert raw_md5(uri) == now
    write(con, 15)
    assert raw_md5(uri) == now
    d.virsh("domjobabort", "g")
    jobs.next()


def pushed_to(path, since=""):
    return f"""<domainbackup>{since}<disks><disk name='vda' type='file'>
      <target file='{path}'/><driver type='qcow2'/>
    </disk></disks></domainbackup>"""


def checkpoint(name):
    return f"<domaincheckpoint><name>{name}</name></domaincheckpoint>"


def marked(c):
    """How much of the disk has been written since."""
    xml = c.getXMLDesc(V.VIR_DOMAIN_CHECKPOINT_XML_SIZE)
    return int(ET.fromstring(xml).find("disks/disk").get("size"))


def dirty(uri, context):
    lines = tool("nbdinfo", "--map=" + context, uri).split("\n")
    lines = [l.split() for l in lines if l]
    assert sum(int(l[1]) for l in lines) == 8 * MIB
    return sum(int(l[1]) for l in lines if l[2] != "0")


def incremental(d, g, con, jobs):
    """A full backup and what has changed since: together, the disk."""
    write(con, 10)
    g.backupBegin(pushed_to(d.dir + "/full"), checkpoint("one"))
    assert jobs.next()["success"]
    one = g.checkpointLookupByName("one")
    assert marked(one) == 0
    write(con, 12)
    con.run("dd if=/dev/zero of=/dev/vda bs=64k count=2 seek=71 "
            "conv=notrunc,fsync 2>/dev/null")
    want = md5(con)
    assert 11 * 65536 <= marked(one) < 4 * MIB

    # What is written during it is in the next one.
    g.backupBegin(pushed_to(d.dir + "/part",
                            "<incremental>one</incremental>"),
                  checkpoint("two"))
    write(con, 3)
    end = jobs.next()
    assert end["success"] and end["disk_total"] < 4 * MIB, end
    tool("qemu-img", "check", "-q", d.dir + "/part")
    tool("qemu-img", "rebase", "-u", "-b", d.dir + "/full", "-F", "qcow2",
         d.dir + "/part")
    assert raw_md5("-f", "qcow2", d.dir + "/part") == want
    two = g.checkpointLookupByName("two")
    assert two.getParent().getName() == "one"
    assert 9 * 65536 <= marked(two) < marked(one)

    # Clients are told.
    path = d.dir + "/since.socket"
    g.backupBegin(f"""
    <domainbackup mode='pull'><incremental>two</incremental>
    <server transport='unix' socket='{path}'/>
    <disks><disk name='vda' type='file'>
      <scratch file='{d.dir}/scratch'/>
    </disk></disks></domainbackup>""", None)
    if shutil.which("nbdinfo"):
        assert dirty("nbd+unix:///vda?socket=" + path,
                     "qemu:dirty-bitmap:backup-vda") == marked(two)
    g.abortJob()
    assert jobs.next()["success"]

    # They are in the image, and keep others from taking its place.
    fails(V.VIR_ERR_OPERATION_UNSUPPORTED, g.snapshotCreateXML,
          "<domainsnapshot/>", V.VIR_DOMAIN_SNAPSHOT_CREATE_DISK_ONLY)
    fails(V.VIR_ERR_OPERATION_UNSUPPORTED, g.blockCopy, "vda",
          copy_to(d, "other"), {})
    assert not os.path.exists(d.dir + "/other")
    fails(V.VIR_ERR_NO_DOMAIN_CHECKPOINT, g.backupBegin,
          pushed_to(d.dir + "/none", "<incremental>x</incremental>"), None)
    assert not os.path.exists(d.dir + "/none")
    d.virsh("checkpoint-delete", "g", "one")
    assert two.listAllChildren() == [] and marked(two)
    d.virsh("checkpoint-delete", "g", "two")
    assert not g.listAllCheckpoints()


def broken(d, g, con, kept):
    """Nobody relies on the bitmaps of a VMM that was killed."""
    write(con, 1)
    os.kill(d.vmm_pid(g), signal.SIGKILL)
    until("the end of the guest", lambda: not g.isActive())
    g.createWithFlags(V.VIR_DOMAIN_START_PAUSED)
    text = fails(V.VIR_ERR_CHECKPOINT_INCONSISTENT, marked, kept)
    assert "'kept' for disk 'vda'" in text, text
    fails(V.VIR_ERR_CHECKPOINT_INCONSISTENT, g.backupBegin,
          pushed_to(d.dir + "/none", "<incremental>kept</incremental>"),
          None)
    kept.delete()
    g.checkpointCreateXML(checkpoint("kept"))
    g.destroy()
    fails(V.VIR_ERR_OPERATION_INVALID, g.undefine)


def file_of(d, text):
    with open(d.dir + "/backup.xml", "w") as f:
        f.write(text)
    return f.name


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
    d.kill_main()
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

    if shutil.which("qemu-img"):
        jobs = Jobs(c)
        push(d, g, con, jobs)
        pull(d, g, con, jobs)
        incremental(d, g, con, jobs)
        want = md5(con)

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
    kept = g.checkpointCreateXML(checkpoint("kept"))
    want = write(con, 2)
    size = marked(kept)
    g.destroy()
    image_tool("check", "-q", d.dir + "/copy.one")
    assert "backing" not in image_tool("info", d.dir + "/copy.one")
    g.create()
    assert size >= 9 * 65536 and marked(kept) == size
    con = console(c, g)
    assert md5(con) == want
    broken(d, g, con, kept)
    g.undefineFlags(V.VIR_DOMAIN_UNDEFINE_CHECKPOINTS_METADATA)


with Daemon() as d:
    test(d)
print("blockjob: all right")
