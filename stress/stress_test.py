#!/usr/bin/python3
"""modmem-stress finds nothing in what holds, and every mistake that it is told to make.

    stress_test.py PROGRAM
"""

import re
import resource
import signal
import subprocess
import sys
import unittest

PROGRAM = None
OPERATIONS = "120000"


def run(*arguments):
    return subprocess.run([PROGRAM, *arguments], capture_output=True, text=True, timeout=590, check=False,
                          preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_CORE, (0, 0)))


class StressTest(unittest.TestCase):
    def test_nothing_is_found(self):
        result = run("--operations", OPERATIONS)
        self.assertEqual((result.returncode, result.stderr), (0, ""))
        total = result.stdout.splitlines()[-1]
        self.assertTrue(total.startswith("all: "), total)
        # Each kind of thing has happened, or nothing was shown.
        for figure in re.findall(r"\d+", total):
            self.assertGreater(int(figure), 0, total)

    def test_one_thread_repeats_itself(self):
        arguments = ("--threads", "1", "--operations", "5000", "--policy", "elastic", "--seed", "7")
        self.assertEqual(run(*arguments).stdout, run(*arguments).stdout)

    def test_a_time_ends_it(self):
        result = run("--seconds", "0.01", "--policy", "elastic", "--threads", "2")
        self.assertEqual((result.returncode, result.stderr), (0, ""))

    def test_planted_mistakes_are_found(self):
        for mistake, finding in (("overrun", "content changed"), ("free-twice", "is not freed|not live|content changed|middle of a block"),
                                 ("leak", "is left")):
            with self.subTest(mistake):
                result = run("--operations", "40000", "--policy", "elastic", "--seed", "3", "--plant", mistake)
                if mistake != "leak" and "ERROR: AddressSanitizer: use-after-poison" in result.stderr:
                    continue  # which found it first
                self.assertEqual(result.returncode, -signal.SIGABRT, result.stderr)
                self.assertRegex(result.stderr, finding)
                self.assertIn("again: modmem-stress --policy elastic --seed 3", result.stderr)

    def test_bad_arguments(self):
        for arguments, name in ((("--threads", "0"), "--threads"), (("--threads", "x"), "--threads"),
                                (("--policy", "best"), "--policy best"), (("--platform", "no"), "--platform no"),
                                (("--platform", "mtl"), "--platform mtl"), (("--seconds", "-1"), "--seconds"),
                                (("--seconds", "1", "--operations", "2"), "--operations"), (("--walk",), "--walk")):
            with self.subTest(arguments):
                result = run(*arguments)
                self.assertEqual(result.returncode, 2, result.stderr)
                self.assertEqual(len(result.stderr.splitlines()), 1, result.stderr)
                self.assertIn(name, result.stderr)


if __name__ == "__main__":
    PROGRAM = sys.argv.pop(1)
    unittest.main()
