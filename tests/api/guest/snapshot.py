#!/usr/bin/python3
# Snapshots: of a guest that is off and of one that writes, with and without
# its memory; their tree; going back to any of them; dropping all of them, one
# by one, without losing what the disks have.
import hashlib
import json

from functions import *

V = libvirt
MIB = 1024 * 1024
DISK_ONLY = V.VIR_DOMAIN_SNAPSHOT_CREATE_DISK_ONLY
REDEFINE = V.VIR_DOMAIN_SNAPSHOT_CREATE_REDEFINE
METADATA_ONLY = V.VIR_DOMAIN_SNAPSHOT_DELETE_METADATA_ONLY

if not shutil.which("qemu-img"):
    print("skip: needs qemu-img")
    sys.exit(77)


def img(*args, tool="qemu-img"):
    p = subprocess.run([tool, *args], capture_output=True, text=True,
                       timeout=SECONDS)
    assert p.returncode == 0, (args, p.stdout, p.stderr)
    return p.stdout


def md5(path, size, tool="qemu-img"):
    """Of a disk as it is seen through an image and all it is based on."""
    raw = path + ".as-raw"
    img("convert", "-O", "raw", path, raw, tool=tool)
    with open(raw, "rb") as f:
        data = f.read()
    os.unlink(raw)
    assert len(data) == size
    return hashlib.md5(data).hexdigest()


def make_disks(d):
    for name in "a", "b":
        with open(f"{d.dir}/{name}.raw", "wb") as f:
            f.write(os.urandom(8 * MIB))
    img("convert", "-O", "qcow2", d.dir + "/a.raw", d.dir + "/a.qcow2")


def definition(d):
    return d.xml("g", f"""
    <disk type='file' device='disk'>
      <driver name='qemu' type='qcow2'/>
      <source file='{d.dir}/a.qcow2'/><target dev='vda' bus='virtio'/>
    </disk>
    <disk type='file' device='disk'>
      <driver name='qemu' type='raw'/>
      <source file='{d.dir}/b.raw'/><target dev='vdb' bus='virtio'/>
    </disk>""")


def sources(g, flags=0):
    return [e.get("file") for e in ET.fromstring(g.XMLDesc(flags)).iterfind(
        "devices/disk/source")]


def contents(g):
    """Both disks', as they are now, by somebody else."""
    return [md5(path, 8 * MIB) for path in sources(g)]


def sound(d):
    """Every qcow2 image there is."""
    for name in os.listdir(d.dir):
        if name.startswith("a.") and name != "a.raw" or \
           name.startswith("b.") and name not in ("b.raw",):
            img("check", "-f", "qcow2", f"{d.dir}/{name}")


def snap_xml(name, more=""):
    return f"<domainsnapshot><name>{name}</name>{more}</domainsnapshot>"


def names(snaps):
    return sorted(s.getName() for s in snaps)


