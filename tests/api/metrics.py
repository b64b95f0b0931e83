#!/usr/bin/python3
# tests/api/metrics.py -- the metrics, read by a strict parser of OpenMetrics
# 1.0.0, beside what domstats says; then clients of that socket that misbehave.
import re
import socket
import time
from decimal import Decimal

from functions import *

DISKS = """<devices>
<disk type='file' device='disk'><source file='/nowhere/a.img'/>
<target dev='vda' bus='virtio'/></disk>
<disk type='file' device='disk'><source file='/nowhere/b.img'/>
<target dev='vdb' bus='virtio'/></disk>
<interface type='user'><mac address='52:54:00:00:00:01'/></interface>
<interface type='user'><mac address='52:54:00:00:00:02'/></interface>
</devices>"""


# ---- HTTP ----

def connect(d):
    s = socket.socket(socket.AF_UNIX)
    s.settimeout(120)
    s.connect(d.sock + "-metrics")
    return s


def everything(s):
    data = b""
    while True:
        part = s.recv(65536)
        if not part:
            return data
        data += part


def ask(d, request):
    with connect(d) as s:
        s.sendall(request)
        head, _, body = everything(s).partition(b"\r\n\r\n")
    lines = head.decode().split("\r\n")
    fields = dict(line.lower().split(": ", 1) for line in lines[1:])
    return lines[0].split(" ", 1)[1], fields, body


