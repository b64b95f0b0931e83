#!/usr/bin/python3
# examples/show-and-tell.xml is accepted, and shown back with all it said.
import xml.etree.ElementTree as ET

from functions import *

EXAMPLE = os.path.dirname(os.path.abspath(__file__)) + \
    "/../../examples/show-and-tell.xml"


def holds(got, want, path):
    """All that 'want' says is in 'got', each child in one of its own."""
    for name, value in want.attrib.items():
        assert got.get(name) == value, (path, name, value, got.get(name))
    if (want.text or "").strip():
        assert (got.text or "").strip() == want.text.strip(), (path, got.text)
    left = list(got)
    for child in want:
        for i, other in enumerate(left):
            if other.tag == child.tag and fits(other, child, path):
                del left[i]
                break
        else:
            raise AssertionError(
                f"{path}: lost {ET.tostring(child).decode()}")


def fits(got, want, path):
    try:
        holds(got, want, f"{path}/{want.tag}")
    except AssertionError as e:
        fits.why = e
        return False
    return True


def main(c):
    with open(EXAMPLE) as f:
        text = f.read().replace("type='kvm'", "type='test'", 1)
    dom = c.defineXML(text)
    flags = libvirt.VIR_DOMAIN_XML_SECURE | libvirt.VIR_DOMAIN_XML_INACTIVE
    for again in range(2):  # what was shown is accepted, too
        back = dom.XMLDesc(flags)
        holds(ET.fromstring(back), ET.fromstring(text), "domain")
        dom = c.defineXML(back)


with Daemon() as d:
    main(d.open())
