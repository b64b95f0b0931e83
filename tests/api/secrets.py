#!/usr/bin/python3
# Secrets as python-libvirt and virsh see them.
from functions import *

run_events()
heard = []


def secret(more="", attributes=""):
    return f"<secret {attributes}>{more}</secret>"


def usage(kind, element, name):
    return f"<usage type='{kind}'><{element}>{name}</{element}></usage>"


with Daemon() as d:
    c = d.open()
    c.secretEventRegisterAny(
        None, libvirt.VIR_SECRET_EVENT_ID_LIFECYCLE,
        lambda conn, s, event, detail, arg:
        heard.append((s.usageID(), event)), None)
    c.secretEventRegisterAny(
        None, libvirt.VIR_SECRET_EVENT_ID_VALUE_CHANGED,
        lambda conn, s, arg: heard.append((s.usageID(), "value")), None)

    assert c.listAllSecrets() == [] and c.numOfSecrets() == 0
    one = c.secretDefineXML(
        secret("<description>The first</description>"
               + usage("volume", "volume", "/var/a")))
    assert one.usageType() == libvirt.VIR_SECRET_USAGE_TYPE_VOLUME
    assert one.usageID() == "/var/a"
    assert "<description>The first</description>" in one.XMLDesc()
    assert "ephemeral='no'" in one.XMLDesc()
    assert c.listSecrets() == [one.UUIDString()]
    assert c.secretLookupByUUIDString(one.UUIDString()).usageID() == "/var/a"
    assert c.secretLookupByUsage(
        libvirt.VIR_SECRET_USAGE_TYPE_VOLUME,
        "/var/a").UUIDString() == one.UUIDString()

    # Values are bytes, zeroes included, up to the protocol's limit.
    fails(libvirt.VIR_ERR_NO_SECRET, one.value)
    for value in (b"a\0b", b"x" * 65536):
        one.setValue(value)
        assert one.value() == value
    assert d.virsh("secret-set-value", one.UUIDString(), "--base64",
                   "c2VjcmV0")[0] == 0
    assert d.virsh("secret-get-value",
                   one.UUIDString())[1].strip() == "c2VjcmV0"

    # A private one's value never comes back; and it stays private.
    hidden = c.secretDefineXML(secret(usage("iscsi", "target", "t"),
                                      "private='yes' ephemeral='yes'"))
    hidden.setValue(b"v")
    fails(libvirt.VIR_ERR_INVALID_SECRET, hidden.value)
    fails(libvirt.VIR_ERR_OPERATION_DENIED, c.secretDefineXML,
          secret(f"<uuid>{hidden.UUIDString()}</uuid>"
                 + usage("iscsi", "target", "t")))
    assert len(c.listAllSecrets()) == 2
    assert one.UUIDString() in d.both("secret-list")[1]
    for more in ("--ephemeral",), ("--no-private", "--no-ephemeral"):
        d.both("secret-list", *more)
    d.both("secret-dumpxml", one.UUIDString())
    d.both("secret-get-value", one.UUIDString())
    d.both("secret-get-value", one.UUIDString(), "--plain")
    assert d.both("secret-get-value", hidden.UUIDString())[0] == 1
    assert d.both("secret-set-value", one.UUIDString())[0] == 1
    assert [s.usageID() for s in c.listAllSecrets(
        libvirt.VIR_CONNECT_LIST_SECRETS_PRIVATE)] == ["t"]
    assert [s.usageID() for s in c.listAllSecrets(
        libvirt.VIR_CONNECT_LIST_SECRETS_NO_EPHEMERAL)] == ["/var/a"]

    # One secret for one use.
    fails(libvirt.VIR_ERR_INTERNAL_ERROR, c.secretDefineXML,
          secret(usage("volume", "volume", "/var/a")))
    fails(libvirt.VIR_ERR_XML_ERROR, c.secretDefineXML,
          secret("<usage type='ceph'/>"))
    fails(libvirt.VIR_ERR_XML_ERROR, c.secretDefineXML,
          secret("<usage type='none-such'/>"))

    # Readers on the read-only socket see descriptions, not values.
    ro = d.open_readonly()
    again = ro.secretLookupByUUIDString(one.UUIDString())
    assert again.usageID() == "/var/a"
    fails(libvirt.VIR_ERR_OPERATION_DENIED, again.value)

    one.undefine()
    hidden.undefine()
    fails(libvirt.VIR_ERR_NO_SECRET, c.secretLookupByUUIDString,
          one.UUIDString())
    assert c.numOfSecrets() == 0

    deadline = time.monotonic() + 120
    while ("t", libvirt.VIR_SECRET_EVENT_UNDEFINED) not in heard:
        assert time.monotonic() < deadline, heard
        time.sleep(0.01)
    assert heard[0] == ("/var/a", libvirt.VIR_SECRET_EVENT_DEFINED)
    assert heard.count(("/var/a", "value")) == 3
    ro.close()
    c.close()