def scrape(d):
    status, fields, body = ask(
        d, b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n")
    assert status == "200 OK", status
    assert fields["content-type"] == "application/openmetrics-text; " \
        "version=1.0.0; charset=utf-8", fields
    assert int(fields["content-length"]) == len(body)
    return parse(body.decode())


# ---- OpenMetrics ----

NAME = "[a-zA-Z_:][a-zA-Z0-9_:]*"
LABEL = r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\[\\"n])*)"'
SAMPLE = re.compile(rf"({NAME})(?:\{{({LABEL}(?:,{LABEL})*)\}})? (\S+)")
SUFFIX = {"counter": "_total", "gauge": "", "info": "_info"}


def unescape(text):
    return re.sub(r"\\(.)", lambda m: "\n" if m[1] == "n" else m[1], text)


def parse(text):
    """(name, frozenset of labels) to value; asserts all that must hold."""
    assert text.endswith("\n")
    lines = text[:-1].split("\n")
    assert lines.pop() == "# EOF" and "# EOF" not in lines
    samples, families, family, kind, said = {}, set(), None, None, set()
    for line in lines:
        if line.startswith("#"):
            word, name, rest = line[2:].split(" ", 2)
            assert word in ("TYPE", "UNIT", "HELP"), line
            if name != family:
                assert word == "TYPE" and name not in families, line
                assert re.fullmatch(NAME, name), line
                families.add(name)
                family, kind, said, used = name, rest, set(), False
                assert kind in SUFFIX, line
            assert word not in said and not used, line
            said.add(word)
            assert word != "UNIT" or name.endswith("_" + rest), line
            continue
        m = SAMPLE.fullmatch(line)
        assert m, line
        assert m[1] == family + SUFFIX[kind], line
        labels = [(k, unescape(v)) for k, v in re.findall(LABEL, m[2] or "")]
        assert len(dict(labels)) == len(labels), line
        key = m[1], frozenset(labels)
        assert key not in samples, f"twice: {line}"
        samples[key] = Decimal(m[m.lastindex])
        assert kind != "counter" or samples[key] >= 0, line
        used = True
    return samples


# ---- beside domstats ----

FIELDS = {
    "state.state": "state", "state.reason": "state_reason",
    "cpu.time": "cpu_seconds_total",
    "balloon.current": "memory_current_bytes",
    "balloon.maximum": "memory_maximum_bytes",
    "vcpu.current": "vcpus_current", "vcpu.maximum": "vcpus_maximum",
    "vcpu.*.state": "vcpu_state", "vcpu.*.time": "vcpu_seconds_total",
    "block.*.rd.reqs": "block_read_requests_total",
    "block.*.rd.bytes": "block_read_bytes_total",
    "block.*.rd.times": "block_read_seconds_total",
    "block.*.wr.reqs": "block_write_requests_total",
    "block.*.wr.bytes": "block_write_bytes_total",
    "block.*.wr.times": "block_write_seconds_total",
    "block.*.fl.reqs": "block_flush_requests_total",
    "block.*.fl.times": "block_flush_seconds_total",
    "net.*.rx.bytes": "net_receive_bytes_total",
    "net.*.rx.pkts": "net_receive_packets_total",
    "net.*.rx.drop": "net_receive_drops_total",
    "net.*.tx.bytes": "net_transmit_bytes_total",
    "net.*.tx.pkts": "net_transmit_packets_total",
    "net.*.tx.drop": "net_transmit_drops_total",
    "iothread.count": "iothreads",
}
NOT_FIGURES = {"block.count", "net.count", "block.*.name", "block.*.path",
               "net.*.name", "dirtyrate.calc_status",
               "dirtyrate.calc_start_time", "dirtyrate.calc_period",
               "dirtyrate.calc_mode"}


def expected(dom, stats):
    """The samples that a domain's domstats come to."""
    want = {}
    for field, value in stats.items():
        number = re.search(r"\.(\d+)\.", field)
        field = re.sub(r"\.\d+\.", ".*.", field)
        if field in NOT_FIGURES:
            continue
        labels = {"domain": dom.name(), "uuid": dom.UUIDString()}
        if field.startswith("vcpu.*"):
            labels["vcpu"] = number[1]
        elif number:
            kind = "disk" if field.startswith("block") else "interface"
            labels["index"] = number[1]
            labels[kind] = stats.get(
                f"{field.split('.')[0]}.{number[1]}.name", "")
        scale = Decimal(1)
        if "seconds" in FIELDS[field]:
            scale = Decimal("1e-9")
        elif field.startswith("balloon"):
            scale = Decimal(1024)
        want["vireo_domain_" + FIELDS[field],
             frozenset(labels.items())] = value * scale
    return want


def check_figures(d, c):
    got = scrape(d)
    want = {}
    for dom, stats in c.getAllDomainStats():
        want.update(expected(dom, stats))
    domains = {k: v for k, v in got.items()
               if k[0].startswith("vireo_domain_")}
    assert domains == want, set(domains.items()) ^ set(want.items())
    assert len(want) > 60, len(want)
    others = {k[0]: v for k, v in got.items() if k not in domains}
    assert set(others) == {"vireo_build_info", "vireo_clients",
                           "vireo_domains"}, others
    assert others["vireo_clients"] == 1
    assert got["vireo_domains", frozenset([("state", "active")])] == \
        len(c.listAllDomains(1))
    assert got["vireo_domains", frozenset([("state", "inactive")])] == \
        len(c.listAllDomains(2))


def check_groups(c, dom):
    """Every group of libvirt's may be asked for, and no other."""
    for bit in range(11):
        if 1 << bit == 512:  # dirty rates
            continue
        c.domainListGetStats([dom], 1 << bit,
                             libvirt.VIR_CONNECT_GET_ALL_DOMAINS_STATS_ENFORCE_STATS)
    fails(libvirt.VIR_ERR_ARGUMENT_UNSUPPORTED, c.domainListGetStats, [dom],
          1 << 20, libvirt.VIR_CONNECT_GET_ALL_DOMAINS_STATS_ENFORCE_STATS)


def check_hung(d, c):
    """One whose machine does not answer delays nobody."""
    h = c.defineXML(xml("hung", behaviour(pause="hang")))
    h.create()
    other = d.open()  # two threads do not share one of 9.0's connections
    t = threading.Thread(target=suspend, args=(other.lookupByName("hung"),))
    t.start()
    while not busy(c, h):
        time.sleep(0.01)
    got = scrape(d)
    names = {dict(labels)["domain"] for name, labels in got
             if name == "vireo_domain_state"}
    assert names == {x.name() for x in c.listAllDomains()}, names
    h.destroy()
    t.join()
    h.undefine()
    other.close()


def suspend(dom):
    try:
        dom.suspend()
    except libvirt.libvirtError:
        pass


def busy(c, dom):
    stats = c.domainListGetStats(
        [dom], libvirt.VIR_DOMAIN_STATS_CPU_TOTAL,
        libvirt.VIR_CONNECT_GET_ALL_DOMAINS_STATS_NOWAIT)[0][1]
    return "cpu.time" not in stats


def check_requests(d):
    for request, status in (
            (b"GET / HTTP/1.1\r\n\r\n", "404 Not Found"),
            (b"GET /metrics/x HTTP/1.1\r\n\r\n", "404 Not Found"),
            (b"POST /metrics HTTP/1.1\r\n\r\nx", "405 Method Not Allowed"),
            (b"GET /metrics\r\n\r\n", "400 Bad Request"),
            (b"GET /metrics HTTP/2.0\r\n\r\n", "400 Bad Request"),
            (b"\r\n\r\n", "400 Bad Request"),
            (b"\0\xff\n\n", "400 Bad Request"),
            (b"GET /" + b"a" * 9000, "431 Request Header Fields Too Large"),
            (b"GET /metrics?x=1 HTTP/1.0\r\n\r\n", "200 OK")):
        got = ask(d, request)
        assert got[0] == status, (request[:40], got[0])
    status, fields, body = ask(d, b"HEAD /metrics HTTP/1.1\r\n\r\n")
    assert status == "200 OK" and not body
    assert int(fields["content-length"]) > 0


def check_crowd(d, c):
    """More than may be served at once: they wait, and clients do not."""
    crowd = [connect(d) for _ in range(30)]
    assert len(c.listAllDomains()) > 0
    for s in crowd[:20]:
        s.close()
    for s in crowd[20:]:
        s.sendall(b"GET /metrics HTTP/1.1\r\n\r\n")
    for s in crowd[20:]:
        parse(everything(s).partition(b"\r\n\r\n")[2].decode())
        s.close()
    # Those that go while their text is made.
    for _ in range(20):
        with connect(d) as s:
            s.sendall(b"GET /metrics HTTP/1.1\r\n\r\n")
    scrape(d)


with Daemon() as d:
    c = d.open()
    for dom in c.listAllDomains():
        dom.suspend()  # so that its time stands still
    a = c.createXML(xml('a "quoted" \\ name', DISKS),
                    libvirt.VIR_DOMAIN_START_PAUSED)
    c.defineXML(xml("off"))
    check_groups(c, a)
    check_figures(d, c)
    check_hung(d, c)
    check_requests(d)
    check_crowd(d, c)
    c.close()
