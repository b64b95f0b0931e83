#!/usr/bin/python3
# examples/show-and-tell.xml is accepted, and shown back with all it said.
from functions import *

EXAMPLE = os.path.dirname(os.path.abspath(__file__)) + \
    "/../../examples/show-and-tell.xml"


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
