#!/usr/bin/python3
"""`modmem plan`: agrees with what runs take, says whether it fits, and names what it does not know."""

import json
import math
import pathlib

from testing import program

# What the audio of these tests is.
FORMAT = ("--format", "48000:2:s16")


def peak_live(report):
    return sum(heap["peak_live_bytes"] for heap in report["heaps"])


class PlanTest(program.TestCase):
    def plan(self, *arguments, statuses=(0,)):
        result = program.run("plan", *FORMAT, "--json", "-", *arguments)
        self.assertIn(result.status, statuses, result.err)
        return json.loads(result.out)

    def assert_agrees(self, topologies, *arguments):
        """Peak live bytes of all pipelines together are those of a run, within 2 %."""
        plans = self.plan(*topologies, *arguments, statuses=(0, 1))
        self.assertEqual([plan["topology"] for plan in plans], topologies)
        for topology, plan in zip(topologies, plans):
            report = self.run_topology(topology, "--seconds", "0.001", *arguments, statuses=(0, 1))
            everything = plan["everything"]
            self.assertEqual(everything["fits"], report["failure"] is None, topology)
            if everything["fits"]:
                live = peak_live(report)
                self.assertLessEqual(abs(everything["peak_live_bytes"] - live), 0.02 * live,
                                     f"{topology}: {everything} is not {live}")
                self.assertEqual(everything["banks_on"], report["pool"]["banks_on"], topology)
                self.assertEqual(everything["mapped_bytes"], report["pool"]["live_mapped_bytes"], topology)

    def test_agrees_with_runs_of_our_topologies(self):
        self.assert_agrees(program.our_topologies())

    def test_agrees_with_runs_under_other_policies(self):
        for policy in ("single", "slots", "module-heaps"):
            self.assert_agrees([program.example("desk"), program.example("playback-and-capture")],
                               "--policy", policy)

    def test_agrees_with_runs_of_production_topologies(self):
        topologies = program.production_topologies()
        if not topologies:
            self.skipTest("no production topologies: set MODMEM_SHARED")
        self.assert_agrees(topologies)

    def test_sets_of_streams_are_those_that_matter(self):
        """Of up to 5 streams all; of more each alone, every pair, all but one, and all."""
        seen = set()
        for plan in self.plan(*program.our_topologies(), *program.production_topologies(), statuses=(0, 1)):
            count = len(plan["streams"])
            sets = {frozenset(one["streams"]) for one in plan["sets"]}
            self.assertEqual(len(sets), len(plan["sets"]), plan["topology"])
            sizes = [0] * count
            for one in sets:
                sizes[len(one) - 1] += 1
            wanted = [math.comb(count, size) if count <= 5 or size in (1, 2, count - 1, count) else 0
                      for size in range(1, count + 1)]
            self.assertEqual(sizes, wanted, plan["topology"])
            seen.add(count)
        self.assertTrue(seen >= {1, 3, 9}, seen)

    def test_agrees_with_single_streams(self):
        """Sets of streams are those of a script that starts them."""
        script = self.folder / "one.script"
        (plan,) = self.plan(program.example("playback-and-capture"))
        for stream in plan["sets"]:
            if len(stream["streams"]) == 1:
                pcm, direction = stream["streams"][0].rsplit(" ", 1)
                script.write_text(f'start "{pcm}" {direction}\nwait 5\n', encoding="utf-8")
                report = self.run_topology(program.example("playback-and-capture"), "--script", script)
                self.assertEqual(stream["peak_live_bytes"], peak_live(report), stream)

    def test_what_is_left_adds_up(self):
        (plan,) = self.plan(program.example("desk"))
        for figures in (plan["everything"], *plan["sets"]):
            self.assertTrue(figures["fits"])
            self.assertEqual(figures["mapped_bytes"] + figures["free_bytes"], plan["pool_bytes"])
            self.assertLessEqual(figures["largest_buffer"], figures["free_bytes"])
            self.assertLessEqual(figures["peak_live_bytes"], plan["worst"]["peak_live_bytes"])
            self.assertGreater(figures["banks_on"], 0)

    def test_modules_without_a_footprint_are_named_and_counted(self):
        result = program.run("plan", program.example("opus"))
        self.assertEqual(result.status, 0)
        for name in ("opus-encoder.1.1", "opus-decoder.1.2", "no footprint", "4,096 B"):
            self.assertIn(name, result.out)
        (plan,) = self.plan(program.example("opus"))
        self.assertEqual([(gap["footprint"], gap["counted_bytes"]) for gap in plan["gaps"]],
                         [("unknown", 4096)] * 2)

    def test_what_does_not_fit(self):
        result = program.run("plan", program.test_topology("too-large"), "--platform", "mcu")
        self.assertEqual(result.status, 1, result.err)
        self.assertIn("does not fit: too-large.tplg on mcu", result.out)
        (plan,) = self.plan(program.test_topology("two-sizes"), "--platform", "mcu", statuses=(1,))
        fits = {tuple(figures["streams"]): figures["fits"] for figures in plan["sets"]}
        self.assertEqual(fits, {("Small playback",): True, ("Large playback",): False,
                                ("Small playback", "Large playback"): False})
        large = next(figures for figures in plan["sets"] if not figures["fits"])
        self.assertGreater(large["peak_live_bytes"], 614400)  # what it would need
        self.assertIsNone(large["largest_buffer"])
        self.assertIn("stand-in.2.1: 614400 B asked for", large["reason"])

    def test_a_whole_product(self):
        topologies = [program.example(name) for name in ("capture", "playback-mixer", "echo")]
        plans = self.plan(*topologies, "--all-platforms", "--policy", "elastic,single")
        self.assertEqual(len(plans) % (3 * 2), 0)
        self.assertEqual({plan["policy"] for plan in plans}, {"elastic", "single"})
        self.assertGreaterEqual({plan["platform"] for plan in plans}, {"mcu", "mtl", "ptl"})
        result = program.run("plan", *topologies)
        lines = result.out.splitlines()
        self.assertEqual(lines[0].split()[:3], ["topology", "platform", "policy"])
        self.assertEqual([line.split()[0] for line in lines[1:4]],
                         [pathlib.Path(topology).name for topology in topologies])

    def test_cores_that_a_platform_has_not_do_not_fit(self):
        (plan,) = self.plan(program.example("desk"), "--platform", "mcu", statuses=(1,))
        self.assertIn("core", plan["everything"]["reason"])

    def test_more_footprints(self):
        table = self.folder / "more.toml"
        table.write_text('[[module]]\nuuid = "8f3c1d0a-5b27-4e6f-9a41-7c20de86b35f"\nname = "echo"\n'
                         'init = [ { bytes = 12345 } ]\n', encoding="utf-8")
        topology = program.example("echo")
        (before,) = self.plan(topology)
        (after,) = self.plan(topology, "--footprints", table)
        self.assertEqual([gap["name"] for gap in before["gaps"]], ["echo.1.1"])
        self.assertEqual(after["gaps"], [])
        self.assertEqual(after["everything"]["peak_live_bytes"],
                         before["everything"]["peak_live_bytes"] - 4096 + 12345)

    def test_bad_input(self):
        topology = program.example("capture")
        self.assert_refused(["plan"], "TOPOLOGY")
        self.assert_refused(["plan", self.folder / "none.tplg"], "none.tplg")
        self.assert_refused(["plan", self.audio], "in.wav")
        self.assert_refused(["plan", topology, ""], "TOPOLOGY")
        self.assert_refused(["plan", topology, "--platform", "x"], "platform x")
        self.assert_refused(["plan", topology, "--policy", "elastic,x"], "x")
        self.assert_refused(["plan", topology, "--all-platforms", "--platform", "mtl"], "--platform")
        for value in ("", "48000", "48000:2", "48000:2:s8", "48000:0:s16", "999:2:s16", "48000:33:s16",
                      "48000:2:s16:", "a:2:s16", " 48000:2:s16"):
            self.assert_refused(["plan", topology, "--format", value], "--format")
        table = self.folder / "bad.toml"
        table.write_text("[[module]]\nuuid = \"x\"\n", encoding="utf-8")
        self.assert_refused(["plan", topology, "--footprints", table], "bad.toml:2", "UUID")
        self.assert_refused(["plan", topology, "--footprints", self.folder / "none.toml"], "none.toml")
        self.assertEqual(self.entries(), ["bad.toml", "in.wav"])


if __name__ == "__main__":
    program.main()
