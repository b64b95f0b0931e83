#!/usr/bin/python3
# Storage pools and volumes as python-libvirt and virsh see them, on folders.
from functions import *

run_events()
heard = []
MIB = 1 << 20
VIREO = os.environ.get("VIREO", "./vireo")


def pool_xml(name, path):
    return (f"<pool type='dir'><name>{name}</name><target>"
            f"<path>{path}</path></target></pool>")


def vol_xml(name, capacity, allocation=0, fmt="raw", more=""):
    return (f"<volume><name>{name}</name><capacity>{capacity}</capacity>"
            f"<allocation>{allocation}</allocation><target>"
            f"<format type='{fmt}'/>{more}</target></volume>")


def read(path):
    with open(path, "rb") as f:
        return f.read()


def wait_for(event):
    deadline = time.monotonic() + 120
    while event not in heard:
        assert time.monotonic() < deadline, (event, heard)
        time.sleep(0.01)


def test_pool(d, c, path):
    pool = c.storagePoolDefineXML(pool_xml("one", path))
    assert pool.name() == "one" and not pool.isActive()
    assert pool.isPersistent() and pool.autostart() == 0
    pool.setAutostart(1)
    assert pool.autostart() == 1
    assert pool.info()[0] == libvirt.VIR_STORAGE_POOL_INACTIVE
    assert c.listDefinedStoragePools() == ["one"]
    assert c.numOfDefinedStoragePools() == 1 and c.numOfStoragePools() == 0
    fails(libvirt.VIR_ERR_OPERATION_INVALID, pool.listVolumes)
    fails(libvirt.VIR_ERR_OPERATION_INVALID, pool.destroy)
    fails(libvirt.VIR_ERR_OPERATION_FAILED, c.storagePoolDefineXML,
          pool_xml("one", path + "x"))
    fails(libvirt.VIR_ERR_OPERATION_FAILED, c.storagePoolDefineXML,
          pool_xml("other", path))
    fails(libvirt.VIR_ERR_NO_STORAGE_POOL, c.storagePoolLookupByName, "no")

    assert d.virsh("pool-build", "one")[0] == 0 and os.path.isdir(path)
    pool.create()
    fails(libvirt.VIR_ERR_OPERATION_INVALID, pool.create)
    state, capacity, allocation, available = pool.info()
    assert state == libvirt.VIR_STORAGE_POOL_RUNNING
    assert capacity > 0 and allocation + available == capacity
    assert c.listStoragePools() == ["one"]
    assert [p.name() for p in c.listAllStoragePools(
        libvirt.VIR_CONNECT_LIST_STORAGE_POOLS_DIR)] == ["one"]
    assert c.listAllStoragePools(
        libvirt.VIR_CONNECT_LIST_STORAGE_POOLS_LOGICAL) == []
    assert c.storagePoolLookupByTargetPath(path).name() == "one"
    assert c.storagePoolLookupByUUIDString(pool.UUIDString()).name() == "one"
    status, out, _ = d.virsh("pool-dumpxml", "one")
    assert status == 0 and f"<path>{path}</path>" in out
    status, out, _ = d.virsh("pool-info", "one")
    assert status == 0 and "running" in out, out
    fails(libvirt.VIR_ERR_OPERATION_INVALID, pool.undefine)
    return pool


def test_volumes(d, c, pool, path):
    vol = pool.createXML(vol_xml("v", 4 * MIB, 0, "raw",
                                 "<permissions><mode>0640</mode>"
                                 "</permissions>"))
    assert vol.name() == "v" and vol.path() == vol.key() == path + "/v"
    kind, capacity, allocation = vol.info()
    assert kind == libvirt.VIR_STORAGE_VOL_FILE and capacity == 4 * MIB
    assert allocation < MIB
    assert os.stat(path + "/v").st_mode & 0o777 == 0o640
    assert pool.listVolumes() == ["v"] and pool.numOfVolumes() == 1
    assert c.storageVolLookupByKey(vol.key()).name() == "v"
    assert c.storageVolLookupByPath(path + "//v").name() == "v"
    assert pool.storageVolLookupByName("v").storagePoolLookupByVolume() \
        .name() == "one"
    assert "<mode>0640</mode>" in vol.XMLDesc()
    fails(libvirt.VIR_ERR_STORAGE_VOL_EXIST, pool.createXML,
          vol_xml("v", 1))
    fails(libvirt.VIR_ERR_XML_ERROR, pool.createXML, vol_xml("a/b", 1))
    fails(libvirt.VIR_ERR_NO_STORAGE_VOL, pool.storageVolLookupByName, "w")

    full = pool.createXML(vol_xml("full", MIB, MIB))
    assert full.info()[2] >= MIB
    full.delete()
    assert not os.path.exists(path + "/full")

    fails(libvirt.VIR_ERR_INVALID_ARG, vol.resize, MIB)
    vol.resize(2 * MIB, libvirt.VIR_STORAGE_VOL_RESIZE_DELTA)
    assert vol.info()[1] == 6 * MIB
    vol.resize(4 * MIB, libvirt.VIR_STORAGE_VOL_RESIZE_SHRINK)
    assert os.stat(path + "/v").st_size == 4 * MIB
    return vol


