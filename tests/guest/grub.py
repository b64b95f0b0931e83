#!/usr/bin/python3
# grub.py ENGINE DISK MEMORY LINE... WORDS: types LINEs at the GRUB of Debian's
# rescue CD-ROM, which SeaBIOS starts on q35, DISK beside it, then "boot", until
# the machine says WORDS (a regular expression).  SeaBIOS is GRUB's screen and
# keyboard on the serial port.
#
# VMM: the program.  GRUB_RESCUE, SEABIOS: other images.
import os
import re
import socket
import subprocess
import sys
import tempfile
import time

SEABIOS = os.environ.get("SEABIOS", "/usr/share/seabios/bios-256k.bin")
RESCUE = os.environ.get("GRUB_RESCUE",
                        "/usr/lib/grub-rescue/grub-rescue-cdrom.iso")
LIMIT = 900  # seconds from one thing to the next, on a busy machine
ESCAPES = re.compile(rb"\x1b[\[(][0-9;?]*[A-Za-z0-9]")


class Machine:
    def __init__(self, vmm, directory, engine, disk, memory):
        path = os.path.join(directory, "serial")
        self.raw = b""
        self.seen = 0  # of what was said, escape sequences aside
        self.process = subprocess.Popen(
            [vmm, "--engine", engine, "--memory", memory, "--firmware",
             SEABIOS, "--serial", "unix:" + path, "--no-reboot",
             "--timeout", str(2 * LIMIT),
             "--disk", RESCUE + ",sata,cdrom,boot=1",
             "--disk", disk + ",ro,boot=2"], stdin=subprocess.DEVNULL)
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(1)
        end = time.monotonic() + LIMIT
        while self.socket.connect_ex(path):
            if time.monotonic() > end or self.process.poll() is not None:
                self.fail("no serial port")
            time.sleep(0.1)

    def fail(self, why):
        print("FAIL:", why)
        print(ESCAPES.sub(b"", self.raw)[-2000:].decode(errors="replace"))
        sys.exit(1)

    # Waits for what has not been seen yet.
    def until(self, pattern):
        end = time.monotonic() + LIMIT
        while True:
            match = re.compile(pattern).search(ESCAPES.sub(b"", self.raw),
                                               self.seen)
            if match:
                self.seen = match.end()
                return
            if time.monotonic() > end or self.process.poll() is not None:
                self.fail("it never says " + repr(pattern))
            try:
                self.raw += self.socket.recv(65536)
            except socket.timeout:
                pass

    # A key at a time: a keyboard's buffer is short.
    def type(self, line):
        for char in line:
            self.socket.send(char.encode())
            if char != " ":
                self.until(re.escape(char.encode()))
        self.socket.send(b"\r")

    def end(self):
        self.process.kill()
        self.process.wait()


def main():
    vmm = os.environ.get("VMM", "vireo-vmm")
    engine, disk, memory, *lines, words = sys.argv[1:]
    with tempfile.TemporaryDirectory() as directory:
        m = Machine(vmm, directory, engine, disk, memory)
        try:
            m.until(b"for a command-line")
            m.socket.send(b"c")
            for line in lines + ["boot"]:
                m.until(b"grub>")
                m.type(line)
            m.until(words.encode())
        finally:
            m.end()


main()
