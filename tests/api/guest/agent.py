#!/usr/bin/python3
# The guest agent: Debian's own in the guest, stock clients outside.
import json
import os
import sys

from functions import *

import libvirt_qemu

V = libvirt
PACKAGES = """libc6 libgcc-s1 libglib2.0-0 libpcre2-8-0 libnuma1 libudev1
    liburing2 qemu-guest-agent""".split()
CHANNELS = """
    <channel type='unix'>
      <target type='virtio' name='org.qemu.guest_agent.0'/>
    </channel>
    <channel type='unix'>
      <source mode='bind' path='{0}/echo'/>
      <target type='virtio' name='vireo.test.echo'/>
    </channel>
    <channel type='pty'><target type='virtio' name='vireo.test.pty'/></channel>
    <channel type='file'>
      <source path='{0}/written'/>
      <target type='virtio' name='vireo.test.file'/>
    </channel>"""
NAME = "org.qemu.guest_agent.0"
SETUP = r"""
mkdir -p /etc; cd /etc; echo root:x:0:0::/root:/bin/sh >passwd; echo 'root:*:::::::' >shadow
printf 'ID=vireo-test\nNAME=Test\n' >os-release; hostname agents-guest
ln -s /bin/hwclock /sbin/hwclock; mkdir -p /root /var/run /mnt /usr/share
printf '#!/bin/sh\ncase $* in *-r*) reboot -f;; esac; poweroff -f\n' >/sbin/shutdown
printf '#!/bin/sh\nread line; echo "got $*:$line" >/etc/chpasswd-got\n' >/bin/chpasswd
chmod 755 /sbin/shutdown /bin/chpasswd
for p in /sys/class/virtio-ports/*; do
ln -s ${p##*/} /dev/port-$(cat $p/name); done
mount -t ext4 /dev/vda /mnt"""


def agent_tree():
    """The agent and its libraries, kept beside the kernel."""
    tree = os.path.dirname(KERNEL_ROOT) + "/agent"
    p = subprocess.run([TOP + "/tests/guest/mkroot", tree, *PACKAGES])
    if p.returncode:
        print("skip: no packages for the guest")
        sys.exit(77)
    return tree


def add_agent(d):
    """A second archive with the agent, before the usual one."""
    subprocess.run([TOP + "/tests/guest/mkguest", d.dir + "/agent",
                    agent_tree(), HERE + "/init", "usr/sbin/qemu-ga"],
                   check=True)
    with open(d.dir + "/agent", "ab") as out, open(d.initrd, "rb") as usual:
        out.write(b"\0" * (-out.tell() % 512))
        shutil.copyfileobj(usual, out)
    os.rename(d.dir + "/agent", d.initrd)


def make_disk(d):
    subprocess.run(["mke2fs", "-q", "-t", "ext4", "-F", d.dir + "/disk", "32M"],
                   check=True)
    return f"""
    <disk type='file' device='disk'>
      <driver name='qemu' type='raw' discard='unmap'/>
      <source file='{d.dir}/disk'/><target dev='vdb' bus='virtio'/>
      <serial>AGENT-1</serial>
    </disk>"""


def boot(con):
    con.wake()
    for line in SETUP.strip().split("\n"):
        con.send(line)
    con.run("ls -d /mnt/lost+found")


START = f"/usr/sbin/qemu-ga -d -m virtio-serial -p /dev/port-{NAME} -f /var/run/qga.pid"


def states(g):
    return dict(re.findall(
        r"<target type='virtio' name='([^']*)' state='([^']*)'/>",
        g.XMLDesc()))


def raw(g, command, timeout=-2, **args):
    text = json.dumps({"execute": command, "arguments": args} if args else
                      {"execute": command})
    return json.loads(libvirt_qemu.qemuAgentCommand(g, text, timeout, 0))


