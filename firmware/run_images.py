#!/usr/bin/python3
"""Run firmware images in QEMU, and say whether each did what it is for.

    run_images.py TARGET FOLDER [IMAGE...]

TARGET is cortex-m, riscv or xtensa; FOLDER holds its images, and images.txt, which lists all: they
are run where none is named. An image passes where it ends with
status 0 and its report, in the Test Anything Protocol, is whole and without a failed test. One whose
name starts with fault_ passes where what it touched ended in a trap that names the address and its owner.

Exits with status 1 where an image fails, 2 where it can't be run.
"""

import argparse
import os
import re
import subprocess
import sys
import time

SECONDS = 60   # for an image
MOST = 90      # for all images of a machine
TRAPPED = 5    # firmware/traps.hpp

# With this, time is a count of instructions, and the same in every run (without sleep=off it begins
# anywhere). It also has one core run at a time, and a core that waits for another one wait for long.
COUNTED = ["-icount", "shift=6,sleep=off"]
TWO_CORES = ("cores",)  # images that run without
MACHINES = {
    "cortex-m": ["qemu-system-arm", "-M", "mps2-an386", "-nographic", "-monitor", "none", "-serial",
                 "none", "-semihosting"],
    "riscv": ["qemu-system-riscv64", "-M", "virt", "-smp", "2", "-bios", "none", "-nographic",
              "-monitor", "none", "-serial", "stdio"],
    "xtensa": ["qemu-system-xtensa", "-M", "sim", "-cpu", "dc232b", "-m", "128M", "-semihosting",
               "-monitor", "none", "-serial", "none", "-display", "none"],
}
TEST = re.compile(r"(not )?ok (\d+) - ")
PLAN = re.compile(r"1\.\.(\d+)$")
TOUCHED = re.compile(r"# touching (0x[0-9a-f]+) of (\w+)$", re.MULTILINE)
TRAP = re.compile(r"# trap: .*, address (0x[0-9a-f]+), (.*)$", re.MULTILINE)
# What has to be said of the address, besides whose it is. Without an MMU pages have banks, and the
# heap that had them is a former one.
STATES = {"fault_other_owner": "page closed, ", "fault_read_only": "page read only, ",
          "fault_revoked": "page closed, ", "fault_freed_memory": "page not mapped, in ",
          "fault_unmapped_page": "page not mapped, in ", "fault_bank_off": "page not mapped, in "}
STATES_WITHOUT_MMU = STATES | {"fault_freed_memory": "page not mapped, last in ",
                               "fault_bank_off": "page not mapped, its bank off, last in "}
WITHOUT_MMU = ("cortex-m",)


def why_report_fails(text):
    """What is wrong with a report, or None."""
    tests, plan = [], None
    for line in text.splitlines():
        if match := TEST.match(line):
            tests.append((int(match[2]), match[1] is None))
        elif match := PLAN.match(line):
            plan = int(match[1])
    if plan is None:
        return "its report has no end"
    if [number for number, _ in tests] != list(range(1, plan + 1)) or plan == 0:
        return f"{len(tests)} of {plan} tests are in its report"
    failed = [number for number, passed in tests if not passed]
    return f"failed tests: {', '.join(map(str, failed))}" if failed else None


def why_image_fails(target, name, status, text):
    """What is wrong with what an image did, or None."""
    if name.startswith("fault_"):
        touched, trap = TOUCHED.search(text), TRAP.search(text)
        if status != TRAPPED or not touched or not trap:
            return f"no trap that names an address, status {status}"
        if touched[1] != trap[1]:
            return f"it touched {touched[1]}, the trap was at {trap[1]}"
        states = STATES_WITHOUT_MMU if target in WITHOUT_MMU else STATES
        named = (trap[2] == "in no heap" if touched[2] == "nobody" else
                 trap[2].startswith(states[name]) and f" {touched[2]} (id " in trap[2])
        if not named:
            state = states.get(name, "in no heap")
            return f"the trap does not say '{state}' and name {touched[2]}"
        return None
    return why_report_fails(text) or (f"status {status}" if status != 0 else None)


def run(target, path, seconds=SECONDS, options=()):
    """(status, output) of an image; the status is None where it did not end in time."""
    # Semihosting may write to either stream.
    counted = [] if os.path.basename(path) in TWO_CORES else COUNTED
    command = [*MACHINES[target], *counted, *options, "-kernel", path]
    try:
        result = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                stderr=subprocess.STDOUT, timeout=seconds, check=False)
    except FileNotFoundError:
        print(f"run_images: {command[0]} is not installed", file=sys.stderr)
        sys.exit(2)
    except subprocess.TimeoutExpired as expired:
        return None, (expired.stdout or b"").decode(errors="replace")
    return result.returncode, result.stdout.decode(errors="replace")


def all_images(folder):
    """The names of a folder's images."""
    path = os.path.join(folder, "images.txt")
    try:
        with open(path, encoding="utf-8") as file:
            names = file.read().split()
    except OSError as error:
        print(f"run_images: {path}: {error.strerror}", file=sys.stderr)
        sys.exit(2)
    return names


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("target", choices=sorted(MACHINES))
    parser.add_argument("folder")
    parser.add_argument("images", nargs="*")
    arguments = parser.parse_args()
    images = arguments.images or all_images(arguments.folder)
    failed = 0
    end = time.monotonic() + MOST
    for name in images:
        path = os.path.join(arguments.folder, name)
        if not os.path.exists(path):
            print(f"run_images: {path}: there is no such image", file=sys.stderr)
            sys.exit(2)
        seconds = min(SECONDS, max(end - time.monotonic(), 1))
        status, text = run(arguments.target, path, seconds)
        reason = (f"not ended after {seconds:.0f} s" if status is None
                  else why_image_fails(arguments.target, name, status, text))
        print(f"{arguments.target} {name}: {'ok' if reason is None else 'FAILED: ' + reason}")
        if reason is not None:
            print(text)
            failed += 1
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
