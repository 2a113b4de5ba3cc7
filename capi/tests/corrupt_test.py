#!/usr/bin/python3
"""Each fault that corrupt.c plants ends the program with the right report at the levels that find
it, and only there; in fault mode report it is reported and the program goes on.

    corrupt_test.py PROGRAM
"""

import os
import signal
import subprocess
import sys
import unittest

PROGRAM = sys.argv.pop(1)
SITE = r"\S+\+0x[0-9a-f]+"
WITHIN = "write within the block, or ask for more"
FORGET = "use nothing that was freed, and forget its address"

# By mode: the levels that find it, and what they say.
FOUND = {
    "nothing": ((), ""),
    "overrun": (("standard", "full"),
                r"overrun: 4 bytes behind a block of 100 bytes of system \(id 0x0\), "
                rf"in heap system, taken at {SITE}: {WITHIN}"),
    "overrun_of_a_full_block": (("full",),
                                r"overrun: 1 byte behind a block of 128 bytes of system .*" + WITHIN),
    "overrun_uncached": (("standard", "full"),
                         r"overrun: 2 bytes, 20 bytes behind a block of 100 bytes of system "),
    "overrun_of_a_slot": (("standard", "full"),
                          rf"overrun: 1 byte behind a block of 100 bytes of slots .*, taken at {SITE}"),
    "overrun_then_resize": (("standard", "full"),
                            r"overrun: 1 byte behind a block of 100 bytes of system "),
    "overrun_by_a_module": (("standard", "full"),
                            r"overrun: 4 bytes behind a block of 100 bytes of module \(id 0x10001\), "
                            rf"in heap system, taken at {SITE}: {WITHIN}"),
    "overrun_of_a_lost_block": (("standard", "full"), r"overrun: 1 byte behind a block of 100 bytes "),
    "overrun_on_demand": (("standard", "full"), r"overrun: 1 byte behind a block of 100 bytes "),
    "write_after_free": (("full",),
                         r"write after free: 1 byte, 50 bytes into a block of 100 bytes of system "
                         rf"\(id 0x0\), in heap system, taken at {SITE}, freed at {SITE}: {FORGET}"),
    "write_after_free_uncached": (("full",),
                                  r"write after free: 1 byte, 0 bytes into a block of 100 bytes "),
    "write_after_free_by_a_module": (("full",),
                                     r"write after free: 1 byte, 99 bytes into a block of 100 bytes "
                                     rf"of module \(id 0x10001\), .*freed at {SITE}: {FORGET}"),
    "double_free": (("none", "standard", "full"),
                    r"rfree: 0x[0-9a-f]+ is no live block: it was freed before, or never allocated"),
    "write_to_a_table": (("full",), r"modmem: stray access to 0x[0-9a-f]+: table of the library's own, "
                                    r"which nobody else writes"),
}
SIGNALS = {"write_to_a_table": signal.SIGSEGV}


def run(host, level, *arguments, **environment):
    environment |= {name: value for name, value in os.environ.items()
                    if not name.startswith("MODMEM_")}
    environment |= {"MODMEM_HOST": host, "MODMEM_HARDENING": level}
    return subprocess.run([PROGRAM, *arguments], env=environment, text=True, errors="replace",
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)


class CorruptTest(unittest.TestCase):
    def test_every_mode_is_known(self):
        self.assertEqual(set(run("plain", "none").stdout.split()), set(FOUND))

    def test_levels(self):
        for mode, (levels, report) in FOUND.items():
            for host in ("plain", "sim"):
                for level in ("none", "standard", "full"):
                    with self.subTest(mode=mode, host=host, level=level):
                        result = run(host, level, mode)
                        if level in levels:
                            self.assertEqual(result.returncode,
                                             -SIGNALS.get(mode, signal.SIGABRT), result.stdout)
                            lines = [line for line in result.stdout.splitlines()
                                     if not line.startswith("modmem: error: leak: ")]
                            self.assertEqual(len(lines), 1, result.stdout)
                            self.assertRegex(lines[0], report)
                        elif mode == "nothing" or mode.startswith(("overrun", "write_after")):
                            if mode == "overrun_on_demand":
                                continue
                            self.assertEqual(result.returncode, 0, result.stdout)
                            self.assertNotRegex(result.stdout, "overrun|write after free")

    def test_where_a_block_was_freed_first(self):
        self.assertRegex(run("plain", "none", "double_free").stdout, rf"from {SITE}\n$")
        result = run("plain", "full", "double_free")
        self.assertRegex(result.stdout, rf"from {SITE}, taken at {SITE}, freed at {SITE}\n$")

    def test_the_program_may_go_on(self):
        result = run("plain", "full", "overrun", MODMEM_FAULT="report")
        self.assertEqual(result.returncode, 0, result.stdout)
        self.assertRegex(result.stdout, "overrun: 4 bytes behind a block")

    def test_levels_have_names(self):
        result = run("plain", "most", "nothing")
        self.assertNotEqual(result.returncode, 0)
        self.assertIn("MODMEM_HARDENING: hardening level most: unknown; there are none, standard, full",
                      result.stdout)


if __name__ == "__main__":
    unittest.main()
