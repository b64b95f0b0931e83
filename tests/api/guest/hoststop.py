"""Debian's libvirt-guests.sh, as it is, with a host's end and start to itself:
its settings, its list of guests and its lock are a private name space's."""
import os
import shutil
import subprocess

SCRIPT = "/usr/lib/libvirt/libvirt-guests.sh"

IN_NAMESPACE = """
mount --make-rprivate / &&
mount -t tmpfs none /etc/default && cp "$1/settings" /etc/default/libvirt-guests &&
mount --bind "$1/lib" /var/lib &&
mount -t tmpfs none /run/lock && mkdir /run/lock/subsys &&
exec "$2" "$3"
"""


def find_script(folder):
    if os.path.exists(SCRIPT):
        return SCRIPT
    there = folder + "/libvirt-daemon"
    if not os.path.exists(there + SCRIPT):
        os.makedirs(there, exist_ok=True)
        subprocess.run("apt-get download -qq libvirt-daemon && "
                       "dpkg-deb -x libvirt-daemon_*.deb .", shell=True,
                       cwd=there, check=True, stdout=subprocess.DEVNULL)
    return there + SCRIPT


def host(d, verb, **settings):
    """The host stops or starts; what the script says."""
    assert shutil.which("gettext.sh"), "gettext-base is not installed"
    folder = d.dir + "/hoststop"
    os.makedirs(folder + "/lib/libvirt", exist_ok=True)
    with open(folder + "/settings", "w") as f:
        for key, value in dict(settings, URIS=d.uri).items():
            f.write(f"{key}='{value}'\n")
    p = subprocess.run(["unshare", "-m", "sh", "-c", IN_NAMESPACE, "sh",
                        folder, find_script(d.dir), verb],
                       stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                       stderr=subprocess.STDOUT, text=True, timeout=600)
    assert p.returncode == 0, p.stdout
    return p.stdout
