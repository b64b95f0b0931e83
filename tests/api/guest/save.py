#!/usr/bin/python3
# Guests go to files and come back: virsh and python-libvirt, while the guest
# works on its memory and its disk and the daemon is killed.
import signal
import struct

import hoststop
from functions import *

V = libvirt
OFF, RUNS, PAUSED = (V.VIR_DOMAIN_SHUTOFF, V.VIR_DOMAIN_RUNNING,
                     V.VIR_DOMAIN_PAUSED)
SUSPENDED = (V.VIR_DOMAIN_EVENT_SUSPENDED,
             V.VIR_DOMAIN_EVENT_SUSPENDED_PAUSED)
SAVED = (V.VIR_DOMAIN_EVENT_STOPPED, V.VIR_DOMAIN_EVENT_STOPPED_SAVED)
RESTORED = (V.VIR_DOMAIN_EVENT_STARTED, V.VIR_DOMAIN_EVENT_STARTED_RESTORED)
STAYS = (V.VIR_DOMAIN_EVENT_SUSPENDED, V.VIR_DOMAIN_EVENT_SUSPENDED_RESTORED)

def core(path):
    """An ELF core file: its pieces of memory as (address, bytes), and how
    many processors it has."""
    with open(path, "rb") as f:
        data = f.read()
    assert data[:5] == b"\x7fELF\2" and data[16:18] == b"\4\0"
    at, = struct.unpack_from("<Q", data, 32)
    size, n = struct.unpack_from("<HH", data, 54)
    memory, names = [], []
    for i in range(n):
        kind, _, offset, _, gpa, length = struct.unpack_from(
            "<IIQQQQ", data, at + i * size)
        if kind == 1:
            memory.append((gpa, data[offset:offset + length]))
            assert len(memory[-1][1]) == length
        while kind == 4 and length > 0:
            name, desc, _ = struct.unpack_from("<III", data, offset)
            names.append(data[offset + 12:offset + 11 + name])
            whole = 12 + (name + 3 & ~3) + (desc + 3 & ~3)
            offset, length = offset + whole, length - whole
    assert names.count(b"CORE") == names.count(b"QEMU")
    return memory, names.count(b"CORE")


def dumps(d, g, con):
    """Core dumps, for which the guest stops or not; it goes on."""
    marker = "dumped-" + uuid.uuid4().hex
    con.run(f"marker={marker}")
    file = d.dir + "/core"
    d.virsh("dump", "g", file, "--memory-only")
    first = core(file)
    g.coreDumpWithFormat(file, V.VIR_DOMAIN_CORE_DUMP_FORMAT_RAW,
                         V.VIR_DUMP_MEMORY_ONLY | V.VIR_DUMP_LIVE)
    assert os.stat(file).st_mode & 0o777 == 0o600
    for memory, cpus in first, core(file):
        assert cpus == 2 and memory[0][0] == 0
        assert sum(len(m) for _, m in memory) == 128 << 20
        assert any(marker.encode() in m for _, m in memory)
    works(con)
    info = g.jobStats(V.VIR_DOMAIN_JOB_STATS_COMPLETED)
    assert info["operation"] == V.VIR_DOMAIN_JOB_OPERATION_DUMP, info
    fails(V.VIR_ERR_OPERATION_UNSUPPORTED, g.coreDump, file)
    fails(V.VIR_ERR_OPERATION_UNSUPPORTED, g.coreDumpWithFormat, file,
          V.VIR_DOMAIN_CORE_DUMP_FORMAT_KDUMP_ZLIB, V.VIR_DUMP_MEMORY_ONLY)
    fails(V.VIR_ERR_INVALID_ARG, g.coreDump, file,
          V.VIR_DUMP_MEMORY_ONLY | V.VIR_DUMP_CRASH | V.VIR_DUMP_RESET)
    os.unlink(file)


def limits(con, g):
    """How many seconds twelve requests take that are not all at once."""
    begun = time.monotonic()
    con.run("dd if=/dev/vdb of=/dev/null bs=4k count=12 iflag=direct "
            "2>/dev/null")
    return time.monotonic() - begun


def tuned(d, *args):
    return dict(line.split(":", 1) for line in
                d.virsh("blkdeviotune", "g", "vdb", *args).replace(
                    " ", "").splitlines() if line)


