#!/usr/bin/python3
# vhost_user_net.py SOCKET TAP: a program of our own that serves a network card
# by the vhost-user protocol, because Debian 12 has no small one (passt cannot
# yet, DPDK is large).  Frames go between the card's queues and a tap.
#
# Fields are as in QEMU's docs/interop/vhost-user, rings as in virtio 1.2's 2.7.
import fcntl
import mmap
import os
import select
import socket
import struct
import sys

FEATURES = 1 << 32 | 1 << 30  # version 1, protocol features
REPLY_ACK = 1 << 3
HEADER = bytes(10) + b"\1\0"  # of a frame: one buffer, no offloads
WRITE, NEXT = 2, 1


class Memory:
    """Guest memory, by guest and by the frontend's addresses."""

    def __init__(self, payload, fds):
        n = struct.unpack_from("<I", payload)[0]
        self.regions = []
        for i in range(n):
            gpa, size, user, offset = struct.unpack_from("<QQQQ", payload,
                                                         8 + 32 * i)
            self.regions.append(
                (gpa, user, size, mmap.mmap(fds[i], offset + size), offset))

    def find(self, addr, key):
        for r in self.regions:
            if r[key] <= addr < r[key] + r[2]:
                return r[3], r[4] + addr - r[key]
        raise IndexError(hex(addr))

    def get(self, fmt, addr, key=0):
        m, at = self.find(addr, key)
        return struct.unpack_from(fmt, m, at)

    def put(self, fmt, addr, *values, key=0):
        m, at = self.find(addr, key)
        struct.pack_into(fmt, m, at, *values)

    def bytes(self, addr, n):
        m, at = self.find(addr, 0)
        return m[at:at + n]

    def write(self, addr, data):
        m, at = self.find(addr, 0)
        m[at:at + len(data)] = data


class Queue:
    def __init__(self):
        self.num = self.base = 0
        self.kick = self.call = -1
        self.enabled = False

    def pop(self, mem):
        """A chain: its head and its (address, length, flags)."""
        if self.kick < 0 or not self.enabled:
            return None
        if mem.get("<H", self.avail + 2, 1)[0] == self.base:
            return None
        at = self.avail + 4 + 2 * (self.base % self.num)
        i = head = mem.get("<H", at, 1)[0]
        chain = []
        while True:
            addr, n, flags, following = mem.get("<QIHH", self.desc + 16 * i, 1)
            chain.append((addr, n, flags))
            if not flags & NEXT:
                break
            i = following
        self.base = (self.base + 1) & 0xffff
        return head, chain

    def push(self, mem, head, n):
        idx = mem.get("<H", self.used + 2, 1)[0]
        mem.put("<II", self.used + 4 + 8 * (idx % self.num), head, n, key=1)
        mem.put("<H", self.used + 2, (idx + 1) & 0xffff, key=1)
        os.eventfd_write(self.call, 1)


class Backend:
    def __init__(self, path, tap):
        self.queues = [Queue(), Queue()]
        self.mem = None
        self.tap = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
        # TUNSETIFF; IFF_TAP | IFF_NO_PI
        fcntl.ioctl(self.tap, 0x400454ca,
                    struct.pack("16sH22x", tap.encode(), 0x1002))
        with socket.socket(socket.AF_UNIX) as listening:
            listening.bind(path)
            listening.listen(1)
            self.peer = listening.accept()[0]

    # ---- messages, by number

    def message(self):
        head, fds, _, _ = socket.recv_fds(self.peer, 12, 8)
        if len(head) < 12:
            sys.exit(0)
        number, flags, size = struct.unpack("<III", head)
        payload = b""
        while len(payload) < size:
            payload += self.peer.recv(size - len(payload))
        answer = self.act(number, payload, fds)
        if answer is None and flags & 8:
            answer = struct.pack("<Q", 0)
        if answer is not None:
            self.peer.sendall(struct.pack("<III", number, 5, len(answer)) +
                              answer)

    def act(self, number, payload, fds):
        if number == 1:
            return struct.pack("<Q", FEATURES)
        if number == 15:
            return struct.pack("<Q", REPLY_ACK)
        if number == 5:
            self.mem = Memory(payload, fds)
        elif 8 <= number <= 11 or number == 18:
            i, value = struct.unpack_from("<II", payload)
            return self.set(number, self.queues[i], i, value, payload)
        elif number in (12, 13):
            q = self.queues[payload[0]]
            if number == 12:
                q.kick = fds[0]
            else:
                q.call = fds[0]
        return None

    def set(self, number, q, i, value, payload):
        if number == 8:
            q.num = value
        elif number == 9:
            q.desc, q.used, q.avail = struct.unpack_from("<QQQ", payload, 8)
        elif number == 10:
            q.base = value
        elif number == 11:
            q.kick = -1
            return struct.pack("<II", i, q.base)
        elif number == 18:
            q.enabled = bool(value)
        return None

    # ---- frames

    def transmit(self):
        while chain := self.queues[1].pop(self.mem):
            head, parts = chain
            frame = b"".join(self.mem.bytes(a, n) for a, n, _ in parts)
            os.write(self.tap, frame[len(HEADER):])
            self.queues[1].push(self.mem, head, 0)

    def receive(self):
        frame = HEADER + os.read(self.tap, 65536)
        chain = self.mem and self.queues[0].pop(self.mem)
        if not chain:
            return  # dropped: the driver has no room
        head, parts = chain
        done = 0
        for addr, n, _ in parts:
            part = frame[done:done + n]
            self.mem.write(addr, part)
            done += len(part)
        self.queues[0].push(self.mem, head, done)

    def run(self):
        while True:
            kicks = [q.kick for q in self.queues if q.kick >= 0]
            ready = select.select([self.peer, self.tap] + kicks, [], [])[0]
            for fd in ready:
                if fd in kicks:
                    os.eventfd_read(fd)
            if self.tap in ready:
                self.receive()
            self.transmit()
            if self.peer in ready:
                self.message()


Backend(sys.argv[1], sys.argv[2]).run()
