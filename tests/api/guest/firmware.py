#!/usr/bin/python3
# q35 with Debian's SeaBIOS and OVMF: what a definition that asks for firmware
# becomes, what the guest sees, and what becomes of its variables.
import xml.etree.ElementTree as ET

from functions import *

V = libvirt
EFI = "<loader readonly='yes' type='pflash'>/usr/share/OVMF/OVMF_CODE_4M.fd" \
      "</loader>"
NAMES = """<sysinfo type='smbios'><system>
    <entry name='manufacturer'>Vireo's maker</entry>
    <entry name='product'>Guest of a test</entry>
    <entry name='serial'>12-34</entry></system>
  <baseBoard><entry name='product'>A board</entry>
    <entry name='serial'>56-78</entry></baseBoard>
  <chassis><entry name='asset'>Shelf 9</entry></chassis>
  <oemStrings><entry>first string</entry><entry>second one</entry></oemStrings>
  </sysinfo>"""

if not os.path.exists("/usr/share/OVMF/OVMF_CODE_4M.fd") or \
        not os.path.exists("/usr/share/seabios/bios-256k.bin"):
    print("skip: needs the packages seabios and ovmf")
    sys.exit(77)


def pc(d, name, os_attr="", os_more="", kernel=True, more="", machine="q35"):
    """A definition with firmware's machine."""
    text = d.xml(name, more=more).replace(">128<", ">256<")
    text = text.replace("machine='microvm'", f"machine='{machine}'")
    text = text.replace("<os>", f"<os{os_attr}>")
    text = text.replace("</os>", "</os><features><acpi/></features>")
    if not kernel:
        text = re.sub(r"(?s)<kernel>.*</cmdline>", "", text)
    return text.replace("</os>", os_more + "</os>")


def shown(dom):
    return ET.fromstring(dom.XMLDesc()).find("os")


STARTED = (V.VIR_DOMAIN_EVENT_STARTED, V.VIR_DOMAIN_EVENT_STARTED_BOOTED)
ASLEEP = (V.VIR_DOMAIN_EVENT_PMSUSPENDED,
          V.VIR_DOMAIN_EVENT_PMSUSPENDED_MEMORY)
AWAKE = (V.VIR_DOMAIN_EVENT_STARTED, V.VIR_DOMAIN_EVENT_STARTED_WAKEUP)


def power_events(c, dom):
    """What else than lifecycle events clients are told of it."""
    got = []
    for event in V.VIR_DOMAIN_EVENT_ID_PMSUSPEND, \
            V.VIR_DOMAIN_EVENT_ID_PMWAKEUP:
        c.domainEventRegisterAny(
            dom, event, lambda conn, dom, reason, what: got.append(what),
            event)
    return got


def send_to_sleep(con):
    con.send("echo mem >/sys/power/state; echo 'woken '$?")


def woken(con):
    con.expect("woken 0")
    con.wait_prompt()
    assert con.run("md5sum -c /ram/sum") == "/ram/kept: OK"


def sleeps(d, con, dom, wake):
    """Suspended to RAM, and back where it was."""
    send_to_sleep(con)
    until("sleep", lambda: dom.state()[0] == V.VIR_DOMAIN_PMSUSPENDED)
    for fn in dom.suspend, dom.resume, dom.shutdown, dom.managedSave:
        fails(V.VIR_ERR_OPERATION_INVALID, fn)
    fails(V.VIR_ERR_OPERATION_INVALID, dom.save, d.dir + "/no")
    wake()
    woken(con)
    until("waking", lambda: dom.state()[0] == V.VIR_DOMAIN_RUNNING)
    assert dom.state()[1] == V.VIR_DOMAIN_RUNNING_WAKEUP
    fails(V.VIR_ERR_OPERATION_INVALID, dom.pMWakeup)


def wakes_up(con, dom, seconds):
    """True, or it sleeps on although its alarm must have gone off."""
    since = None
    while not re.search(r"woken \d", con.text):
        con.text += con.read_some().decode(errors="replace")
        if dom.state()[0] != V.VIR_DOMAIN_PMSUSPENDED:
            since = None
        elif since is None:
            since = time.monotonic()
        elif time.monotonic() > since + seconds + 30:
            return False
    return "woken 0" in con.text


