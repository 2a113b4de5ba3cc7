#!/usr/bin/python3
"""Tests of fuzz.py on programs of libFuzzer: fuzz_test.py BUILD."""

import glob
import os
import re
import subprocess
import sys
import tempfile
import unittest

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
BUILD = os.path.abspath(sys.argv.pop(1)) if len(sys.argv) > 1 else os.path.join(ROOT, "build", "fuzz")


def run(*arguments, planted=False):
    environment = dict(os.environ, MODMEM_FUZZ_PLANT="1" if planted else "0")
    return subprocess.run([sys.executable, "-B", os.path.join(ROOT, "scripts", "fuzz.py"), *arguments, BUILD],
                          capture_output=True, text=True, errors="replace", env=environment, cwd=ROOT,
                          check=False)


class FuzzTest(unittest.TestCase):
    """What is planted is found, made small, stored, and found again."""

    def fuzz(self, target, runs, planted):
        with tempfile.TemporaryDirectory() as found:
            result = run("--seconds=0", f"--runs={runs}", f"--targets={target}", f"--found={found}",
                         planted=planted)
            files = glob.glob(os.path.join(found, target, "*"))
            if not planted:
                self.assertEqual((result.returncode, files), (0, []), result.stdout + result.stderr)
                self.assertIn(f"{target}: ", result.stdout)
                self.assertIn(": nothing found", result.stdout)
                return
            self.assertEqual((result.returncode, len(files)), (1, 1), result.stdout + result.stderr)
            self.assertLess(os.path.getsize(files[0]), 200)
            command = re.search(r"^  (MODMEM_FUZZ_SHOW=1 .*)$", result.stdout, re.M)
            self.assertTrue(command, result.stdout)
            for is_planted in ("1", "0"):
                again = subprocess.run(f"MODMEM_FUZZ_PLANT={is_planted} {command[1]}", shell=True, cwd=ROOT,
                                       capture_output=True, text=True, errors="replace", check=False)
                self.assertEqual(again.returncode != 0, is_planted == "1", again.stderr[-2000:])
                self.assertEqual("fuzz: finding: " in again.stderr, is_planted == "1")

    def test_an_engine_finds_what_is_planted_in_a_stream_of_calls(self):
        self.fuzz("heap", 3000, planted=True)

    def test_and_nothing_where_nothing_is(self):
        self.fuzz("heap", 300, planted=False)

    def test_fragments_need_no_engine(self):
        self.fuzz("fragments", 200, planted=True)
        self.fuzz("fragments", 200, planted=False)

    def test_what_cannot_run_says_so(self):
        for arguments, text in ((["--targets=nothing"], "no target nothing; there are budget, "),
                                (["--seconds=0"], "neither --seconds nor --runs")):
            result = run(*arguments)
            self.assertEqual(result.returncode, 2)
            self.assertIn(text, result.stderr)
        with tempfile.TemporaryDirectory() as empty:
            result = subprocess.run([sys.executable, "-B", os.path.join(ROOT, "scripts", "fuzz.py"),
                                     "--runs=1", "--seconds=0", "--targets=heap", empty],
                                    capture_output=True, text=True, check=False)
            self.assertEqual(result.returncode, 2)
            self.assertIn("fuzz_heap is not there", result.stderr)


if __name__ == "__main__":
    unittest.main()
