#!/usr/bin/python3
# board.py ENGINE: a stock kernel finds what firmware tells of: a TPM on both
# of its interfaces, the generation id, HPET; and a
# virtio graphics card is saved.  The guest's half is board.init.
#
# GENERIC_ROOT: where Debian's generic kernel package is unpacked.  BOARD: some
# of "reset q35 microvm", for less.
import hashlib
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import uuid

here = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, here)
from vmm import Vmm  # noqa: E402

root = os.environ.get("GENERIC_ROOT", "")
engine = sys.argv[1] if len(sys.argv) > 1 else ""
what = os.environ.get("BOARD", "reset q35 microvm").split()
ZERO = bytes(32)
EXTENDED = hashlib.sha256(ZERO + ZERO).hexdigest().upper()


# A TPM with its state in a folder, as the daemon starts it; it ends with the
# VMM that has the other ends.
class Tpm:
    def __init__(self, directory):
        control, data = (socket.socketpair() for _ in range(2))
        self.fds = [control[0].detach(), data[0].detach()]
        self.process = subprocess.Popen(
            ["swtpm", "socket", "--tpm2", "--tpmstate", "dir=" + directory,
             "--ctrl", "type=unixio,clientfd=%d" % control[1].fileno(),
             "--fd", str(data[1].fileno())],
            pass_fds=(control[1].fileno(), data[1].fileno()))
        control[1].close()
        data[1].close()

    # The VMM has them.
    def handed_over(self):
        for fd in self.fds:
            os.close(fd)

    def close(self):
        self.process.wait(60)


class Machine:
    def __init__(self, directory, name, spec, cmdline="", restore=None):
        own = os.path.join(directory, name)
        os.mkdir(own)
        state = os.path.join(own, "tpm")
        os.mkdir(state)
        self.tpm = Tpm(state)
        fds = list(self.tpm.fds)
        spec = dict(spec, tpm_control_fd=lambda base: base,
                    tpm_data_fd=lambda base: base + 1,
                    cmdline="console=ttyS0 quiet panic=-1 " + cmdline)
        if restore is not None:
            fds.append(restore)
            spec["restore_fd"] = lambda base: base + 2
        self.vmm = Vmm(own, os.path.join(own, "serial"))
        boot = [f for f in os.listdir(root + "/boot")
                if f.startswith("vmlinuz")]
        self.vmm.start(engine, os.path.join(root, "boot", boot[0]),
                       os.path.join(directory, "initrd"), spec, fds, 256)
        self.tpm.handed_over()

    def save(self, path):
        fd = os.open(path, os.O_RDWR | os.O_CREAT)
        self.vmm.call("save", [fd], offset=0, format="zstd")
        return fd

    def close(self):
        self.vmm.close()
        self.tpm.close()


def expect(vmm, what, want):
    got = vmm.said(what + ": ")
    assert got == want, (what, got, want)


def check_tpm(vmm):
    expect(vmm, "tpm", "2")
    expect(vmm, "before", ZERO.hex())
    assert vmm.said("extend: ").startswith("8002000000130000000000000000")
    expect(vmm, "after", EXTENDED)
    resets = int(vmm.said("resets: "), 16)
    random = vmm.said("random: ")
    assert random.startswith("80010000001c000000000010"), random
    assert len(random) == 56 and len(set(random[24:])) > 4, random
    return resets


# A reset of the machine is one of the TPM.
def check_reset(directory):
    m = Machine(directory, "reset", {"tpm": "tis", "on_reboot": "restart"},
                "do=reboot")
    try:
        first = check_tpm(m.vmm)
        # With a command response buffer Linux does not trust AMD's ones.
        assert "tpm-rng-0" in m.vmm.said("sources: ").split()
        want = "resets: %08x" % (first + 1)
        m.vmm.said(want)
    finally:
        m.close()
    print("ok: TPM on a FIFO interface, and its reset")


ID = "00112233-4455-6677-8899-aabbccddeeff"
OTHER = "ffeeddcc-bbaa-9988-7766-554433221100"


# As the guest reads it: the first three numbers in its own byte order.
def seen(text):
    data = uuid.UUID(text).bytes_le
    return " ".join("0x%016X" % int.from_bytes(data[i:i + 8], "little")
                    for i in (0, 8))


# The lower half: no cursor blinks there.  The driver tells of what was painted
# when it likes; random bytes leave nothing black.
def painted(vmm):
    end = time.monotonic() + 240
    while time.monotonic() < end:
        picture = vmm.screenshot()
        assert (picture.width, picture.height) == (640, 480)
        half = picture.data[len(picture.data) // 2:]
        if bytes(64) not in half:
            return half
        time.sleep(0.1)
    raise AssertionError("the guest's picture is not all there")


# Elsewhere, with a TPM of another state: it gets the saved one's.  And it is
# told that it is another machine than the saved one.
def check_saved(directory, machine):
    spec = {"tpm": "crb", "machine": machine, "has_genid": True,
            "genid": ID.replace("-", ""), "hpet": machine == "q35",
            "videos": [{"id": "video0", "kind": "virtio", "vram": 16 << 20,
                        "width": 640, "height": 480}]}
    m = Machine(directory, "saved-" + machine, spec, "do=genid")
    try:
        check_tpm(m.vmm)
        expect(m.vmm, "id", seen(ID))
        clocks = m.vmm.said("clocks: ").split()
        assert "hpet" in clocks or machine != "q35", clocks
        m.vmm.said("tick 1: pcr16 " + EXTENDED)
        m.vmm.said("painted")
        picture = painted(m.vmm)
        fd = m.save(os.path.join(directory, "image-" + machine))
    finally:
        m.close()
    spec["genid"] = OTHER.replace("-", "")
    m = Machine(directory, "restored-" + machine, spec, "do=genid", restore=fd)
    os.close(fd)
    try:
        m.vmm.said("tick")
        m.vmm.said("tick 3: pcr16 " + EXTENDED)
        expect(m.vmm, "forked", seen(OTHER))
        assert painted(m.vmm) == picture
    finally:
        m.close()
    print("ok: %s: TPM with a command response buffer, saved and restored; "
          "generation id, HPET" % machine)


def main():
    if not engine or not os.path.isdir(root + "/lib/modules") or \
            not shutil.which("swtpm"):
        print("needs ENGINE, GENERIC_ROOT and swtpm")
        return 77
    with tempfile.TemporaryDirectory() as directory:
        subprocess.run([here + "/mkinitrd", directory + "/initrd", root,
                        here + "/board.init", "drm", "drm_kms_helper",
                        "drm_shmem_helper", "virtio_dma_buf", "virtio-gpu"],
                       check=True)
        if "reset" in what:
            check_reset(directory)
        for machine in "q35", "microvm":
            if machine in what:
                check_saved(directory, machine)
    return 0


sys.exit(main())