def by_alarm(con, dom):
    """The clock's alarm wakes it; where the host is so slow that it went off
    before the guest slept, a later one."""
    alarm = "/sys/class/rtc/rtc0/wakealarm"
    for seconds in 2, 8, 32, 128:
        con.run(f"echo 0 >{alarm}; echo +{seconds} >{alarm}")
        send_to_sleep(con)
        if wakes_up(con, dom, seconds):
            return woken(con)
        ignore(dom.pMWakeup)
        con.expect(r"woken \d")
        con.wait_prompt()
    raise AssertionError("no alarm wakes the guest")


def suspends(d, c, con, dom, ev):
    """Three ways to wake up."""
    assert "deep" in con.run("cat /sys/power/mem_sleep")
    con.run("mkdir -p /ram; mount -t tmpfs ram /ram; date >/ram/kept; "
            "md5sum /ram/kept >/ram/sum")
    power = power_events(c, dom)
    sleeps(d, con, dom, dom.pMWakeup)
    sleeps(d, con, dom, lambda: dom.sendKey(V.VIR_KEYCODE_SET_LINUX, 100,
                                            [57], 1, 0))
    ev.expect(dom.name(), *(2 * (ASLEEP, AWAKE)))
    until("events", lambda: len(power) == 4)
    assert power == 2 * [V.VIR_DOMAIN_EVENT_ID_PMSUSPEND,
                         V.VIR_DOMAIN_EVENT_ID_PMWAKEUP], power
    by_alarm(con, dom)


def boots(d, c, ev, dom):
    """The kernel starts and knows its names; it sleeps, and the button
    works."""
    dom.create()
    con = StreamConsole(c, dom)
    con.wake()
    dmi = con.run("cd /sys/class/dmi/id; cat sys_vendor product_name "
                  "product_serial board_name board_serial chassis_asset_tag "
                  "product_uuid").split("\n")
    assert dmi == ["Vireo's maker", "Guest of a test", "12-34", "A board",
                   "56-78", "Shelf 9", dom.UUIDString()], dmi
    oem = con.run("strings /sys/firmware/dmi/entries/11-0/raw")
    assert oem.split("\n") == ["first string", "second one"], oem
    assert con.run("test -d /sys/firmware/efi && echo efi; true") == \
        ("efi" if shown(dom).find("nvram") is not None else "")
    ev.until(dom.name(), STARTED)
    suspends(d, c, con, dom, ev)
    con.close()
    dom.shutdown()
    until("the guest is off", lambda: not dom.isActive())


def names(d, c):
    """Each is the same machine, and stays called what it was called."""
    for machine in "pc", "pc-q35-7.2", "pc-i440fx-7.2":
        dom = c.defineXML(pc(d, "bios", machine=machine))
        assert shown(dom).find("type").get("machine") == machine
        dom.undefine()


def direct(d, c, ev):
    """A kernel and a BIOS: it is entered at once, and finds the tables."""
    dom = c.defineXML(pc(d, "bios", " firmware='bios'",
                         "<smbios mode='sysinfo'/>", more=NAMES))
    assert shown(dom).get("firmware") == "bios"
    assert shown(dom).find("loader") is None
    boots(d, c, ev, dom)
    dom.undefine()


def seabios(d, c):
    dom = c.defineXML(pc(d, "bios", "", "<bootmenu enable='no'/>"
                         "<bios rebootTimeout='5000'/>", kernel=False))
    dom.create()
    con = StreamConsole(c, dom)
    con.expect(r"SeaBIOS \(version")
    con.expect("No bootable device")
    con.expect("Retrying in 5 seconds")
    con.close()
    dom.destroy()
    dom.undefine()


