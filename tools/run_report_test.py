#!/usr/bin/python3
"""The report, as data and as text, of runs that go well and of one that runs out of memory."""

import json
import re

from testing import program

NUMBER = (int, float)

POOL = dict.fromkeys("frames banks boot_mapped_bytes mapped_bytes live_mapped_bytes "
                     "peak_mapped_bytes peak_live_bytes banks_on banks_on_peak metadata_bytes "
                     "frames_moved".split(), int)
POOL.update(dict.fromkeys("banks_on_mean mapped_mean_bytes bank_seconds idle_bank_seconds "
                          "ended_bank_seconds".split(), NUMBER))
HEAP = dict.fromkeys("live_bytes peak_live_bytes mapped_bytes peak_mapped_bytes ready_bytes "
                     "queued_bytes allocations frees failures".split(), int)
HEAP.update(name=str, kind=str, memory=str, owner=str, bank_seconds=NUMBER)
SLOTS_HEAP = HEAP | {"bundles": list}
BUNDLE = dict.fromkeys("slot_bytes slots used most_used run_out".split(), int)
PIPELINE = {"id": "id", "name": str, "core": int, "peak_live_bytes": int, "peak_mapped_bytes": int,
            "bank_seconds": NUMBER}
MODULE = {"id": "id", "uuid": str, "name": str, "pipeline": "id", "placeholder": bool,
          "loaded_from": (str, type(None)), "process_errors": int,
          "live_bytes": int, "peak_live_bytes": int, "allocations": int, "failures": int}
LEAK = {"owner": str, "id": "id", "bytes": int, "alignment": int, "site": str}
AUDIO = {"frames_in": int, "frames_out": int, "xruns": int}
TOP_OWNER = {"owner": str, "id": "id", "bytes": int}
FAILURE = {"owner": str, "bytes": int, "alignment": int, "reason": str,
           "guarantees": (dict, type(None)), "free_bytes": int, "largest_request": int,
           "top_owners": list}
ADMISSIONS = dict.fromkeys("admitted refused recorded reserved_bytes returned_bytes".split(), int)
ADMISSIONS.update(shortage=(str, type(None)))
REPORT = {"platform": str, "policy": str, "pool": dict, "heaps": list, "pipelines": list,
          "modules": list, "leaks": list, "findings": list, "audio": dict, "admissions": dict,
          "failure": (dict, type(None))}

POLICIES = ("elastic", "module-heaps", "single", "slots", "slots-modules", "slots-all")
REASONS = ("pool", "limit", "guarantee", "alignment", "slots", "fragmentation")


