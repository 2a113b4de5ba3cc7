#!/usr/bin/python3
"""A test with a mistake fails, with a line that says where; and docs/testing-modules.md shows what
happens: its program compiles without a warning and passes.

    testing_test.py FAILING_PROGRAM TESTING_LIBRARY LIBRARY COMPILER... [-- unittest's arguments]
"""

import os
import pathlib
import re
import subprocess
import sys
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
DOCS = ROOT / "docs" / "testing-modules.md"
WARNINGS = ("-std=c11", "-Wall", "-Wextra", "-Wpedantic", "-Wshadow", "-Werror")
HOSTS = ("sim", "plain", "libc")

program = testing_library = library = ""
compiler = []


def environment(host):
    clean = {name: value for name, value in os.environ.items() if not name.startswith("MODMEM_")}
    return {**clean, "MODMEM_HOST": host} if host else clean


def run(command, host=None):
    return subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          check=False, env=environment(host), timeout=120)


class TestingTest(unittest.TestCase):
    def fails(self, name, *lines):
        for host in (None, *HOSTS):
            with self.subTest(test=name, host=host):
                result = run([program, name], host)
                self.assertEqual(result.returncode, 1, result.stdout)
                for line in lines:
                    self.assertRegex(result.stdout, re.compile(line, re.MULTILINE))

    def test_a_good_test_passes(self):
        for host in (None, *HOSTS):
            result = run([program, "nothing"], host)
            self.assertEqual(result.returncode, 0, result.stdout)
            self.assertNotIn("modmem: error", result.stdout)

    def test_a_leak_fails_it(self):
        self.fails("block", r"error: leak: 392 bytes, .*owner system 0x0, from failing_program\+0x")

    def test_a_leak_of_a_module_says_which(self):
        self.fails("module", r"error: leak: 100 bytes, .* 0x10001, from failing_program\+0x",
                   r"error: leak: 200 bytes, .* 0x10001, from failing_program\+0x")

    def test_a_region_that_is_not_ended_fails_it(self):
        self.fails("region", "error: 1 heaps, regions or modules were not ended")

    def test_a_double_free_fails_it(self):
        self.fails("twice", r"error: rfree: .* from failing_program\+0x", "error: 1 misuses")

    def test_a_leak_on_a_path_without_memory_fails_it(self):
        self.fails("path", "error: 48 bytes are held after a run that began with 0 bytes, and in "
                           "which request number 2 failed", "error: leak: 48 bytes")

    def test_the_example_passes(self):
        source = re.search(r"^```c\n(.*?)^```$", DOCS.read_text(encoding="utf-8"),
                           re.DOTALL | re.MULTILINE)[1]
        with tempfile.TemporaryDirectory() as folder:
            example = os.path.join(folder, "example")
            result = subprocess.run(
                [*compiler, *WARNINGS, "-I", str(ROOT / "capi" / "include"), "-x", "c", "-", "-x",
                 "none", testing_library, library, "-lcmocka", "-pthread", "-o", example],
                input=source, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                check=False)
            self.assertEqual((result.returncode, result.stdout), (0, ""))
            for host in (None, *HOSTS):
                result = run([example], host)
                self.assertEqual(result.returncode, 0, result.stdout)


if __name__ == "__main__":
    rest = sys.argv[1:]
    own = rest[:rest.index("--")] if "--" in rest else rest
    program, testing_library, library, *compiler = own
    unittest.main(argv=[sys.argv[0], *rest[len(own) + 1:]])
