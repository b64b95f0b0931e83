#!/usr/bin/python3
# What a guest gets of the host and sees of it: sockets and dies, NUMA nodes,
# vCPUs that come and go, the CPUs its threads run on, limits, Hyper-V's help,
# its clock.
import resource

from functions import *

V = libvirt
CPU = """<cpu mode='host-passthrough'>
    <topology sockets='2' dies='2' cores='2' threads='1'/>
    <numa>
      <cell id='0' cpus='0-3' memory='96' unit='MiB'><distances>
        <sibling id='0' value='10'/><sibling id='1' value='21'/>
      </distances></cell>
      <cell id='1' cpus='4-7' memory='64' unit='MiB'><distances>
        <sibling id='0' value='21'/><sibling id='1' value='10'/>
      </distances></cell>
    </numa>
  </cpu>"""
HYPERV = """<features><acpi/><apic/>
    <hyperv mode='custom'>
      <relaxed state='on'/><vapic state='on'/>
      <spinlocks state='on' retries='8191'/><vpindex state='on'/>
      <runtime state='on'/><synic state='on'/>
      <stimer state='on'><direct state='on'/></stimer>
      <reset state='on'/><frequencies state='on'/>
    </hyperv>
    <kvm><hidden state='on'/></kvm>
  </features>"""
CLOCK = """<clock offset='variable' adjustment='0' basis='utc'>
    <timer name='hypervclock' present='yes'/>
    <timer name='rtc' tickpolicy='catchup'/>
    <timer name='pit' tickpolicy='discard'/>
    <timer name='hpet' present='no'/>
  </clock>"""
NODE = "/sys/devices/system/node/node"
SYSCPU = "/sys/devices/system/cpu/"


def host_cpus():
    return sorted(os.sched_getaffinity(0))


def placed(d, dom):
    """The CPUs that each thread of the machine may run on."""
    task = f"/proc/{d.vmm_pid(dom)}/task/"
    return {open(f"{task}{t}/comm").read().strip():
            os.sched_getaffinity(int(t)) for t in os.listdir(task)}


def cpumap(cpus):
    return tuple(i in cpus for i in range(max(host_cpus()) + 1))


def start(d, c):
    first, last = host_cpus()[0], host_cpus()[-1]
    pins = f"""<iothreads>1</iothreads>
  <cputune><vcpupin vcpu='0' cpuset='{last}'/>
    <vcpupin vcpu='5' cpuset='{first}'/>
    <emulatorpin cpuset='{first}'/></cputune>"""
    text = d.xml("host", more=pins + HYPERV + CPU + CLOCK, vcpus=8)
    dom = c.defineXML(text.replace("<vcpu>8", "<vcpu current='2'>8"))
    dom.create()
    shell = StreamConsole(c, dom)
    shell.wake()
    return dom, shell


def topology(shell):
    assert shell.run(f"cat {NODE}0/distance {NODE}1/distance").split() == \
        ["10", "21", "21", "10"]
    assert shell.run(f"cat {SYSCPU}possible {SYSCPU}online").split() == \
        ["0-7", "0-1"]
    for node, mib in ((0, 96), (1, 64)):
        text = shell.run(f"grep MemTotal {NODE}{node}/meminfo")
        kib = int(text.split()[-2])
        assert (mib - 48) * 1024 < kib <= mib * 1024, text


def hyperv(shell):
    log = shell.run("dmesg")
    assert "Hypervisor detected: Microsoft Hyper-V" in log
    assert "hyperv_clocksource_tsc_page" in shell.run(
        "cat /sys/devices/system/clocksource/*/current_clocksource")
    # The synthetic timer ticks, and time passes as it does outside.
    before = time.monotonic()
    shell.run("sleep 1; uptime")
    assert time.monotonic() - before > 0.5
    ticks = re.search(r"HVS:\s+(\d+)", shell.run("cat /proc/interrupts"))
    assert ticks and int(ticks.group(1)) > 10, "no synthetic timer"


def online(shell, want):
    def there():
        shell.run(f"for c in {SYSCPU}cpu[1-9]; do [ $(cat $c/online) = 1 ] "
                  "|| echo 1 >$c/online; done")
        return shell.run(f"cat {SYSCPU}online") == want

    until(f"CPUs {want}", there)


