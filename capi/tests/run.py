#!/usr/bin/python3
"""Runs a test program of the C interface on one host, once under every policy.

    run.py [--valgrind] [--policy NAME]... HOST PROGRAM

HOST is sim, plain or libc. With --valgrind the program runs under memcheck, where any error and any
leak is a failure. Prints which tests were skipped and why, and what a failed run printed; exits with
status 1 where one failed.
"""

import argparse
import os
import subprocess
import sys

POLICIES = ("elastic", "module-heaps", "single", "slots", "slots-modules", "slots-all")
# --child-silent-after-fork: children of tests end in all ways that there are.
VALGRIND = ("valgrind", "--quiet", "--error-exitcode=99", "--leak-check=full",
            "--show-leak-kinds=definite,possible", "--errors-for-leak-kinds=definite,possible",
            "--child-silent-after-fork=yes")


def run(command, host, policy):
    """Whether the program passed."""
    environment = {name: value for name, value in os.environ.items()
                   if not name.startswith("MODMEM_") or name.startswith("MODMEM_RANDOM_")
                   or name == "MODMEM_HARDENING"}
    environment.update(MODMEM_HOST=host, MODMEM_POLICY=policy)
    result = subprocess.run(command, env=environment, text=True, errors="replace",
                            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
    if result.returncode != 0:
        print(result.stdout)
        print(f"run.py: MODMEM_HOST={host} MODMEM_POLICY={policy} {' '.join(command)}: "
              f"status {result.returncode}")
        return False
    for line in result.stdout.splitlines():
        if ": not under host " in line:
            print(line)
    return True


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--valgrind", action="store_true")
    parser.add_argument("--policy", action="append")
    parser.add_argument("host", choices=("sim", "plain", "libc"))
    parser.add_argument("program")
    arguments = parser.parse_args()
    command = [*(VALGRIND if arguments.valgrind else ()), arguments.program]
    passed = [run(command, arguments.host, policy) for policy in arguments.policy or POLICIES]
    sys.exit(0 if all(passed) else 1)


if __name__ == "__main__":
    main()
