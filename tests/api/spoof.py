#!/usr/bin/python3
# tests/api/spoof.py OUT IN MAC IP [spoofed] -- frames that come out of the
# device OUT as a guest's with that MAC and IP address, and with others': which
# of them arrive at IN.  "spoofed": the others' do, too.
import os
import socket
import struct
import sys

out, into, mac, ip = sys.argv[1:5]
spoofed = sys.argv[5:] == ["spoofed"]
SECONDS = 120


def bytes_of(text):
    return bytes.fromhex(text.replace(":", ""))


ME, OTHER, ALL = bytes_of(mac), bytes_of("52:54:00:99:99:99"), b"\xff" * 6
number = 0


def checksum(header):
    n = sum(struct.unpack(">10H", header))
    n = (n & 0xffff) + (n >> 16)
    return ~((n & 0xffff) + (n >> 16)) & 0xffff


def ipv4(src, source):
    """Each is another one: by its identification, and by what is inside."""
    global number
    number += 1
    h = struct.pack(">BBHHHBBH", 0x45, 0, 28, number, 0, 64, 253, 0)
    h += socket.inet_aton(src) + socket.inet_aton("10.0.0.9")
    h = h[:10] + struct.pack(">H", checksum(h)) + h[12:]
    return ALL + source + b"\x08\0" + h + b"mark%04d" % number


def arp(sender_mac, sender_ip):
    return (ALL + ME + b"\x08\x06" +
            struct.pack(">HHBBH", 1, 0x800, 6, 4, 1) + sender_mac +
            socket.inet_aton(sender_ip) + bytes(6) +
            socket.inet_aton("10.0.0.9"))


def opened(dev):
    s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
    s.bind((dev, 0))
    return s


a, b = opened(out), opened(into)


def arrives(frame):
    """Sent, and one after it that passes whatever the filter is.  What the
    bridge hands on may have lost its padding, or got some."""
    end = ipv4(ip, ME)
    a.send(frame)
    a.send(end)
    got = False
    while True:
        r = b.recv(2048)
        got = got or r[:len(frame)] == frame
        if r[:len(end)] == end:
            return got


os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})  # one queue, in order
# The bridge may still have to see that its ports have a carrier.
b.settimeout(0.2)
for _ in range(5 * SECONDS):
    try:
        if arrives(ipv4(ip, ME)):
            break
    except TimeoutError:
        pass
else:
    sys.exit("nothing arrives")
b.settimeout(SECONDS)
other = ip[:-1] + str((int(ip[-1]) + 1) % 10)
for name, frame, mine in (
        ("its own address", ipv4(ip, ME), True),
        ("another's IP address", ipv4(other, ME), False),
        ("another's MAC address", ipv4(ip, OTHER), False),
        ("ARP", arp(ME, ip), True),
        ("ARP of another's IP address", arp(ME, other), False),
        ("ARP of another's MAC address", arp(OTHER, ip), False),
        ("another protocol", ALL + ME + b"\x88\xb5" + b"x" * 50, False)):
    if arrives(frame) != (mine or spoofed):
        sys.exit(f"{name}: {'lost' if mine or spoofed else 'passes'}")
