#!/usr/bin/python3
# The emulator's variants: chosen in metadata, seen in a domain's counters.
from functions import *

V = libvirt
JIT = any("bmi2" in line.split() for line in open("/proc/cpuinfo"))


def counters(d, name):
    """virsh domstats --vm: NAME of vm.NAME.sum to its value."""
    text = d.virsh("domstats", "--vm", name)
    return {k: int(v) for k, v in re.findall(r"vm\.(\w+)\.sum=(\d+)", text)}


def run(d, c, variant):
    """Boots a guest to its prompt; what was counted until then."""
    dom = c.createXML(d.xml("v", variant=variant))
    StreamConsole(c, dom).wait_prompt()
    got = counters(d, "v")
    more = counters(d, "v")
    record = c.domainListGetStats([dom], V.VIR_DOMAIN_STATS_VM)[0][1]
    assert set(got) == {k.split(".")[1] for k in record if k[:3] == "vm."}
    assert all(more[k] >= got[k] for k in got)
    assert got["instructions"] and got["tlb_misses"] and got["exits"], got
    dom.destroy()
    return got


def main(d):
    c = d.open()
    got = run(d, c, "interp")
    assert not [k for k in got if k.startswith("jit_")], got
    if JIT:
        got = run(d, c, "jit")
        for name in ("blocks", "code_bytes", "slow", "helpers", "links",
                     "lookups"):
            assert got["jit_" + name], (name, got)
    run(d, c, "")
    text = fails(V.VIR_ERR_OPERATION_FAILED, c.createXML,
                 d.xml("v", variant="steam"))
    assert "no variant 'steam'" in text, text
    text = fails(V.VIR_ERR_CONFIG_UNSUPPORTED, c.createXML,
                 d.xml("v", variant="2"))
    assert "<engine>" in text, text


with Daemon() as daemon:
    main(daemon)
print("variants of the emulator: all right")