def ovmf(d, c, ev):
    dom = c.defineXML(pc(d, "efi", " firmware='efi'",
                         "<smbios mode='sysinfo'/>", more=NAMES))
    loader, nvram = shown(dom).find("loader"), shown(dom).find("nvram")
    assert loader.text == "/usr/share/OVMF/OVMF_CODE_4M.fd"
    assert loader.get("type") == "pflash" and loader.get("readonly") == "yes"
    assert nvram.get("template") == "/usr/share/OVMF/OVMF_VARS_4M.fd"
    assert nvram.text.endswith("/nvram/efi_VARS.fd"), nvram.text
    dom.undefine()  # there are no variables yet

    dom = c.defineXML(pc(d, "efi", " firmware='efi'",
                         "<smbios mode='sysinfo'/>", more=NAMES))
    assert not os.path.exists(nvram.text)
    boots(d, c, ev, dom)
    with open(nvram.text, "rb") as a, open(nvram.get("template"), "rb") as b:
        kept, new = a.read(), b.read()
    assert len(kept) == len(new) and kept != new
    fails(V.VIR_ERR_OPERATION_INVALID, dom.undefine)
    fails(V.VIR_ERR_OPERATION_INVALID, dom.undefineFlags,
          V.VIR_DOMAIN_UNDEFINE_NVRAM | V.VIR_DOMAIN_UNDEFINE_KEEP_NVRAM)
    dom.undefineFlags(V.VIR_DOMAIN_UNDEFINE_KEEP_NVRAM)
    assert os.path.exists(nvram.text)
    dom = c.defineXML(pc(d, "efi", "", EFI))
    assert shown(dom).find("nvram").text == nvram.text
    dom.undefineFlags(V.VIR_DOMAIN_UNDEFINE_NVRAM)
    assert not os.path.exists(nvram.text)


def own_place(d, c):
    """A store of a client's own, from a template of its own."""
    mine, template = d.dir + "/mine.fd", d.dir + "/template.fd"
    shutil.copy("/usr/share/OVMF/OVMF_VARS_4M.fd", template)
    nvram = f"<nvram template='{template}'>{mine}</nvram>"
    dom = c.defineXML(pc(d, "own", "", EFI + nvram))
    dom.createWithFlags(V.VIR_DOMAIN_START_PAUSED)
    assert os.path.getsize(mine) == os.path.getsize(template)
    dom.destroy()
    os.unlink(mine)
    os.unlink(template)
    text = fails(V.VIR_ERR_SYSTEM_ERROR, dom.create)
    assert template in text, text
    assert not os.path.exists(mine) and not dom.isActive()
    dom.undefine()


def secure(d, c):
    want = "<firmware><feature enabled='yes' name='secure-boot'/>" \
           "<feature enabled='yes' name='enrolled-keys'/></firmware>"
    dom = c.defineXML(pc(d, "sb", " firmware='efi'", want))
    loader = shown(dom).find("loader")
    assert loader.get("secure") == "yes" and ".ms." in loader.text
    features = [(f.get("name"), f.get("enabled"))
                for f in shown(dom).findall("firmware/feature")]
    assert features == [("secure-boot", "yes"), ("enrolled-keys", "yes")]
    dom.undefine()


def refusals(d, c):
    bad = V.VIR_ERR_CONFIG_UNSUPPORTED
    fails(bad, c.defineXML, pc(d, "no", machine="isapc"))
    fails(bad, c.createXML, pc(d, "no", "", EFI, machine="microvm"))
    fails(bad, c.createXML,
          pc(d, "no", machine="microvm", kernel=False))
    fails(bad, c.createXML, pc(d, "no", "", "<nvram>/x</nvram>"))
    fails(V.VIR_ERR_XML_ERROR, c.defineXML,
          pc(d, "no", "", "<bios rebootTimeout='-2'/>"))
    fails(V.VIR_ERR_OPERATION_FAILED, c.defineXML,
          pc(d, "no", "", EFI.replace("4M", "9M")))
    fails(V.VIR_ERR_OPERATION_FAILED, c.defineXML,
          pc(d, "no", " firmware='efi'",
             "<firmware><feature enabled='no' name='secure-boot'/>"
             "<feature enabled='yes' name='enrolled-keys'/></firmware>"))
    assert not c.listAllDomains()


def capabilities(d, c):
    caps = ET.fromstring(c.getDomainCapabilities(machine="pc"))
    assert caps.findtext("machine") == "q35"
    kinds = [v.text for v in caps.findall("os/enum[@name='firmware']/value")]
    assert kinds == ["bios", "efi"], kinds
    loaders = [v.text for v in caps.findall("os/loader/value")]
    assert "/usr/share/OVMF/OVMF_CODE_4M.fd" in loaders, loaders
    small = ET.fromstring(c.getDomainCapabilities(machine="microvm"))
    assert small.find("os/loader").get("supported") == "no"


def main(d):
    c = d.open()
    ev = Events(c)
    direct(d, c, ev)
    ovmf(d, c, ev)
    for part in (capabilities, refusals, names, seabios,
                 own_place, secure):
        part(d, c)
        print("ok:", part.__name__)


with Daemon() as daemon:
    main(daemon)
