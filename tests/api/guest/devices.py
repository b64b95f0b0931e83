#!/usr/bin/python3
# A guest's devices: what a stock kernel sees of them, and what the host gets.
import hashlib
import socket

from functions import *

# In a network of its own: its addresses are nobody's else.
if "VIREO_TEST_NETNS" not in os.environ:
    os.environ["VIREO_TEST_NETNS"] = "1"
    os.execvp("unshare", ["unshare", "-n", sys.executable, "-B", __file__])

V = libvirt
MIB = 1024 * 1024


def make_disk(path):
    data = os.urandom(4 * MIB)
    with open(path, "wb") as f:
        f.write(data)
    return hashlib.md5(data).hexdigest()


def make_bridge(name):
    """A bridge of this test's; the host end's address is 192.0.2.1."""
    for args in (f"link add {name} type bridge",
                 f"addr add 192.0.2.1/24 dev {name}",
                 f"link set {name} up"):
        subprocess.run(["ip", *args.split()], check=True)


def definition(d, bridge):
    return d.xml("g", f"""
    <serial type='file'>
      <source path='{d.dir}/serial1.log'/><target port='1'/>
    </serial>
    <channel type='unix'>
      <source mode='bind' path='{d.dir}/run/channel'/>
      <target type='virtio' name='org.example.port'/>
    </channel>
    <disk type='file' device='disk'>
      <driver name='qemu' type='raw'/>
      <source file='{d.dir}/disk'/><target dev='vda' bus='virtio'/>
    </disk>
    <disk type='file' device='disk'>
      <driver name='qemu' type='raw'/>
      <source file='{d.dir}/ro'/><target dev='vdb' bus='virtio'/>
      <readonly/>
    </disk>
    <interface type='bridge'>
      <mac address='52:54:00:12:34:56'/>
      <source bridge='{bridge}'/><model type='virtio'/>
      <driver queues='2'/>
    </interface>
    <rng model='virtio'><backend model='random'>/dev/urandom</backend></rng>
    <disk type='vhostuser' device='disk'>
      <driver name='qemu' type='raw'/>
      <source type='unix' path='{d.dir}/blk.sock'/>
      <target dev='vdc' bus='virtio'/>
    </disk>
    <filesystem type='mount'>
      <driver type='virtiofs'/>
      <binary path='/usr/lib/qemu/virtiofsd' xattr='on'>
        <cache mode='none'/><sandbox mode='chroot'/>
      </binary>
      <source dir='{d.dir}/share'/>
      <target dir='share'/>
    </filesystem>
    <vsock model='virtio'><cid auto='yes'/></vsock>
    <memballoon model='virtio' autodeflate='on' freePageReporting='on'>
      <stats period='1'/>
    </memballoon>""")