class ReportTestCase(program.TestCase):
    def assert_fields(self, data, fields):
        self.assertEqual(set(data), set(fields))
        for name, kind in fields.items():
            value = data[name]
            if kind == "id":
                self.assertRegex(value, r"\A0x[0-9a-f]{8}\Z", name)
                continue
            self.assertIsInstance(value, kind, name)
            if kind is not bool:
                self.assertNotIsInstance(value, bool, name)
            if isinstance(value, NUMBER):
                self.assertGreaterEqual(value, 0, name)

    def assert_report(self, report):
        """Every field is there and of its type, and what must add up does."""
        self.assert_fields(report, REPORT)
        pool = report["pool"]
        self.assert_fields(pool, POOL)
        self.assert_fields(report["audio"], AUDIO)
        admissions = report["admissions"]
        self.assert_fields(admissions, ADMISSIONS)
        self.assertEqual(admissions["shortage"] is not None, admissions["refused"] > 0)
        for heap in report["heaps"]:
            self.assert_fields(heap, SLOTS_HEAP if heap["kind"] == "slots" else HEAP)
        for name, fields in (("pipelines", PIPELINE), ("modules", MODULE), ("leaks", LEAK)):
            for item in report[name]:
                self.assert_fields(item, fields)
        self.assertEqual(pool["mapped_bytes"], pool["boot_mapped_bytes"])
        self.assertEqual(sum(heap["mapped_bytes"] for heap in report["heaps"]
                             if heap["memory"] == "sram"), pool["live_mapped_bytes"])
        shares = sum(heap["bank_seconds"] for heap in report["heaps"] if heap["memory"] == "sram")
        self.assertAlmostEqual(
            shares + pool["idle_bank_seconds"] + pool["ended_bank_seconds"],
            pool["bank_seconds"], places=4)
        self.assertLessEqual(pool["live_mapped_bytes"], pool["peak_mapped_bytes"])
        self.assertLessEqual(pool["peak_mapped_bytes"], 4096 * pool["frames"])
        self.assertLessEqual(pool["banks_on"], pool["banks_on_peak"])
        self.assertLessEqual(pool["banks_on_peak"], pool["banks"])
        self.assertEqual(report["leaks"], [])
        for heap in report["heaps"]:
            self.assertIn(heap["kind"], ("elastic", "fixed", "slots", "metadata"))
            self.assertLessEqual(heap["live_bytes"], heap["peak_live_bytes"])
            self.assertLessEqual(heap["mapped_bytes"], heap["peak_mapped_bytes"])
            self.assertIn(heap["memory"], ("sram", "lp-sram", "l3"))
            for bundle in heap.get("bundles", ()):
                self.assert_fields(bundle, BUNDLE)
                self.assertLessEqual(bundle["used"], bundle["most_used"])
                self.assertLessEqual(bundle["most_used"], bundle["slots"])
        live = sum(heap["live_bytes"] for heap in report["heaps"])
        self.assertGreaterEqual(live, sum(module["live_bytes"] for module in report["modules"]))
        ids = [module["id"] for module in report["modules"]]
        self.assertEqual(ids, sorted(set(ids)))
        pipelines = {pipeline["id"] for pipeline in report["pipelines"]}
        for module in report["modules"]:
            self.assertEqual(int(module["id"], 16) >> 16, int(module["pipeline"], 16))
            self.assertIn(module["pipeline"], pipelines)
            self.assertRegex(module["uuid"], r"\A[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\Z")
            self.assertLessEqual(module["live_bytes"], module["peak_live_bytes"])
        if report["failure"] is not None:
            self.assert_failure(report["failure"], pool)

    def assert_failure(self, failure, pool):
        self.assert_fields(failure, FAILURE)
        self.assertIn(failure["reason"], REASONS)
        self.assertLess(failure["largest_request"], failure["bytes"])
        self.assertLessEqual(failure["free_bytes"], 4096 * pool["frames"])
        held = [owner["bytes"] for owner in failure["top_owners"]]
        self.assertEqual(held, sorted(held, reverse=True))
        for owner in failure["top_owners"]:
            self.assert_fields(owner, TOP_OWNER)


