#!/usr/bin/python3
# <cpu> in all its modes, as the in-memory driver's guests get it: theirs is
# an EPYC-Rome, whatever the host is.
import xml.etree.ElementTree as ET

from functions import *

V = libvirt


def live_cpu(c, cpu):
    """The <cpu> of a run of this definition."""
    dom = c.createXML(xml("cpu", cpu))
    live = ET.fromstring(dom.XMLDesc()).find("cpu")
    dom.destroy()
    return live


def policies(cpu):
    return {f.get("name"): f.get("policy") for f in cpu.findall("feature")}


def refused(c, cpu, *words, code=V.VIR_ERR_CPU_INCOMPATIBLE):
    text = fails(code, c.createXML, xml("cpu", cpu))
    for word in words:
        assert word in text, text
    assert "cpu" not in [d.name() for d in c.listAllDomains()]


def custom(model, features="", attrs="", more=""):
    return (f"<cpu mode='custom' match='exact' {attrs}>"
            f"<model>{model}</model>{more}{features}</cpu>")


def feature(policy, name):
    return f"<feature policy='{policy}' name='{name}'/>"


def host_modes(c):
    cpu = live_cpu(c, "<cpu mode='host-passthrough' migratable='off'/>")
    assert cpu.get("mode") == "host-passthrough" and not policies(cpu)
    cpu = live_cpu(c, "<cpu mode='maximum'>"
                   + feature("optional", "aes") + feature("optional", "la57")
                   + feature("disable", "avx2") + "</cpu>")
    assert cpu.get("mode") == "maximum"
    assert policies(cpu) == {"aes": "require", "la57": "disable",
                             "avx2": "disable"}
    refused(c, "<cpu mode='host-passthrough'>" + feature("require", "la57")
            + "</cpu>", "la57", "policy='disable'")

    cpu = live_cpu(c, "<cpu mode='host-model'/>")
    assert cpu.get("mode") == "custom" and cpu.get("match") == "exact"
    assert cpu.get("check") == "full"
    assert cpu.find("model").text == "EPYC-Rome"
    assert cpu.find("model").get("fallback") == "forbid"
    assert cpu.findtext("vendor") == "AMD"
    assert policies(cpu)["hypervisor"] == "require"
    # What is for guests of the guest's own, it gets by name only.
    off = {name for name, policy in policies(cpu).items()
           if policy == "disable"}
    assert off <= {"svm", "npt", "nrip-save"}, off
    # What it became is a definition that gives the same again.
    again = live_cpu(c, ET.tostring(cpu, encoding="unicode"))
    assert policies(again) == policies(cpu)
    cpu = live_cpu(c, "<cpu mode='host-model'>" + feature("disable", "avx2")
                   + "</cpu>")
    assert policies(cpu)["avx2"] == "disable"

    # The definition stays as it was.
    dom = c.defineXML(xml("kept", "<cpu mode='host-model' check='partial'/>"))
    dom.create()
    kept = ET.fromstring(dom.XMLDesc(V.VIR_DOMAIN_XML_INACTIVE)).find("cpu")
    assert kept.get("mode") == "host-model" and not policies(kept)
    later = ET.fromstring(dom.XMLDesc(V.VIR_DOMAIN_XML_INACTIVE
                                      | V.VIR_DOMAIN_XML_UPDATE_CPU))
    assert later.findtext("cpu/model") == "EPYC-Rome"
    dom.destroy()
    dom.undefine()


def custom_models(c):
    cpu = live_cpu(c, custom("x86-64-v3", feature("optional", "la57")
                             + feature("force", "sha-ni")))
    got = policies(cpu)
    assert cpu.get("check") == "full" and got["la57"] == "disable"
    assert got["sha-ni"] == "require" and got["x2apic"] == "require"
    assert "avx2" not in got  # the model has it
    # Of no use in a guest: left out unless asked for.
    assert policies(live_cpu(c, custom("EPYC")))["svm"] == "disable"
    cpu = live_cpu(c, custom("EPYC", feature("require", "svm")))
    assert policies(cpu)["svm"] == "require"
    cpu = live_cpu(c, "<cpu><model>EPYC</model></cpu>")
    assert cpu.get("mode") == "custom"

    refused(c, custom("Skylake-Server"), "avx512f", "rtm", "host-model")
    cpu = live_cpu(c, custom("Skylake-Server", attrs="check='none'"))
    assert policies(cpu)["avx512f"] == "disable"
    gone = "".join(feature("disable", f) for f in (
        "hle", "rtm", "invpcid", "pcid", "erms", "tsc-deadline"))
    live_cpu(c, custom("Haswell", gone))
    refused(c, custom("Haswell-noTSX"), "pcid")
    refused(c, custom("EPYC", feature("forbid", "avx")), "avx", "forbid")
    live_cpu(c, custom("EPYC", feature("forbid", "la57")))
    refused(c, custom("qemu64").replace("exact", "strict"), "avx2")
    cpu = live_cpu(c, custom("qemu64").replace("exact", "minimum"))
    assert policies(cpu)["avx2"] == "require"

    code = V.VIR_ERR_CONFIG_UNSUPPORTED
    refused(c, custom("Frobnicator"), "Frobnicator", "cpu-models", code=code)
    refused(c, custom("EPYC", feature("require", "warp")), "warp", code=code)
    refused(c, custom("EPYC", more="<vendor>Intel</vendor>"), "Intel")
    live_cpu(c, custom("EPYC", more="<vendor>AMD</vendor>"))


