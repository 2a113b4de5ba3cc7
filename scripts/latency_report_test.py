#!/usr/bin/python3
"""Tests of latency_report.py, on made-up reports and figures, and an image that only pretends."""

import contextlib
import copy
import io
import json
import os
import tempfile
import unittest
from unittest import mock

import latency_report
import run_images

REPORT = """TAP version 13
ok 1 - clock: instructions are counted exactly
# latency clock/1002 10 1002 1002 1002 1002
# pages heap/same-sizes/100 3
# latency replay/own/allocate/64 920 1560 1907 5303 5310
# blocks 12
1..1
"""


def call(most, mean=10):
    return {"count": 100, "least": 1, "mean": mean, "p99": most, "most": most}


def made_up():
    """The figures of one machine, with all that the page shows."""
    calls, pages = {}, {}
    for size in latency_report.SIZES:
        for operation in ("allocate", "free"):
            calls[f"replay/own/{operation}/{size}"] = call(100)
            calls[f"replay/with-mapping/{operation}/{size}"] = call(120)
    calls["replay/map"] = calls["replay/unmap"] = call(50)
    for target, known in latency_report.SERIES.items():
        for series in known:
            for level in latency_report.LEVELS:
                pages[f"{target}/{series}/{level}"] = 7
                for operation in ("allocate", "free"):
                    for request in latency_report.REQUESTS:
                        calls[f"{target}/{series}/{operation}/{request}/{level}"] = call(1000)
    return {"calls": calls, "pages": pages}


class Reading(unittest.TestCase):
    def test_figures_are_read_from_a_report(self):
        self.assertEqual(latency_report.parse(REPORT), {
            "calls": {"clock/1002": {"count": 10, "least": 1002, "mean": 1002, "p99": 1002, "most": 1002},
                      "replay/own/allocate/64": {"count": 920, "least": 1560, "mean": 1907, "p99": 5303,
                                                 "most": 5310}},
            "pages": {"heap/same-sizes/100": 3}})

    def test_a_report_without_figures_is_refused(self):
        with self.assertRaisesRegex(latency_report.LatencyError, "no figures"):
            latency_report.parse("TAP version 13\nok 1 - clock: ticks\n1..1\n")


class Comparing(unittest.TestCase):
    def compare(self, change):
        now, before = {"riscv": made_up()}, {"riscv": made_up()}
        change(now["riscv"]["calls"])
        return latency_report.compare(now, before)

    def test_the_same_is_fine(self):
        self.assertEqual(self.compare(lambda calls: None), ([], []))

    def test_five_percent_more_are_fine(self):
        self.assertEqual(self.compare(lambda calls: calls.update({"replay/map": call(52)})), ([], []))

    def test_more_than_that_is_not(self):
        wrong, _ = self.compare(lambda calls: calls.update({"replay/map": call(53)}))
        self.assertEqual(wrong, ["riscv replay/map: more instructions: p99 from 50 to 53, most from 50 to 53"])

    def test_a_mean_counts_alone(self):
        wrong, _ = self.compare(lambda calls: calls.update({"replay/map": call(50, mean=11)}))
        self.assertEqual(wrong, ["riscv replay/map: more instructions: mean from 10 to 11"])

    def test_what_is_better_is_told(self):
        wrong, notes = self.compare(lambda calls: calls.update({"replay/map": call(20)}))
        self.assertEqual(wrong, [])
        self.assertIn("most from 50 to 20", notes[0])

    def test_a_call_that_is_not_measured_any_more_is_wrong(self):
        wrong, _ = self.compare(lambda calls: calls.pop("replay/map"))
        self.assertEqual(wrong, ["riscv replay/map: is not measured any more"])

    def test_a_call_without_known_figures_is_wrong(self):
        wrong, _ = self.compare(lambda calls: calls.update({"replay/new": call(1)}))
        self.assertEqual(wrong, ["riscv replay/new: not in firmware/latency.json"])


class Independence(unittest.TestCase):
    def dependences(self, **worst):
        figures = made_up()
        figures["calls"].update({name.replace("__", "/").replace("_", "-"): call(most)
                                 for name, most in worst.items()})
        return latency_report.dependences(figures)

    def test_the_same_at_all_levels_is_fine(self):
        self.assertEqual(self.dependences(), [])

    def test_ten_percent_more_are_fine(self):
        self.assertEqual(self.dependences(heap__same_sizes__free__4096__10000=1100), [])

    def test_what_grows_is_told(self):
        found = self.dependences(heap__same_sizes__free__4096__10000=1101)
        self.assertEqual(len(found), 2)  # with the same memory as well
        self.assertIn("slowest free of ElasticHeap (same-memory) grows with live blocks: 1,000, 1,000, 1,101",
                      found[0])

    def test_small_requests_do_not_hide_behind_large_ones(self):
        large = {f"heap__{series}__allocate__16384__{level}": 5000 for level in (100, 1000, 10000)
                 for series in ("same_sizes", "same_memory")}
        found = self.dependences(heap__same_sizes__allocate__128__10000=1101, **large)
        self.assertEqual(len(found), 1)
        self.assertIn("1,000, 1,000, 1,101", found[0])

    def test_with_more_pages_a_long_search_may_take_longer(self):
        more = {f"heap__same_memory__allocate__16384__{level}": 5000 for level in (100, 1000)}
        self.assertEqual(self.dependences(heap__same_sizes__allocate__16384__10000=5000, **more), [])


