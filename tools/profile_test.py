#!/usr/bin/python3
"""`modmem profile`: footprints out of recorded runs, for anyone's modules and for modmem's own."""

import json
import os
import pathlib
import shutil
import subprocess
import sys
import tomllib

from testing import program

ROOT = pathlib.Path(__file__).resolve().parents[1]
SHIPPED = ROOT / "testbench" / "plan" / "footprints.toml"
sys.path.insert(0, str(ROOT / "testbench" / "plan" / "testing"))

import record_footprints  # pylint: disable=wrong-import-position

ECHO = "8f3c1d0a-5b27-4e6f-9a41-7c20de86b35f"


def modules_of(table):
    with open(table, "rb") as file:
        return {module["uuid"]: module for module in tomllib.load(file).get("module", [])}


class ProfileTest(program.TestCase):
    def record(self, name, topology, *arguments):
        """A trace of a short run, as a folder."""
        self.run_topology(topology, "--seconds", "0.002", "--trace", self.folder / name, *arguments)
        return self.folder / name

    def profile(self, *arguments, status=0):
        result = program.run("profile", *arguments)
        self.assertEqual(result.status, status, result.err)
        return result

    def test_the_shipped_table_is_what_the_modules_take(self):
        table = self.folder / "footprints.toml"
        shutil.copy(SHIPPED, table)
        programs = pathlib.Path(program.path()).parent
        record_footprints.record(program.path(), programs / "testbench/plan/modmem-module-topologies", table)
        self.assertEqual(table.read_text(encoding="utf-8").splitlines(),
                         SHIPPED.read_text(encoding="utf-8").splitlines(),
                         "the modules take something else: cmake --build BUILD -t modmem-footprints")

    def test_anyones_module(self):
        """Recorded, profiled, planned: as much as the run takes, within 2 %."""
        topology = program.example("echo")
        trace = self.record("echo", topology, "--module", program.module("echo"))
        table = self.folder / "mine.toml"
        result = self.profile(trace, "-o", table)
        self.assertIn("echo", result.out)
        modules = modules_of(table)
        self.assertEqual(list(modules), [ECHO])  # modmem's own are known already
        self.assertEqual(modules[ECHO]["name"], "echo")
        self.assertTrue(modules[ECHO]["prepare"])
        plan = program.run("plan", topology, "--format", "48000:2:s16", "--footprints", table, "--json", "-")
        self.assertEqual(plan.status, 0, plan.err)
        (plan,) = json.loads(plan.out)
        report = self.run_topology(topology, "--module", program.module("echo"), "--seconds", "0.002")
        self.assertEqual(plan["gaps"], [])
        # But for what the system itself keeps about the module's resources.
        live = sum(heap["peak_live_bytes"] for heap in report["heaps"])
        self.assertLessEqual(abs(plan["everything"]["peak_live_bytes"] - live), 0.02 * live)

    def test_one_recording_covers_one_format(self):
        """What never varied may matter: nobody knows."""
        topology = program.example("echo")
        table = self.folder / "mine.toml"
        self.profile(self.record("echo", topology, "--module", program.module("echo")), "-o", table)
        seen = modules_of(table)[ECHO]["seen"]
        self.assertEqual(seen["in_channels"][0], seen["in_channels"][1])
        plan = program.run("plan", topology, "--footprints", table)
        self.assertNotIn("no footprint", plan.out)
        text = table.read_text(encoding="utf-8")
        channels = seen["in_channels"][0]
        table.write_text(text.replace(f"in_channels = [{channels}, {channels}]", "in_channels = [9, 9]"),
                         encoding="utf-8")
        plan = program.run("plan", topology, "--footprints", table)
        self.assertIn("no footprint for such formats or configuration: " + ECHO, plan.out)

    def test_tables_grow(self):
        table = self.folder / "mine.toml"
        table.write_text('[[module]]\nuuid = "6d6f646d-656d-4d6f-a465-6d6d6f646d65"\nname = "other"\n'
                         'init = [ { bytes = 1 } ]\n', encoding="utf-8")
        trace = self.record("echo", program.example("echo"), "--module", program.module("echo"))
        self.profile(trace, "-o", table)
        self.assertEqual({module["name"] for module in modules_of(table).values()}, {"other", "echo"})
        before = table.read_text(encoding="utf-8")
        self.profile(trace, "-o", table)
        self.assertEqual(table.read_text(encoding="utf-8"), before)

    def test_what_is_no_file_is_only_written_to(self):
        """A pipe that is read for a table to add to would never end."""
        trace = self.record("echo", program.example("echo"), "--module", program.module("echo"))
        pipe = self.folder / "pipe"
        os.mkfifo(pipe)
        with subprocess.Popen(["cat", pipe], stdout=subprocess.PIPE, text=True) as reader:
            self.profile(trace, "-o", pipe)
            self.assertIn('name = "echo"', reader.communicate(timeout=program.TIMEOUT_SECONDS)[0])

    def test_dependence_shows_in_several_recordings(self):
        """One format says nothing of what follows from it; several do."""
        topology = program.example("passthrough")
        one = self.profile(self.record("one", topology), "--all")
        self.assertNotIn("endpoint_bytes", one.out)
        shipped = modules_of(SHIPPED)["9ba00c83-ca12-4a83-943c-1fa2e82f9dda"]
        self.assertIn("2*endpoint_bytes", [request["bytes"] for request in shipped["prepare"]])

    def test_says_what_it_does_not_know(self):
        trace = self.record("opus", program.example("opus"))
        result = self.profile(trace, "--all")
        self.assertIn("opus-encoder.1.1: a placeholder ran in its place", result.err)
        self.assertNotIn("opus", result.out)

    def test_a_script_is_a_recording_as_well(self):
        script = ROOT / "examples" / "scripts" / "call.script"
        trace = self.folder / "call"
        self.run_topology(program.example("desk"), "--script", script, "--trace", trace)
        result = self.profile(trace, "--all")
        self.assertIn('name = "src"', result.out)

    def test_traces_without_a_topology(self):
        topology = program.example("capture")
        trace = self.record("capture", topology)
        with_it = self.profile(trace, "--all").out
        shutil.rmtree(trace / "topology")
        self.assert_refused(["profile", trace], "capture", "--topology")
        without = self.profile(trace, "--all", "--topology", topology, "--format", "48000:2:s16").out
        self.assertEqual(without, with_it)

    def test_damaged_traces_are_used_as_far_as_they_go(self):
        trace = self.record("damaged", program.example("playback-and-capture"))
        stream = trace / "core-0"
        data = stream.read_bytes()
        stream.write_bytes(data[:len(data) * 9 // 10])
        result = self.profile(trace, "--all", status=2)
        self.assertIn("core-0: at byte", result.err)
        self.assertIn('name = "copier"', result.out)

    def test_bad_input(self):
        self.assert_refused(["profile"], "TRACE")
        self.assert_refused(["profile", self.folder], str(self.folder))
        self.assert_refused(["profile", self.folder / "none"], "none")
        self.assert_refused(["profile", self.audio, "--topology", program.example("capture")], "in.wav")
        trace = self.record("capture", program.example("capture"))
        self.assert_refused(["profile", trace, "--format", "48000:2:s16"], "--format")
        self.assert_refused(["profile", trace, "--topology", self.audio], "in.wav")
        (trace / "topology" / "run.toml").write_text("format = 1\n", encoding="utf-8")
        self.assert_refused(["profile", trace], "run.toml:1")


if __name__ == "__main__":
    program.main()
