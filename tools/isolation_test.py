#!/usr/bin/python3
"""Modules in domains: what holds for those that keep to themselves, and what becomes of the others."""

import os
import pathlib
import re

from testing import program

# The gains of an example, by their component ids, and what their pipelines are connected to. The
# first of them that is created is the one that others reach for.
TOPOLOGY, OTHER, BAD, BAD_NAME = "playback-and-capture", "gain.1.1", "0x00050001", "gain.5.1"
FIRST = "0x00010001"
CAPTURE, PLAYBACK = (4, 5), "1,2,3"
CODE = r"\Alibstray\.so\+0x[0-9a-f]+\Z"

# Of what the module does elsewhere than in process(): in which of its functions.
PHASES = {"writes to another module when it is initialised": "init()",
          "shares what it can't read": "init()",
          "keeps what it can't read": "init()",
          "writes to another module when it is prepared": "prepare()",
          "writes to another module when it ends": "free()"}


class IsolationTestCase(program.TestCase):
    def play(self, topology, name, *arguments, statuses=(0,), **options):
        """The report, the files of all sinks by name, and the text."""
        folder = self.folder / name
        folder.mkdir()
        report = self.folder / f"{name}.json"
        result = program.run("run", topology, "--in", self.audio, "--out", f"{folder}/", "--json",
                             report, *arguments, **options)
        self.assertIn(result.status, statuses, f"{topology}: {result}")
        return (program.load_json(report), {file.name: file.read_bytes() for file in folder.iterdir()},
                result.out)


class IsolationTest(IsolationTestCase):
    def assert_same(self, topology, name, *arguments):
        plain, heard, _ = self.play(topology, f"{name}-plain", *arguments)
        isolated, heard_isolated, text = self.play(topology, f"{name}-isolated", "--isolate",
                                                   *arguments)
        self.assertEqual(heard, heard_isolated, topology)
        # A deep buffer is as large as what is left allows, and domains have whole pages.
        if "deep" not in topology:
            self.assertEqual(plain["modules"], isolated["modules"], topology)
        self.assertEqual(plain["audio"], isolated["audio"], topology)
        self.assertEqual(isolated["removed"], [], topology)
        self.assertEqual(isolated["leaks"], [], topology)
        pool = isolated["pool"]
        self.assertEqual(pool["mapped_bytes"], pool["boot_mapped_bytes"], topology)
        self.assertIn("Isolation: no module reached for what is not its own", text)

    def test_all_examples_play_as_ever(self):
        for i, topology in enumerate(program.our_topologies()):
            if "too-large" not in topology:
                self.assert_same(topology, str(i), "--seconds", "0.02", "--cycles", "2")

    def test_production_topologies_play_as_ever(self):
        for i, topology in enumerate(program.production_topologies()):
            self.assert_same(topology, str(i), "--seconds", "0.005")


