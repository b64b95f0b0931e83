#!/usr/bin/python3
"""Vireo beside libvirtd and QEMU in one run: daemon start, domain start and
destroy, memory, a thousand volumes, time to the guest's first instruction.

    tests/bench/daemon.py [--build DIR] [--runs N] [--json FILE]
                          [--bzimage FILE] [--alone]

Needs root and the packages libvirt-daemon-system, qemu-system-x86,
python3-libvirt.  Both daemons run privately on sockets of their own.  The
guest is a kernel of a few instructions: the first writes to the debug-exit
port, or halts, so what is measured is the VMM and not a guest's boot.
With --bzimage a domain with that kernel is started too.  --alone leaves
libvirtd out.  Prints medians and ratios to the peer; asserts nothing.
"""
import argparse, contextlib, json, os, shutil, signal, statistics, subprocess, sys, tempfile, time
import libvirt

sys.path.append(os.path.dirname(os.path.abspath(__file__)))
from shared import EXIT_NOW, elf, pss_beyond_ram

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
IDLE = elf(b'\xfa\xf4\xeb\xfc')                   # cli; hlt; jmp


@contextlib.contextmanager
def daemon(argv, **kw):
    p = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, **kw)
    try:
        yield p
    finally:
        p.terminate()
        try:
            p.wait(20)
        except subprocess.TimeoutExpired:
            p.kill()
            p.wait()


@contextlib.contextmanager
def timed(make, argv):
    """The daemon, and the time just before it was started."""
    t = time.monotonic()
    with make(argv):
        yield t


def first_reply(uri, limit=30):
    end = time.monotonic() + limit
    while time.monotonic() < end:
        try:
            c = libvirt.open(uri)
            c.listAllDomains()
            return c
        except libvirt.libvirtError:
            time.sleep(0.001)
    raise SystemExit('no answer from ' + uri)


def vireod(dir, build):
    for d in ('state', 'run', 'sock'):
        os.makedirs(os.path.join(dir, d), exist_ok=True)
    return ([build + '/vireod', '--state-dir=%s/state' % dir, '--run-dir=%s/run' % dir,
             '--socket-dir=%s/sock' % dir, '--log=file:%s/log' % dir],
            'vireo+unix:///system?socket=%s/sock/virtvireod-sock' % dir)


def libvirtd(dir):
    with open(dir + '/conf', 'w') as f:
        f.write('unix_sock_dir = "%s/sock"\nauth_unix_rw = "none"\n' % dir)
    os.makedirs(dir + '/sock', exist_ok=True)
    return (['libvirtd', '-f', dir + '/conf', '-p', dir + '/pid'],
            'qemu+unix:///system?socket=%s/sock/libvirt-sock' % dir)


def ms(f):
    t = time.monotonic()
    r = f()
    return (time.monotonic() - t) * 1e3, r


XML = '''<domain type='%s'><name>vireo-bench</name><memory unit='MiB'>256</memory><vcpu>1</vcpu>
<os><type arch='x86_64' machine='%s'>hvm</type><kernel>%s</kernel></os>%s
<devices><serial type='pty'/><memballoon model='none'/></devices></domain>'''


def vmm_pid(kind, dir):
    for p in os.listdir('/proc'):
        if not p.isdigit():
            continue
        try:
            cmd = open('/proc/%s/cmdline' % p).read().replace('\0', ' ')
        except OSError:
            continue
        if (kind == 'vireo' and 'vireo-vmm:vireo-bench' in cmd) or \
           (kind == 'libvirt' and 'qemu-system' in cmd and 'vireo-bench' in cmd):
            return int(p)
    return None