def documents(d, c, g):
    """Snapshots that another daemon took: only their documents."""
    def redefine(name, parent="", state="shutoff", flags=REDEFINE):
        text = parent and f"<parent><name>{parent}</name></parent>"
        return g.snapshotCreateXML(snap_xml(
            name, f"{text}<state>{state}</state><creationTime>5"
            f"</creationTime><memory snapshot='no'/><disks>"
            f"<disk name='vda' snapshot='external' type='file'>"
            f"<driver type='qcow2'/><source file='/x.{name}'/></disk>"
            f"</disks>"), flags)

    root = redefine("root")
    redefine("left", "root")
    redefine("right", "root", "disk-snapshot",
             REDEFINE | V.VIR_DOMAIN_SNAPSHOT_CREATE_CURRENT |
             V.VIR_DOMAIN_SNAPSHOT_CREATE_VALIDATE)
    redefine("leaf", "left", "running")
    assert g.snapshotNum() == 4 and g.hasCurrentSnapshot()
    assert g.snapshotCurrent().getName() == "right"
    assert names(g.listAllSnapshots()) == ["leaf", "left", "right", "root"]
    for flag, want in (
            (V.VIR_DOMAIN_SNAPSHOT_LIST_ROOTS, ["root"]),
            (V.VIR_DOMAIN_SNAPSHOT_LIST_LEAVES, ["leaf", "right"]),
            (V.VIR_DOMAIN_SNAPSHOT_LIST_NO_LEAVES, ["left", "root"]),
            (V.VIR_DOMAIN_SNAPSHOT_LIST_DISK_ONLY, ["right"]),
            (V.VIR_DOMAIN_SNAPSHOT_LIST_ACTIVE, ["leaf"]),
            (V.VIR_DOMAIN_SNAPSHOT_LIST_INACTIVE, ["left", "root"]),
            (V.VIR_DOMAIN_SNAPSHOT_LIST_INTERNAL, []),
            (V.VIR_DOMAIN_SNAPSHOT_LIST_NO_METADATA, [])):
        assert names(g.listAllSnapshots(flag)) == want, (flag, want)
        assert sorted(g.snapshotListNames(flag)) == want, (flag, want)
    assert names(root.listAllChildren()) == ["left", "right"]
    assert root.numChildren(V.VIR_DOMAIN_SNAPSHOT_LIST_DESCENDANTS) == 3
    assert g.snapshotLookupByName("leaf").getParent().getName() == "left"
    assert "<name>leaf</name>" in \
        g.snapshotLookupByName("leaf").getXMLDesc()
    fails(V.VIR_ERR_NO_DOMAIN_SNAPSHOT, root.getParent)
    fails(V.VIR_ERR_NO_DOMAIN_SNAPSHOT, g.snapshotLookupByName, "no")
    assert "root\n  |\n  +- left\n  |   |\n  |   +- leaf" in \
        d.virsh("snapshot-list", "g", "--tree")
    # What cannot be.
    fails(V.VIR_ERR_INVALID_ARG, redefine, "left", "leaf")
    fails(V.VIR_ERR_INVALID_ARG, redefine, "other", "nobody")
    fails(V.VIR_ERR_INVALID_ARG, redefine, "right", "root", "shutoff")
    fails(V.VIR_ERR_INVALID_ARG, g.snapshotCreateXML, snap_xml("x"), 1 << 20)
    fails(V.VIR_ERR_XML_DETAIL, g.snapshotCreateXML, snap_xml("a/b"),
          DISK_ONLY)
    fails(V.VIR_ERR_SNAPSHOT_REVERT_RISKY, g.revertToSnapshot, root)
    fails(V.VIR_ERR_OPERATION_INVALID, g.undefine)
    fails(V.VIR_ERR_OPERATION_INVALID, g.rename, "h")
    g.snapshotLookupByName("left").delete(METADATA_ONLY)
    assert g.snapshotLookupByName("leaf").getParent().getName() == "root"
    root.delete(METADATA_ONLY | V.VIR_DOMAIN_SNAPSHOT_DELETE_CHILDREN)
    assert g.snapshotNum() == 0 and not g.hasCurrentSnapshot()


def write(con, word):
    """Over some of what is there, on both disks; what they have then."""
    con.run(f"for n in 0 1 2; do for v in vda vdb; do dd if=/dev/urandom "
            f"of=/dev/$v bs=64k count=9 seek=$((n * 40 + {len(word)})) "
            "conv=notrunc,fsync 2>/dev/null; done; done")
    return guest_has(con)


def guest_has(con):
    con.run("echo 3 >/proc/sys/vm/drop_caches")
    return [con.run(f"md5sum </dev/{v}").split()[0] for v in ("vda", "vdb")]


def delete_while_it_runs(d, g, con):
    """One in the middle, the last one, those that are left; all at once."""
    before = sources(g), g.snapshotCurrent().getName()
    for name in "x1", "x2", "x3", "x4":
        want = write(con, name)
        d.virsh("snapshot-create-as", "g", name, "--disk-only")
    want = write(con, "after x4")
    for name in "x2", "x4":
        g.snapshotLookupByName(name).delete()
        assert guest_has(con) == want, name
        want = write(con, name + name)
    assert sources(g) == [d.dir + "/a.x3", d.dir + "/b.x3"], sources(g)
    assert sources(g, V.VIR_DOMAIN_XML_INACTIVE) == sources(g)
    assert not os.path.exists(d.dir + "/a.x2")
    assert g.snapshotCurrent().getName() == "x3"
    g.snapshotLookupByName("x1").delete(
        V.VIR_DOMAIN_SNAPSHOT_DELETE_CHILDREN)
    assert guest_has(con) == want
    assert (sources(g), g.snapshotCurrent().getName()) == before, sources(g)
    return write(con, "merged")


