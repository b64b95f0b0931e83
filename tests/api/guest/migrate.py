#!/usr/bin/python3
# Guests go from one daemon to another and back: virsh and python-libvirt,
# while the guest works on its memory and its disk, and while clients, daemons
# and machines are killed.
#
# RUNS: migrations in a row (default 5).  KILLS: how many are broken up
# (default 5).
import random
import signal

from functions import *

V = libvirt
OFF, RUNS, PAUSED = (V.VIR_DOMAIN_SHUTOFF, V.VIR_DOMAIN_RUNNING,
                     V.VIR_DOMAIN_PAUSED)
LIVE = V.VIR_MIGRATE_LIVE
STARTED = (V.VIR_DOMAIN_EVENT_STARTED, V.VIR_DOMAIN_EVENT_STARTED_MIGRATED)
RESUMED = (V.VIR_DOMAIN_EVENT_RESUMED, V.VIR_DOMAIN_EVENT_RESUMED_MIGRATED)
SUSPENDED = (V.VIR_DOMAIN_EVENT_SUSPENDED,
             V.VIR_DOMAIN_EVENT_SUSPENDED_MIGRATED)
STOPPED = (V.VIR_DOMAIN_EVENT_STOPPED, V.VIR_DOMAIN_EVENT_STOPPED_MIGRATED)
FAILED = (V.VIR_DOMAIN_EVENT_STOPPED, V.VIR_DOMAIN_EVENT_STOPPED_FAILED)
DEFINED = (V.VIR_DOMAIN_EVENT_DEFINED, V.VIR_DOMAIN_EVENT_DEFINED_ADDED)
UNDEFINED = (V.VIR_DOMAIN_EVENT_UNDEFINED,
             V.VIR_DOMAIN_EVENT_UNDEFINED_REMOVED)


def qemu(d):
    """What virsh's users write."""
    return d.uri.replace("vireo+unix", "qemu+unix")


def state(c, name="g"):
    """[state, reason], or None when there is no such domain."""
    return ignore(lambda: c.lookupByName(name).state())


def lives(c, name="g"):
    s = state(c, name)
    return s is not None and s[0] != OFF


def check_run(c, name="g"):
    con = console(c, c.lookupByName(name))
    works(con)
    con.close()


class More:
    """Events about jobs."""

    def __init__(self, conn):
        self.rounds, self.jobs = [], []
        conn.domainEventRegisterAny(
            None, V.VIR_DOMAIN_EVENT_ID_MIGRATION_ITERATION,
            lambda c, d, n, o: self.rounds.append(n), None)
        conn.domainEventRegisterAny(
            None, V.VIR_DOMAIN_EVENT_ID_JOB_COMPLETED,
            lambda c, d, p, o: self.jobs.append(p), None)


def by_virsh(a, b, ca, cb):
    """There and back, driven by the client and by the daemon."""
    ea, eb, more = Events(ca), Events(cb), More(ca)
    a.virsh("migrate", "--live", "g", qemu(b))
    ea.expect("g", SUSPENDED, STOPPED)
    eb.expect("g", STARTED, RESUMED)
    assert state(ca) == [OFF, V.VIR_DOMAIN_SHUTOFF_MIGRATED], state(ca)
    assert state(cb) == [RUNS, V.VIR_DOMAIN_RUNNING_MIGRATED], state(cb)
    assert not cb.lookupByName("g").isPersistent()
    until("events of the job", lambda: more.rounds and more.jobs)
    assert more.jobs[0]["memory_total"] >= 128 << 20, more.jobs
    done = cb.lookupByName("g").jobStats(V.VIR_DOMAIN_JOB_STATS_COMPLETED)
    assert done["operation"] == V.VIR_DOMAIN_JOB_OPERATION_MIGRATION_IN, done
    assert done["memory_total"] == more.jobs[0]["memory_total"]
    assert "downtime" in done, done
    check_run(cb)

    b.virsh("migrate", "--live", "--p2p", "--persistent", "g", qemu(a))
    ea.expect("g", STARTED, RESUMED,
              (V.VIR_DOMAIN_EVENT_DEFINED, V.VIR_DOMAIN_EVENT_DEFINED_UPDATED))
    eb.expect("g", SUSPENDED, STOPPED)
    assert state(cb) is None and state(ca)[0] == RUNS
    check_run(ca)