def bench_daemon(kind, a, dir, out):
    argv, uri = vireod(dir, a.build) if kind == 'vireo' else libvirtd(dir)
    kernel = dir + '/idle.elf'
    open(kernel, 'wb').write(IDLE)
    os.chmod(kernel, 0o644)
    if kind == 'libvirt':  # cold: as after installation
        shutil.rmtree('/var/cache/libvirt/qemu/capabilities', ignore_errors=True)
    helper = daemon(['virtlogd']) if kind == 'libvirt' and not os.path.exists('/run/libvirt/virtlogd-sock') else contextlib.nullcontext()
    with helper, timed(daemon, argv) as t:
        conn = first_reply(uri)
        conn.getCapabilities()
        out.setdefault('cold start to first reply, ms', []).append((time.monotonic() - t) * 1e3)
        xml = XML % (('qemu', 'microvm', kernel, '') if kind == 'vireo' else ('qemu', 'q35', kernel, ''))
        for old in conn.listAllDomains():  # of a run that was cut off
            if old.name() == 'vireo-bench' and not old.isActive():
                old.undefine()
        dom = conn.defineXML(xml)
        try:
            for _ in range(a.inner):
                v, _r = ms(dom.create)
                out.setdefault('start of a domain, ms', []).append(v)
                time.sleep(0.3)
                pid = vmm_pid(kind, dir)
                if pid:
                    out.setdefault('VMM memory beyond guest RAM, KiB', []).append(pss_beyond_ram(pid))
                v, _r = ms(dom.destroy)
                out.setdefault('destroy of a domain, ms', []).append(v)
        finally:
            dom.undefine()
        bench_volumes(conn, dir, a.inner, out)
        if a.bzimage:
            bench_bzimage(conn, xml.replace(kernel, a.bzimage), a.inner, out)
        conn.close()


def bench_volumes(conn, dir, inner, out):
    path = dir + '/pool'
    os.makedirs(path)
    for i in range(1000):
        open('%s/volume-%d' % (path, i), 'wb').close()
    pool = conn.storagePoolCreateXML("<pool type='dir'><name>vireo-bench</name><target><path>%s</path></target></pool>" % path)
    try:
        for _ in range(inner):
            out.setdefault('refresh of a pool of 1000 volumes, ms', []).append(ms(pool.refresh)[0])
            v, vols = ms(pool.listAllVolumes)
            assert len(vols) == 1000
            out.setdefault('list of 1000 volumes, ms', []).append(v)
    finally:
        pool.destroy()


def bench_bzimage(conn, xml, inner, out):
    dom = conn.defineXML(xml)
    try:
        for _ in range(inner):
            v, _r = ms(dom.create)
            out.setdefault('start of a domain with a bzImage, ms', []).append(v)
            dom.destroy()
    finally:
        dom.undefine()


def exec_to_exit(argv):
    t = time.monotonic()
    subprocess.run(argv, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=20)
    return (time.monotonic() - t) * 1e3


def bench_first_instruction(a, dir, mine, peer):
    kernel = dir + '/exit.elf'
    open(kernel, 'wb').write(EXIT_NOW)
    vireo = [a.build + '/vireo-vmm', '--engine', a.engine, '--kernel', kernel, '--memory', '256', '--serial', 'null', '--debug-exit']
    accel = 'kvm' if a.engine == 'kvm' else 'tcg'
    qemu = ['qemu-system-x86_64', '-M', 'microvm', '-accel', accel, '-m', '256', '-nodefaults', '-display', 'none',
            '-no-reboot', '-device', 'isa-debug-exit,iobase=0xf4,iosize=4', '-kernel', kernel]
    key = 'exec to exit of a guest that leaves at once, ms'
    for _ in range(a.runs * a.inner):
        mine.setdefault(key, []).append(exec_to_exit(vireo))
        peer.setdefault(key, []).append(exec_to_exit(qemu))


def main():
    ap = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    ap.add_argument('--build', default=TOP + '/build')
    ap.add_argument('--engine', default='emu')
    ap.add_argument('--runs', type=int, default=3)
    ap.add_argument('--inner', type=int, default=5)
    ap.add_argument('--json')
    ap.add_argument('--bzimage')
    ap.add_argument('--alone', action='store_true')
    a = ap.parse_args()
    a.build = os.path.abspath(a.build)
    libvirt.registerErrorHandler(lambda *_: None, None)
    mine, peer = {}, {}
    for i in range(a.runs):
        for kind, out in (('vireo', mine), ('libvirt', peer))[:1 if a.alone else 2]:
            with tempfile.TemporaryDirectory(prefix='vireo-bench.') as dir:
                os.chmod(dir, 0o755)
                bench_daemon(kind, a, dir, out)
    with tempfile.TemporaryDirectory(prefix='vireo-bench.') as dir:
        bench_first_instruction(a, dir, mine, peer)
    print('%-50s %12s %16s %8s' % ('median', 'vireo', 'libvirtd/QEMU', 'ratio'))
    for key in mine:
        m, p = statistics.median(mine[key]), statistics.median(peer.get(key, [float('nan')]))
        print('%-50s %12.1f %16.1f %8.3f' % (key, m, p, m / p))
    if a.json:
        json.dump({'vireo': mine, 'peer': peer}, open(a.json, 'w'), indent=1)


if __name__ == '__main__':
    main()