class StrayTest(IsolationTestCase):
    def play_stray(self, stray, name, *arguments, statuses=(1,), bad=BAD):
        return self.play(program.example(TOPOLOGY), name, "--module", program.test_module("stray"),
                         "--isolate", *arguments, statuses=statuses,
                         env=os.environ | {"STRAY": stray, "STRAY_ID": bad})

    def assert_removed(self, stray, access, place, code=CODE):
        """The module is named, with whose memory it reached for, and the others play on."""
        _, alone, _ = self.play_stray("", "alone", "--pipelines", PLAYBACK, statuses=(0,))
        report, heard, text = self.play_stray(stray, "stray")
        self.assertEqual(len(report["removed"]), 1, report["removed"])
        removed = report["removed"][0]
        self.assertEqual((removed["module"], removed["id"], removed["pipeline"], removed["access"]),
                         (BAD_NAME, BAD, int(BAD, 16) >> 16, access))
        self.assertRegex(removed["place"], place)
        self.assertRegex(removed["site"], code)
        self.assertIn(f"Removed: {BAD_NAME} ({BAD})", text)
        finding = report["findings"][0]
        # Who runs off the end of a block wrote over its guard on the way, and over those of later blocks.
        overran = {"overrun"} if stray == "writes on behind its end" else set()
        first, *others = [one["kind"] for one in report["findings"]]
        self.assertEqual((first, set(others)), ("stray access", overran))
        self.assertEqual((finding["module"], finding["id"], finding["site"], finding["count"]),
                         (BAD_NAME, BAD, removed["site"], 1))
        self.assertTrue(finding["text"].startswith("wrote to 0x" if access == "write" else "read from 0x"),
                        finding["text"])
        self.assertIn(removed["place"], finding["text"])
        self.assertEqual(finding["phase"], PHASES.get(stray, "process()"))
        self.assertIn(f"stray access: module {BAD_NAME} ({BAD}), in its {finding['phase']}", text)
        self.assertEqual(report["leaks"], [])
        self.assertEqual(report["pool"]["mapped_bytes"], report["pool"]["boot_mapped_bytes"])
        for file, audio in alone.items():
            self.assertEqual(heard[file], audio, file)
        self.assertEqual(report["audio"]["xruns"], 0)

    def test_writing_to_another_module(self):
        for stray in ("writes to another module", "writes to another module when it is initialised",
                      "writes to another module when it is prepared",
                      "writes to another module when it ends"):
            with self.subTest(stray):
                self.setUp()
                self.assert_removed(stray, "write", rf"\Apage closed.* in heap {OTHER} of ")

    def test_reading_what_another_module_has(self):
        self.assert_removed("reads what another module has", "read",
                            rf"\Apage closed.* in heap {OTHER} of ")

    def test_writing_to_what_is_granted_to_be_read(self):
        self.assert_removed("writes to its input", "write", r"\Apage read only, as it is granted, ")

    def test_writing_to_what_all_may_read(self):
        self.assert_removed("writes to what all may read", "write",
                            r"\Apage read only, as it is granted, in heap copies of ")

    def test_being_stopped_in_a_call_of_the_library(self):
        for stray in ("shares what it can't read", "keeps what it can't read"):
            with self.subTest(stray):
                self.setUp()
                self.assert_removed(stray, "read", r"\Ain no heap\Z")

    def test_running_off_its_own_end(self):
        self.assert_removed("writes on behind its end", "write",
                            rf"\Apage not mapped, in heap {BAD_NAME} of ")

    def test_writing_to_the_librarys_notes(self):
        self.assert_removed("writes to the library's notes", "write", "metadata")

    def test_writing_to_nowhere(self):
        self.assert_removed("writes to nowhere", "write", r"\Ain no heap\Z")

    def test_calling_what_is_no_code(self):
        self.assert_removed("calls what is no code", "read", r"\Ain no heap\Z", code=r"\A0xa\Z")

    def test_a_function_that_ends_a_blob_runs_in_its_domain(self):
        report, _, _ = self.play_stray("leaves a blob of its own making", "stray", bad=FIRST)
        self.assertEqual(report["removed"], [])
        self.assertEqual([one["kind"] for one in report["findings"]], ["leak"])
        self.assertEqual(report["pool"]["mapped_bytes"], report["pool"]["boot_mapped_bytes"])

    def test_what_the_docs_show(self):
        root = pathlib.Path(__file__).resolve().parents[1]
        page = (root / "docs" / "isolation.md").read_text(encoding="utf-8")
        shown = re.search(r"^```text\n(Removed: .*?)^```$", page, flags=re.M | re.S)[1]
        _, _, text = self.play_stray("writes to another module", "stray")
        self.assertIn(re.sub(r"(0x7f|\+0x)[0-9a-f]+", r"\1...", shown),
                      re.sub(r"(0x7f|\+0x)[0-9a-f]+", r"\1...", text))
        # What the code there does is in a test, line by line.
        code = re.search(r"^```cpp\n(.*?)^```$", page, flags=re.M | re.S)[1]
        tested = (root / "memory" / "grant_test.cpp").read_text(encoding="utf-8")
        for line in code.splitlines():
            self.assertIn(line.partition("//")[0].strip(), tested)

    def test_without_domains_nobody_is_removed(self):
        report, _, _ = self.play(program.example(TOPOLOGY), "open", "--module",
                                 program.test_module("stray"), env=os.environ | {
                                     "STRAY": "writes to another module", "STRAY_ID": BAD})
        self.assertNotIn("removed", report)


if __name__ == "__main__":
    program.main()