def capabilities(c):
    caps = ET.fromstring(c.getDomainCapabilities(None, None, None, "test"))
    modes = {m.get("name"): m for m in caps.findall("cpu/mode")}
    assert {n: m.get("supported") for n, m in modes.items()} == {
        "host-passthrough": "yes", "maximum": "yes", "host-model": "yes",
        "custom": "yes"}
    assert modes["host-model"].findtext("model") == "EPYC-Rome"
    assert modes["host-model"].findtext("vendor") == "AMD"
    usable = {m.text: m.get("usable")
              for m in modes["custom"].findall("model")}
    assert set(usable) == set(c.getCPUModelNames("x86_64"))
    assert usable["EPYC"] == usable["x86-64-v3"] == "yes"
    assert usable["EPYC-Milan"] == usable["x86-64-v4"] == "no"
    blockers = {b.get("model"): {f.get("name") for f in b}
                for b in modes["custom"].findall("blockers")}
    assert set(blockers) == {m for m, u in usable.items() if u == "no"}
    assert "pcid" in blockers["EPYC-Milan"]
    assert blockers["x86-64-v4"] == {"avx512f", "avx512bw", "avx512cd",
                                     "avx512dq", "avx512vl"}
    for name, u in usable.items():  # what they say is what happens
        if u == "yes":
            live_cpu(c, custom(name))
        else:
            refused(c, custom(name), *blockers[name])


def comparing(d, c):
    host = ET.fromstring(c.getCapabilities()).find("host/cpu")
    assert host.findtext("model") in c.getCPUModelNames("x86_64")
    text = ET.tostring(host, encoding="unicode")
    assert c.compareCPU(text) == V.VIR_CPU_COMPARE_IDENTICAL
    assert c.compareCPU(custom("qemu64")) == V.VIR_CPU_COMPARE_SUPERSET
    assert c.compareCPU(custom("athlon", feature("require", "amx-tile"),
                               more="<vendor>Hygon</vendor>")) == \
        V.VIR_CPU_COMPARE_INCOMPATIBLE
    fails(V.VIR_ERR_CPU_INCOMPATIBLE, c.compareCPU,
          custom("pentium", more="<vendor>Hygon</vendor>"),
          V.VIR_CONNECT_COMPARE_CPU_FAIL_INCOMPATIBLE)
    fails(V.VIR_ERR_XML_DETAIL, c.compareCPU, "<cpu")
    fails(V.VIR_ERR_CONFIG_UNSUPPORTED, c.compareCPU, custom("Frobnicator"))

    def hypervisor(cpu):
        return c.compareHypervisorCPU(None, "x86_64", None, "test", cpu)

    assert hypervisor(custom("EPYC")) == V.VIR_CPU_COMPARE_SUPERSET
    assert hypervisor(custom("EPYC-Milan")) == V.VIR_CPU_COMPARE_INCOMPATIBLE
    caps = ET.fromstring(c.getDomainCapabilities(None, None, None, "test"))
    mode = caps.find("cpu/mode[@name='host-model']")
    mode.tag = "cpu"
    mode.attrib.clear()
    text = ET.tostring(mode, encoding="unicode")
    assert hypervisor(text) == V.VIR_CPU_COMPARE_IDENTICAL

    file = d.dir + "/cpu.xml"
    with open(file, "w") as f:
        f.write(custom("EPYC-Rome"))
    for args in (("cpu-models", "x86_64"),
                 ("hypervisor-cpu-compare", file, "--virttype", "test")):
        status, out, err = d.virsh(*args)
        assert status == 0, (args, out, err)


def baselines(d, c):
    def model(text):
        return ET.fromstring(text).findtext("model")

    two = [custom("Haswell"), custom("Penryn")]
    assert model(c.baselineCPU(two)) == "Penryn"
    cpu = ET.fromstring(c.baselineCPU(
        [custom("EPYC", feature("require", "ibpb")
                + feature("require", "invtsc"))] * 2))
    assert model(ET.tostring(cpu)) == "EPYC-IBPB"
    assert policies(cpu) == {"invtsc": "require"}
    cpu = ET.fromstring(c.baselineCPU(
        [custom("qemu64", feature("require", "invtsc"))],
        V.VIR_CONNECT_BASELINE_CPU_EXPAND_FEATURES |
        V.VIR_CONNECT_BASELINE_CPU_MIGRATABLE))
    assert policies(cpu)["sse2"] == "require"
    assert "invtsc" not in policies(cpu)
    fails(V.VIR_ERR_OPERATION_FAILED, c.baselineCPU,
          [custom("Haswell"), custom("EPYC")])
    fails(V.VIR_ERR_OPERATION_INVALID, c.baselineCPU,
          ["<cpu mode='host-passthrough'/>"])
    text = c.baselineHypervisorCPU(None, None, None, "test",
                                   [custom("EPYC-Milan")])
    assert model(text) == "EPYC-Rome"
    live_cpu(c, text)

    file = d.dir + "/two.xml"
    with open(file, "w") as f:
        f.write("".join(two))
    status, out, err = d.virsh("cpu-baseline", file)
    assert status == 0 and model(out) == "Penryn", (out, err)
    status, out, err = d.virsh("hypervisor-cpu-baseline", file,
                               "--virttype", "test")
    assert status == 0, (out, err)


with Daemon() as d:
    c = d.open()
    host_modes(c)
    custom_models(c)
    capabilities(c)
    comparing(d, c)
    baselines(d, c)
    ro = d.open_readonly()
    assert ro.compareCPU(custom("qemu64")) >= 0
    fails(V.VIR_ERR_OPERATION_DENIED, ro.compareHypervisorCPU, None, None,
          None, "test", custom("EPYC"))
    ro.close()
    c.close()