def vcpus(d, c, dom, shell):
    """They come, work, are on the node that was said, and go."""
    dom.setVcpus(6)
    assert dom.vcpusFlags() == 6 and dom.maxVcpus() == 8
    online(shell, "0-5")
    assert shell.run(f"cat {NODE}0/cpulist {NODE}1/cpulist").split() == \
        ["0-3", "4-5"]
    assert shell.run(f"cat {SYSCPU}cpu5/topology/die_id").strip() == "0"
    shell.run("taskset 20 sh -c 'i=0; while [ $i -lt 99 ]; do i=$((i+1)); "
              "done'")
    dom.setVcpus(2)
    assert shell.run(f"cat {SYSCPU}online {SYSCPU}present").split() == \
        ["0-1", "0-1"]
    assert dom.vcpusFlags() == 2
    assert dom.vcpusFlags(V.VIR_DOMAIN_AFFECT_CONFIG) == 2
    # By their numbers: the next ones, and the last.
    d.virsh("setvcpu", dom.name(), "2-3", "--enable", "--live")
    assert dom.vcpusFlags() == 4
    fails(V.VIR_ERR_OPERATION_UNSUPPORTED, dom.setVcpu, "6", 1)
    fails(V.VIR_ERR_INVALID_ARG, dom.setVcpu, "2", 1)
    fails(V.VIR_ERR_INVALID_ARG, dom.setVcpu, "8", 1)
    fails(V.VIR_ERR_OPERATION_UNSUPPORTED, dom.setVcpu, "2", 0)
    d.virsh("setvcpu", dom.name(), "2,3", "--disable", "--live")
    assert dom.vcpusFlags() == 2
    fails(V.VIR_ERR_INVALID_ARG, dom.setVcpus, 9)
    dom.setVcpusFlags(3, V.VIR_DOMAIN_AFFECT_CONFIG)
    assert dom.vcpusFlags(V.VIR_DOMAIN_AFFECT_CONFIG) == 3
    assert dom.vcpusFlags() == 2


def pins(d, dom):
    first, last = host_cpus()[0], host_cpus()[-1]
    got = placed(d, dom)
    assert got["vcpu0"] == {last} and got["vcpu5"] == {first}, got
    assert got["vcpu1"] == set(host_cpus()), got
    assert got["vireo-vmm"] == {first}, got
    assert dom.vcpuPinInfo()[0] == cpumap({last})
    assert dom.emulatorPinInfo() == cpumap({first})
    dom.pinVcpu(1, cpumap({first}))
    dom.pinEmulator(cpumap(set(host_cpus())))
    got = placed(d, dom)
    assert got["vcpu1"] == {first} and got["vcpu0"] == {last}, got
    assert got["vireo-vmm"] == set(host_cpus()), got
    assert "<vcpupin vcpu='1'" in dom.XMLDesc()
    assert "<vcpupin vcpu='1'" not in dom.XMLDesc(V.VIR_DOMAIN_XML_INACTIVE)
    fails(V.VIR_ERR_INVALID_ARG, dom.pinVcpu, 99, cpumap({first}))

    assert [i for i, _ in dom.ioThreadInfo()] == [1]
    dom.addIOThread(4)
    dom.pinIOThread(4, cpumap({last}))
    assert dom.ioThreadInfo()[1] == (4, list(cpumap({last})))
    dom.delIOThread(4)
    assert [i for i, _ in dom.ioThreadInfo()] == [1]


def limits(dom):
    """Where the host gives control groups, they have what was asked for;
    where it does not, the call says so."""
    assert dom.schedulerType()[0] == "posix"
    assert dom.schedulerParameters()["cpu_shares"] == 1024
    try:
        dom.setSchedulerParameters({"cpu_shares": 512, "vcpu_quota": 50000})
    except libvirt.libvirtError as e:
        assert "control group" in str(e), e
        print("note: no control groups here")
        return
    got = dom.schedulerParameters()
    assert got["cpu_shares"] == 512 and got["vcpu_quota"] == 50000, got
    path = f"vireo/{dom.UUIDString()}/"
    old = f"/sys/fs/cgroup/cpu/{path}cpu.shares"
    if os.path.exists(old):
        assert open(old).read().strip() == "512"
        name = old.replace("cpu.shares", "vcpu0/cpu.cfs_quota_us")
        assert open(name).read().strip() == "50000"
    else:
        name = f"/sys/fs/cgroup/{path}vcpu0/cpu.max"
        assert open(name).read().startswith("50000 ")
    dom.setMemoryParameters({"hard_limit": 1 << 20})
    assert dom.memoryParameters()["hard_limit"] == 1 << 20


