#!/usr/bin/python3
# The daemon ends in every way while a guest runs, and finds it again.
import signal

from functions import *

V = libvirt


def back(d, ident, name="g"):
    """A connection to the daemon after a restart, and the guest."""
    d.up()
    c = d.open()
    g = c.lookupByName(name)
    assert g.ID() == ident and g.state()[0] == V.VIR_DOMAIN_RUNNING
    return c, g


def alive(pid):
    try:
        with open(f"/proc/{pid}/stat") as f:
            return f.read().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


with Daemon() as d:
    c = d.open()
    g = c.defineXML(d.xml("g"))
    g.create()
    con = StreamConsole(c, g)
    con.wait_prompt()
    con.run("touch /same")
    ident, vmm = g.ID(), d.vmm_pid(g)
    paused = c.createXML(d.xml("p"), V.VIR_DOMAIN_START_PAUSED)

    kills = ((signal.SIGTERM, "priv"), (signal.SIGKILL, "main"),
             (signal.SIGKILL, "priv"), (signal.SIGKILL, "both"))
    for sig, who in kills:
        priv, main = d.pids()
        for pid in {"priv": [priv], "main": [main],
                    "both": [main, priv]}[who]:
            os.kill(pid, sig)
        until(f"the end after {sig.name} of {who}",
              lambda: not alive(priv) and not alive(main))
        assert alive(vmm)
        c, g = back(d, ident)
        assert d.vmm_pid(g) == vmm
        assert c.lookupByName("p").state()[0] == V.VIR_DOMAIN_PAUSED
        con = StreamConsole(c, g)
        con.send("")
        con.wait_prompt()
        con.run("[ -e /same ]")
        # It is really connected again.
        g.suspend()
        g.resume()

    # It is killed, or switches off, while nobody looks.
    p = c.lookupByName("p")
    uuid_p = p.UUIDString()
    pid_p = d.vmm_pid(p)
    priv, main = d.pids()
    con.send("sleep 3; poweroff -f")
    time.sleep(1)
    os.kill(priv, signal.SIGTERM)
    until("the daemon's end", lambda: not alive(priv) and not alive(main))
    os.kill(pid_p, signal.SIGKILL)
    until("the guest's end", lambda: not alive(vmm) and not alive(pid_p))
    d.up()
    c = d.open()
    g = c.lookupByName("g")
    assert g.state() == [V.VIR_DOMAIN_SHUTOFF, V.VIR_DOMAIN_SHUTOFF_SHUTDOWN]
    fails(V.VIR_ERR_NO_DOMAIN, c.lookupByUUIDString, uuid_p)
    assert os.listdir(d.dir + "/run/vmm") == []

    # Marked for it, it starts with the host's next boot, not with a daemon's.
    g.setAutostart(1)
    d.up()
    c = d.open()
    g = c.lookupByName("g")
    assert g.autostart() == 1 and not g.isActive()
    g.undefine()
print("a daemon's restarts: all right")
