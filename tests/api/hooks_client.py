# tests/api/hooks_client.py URI DIR -- what tests/api/hooks.sh says; DIR has the
# guest (tiny) and the scripts' folder (hooks).
import os

from shared import *

URI, DIR = sys.argv[1:]
HOOKS, LOG = DIR + "/hooks", DIR + "/calls"
SCRIPT = """#!/bin/sh
{{ echo "{who} $*"; cat; echo; echo ...; }} >>{log}
[ ! -e {dir}/forbid-$2 ] || {{ echo "not today" >&2; exit 3; }}
"""


def xml(name, more=""):
    """A guest that halts for ever."""
    return f"""<domain type='vireo'><name>{name}</name>{more}
<memory unit='MiB'>16</memory><vcpu>1</vcpu>
<os><type arch='x86_64' machine='microvm'>hvm</type>
<kernel>{DIR}/tiny</kernel></os></domain>"""


def script(name, mode=0o755):
    with open(f"{HOOKS}/{name}", "w") as f:
        f.write(SCRIPT.format(who=name, log=LOG, dir=DIR))
    os.chmod(f"{HOOKS}/{name}", mode)


def forbid(op, on=True):
    path = f"{DIR}/forbid-{op}"
    if on:
        open(path, "w").close()
    else:
        os.unlink(path)


def calls():
    """What was called since last time, and the inputs."""
    if not os.path.exists(LOG):
        return [], []
    with open(LOG) as f:
        parts = f.read().split("\n...\n")[:-1]
    os.unlink(LOG)
    parts = [part.partition("\n") for part in parts]
    return [p[0] for p in parts], [p[2] for p in parts]


BEGUN = ["prepare begin -", "start begin -", "started begin -"]
ENDED = ["stopped end -", "release end -"]

os.mkdir(HOOKS + "/qemu.d")
script("qemu")
c = libvirt.open(URI)
dom = c.defineXML(xml("one"))
assert calls()[0] == []
dom.create()
got, inputs = calls()
assert got == ["qemu one " + x for x in BEGUN], got
for text in inputs:
    root = ET.fromstring(text)
    assert root.tag == "domain" and root.findtext("name") == "one"
    assert root.findtext("uuid") == dom.UUIDString()
dom.destroy()
got, inputs = calls()
assert got == ["qemu one " + x for x in ENDED], got
assert all(ET.fromstring(x).findtext("name") == "one" for x in inputs)

# One that says no, at each of the times when it is asked.
for i, op in enumerate(("prepare", "start", "started")):
    forbid(op)
    text = fails(libvirt.VIR_ERR_HOOK_SCRIPT_FAILED, dom.create)
    assert f"qemu one {op} begin -" in text and "not today" in text and \
        "Hook script execution failed" in text and \
        "exit status 3" in text, text
    assert not dom.isActive()
    got = calls()[0]
    assert got == ["qemu one " + x for x in BEGUN[:i + 1] + ENDED], got
    forbid(op, False)

# When it is over, nobody is asked.
dom.create()
forbid("stopped")
dom.destroy()
assert not dom.isActive()
forbid("stopped", False)
calls()

# Several, by name; what others could write to, or cannot run, is left out.
for name, mode in (("b", 0o755), ("a", 0o700), ("open", 0o777),
                   ("text", 0o644), (".hidden", 0o755)):
    script("qemu.d/" + name, mode)
t = c.createXML(xml("two"))
want = [f"{who} two {op}" for op in BEGUN
        for who in ("qemu", "qemu.d/a", "qemu.d/b")]
got = calls()[0]
assert got == want, got
t.destroy()
calls()

# One that does not read its input, which is long.
os.unlink(HOOKS + "/qemu")
for name in os.listdir(HOOKS + "/qemu.d"):
    os.unlink(HOOKS + "/qemu.d/" + name)
with open(HOOKS + "/qemu", "w") as f:
    f.write("#!/bin/sh\nexec true\n")
os.chmod(HOOKS + "/qemu", 0o755)
c.createXML(xml("big", f"<description>{'x' * (1 << 20)}</description>")
            ).destroy()

# One that is killed.
with open(HOOKS + "/qemu", "w") as f:
    f.write("#!/bin/sh\nkill -KILL $$\n")
text = fails(libvirt.VIR_ERR_HOOK_SCRIPT_FAILED, dom.create)
assert "fatal signal 9" in text, text
c.close()
calls()
