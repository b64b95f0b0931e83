# tests/api/shared.py -- what every test with python-libvirt needs, whatever its
# daemon and its guests are.
import sys
import threading

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


def run_events():
    """libvirt's event loop on a thread; before any connection is opened."""
    libvirt.virEventRegisterDefaultImpl()

    def loop():
        while True:
            libvirt.virEventRunDefaultImpl()

    threading.Thread(target=loop, daemon=True).start()
