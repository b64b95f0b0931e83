# tests/guest/vnc.py -- a VNC client, enough to test a server (RFC 6143).
import socket
import struct
import subprocess
import zlib

RAW, HEXTILE, ZRLE = 0, 5, 16
DESKTOP_SIZE, POINTER_MODE, KEY_EVENT = -223, -257, -258
EXTENDED_SIZE = -308


class Refused(Exception):
    pass


# One block's cipher, with the key's bits the other way round in each byte.
def answer(password, challenge):
    key = bytes(int("{:08b}".format(c)[::-1], 2)
                for c in password.encode().ljust(8, b"\0"))
    return subprocess.run(
        ["openssl", "enc", "-des-ecb", "-nopad", "-K", key.hex(),
         "-provider", "legacy", "-provider", "default"],
        input=challenge, stdout=subprocess.PIPE, check=True).stdout


# A stock websocket (python3-websocket) as a socket.
class WebSocket:
    def __init__(self, ws):
        self.ws, self.data = ws, b""

    def settimeout(self, seconds):
        self.ws.settimeout(seconds)

    def sendall(self, data):
        # In two frames, of which one is nothing.
        self.ws.send_binary(b"")
        self.ws.ping(b"ping")
        self.ws.send_binary(data)

    def recv(self, n):
        while not self.data:
            self.data = self.ws.recv()
        part, self.data = self.data[:n], self.data[n:]
        return part

    def close(self):
        self.ws.close()