def test_streams(d, c, pool, path, vol):
    src, dst = path + "-in", path + "-out"
    data = os.urandom(3 * MIB + 123)
    with open(src, "wb") as f:
        f.write(data)
    assert d.virsh("vol-upload", "v", src, "--pool", "one")[0] == 0
    assert read(path + "/v")[:len(data)] == data
    status, _, err = d.virsh("vol-download", "v", dst, "--pool", "one",
                             "--length", str(len(data)))
    assert status == 0 and read(dst) == data, err

    # From an offset, and no further than that length.
    status, _, err = d.virsh("vol-upload", "v", src, "--pool", "one",
                             "--offset", "1000", "--length", "10")
    assert status != 0 and "more data than" in err, err
    assert read(path + "/v")[:1000] == data[:1000]

    # Holes stay holes, both ways.
    with open(src, "wb") as f:
        f.truncate(8 * MIB)
        f.seek(5 * MIB)
        f.write(b"data")
    status, _, err = d.virsh("vol-upload", "v", src, "--pool", "one",
                             "--sparse")
    assert status == 0, err
    assert read(path + "/v") == read(src)
    assert os.stat(path + "/v").st_blocks * 512 < 2 * MIB
    os.unlink(dst)
    status, _, err = d.virsh("vol-download", "v", dst, "--pool", "one",
                             "--sparse")
    assert status == 0 and read(dst) == read(src), err
    assert os.stat(dst).st_blocks * 512 < 2 * MIB

    # Our own client does it as well.
    os.unlink(dst)
    for sparse in [], ["--sparse"]:
        vol.wipe()
        for words in (("vol-upload", "v", src, "one", *sparse),
                      ("vol-download", "v", dst, "one", *sparse)):
            status, _, err = d.virsh(*words, program=VIREO)
            assert status == 0, err
        assert read(path + "/v") == read(src) == read(dst)
        assert not sparse or os.stat(dst).st_blocks * 512 < 2 * MIB
    assert d.both("vol-upload", "v", path + "/none", "one")[0] == 1

    # A client that goes away leaves the volume free.
    stream = c.newStream()
    vol.upload(stream, 0, 0)
    stream.send(b"x" * 1000)
    stream.abort()
    deadline = time.monotonic() + 120
    while True:
        try:
            vol.wipe()
            break
        except libvirt.libvirtError as e:
            assert time.monotonic() < deadline, str(e)
            time.sleep(0.01)
    assert not any(read(path + "/v"))
    os.unlink(src)
    os.unlink(dst)


def test_copies(d, c, pool, path, vol):
    with open(path + "/v", "r+b") as f:
        f.seek(MIB)
        f.write(b"original")
    copy = pool.createXMLFrom(vol_xml("copy", 0), vol)
    assert read(path + "/copy") == read(path + "/v")
    assert copy.info()[1] == vol.info()[1]
    assert d.virsh("vol-clone", "v", "clone", "--pool", "one")[0] == 0
    assert read(path + "/clone") == read(path + "/v")
    for words in (("vol-list", "one", "--details"), ("vol-info", "v", "one"),
                  ("vol-info", "v", "one", "--bytes", "--physical"),
                  ("vol-dumpxml", "v", "one"), ("pool-info", "one"),
                  ("pool-list", "--all", "--details"), ("pool-capabilities",),
                  ("vol-resize", "v", "1M", "one"),
                  ("vol-wipe", "copy", "one", "--algorithm", "nnsa"),
                  ("vol-info", path + "/v", "nosuch"), ("vol-pool",
                                                        path + "/v")):
        d.both(*words)
    for algorithm in (libvirt.VIR_STORAGE_VOL_WIPE_ALG_TRIM,
                      libvirt.VIR_STORAGE_VOL_WIPE_ALG_RANDOM,
                      libvirt.VIR_STORAGE_VOL_WIPE_ALG_BSI):
        copy.wipePattern(algorithm)
    assert read(path + "/copy")[:3] == b"\x7f\x7f\x7f"
    assert d.virsh("vol-delete", "copy", "--pool", "one")[0] == 0
    assert d.virsh("vol-delete", "clone", "--pool", "one")[0] == 0