def by_uri(a, b, ca, cb):
    """Definitions move too; other ways through; older calls."""
    g = ca.lookupByName("g")
    flags = LIVE | V.VIR_MIGRATE_PERSIST_DEST | V.VIR_MIGRATE_UNDEFINE_SOURCE
    h = g.migrate3(cb, {V.VIR_MIGRATE_PARAM_URI: "tcp://127.0.0.1",
                        V.VIR_MIGRATE_PARAM_LISTEN_ADDRESS: "127.0.0.1",
                        V.VIR_MIGRATE_PARAM_DEST_NAME: "h"}, flags)
    assert h.name() == "h" and h.isPersistent() and state(ca) is None
    assert "<name>h</name>" in h.XMLDesc(V.VIR_DOMAIN_XML_INACTIVE)
    check_run(cb, "h")
    h.migrateToURI3(qemu(a), {
        V.VIR_MIGRATE_PARAM_DEST_NAME: "g",
        V.VIR_MIGRATE_PARAM_URI: f"unix://{a.dir}/through"},
        flags | V.VIR_MIGRATE_PEER2PEER)
    assert state(cb, "h") is None and ca.lookupByName("g").isPersistent()
    # Without typed parameters; paused it stays paused, and compressed.
    g = ca.lookupByName("g")
    g.suspend()
    g = g.migrate2(cb, None, LIVE | V.VIR_MIGRATE_COMPRESSED, None, None, 0)
    assert g.state() == [PAUSED, V.VIR_DOMAIN_PAUSED_USER], g.state()
    g = g.migrate2(ca, None, LIVE | V.VIR_MIGRATE_PAUSED, None, None, 0)
    assert g.state()[0] == PAUSED
    g.resume()
    check_run(ca)


def refusals(a, b, ca, cb):
    g = ca.lookupByName("g")
    for flag in (V.VIR_MIGRATE_NON_SHARED_DISK, V.VIR_MIGRATE_NON_SHARED_INC,
                 V.VIR_MIGRATE_RDMA_PIN_ALL):
        fails(V.VIR_ERR_ARGUMENT_UNSUPPORTED, g.migrate3, cb, {}, LIVE | flag)
    fails(V.VIR_ERR_ARGUMENT_UNSUPPORTED, g.migrate3, cb,
          {V.VIR_MIGRATE_PARAM_COMPRESSION: "xbzrle"},
          LIVE | V.VIR_MIGRATE_COMPRESSED)
    fails(V.VIR_ERR_INVALID_ARG, g.migrate3, cb,
          {V.VIR_MIGRATE_PARAM_PARALLEL_CONNECTIONS: 17},
          LIVE | V.VIR_MIGRATE_PARALLEL)
    fails(V.VIR_ERR_INVALID_ARG, g.migrate3, cb,
          {V.VIR_MIGRATE_PARAM_URI: "rdma://somewhere"}, LIVE)
    fails(V.VIR_ERR_OPERATION_INVALID, g.migrate3, ca, {}, LIVE)  # to itself
    # A file of the same name and other content is not the guest's disk.
    other = b.dir + "/other"
    with open(other, "wb") as f:
        f.truncate(8 << 20)
    xml = g.XMLDesc(V.VIR_DOMAIN_XML_MIGRATABLE).replace(a.dir + "/disk", other)
    fails(V.VIR_ERR_MIGRATE_UNSAFE, g.migrate3, cb,
          {V.VIR_MIGRATE_PARAM_DEST_XML: xml}, LIVE)
    fails(V.VIR_ERR_CONFIG_UNSUPPORTED, g.migrate3, cb,
          {V.VIR_MIGRATE_PARAM_DEST_XML:
           re.sub("<vcpu[^<]*</vcpu>", "<vcpu>1</vcpu>", xml)}, LIVE)
    t = ca.lookupByName("g")
    assert t.state()[0] == RUNS and not lives(cb)
    fails(V.VIR_ERR_NO_DOMAIN, cb.lookupByName, "g")


