#!/usr/bin/python3
"""Tools see every byte: a program that reads a byte that is nobody's (stray.c) does not get away with
it under AddressSanitizer, on any host, nor under valgrind on the host libc, nor one that loses a
block on the host libc.

    stray_test.py asan|valgrind PROGRAM
"""

import os
import subprocess
import sys
import unittest

TOOL, PROGRAM = sys.argv.pop(1), sys.argv.pop(1)
HOSTS = ("sim", "plain", "libc") if TOOL == "asan" else ("libc",)
VALGRIND = ("valgrind", "--quiet", "--error-exitcode=99", "--leak-check=full")
COMMAND = (() if TOOL == "asan" else VALGRIND) + (PROGRAM,)


def run(host, *arguments):
    environment = {name: value for name, value in os.environ.items()
                   if not name.startswith("MODMEM_")}
    environment["MODMEM_HOST"] = host
    return subprocess.run([*COMMAND, *arguments], env=environment, text=True, errors="replace",
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)


class StrayTest(unittest.TestCase):
    def test_modes(self):
        modes = [mode for mode in run("plain").stdout.split() if mode != "lost"]
        self.assertGreater(len(modes), 10)
        for host in HOSTS:
            for mode in modes:
                with self.subTest(host=host, mode=mode):
                    result = run(host, mode)
                    if mode == "nothing":
                        self.assertEqual((result.returncode, result.stdout), (0, ""))
                        continue
                    self.assertNotIn(result.returncode, (0, 2), result.stdout)
                    expected = "AddressSanitizer" if TOOL == "asan" else "Invalid read of size 1"
                    self.assertIn(expected, result.stdout)

    def test_a_lost_block(self):
        result = run("libc", "lost")
        self.assertNotIn(result.returncode, (0, 2), result.stdout)
        self.assertIn("4242 byte" if TOOL == "asan" else "4,242 bytes", result.stdout)
        self.assertIn("lost", result.stdout)


if __name__ == "__main__":
    unittest.main()
