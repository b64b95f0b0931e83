# tests/api/shared.py -- what every test with python-libvirt needs, whatever its
# daemon and its guests are.
import sys
import threading
import xml.etree.ElementTree as ET

try:
    import libvirt
except ImportError:
    print("skip: python3-libvirt is not installed")
    sys.exit(77)

libvirt.registerErrorHandler(lambda ctx, err: None, None)


def fails(code, fn, *args):
    """Expects a libvirt error with this code; returns its text."""
    try:
        fn(*args)
    except libvirt.libvirtError as e:
        assert e.get_error_code() == code, (e.get_error_code(), str(e))
        return str(e)
    raise AssertionError(f"{fn} did not fail")


def fails_with(part, fn, *args):
    """Expects a libvirt error whose text has this part."""
    try:
        fn(*args)
    except libvirt.libvirtError as e:
        assert part in str(e), e
        return
    raise AssertionError(f"was not refused: {part}")


def run_events():
    """libvirt's event loop on a thread; before any connection is opened."""
    libvirt.virEventRegisterDefaultImpl()

    def loop():
        while True:
            libvirt.virEventRunDefaultImpl()

    threading.Thread(target=loop, daemon=True).start()


def holds(got, want, path):
    """All that 'want' says is in 'got', each child in one of its own."""
    for name, value in want.attrib.items():
        assert got.get(name) == value, (path, name, value, got.get(name))
    if (want.text or "").strip():
        assert (got.text or "").strip() == want.text.strip(), (path, got.text)
    left = list(got)
    for child in want:
        fitting = [n for n, other in enumerate(left)
                   if other.tag == child.tag and fits(other, child, path)]
        assert fitting, f"{path}: lost {ET.tostring(child).decode()}"
        del left[fitting[0]]


def fits(got, want, path):
    try:
        holds(got, want, f"{path}/{want.tag}")
    except AssertionError:
        return False
    return True