def disks(d, g, con, sums):
    def read(dev):
        return con.run(f"md5sum </dev/{dev}").split()[0]

    assert read("vda") == sums[0] and read("vdb") == sums[1]
    con.run("dd if=/dev/urandom of=/data bs=64k count=8 2>/dev/null")
    con.run("dd if=/data of=/dev/vda bs=64k seek=16 conv=fsync 2>/dev/null")
    with open(d.dir + "/disk", "rb") as f:
        f.seek(1 * MIB)
        wrote = hashlib.md5(f.read(MIB // 2)).hexdigest()
    assert con.run("md5sum </data").split()[0] == wrote
    con.run("! dd if=/data of=/dev/vdb bs=64k 2>/dev/null")
    rd_req, rd_bytes, wr_req, wr_bytes, errs = g.blockStats("vda")
    assert rd_req > 0 and rd_bytes >= 4 * MIB
    assert wr_req > 0 and wr_bytes >= MIB // 2
    assert g.blockStatsFlags("vda")["wr_bytes"] == wr_bytes


def network(g, con):
    con.run("ip link set eth0 up; ip addr add 192.0.2.2/24 dev eth0")
    assert con.run("cat /sys/class/net/eth0/address") == "52:54:00:12:34:56"
    con.run("ping -c 3 -W 20 192.0.2.1 >/dev/null")
    tap = re.search(r"<target dev='([^']+)'/>\s*<model type='virtio'",
                    g.XMLDesc()).group(1)
    rx_bytes, rx_packets, _, _, tx_bytes, tx_packets, _, _ = \
        g.interfaceStats(tap)
    assert rx_packets >= 3 and tx_packets >= 3
    # Two pairs of queues, on a tap that has as many.
    assert con.run("grep -c 'virtio.-[io].*put[.][01]' /proc/interrupts") == "4"
    assert " multi_queue " in subprocess.run(
        ["ip", "-d", "link", "show", "dev", tap], check=True,
        capture_output=True, text=True).stdout
    return tap


# Who insists on the kernel's help gets it, or hears why not.
def insistent(c, d, bridge):
    xml = definition(d, bridge).replace("<driver queues='2'/>",
                                        "<driver name='vhost' queues='2'/>")
    if os.path.exists("/dev/vhost-net"):
        return xml
    try:
        c.createXML(xml)
        raise AssertionError("started without vhost-net")
    except libvirt.libvirtError as e:
        assert "/dev/vhost-net" in str(e), e
    return definition(d, bridge)


def lines(d, con):
    con.run("echo to a file >/dev/ttyS1")
    until("the file", lambda: "to a file" in open(d.dir +
                                                 "/serial1.log").read())
    with socket.socket(socket.AF_UNIX) as s:
        s.settimeout(SECONDS)
        s.connect(d.dir + "/run/channel")
        port = "/dev/vport*p*"
        con.run(f"ls {port}")
        con.run(f"exec 5<>$(ls {port} | head -n 1)")
        con.run("echo from the guest >&5")
        assert s.recv(100) == b"from the guest\n"
        s.sendall(b"to the guest\n")
        assert con.run("read -r line <&5; echo $line") == "to the guest"
        con.run("exec 5>&-")
    assert con.run("cat /sys/class/virtio-ports/*/name") == "org.example.port"


def vsock_guest_program(d):
    """Built for the guest's initrd, which mkinitrd makes with it; or in
    $PROGRAMS."""
    if "PROGRAMS" in os.environ:
        return os.environ["PROGRAMS"] + "/vsock"
    path = d + "/vsock"
    subprocess.run([os.environ.get("CC", "cc"), "-O", "-static", "-o", path,
                    TOP + "/tests/guest/vsock.c"], check=True)
    return path


def start_storage(d):
    """A vhost-user disk, by a program that is not ours."""
    make_disk(d.dir + "/blk")
    p = subprocess.Popen([
        "qemu-storage-daemon", "--blockdev",
        f"file,node-name=f,filename={d.dir}/blk", "--export",
        "vhost-user-blk,id=e,node-name=f,writable=on,addr.type=unix,"
        f"addr.path={d.dir}/blk.sock"])
    until("a vhost-user disk", lambda: os.path.exists(d.dir + "/blk.sock"))
    return p


def served_elsewhere(d, g, con):
    con.run("mkdir /share; mount -t virtiofs share /share")
    assert con.run("cat /share/file") == "from the host"
    con.run("echo from the guest >/share/new; umount /share")
    with open(d.dir + "/share/new") as f:
        assert f.read() == "from the guest\n"
    fails(V.VIR_ERR_OPERATION_INVALID, g.migrateToURI3,
          d.uri.replace("vireo+unix", "qemu+unix"), {},
          V.VIR_MIGRATE_LIVE | V.VIR_MIGRATE_PEER2PEER)
    fails(V.VIR_ERR_OPERATION_FAILED, g.save, d.dir + "/saved")
    assert g.isActive()
    until("that it goes on", lambda: g.info()[0] == V.VIR_DOMAIN_RUNNING or
          g.resume() == 0)
    with open(d.dir + "/blk", "rb") as f:
        assert con.run("md5sum </dev/vdc").split()[0] == \
            hashlib.md5(f.read()).hexdigest()
    con.run("echo on the disk | dd of=/dev/vdc conv=fsync 2>/dev/null")
    with open(d.dir + "/blk", "rb") as f:
        assert f.read(12) == b"on the disk\n"


def vsock(d, g, con):
    """Both ways, over the kernel's sockets or, without vhost, Unix ones."""
    m = re.search(r"<cid auto='yes' address='(\d+)'/>", g.XMLDesc())
    cid = int(m.group(1))
    assert cid >= 3 and con.run("vsock cid") == m.group(1)
    kernel = os.path.exists("/dev/vhost-vsock")
    base = f"{d.dir}/run/vsock/{g.UUIDString()}/socket"

    con.run("vsock connect 6000 </dev/null 2>/dev/null; [ $? != 0 ]")
    server = socket.socket(socket.AF_VSOCK if kernel else socket.AF_UNIX)
    server.settimeout(SECONDS)
    server.bind((socket.VMADDR_CID_ANY, 6000) if kernel else base + "_6000")
    server.listen()
    con.run("echo from the guest | vsock connect 6000 >/answer & sleep 0")
    with server.accept()[0] as s:
        s.settimeout(SECONDS)
        assert s.makefile().readline() == "from the guest\n"
        s.sendall(b"to the guest\n")
    con.run("wait")
    assert con.run("cat /answer") == "to the guest"
    server.close()

    con.run("vsock serve 6001 md5sum & sleep 0")

    def asked():
        s = socket.socket(socket.AF_VSOCK if kernel else socket.AF_UNIX)
        s.settimeout(SECONDS)
        s.connect((cid, 6001) if kernel else base)
        if kernel:
            return s
        s.sendall(b"CONNECT 6001\n")
        line = s.makefile().readline()
        return s if line.startswith("OK ") else None

    with until("the guest's answer", asked) as s:
        data = os.urandom(300000)
        s.sendall(data)
        s.shutdown(socket.SHUT_WR)
        assert s.makefile().read().split()[0] == hashlib.md5(data).hexdigest()


def balloon(c, g, con):
    def free():
        return int(re.search(r"MemFree:\s+(\d+)",
                             con.run("cat /proc/meminfo")).group(1))

    before = free()
    g.setMemoryFlags(96 * 1024, V.VIR_DOMAIN_AFFECT_LIVE)
    until("the balloon's growth", lambda: g.info()[2] == 96 * 1024)
    assert free() < before - 16 * 1024
    assert g.memoryStats()["actual"] == 96 * 1024
    g.setMemory(128 * 1024)
    until("the balloon's end", lambda: g.info()[2] == 128 * 1024)
    fails(V.VIR_ERR_INVALID_ARG, g.setMemory, 256 * 1024)


def meminfo(con, name):
    return int(re.search(name + r":\s+(\d+)",
                         con.run("cat /proc/meminfo")).group(1))


def figures(g, con):
    """The guest's own figures, asked for every second."""
    first = until("statistics", lambda: g.memoryStats().get("last_update"))
    until("others", lambda: g.memoryStats()["last_update"] > first)
    got = g.memoryStats()
    assert got["available"] == meminfo(con, "MemTotal"), got
    assert 0 < got["unused"] < got["available"] and "disk_caches" in got, got
    con.run("mkdir /mnt; mount -t tmpfs -o size=100% none /mnt; sync")
    con.run("dd if=/dev/zero of=/mnt/x bs=1M count=24 2>/dev/null")
    until("less memory", lambda: g.memoryStats()["unused"] <
          got["unused"] - 16 * 1024)
    con.run("rm /mnt/x")
    g.setMemoryStatsPeriod(0)
    assert "period" not in g.XMLDesc()
    g.setMemoryStatsPeriod(2)
    assert "<stats period='2'/>" in g.XMLDesc()


def reporting(d, g, con):
    """What the guest has freed, the host has again."""
    def used():
        with open(f"/proc/{d.vmm_pid(g)}/status") as f:
            return sum(int(n) for n in re.findall(r"Rss(?:Anon|Shmem):\s+(\d+)",
                                                  f.read()))

    con.run("dd if=/dev/zero of=/mnt/x bs=1M count=48 2>/dev/null")
    full = used()
    con.run("rm /mnt/x")
    until("free pages given back", lambda: used() < full - 24 * 1024)


def deflating(g, con):
    """A guest that is short of memory takes some from its balloon."""
    g.setMemory(80 * 1024)
    until("the balloon's growth", lambda: g.info()[2] == 80 * 1024)
    mib = meminfo(con, "MemAvailable") // 1024 + 8
    con.run(f"dd if=/dev/zero of=/mnt/x bs=1M count={mib} 2>/dev/null")
    assert g.memoryStats()["actual"] > 80 * 1024
    con.run("rm /mnt/x")
    g.setMemory(128 * 1024)
    until("the balloon's end", lambda: g.info()[2] == 128 * 1024)


def statistics(c, g, tap):
    stats = c.domainListGetStats([g])[0][1]
    assert stats["block.count"] == 3 and stats["block.0.name"] == "vda"
    assert stats["block.0.wr.bytes"] > 0
    assert stats["net.count"] == 1 and stats["net.0.name"] == tap
    assert stats["cpu.time"] > 0 and stats["balloon.current"] == 128 * 1024
    assert 0 < stats["cpu.user"] + stats["cpu.system"] <= stats["cpu.time"]
    assert stats["vcpu.0.wait"] == stats["vcpu.0.delay"] > 0
    assert g.getCPUStats(True)[0]["cpu_time"] > 0


bridge = "vtbr"
scratch = tempfile.TemporaryDirectory()
os.environ["FILES"] = vsock_guest_program(scratch.name)
with Daemon(["vsock", "vmw_vsock_virtio_transport_common",
             "vmw_vsock_virtio_transport", "fuse", "virtiofs"]) as d:
    sums = make_disk(d.dir + "/disk"), make_disk(d.dir + "/ro")
    make_bridge(bridge)
    os.mkdir(d.dir + "/share")
    with open(d.dir + "/share/file", "w") as f:
        f.write("from the host\n")
    storage = start_storage(d)
    try:
        c = d.open()
        g = c.createXML(insistent(c, d, bridge))
        con = StreamConsole(c, g)
        con.wait_prompt()
        disks(d, g, con, sums)
        tap = network(g, con)
        lines(d, con)
        assert con.run("cat /sys/class/misc/hw_random/rng_current") == \
            "virtio_rng.0"
        con.run("dd if=/dev/hwrng of=/dev/null bs=64 count=1 2>/dev/null")
        served_elsewhere(d, g, con)
        vsock(d, g, con)
        balloon(c, g, con)
        figures(g, con)
        reporting(d, g, con)
        deflating(g, con)
        statistics(c, g, tap)
        con.send("poweroff -f")
        until("the end", lambda: not c.listAllDomains())
        assert not os.path.exists(f"/sys/class/net/{tap}")
        assert "BusyBox" in open(d.dir + "/console.log").read()
        with open(d.dir + "/ro", "rb") as f:
            assert hashlib.md5(f.read()).hexdigest() == sums[1]
    finally:
        storage.terminate()
        storage.wait()
        subprocess.run(["ip", "link", "del", bridge])
print("a guest's devices: all right")
