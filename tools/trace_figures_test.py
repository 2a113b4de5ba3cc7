"""A recorded run, made again, has the figures of the run: every one that its report has of memory."""

import pathlib
import shutil
import sys

from testing import program

SCRIPTS = pathlib.Path(__file__).resolve().parents[1] / "examples" / "scripts"
POLICIES = ("elastic", "module-heaps", "single", "slots", "slots-modules", "slots-all")

# What the reports of a run and of its replay have in common.
POOL = ("frames", "banks", "peak_live_bytes", "peak_mapped_bytes", "banks_on", "banks_on_peak", "bank_seconds",
        "idle_bank_seconds", "ended_bank_seconds", "frames_moved", "metadata_bytes")
PIPELINE = ("name", "peak_live_bytes", "peak_mapped_bytes", "bank_seconds")
MODULE = ("name", "peak_live_bytes", "allocations", "failures")


def by_id(entries, fields):
    return sorted((entry["id"], *(entry[field] for field in fields)) for entry in entries)


class FiguresTest(program.TestCase):
    def assert_replayed(self, topology, *arguments):
        """Runs with `arguments`, replays the trace, and compares. Returns the run's failures."""
        trace, figures = self.folder / "trace", self.folder / "figures.json"
        run = self.run_topology(topology, "--trace", trace, *arguments, statuses=(0, 1))
        result = program.run("replay", trace, "--no-payload", "--json", figures)
        self.assertEqual((result.status, result.err), (0, ""))
        shutil.rmtree(trace)
        replay = program.load_json(figures)[0]
        recorded = replay["recorded"]
        memory = recorded["memory"]
        self.assertEqual((recorded["lost"], recorded["differs"]), (0, 0))
        self.assertEqual({name: memory[name] for name in POOL},
                         {name: run["pool"][name] for name in POOL})
        self.assertEqual(memory["mapped_bytes"], run["pool"]["live_mapped_bytes"])
        self.assertEqual(replay["peak_mapped_bytes"], run["pool"]["peak_mapped_bytes"])
        self.assertEqual(memory["heaps"], run["heaps"])
        if "--cycles" not in arguments:  # a run reports those of its last cycle
            for kind, fields in (("pipeline", PIPELINE), ("module", MODULE)):
                # A loaded module has an account of its own below the component's.
                names = {entry["name"] for entry in run[kind + "s"]}
                owners = [owner for owner in recorded["owners"]
                          if owner["kind"] == kind and owner["name"] in names]
                self.assertEqual(by_id(owners, fields), by_id(run[kind + "s"], fields))
        return sum(heap["failures"] for heap in run["heaps"])


    def assert_all_replayed(self, topologies):
        """Under every policy, 5 ms of each. Some allocations fail: slots are not for everybody."""
        failures = 0
        for topology in topologies:
            for policy in POLICIES:
                with self.subTest(topology=topology, policy=policy):
                    failures += self.assert_replayed(topology, "--seconds", "0.005", "--policy",
                                                     policy)
        self.assertGreater(failures, 0)

    def test_every_topology_of_ours_under_every_policy(self):
        self.assert_all_replayed(program.our_topologies())

    def test_production_topologies_under_every_policy(self):
        topologies = program.production_topologies()
        if not topologies:
            print("SKIPPED: there are no production topologies beside the repository",
                  file=sys.stderr)
            self.skipTest("no production topologies")
        self.assert_all_replayed(topologies)

    def test_other_platforms(self):
        for topology in map(program.example, ("desk", "playback-and-capture", "opus")):
            for platform in program.platforms_of(topology) + ("tgl", "ptl"):
                with self.subTest(topology=topology, platform=platform):
                    self.assert_replayed(topology, "--seconds", "0.005", "--platform", platform,
                                         "--policy", "elastic")

    def test_streams_that_come_and_go_on_several_cores(self):
        for script, policy in (("call", "elastic"), ("call", "slots"), ("key-phrase", "slots"),
                               ("desk-day", "elastic")):
            with self.subTest(script=script, policy=policy):
                self.assert_replayed(program.example("desk"), "--policy", policy, "--script",
                                     SCRIPTS / (script + ".script"))

    def test_streams_that_run_out_of_memory(self):
        for policy in ("slots-all", "slots-modules"):
            with self.subTest(policy=policy):
                self.assertGreater(
                    self.assert_replayed(program.example("desk"), "--policy", policy, "--script",
                                         SCRIPTS / "call.script"), 0)

    def test_cycles_and_compaction(self):
        for arguments in (("--cycles", "5"), ("--compact", "1"), ("--compact", "0")):
            with self.subTest(arguments=arguments):
                self.assert_replayed(program.example("playback-and-capture"), *arguments)

    def test_modules_that_are_loaded(self):
        self.assert_replayed(program.example("echo"), "--module", program.module("echo"))

    def test_it_can_differ(self):
        trace = self.folder / "trace"
        run = self.run_topology(program.example("desk"), "--seconds", "0.005", "--trace", trace)
        figures = self.folder / "figures.json"
        program.run("replay", trace, "--no-payload", "--policy", "module-heaps", "--json", figures)
        recorded = program.load_json(figures)[0]["recorded"]
        self.assertGreater(recorded["differs"], 0)
        self.assertNotEqual(recorded["memory"]["heaps"], run["heaps"])


if __name__ == "__main__":
    program.main()
