#!/usr/bin/python3
# What a stock kernel says of the CPU that its definition asked for.
import xml.etree.ElementTree as ET

from functions import *

# Linux's names of features where they differ; none of these does it hide.
LINUX = {"sse4.1": "sse4_1", "sse4.2": "sse4_2", "pclmuldq": "pclmulqdq",
         "sha-ni": "sha_ni", "cr8legacy": "cr8_legacy",
         "tsc-deadline": "tsc_deadline_timer"}
SHOWN = set(LINUX) | {
    "abm", "adx", "aes", "avx", "avx2", "bmi1", "bmi2",
    "clflushopt", "clwb", "clzero", "cx16", "f16c", "fma", "fsgsbase",
    "fxsr_opt", "invpcid", "lahf_lm", "misalignsse", "mmxext", "movbe",
    "pcid", "pdpe1gb", "pni", "popcnt", "rdpid", "rdrand", "rdseed",
    "rdtscp", "smap", "smep", "sse4a", "ssse3", "umip", "vaes",
    "vpclmulqdq", "x2apic", "xgetbv1", "xsave", "xsavec", "xsaveopt"}


def cpuinfo(shell):
    """The first CPU of /proc/cpuinfo."""
    text = shell.run("cat /proc/cpuinfo")
    info = {}
    for line in text.split("\n\n")[0].splitlines():
        key, _, value = line.partition(":")
        info[key.strip()] = value.strip()
    return info


def boot(d, c, cpu, vcpus=1):
    """The guest's shell, and its <cpu> as the run has it."""
    dom = c.createXML(d.xml("cpu", more=cpu, vcpus=vcpus))
    shell = StreamConsole(c, dom)
    shell.wake()
    return dom, shell, ET.fromstring(dom.XMLDesc()).find("cpu")


def end(dom, shell):
    shell.close()
    dom.destroy()


def features(c, cpu):
    """All features of a <cpu>, its model's too."""
    text = c.baselineCPU([ET.tostring(cpu, encoding="unicode")],
                         libvirt.VIR_CONNECT_BASELINE_CPU_EXPAND_FEATURES)
    return {f.get("name") for f in ET.fromstring(text).findall("feature")}


def check(d, c, cpu, want):
    dom, shell, live = boot(d, c, cpu)
    info = cpuinfo(shell)
    end(dom, shell)
    for key, value in want.items():
        assert info[key] == value, (key, value, info)
    flags = set(info["flags"].split())
    offered = features(c, live)
    got = {f for f in SHOWN if LINUX.get(f, f) in flags}
    assert got == offered & SHOWN, (cpu, got ^ (offered & SHOWN))
    return got


def usable(c, names):
    """The first of these models that this host can give."""
    caps = ET.fromstring(c.getDomainCapabilities(virttype="qemu"))
    yes = {m.text for m in caps.findall("cpu/mode/model")
           if m.get("usable") == "yes"}
    return next(n for n in names if n in yes)


def models(d, c):
    # What each is to a guest: CPUID's, as QEMU gave them.
    intel = {"Haswell-noTSX": ("60", "Intel Core Processor (Haswell, no TSX)"),
             "Westmere": ("44", "Westmere E56xx/L56xx/X56xx (Nehalem-C)"),
             "Penryn": ("23", "Intel Core 2 Duo P9xxx (Penryn Class Core 2)")}
    name = usable(c, intel)
    model, brand = intel[name]
    dom, shell, live = boot(d, c, f"<cpu mode='custom'><model>{name}</model>"
                            "<feature policy='disable' name='movbe'/></cpu>")
    info = cpuinfo(shell)
    end(dom, shell)
    assert info["vendor_id"] == "GenuineIntel" and info["model"] == model
    assert info["cpu family"] == "6" and info["model name"] == brand
    assert "movbe" not in info["flags"].split()
    got = check(d, c, "<cpu mode='custom'><model>Penryn</model></cpu>",
                {"model": "23", "cpu family": "6"})
    assert not got & {"avx", "aes", "popcnt"}
    name = usable(c, ("EPYC", "Opteron_G3", "Opteron_G1"))
    check(d, c, f"<cpu mode='custom'><model>{name}</model></cpu>",
          {"vendor_id": "AuthenticAMD"})
    name = usable(c, ("x86-64-v3", "x86-64-v2", "x86-64-v1"))
    check(d, c, f"<cpu><model>{name}</model></cpu>", {"cpu family": "15"})


def host(d, c):
    with open("/proc/cpuinfo") as f:
        name = re.search(r"model name\s*:\s*(.*)", f.read()).group(1).strip()
    check(d, c, "<cpu mode='host-model'/>", {})
    dom, shell, live = boot(d, c, "<cpu mode='host-passthrough'>"
                            "<topology sockets='1' cores='2' threads='2'/>"
                            "<cache mode='emulate' level='3'/>"
                            "<feature policy='optional' name='avx512f'/>"
                            "<feature policy='disable' name='rdseed'/></cpu>",
                            vcpus=4)
    info = cpuinfo(shell)
    assert info["model name"] == name, info
    assert info["siblings"] == "4" and info["cpu cores"] == "2", info
    assert not {"rdseed", "avx512f"} & set(info["flags"].split())
    cache = "/sys/devices/system/cpu/cpu3/cache/index"
    assert shell.run(f"cat {cache}3/size") == "16384K"
    assert shell.run(f"cat {cache}3/shared_cpu_list") == "0-3"
    assert shell.run(f"cat {cache}2/shared_cpu_list") == "2-3"
    end(dom, shell)


def odd(d, c):
    dom, shell, live = boot(d, c, "<cpu mode='custom'><model vendor_id="
                            "'VireoVireoVi'>kvm64</model>"
                            "<maxphysaddr mode='emulate' bits='36'/></cpu>")
    info = cpuinfo(shell)
    assert info["vendor_id"] == "VireoVireoVi", info
    assert info["address sizes"].startswith("36 bits physical"), info
    end(dom, shell)
    for cpu, word in (
            ("<cpu mode='custom'><model vendor_id='short'>kvm64</model></cpu>",
             "vendor_id"),
            ("<cpu mode='custom'><model>kvm64</model>"
             "<cache mode='passthrough'/></cpu>", "host-passthrough"),
            ("<cpu mode='host-passthrough'><cache mode='emulate' level='2'/>"
             "</cpu>", "level='3'")):
        text = fails(libvirt.VIR_ERR_CONFIG_UNSUPPORTED, c.createXML,
                     d.xml("cpu", more=cpu))
        assert word in text, text
    text = fails(libvirt.VIR_ERR_CPU_INCOMPATIBLE, c.createXML,
                 d.xml("cpu", more="<cpu><model>SapphireRapids</model></cpu>"))
    assert "amx-tile" in text and "host-model" in text, text


with Daemon() as d:
    c = d.open()
    odd(d, c)
    models(d, c)
    host(d, c)
    c.close()
