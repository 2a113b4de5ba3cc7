#!/usr/bin/python3
"""What is said of modules that do what they must not: each mistake is found, with who, where, what and
what to do, in text and JSON; correct modules are not blamed."""

import os
import re
import subprocess

from testing import program

# The module's widget.
WIDGET, ID = "echo.1.1", "0x00010001"
FIELDS = {"kind": str, "module": str, "id": str, "phase": str, "function": str, "site": str,
          "allocation_site": str, "bytes": int, "count": int, "text": str, "advice": str}
SITE = r"\Alibmisuser\.so\+0x[0-9a-f]+\Z"
PERIODS = 20


def symbols():
    """The module's functions, by address."""
    listing = subprocess.run(["nm", program.test_module("misuser")], capture_output=True, text=True,
                             check=True)
    found = [line.split() for line in listing.stdout.splitlines()]
    return sorted((int(words[0], 16), words[2]) for words in found
                  if len(words) == 3 and words[1] in "tT")


def function_at(site):
    address = int(site.split("+")[1], 16)
    return [name for start, name in symbols() if start < address][-1]


class FindingsTest(program.TestCase):
    def run_misuser(self, misuse, status=1):
        """The findings of a run, as data, and its report as text."""
        report = self.folder / "report.json"
        result = program.run("run", program.example("echo"), "--in", self.audio, "--seconds",
                             str(PERIODS / 1000), "--module", program.test_module("misuser"), "--json",
                             report, env=os.environ | {"MISUSE": misuse})
        self.assertEqual(result.status, status, result)
        findings = program.load_json(report)["findings"]
        for finding in findings:
            self.assertEqual({name: type(value) for name, value in finding.items()}, FIELDS)
            self.assertNotIn("", (finding["text"], finding["advice"]))
            for word in (finding["kind"], finding["text"], finding["advice"], finding["site"],
                         finding["allocation_site"]):
                self.assertIn(word, result.out)
        return findings, result.out

    def assert_found(self, misuse, kind, phase, where, **facts):
        """The one finding of a run is this one, in that function of the module."""
        findings, text = self.run_misuser(misuse)
        self.assertEqual([finding["kind"] for finding in findings], [kind], findings)
        self.assert_is(findings[0], phase, where, **facts)
        self.assertIn(f"{kind}: module {WIDGET} ({ID})", text)
        return findings[0]

    def assert_is(self, finding, phase, where, **facts):
        self.assertEqual((finding["module"], finding["id"], finding["phase"]), (WIDGET, ID, phase))
        self.assertRegex(finding["site"], SITE)
        self.assertEqual(function_at(finding["site"]), where)
        for name, value in facts.items():
            self.assertEqual(finding[name], value, name)

    def test_correct_modules_are_not_blamed(self):
        findings, text = self.run_misuser("", 0)
        self.assertEqual(findings, [])
        self.assertNotIn("Findings", text)
        for name in ("playback-and-capture", "desk", "opus"):
            report = self.folder / "clean.json"
            result = program.run("run", program.example(name), "--seconds", "0.05", "--json", report)
            self.assertEqual((result.status, program.load_json(report)["findings"]), (0, []), name)

    def test_leak(self):
        findings, text = self.run_misuser("leak")
        finding, = findings
        self.assertEqual((finding["kind"], finding["module"], finding["id"], finding["bytes"]),
                         ("leak", WIDGET, ID, 65536))
        self.assertRegex(finding["allocation_site"], SITE)
        self.assertEqual(function_at(finding["allocation_site"]), "misuser_init")
        self.assertIn("to do: free in free() what init() took", text)

    def test_second_free(self):
        self.assert_found("free twice", "double free", "free()", "misuser_free", function="mod_free", count=1)

    def test_free_of_anothers_memory(self):
        self.assert_found("free another's", "free of another's memory", "free()", "misuser_free",
                          function="mod_free", count=1)

    def test_free_inside_of_a_block(self):
        self.assert_found("free inside", "free inside of a block", "free()", "misuser_free", function="rfree")

    def test_overrun_into_pages_that_are_not_there(self):
        finding = self.assert_found("overrun", "stray access", "process()", "misuser_overrun", count=1)
        self.assertIn("page not mapped", finding["text"])

    def test_use_after_free_of_pages_that_are_not_there(self):
        if program.has_sanitizer():
            self.skipTest("a sanitizer finds it first")
        finding = self.assert_found("use after free", "stray access", "free()", "misuser_use_after_free")
        self.assertIn("page not mapped", finding["text"])

    def test_what_hardening_finds(self):
        if program.has_sanitizer():
            self.skipTest("a sanitizer finds it first")
        for misuse, kind, level in (("writes behind its block", "overrun", "standard"),
                                    ("writes after its free", "use after free", "full")):
            report = self.folder / "report.json"
            result = program.run("run", program.example("echo"), "--in", self.audio, "--module",
                                 program.test_module("faulty"), "--hardening", level, "--json", report,
                                 env=os.environ | {"FAULTY": misuse})
            self.assertEqual(result.status, 1, result)
            finding, = program.load_json(report)["findings"]
            self.assertEqual((finding["kind"], finding["module"], finding["id"], finding["bytes"]),
                             (kind, WIDGET, ID, 100))
            self.assertRegex(finding["allocation_site"], r"\Alibfaulty\.so\+0x[0-9a-f]+\Z")
            self.assertIn(f"{kind}: module {WIDGET} ({ID})", result.out)

    def test_crash(self):
        finding = self.assert_found("crash", "crash", "process()", "misuser_process", count=1)
        self.assertIn("Segmentation fault at address 0", finding["text"])
        finding = self.assert_found("crash in init", "crash", "init()", "misuser_init")
        self.assertIn("not called again", finding["text"])

    def test_modmem_on_the_audio_path(self):
        findings, _ = self.run_misuser("allocate")
        self.assertEqual(sorted(finding["kind"] for finding in findings),
                         ["allocation in process()", "free in process()"])
        for finding in findings:
            self.assert_is(finding, "process()", "misuser_audio_path", count=PERIODS)
        allocation = next(one for one in findings if one["kind"].startswith("allocation"))
        self.assertEqual((allocation["function"], allocation["bytes"]), ("mod_alloc_align", 8 * PERIODS))

    def test_other_calls_of_modmem_on_the_audio_path(self):
        findings, _ = self.run_misuser("reallocate")
        self.assert_is(findings[0], "process()", "misuser_audio_path", function="rbrealloc_align")

    def test_host_memory_on_the_audio_path(self):
        if program.has_sanitizer():
            self.skipTest("a sanitizer has the host's functions")
        for misuse, function in (("malloc", "malloc"), ("strdup", "strdup")):
            findings, _ = self.run_misuser(misuse)
            self.assertEqual(sorted((finding["kind"], finding["count"]) for finding in findings),
                             [("allocation in process()", PERIODS), ("free in process()", PERIODS)])
            for finding in findings:
                self.assert_is(finding, "process()", "misuser_audio_path")
                if finding["kind"].startswith("free"):
                    self.assertEqual(finding["function"], "free")
            self.assertIn(function, re.sub("__", "", str([one["function"] for one in findings])))

    def test_locks_on_the_audio_path(self):
        if program.has_sanitizer():
            self.skipTest("a sanitizer has the host's functions")
        self.assert_found("lock", "lock in process()", "process()", "misuser_audio_path",
                          function="pthread_mutex_lock", count=PERIODS)
        self.assert_found("ask modmem", "lock in process()", "process()", "misuser_audio_path",
                          function="modmem_usable_size", count=PERIODS)


if __name__ == "__main__":
    program.main()