class JsonTest(ReportTestCase):
    def text(self, topology, *arguments):
        return program.run("run", topology, "--in", self.audio, *arguments).out

    def test_every_topology_platform_and_policy(self):
        for topology in program.our_topologies():
            for platform in program.platforms_of(topology):
                policies = POLICIES if platform != "mcu" else POLICIES[:3]  # slots need an MMU
                for policy in policies:
                    report = self.run_topology(topology, "--platform", platform, "--policy", policy,
                                               statuses=(0, 1))
                    self.assert_report(report)
                    self.assertEqual((report["platform"], report["policy"]), (platform, policy))
                    large = topology.endswith(("too-large.tplg", "two-sizes.tplg"))
                    if policy in POLICIES[:2]:
                        self.assertEqual(report["failure"] is None, platform != "mcu" or not large,
                                         (topology, policy))
                    elif report["failure"] is not None and policy != "single":
                        self.assertIn(report["failure"]["reason"], ("slots", "pool"), (topology, policy))

    def test_slots_say_how_many_were_used(self):
        topology = program.example("playback-and-capture")
        report = self.run_topology(topology, "--policy", "slots")
        heaps = {heap["name"]: heap for heap in report["heaps"]}
        self.assertEqual(heaps["system"]["mapped_bytes"], 0x40000)
        bundles = heaps["slots"]["bundles"]
        self.assertEqual([(b["slot_bytes"], b["slots"]) for b in bundles],
                         [(128, 32), (512, 8), (1024, 44), (2048, 8), (4096, 11), (8192, 10),
                          (32768, 8), (65536, 3), (131072, 1), (524288, 1)])
        used = sum(bundle["used"] for bundle in bundles)
        self.assertEqual(used, heaps["slots"]["allocations"] - heaps["slots"]["frees"])
        self.assertGreater(used, 0)
        text = self.text(topology, "--policy", "slots")
        for bundle in bundles:
            self.assertRegex(text, rf"\n  {bundle['slot_bytes']:,} B +{bundle['slots']} "
                                   rf"+{bundle['used']} +{bundle['most_used']} +{bundle['run_out']}\n")
        self.assertNotIn("most used", self.text(topology))

    def test_the_example(self):
        report = self.run_topology(program.example("playback-and-capture"))
        self.assert_report(report)
        self.assertEqual((report["platform"], report["policy"]), ("mtl", "elastic"))
        self.assertEqual((report["pool"]["frames"], report["pool"]["banks"]), (448, 14))
        self.assertEqual([int(pipeline["id"], 16) for pipeline in report["pipelines"]],
                         [1, 2, 3, 4, 5])
        self.assertEqual([module["id"] for module in report["modules"]],
                         ["0x00010000", "0x00010001", "0x00010002", "0x00020000", "0x00020001",
                          "0x00020002", "0x00030000", "0x00030001", "0x00030002", "0x00040000",
                          "0x00050000", "0x00050001"])
        self.assertEqual(report["audio"], {"frames_in": 2880, "frames_out": 1920, "xruns": 0})
        self.assertEqual(report["pool"]["banks_on_mean"], report["pool"]["banks_on"])
        self.assertFalse(any(module["placeholder"] for module in report["modules"]))

    def test_placeholders_hold_what_is_declared(self):
        report = self.run_topology(program.test_topology("too-large"))
        declared = {module["name"]: module for module in report["modules"] if module["placeholder"]}
        self.assertEqual(set(declared), {"stand-in.1.1", "stand-in.1.2"})
        self.assertGreaterEqual(declared["stand-in.1.1"]["live_bytes"], 10_000)
        self.assertLess(declared["stand-in.1.1"]["live_bytes"], 10_000 + 1000)
        self.assertGreaterEqual(declared["stand-in.1.2"]["live_bytes"], 614_400)

    def test_standard_output_is_the_reports_alone(self):
        result = program.run("run", "--in", self.audio, "--json", "-")
        self.assertEqual(result.status, 0)
        self.assertTrue(result.out.startswith("{"))
        self.assert_report(json.loads(result.out))
        self.assertIn("Pool:", result.err)
        self.assertIn("Leaks: none", result.err)

    def test_a_file_takes_the_same(self):
        file = self.folder / "report.json"
        file.write_text("x" * 100_000, encoding="ascii")
        result = program.run("run", "--in", self.audio, "--json", file)
        self.assertEqual((result.status, result.err), (0, ""))
        self.assertIn("Pool:", result.out)
        self.assertNotIn("{", result.out)
        report = json.loads(file.read_text(encoding="ascii"))
        self.assert_report(report)
        self.assertEqual(report, self.run_topology(program.example("playback-and-capture")))
        self.assertEqual(self.entries(), ["in.wav", "report.json"])

    def test_devices_take_it_too(self):
        result = program.run("run", "--in", self.audio, "--json", "/dev/stderr")
        self.assertEqual(result.status, 0)
        self.assert_report(json.loads(result.err))
        self.assertEqual(program.run("run", "--in", self.audio, "--json", "/dev/null").status, 0)

    def test_a_thousand_cycles_are_a_flat_line(self):
        once = self.run_topology(program.example("playback-and-capture"))
        often = self.run_topology(program.example("playback-and-capture"), "--cycles", "1000")
        self.assert_report(often)
        # The system's own heap has lived through all of them, the others through the last one.
        # Energy is that of all that time.
        for report in (often, once):
            for part in [report["pool"], *report["heaps"], *report["pipelines"]]:
                for name in [name for name in part if name.endswith("bank_seconds")]:
                    self.assertGreater(part.pop(name) + 1, 0)
        # Each set-up is admitted; all but the first know what it takes.
        self.assertEqual(often["admissions"]["admitted"], 1000 * once["admissions"]["admitted"])
        self.assertEqual(often["admissions"]["recorded"], 999)
        for report in (often, once):
            del report["admissions"]
        self.assertEqual(often, once)

    def test_pipelines(self):
        report = self.run_topology(program.example("playback-and-capture"), "--pipelines", "5")
        self.assert_report(report)
        self.assertEqual([int(pipeline["id"], 16) for pipeline in report["pipelines"]], [4, 5])
        self.assertEqual({int(module["pipeline"], 16) for module in report["modules"]}, {4, 5})


