#!/usr/bin/python3
"""`modmem report` from outside: what its page holds, and its refusals. What the page looks like is web/test's."""

import json
import re

from testing import program

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
            for field in ("allocations", "frees", "failures", "peak_live_bytes", "peak_mapped_bytes", "banks_on_mean",
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
        self.assertEqual(data["platform"]["name"], "mcu")
        self.assertFalse(data["platform"]["has_mmu"])

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