def absent(d, g):
    """Nobody is there: no call waits long, and each says why."""
    code = V.VIR_ERR_AGENT_UNRESPONSIVE
    assert states(g)[NAME] == "disconnected"
    for fn, *args in ((g.getTime,), (g.hostname,), (g.fsInfo,),
                      (g.guestInfo,), (g.fsFreeze,),
                      (g.shutdownFlags, V.VIR_DOMAIN_SHUTDOWN_GUEST_AGENT),
                      (raw, g, "guest-ping")):
        assert "is not connected" in fails(code, fn, *args)
    fails(V.VIR_ERR_INVALID_ARG, raw, g, "guest-ping", -3)
    fails(V.VIR_ERR_INVALID_ARG, g.agentSetResponseTimeout, -3)
    fails(V.VIR_ERR_NO_SUPPORT, libvirt_qemu.qemuMonitorCommand, g, "{}", 0)


def mute(d, g, con):
    """The channel is open in the guest, but no agent answers.  Meanwhile
    other calls go on, on a connection of their own: libvirt 9.0's client may
    miss that one thread wakes another."""
    con.send(f"sleep 600 <>/dev/port-{NAME} & echo")
    until("a connection", lambda: states(g)[NAME] == "connected")
    result = []

    def ask():
        try:
            d.open().lookupByName("g").getTime()
        except libvirt.libvirtError as e:
            result.append(e.get_error_code())

    t = threading.Thread(target=ask)
    t.start()
    n = 0
    while t.is_alive():
        g.info(), g.XMLDesc(), g.state()
        g.setAutostart(n % 2)
        n += 1
    t.join()
    assert result == [V.VIR_ERR_AGENT_UNRESPONSIVE] and n > 1, (result, n)
    con.run("kill $!")
    until("the end of it", lambda: states(g)[NAME] == "disconnected")


def commands(d, g, con):
    con.run(START)
    until("the agent", lambda: states(g)[NAME] == "connected")
    assert raw(g, "guest-ping") == {"return": {}}
    assert raw(g, "guest-sync", id=4711) == {"return": 4711}
    text = fails(V.VIR_ERR_INTERNAL_ERROR, raw, g, "guest-nonsense")
    assert "guest-nonsense" in text and "has not been found" in text, text
    fails(V.VIR_ERR_INVALID_ARG, libvirt_qemu.qemuAgentCommand, g, "{", -2, 0)
    out = json.loads(d.virsh("qemu-agent-command", "g",
                             '{"execute":"guest-info"}'))
    assert out["return"]["version"].startswith("7.2"), out
    assert g.agentSetResponseTimeout(60) == 0
    assert raw(g, "guest-ping", timeout=10) == {"return": {}}
    # Long in both ways: what is written to a file is read again.
    handle = raw(g, "guest-file-open", path="/tmp-file", mode="w+")["return"]
    data = "QUJD" * 15000
    written = raw(g, "guest-file-write", handle=handle,
                  **{"buf-b64": data})["return"]
    assert written["count"] == 45000
    raw(g, "guest-file-seek", handle=handle, offset=0, whence="set")
    back = raw(g, "guest-file-read", handle=handle, count=100000)["return"]
    assert back["count"] == 45000 and back["buf-b64"] == data
    raw(g, "guest-file-close", handle=handle)