def test_refresh(pool, path):
    with open(path + "/found", "wb") as f:
        f.write(b"12345")
    os.mkdir(path + "/folder")
    assert sorted(pool.listVolumes()) == ["v"]
    pool.refresh()
    assert sorted(pool.listVolumes()) == ["folder", "found", "v"]
    found = pool.storageVolLookupByName("found")
    assert found.info()[1] == 5
    assert pool.storageVolLookupByName("folder").info()[0] == \
        libvirt.VIR_STORAGE_VOL_DIR

    # What was made raw stays raw, whatever is written into it.
    with open(path + "/v", "r+b") as f:
        f.write(b"QFI\xfb\0\0\0\3" + bytes(96))
    with open(path + "/found", "r+b") as f:
        f.write(b"QFI\xfb\0\0\0\3" + bytes(96))
    pool.refresh()
    assert "<format type='raw'/>" in \
        pool.storageVolLookupByName("v").XMLDesc()
    assert "<format type='qcow2'/>" in \
        pool.storageVolLookupByName("found").XMLDesc()
    pool.storageVolLookupByName("found").delete()
    pool.storageVolLookupByName("folder").delete()


def qemu_img(*args):
    """What QEMU thinks of it; nothing where it is not installed."""
    if shutil.which("qemu-img"):
        subprocess.run(["qemu-img", *args], check=True,
                       stdout=subprocess.DEVNULL)


def test_qcow2(d, c, pool, path, vol):
    """Images: made, on top of others, resized, copied, converted."""
    base = pool.createXML(vol_xml("base", 8 * MIB, 0, "qcow2",
                                  "<clusterSize>4096</clusterSize><features>"
                                  "<lazy_refcounts/></features>"))
    assert ET.fromstring(base.XMLDesc()).find(
        "target/features/lazy_refcounts") is not None
    assert base.info()[1] == 8 * MIB and base.info()[2] < MIB
    assert "<clusterSize unit='bytes'>4096</clusterSize>" in base.XMLDesc()
    status, _, err = d.virsh(
        "vol-create-as", "one", "top", "8M", "--format", "qcow2",
        "--backing-vol", "base", "--backing-vol-format", "qcow2")
    assert status == 0, err
    top = pool.storageVolLookupByName("top")
    shown = ET.fromstring(top.XMLDesc())
    assert shown.find("backingStore/path").text == path + "/base"
    assert shown.find("backingStore/format").get("type") == "qcow2"
    qemu_img("check", path + "/top")
    base.resize(16 * MIB)
    assert base.info()[1] == 16 * MIB
    # A capacity that is not given is that of what it stands on.
    small = pool.createXML(
        f"<volume><name>small</name><target><format type='qcow2'/></target>"
        f"<backingStore><path>{path}/base</path><format type='qcow2'/>"
        f"</backingStore></volume>")
    assert small.info()[1] == 16 * MIB
    full = pool.createXML(vol_xml("full", MIB, 0, "qcow2"),
                          libvirt.VIR_STORAGE_VOL_CREATE_PREALLOC_METADATA)
    qemu_img("check", path + "/full")
    fails(libvirt.VIR_ERR_SYSTEM_ERROR, pool.createXML,
          "<volume><name>no</name><capacity>1</capacity><target>"
          "<format type='qcow2'/></target><backingStore>"
          "<path>/nonexistent</path></backingStore></volume>")
    fails(libvirt.VIR_ERR_CONFIG_UNSUPPORTED, pool.createXML,
          vol_xml("no", MIB, 0, "qcow2", "<encryption format='luks'/>"))

    # There and back again.
    with open(path + "/v", "r+b") as f:
        f.seek(MIB)
        f.write(os.urandom(MIB))
    image = pool.createXMLFrom(vol_xml("image", 0, 0, "qcow2"), vol)
    assert image.info()[1] == vol.info()[1] and image.info()[2] < 2 * MIB
    qemu_img("check", path + "/image")
    qemu_img("compare", "-f", "qcow2", "-F", "raw", path + "/image",
             path + "/v")
    back = pool.createXMLFrom(vol_xml("back", 0), image)
    assert read(path + "/back") == read(path + "/v")
    twin = pool.createXMLFrom(vol_xml("twin", 0, 0, "qcow2"), image)
    assert read(path + "/twin") == read(path + "/image")
    assert twin.info()[1] == image.info()[1]
    fails(libvirt.VIR_ERR_OPERATION_UNSUPPORTED, pool.createXMLFrom,
          vol_xml("no", 0), top)

    # What is uploaded says what it is, now and after a refresh.
    assert d.virsh("vol-upload", "back", path + "/image", "one")[0] == 0
    for _ in range(2):
        assert "<format type='qcow2'/>" in \
            pool.storageVolLookupByName("back").XMLDesc()
        pool.refresh()
    for name in "base", "top", "small", "full", "image", "back", "twin":
        pool.storageVolLookupByName(name).delete()