def clock(c, dom, shell):
    """What the guest makes of its clock is told, and kept."""
    told = []
    c.domainEventRegisterAny(dom, V.VIR_DOMAIN_EVENT_ID_RTC_CHANGE,
                             lambda c, d, offset, o: told.append(offset), None)
    shell.run("date -s '2040-01-01 00:00:00' >/dev/null && hwclock -u -w")
    until("the clock's event", lambda: told)
    want = 2208988800 - time.time()
    assert abs(told[-1] - want) < 300, (told, want)
    for flags in 0, V.VIR_DOMAIN_XML_INACTIVE:
        kept = re.search("adjustment='(\\d+)'", dom.XMLDesc(flags))
        assert kept and abs(int(kept.group(1)) - want) < 300


def other_nodes(d, dom):
    """Memory moves among the host's nodes, as far as a host has some."""
    live = V.VIR_DOMAIN_AFFECT_LIVE
    bad = V.VIR_ERR_OPERATION_INVALID
    fails(bad, dom.setNumaParameters,
          {"numa_mode": V.VIR_DOMAIN_NUMATUNE_MEM_INTERLEAVE}, live)
    text = fails(V.VIR_ERR_OPERATION_FAILED, dom.setNumaParameters,
                 {"numa_nodeset": "900"}, live)
    assert "NUMA nodes 900" in text, text
    assert dom.numaParameters(live)["numa_nodeset"] == "0"
    nodes = open("/sys/devices/system/node/has_memory").read().strip()
    d.virsh("numatune", dom.name(), "--nodeset", nodes, "--live")
    assert dom.numaParameters(live)["numa_nodeset"] == nodes
    dom.setNumaParameters({"numa_nodeset": "0"}, live)


def memory(d, c):
    """Kinds of memory that every host has; locked, if one may."""
    limit = resource.getrlimit(resource.RLIMIT_MEMLOCK)[1]
    may_lock = limit == resource.RLIM_INFINITY or limit >= 1 << 30
    locked = "<locked/>" if may_lock else ""
    more = "<memoryBacking><nosharepages/>" + locked + \
        "<source type='memfd'/>" \
        "<access mode='shared'/><allocation mode='immediate'/>" \
        "</memoryBacking><numatune><memory mode='strict' nodeset='0'/>" \
        "</numatune>"
    dom = c.createXML(d.xml("memory", more=more),
                      V.VIR_DOMAIN_START_PAUSED)
    status = open(f"/proc/{d.vmm_pid(dom)}/status").read()
    kib = int(re.search(r"VmLck:\s+(\d+)", status).group(1))
    assert kib >= 128 * 1024 or not may_lock, status
    kib = int(re.search(r"VmRSS:\s+(\d+)", status).group(1))
    assert kib >= 128 * 1024, status
    if os.path.exists("/proc/self/numa_maps"):
        with open(f"/proc/{d.vmm_pid(dom)}/numa_maps") as f:
            assert "bind:0" in f.read()
    other_nodes(d, dom)
    dom.destroy()
    text = fails(V.VIR_ERR_OPERATION_FAILED, c.createXML,
                 d.xml("huge", more="<memoryBacking><hugepages>"
                       "<page size='1' unit='G'/></hugepages>"
                       "</memoryBacking>"))
    assert "huge pages" in text, text


def refusals(d, c):
    bad = V.VIR_ERR_CONFIG_UNSUPPORTED
    for more, word in (
            ("<clock offset='utc'><timer name='platform' present='yes'/>"
             "</clock>", "platform"),
            ("<clock offset='utc'><timer name='pit' tickpolicy='merge'/>"
             "</clock>", "merge"),
            ("<clock offset='timezone' timezone='Europe/Berlin'/>",
             "timezone"),
            ("<features><hyperv mode='passthrough'/></features>",
             "passthrough"),
            ("<memoryBacking><hugepages/><source type='file'/>"
             "</memoryBacking>", "'file'")):
        text = fails(bad, c.createXML, d.xml("no", more=more))
        assert word in text, text
    for hv, word in (
            ("<synic state='on'/>", "'vpindex'"),
            ("<vpindex state='on'/><tlbflush state='on'/>", "'tlbflush'")):
        dom = c.defineXML(d.xml("no", more="<features><hyperv>" + hv +
                                "</hyperv></features>"))
        text = fails(V.VIR_ERR_OPERATION_FAILED, dom.create)
        assert "Hyper-V" in text and word in text, text
        dom.undefine()


def main(d):
    c = d.open()
    refusals(d, c)
    memory(d, c)
    dom, shell = start(d, c)
    topology(shell)
    hyperv(shell)
    pins(d, dom)
    vcpus(d, c, dom, shell)
    limits(dom)
    clock(c, dom, shell)
    shell.close()
    dom.destroy()
    dom.undefine()
    c.close()


with Daemon() as daemon:
    main(daemon)
