#!/usr/bin/python3
"""modmem-bench from outside: what its exit status and its output say.

    program_test.py PROGRAM
"""

import json
import os
import subprocess
import sys
import tempfile
import unittest

PROGRAM = None


def run(*arguments):
    return subprocess.run([PROGRAM, *arguments], capture_output=True, text=True, timeout=300,
                          check=False)


class ProgramTest(unittest.TestCase):
    def assert_refused(self, *arguments, names):
        result = run(*arguments)
        self.assertEqual(result.returncode, 2, arguments)
        self.assertEqual(result.stdout, "")
        self.assertEqual(len(result.stderr.splitlines()), 1, result.stderr)
        self.assertIn(names, result.stderr)

    def test_bad_arguments(self):
        self.assert_refused(names="goal")
        for goal in ("0", "8", "-1", "x", "", "3 ", "1e0", "99999999999999999999"):
            self.assert_refused("--goal", goal, names="--goal")
        self.assert_refused("--goal", names="--goal")
        self.assert_refused("--goal", "3", "--walk", names="--walk")
        self.assert_refused("--goal", "3", "--goal", "3", names="--goal")
        self.assert_refused("--goal", "3", "--json", "", names="--json")
        self.assert_refused("--goal", "3", "--quick", "--json", "/no/such/folder/x", names="/no/such")
        self.assert_refused("--counted", "walk", names="walk")

    def test_help_is_no_error(self):
        result = run("--help")
        self.assertEqual(result.returncode, 0)
        for option in ("--goal", "--json", "--quick", "--traces"):
            self.assertIn(option, result.stdout)

    def test_missed_goal_fails(self):
        result = run("--goal", "3", "--quick", "--impossible")
        self.assertEqual(result.returncode, 1, result.stderr)
        self.assertIn("MISSED", result.stdout)
        self.assertTrue(result.stdout.endswith("goal 3: MISSED\n"))

    def test_a_missed_goal_passes_where_it_is_no_worse(self):
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "goal.json")
            run("--goal", "3", "--quick", "--json", path)
            result = run("--goal", "3", "--quick", "--no-worse-than", path)
            self.assertEqual(result.returncode, 0, result.stderr)
            with open(path, encoding="utf-8") as file:
                report = json.load(file)
            for figure in report["figures"]:
                figure["value"] = 0.999
            with open(path, "w", encoding="utf-8") as file:
                json.dump(report, file)
            result = run("--goal", "3", "--quick", "--no-worse-than", path)
            self.assertEqual(result.returncode, 0 if report["met"] else 1)

    def test_status_is_the_verdict(self):
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "goal.json")
            result = run("--goal", "3", "--quick", "--json", path)
            with open(path, encoding="utf-8") as file:
                report = json.load(file)
        self.assertEqual(report["goal"], 3)
        self.assertEqual(result.returncode, 0 if report["met"] else 1)
        self.assertEqual(report["met"],
                         all(figure.get("met", True) for figure in report["figures"]))

    def test_json_on_standard_output_is_alone_there(self):
        result = run("--goal", "3", "--quick", "--impossible", "--json", "-")
        self.assertEqual(result.returncode, 1)
        self.assertFalse(json.loads(result.stdout)["met"])
        self.assertIn("MISSED", result.stderr)

    def test_figures_are_the_same_in_every_run(self):
        self.assertEqual(run("--goal", "3", "--quick").stdout, run("--goal", "3", "--quick").stdout)


if __name__ == "__main__":
    PROGRAM = os.path.abspath(sys.argv.pop(1))
    unittest.main()
