#!/usr/bin/python3
"""Vireo beside QEMU in one run: going on with a saved guest of 4 GiB,
and how long a guest stands still when it migrates.

    tests/bench/migrate.py [--build DIR] [--engine emu] [--runs N] [--memory MIB]
                           [--fill MIB] [--work MIB] [--json FILE]

--engine kvm: both on KVM; else QEMU has TCG.

The guest fills part of its memory, then writes to every page of a working set
in turn, and prints a character each millisecond (by its TSC) on its serial
port.  What it prints tells what a guest would notice: the time from the exec of
the VMM to the next character after a restore, and the longest gap between two
around a migration.  Prints medians and ratios; asserts nothing.
"""
import argparse, array, contextlib, json, os, re, shutil, socket, statistics, struct, subprocess, sys, tempfile, threading, time

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path[:0] = [TOP + '/tests/guest', TOP + '/tests/bench']
CODE = 0x200000
FROM = 0x1000000  # what is filled begins here, and the working set


def khz():
    with open('/proc/cpuinfo') as f:
        return int(float(re.search(r'cpu MHz\s*: ([\d.]+)', f.read()).group(1)) * 1000)


def guest(fill, work):
    """32-bit code: fills, then works and ticks for ever."""
    code = b'\xfc\xbf' + struct.pack('<I', FROM)            # cld; mov $FROM,%edi
    code += b'\xb9' + struct.pack('<I', fill // 4)          # mov $n,%ecx
    code += b'\x89\x3f\x83\xc7\x04\xe2\xf9'                 # 1: mov %edi,(%edi); add $4,%edi; loop 1b
    code += b'\x31\xdb'                                     # xor %ebx,%ebx
    again = len(code)
    code += b'\xbe' + struct.pack('<I', FROM)               # mov $FROM,%esi
    loop = len(code)
    code += b'\x0f\x31\x89\xc1\x29\xd9\x81\xf9' + struct.pack('<I', khz())  # rdtsc; mov %eax,%ecx; sub %ebx,%ecx; cmp $ms,%ecx
    code += b'\x72\x0a'                                     # jb 2f
    code += b'\x89\xc3\x66\xba\xf8\x03\xb0\x2e\xee\x90'     # mov %eax,%ebx; mov $0x3f8,%dx; mov $'.',%al; out %al,(%dx)
    code += b'\xff\x06\x81\xc6\x00\x10\x00\x00'             # 2: incl (%esi); add $4096,%esi
    code += b'\x81\xfe' + struct.pack('<I', FROM + work)    # cmp $end,%esi
    code += b'\x72' + struct.pack('b', loop - len(code) - 2)  # jb loop
    code += b'\xeb' + struct.pack('b', again - len(code) - 2)  # jmp again
    return code


class Ticks:
    """When the guest printed something: a pipe that is always read."""

    def __init__(self):
        self.read, self.write = os.pipe()
        self.times = []
        threading.Thread(target=self.run, daemon=True).start()

    def run(self):
        while os.read(self.read, 4096):
            self.times.append(time.monotonic())

    def after(self, when):
        """The first after a moment."""
        end = time.monotonic() + 300
        while time.monotonic() < end:
            for t in reversed(self.times[-200:]):
                if t < when:
                    break
            late = [t for t in self.times[-5000:] if t > when]
            if late:
                return late[0]
            time.sleep(0.001)
        raise SystemExit('the guest does not tick')

    def gap(self, since, until):
        t = [x for x in self.times if since <= x <= until]
        return max((b - a for a, b in zip(t, t[1:])), default=float('nan'))


# ---- Vireo ----

class Vireo:
    def __init__(self, a, dir, kernel, ticks):
        os.environ['VMM'] = a.build + '/vireo-vmm'
        import vmm
        self.vmm, self.dir, self.n = vmm, dir, 0
        self.kernel, self.ticks, self.a = kernel, ticks, a

    def new(self, fds=(), **spec):
        self.n += 1
        d = f'{self.dir}/{self.n}'
        os.mkdir(d)
        kvm = []
        if self.a.engine == 'kvm':
            kvm = [os.open('/dev/kvm', os.O_RDWR)]
            spec['kvm_fd'] = 2 + len(fds)
        self.started = time.monotonic()
        v = self.vmm.Vmm(d, None)
        v.socket.settimeout(600)
        with open(self.kernel, 'rb') as k:
            v.call('create', [k.fileno(), self.ticks.write, *fds, *kvm], spec={
                'name': 'g', 'uuid': '00' * 16, 'engine': self.a.engine, 'machine': 'microvm',
                'memory': self.a.memory << 20, 'vcpus': 1, 'max_vcpus': 1, 'cpu_model': 'host',
                'kernel_fd': 0, 'serials': [{'id': 'serial0', 'kind': 'fd', 'fd': 1}], **spec})
        for fd in kvm:
            os.close(fd)
        return v

    def start(self):
        self.v = self.new()
        self.v.call('run')

    def save(self):
        self.file = self.dir + '/saved'
        with open(self.file, 'w+b') as f:
            self.v.call('save', [f.fileno()], offset=0, format='raw')
        self.stop()

    def restore(self):
        with open(self.file, 'rb') as f:
            self.v = self.new([f.fileno()], restore_fd=2)
        self.v.call('run')
        ms = (self.ticks.after(self.started) - self.started) * 1000
        return {'restore': ms, 'first': self.v.call('status')['first_run_ns'] / 1e6}

    def migrate(self):
        x, y = socket.socketpair()
        new = self.new(incoming=True)
        t = threading.Thread(target=lambda: new.call('receive', [y.fileno()]))
        begun = time.monotonic()
        t.start()
        self.v.call('migrate', [x.fileno()])
        t.join()
        new.call('take')
        new.call('run')
        total = time.monotonic() - begun
        job = self.v.call('job')
        ended = self.ticks.after(time.monotonic())
        self.stop()
        self.v = new
        x.close()
        y.close()
        return {'gap': self.ticks.gap(begun, ended) * 1000, 'down': job['downtime_ns'] / 1e6, 'total': total * 1000}

    def stop(self):
        self.v.process.kill()
        self.v.process.wait()


# ---- QEMU ----

class Qemu:
    def __init__(self, a, dir, kernel, ticks):
        self.a, self.dir, self.kernel, self.ticks, self.n = a, dir, kernel, ticks, 0

    def new(self, *more):
        self.n += 1
        path = f'{self.dir}/qmp{self.n}'
        out = f'/proc/{os.getpid()}/fd/{self.ticks.write}'
        self.started = time.monotonic()
        p = subprocess.Popen(
            ['qemu-system-x86_64', '-accel', *(('kvm', '-cpu', 'host') if self.a.engine == 'kvm' else ('tcg', '-cpu', 'max')),
             '-machine', 'q35', '-m', str(self.a.memory), '-nodefaults',
             '-display', 'none', '-kernel', self.kernel, '-chardev', f'file,id=s,path={out},append=on',
             '-serial', 'chardev:s', '-qmp', f'unix:{path},server=on,wait=off', *more], stdin=subprocess.DEVNULL)
        s = socket.socket(socket.AF_UNIX)
        while s.connect_ex(path):
            if p.poll() is not None:
                raise SystemExit('QEMU did not start')
            time.sleep(0.001)
        p.qmp = s.makefile('rw')
        p.qmp.readline()
        self.ask(p, 'qmp_capabilities')
        return p

    def ask(self, p, what, **args):
        p.qmp.write(json.dumps({'execute': what, 'arguments': args}) + '\n')
        p.qmp.flush()
        while True:
            r = json.loads(p.qmp.readline())
            if 'error' in r:
                raise SystemExit(f"QEMU: {what}: {r['error']['desc']}")
            if 'return' in r:
                return r['return']

    def go(self, uri):
        self.ask(self.v, 'migrate-set-parameters', **{'max-bandwidth': 1 << 40, 'downtime-limit': 300})
        self.ask(self.v, 'migrate', uri=uri)
        while (s := self.ask(self.v, 'query-migrate')).get('status') != 'completed':
            if s.get('status') in ('failed', 'cancelled'):
                raise SystemExit('QEMU: the migration failed')
            time.sleep(0.002)
        return s

    def start(self):
        self.v = self.new()

    def save(self):
        self.file = self.dir + '/saved-qemu'
        self.ask(self.v, 'stop')
        self.go(f'exec:cat >{self.file}')
        self.stop()

    def restore(self):
        self.v = self.new('-incoming', f'exec:cat {self.file}')
        # It was saved stopped: it is let go as soon as it is there.
        while self.ask(self.v, 'query-status')['status'] == 'inmigrate':
            time.sleep(0.001)
        self.ask(self.v, 'cont')
        return {'restore': (self.ticks.after(self.started) - self.started) * 1000}

    def migrate(self):
        path = f'{self.dir}/m{self.n}'
        new = self.new('-incoming', f'unix:{path}')
        begun = time.monotonic()
        s = self.go(f'unix:{path}')
        total = time.monotonic() - begun
        ended = self.ticks.after(time.monotonic())
        self.stop()
        self.v = new
        return {'gap': self.ticks.gap(begun, ended) * 1000, 'down': s['downtime'], 'total': total * 1000}

    def stop(self):
        self.v.kill()
        self.v.wait()


def medians(rows):
    return {k: statistics.median(r[k] for r in rows) for k in rows[0]}


def measure(kind, a, dir, kernel):
    ticks = Ticks()
    m = kind(a, dir, kernel, ticks)
    m.start()
    ticks.after(time.monotonic())
    time.sleep(0.5)
    result = medians([m.migrate() for _ in range(a.runs)])
    m.save()
    rows = []
    for _ in range(a.runs):
        rows.append(m.restore())
        m.stop()
    result.update(medians(rows))
    return result


ROWS = [('restore', 'restore: exec to the next thing the guest prints'),
        ('first', "restore: exec to the guest's first instruction"),
        ('gap', 'migration: longest silence of the guest'),
        ('down', 'migration: downtime, as the VMM has it'),
        ('total', 'migration: all of it')]


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument('--build', default=TOP + '/build')
    p.add_argument('--engine', default='emu')
    p.add_argument('--runs', type=int, default=5)
    p.add_argument('--memory', type=int, default=4096)
    p.add_argument('--fill', type=int, default=1024)
    p.add_argument('--work', type=int, default=16)
    p.add_argument('--json')
    a = p.parse_args()
    from daemon import elf
    dir = tempfile.mkdtemp(prefix='vireo-bench-')
    try:
        with open(dir + '/kernel', 'wb') as f:
            f.write(elf(guest(a.fill << 20, a.work << 20)))
        r = {n: measure(k, a, dir, dir + '/kernel') for n, k in
             (('vireo', Vireo), *((('qemu', Qemu),) if shutil.which('qemu-system-x86_64') else ()))}
    finally:
        shutil.rmtree(dir)
    print(f'{a.memory} MiB, {a.fill} of them filled, {a.work} written all the time; medians of {a.runs}, ms')
    for key, what in ROWS:
        v, q = r['vireo'].get(key), r.get('qemu', {}).get(key)
        print(f"{what:52} {v:9.1f} {q if q is None else format(q, '9.1f')} {'' if q is None or not q else format(v / q, '6.3f')}")
    if a.json:
        with open(a.json, 'w') as f:
            json.dump(r, f, indent=1)


if __name__ == '__main__':
    main()
