#!/usr/bin/python3
"""scripts/run_and_report.sh, with which `make run` ends: the run as it is, and a page of it."""

import json
import pathlib
import re
import shutil
import subprocess

from testing import program

SCRIPT = pathlib.Path(__file__).resolve().parent.parent / "scripts" / "run_and_report.sh"


class RunAndReportTest(program.TestCase):
    def run_script(self, *arguments):
        return subprocess.run(["bash", str(SCRIPT), program.path(), str(self.folder), *map(str, arguments)],
                              capture_output=True, text=True, check=False)

    def page(self):
        return self.folder / "report.html"

    def data(self):
        text = self.page().read_text(encoding="utf-8")
        [data] = re.findall(r'<script type="application/json" id="data">([^<]*)</script>', text)
        return json.loads(data)

    def shown(self):
        [trace] = self.data()["traces"]
        return trace["platform"]["name"], [run["policy"] for run in trace["runs"]]

    def test_a_run_ends_with_a_page(self):
        topology = program.example("playback-mixer")
        result = self.run_script(topology, "--seconds", "0.01", "--platform", "ptl")
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertIn("on ptl, policy elastic", result.stdout)
        self.assertIn(str(self.page()), result.stderr)
        self.assertEqual(self.shown(), ("ptl", ["elastic", "single"]))
        run = self.data()["traces"][0]["runs"][0]
        self.assertEqual((run["differs"], run["lost"]), (0, 0))
        self.assertIn("pipeline.1", run["timeline"]["owner_names"])
        # The folder of the run before is written anew.
        again = self.run_script(topology, "--seconds", "0.01", "--platform", "ptl")
        self.assertEqual(again.returncode, 0, again.stderr)

    def test_standard_output_is_the_runs(self):
        topology = program.example("playback-mixer")
        result = self.run_script(topology, "--seconds", "0.01", "--policy", "slots", "--json", "-")
        self.assertEqual(json.loads(result.stdout)["policy"], "slots")
        self.assertEqual(self.shown()[1], ["slots", "single"])

    def test_a_trace_that_was_asked_for_is_used(self):
        trace = self.folder / "mine"
        topology = program.example("playback-mixer")
        for arguments in (("--trace", trace), (f"--trace={trace}",)):
            shutil.rmtree(trace, ignore_errors=True)
            result = self.run_script(topology, "--seconds", "0.01", "--policy", "single", *arguments)
            self.assertEqual(result.returncode, 0, result.stderr)
            self.assertEqual(self.data()["traces"][0]["name"], str(trace))
            self.assertEqual(self.shown()[1], ["single"])

    def test_a_run_out_of_memory_keeps_its_status(self):
        result = self.run_script(program.test_topology("too-large"), "--platform", "mcu")
        self.assertEqual(result.returncode, 1, result.stderr)
        self.assertIn("Out of memory", result.stdout)
        self.assertTrue(self.page().exists())

    def test_bad_arguments_give_no_page(self):
        result = self.run_script("--platform", "nope")
        self.assertEqual((result.returncode, result.stdout), (2, ""))
        self.assertFalse(self.page().exists())

    def test_help_is_the_runs(self):
        result = self.run_script("--help")
        self.assertEqual(result.returncode, 0)
        self.assertIn("--platform", result.stdout)
        self.assertFalse(self.page().exists())


if __name__ == "__main__":
    program.main()