def throttles(d, c, g, con):
    """A disk's limits by virsh, while the guest runs and in its definition."""
    what = tuned(d)
    assert what["total_iops_sec"] == "1000" and what["group_name"] == "both"
    assert what["total_iops_sec_max_length"] == "3" and len(what) == 20, what
    assert tuned(d, "--config") == what
    d.virsh("blkdeviotune", "g", "vdb", "--live", "--total-iops-sec", "2",
            "--total-iops-sec-max", "0")
    assert tuned(d)["total_iops_sec"] == "2"
    assert tuned(d)["total_iops_sec_max_length"] == "0"
    assert tuned(d, "--config") == what
    # Those of a group have them together.
    assert g.blockIoTune("vdc") == g.blockIoTune("vdb")
    # One begins at once, and one after a bucket that holds no whole one.
    assert limits(con, g) >= 4.5
    # Held requests keep nobody from saving, and the figures come back.
    con.run("{ dd if=/dev/vdb of=/dev/null bs=4k count=50 iflag=direct "
            "2>/dev/null; echo $? >/ended; } & echo begun")
    d.virsh("managedsave", "g")
    assert "<total_iops_sec>2<" in c.lookupByName("g").managedSaveGetXMLDesc()
    g.create()
    con = console(c, g)
    assert tuned(d, "--live")["total_iops_sec"] == "2"
    d.virsh("blkdeviotune", "g", "vdb", "--live", "--total-iops-sec", "0")
    until("the end of what was held", lambda: con.run("cat /ended; true") == "0")
    d.virsh("blkdeviotune", "g", "vdb", "--config", "--write-bytes-sec",
            "1048576", "--group-name", "other")
    after = tuned(d, "--config")
    assert after["write_bytes_sec"] == "1048576"
    assert after["total_iops_sec"] == "1000" and after["group_name"] == "other"
    assert "<group_name>other</group_name>" in g.XMLDesc(
        V.VIR_DOMAIN_XML_INACTIVE)
    fails(V.VIR_ERR_INVALID_ARG, g.setBlockIoTune, "vdb",
          {"total_bytes_sec": 5, "read_bytes_sec": 5})
    fails(V.VIR_ERR_INVALID_ARG, g.setBlockIoTune, "vdb",
          {"read_iops_sec_max": 5})
    fails(V.VIR_ERR_INVALID_ARG, g.setBlockIoTune, "vdz",
          {"total_iops_sec": 5})
    fails(V.VIR_ERR_ARGUMENT_UNSUPPORTED, g.setBlockIoTune, "vdb",
          {"total_iops_sec": 1 << 60})
    return con


def limited(d, name):
    with open(f"{d.dir}/{name}", "wb") as f:
        f.truncate(1 << 20)
    return f"""<disk type='file' device='disk'>
      <driver name='qemu' type='raw'/><source file='{d.dir}/{name}'/>
      <target dev='{name}' bus='virtio'/>
      <iotune><total_iops_sec>1000</total_iops_sec>
        <total_iops_sec_max>2000</total_iops_sec_max>
        <group_name>both</group_name>
        <total_iops_sec_max_length>3</total_iops_sec_max_length></iotune>
    </disk>"""


