"""`modmem diff`: what grew between two runs or traces, and whether that is within a budget."""

import json
import pathlib
import random
import re

from testing import program

ROOT = pathlib.Path(__file__).resolve().parents[1]
TRACES = ROOT / "examples" / "traces"
HEADER = "time_us,op,id,bytes,alignment,flags,caller,owner\n"

# 100 B of `a` at most, 150 B in all.
BEFORE = HEADER + ("0,rmalloc,1,100,0,0,load,a\n"
                   "1,rfree,1,0,0,0,,a\n"
                   "2,rmalloc,2,50,0,0,load,a\n"
                   "3,release,0,0,0,0,,a\n")
# 400 B of `a` at most, 450 B in all, of another site as well; and 10 B of `b`.
AFTER = HEADER + ("0,rmalloc,1,100,0,0,load,a\n"
                  "1,rmalloc,2,300,0,0,grow<load,a\n"
                  "2,rfree,1,0,0,0,,a\n"
                  "3,rmalloc,3,50,0,0,load,a\n"
                  "4,rmalloc,4,10,0,0,load,b\n"
                  "5,release,0,0,0,0,,a\n")


class DiffTestCase(program.TestCase):
    def write(self, name, text):
        path = self.folder / name
        path.write_text(text)
        return path

    def diff(self, a, b, *arguments, status=0):
        """Returns what it found as data, and as text."""
        output = self.folder / "diff.json"
        result = program.run("diff", a, b, "--json", output, *arguments)
        self.assertEqual(result.status, status, result)
        return program.load_json(output), result.out

    def of(self, rows, name):
        """The figures of a row: of A, of B, and their difference."""
        row = next(row for row in rows if row["name"] == name)
        return {figure: (value["a"], value["b"], value["change"])
                for figure, value in row.items() if isinstance(value, dict)}

    def assert_same(self, a, b):
        data, text = self.diff(a, b)
        changes = [value["change"] for row in [data["total"], *data["owners"], *(data["sites"] or ())]
                   for value in row.values() if isinstance(value, dict)]
        self.assertEqual(set(changes) - {None, 0}, set())
        self.assertRegex(text, r"\nowners: 0 of \d+ differ\n")


class RowsTest(DiffTestCase):
    def test_what_grew_by_owner_and_site(self):
        data, text = self.diff(self.write("a.csv", BEFORE), self.write("b.csv", AFTER))
        total = data["total"]
        self.assertEqual(total["peak_live_bytes"], {"a": 100, "b": 400, "change": 300})
        self.assertEqual(total["churn_bytes"], {"a": 150, "b": 460, "change": 310})
        self.assertEqual(total["allocations"], {"a": 2, "b": 4, "change": 2})
        self.assertEqual(total["failures"], {"a": 0, "b": 0, "change": 0})
        a = self.of(data["owners"], "a")
        self.assertEqual(a["peak_live_bytes"], (100, 400, 300))
        self.assertEqual(a["churn_bytes"], (150, 450, 300))
        self.assertEqual(self.of(data["owners"], "b")["peak_live_bytes"], (0, 10, 10))
        self.assertEqual(self.of(data["sites"], "grow")["churn_bytes"], (0, 300, 300))
        self.assertEqual(self.of(data["sites"], "load")["churn_bytes"], (150, 160, 10))
        self.assertEqual([row["name"] for row in data["owners"]], ["a", "b"])
        self.assertRegex(text, r"\n  a +400 +\+300 ")
        self.assertRegex(text, r"\n  b \(new\) +10 +\+10 ")
        self.assertRegex(text, r"\nsites: 2 of 2 differ\n  grow \(new\) ")

    def test_what_shrank(self):
        data, text = self.diff(self.write("b.csv", AFTER), self.write("a.csv", BEFORE))
        self.assertEqual(self.of(data["owners"], "a")["peak_live_bytes"], (400, 100, -300))
        self.assertEqual([row["name"] for row in data["owners"]], ["b", "a"])
        self.assertRegex(text, r"\n  b \(gone\) +0 +-10 ")

    def test_requests_that_fail(self):
        rows = HEADER + "0,rmalloc,1,100,0,0,f,a\n1,rmalloc,2,100000000,0,0,f,a\n"
        data, _ = self.diff(self.write("a.csv", BEFORE), self.write("b.csv", rows))
        self.assertEqual(data["total"]["failures"], {"a": 0, "b": 1, "change": 1})
        self.assertEqual(self.of(data["owners"], "a")["failures"], (0, 1, 1))
        self.assertEqual(self.of(data["sites"], "f")["churn_bytes"], (0, 100, 100))

    def test_owners_of_one_name_are_one(self):
        lives = HEADER + "".join(f"{i},rmalloc,{i},{100 + i % 7},0,0,f,a\n{i},release,0,0,0,0,,a\n"
                                 for i in range(1000))
        data, _ = self.diff(self.write("a.csv", lives), self.write("b.csv", lives))
        self.assertEqual(self.of(data["owners"], "a")["allocations"], (1000, 1000, 0))
        self.assertEqual(self.of(data["owners"], "a")["peak_live_bytes"], (106, 106, 0))

    def test_many_rows_are_cut_in_the_text_alone(self):
        many = HEADER + "".join(f"0,rmalloc,{i},{i},0,0,f,o{i}\n" for i in range(1, 201))
        data, text = self.diff(self.write("a.csv", BEFORE), self.write("b.csv", many))
        self.assertEqual(len(data["owners"]), 201)
        self.assertIn("\n  ... 161 more between these\n", text)
        self.assertRegex(text, r"differ\n  o200 \(new\) ")
        self.assertLess(text.count("\n"), 60)

    def test_other_policies_and_platforms(self):
        trace = TRACES / "desk-music.csv"
        data, _ = self.diff(trace, trace, "--policy", "single", "--platform", "tgl")
        self.assertEqual(data["a"]["on"], "tgl, single")

    def test_a_trace_made_of_rows_is_the_rows(self):
        for name in ("capture", "desk-music"):
            directory = self.folder / name
            program.run("convert", TRACES / (name + ".csv"), directory)
            self.assert_same(TRACES / (name + ".csv"), directory)