def facts(d, g, con):
    assert g.hostname(V.VIR_DOMAIN_GET_HOSTNAME_AGENT) == "agents-guest"
    assert d.virsh("domhostname", "g").strip() == "agents-guest"
    fs, = [f for f in g.fsInfo() if f[0] == "/mnt"]
    assert list(fs[1:]) == ["vda", "ext4", ["vdb"]], fs
    assert re.search(r"/mnt +vda +ext4 +vdb", d.virsh("domfsinfo", "g"))
    info = g.guestInfo()
    assert info["hostname"] == "agents-guest"
    assert info["os.id"] == "vireo-test" and info["os.machine"] == "x86_64"
    assert info["os.kernel-release"] == con.run("uname -r")
    assert info["timezone.offset"] == 0 and info["user.count"] == 0
    n, = [i for i in range(info["fs.count"])
          if info[f"fs.{i}.mountpoint"] == "/mnt"]
    assert info[f"fs.{n}.disk.0.alias"] == "vdb"
    assert info[f"fs.{n}.total-bytes"] > info[f"fs.{n}.used-bytes"] > 0
    disks = {info[f"disk.{i}.name"]: info.get(f"disk.{i}.alias")
             for i in range(info["disk.count"])}
    assert disks.get("/dev/vda") == "vdb", disks
    fails(V.VIR_ERR_INVALID_ARG, g.guestInfo, 1 << 20)
    only = g.guestInfo(V.VIR_DOMAIN_GUEST_INFO_OS)
    assert only and all(k.startswith("os.") for k in only), only
    con.run("ifconfig lo 127.0.0.1 up; ip addr add 192.0.2.9/24 dev lo")
    lo = g.interfaceAddresses(V.VIR_DOMAIN_INTERFACE_ADDRESSES_SRC_AGENT)["lo"]
    assert {"addr": "192.0.2.9", "prefix": 24,
            "type": V.VIR_IP_ADDR_TYPE_IPV4} in lo["addrs"], lo
    out = d.virsh("domifaddr", "g", "--source", "agent", "--full")
    assert "192.0.2.9/24" in out, out


def clock(d, g, con):
    g.setTime({"seconds": 1234567890, "nseconds": 0})
    assert 0 <= g.getTime()["seconds"] - 1234567890 < 3600
    assert int(con.run("date +%s")) - 1234567890 < 3600
    d.virsh("domtime", "g", "--now")
    assert abs(g.getTime()["seconds"] - time.time()) < 3600


def filesystems(d, g, con):
    con.run("dd if=/dev/zero of=/mnt/big bs=1M count=20; sync; "
            "rm /mnt/big; sync")
    before = os.stat(d.dir + "/disk").st_blocks
    g.fSTrim(None, 0)
    assert os.stat(d.dir + "/disk").st_blocks < before - 20000, before
    fails(V.VIR_ERR_ARGUMENT_UNSUPPORTED, g.fSTrim, "/mnt", 0)
    assert g.fsFreeze() == 1
    con.send("touch /mnt/late & echo")
    assert raw(g, "guest-fsfreeze-status")["return"] == "frozen"
    text = fails(V.VIR_ERR_INTERNAL_ERROR, g.fSTrim, None, 0)
    assert "guest-fstrim" in text, text
    assert g.fsThaw() == 1
    until("the file", lambda: "late" in con.run("ls /mnt"))
    assert g.fsFreeze(["/mnt"]) == 1
    d.virsh("domfsthaw", "g")
    assert raw(g, "guest-fsfreeze-status")["return"] == "thawed"


def users(d, g, con):
    d.virsh("set-user-password", "g", "root", "Vireo!")
    assert con.run("cat /etc/chpasswd-got") == "got :root:Vireo!"
    for crypted in "$6$abcdefgh$" + "x" * 86, "$", "$$", "$$$":
        g.setUserPassword("root", crypted, V.VIR_DOMAIN_PASSWORD_ENCRYPTED)
        assert con.run("cat /etc/chpasswd-got") == f"got -e:root:{crypted}"
    keys = ["ssh-ed25519 AAAA one@here", "ssh-ed25519 BBBB two@here"]
    g.authorizedSSHKeysSet("root", keys)
    assert sorted(g.authorizedSSHKeysGet("root")) == keys, con.run("cat /root/.ssh/*")
    g.authorizedSSHKeysSet("root", keys[:1],
                           V.VIR_DOMAIN_AUTHORIZED_SSH_KEYS_SET_REMOVE)
    g.authorizedSSHKeysSet("root", ["ssh-rsa CCCC"],
                           V.VIR_DOMAIN_AUTHORIZED_SSH_KEYS_SET_APPEND)
    assert con.run("cat /root/.ssh/authorized_keys").split("\n") == \
        [keys[1], "ssh-rsa CCCC"]


