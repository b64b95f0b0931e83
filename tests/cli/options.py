#!/usr/bin/python3
# tests/cli/options.py -- every command of virsh is one of vireo, with the same
# options, or stands in tests/cli/missing with the reason; and nothing stands
# there that is no longer missing.
import os
import re
import shutil
import subprocess
import sys

VIREO = os.environ.get("VIREO", "./vireo")
LIST = os.path.join(os.path.dirname(os.path.abspath(__file__)), "missing")

if not shutil.which("virsh"):
    print("skip: virsh is not installed")
    sys.exit(77)


def run(*args):
    return subprocess.run(args, capture_output=True, text=True).stdout


def commands(program):
    return re.findall(r"^    (\S+)", run(program, "help"), re.M)


def options(program, names):
    """The options of each command, by its name; one process for all."""
    text = run(program, ";".join("help " + name for name in names))
    result = {}
    for page in text.split("  NAME\n")[1:]:
        name = page.split()[0]
        page = page.partition("\n  OPTIONS\n")[2]
        found = re.findall(r"^    \[?(?:--|<)([\w-]+)", page, re.M)
        result[name] = set(found)
    return result


listed = {}
for line in open(LIST):
    words, _, reason = line.rstrip("\n").partition(": ")
    if words and not words.startswith("#"):
        assert reason.strip(), f"no reason for: {line}"
        listed[tuple(words.split())] = reason

ours = options(VIREO, commands(VIREO))
missing = set()
for command, theirs in options("virsh", commands("virsh")).items():
    if command not in ours:
        missing.add((command,))
    else:
        missing |= {(command, "--" + o) for o in theirs - ours[command]}

new, gone = sorted(missing - set(listed)), sorted(set(listed) - missing)
for words in new:
    print("missing, and not in tests/cli/missing:", *words)
for words in gone:
    print("in tests/cli/missing, but not missing:", *words)
print(f"{len(ours)} commands; of virsh's, missing:", len(missing))
sys.exit(1 if new or gone else 0)
