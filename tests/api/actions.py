#!/usr/bin/python3
# tests/api/actions.py -- what becomes of a domain when its guest switches off:
# changed while it runs, for its next start, or both.
from functions import *

POWEROFF, REBOOT, CRASH = range(3)
DESTROY, RESTART, RENAME, PRESERVE, DUMP_DESTROY, DUMP_RESTART = range(6)
LIVE, CONFIG = (libvirt.VIR_DOMAIN_AFFECT_LIVE,
                libvirt.VIR_DOMAIN_AFFECT_CONFIG)
INACTIVE = libvirt.VIR_DOMAIN_XML_INACTIVE


def actions(dom, flags=0):
    root = ET.fromstring(dom.XMLDesc(flags))
    return [root.findtext(x) for x in ("on_poweroff", "on_reboot", "on_crash")]


def check_sysinfo(c):
    """As the kernel has it; nothing where it has nothing."""
    try:
        text = c.getSysinfo()
    except libvirt.libvirtError as e:
        assert e.get_error_code() == libvirt.VIR_ERR_CONFIG_UNSUPPORTED, e
        assert "SMBIOS information is not available" in str(e), e
        return
    root = ET.fromstring(text)
    assert root.tag == "sysinfo" and root.get("type") == "smbios", text
    with open("/sys/class/dmi/id/sys_vendor") as f:
        assert root.findtext("system/entry[@name='manufacturer']") == \
            f.read().strip()


run_events()
with Daemon() as d:
    c = d.open()
    check_sysinfo(c)
    fails(libvirt.VIR_ERR_INVALID_ARG, c.getSysinfo, 1)
    dom = c.defineXML(xml("a"))
    assert actions(dom) == ["destroy", "restart", "destroy"]
    dom.setLifecycleAction(REBOOT, DESTROY, CONFIG)
    dom.setLifecycleAction(CRASH, PRESERVE, 0)
    assert actions(dom) == ["destroy", "destroy", "preserve"]
    fails(libvirt.VIR_ERR_OPERATION_INVALID, dom.setLifecycleAction, CRASH,
          DESTROY, LIVE)
    fails(libvirt.VIR_ERR_INVALID_ARG, dom.setLifecycleAction, 3, DESTROY, 0)
    fails(libvirt.VIR_ERR_INVALID_ARG, dom.setLifecycleAction, CRASH, 6, 0)
    fails(libvirt.VIR_ERR_INVALID_ARG, dom.setLifecycleAction, POWEROFF,
          DUMP_DESTROY, 0)
    fails(libvirt.VIR_ERR_INVALID_ARG, dom.setLifecycleAction, CRASH, DESTROY,
          8)

    # Both, and then one of them.
    dom.create()
    dom.setLifecycleAction(POWEROFF, RESTART, LIVE | CONFIG)
    assert actions(dom) == actions(dom, INACTIVE) == \
        ["restart", "destroy", "preserve"]
    dom.setLifecycleAction(POWEROFF, PRESERVE, CONFIG)
    assert actions(dom)[0] == "restart"
    assert actions(dom, INACTIVE)[0] == "preserve"
    dom.setLifecycleAction(POWEROFF, DESTROY, LIVE)
    assert actions(dom)[0] == "destroy"

    # It does what it was told last: before that it would have restarted.
    ended = Events()
    c.domainEventRegisterAny(
        dom, libvirt.VIR_DOMAIN_EVENT_ID_LIFECYCLE,
        lambda c, dom, event, detail, _:
        event == libvirt.VIR_DOMAIN_EVENT_STOPPED and ended(detail), None)
    dom.shutdown()
    ended.wait(1)
    assert not dom.isActive()
    assert actions(dom) == ["preserve", "destroy", "preserve"]
    status, out, _ = d.virsh("set-lifecycle-action", "a", "crash", "restart",
                             "--config")
    assert status == 0, out
    assert actions(dom)[2] == "restart"
    c.close()