class RunTest(DiffTestCase):
    def setUp(self):
        super().setUp()
        for name, topology in (("a", "desk"), ("b", "desk-deep")):
            result = program.run("run", program.example(topology), "--seconds", "0.02", "--trace",
                                 self.folder / name, "--json", self.folder / (name + ".json"))
            self.assertEqual(result.status, 0, result.err)
        self.reports = [self.folder / "a.json", self.folder / "b.json"]
        self.traces = [self.folder / "a", self.folder / "b"]

    def test_figures_are_those_of_the_reports(self):
        reports = list(map(program.load_json, self.reports))
        for pair in (self.reports, self.traces):
            data, _ = self.diff(*pair)
            for figure in ("peak_live_bytes", "peak_mapped_bytes"):
                a, b = (report["pool"][figure] for report in reports)
                self.assertEqual(data["total"][figure], {"a": a, "b": b, "change": b - a})
            a, b = (sum(heap["allocations"] for heap in report["heaps"]) for report in reports)
            self.assertEqual(data["total"]["allocations"], {"a": a, "b": b, "change": b - a})
            copier = self.of(data["owners"], "pipeline.13/host-copier.2.playback")
            a, b = (module["peak_live_bytes"] for report in reports
                    for module in report["modules"] if module["name"] == "host-copier.2.playback")
            self.assertEqual(copier["peak_live_bytes"], (a, b, b - a))
            self.assertEqual(data["owners"][0]["name"], "pipeline.13")
        self.assertIn("/copier.cpp:", data["sites"][0]["name"])

    def test_a_run_is_itself(self):
        for run in (self.reports[0], self.traces[0]):
            self.assert_same(run, run)

    def test_a_report_and_a_trace_have_what_both_know(self):
        data, text = self.diff(self.reports[0], self.traces[0])
        self.assertIsNone(data["sites"])
        self.assertIn("sites: not compared", text)
        self.assertRegex(text, r"\nowners: 0 of \d+ differ\n")

    def test_a_damaged_trace_is_compared_as_far_as_it_goes(self):
        stream = self.traces[1] / "core-0"
        stream.write_bytes(stream.read_bytes()[:9000])
        result = program.run("diff", *self.traces)
        self.assertEqual(result.status, 2)
        self.assertRegex(result.err, r"\Amodmem: \S+core-0: at byte \d+: [^\n]+\n\Z")
        self.assertRegex(result.out, r"\nowners: \d+ of \d+ differ\n")

    def test_the_example_of_the_docs(self):
        page = (ROOT / "docs" / "diff.md").read_text()
        budget = self.write("budget.toml", re.search("```toml\n(.*?)```", page, re.S).group(1))
        result = program.run("diff", "a", "b", "--budget", "budget.toml", cwd=self.folder)
        self.assertEqual((result.status, result.err), (1, ""))
        self.assertIn(result.out, page)
        self.assertTrue(budget.exists())


