#!/usr/bin/python3
# Our CPU models beside those of others on this machine: libvirt's CPU map,
# QEMU's definitions, and what the compiler takes x86-64-v* to be.
import glob
import json
import os
import re
import shutil
import subprocess
import sys

MAP = "/usr/share/libvirt/cpu_map"
QEMU = shutil.which("qemu-system-x86_64")
CC = shutil.which("cc")

out = subprocess.run(["tests/unit/cpu/dump"], check=True, text=True,
                     stdout=subprocess.PIPE).stdout
models, known = {}, set()
for line in out.splitlines():
    kind, name, *rest = line.split("|")
    if kind == "feature":
        known.add(name)
        continue
    vendor, family, model, stepping, brand, features = rest
    models[name] = ((vendor, int(family), int(model), int(stepping), brand),
                    set(features.split(", ")))

failed = compared = 0


def expect(what, wrong):
    global failed
    if wrong:
        print(f"{what}: {' '.join(sorted(wrong))}")
        failed += 1


# ---- libvirt's map ----

# Gone from processors, or of the MSRs that no engine offers; and models where
# we side with QEMU.
LEFT_OUT = {"mpx", "rdctl-no", "ibrs-all", "skip-l1dfl-vmentry", "mds-no",
            "pschange-mc-no", "taa-no", "split-lock-detect",
            "sbdr-ssdp-no", "fbsdp-no", "psdp-no", "gds-no"}
ABSENT = {"cpu64-rhel5", "cpu64-rhel6"}
EXCEPT = {"qemu64": {"abm", "popcnt", "sse4a"}, "Opteron_G2": {"rdtscp"}}

for path in glob.glob(MAP + "/x86_*.xml"):
    with open(path) as f:
        text = f.read()
    name = os.path.basename(path)[4:-4]
    features = set(re.findall(r"<feature name='([^']*)'/>", text))
    if name == "features":
        listed = set(re.findall(r"<feature name='([^']*)'", text))
        expect("libvirt knows, we do not", listed - known)
    elif name != "vendors" and name not in ABSENT:
        expect("no model", set() if name in models else {name})
        lacks = features - models[name][1] - LEFT_OUT
        expect(f"libvirt's {name} has", lacks - EXCEPT.get(name, set()))
        compared += 1

# ---- QEMU ----

ALIAS = {"pclmulqdq": "pclmuldq", "nrip_save": "nrip-save",
         "tsc-deadline": "tsc-deadline", "fxsr-opt": "fxsr_opt",
         "lahf-lm": "lahf_lm", "sse4-1": "sse4.1", "sse4-2": "sse4.2",
         "perfctr-core": "perfctr_core", "tsc-adjust": "tsc_adjust"}
# VME is not in QEMU's answers; it gave some names to later versions.
SIDE = {"vme", "hypervisor", "monitor", "arch-capabilities", "xsaves"}


class Qmp:
    def __init__(self):
        self.p = subprocess.Popen(
            [QEMU, "-M", "none", "-nodefaults", "-display", "none", "-S",
             "-qmp", "stdio"], stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, text=True)
        self.p.stdout.readline()
        self("qmp_capabilities")

    def __call__(self, command, **args):
        print(json.dumps({"execute": command, "arguments": args}),
              file=self.p.stdin, flush=True)
        while True:
            answer = json.loads(self.p.stdout.readline())
            if "return" in answer or "error" in answer:
                return answer.get("return")


def compare_qemu():
    global compared
    qemu = Qmp()
    for name, (identity, ours) in models.items():
        r = qemu("query-cpu-model-expansion", type="full",
                 model={"name": name})
        if not r:
            continue  # younger than this QEMU, or not its own
        p = r["model"]["props"]
        theirs = {ALIAS.get(k, k) for k, v in p.items() if v is True}
        expect(f"only one of {name} and QEMU's has",
               ((theirs & known) ^ ours) - SIDE - LEFT_OUT)
        brand = p["model-id"] or identity[4]
        if identity[0]:
            expect(f"{name} is to QEMU", set() if identity == (
                p["vendor"], p["family"], p["model"], p["stepping"],
                brand) else {str(p)})
        compared += 1
    qemu("quit")
    qemu.p.wait()


if QEMU:
    compare_qemu()

# ---- the x86-64 psABI's levels, as the compiler knows them ----

MACROS = {"__SSE3__": "pni", "__SSSE3__": "ssse3", "__SSE4_1__": "sse4.1",
          "__SSE4_2__": "sse4.2", "__POPCNT__": "popcnt",
          "__GCC_HAVE_SYNC_COMPARE_AND_SWAP_16": "cx16",
          "__LAHF_SAHF__": "lahf_lm", "__AVX__": "avx", "__AVX2__": "avx2",
          "__BMI__": "bmi1", "__BMI2__": "bmi2", "__F16C__": "f16c",
          "__FMA__": "fma", "__LZCNT__": "abm", "__MOVBE__": "movbe",
          "__XSAVE__": "xsave", "__AVX512F__": "avx512f",
          "__AVX512BW__": "avx512bw", "__AVX512CD__": "avx512cd",
          "__AVX512DQ__": "avx512dq", "__AVX512VL__": "avx512vl",
          "__SSE2__": "sse2", "__FXSR__": "fxsr", "__MMX__": "mmx"}


def macros(level):
    march = "x86-64" if level == 1 else f"x86-64-v{level}"
    p = subprocess.run([CC, f"-march={march}", "-dM", "-E", "-"],
                       input="", text=True, stdout=subprocess.PIPE)
    if p.returncode:
        return None
    return {MACROS[w] for w in p.stdout.split() if w in MACROS}


for level in range(1, 5) if CC else ():
    want = macros(level)
    if want is None:
        continue
    ours = models[f"x86-64-v{level}"][1]
    expect(f"level {level} is to have", want - ours)
    if level < 4:  # ...and not yet what the next one brings
        expect(f"level {level} is not to have",
               ((macros(level + 1) or set()) - want) & ours)
    compared += 1

if not compared:
    print("skip: neither libvirt's CPU map nor QEMU nor a compiler is here")
    sys.exit(77)
print(f"{compared} comparisons, {failed} failed")
sys.exit(failed > 0)