def limits(a, b):
    """Speed, downtime, what happens meanwhile, and giving up."""
    ca, cb = a.open(), b.open()  # each tells its events once
    ea, eb = Events(ca), Events(cb)
    g = ca.lookupByName("g")
    assert g.migrateGetMaxSpeed() == (1 << 63) - 1 >> 20
    assert g.migrateGetMaxDowntime() == 300
    g.migrateSetMaxSpeed(1)
    g.migrateSetMaxDowntime(7)
    assert (g.migrateGetMaxSpeed(), g.migrateGetMaxDowntime()) == (1, 7)
    fails(V.VIR_ERR_OPERATION_UNSUPPORTED, g.migrateSetCompressionCache,
          1 << 20)

    # How fast the guest writes, and that a migration comes first.
    def measured(of):
        s = ca.domainListGetStats([of], V.VIR_DOMAIN_STATS_DIRTYRATE)[0][1]
        return s if s["dirtyrate.calc_status"] == \
            V.VIR_DOMAIN_DIRTYRATE_MEASURED else None

    for mode, name in ((V.VIR_DOMAIN_DIRTYRATE_MODE_PAGE_SAMPLING,
                        "page-sampling"),
                       (V.VIR_DOMAIN_DIRTYRATE_MODE_DIRTY_BITMAP,
                        "dirty-bitmap")):
        g.startDirtyRateCalc(1, mode)
        until("a rate of " + name, lambda: measured(g))
        assert measured(g)["dirtyrate.calc_mode"] == name, measured(g)
        assert measured(g)["dirtyrate.calc_period"] == 1, measured(g)
    assert measured(g)["dirtyrate.megabytes_per_second"] > 0, measured(g)
    fails(V.VIR_ERR_OPERATION_UNSUPPORTED, g.startDirtyRateCalc, 1,
          V.VIR_DOMAIN_DIRTYRATE_MODE_DIRTY_RING)
    fails(V.VIR_ERR_CONFIG_UNSUPPORTED, g.startDirtyRateCalc, 61, 0)
    g.startDirtyRateCalc(60, V.VIR_DOMAIN_DIRTYRATE_MODE_DIRTY_BITMAP)
    fails_any(g.startDirtyRateCalc, 1, 0)

    # At 1 MiB/s it does not end by itself.
    def begin(flags=LIVE):
        out = []
        t = threading.Thread(
            target=lambda: out.append(code_of(g.migrate3, cb, {}, flags)))
        t.start()
        until("the migration goes on", lambda: g.jobInfo()[4] > 0)
        return t, out

    t, out = begin(LIVE | V.VIR_MIGRATE_CHANGE_PROTECTION)
    info = g.jobStats()
    assert info["operation"] == V.VIR_DOMAIN_JOB_OPERATION_MIGRATION_OUT
    assert info["memory_total"] >= 128 << 20, info
    assert state(cb) == [PAUSED, V.VIR_DOMAIN_PAUSED_MIGRATION], state(cb)
    fails(V.VIR_ERR_OPERATION_INVALID, cb.lookupByName("g").abortJob)
    g.abortJob()
    t.join()
    assert out == [V.VIR_ERR_OPERATION_ABORTED], out
    until("the other end", lambda: not lives(cb))
    eb.expect("g", STARTED, FAILED)
    assert g.state()[0] == RUNS
    check_run(ca)

    # Suspending lets it end, and the guest runs there.
    t, out = begin()
    g.suspend()
    t.join()
    assert out == [None] and state(cb)[0] == RUNS, (out, state(cb))
    ea.expect("g", SUSPENDED, STOPPED)
    # The client does that by itself after a time.
    b.virsh("migrate-setspeed", "g", "1")
    b.vireo("migrate", "--live", "--timeout", "1", "g", qemu(a))
    assert state(ca)[0] == RUNS and not lives(cb)
    g = ca.lookupByName("g")
    # The limit can be lifted on the way.
    g.migrateSetMaxSpeed(1)
    t, out = begin()
    g.migrateSetMaxSpeed(100000)
    t.join()
    assert out == [None], out
    # Slow, but the guest is slowed down until it can go.
    b.virsh("migrate", "--live", "--auto-converge", "--bandwidth", "60",
            "--auto-converge-initial", "40", "g", qemu(a))
    check_run(ca)