def main(d):
    c = d.open()
    ev = Events(c)
    data = os.urandom(8 << 20)
    disk = chain(d.dir, "disk", data)
    devices = f"""<disk type='file' device='disk'>
      <driver name='qemu' type='qcow2'/><source file='{disk}'/>
      <target dev='vda' bus='virtio'/></disk>
    {limited(d, "vdb")}{limited(d, "vdc")}
    <rng model='virtio'><backend model='random'>/dev/urandom</backend></rng>
    <memballoon model='virtio'/>"""
    xml = d.xml("g", devices, vcpus=2)
    g = c.defineXML(xml)
    ev.expect("g", (V.VIR_DOMAIN_EVENT_DEFINED, 0))

    # Not while it is off.
    fails(V.VIR_ERR_OPERATION_INVALID, g.save, d.dir + "/no")
    fails(V.VIR_ERR_OPERATION_INVALID, g.managedSave)
    fails(V.VIR_ERR_OPERATION_INVALID, g.abortJob)
    g.create()
    ev.expect("g", (V.VIR_DOMAIN_EVENT_STARTED, 0))
    con = StreamConsole(c, g)
    con.wait_prompt()
    con.run(WORK)
    works(con)

    con = throttles(d, c, g, con)
    works(con)
    ev.expect("g", SUSPENDED, SAVED, RESTORED)
    dumps(d, g, con)

    # ---- save and restore, by virsh
    file = d.dir + "/saved"
    for i in range(3):
        up = float(con.run("cut -d ' ' -f 1 /proc/uptime"))
        d.virsh("save", "g", file)
        ev.expect("g", SUSPENDED, SAVED)
        assert g.state() == [OFF, V.VIR_DOMAIN_SHUTOFF_SAVED]
        size = os.stat(file)
        assert size.st_mode & 0o777 == 0o600
        assert size.st_blocks * 512 < 120 << 20 < size.st_size
        assert "<name>g</name>" in d.virsh("save-image-dumpxml", file)
        d.virsh("restore", file)
        ev.expect("g", RESTORED)
        assert g.state() == [RUNS, V.VIR_DOMAIN_RUNNING_RESTORED]
        con = console(c, g)
        works(con)
        # The guest's own clock stood still, and goes on.
        assert float(con.run("cut -d ' ' -f 1 /proc/uptime")) > up
        assert con.run("dmesg | grep -c -E 'BUG:|stall|unstable'; true") == "0"
        assert abs(int(con.run("date +%s")) - time.time()) < 3600
    # It runs from the file; losing its name is no loss.
    os.unlink(file)
    works(con)

    # ---- flags: running or paused, whatever it was
    for flags, state in ((V.VIR_DOMAIN_SAVE_PAUSED, PAUSED), (0, PAUSED),
                         (V.VIR_DOMAIN_SAVE_RUNNING, RUNS)):
        g.saveFlags(file, None, flags)
        assert g.state()[0] == OFF
        c.restore(file)
        assert g.state()[0] == state, flags
    g.saveFlags(file, None, 0)
    c.restoreFlags(file, None, V.VIR_DOMAIN_SAVE_PAUSED)
    ev.expect("g", SUSPENDED, SAVED, RESTORED, STAYS, SAVED, RESTORED, STAYS,
              SAVED, RESTORED, SUSPENDED, SAVED, RESTORED, STAYS)
    fails(V.VIR_ERR_OPERATION_INVALID, c.restore, file)  # it is there already
    g.resume()
    fails(V.VIR_ERR_INVALID_ARG, g.saveFlags, file, None,
          V.VIR_DOMAIN_SAVE_PAUSED | V.VIR_DOMAIN_SAVE_RUNNING)

    # ---- other definitions
    g.save(file)
    text = c.saveImageGetXMLDesc(file)
    c.saveImageDefineXML(file, text.replace(
        "<name>g</name>", "<name>g</name><title>Changed</title>"),
        V.VIR_DOMAIN_SAVE_PAUSED)
    assert "<title>Changed</title>" in c.saveImageGetXMLDesc(file)
    fails(V.VIR_ERR_CONFIG_UNSUPPORTED, c.saveImageDefineXML, file,
          text.replace("<name>g</name>", "<name>h</name>"))
    fails(V.VIR_ERR_CONFIG_UNSUPPORTED, c.restoreFlags, file,
          re.sub("<vcpu[^<]*</vcpu>", "<vcpu>1</vcpu>", text))
    fails(V.VIR_ERR_OPERATION_FAILED, c.saveImageGetXMLDesc, d.kernel)
    fails(V.VIR_ERR_OPERATION_FAILED, c.restore, d.kernel)
    c.restore(file)
    assert g.state()[0] == PAUSED and "Changed" in g.XMLDesc()
    g.resume()
    con = console(c, g)
    works(con)

    # virsh's editor shows it and puts it back.
    d.virsh("save", "g", file)
    edited = subprocess.run(
        ["virsh", "-q", "-c", d.uri, "save-image-edit", file],
        env=dict(os.environ, EDITOR="sed -i s/Changed/Edited/"),
        stdin=subprocess.DEVNULL, capture_output=True, text=True,
        timeout=SECONDS)
    assert edited.returncode == 0, edited
    assert "Edited" in d.virsh("save-image-dumpxml", file)
    with open(d.dir + "/other.xml", "w") as f:
        f.write(d.virsh("save-image-dumpxml", file).replace("Edited", "Set"))
    d.virsh("save-image-define", file, d.dir + "/other.xml")
    d.virsh("restore", file)
    assert "Set" in g.XMLDesc()
    works(console(c, g))

    # ---- compressed
    raw = os.stat(file).st_blocks
    d.options = ["--save-image-format=zstd"]
    d.up()
    c = d.open()
    ev = Events(c)
    g = c.lookupByName("g")
    d.virsh("save", "g", file)
    assert os.stat(file).st_blocks < raw * 0.8, (os.stat(file), raw)
    d.virsh("restore", file)
    works(console(c, g))
    d.options = []
    d.up()
    c = d.open()
    ev = Events(c)
    g = c.lookupByName("g")

    # ---- managed
    said = hoststop.host(d, "stop", ON_SHUTDOWN="suspend")
    assert "Suspending g: done" in said, said
    assert g.state() == [OFF, V.VIR_DOMAIN_SHUTOFF_SAVED]
    assert g.hasManagedSaveImage() == 1
    assert [x.name() for x in c.listAllDomains(
        V.VIR_CONNECT_LIST_DOMAINS_MANAGEDSAVE)] == ["g"]
    assert "saved" in d.virsh("list", "--all", "--managed-save")
    assert "<name>g</name>" in d.virsh("managedsave-dumpxml", "g")
    fails(V.VIR_ERR_OPERATION_INVALID, g.undefine)
    fails(V.VIR_ERR_OPERATION_INVALID, g.rename, "other")
    # What cannot be started keeps its file.
    os.rename(disk, disk + ".away")
    assert fails_any(g.create)
    assert g.hasManagedSaveImage() == 1 and g.state()[0] == OFF
    os.rename(disk + ".away", disk)
    said = hoststop.host(d, "start", ON_BOOT="start")
    assert "Resuming guest g: done" in said, said
    assert g.hasManagedSaveImage() == 0
    assert g.state() == [RUNS, V.VIR_DOMAIN_RUNNING_RESTORED]
    assert os.listdir(d.dir + "/state/save") == []
    con = console(c, g)
    works(con)
    g.managedSave()
    g.managedSaveRemove()
    assert g.hasManagedSaveImage() == 0
    g.create()
    StreamConsole(c, g).wait_prompt()
    con = console(c, g)
    assert con.run("ls /work 2>/dev/null; true") == ""
    con.run(WORK)
    works(con)

    # ---- the job: watched and given up
    assert g.jobInfo()[0] == V.VIR_DOMAIN_JOB_NONE
    fails(V.VIR_ERR_OPERATION_INVALID, g.abortJob)
    codes, seen = [], []
    for i in range(60):
        saver = threading.Thread(
            target=lambda: codes.append(code_of(g.save, file)))
        saver.start()
        while saver.is_alive():
            info = ignore(g.jobInfo)
            # It may still be waiting for the devices.
            if info and info[0] == V.VIR_DOMAIN_JOB_UNBOUNDED and info[3]:
                seen.append(info)
                ignore(g.abortJob)
        saver.join()
        if codes[-1] is None: # it was too late
            assert g.state() == [OFF, V.VIR_DOMAIN_SHUTOFF_SAVED]
            done = g.jobStats(V.VIR_DOMAIN_JOB_STATS_COMPLETED)
            assert done["memory_total"] >= 128 << 20, done
            assert done["memory_processed"] == done["memory_total"]
            c.restore(file)
        else:
            assert codes[-1] == V.VIR_ERR_OPERATION_ABORTED
            assert g.state() == [RUNS, V.VIR_DOMAIN_RUNNING_SAVE_CANCELED]
            break
    assert seen
    con = console(c, g)
    works(con)

    # ---- the daemon is killed in the middle, or after
    for delay in (0, 0.02, 0.05, 0.1, 0.2, 0.4):
        saver = threading.Thread(target=lambda: ignore(g.managedSave))
        saver.start()
        time.sleep(delay)
        for pid in d.pids():
            os.kill(pid, signal.SIGKILL)
        saver.join()
        d.up()
        c = d.open()
        g = c.lookupByName("g")
        if g.state()[0] == OFF:
            assert g.hasManagedSaveImage() == 1, delay
            g.create()
        else:
            assert g.hasManagedSaveImage() == 0
            assert g.state()[0] == RUNS, (delay, g.state())
        con = console(c, g)
        works(con)
    g.managedSave()
    # What it wrote is in the image, and nothing else has changed.
    now = check_chain(disk, data)
    assert now[:4 << 20] != data[:4 << 20] and now[4 << 20:] == data[4 << 20:]
    g.undefineFlags(V.VIR_DOMAIN_UNDEFINE_MANAGED_SAVE)
    assert os.listdir(d.dir + "/state/save") in ([], [f"{g.UUIDString()}.partial"])


with Daemon() as daemon:
    main(daemon)