class BudgetTest(DiffTestCase):
    def setUp(self):
        super().setUp()
        self.a, self.b = self.write("a.csv", BEFORE), self.write("b.csv", AFTER)

    def check(self, budget, *exceeded):
        data, text = self.diff(self.a, self.b, "--budget", self.write("b.toml", budget),
                               status=1 if exceeded else 0)
        self.assertEqual(len(data["exceeded"]), len(exceeded), data["exceeded"])
        for line, start in zip(data["exceeded"], exceeded):
            self.assertIn(start, line)
            self.assertIn(line, text)

    def test_limits(self):
        self.check("[total]\npeak_live_bytes = 400\nfailures = 0\nchurn_bytes = 460\n"
                   "[owner.a]\npeak_live_bytes = 400\n[site.grow]\nallocations = 1\n")
        self.check("[total]\npeak_live_bytes = 399\n",
                   "b.toml:2: total.peak_live_bytes: 400, and at most 399 are allowed")
        self.check("[owner.b]\n\npeak_live_bytes = 9\n[site.grow]\nchurn_bytes = 299\n",
                   "b.toml:3: owner.b.peak_live_bytes: 10,", "b.toml:5: site.grow.churn_bytes: 300,")

    def test_growth(self):
        # Owner `a` and all grew from 100 to 400, site `grow` from 0 to 300, owner `b` to 10.
        self.check("[growth]\npercent = 300\nbytes = 300\n")
        self.check("[growth]\nbytes = 4096\n")  # a page of mapped bytes as well
        self.check("[growth]\nbytes = 4095\n", "growth: all: peak_mapped_bytes")
        self.check("[growth]\npercent = 299\nbytes = 299\n", "growth: all: peak_live_bytes",
                   "owner a: peak_live_bytes grew from 100 to 400, and 299 more", "site grow")
        self.check("[growth]\npercent = 300\nbytes = 9\n", "owner b", "site grow")

    def test_nothing_grows_where_nothing_differs(self):
        self.diff(self.a, self.a, "--budget", self.write("b.toml", "[growth]\n"))

    def test_what_is_no_budget_is_refused(self):
        for budget, line, reason in (
                ("[totals]\n", 1, "totals: there is no such key"),
                ("[total]\nfailures = 0\npeak = 1\n", 3, "total.peak: there is no such key"),
                ("[total]\npeak_live_bytes = -1\n", 2, "must be a whole number from 0"),
                ("[total]\npeak_live_bytes = 1.5\n", 2, "must be a whole number from 0"),
                ("[total]\npeak_live_bytes = \"1\"\n", 2, "must be a whole number from 0"),
                ("total = 1\n", 1, "total: must be a table"),
                ("\n[owner]\na = 3\n", 3, "owner.a: must be a table"),
                ("[owner.a]\nbytes = 3\n", 2, "owner.a.bytes: there is no such key"),
                ("[growth]\npercent = -1\n", 2, "growth.percent: must not be below 0"),
                ("[growth]\nper_cent = 1\n", 2, "growth.per_cent: there is no such key"),
                ("[growth]\npercent = \"5\"\n", 2, "growth.percent: must be a number"),
                ("[owner.nobody]\nfailures = 0\n", 1, "owner.nobody: there is no such owner"),
                ("[site.x]\nfailures = 0\n", 1, "site.x: there is no such site"),
                ("[owner.a]\npeak_mapped_bytes = 0\n", 2, "is not known of owners"),
                ("[total\n", 1, "")):
            path = self.write("b.toml", budget)
            self.assert_refused(("diff", self.a, self.b, "--budget", path), f"{path}:{line}: ",
                                reason)
        self.assert_refused(("diff", self.a, self.b, "--budget", self.folder / "none"), "none")

    def test_a_report_knows_no_sites(self):
        report = self.folder / "r.json"
        program.run("run", program.example("passthrough"), "--seconds", "0.005", "--json", report)
        budget = self.write("b.toml", "[site.x]\nfailures = 0\n")
        self.assert_refused(("diff", report, report, "--budget", budget), f"{budget}:1: site.x")
        budget = self.write("b.toml", "[total]\nchurn_bytes = 1\n")
        self.assert_refused(("diff", report, report, "--budget", budget),
                            f"{budget}:2: total.churn_bytes: is not known")


class RefusalTest(DiffTestCase):
    def test_what_is_none_of_the_three(self):
        good = self.write("a.csv", BEFORE)
        for text, reason in (("{", "is no JSON"), ("[1]", "is no report"), ("{}", "is no report"),
                             ('{"pool": 1, "heaps": 2}', "platform is missing"),
                             ("", ""), ("a,b\n1,2\n", "")):
            bad = self.write("bad", text)
            self.assert_refused(("diff", bad, good), str(bad), reason)
            self.assert_refused(("diff", good, bad), str(bad), reason)
        self.assert_refused(("diff", good, self.folder / "none"), "none")
        self.assert_refused(("diff", good, self.folder), "metadata")
        self.assert_refused(("diff", good, good, "--json", self.folder / "no" / "such"), "no/such")

    def test_damaged_reports_never_crash_it(self):
        report = self.folder / "r.json"
        program.run("run", program.example("passthrough"), "--seconds", "0.005", "--json", report)
        whole = report.read_text()
        generator = random.Random(5)
        for _ in range(60):
            text = whole[:generator.choice((len(whole), generator.randrange(len(whole))))]
            for _ in range(generator.choice((1, 5))):
                at = generator.randrange(len(text) + 1)
                text = text[:at] + generator.choice('{}[]",:0-nx') + text[at + 1:]
            result = program.run("diff", self.write("x.json", text), report)
            self.assertIn(result.status, (0, 2), text)
            if result.status == 2:
                self.assertRegex(result.err, r"\Amodmem: [^\n]{8,}\n\Z")


if __name__ == "__main__":
    program.main()