def offline(a, b, ca, cb):
    """Of a guest that is off only the definition goes."""
    o = ca.defineXML(a.xml("o"))
    flags = V.VIR_MIGRATE_OFFLINE | V.VIR_MIGRATE_PERSIST_DEST
    fails(V.VIR_ERR_OPERATION_INVALID, o.migrate3, cb, {},
          V.VIR_MIGRATE_OFFLINE)
    fails(V.VIR_ERR_OPERATION_INVALID, ca.lookupByName("g").migrate3, cb, {},
          flags)
    a.virsh("migrate", "--offline", "--persistent", "o", qemu(b))
    p = cb.lookupByName("o")
    assert p.isPersistent() and p.state()[0] == OFF and lives(ca, "g")
    assert p.UUIDString() == o.UUIDString()
    fails(V.VIR_ERR_OPERATION_INVALID, o.migrate3, cb, {}, flags)
    p.undefine()
    a.virsh("migrate", "--offline", "--persistent", "--undefinesource",
            "--p2p", "--dname", "p", "o", qemu(b))
    assert state(ca, "o") is None
    cb.lookupByName("p").undefine()


def through_tunnel(a, b):
    """Memory goes through a stream of the daemons' connection."""
    ca, cb = a.open(), b.open()
    g = ca.lookupByName("g")
    flags = LIVE | V.VIR_MIGRATE_PEER2PEER | V.VIR_MIGRATE_TUNNELLED
    for flag, code in ((V.VIR_MIGRATE_POSTCOPY, V.VIR_ERR_ARGUMENT_UNSUPPORTED),
                       (V.VIR_MIGRATE_TLS, V.VIR_ERR_ARGUMENT_UNSUPPORTED),
                       (V.VIR_MIGRATE_PARALLEL, V.VIR_ERR_INVALID_ARG)):
        fails(code, g.migrateToURI3, qemu(b), {}, flags | flag)
    fails(V.VIR_ERR_ARGUMENT_UNSUPPORTED, g.migrateToURI3, qemu(b),
          {V.VIR_MIGRATE_PARAM_URI: "tcp://127.0.0.1"}, flags)
    a.virsh("migrate", "--live", "--p2p", "--tunnelled", "--persistent",
            "--undefinesource", "g", qemu(b))
    assert state(ca) is None and cb.lookupByName("g").isPersistent()
    done = cb.lookupByName("g").jobStats(V.VIR_DOMAIN_JOB_STATS_COMPLETED)
    assert done["memory_total"] >= 128 << 20, done
    check_run(cb)
    # Given up on the way, nothing of it is left.
    h = cb.lookupByName("g")
    h.migrateSetMaxSpeed(1)
    out = []
    t = threading.Thread(target=lambda: out.append(
        code_of(h.migrateToURI3, qemu(a), {}, flags)))
    t.start()
    until("the migration goes on", lambda: h.jobInfo()[4] > 0)
    h.abortJob()
    t.join()
    assert out == [V.VIR_ERR_OPERATION_ABORTED], out
    until("the other end", lambda: not lives(ca))
    check_run(cb)
    h.migrateSetMaxSpeed(100000)
    b.virsh("migrate", "--live", "--p2p", "--tunnelled", "--persistent",
            "--undefinesource", "--compressed", "--auto-converge", "g",
            qemu(a))
    assert state(cb) is None
    check_run(ca)