class Commands(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.root = folder.name
        for machine in latency_report.MACHINES:
            image = os.path.join(self.root, "build", machine, "firmware", "latency")
            os.makedirs(os.path.dirname(image))
            with open(image, "w", encoding="utf-8"):
                pass
        os.makedirs(os.path.join(self.root, "firmware", "latency"))
        os.mkdir(os.path.join(self.root, "docs"))
        with open(os.path.join(self.root, latency_report.TEMPLATE), "w", encoding="utf-8") as file:
            file.write("# Latency\n\n@rules@\n\n@pages@\n\n@command xtensa@\n\n@replay riscv@\n\n"
                       "@same-sizes riscv@\n\n@same-memory cortex-m@\n")
        self.figures = made_up()

    def report(self):
        lines = [f"# latency {name} " + " ".join(str(value) for value in values.values())
                 for name, values in self.figures["calls"].items()]
        lines += [f"# pages {name} {pages}" for name, pages in self.figures["pages"].items()]
        return "\n".join(["TAP version 13", "ok 1 - clock: counts", *lines, "1..1", ""])

    def run_command(self, command, *machines, status=0, report=None):
        """(exit status, standard error)."""
        errors = io.StringIO()
        arguments = ["latency_report.py", command, *(machines or latency_report.MACHINES), "--root", self.root]
        result = (status, self.report() if report is None else report)
        with mock.patch.object(run_images, "run", return_value=result), mock.patch("sys.argv", arguments), \
                contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(errors):
            try:
                latency_report.main()
            except SystemExit as end:
                return end.code, errors.getvalue()
        return 0, errors.getvalue()

    def test_what_was_written_passes(self):
        self.assertEqual(self.run_command("write"), (0, ""))
        self.assertEqual(self.run_command("check"), (0, ""))
        with open(os.path.join(self.root, latency_report.FIGURES), encoding="utf-8") as file:
            self.assertEqual(json.load(file)["xtensa"], self.figures)
        with open(os.path.join(self.root, latency_report.PAGE), encoding="utf-8") as file:
            page = file.read()
        self.assertIn("| allocate | up to 64 B | 100 | 1 | 10 | 100 | 100 | 10 | 120 |", page)
        self.assertIn("-icount shift=6,sleep=off -smp 1 -kernel build/xtensa/firmware/latency", page)
        self.assertNotIn("@", page)

    def test_what_got_worse_fails(self):
        self.run_command("write")
        self.figures["calls"]["replay/map"] = call(60)
        status, errors = self.run_command("check", "riscv")
        self.assertEqual(status, 1)
        self.assertIn("riscv replay/map: more instructions", errors)
        self.assertIn("`make latency`", errors)

    def test_what_grows_with_blocks_fails_even_when_written(self):
        self.figures["calls"]["memory/same-sizes/free/128/10000"] = call(2000)
        self.assertEqual(self.run_command("write")[0], 1)
        status, errors = self.run_command("check")
        self.assertEqual(status, 1)
        self.assertIn("grows with live blocks", errors)

    def test_an_image_that_fails_is_told_and_nothing_is_written(self):
        status, errors = self.run_command("write", report="TAP version 13\nnot ok 1 - clock: counts\n1..1\n")
        self.assertEqual(status, 1)
        self.assertIn("failed tests: 1", errors)
        self.assertFalse(os.path.exists(os.path.join(self.root, latency_report.FIGURES)))

    def test_an_image_that_does_not_end_fails(self):
        status, errors = self.run_command("check", "riscv", status=None)
        self.assertEqual(status, 1)
        self.assertIn("riscv: not ended after", errors)

    def test_an_image_that_is_not_there_can_not_be_measured(self):
        os.remove(os.path.join(self.root, "build", "riscv", "firmware", "latency"))
        status, errors = self.run_command("check", "riscv")
        self.assertEqual(status, 2)
        self.assertIn("build/riscv/firmware/latency: there is no such image", errors)

    def test_one_machine_alone_is_written_into_what_is_known(self):
        self.assertEqual(self.run_command("write", "riscv")[0], 2)
        self.run_command("write")
        before = copy.deepcopy(self.figures)
        self.figures["calls"]["replay/map"] = call(40)
        self.assertEqual(self.run_command("write", "riscv"), (0, ""))
        with open(os.path.join(self.root, latency_report.FIGURES), encoding="utf-8") as file:
            figures = json.load(file)
        self.assertEqual(figures["riscv"], self.figures)
        self.assertEqual(figures["xtensa"], before)


if __name__ == "__main__":
    unittest.main()
