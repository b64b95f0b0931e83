#!/usr/bin/python3
# Events: every kind can be asked for; those of one domain arrive in order.
from functions import *

run_events()
with Daemon() as d:
    c = d.open()
    c.setKeepAlive(5, 3)
    every, one, closed = Events(), Events(), Events()
    ids = [c.domainEventRegisterAny(None, libvirt.VIR_DOMAIN_EVENT_ID_LIFECYCLE,
                                    every, None)]
    for event in range(1, 26):
        ids.append(c.domainEventRegisterAny(None, event, Events(), None))
    others = [
        (c.networkEventDeregisterAny,
         c.networkEventRegisterAny(None, 0, Events(), None)),
        (c.storagePoolEventDeregisterAny,
         c.storagePoolEventRegisterAny(None, 0, Events(), None)),
        (c.nodeDeviceEventDeregisterAny,
         c.nodeDeviceEventRegisterAny(None, 0, Events(), None)),
        (c.secretEventDeregisterAny,
         c.secretEventRegisterAny(None, 0, Events(), None)),
    ]
    c.registerCloseCallback(closed, None)

    a = c.defineXML(xml("a"))
    b = c.defineXML(xml("b"))
    only_a = c.domainEventRegisterAny(a, libvirt.VIR_DOMAIN_EVENT_ID_LIFECYCLE,
                                      one, None)
    b.create()
    a.create()
    a.suspend()
    a.resume()
    a.destroy()

    def brief(got):
        return [(dom.name(), event) for _, dom, event, _, _ in got]

    # define, define, start b, then start, pause, resume, stop of a
    want = [("a", 0), ("b", 0), ("b", 2), ("a", 2), ("a", 3), ("a", 4),
            ("a", 5)]
    got = brief(every.wait(len(want)))
    assert got == want, got
    got = brief(one.wait(4))
    assert got == [("a", 2), ("a", 3), ("a", 4), ("a", 5)], got

    # An older client's registration, beside the newer one.
    old = Events()
    c.domainEventRegister(old, None)
    b.destroy()
    assert [(x[1].name(), x[2]) for x in old.wait(1)] == [("b", 5)]
    c.domainEventDeregister(old)

    for i in ids:
        c.domainEventDeregisterAny(i)
    for deregister, i in others:
        deregister(i)
    a.create()
    assert brief(one.wait(5))[4:] == [("a", 2)]
    c.domainEventDeregisterAny(only_a)
    assert len(every.got) == len(want) + 1 and closed.got == []
    c.unregisterCloseCallback()
    fails(libvirt.VIR_ERR_INVALID_ARG, c.domainEventDeregisterAny, 4711)

    # A hung call leaves the connection, and others, alive.
    h = c.defineXML(xml("h", behaviour(pause="hang")))
    h.create()
    t = threading.Thread(target=lambda: fails_somehow(h.suspend))

    def fails_somehow(fn):
        try:
            fn()
        except libvirt.libvirtError:
            pass

    t.start()
    assert c.isAlive() and d.open().lookupByName("a").isActive()
    h.destroy()
    t.join()