class Keys:
    """A certificate authority, and what it signs."""

    def __init__(self, folder):
        self.dir = folder
        os.mkdir(folder)
        self.key("ca")
        self.template("ca", "ca\ncert_signing_key\n", "Test")
        self.certtool("--generate-self-signed", "--load-privkey", "ca-key.pem",
                      "--template", "ca.info", "--outfile", "ca-cert.pem")

    def certtool(self, *args):
        subprocess.run(["certtool", *args], cwd=self.dir, check=True,
                       stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def key(self, name):
        self.certtool("--generate-privkey", "--key-type", "ecdsa",
                      "--outfile", f"{name}-key.pem")

    def template(self, name, more, cn):
        with open(f"{self.dir}/{name}.info", "w") as f:
            f.write(f"cn = {cn}\nexpiration_days = 30\n{more}")

    def sign(self, name, cn, more):
        self.key(name)
        self.template(name, f"signing_key\n{more}\n", cn)
        self.certtool("--generate-certificate", "--load-ca-certificate",
                      "ca-cert.pem", "--load-ca-privkey", "ca-key.pem",
                      "--load-privkey", f"{name}-key.pem", "--template",
                      f"{name}.info", "--outfile", f"{name}-cert.pem")

    def install(self, d):
        os.mkdir(d.dir + "/pki")
        for name in ("ca-cert", "server-cert", "server-key", "client-cert",
                     "client-key"):
            shutil.copy(f"{self.dir}/{name}.pem", d.dir + "/pki")


def over_tls(a, b):
    """With keys on both sides, of one authority, and the right name."""
    ca, cb = a.open(), b.open()
    g = ca.lookupByName("g")
    flags = LIVE | V.VIR_MIGRATE_TLS
    assert fails_any(g.migrate3, cb, {}, flags)  # no keys yet
    keys = Keys(a.dir + "/ca")
    keys.sign("server", "localhost", "dns_name = there.example\n"
              "ip_address = 127.0.0.1\ntls_www_server")
    keys.sign("client", "here.example", "tls_www_client")
    keys.install(a)
    keys.install(b)
    through = {V.VIR_MIGRATE_PARAM_URI: "tcp://127.0.0.1",
               V.VIR_MIGRATE_PARAM_LISTEN_ADDRESS: "127.0.0.1"}
    fails(V.VIR_ERR_AUTH_FAILED, g.migrate3, cb, {
        **through, V.VIR_MIGRATE_PARAM_TLS_DESTINATION: "other.example"},
        flags)
    assert g.state()[0] == RUNS and not lives(cb)
    g = g.migrate3(cb, through, flags)
    check_run(cb)
    b.virsh("migrate", "--live", "--p2p", "--tls", "--tls-destination",
            "there.example", "--parallel", "--parallel-connections", "3", "g",
            qemu(a))
    check_run(ca)
    # Somebody else's authority.
    shutil.rmtree(b.dir + "/pki")
    keys = Keys(b.dir + "/ca")
    keys.sign("server", "localhost", "tls_www_server")
    keys.sign("client", "here.example", "tls_www_client")
    keys.install(b)
    g = ca.lookupByName("g")
    fails(V.VIR_ERR_AUTH_FAILED, g.migrate3, cb, {}, flags)
    assert g.state()[0] == RUNS
    check_run(ca)


POSTCOPY = (V.VIR_DOMAIN_EVENT_RESUMED, V.VIR_DOMAIN_EVENT_RESUMED_POSTCOPY)
GOES_FIRST = (V.VIR_DOMAIN_EVENT_SUSPENDED,
              V.VIR_DOMAIN_EVENT_SUSPENDED_POSTCOPY)
SPLIT = (V.VIR_DOMAIN_EVENT_SUSPENDED,
         V.VIR_DOMAIN_EVENT_SUSPENDED_POSTCOPY_FAILED)
SPLIT_THERE = (V.VIR_DOMAIN_EVENT_RESUMED,
               V.VIR_DOMAIN_EVENT_RESUMED_POSTCOPY_FAILED)


def post_copy(a, b):
    """The guest goes first, and its memory follows; and that breaks."""
    flags = LIVE | V.VIR_MIGRATE_POSTCOPY
    ca, cb = a.open(), b.open()
    ea, eb = Events(ca), Events(cb)
    g = ca.lookupByName("g")
    fails(V.VIR_ERR_OPERATION_INVALID, g.migrateStartPostCopy)
    fails(V.VIR_ERR_INVALID_ARG, g.migrate3, cb, {},
          LIVE | V.VIR_MIGRATE_POSTCOPY_RESUME)
    fails(V.VIR_ERR_OPERATION_INVALID, g.migrate3, cb, {},
          flags | V.VIR_MIGRATE_POSTCOPY_RESUME)

    def begin(flags, **more):
        g.migrateSetMaxSpeed(1)
        out = []
        t = threading.Thread(target=lambda: out.append(
            code_of(g.migrate3, cb, more, flags)))
        t.start()
        until("the migration goes on", lambda: g.jobInfo()[4] > 0)
        return t, out

    # Without the flag it can only go on as it is.
    t, out = begin(LIVE)
    fails(V.VIR_ERR_OPERATION_INVALID, g.migrateStartPostCopy)
    g.abortJob()
    t.join()
    assert out == [V.VIR_ERR_OPERATION_ABORTED], out
    eb.expect("g", STARTED, FAILED)

    t, out = begin(flags)
    g.migrateStartPostCopy()
    t.join()
    assert out == [None], out
    ea.expect("g", GOES_FIRST, STOPPED)
    eb.expect("g", STARTED, POSTCOPY, RESUMED)
    assert state(cb) == [RUNS, V.VIR_DOMAIN_RUNNING_MIGRATED], state(cb)
    check_run(cb)
    # From daemon to daemon, as soon as all was sent once.
    b.vireo("migrate", "--live", "--p2p", "--postcopy",
            "--postcopy-after-precopy", "g", qemu(a))
    assert state(ca)[0] == RUNS and not lives(cb)
    check_run(ca)

    # It breaks, and is mended.
    ca, cb = a.open(), b.open()
    ea, eb = Events(ca), Events(cb)
    g = ca.lookupByName("g")
    t, out = begin(flags, **{V.VIR_MIGRATE_PARAM_BANDWIDTH_POSTCOPY: 1})
    g.migrateStartPostCopy()
    until("it runs there", lambda: state(cb) == [
        RUNS, V.VIR_DOMAIN_RUNNING_POSTCOPY])
    assert state(ca) == [PAUSED, V.VIR_DOMAIN_PAUSED_POSTCOPY], state(ca)
    assert g.jobInfo()[0] == V.VIR_DOMAIN_JOB_UNBOUNDED
    fails(V.VIR_ERR_OPERATION_INVALID, g.abortJob)
    g.abortJobFlags(V.VIR_DOMAIN_ABORT_JOB_POSTCOPY)
    t.join()
    assert out == [V.VIR_ERR_OPERATION_FAILED], out
    until("both know it", lambda: (state(ca), state(cb)) == (
        [PAUSED, V.VIR_DOMAIN_PAUSED_POSTCOPY_FAILED],
        [RUNS, V.VIR_DOMAIN_RUNNING_POSTCOPY_FAILED]))
    fails_any(g.resume)
    assert state(ca)[0] == PAUSED
    ea.expect("g", GOES_FIRST, SPLIT)
    eb.expect("g", STARTED, POSTCOPY, SPLIT_THERE)
    # The source's daemon knows it, too, after it was away.
    for pid in a.pids():
        os.kill(pid, signal.SIGKILL)
    a.up()
    ca, cb = a.open(), b.open()
    ea, eb = Events(ca), Events(cb)
    until("both know it still", lambda: (state(ca), state(cb)) == (
        [PAUSED, V.VIR_DOMAIN_PAUSED_POSTCOPY_FAILED],
        [RUNS, V.VIR_DOMAIN_RUNNING_POSTCOPY_FAILED]))
    g = ca.lookupByName("g")
    g.migrateSetMaxSpeed(0, V.VIR_DOMAIN_MIGRATE_MAX_SPEED_POSTCOPY)
    a.virsh("migrate", "--live", "--postcopy", "--postcopy-resume", "g",
            qemu(b))
    ea.expect("g", GOES_FIRST, STOPPED)
    assert state(cb) == [RUNS, V.VIR_DOMAIN_RUNNING_MIGRATED], state(cb)
    check_run(cb)
    # The client switches after a time; without, it would not end.
    cb = b.open()
    eb = Events(cb)
    b.virsh("migrate-setspeed", "g", "1")
    b.vireo("migrate", "--live", "--persistent", "--postcopy", "--timeout",
            "1", "--timeout-postcopy", "g", qemu(a))
    eb.expect("g", GOES_FIRST, STOPPED)
    check_run(ca)


def settled(ds, name="g"):
    """The connection on which the guest runs; it runs on one only."""
    cs = [d.open() for d in ds]

    def one():
        states = [state(c, name) for c in cs]
        running = [c for c, s in zip(cs, states) if s and s[0] == RUNS]
        assert len(running) < 2, states
        return running if running and all(
            s is None or s[0] in (RUNS, OFF) for s in states) else None

    return until("one running guest", one)[0]


def kill(what, src, dst, client, g):
    """Breaks a migration up; what stays up is seen to later."""
    if what == "client":
        client.kill()
        return
    pids = {"source": src.pids, "destination": dst.pids,
            "source's main": lambda: src.pids()[1:],
            "machine": lambda: [dst.vmm_pid(g)]}[what]()
    for pid in pids:
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            pass


def broken_up(a, b, kills):
    """Whatever is killed, and whenever: the guest goes on, once."""
    rng = random.Random(os.getpid())
    c = settled([a, b])
    for i in range(kills):
        src, dst = (a, b) if lives(a.open()) else (b, a)
        g = c.lookupByName("g")
        # After the client both daemons are started anew: it may have asked
        # for something that they are still about to do.
        what = ["machine", "destination", "source's main", "client",
                "source"][i % 5]
        p2p = what != "client" and rng.random() < 0.5
        # A machine that has the guest already is the guest: not that one.
        g.migrateSetMaxSpeed(1 if what == "machine" else 60)
        argv = ["virsh", "-q", "-c", src.uri, "migrate", "--live",
                "--persistent", *(["--p2p"] if p2p else []), "g",
                qemu(dst)]
        client = subprocess.Popen(argv, stdin=subprocess.DEVNULL,
                                  stdout=subprocess.PIPE,
                                  stderr=subprocess.STDOUT, text=True)
        if what == "machine":
            until("a machine that waits", lambda: lives(dst.open()) and
                  os.path.exists(f"{dst.dir}/run/vmm/{g.UUIDString()}/pid"))
        delay = rng.random() * 2.5
        time.sleep(delay)
        kill(what, src, dst, client, g)
        said = client.communicate(timeout=SECONDS)[0].strip()
        if what not in ("client", "machine"):
            a.up()
            b.up()
        c = settled([a, b])
        print(f"  {what} after {delay:.2f} s: "
              f"{'stays' if lives(src.open()) else 'went'}: {said}",
              flush=True)
        check_run(c)
    return c


def main(a, b):
    ca, cb = a.open(), b.open()
    data = os.urandom(8 << 20)
    disk = chain(a.dir, "disk", data)
    devices = f"""<disk type='file' device='disk'>
      <driver name='qemu' type='qcow2'/><source file='{disk}'/>
      <target dev='vda' bus='virtio'/></disk>
    <rng model='virtio'><backend model='random'>/dev/urandom</backend></rng>
    <memballoon model='virtio'/>"""
    g = ca.defineXML(a.xml("g", devices, vcpus=2))
    fails(V.VIR_ERR_OPERATION_INVALID, g.migrate3, cb, {}, LIVE)
    g.create()
    con = StreamConsole(ca, g)
    con.wait_prompt()
    con.run(WORK)
    works(con)
    con.close()
    by_virsh(a, b, ca, cb)
    by_uri(a, b, ca, cb)
    refusals(a, b, ca, cb)
    offline(a, b, ca, cb)
    through_tunnel(a, b)
    limits(a, b)
    if shutil.which("certtool"):
        over_tls(a, b)
    # Only some may watch who touches memory.
    if os.access("/dev/userfaultfd", os.R_OK | os.W_OK):
        post_copy(a, b)
    ca, cb = a.open(), b.open()
    con = console(ca, ca.lookupByName("g"))
    # A guest whose memory did not come was right to complain.
    con.run("dmesg -c >/dev/null")
    here, there = (a, ca), (b, cb)
    for i in range(int(os.environ.get("RUNS", "5"))):
        here[0].virsh("migrate", "--live", *(["--p2p"] if i % 2 else []),
                      *(["--compressed"] if i % 3 == 2 else []),
                      *(["--parallel", "--parallel-connections", "4"]
                        if i % 3 else []), "g",
                      qemu(there[0]))
        here, there = there, here
        check_run(here[1])
    c = broken_up(a, b, int(os.environ.get("KILLS", "5")))
    con = console(c, c.lookupByName("g"))
    assert con.run("dmesg | grep -c -E 'BUG:|stall|unstable'; true") == "0"
    c.lookupByName("g").destroy()
    now = check_chain(disk, data)
    assert now[:4 << 20] != data[:4 << 20] and now[4 << 20:] == data[4 << 20:]


with Daemon() as a, Daemon() as b:
    main(a, b)