def test(d):
    c = d.open()
    make_disks(d)
    g = c.defineXML(definition(d))
    documents(d, c, g)

    # Off: new images on top, which show the same.
    begin = contents(g)
    d.virsh("snapshot-create-as", "g", "off", "--disk-only")
    assert sources(g) == [d.dir + "/a.off", d.dir + "/b.off"]
    assert json.loads(img("info", "--output=json", d.dir + "/b.off"))[
        "backing-filename"] == d.dir + "/b.raw"
    assert contents(g) == begin
    fails(V.VIR_ERR_OPERATION_INVALID, g.snapshotCreateXML, snap_xml("off"),
          DISK_ONLY)
    fails(V.VIR_ERR_OPERATION_UNSUPPORTED, g.snapshotCreateXML,
          snap_xml("inside"), 0)

    # On: disks only, then with memory.
    g.create()
    con = console(c, g)
    one = write(con, "1")
    d.virsh("snapshot-create-as", "g", "disks", "--disk-only", "--atomic")
    assert sources(g) == [d.dir + "/a.disks", d.dir + "/b.disks"]
    assert sources(g, V.VIR_DOMAIN_XML_INACTIVE) == sources(g)
    two = write(con, "two")
    con.run("said=before")
    d.virsh("snapshot-create-as", "g", "memory", "--memspec",
            f"{d.dir}/memory.img", "--diskspec", "vda", "--diskspec", "vdb")
    assert con.run("echo $said") == "before"
    con.run("said=after")
    three = write(con, "three!")
    assert g.snapshotCurrent().getName() == "memory"
    # The guest reads those: another reader must know our locks.
    for layer, want in ("off", one), ("disks", two):
        assert [md5(f"{d.dir}/{n}.{layer}", 8 * MIB, BUILD + "/vireo-img")
                for n in ("a", "b")] == want, layer

    # A daemon that is killed finds it all again.
    d.kill_main()
    d.up()
    c = d.open()
    g = c.lookupByName("g")
    con = console(c, g)
    assert con.run("echo $said") == "after"
    assert sources(g) == [d.dir + "/a.memory", d.dir + "/b.memory"]
    assert names(g.listAllSnapshots()) == ["disks", "memory", "off"]
    assert "off\n  |\n  +- disks\n      |\n      +- memory" in \
        d.virsh("snapshot-list", "g", "--tree")

    # Back to where it was running.
    g.revertToSnapshot(g.snapshotLookupByName("memory"))
    con = console(c, g)
    assert con.run("echo $said") == "before"
    con.run("echo 3 >/proc/sys/vm/drop_caches")
    assert [con.run(f"md5sum </dev/{v}").split()[0]
            for v in ("vda", "vdb")] == two
    assert not os.path.exists(d.dir + "/a.memory")
    four = write(con, "4444")
    assert four != three
    four = delete_while_it_runs(d, g, con)
    con.run("sync")
    g.destroy()
    assert contents(g) == four
    sound(d)

    # And to others, which makes branches.
    g.revertToSnapshot(g.snapshotLookupByName("disks"))
    assert not g.isActive() and contents(g) == one
    g.snapshotCreateXML(snap_xml("branch"), DISK_ONLY)
    g.revertToSnapshot(g.snapshotLookupByName("off"))
    assert contents(g) == begin
    g.revertToSnapshot(g.snapshotLookupByName("branch"))
    assert contents(g) == one

    # None of them is needed for what the others have.
    for name in "off", "memory", "branch", "disks":
        g.snapshotLookupByName(name).delete()
        assert contents(g) == one, name
        sound(d)
    assert g.snapshotNum() == 0 and not os.path.exists(d.dir + "/memory.img")
    g.undefineFlags(V.VIR_DOMAIN_UNDEFINE_SNAPSHOTS_METADATA)


with Daemon() as daemon:
    test(daemon)
print("snapshot: all right")