class Client:
    # tls: an ssl.SSLContext, for servers that insist.
    def __init__(self, sock, encoding=ZRLE, pseudo=(DESKTOP_SIZE,),
                 bits=32, password=None, tls=None):
        self.sock = sock
        sock.settimeout(60)
        assert self.read(12) == b"RFB 003.008\n"
        self.send(b"RFB 003.008\n")
        self.secure(password, tls)
        self.send(b"\1")
        self.width, self.height = struct.unpack(">HH", self.read(4))
        self.read(16)
        self.name = self.read(struct.unpack(">I", self.read(4))[0]).decode()
        self.bits = bits
        if bits == 16:
            self.send(struct.pack(">Bxxx4B3H3Bxxx", 0, 16, 16, 1, 1, 31, 63, 31,
                                  11, 5, 0))
        self.send(struct.pack(">BxH", 2, 1 + len(pseudo)) +
                  struct.pack(">%di" % (1 + len(pseudo)), encoding, *pseudo))
        self.inflater = zlib.decompressobj()
        self.pixels = {}
        self.absolute = self.resize_reply = None
        self.has_key_event = False
        self.encodings = set()

    def secure(self, password, tls):
        types = self.read(self.read(1)[0])
        kind = types[0]
        if len(types) != 1 or kind not in \
                [1] + [2] * bool(password) + [19] * bool(tls):
            raise Refused(types)
        self.send(types)
        if kind == 19:
            kind = self.vencrypt(tls)
        if kind == 2:
            self.send(answer(password, self.read(16)))
        result = self.read(4)
        if result != b"\0" * 4:
            raise Refused(result)

    # X509None and X509Vnc: what Python's TLS can do.
    def vencrypt(self, tls):
        assert self.read(2) == b"\0\2"
        self.send(b"\0\2")
        assert self.read(1) == b"\0"
        kinds = struct.unpack(">BI", self.read(5))
        assert kinds[0] == 1 and kinds[1] in (260, 261), kinds
        self.send(struct.pack(">I", kinds[1]))
        assert self.read(1) == b"\1"
        self.sock = tls.wrap_socket(self.sock, server_hostname="localhost")
        return kinds[1] - 259

    def send(self, data):
        self.sock.sendall(data)

    def read(self, n):
        data = b""
        while len(data) < n:
            part = self.sock.recv(n - len(data))
            if not part:
                raise ConnectionError("the server is gone")
            data += part
        return data

    # As red, green, blue.
    def pixel_of(self, data, at, compact=False):
        if self.bits == 16:
            v = data[at] << 8 | data[at + 1]
            r, g, b = v >> 11, v >> 5 & 63, v & 31
            return (r << 3 | r >> 2, g << 2 | g >> 4, b << 3 | b >> 2)
        return (data[at + 2], data[at + 1], data[at])

    def request(self, incremental=True):
        self.send(struct.pack(">BBHHHH", 3, incremental, 0, 0, 65535, 65535))

    # Handles one message; true if it had pixels.
    def update(self):
        kind = self.read(1)[0]
        assert kind == 0, kind
        drawn = False
        for _ in range(struct.unpack(">xH", self.read(3))[0]):
            x, y, w, h, enc = struct.unpack(">HHHHi", self.read(12))
            self.encodings.add(enc)
            if enc == DESKTOP_SIZE:
                self.resize(w, h)
            elif enc == EXTENDED_SIZE:
                self.read(20)
                if x == 0:
                    self.resize(w, h)
                else:
                    self.resize_reply = y
            elif enc == POINTER_MODE:
                self.absolute = x
            elif enc == KEY_EVENT:
                self.has_key_event = True
            else:
                {RAW: self.raw, HEXTILE: self.hextile,
                 ZRLE: self.zrle}[enc](x, y, w, h)
                drawn = True
        return drawn

    def resize(self, w, h):
        self.width, self.height = w, h
        self.pixels = {}

    def raw(self, x, y, w, h):
        size = self.bits // 8
        data = self.read(w * h * size)
        for i in range(w * h):
            self.pixels[x + i % w, y + i // w] = self.pixel_of(data, i * size)

    def hextile(self, x0, y0, w0, h0):
        size = self.bits // 8
        bg = fg = None
        for y in range(y0, y0 + h0, 16):
            for x in range(x0, x0 + w0, 16):
                w, h = min(16, x0 + w0 - x), min(16, y0 + h0 - y)
                flags = self.read(1)[0]
                if flags & 1:
                    self.raw(x, y, w, h)
                    continue
                if flags & 2:
                    bg = self.pixel_of(self.read(size), 0)
                if flags & 4:
                    fg = self.pixel_of(self.read(size), 0)
                self.fill(x, y, w, h, bg)
                for _ in range(self.read(1)[0] if flags & 8 else 0):
                    xy, wh = self.read(2)
                    self.fill(x + (xy >> 4), y + (xy & 15), (wh >> 4) + 1,
                              (wh & 15) + 1, fg)

    def fill(self, x, y, w, h, color):
        for j in range(h):
            for i in range(w):
                self.pixels[x + i, y + j] = color

    def zrle(self, x0, y0, w0, h0):
        data = self.inflater.decompress(
            self.read(struct.unpack(">I", self.read(4))[0]))
        size, at = (3 if self.bits == 32 else 2), 0
        for y in range(y0, y0 + h0, 64):
            for x in range(x0, x0 + w0, 64):
                w, h = min(64, x0 + w0 - x), min(64, y0 + h0 - y)
                n = data[at]
                at += 1
                assert n <= 16, n
                if n == 0:
                    for i in range(w * h):
                        self.pixels[x + i % w, y + i // w] = \
                            self.pixel_of(data, at + size * i)
                    at += size * w * h
                    continue
                colors = [self.pixel_of(data, at + size * i) for i in range(n)]
                at += size * n
                if n == 1:
                    self.fill(x, y, w, h, colors[0])
                    continue
                bits = 1 if n == 2 else 2 if n <= 4 else 4
                for j in range(h):
                    for i in range(w):
                        byte = data[at + i * bits // 8]
                        index = byte >> (8 - bits - i * bits % 8)
                        self.pixels[x + i, y + j] = \
                            colors[index & ((1 << bits) - 1)]
                    at += (w * bits + 7) // 8
        assert at == len(data)

    # All of the picture, once.
    def whole(self):
        self.request(False)
        while len(self.pixels) < self.width * self.height:
            if not self.update() or len(self.pixels) < \
                    self.width * self.height:
                self.request(False)

    def set_size(self, w, h):
        self.send(struct.pack(">BxHHBxIHHHHI", 251, w, h, 1, 0, 0, 0, w, h, 0))

    def key(self, keysym, down):
        self.send(struct.pack(">BBHI", 4, down, 0, keysym))

    def extended_key(self, code, down):
        self.send(struct.pack(">BBHII", 255, 0, down, 0, code))

    def pointer(self, x, y, buttons=0):
        self.send(struct.pack(">BBHH", 5, buttons, x, y))
