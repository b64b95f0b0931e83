#!/usr/bin/python3
# presses.py SOCKET: presses a key at the VNC server there every second, until
# it goes: what wakes a guest that sleeps.
import os
import socket
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from vnc import Client  # noqa: E402

SHIFT = 0xffe1


def connect(path):
    while True:
        s = socket.socket(socket.AF_UNIX)
        if s.connect_ex(path) == 0:
            return Client(s)
        s.close()
        time.sleep(0.2)


client = connect(sys.argv[1])
try:
    while True:
        client.key(SHIFT, True)
        client.key(SHIFT, False)
        time.sleep(1)
except OSError:
    pass
