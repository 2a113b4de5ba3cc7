#!/usr/bin/python3
"""`modmem report` from outside: what its page holds, and its refusals. What the page looks like is web/test's."""

import json
import pathlib
import re

from testing import program

CALL = pathlib.Path(__file__).resolve().parent.parent / "examples" / "scripts" / "call.script"
HEADER = "time_us,op,id,bytes,alignment,flags,caller,owner\n"
TRACE = HEADER + ("10,rmalloc,1,100,0,0,init,\n"
                  "20,rmalloc,2,5000,0,0,setup,music\n"
                  "30,rballoc,3,8192,0,0,buffer,\"</script><b>\"\n"
                  "40,rballoc,4,100000000,0,0,buffer,music\n"
                  "90,release,,,,,,music\n")


class ReportPageTest(program.TestCase):
    def write(self, text):
        path = self.folder / "trace.csv"
        path.write_text(text, encoding="utf-8")
        return path

    def data_of(self, page):
        [text] = re.findall(r'<script type="application/json" id="data">([^<]*)</script>', page)
        return json.loads(text)

    def test_the_page_holds_what_a_replay_says(self):
        trace = self.write(TRACE)
        page = self.folder / "report.html"
        result = program.run("report", trace, "--policy", "elastic,slots", "-o", page)
        self.assertEqual((result.status, result.out, result.err), (0, "", ""))
        data = self.data_of(page.read_text(encoding="utf-8"))
        replay = json.loads(program.run("replay", trace, "--policy", "elastic,slots", "--json", "-").out)
        [shown] = data["traces"]
        self.assertEqual(shown["name"], str(trace))
        self.assertEqual([run["policy"] for run in shown["runs"]], ["elastic", "slots"])
        for run, figures in zip(shown["runs"], replay):
            for field in ("allocations", "failures", "peak_live_bytes", "peak_mapped_bytes", "banks_on_mean",
                          "banks_lower_bound_mean"):
                self.assertEqual(run["figures"][field], figures[field], field)
            # To explain a failure takes some, too.
            self.assertGreaterEqual(run["figures"]["metadata_bytes"], figures["metadata_bytes"])
            self.assertEqual(max(run["timeline"]["live"]), figures["peak_live_bytes"])
            self.assertEqual([failure["event"] for failure in run["failures"]], [3])
            self.assertIn("</script><b>", [owner["name"] for owner in run["owners"]])
            self.assertEqual([(row["owner"], row["bytes"]) for row in run["leftovers"]],
                             [("</script><b>", 8192), ("system", 100)])
            for kind in ("live", "mapped"):
                lanes = [lane[kind] for lane in run["timeline"]["lanes"]]
                self.assertEqual([sum(values) for values in zip(*lanes)], run["timeline"][kind])
            disguised = [run["sites"]["names"][row["site"]] for row in run["sites"]["rows"] if row["disguised"]]
            self.assertEqual(disguised, ["setup"])

    def record(self, *arguments):
        folder = self.folder / "trace"
        report = program.run("run", *arguments, "--trace", folder, "--json", "-")
        self.assertEqual(report.status, 0, report.err)
        return folder, json.loads(report.out)

    def page_of(self, *arguments):
        result = program.run("report", *arguments, "-o", "-")
        self.assertEqual(result.status, 0, result.err)
        return self.data_of(result.out)["traces"][0]

    def test_a_recorded_run_is_shown_as_it_was(self):
        folder, report = self.record(program.example("desk"), "--script", CALL, "--platform", "ptl")
        trace = self.page_of(folder)
        self.assertEqual((trace["platform"]["name"], trace["recorded_policy"]), ("ptl", "elastic"))
        self.assertEqual(trace["problems"], [])
        [run] = trace["runs"]
        self.assertEqual((run["policy"], run["differs"], run["lost"]), ("elastic", 0, 0))
        figures, timeline = run["figures"], run["timeline"]
        self.assertEqual(figures["failures"], 0)
        self.assertEqual(figures["peak_mapped_bytes"], report["pool"]["peak_mapped_bytes"])
        self.assertEqual(figures["peak_banks_on"], report["pool"]["banks_on_peak"])
        self.assertEqual(max(timeline["live"]), figures["peak_live_bytes"])
        for kind in ("live", "mapped"):
            lanes = [lane[kind] for lane in timeline["lanes"]]
            self.assertEqual([sum(values) for values in zip(*lanes)], timeline[kind])
        most = max(run["moments"], key=lambda moment: moment["live"])
        self.assertEqual(most["live"], figures["peak_live_bytes"])
        self.assertEqual(sum(block[2] for block in most["blocks"]), most["live"])
        system = run["owners"][0]
        self.assertEqual((system["kind"], system["tree_peak"]), ("system", figures["peak_live_bytes"]))
        self.assertEqual({row["kind"] for row in run["owners"]}, {"system", "pipeline", "module", "buffer"})
        self.assertIn("testbench/pipeline_instance.cpp", "".join(run["sites"]["names"]))
        self.assertNotIn("../", "".join(run["sites"]["names"]))
        self.assertEqual(max(max(pipeline["state"]) for pipeline in timeline["pipelines"]), 3)

    def test_a_recorded_run_under_another_policy(self):
        folder, _ = self.record(program.example("playback-mixer"), "--seconds", "0.01")
        trace = self.page_of(folder, "--policy", "elastic,slots", "--platform", "mtl")
        self.assertEqual([run["policy"] for run in trace["runs"]], ["elastic", "slots"])
        self.assertEqual(trace["recorded_policy"], "elastic")

    def test_a_damaged_recording_is_used_as_far_as_it_goes(self):
        folder, _ = self.record(program.example("playback-mixer"), "--seconds", "0.5")
        core = folder / "core-0"
        core.write_bytes(core.read_bytes()[:-100])
        result = program.run("report", folder, "-o", "-")
        self.assertEqual(result.status, 2)
        self.assertRegex(result.err, r"core-0: at byte \d+: the packet is cut off here")
        [trace] = self.data_of(result.out)["traces"]
        self.assertIn(trace["problems"][0], result.err)
        self.assertGreater(trace["runs"][0]["events"], 100)

    def test_the_same_trace_gives_the_same_page(self):
        trace = self.write(TRACE)
        pages = [program.run("report", trace, "-o", "-") for _ in range(2)]
        self.assertEqual(pages[0].out, pages[1].out)

    def test_the_page_asks_nothing_of_a_network(self):
        page = program.run("report", self.write(TRACE), "-o", "-").out
        self.assertIn("default-src 'none'", page)
        self.assertEqual(re.findall(r'<(?:script|link|img)[^>]*(?:src|href)="(?!data:)[^"]*"', page), [])

    def test_a_platform_without_an_mmu(self):
        result = program.run("report", self.write(TRACE), "--platform", "mcu", "-o", "-")
        self.assertEqual(result.status, 0, result.err)
        data = self.data_of(result.out)
        self.assertEqual(data["traces"][0]["platform"]["name"], "mcu")
        self.assertEqual(len(data["traces"][0]["runs"]), 1)

    def test_a_trace_of_nothing(self):
        result = program.run("report", self.write(HEADER), "-o", "-")
        self.assertEqual(result.status, 0, result.err)
        self.assertEqual(self.data_of(result.out)["traces"][0]["runs"][0]["timeline"]["event"], [])

    def test_bad_input_ends_with_one_line(self):
        trace = self.write(TRACE)
        bad = self.folder / "bad.csv"
        bad.write_text(HEADER + "1,free,7,,,,,\n", encoding="utf-8")
        page = self.folder / "report.html"
        for arguments, name in (((trace,), "--output"),
                                ((trace, "-o", ""), "--output"),
                                ((trace, "-o", self.folder / "none" / "x.html"), "x.html"),
                                ((trace, "-o", page, "--policy", "nope"), "nope"),
                                ((trace, "-o", page, "--platform", "nope"), "nope"),
                                ((trace, "-o", page, "--platform", "mcu", "--policy", "slots"), "mcu"),
                                ((self.folder / "none.csv", "-o", page), "none.csv"),
                                ((bad, "-o", page), "bad.csv:2")):
            result = program.run("report", *arguments)
            self.assertEqual((result.status, result.out), (2, ""), arguments)
            self.assertEqual(result.err.count("\n"), 1, result.err)
            self.assertIn(name, result.err)
        self.assertFalse(page.exists())


if __name__ == "__main__":
    program.main()
