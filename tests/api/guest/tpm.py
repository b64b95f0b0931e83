#!/usr/bin/python3
# A TPM: a stock kernel uses it, it goes with a saved guest, its state stays
# until the domain is undefined, and who runs it can reach nothing else.
import hashlib

from functions import *

V = libvirt
TPM = "<tpm model='tpm-crb'><backend type='emulator' version='2.0'/></tpm>"
PCR = "/sys/class/tpm/tpm0/pcr-sha256/16"
EXTENDED = hashlib.sha256(bytes(64)).hexdigest().upper()

if not os.path.exists("/usr/bin/swtpm"):
    print("skip: needs the package swtpm")
    sys.exit(77)


def command(con, *parts):
    """A TPM's answer, TPM 2.0 Library, part 3."""
    octal = "".join(f"\\{b:03o}" for b in bytes.fromhex("".join(parts)))
    return bytes.fromhex(con.run(
        f"printf '{octal}' >/command; exec 4<>/dev/tpm0; cat /command >&4; "
        "dd bs=4096 count=1 <&4 2>/dev/null | hexdump -v -e '1/1 \"%02x\"'; "
        "exec 4>&-"))


def extend(con):
    """TPM2_PCR_Extend of PCR 16 by zeroes, with an empty password."""
    answer = command(con, "8002", "00000041", "00000182", "00000010",
                     "00000009", "40000009", "0000", "00", "0000",
                     "00000001", "000b", "00" * 32)
    assert answer[6:10] == bytes(4), answer
    assert con.run("cat " + PCR) == EXTENDED


def resets(con):
    """TPM2_ReadClock: how often it was reset."""
    return int.from_bytes(command(con, "8001", "0000000a", "00000181")[26:30],
                          "big")


def process(d, uid):
    """The swtpm that has this uid."""
    pids = subprocess.run(["pgrep", "-U", str(uid), "swtpm"],
                          stdout=subprocess.PIPE, text=True).stdout.split()
    return pids[0] if pids else None


def confined(d, dom, folder):
    uid = os.stat(folder).st_uid
    assert uid != os.stat(f"{d.dir}/run/vmm/{dom.UUIDString()}/status").st_uid
    pid = process(d, uid)
    with open(f"/proc/{pid}/status") as f:
        status = f.read()
    assert re.search(r"CapEff:\s+0+\n", status)
    assert re.search(r"NoNewPrivs:\s+1\n", status)
    assert sorted(os.listdir(f"/proc/{pid}/root")) == \
        ["bin", "lib", "lib64", "state", "usr"]
    for ns in "net", "mnt", "ipc", "pid":
        assert os.readlink(f"/proc/{pid}/ns/{ns}") != \
            os.readlink(f"/proc/self/ns/{ns}")
    return uid


def boot(c, dom):
    dom.create()
    con = StreamConsole(c, dom)
    con.wake()
    return con


with Daemon() as d:
    c = d.open()
    dom = c.defineXML(d.xml("t", TPM))
    folder = f"{d.dir}/state/tpm/{dom.UUIDString()}"
    con = boot(c, dom)
    extend(con)
    first = resets(con)
    uid = confined(d, dom, folder)
    con.close()

    dom.managedSave()
    until("the TPM ends with its machine", lambda: not process(d, uid))
    con = boot(c, dom)
    assert con.run("cat " + PCR) == EXTENDED
    con.close()
    dom.destroy()

    con = boot(c, dom)
    assert con.run("cat " + PCR) == "0" * 64
    assert resets(con) > first
    con.close()
    dom.destroy()
    assert os.path.isdir(folder) and os.stat(folder).st_uid == uid
    dom.undefineFlags(V.VIR_DOMAIN_UNDEFINE_KEEP_TPM)
    assert os.path.isdir(folder)
    dom = c.defineXML(d.xml("t", TPM).replace(
        "</name>", f"</name><uuid>{dom.UUIDString()}</uuid>"))
    dom.undefine()
    assert not os.path.exists(folder)

    text = fails(V.VIR_ERR_CONFIG_UNSUPPORTED, c.createXML,
                 d.xml("t", TPM.replace("2.0", "1.2")))
    assert "2.0" in text, text
    c.close()
print("a TPM: all right")
