#!/usr/bin/python3
# rpc/procedures-doc.py -- writes docs/PROCEDURES.md on standard output: every
# procedure, whether it is implemented or why not, and the tests that call it.
#
#	cd top of the tree; rpc/procedures-doc.py >docs/PROCEDURES.md
#
# A test calls a procedure if it uses the function of libvirt's API, or the
# method of python-libvirt that does, or asks for it over D-Bus.  Methods with
# common names count for every procedure they may stand for.
import ast
import fnmatch
import glob
import os
import re

HEAD = """# Procedures

Every procedure of libvirt's remote program, then of its QEMU program and of its
administration program (which `tests/api/admin.sh` has virt-admin call). Made by
`rpc/procedures-doc.py` from `rpc/procedures`, `rpc/refused` and the tests; a test
checks that nothing is said to be implemented that is not. What a procedure means
is libvirt's documentation; what ours leave out is in [CAVEATS.md](CAVEATS.md).

A test is named where it uses libvirt's function, python-libvirt's method, or
asks over D-Bus; virsh's commands in shell scripts are not followed.

"""

PYTHON = "/usr/lib/python3/dist-packages/libvirt.py"


def procedures():
    for line in open("rpc/procedures"):
        word = line.split()
        if word and word[0].isdigit():
            yield int(word[0]), word[1], word[2], word[5].split(",")


def reasons():
    for line in open("rpc/refused"):
        if line.strip() and not line.startswith("#"):
            yield line.rstrip("\n").split("\t", 1)


def why(name, known):
    return next(text for pattern, text in known
                if fnmatch.fnmatchcase(name, pattern))


def plain(name):
    return re.sub(r"[^a-z0-9]", "", name.lower())


def methods():
    """The methods of python-libvirt, by the C function without its case."""
    found = {}
    if not os.path.exists(PYTHON):
        return found
    for node in ast.walk(ast.parse(open(PYTHON).read())):
        if isinstance(node, ast.FunctionDef):
            for call in ast.walk(node):
                if isinstance(call, ast.Attribute) and \
                        isinstance(call.value, ast.Name) and \
                        call.value.id == "libvirtmod":
                    found.setdefault(plain(call.attr), set()).add(node.name)
    return found


def over_dbus():
    """The names of D-Bus methods, by the C function."""
    found = {}
    for path in glob.glob("dbus/iface_*.c"):
        for name, fn in re.findall(
                r'METHOD\("(\w+)",\s*(?:"[^"]*"[\s,]*)+(vir\w+)',
                open(path).read()):
            found.setdefault(plain(fn), set()).add(name)
    return found


class Tests:
    def __init__(self):
        self.text = {}
        for path in sorted(glob.glob("tests/**/*", recursive=True)):
            if path.endswith((".py", ".c", ".sh", ".inside")) or (
                    os.path.isfile(path) and "." not in path):
                with open(path, errors="replace") as f:
                    self.text[path] = f.read()
        self.words = {p: {plain(w) for w in re.findall(r"\bvir\w+", t)}
                      for p, t in self.text.items()}
        self.called = {p: set(re.findall(r"\.(\w+)\b", t))
                       for p, t in self.text.items() if p.endswith(".py")}
        self.asked = set(re.findall(
            r'"([A-Z]\w+)"', self.text["tests/api/dbus-service.py"]))
        self.methods, self.dbus = methods(), over_dbus()

    def of(self, name):
        fn = plain("vir" + name)
        out = []
        for path in self.text:
            names = self.methods.get(fn, set())
            if fn in self.words[path] or names & self.called.get(path, set()):
                out.append(path)
        dbus = "tests/api/dbus-service.py"
        if self.dbus.get(fn, set()) & self.asked and dbus not in out:
            out.append(dbus)
        return [p.removeprefix("tests/") for p in out]


def cell(tests):
    shown = [f"`{t}`" for t in tests[:3]]
    return ", ".join(shown) + (f" and {len(tests) - 3} more"
                               if len(tests) > 3 else "")


def main():
    tests, known = Tests(), list(reasons())
    rows, count = [], {"yes": 0, "event": 0, "no": 0}
    for number, name, arguments, how in procedures():
        if "event" in how:
            state, called = "event", ""
        elif arguments != ".":
            state, called = "yes", cell(tests.of(name))
        else:
            state, called = "no", why(name, known)
        count[state] += 1
        rows.append(f"| {number} | {name} | {state} | {called} |")
    print(HEAD + f"{len(rows)} procedures: {count['yes']} implemented, "
          f"{count['event']} events that the daemon sends, {count['no']} "
          "refused.\n\n| | Name | Implemented | Tested by, or why not |\n"
          "|---|---|---|---|\n" + "\n".join(rows))


main()
