#!/usr/bin/python3
# tests/api/host.py -- what the host tells of itself, beside what the kernel
# says, and the lookups and lists of what there is none of.
import os
import socket
import uuid

from functions import *

NOBODY = str(uuid.UUID(int=7))


def read(path):
    with open(path) as f:
        return f.read().strip()


def check_host(conn):
    info = conn.getInfo()
    with open("/proc/meminfo") as f:
        total = int(f.readline().split()[1])
    assert info[0] == "x86_64" and abs(info[1] - total // 1024) <= 1, info
    assert info[2] == len(os.sched_getaffinity(1)) or info[2] > 0
    assert info[4] * info[5] * info[6] * info[7] >= info[2]
    assert conn.getVersion() > 0 and conn.getLibVersion() >= 9000000
    assert conn.getMaxVcpus(None) >= 1
    assert conn.getHostname().split(".")[0] == \
        socket.gethostname().split(".")[0]
    cpus, online, count = conn.getCPUMap()
    assert cpus == len(online) and count == sum(online) == info[2]
    assert 0 < conn.getFreeMemory() <= total * 1024
    assert 0 < conn.getCellsFreeMemory(0, 1)[0] <= total * 1024
    stats = conn.getMemoryStats(-1)
    assert stats["total"] == total and 0 < stats["free"] <= total
    assert conn.getSecurityModel() == ["", ""]
    assert conn.isSecure() and not conn.isEncrypted() and conn.isAlive()


def check_pages(conn):
    """Free pages of every size the kernel has, and of no other."""
    base = os.sysconf("SC_PAGESIZE") // 1024
    folder = "/sys/kernel/mm/hugepages"
    sizes = [int(name.split("-")[1][:-2]) for name in os.listdir(folder)] \
        if os.path.isdir(folder) else []
    counts = conn.getFreePages([base, *sizes], 0, 1)[0]
    assert set(counts) == {base, *sizes}, counts
    assert 0 < counts[base] * base * 1024 <= conn.getInfo()[1] << 20
    for size in sizes:
        assert counts[size] <= int(
            read(f"{folder}/hugepages-{size}kB/nr_hugepages"))
    text = fails(libvirt.VIR_ERR_OPERATION_FAILED, conn.getFreePages, [3], 0, 1)
    assert "page size 3 is not available on node 0" in text
    fails(libvirt.VIR_ERR_INTERNAL_ERROR, conn.getFreePages, [base], 5, 1)
    fails(libvirt.VIR_ERR_INVALID_ARG, conn.getFreePages, [base], 0, 1, 8)
    fails(libvirt.VIR_ERR_NO_SUPPORT, conn.allocPages, {base: 1}, 0, 1)


def check_merging(conn):
    folder = "/sys/kernel/mm/ksm"
    got = conn.getMemoryParameters()
    if os.path.isdir(folder):
        assert got["shm_pages_to_scan"] == int(read(folder + "/pages_to_scan"))
        assert got["shm_sleep_millisecs"] == int(
            read(folder + "/sleep_millisecs"))
        assert set(got) >= {"shm_pages_shared", "shm_full_scans"}, got
    else:
        assert got == {}, got
    fails(libvirt.VIR_ERR_INVALID_ARG, conn.getMemoryParameters, 8)
    fails(libvirt.VIR_ERR_NO_SUPPORT, conn.setMemoryParameters,
          {"shm_pages_to_scan": 100})


def check_none(conn):
    for code, fn in [
            (libvirt.VIR_ERR_NO_DOMAIN, conn.lookupByUUIDString),
            (libvirt.VIR_ERR_NO_NETWORK, conn.networkLookupByUUIDString),
            (libvirt.VIR_ERR_NO_STORAGE_POOL,
             conn.storagePoolLookupByUUIDString),
            (libvirt.VIR_ERR_NO_SECRET, conn.secretLookupByUUIDString),
            (libvirt.VIR_ERR_NO_NWFILTER, conn.nwfilterLookupByUUIDString)]:
        fails(code, fn, NOBODY)
    assert conn.numOfDefinedNetworks() == len(conn.listDefinedNetworks())
    assert conn.numOfNWFilters() == len(conn.listNWFilters())
    assert conn.numOfDevices(None) == len(conn.listDevices(None))
    assert conn.numOfNetworks() == len(conn.listNetworks())
    assert conn.numOfDomains() == len(conn.listDomainsID())


def check_domain(conn):
    dom = conn.createXML(xml("host"), 0)
    assert conn.lookupByUUID(dom.UUID()).name() == "host"
    assert dom.securityLabelList() == [] or dom.securityLabelList()
    assert isinstance(dom.messages(), list)
    assert dom.snapshotListNames() == [] and not dom.hasCurrentSnapshot()
    dom.destroy()


with Daemon() as daemon:
    conn = daemon.open()
    check_host(conn)
    check_pages(conn)
    check_merging(conn)
    check_none(conn)
    check_domain(conn)
    conn.close()