class OutOfMemoryTest(ReportTestCase):
    def test_it_is_explained_and_everything_returned(self):
        for policy in ("elastic", "single"):
            report = self.run_topology(program.test_topology("too-large"), "--platform", "mcu",
                                       "--policy", policy, statuses=(1,))
            self.assert_report(report)
            failure = report["failure"]
            self.assertEqual(failure["owner"], "stand-in.1.2")
            self.assertEqual(failure["bytes"], 614_400)
            self.assertEqual(failure["reason"], "pool")
            self.assertLess(failure["free_bytes"], 614_400)
            self.assertEqual(failure["top_owners"][0]["owner"], "stand-in.1.1")
            self.assertEqual(failure["top_owners"][0]["id"], "0x00010001")
            self.assertEqual(report["audio"]["frames_out"], 0)
            self.assertEqual(sum(module["failures"] for module in report["modules"]), 1)

    def test_what_would_have_fitted_is_less(self):
        result = program.run("run", program.test_topology("too-large"), "--in", self.audio,
                             "--platform", "mcu")
        self.assertEqual((result.status, result.err), (1, ""))
        for line in ("Out of memory: creating stand-in.1.2", "asked for +614,400 B",
                     r"by +module stand-in\.1\.2 \(0x00010002\)", "reason +pool", "free for it +[0-9,]+ B",
                     "would succeed +[0-9,]+ B at most", r"held by +stand-in\.1\.1 \(0x00010001\): ",
                     "Leaks: none"):
            self.assertRegex(result.out, line)
        self.assertNotIn("The pool is not as it was", result.out)

    def test_outputs_are_left_as_they_were(self):
        before = self.audio.read_bytes()
        result = program.run("run", program.test_topology("too-large"), "--in", self.audio,
                             "--platform", "mcu", "--out", self.audio)
        self.assertEqual(result.status, 1)
        self.assertEqual(self.audio.read_bytes(), before)
        self.assertEqual(self.entries(), ["in.wav"])


class TextTest(ReportTestCase):
    def text(self, topology, *arguments):
        result = program.run("run", topology, "--in", self.audio, *arguments)
        self.assertIn(result.status, (0, 1))
        self.assertEqual(result.err, "")
        return result.out

    def test_it_fits_a_hundred_columns(self):
        long_name = self.folder / ("long-" * 40 + ".tplg")
        long_name.symlink_to(program.example("playback-and-capture"))
        topologies = program.our_topologies() + program.production_topologies() + [str(long_name)]
        for topology in topologies:
            for arguments in ((), ("--platform", program.platforms_of(topology)[-1], "--policy",
                                   "single"), ("--cycles", "3")):
                for line in self.text(topology, *arguments).splitlines():
                    self.assertLessEqual(len(line), 100, line)
                    self.assertEqual(line, line.rstrip(), line)

    def test_it_says_what_the_data_say(self):
        topology = program.example("playback-and-capture")
        report = self.run_topology(topology)
        text = self.text(topology)
        for module in report["modules"]:
            self.assertRegex(text, rf"{module['id']} +{re.escape(module['name'])} ")
        for pipeline in report["pipelines"]:
            self.assertRegex(text, rf"\n +{int(pipeline['id'], 16)} {re.escape(pipeline['name'])} ")
        for heap in report["heaps"]:
            self.assertRegex(text, rf"\n  {re.escape(heap['name'])} +{heap['kind']} ")
        self.assertIn(f"{report['pool']['peak_mapped_bytes']:,} B", text)
        self.assertIn("2,880 frames in, 1,920 frames out, 0 xruns", text)
        self.assertIn("Leaks: none", text)
        self.assertIn("largest request", text)
        self.assertNotIn("*", text)

    def test_names_do_nothing_to_a_terminal(self):
        topology = self.folder / "\x1b[2J\r\nx.tplg"
        topology.symlink_to(program.example("passthrough"))
        text = self.text(topology, "--out", self.folder / "\x1b[2J\r\nout.wav")
        self.assertTrue(text.startswith("?[2J??x.tplg on mtl"), text[:40])
        self.assertNotRegex(text, r"[\x00-\x09\x0b-\x1f\x7f]")
        self.assertRegex(text, r"\n  written: [^\n]*\?\[2J\?\?out\.wav\n")

    def test_placeholders_are_marked(self):
        text = self.text(program.test_topology("too-large"))
        self.assertRegex(text, r"0x00010001 \* stand-in\.1\.1 ")
        self.assertIn("* placeholder", text)

    def test_files_are_named(self):
        text = self.text(program.example("playback-and-capture"), "--out", self.folder / "out.wav")
        self.assertIn(str(self.folder / "out.wav"), text)


if __name__ == "__main__":
    program.main()