def processors(d, g, con):
    online = "cat /sys/devices/system/cpu/online"
    assert g.guestVcpus() == {"vcpus": "0-1", "online": "0-1",
                              "offlinable": "1"}
    d.virsh("setvcpus", "g", "1", "--guest")
    assert con.run(online) == "0"
    assert g.vcpusFlags(V.VIR_DOMAIN_VCPU_GUEST) == 1
    g.setGuestVcpus("1", 1)
    assert con.run(online) == "0-1"
    fails(V.VIR_ERR_INVALID_ARG, g.setGuestVcpus, "0", 0)
    fails(V.VIR_ERR_INVALID_ARG, g.setGuestVcpus, "7", 1)
    fails(V.VIR_ERR_INVALID_ARG, g.setVcpusFlags, 9, V.VIR_DOMAIN_VCPU_GUEST)


def channels(d, c, g, con):
    """Others than the agent's, each with another end."""
    # A port without anybody at its other end reads as ended.
    con.send("sh -c 'exec <>/dev/port-vireo.test.echo; while :; do "
             "cat >&0; sleep 0.1; done' & echo")
    until("the port", lambda: states(g)["vireo.test.echo"] == "connected")
    stream = c.newStream()
    g.openChannel("vireo.test.echo", stream)
    stream.send(b"there and back\n")
    got = b""
    while len(got) < 15:
        got += stream.recv(15 - len(got))
    assert got == b"there and back\n", got
    fails(V.VIR_ERR_OPERATION_FAILED, g.openChannel, "vireo.test.echo",
          c.newStream())
    stream.abort()
    con.run("echo to a file >/dev/port-vireo.test.file")
    with open(d.dir + "/written") as f:
        until("the line", lambda: "to a file\n" in f.read())
    fails(V.VIR_ERR_INTERNAL_ERROR, g.openChannel, "nonsense", c.newStream())


def restarted(d, g):
    """A new daemon finds the agent again."""
    d.up()
    c = d.open()
    g = c.lookupByName("g")
    until("the agent", lambda: states(g)[NAME] == "connected")
    assert g.hostname() == "agents-guest"
    return c, g


def switch_off(d, c, g, events, agents):
    g.reboot(V.VIR_DOMAIN_REBOOT_GUEST_AGENT)
    events.expect("g", "reboot")
    until("the agent's end", lambda: states(g)[NAME] == "disconnected")
    con = StreamConsole(c, g)
    boot(con)
    con.run(START)
    until("the agent", lambda: states(g)[NAME] == "connected")
    # As in libvirt: without a flag the agent is asked first.
    con.send("cat /dev/input/event* >/dev/null &")
    g.shutdown()
    events.expect("g", (V.VIR_DOMAIN_EVENT_SHUTDOWN,
                        V.VIR_DOMAIN_EVENT_SHUTDOWN_GUEST),
                  (V.VIR_DOMAIN_EVENT_STOPPED,
                   V.VIR_DOMAIN_EVENT_STOPPED_SHUTDOWN))
    assert agents[:2] == [2, 1], agents


with Daemon() as d:
    add_agent(d)
    c = d.open()
    agents = []
    c.domainEventRegisterAny(
        None, V.VIR_DOMAIN_EVENT_ID_AGENT_LIFECYCLE,
        lambda conn, dom, state, reason, _: agents.append(state), None)
    g = c.defineXML(d.xml("g", make_disk(d) + CHANNELS.format(d.dir), vcpus=2)
                    .replace("<memory unit='MiB'>128",
                             "<memory unit='MiB'>256"))
    g.create()
    con = StreamConsole(c, g)
    boot(con)
    absent(d, g)
    mute(d, g, con)
    commands(d, g, con)
    facts(d, g, con)
    clock(d, g, con)
    filesystems(d, g, con)
    users(d, g, con)
    processors(d, g, con)
    channels(d, c, g, con)
    until("three events", lambda: agents == [1, 2, 1])
    con.close()
    c, g = restarted(d, g)
    events, agents = Events(c), []
    c.domainEventRegisterAny(
        None, V.VIR_DOMAIN_EVENT_ID_AGENT_LIFECYCLE,
        lambda conn, dom, state, reason, _: agents.append(state), None)
    switch_off(d, c, g, events, agents)
print("ok")