def test_kept(c):
    """Kinds that there are not yet are kept, and refused at the start."""
    kept = c.storagePoolDefineXML("""
    <pool type='gluster'><name>kept</name><source><host name='h'/>
    <dir path='/a//'/><name>v</name></source></pool>""")
    assert "<dir path='/a'/>" in kept.XMLDesc()
    for call in kept.create, kept.build, kept.delete:
        fails(libvirt.VIR_ERR_OPERATION_UNSUPPORTED, call)
    kept.setAutostart(1)
    kept.undefine()
    kept = c.storagePoolDefineXML("""
    <pool type='scsi'><name>kept</name><source><adapter type='scsi_host'>
    <parentaddr unique_id='5'><address slot='0x1f'/></parentaddr></adapter>
    </source><target><path>/dev/disk/by-path</path></target></pool>""")
    address = ET.fromstring(kept.XMLDesc()).find(
        "source/adapter/parentaddr/address")
    assert address.get("slot") == "0x1f"
    kept.undefine()


def test_disk(c, vol):
    """A domain's disk finds its volume when the domain starts."""
    disk = ("<devices><disk type='volume'><source pool='one' "
            "volume='{}'/><target dev='vda'/></disk></devices>")
    dom = c.defineXML(xml("with-volume", disk.format(vol.name())))
    dom.create()
    shown = ET.fromstring(dom.XMLDesc()).find("devices/disk")
    assert shown.get("type") == "volume"
    assert shown.find("source").get("volume") == vol.name()
    assert shown.find("source").get("file") is None
    dom.destroy()
    dom = c.defineXML(xml("with-volume", disk.format("none"))
                      .replace("<name>", f"<uuid>{dom.UUIDString()}</uuid>"
                                         "<name>"))
    fails(libvirt.VIR_ERR_NO_STORAGE_VOL, dom.create)
    dom.undefine()


def test_many(pool, path):
    for n in range(1000):
        with open(f"{path}/many-{n}", "wb"):
            pass
    pool.refresh()
    vols = pool.listAllVolumes()
    assert len([v for v in vols if v.name().startswith("many-")]) == 1000
    for n in range(1000):
        os.unlink(f"{path}/many-{n}")
    pool.refresh()
    assert pool.numOfVolumes() == 1


with Daemon() as d:
    c = d.open()
    c.storagePoolEventRegisterAny(
        None, libvirt.VIR_STORAGE_POOL_EVENT_ID_LIFECYCLE,
        lambda conn, p, event, detail, arg:
        heard.append((p.name(), event)), None)
    c.storagePoolEventRegisterAny(
        None, libvirt.VIR_STORAGE_POOL_EVENT_ID_REFRESH,
        lambda conn, p, arg: heard.append((p.name(), "refresh")), None)
    path = d.dir + "/pool"
    pool = test_pool(d, c, path)
    vol = test_volumes(d, c, pool, path)
    test_streams(d, c, pool, path, vol)
    test_copies(d, c, pool, path, vol)
    test_qcow2(d, c, pool, path, vol)
    test_refresh(pool, path)
    test_many(pool, path)
    test_disk(c, vol)
    test_kept(c)
    assert "supported='yes'" in c.getStoragePoolCapabilities()

    # A reader changes nothing.
    ro = d.open_readonly()
    fails(libvirt.VIR_ERR_OPERATION_DENIED,
          ro.storagePoolLookupByName("one").refresh)
    assert ro.storageVolLookupByPath(vol.path()).info()[0] == 0

    # A transient one is gone once it is stopped.
    os.mkdir(path + "-transient")
    gone = c.storagePoolCreateXML(pool_xml("gone", path + "-transient"))
    assert gone.isActive() and not gone.isPersistent()
    fails(libvirt.VIR_ERR_INTERNAL_ERROR, gone.setAutostart, 1)
    gone.destroy()
    fails(libvirt.VIR_ERR_NO_STORAGE_POOL, c.storagePoolLookupByName, "gone")

    vol.delete()
    pool.destroy()
    pool.delete()
    assert not os.path.exists(path)
    pool.undefine()
    assert c.listAllStoragePools() == []
    for event in (libvirt.VIR_STORAGE_POOL_EVENT_DEFINED,
                  libvirt.VIR_STORAGE_POOL_EVENT_CREATED,
                  libvirt.VIR_STORAGE_POOL_EVENT_STARTED, "refresh",
                  libvirt.VIR_STORAGE_POOL_EVENT_STOPPED,
                  libvirt.VIR_STORAGE_POOL_EVENT_DELETED,
                  libvirt.VIR_STORAGE_POOL_EVENT_UNDEFINED):
        wait_for(("one", event))
    ro.close()
    c.close()
