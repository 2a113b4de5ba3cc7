#!/usr/bin/python3
"""modmem run --coherence-check: the same audio with caches that are not coherent, and modules that rely on it."""

import os
import pathlib

from testing import program

# Streams on all cores of the desk come while others play, and go.
SCRIPT = """
start Music playback
wait 20
pause Music playback
start Call playback
start Call capture
wait 30
start Notifications playback
wait 20
stop Notifications playback
stop Call capture
stop Call playback
start Music playback
wait 20
"""
EXAMPLES = ("capture", "echo", "opus", "passthrough", "playback-and-capture", "playback-mixer", "desk-deep")


class CoherenceTest(program.TestCase):
    def setUp(self):
        super().setUp()
        program.write_wav(self.audio, 48 * 80)
        self.plays = 0

    def play(self, topology, *arguments, status=0, **options):
        """The report as data and as text, and what was heard, by file."""
        report = self.folder / "report.json"
        self.plays += 1
        out = self.folder / str(self.plays)
        result = program.run("run", topology, "--in", self.audio, "--out", f"{out}/", "--json", report, *arguments,
                             **options)
        self.assertEqual(result.status, status, result)
        heard = {file.name: file.read_bytes() for file in sorted(pathlib.Path(out).iterdir())}
        return program.load_json(report), result.out, heard

    def assert_clean(self, data, text, what):
        coherence = data["coherence"]
        self.assertEqual(coherence["findings"], [], what)
        self.assertFalse(coherence["more"])
        self.assertGreater(coherence["turns"], 0)
        self.assertIn("Coherence: nothing found", text)

    def assert_same_audio(self, topology, *arguments, seeds=(1,)):
        plain, text, expected = self.play(topology, *arguments)
        self.assertNotIn("coherence", plain)
        self.assertNotIn("Coherence", text)
        self.assertTrue(expected)
        for seed in seeds:
            data, text, heard = self.play(topology, f"--coherence-check={seed}", *arguments)
            self.assert_clean(data, text, topology)
            self.assertEqual(data["coherence"]["seed"], seed)
            self.assertGreater(data["coherence"]["evicted"], 0, topology)
            self.assertEqual(heard, expected, f"{topology}, seed {seed}")


class GoodTest(CoherenceTest):
    def test_examples_sound_the_same(self):
        for name in EXAMPLES:
            with self.subTest(name):
                self.assert_same_audio(program.example(name))

    def test_three_cores_sound_the_same_under_every_seed(self):
        self.assert_same_audio(program.example("desk"), seeds=(1, 2))

    def test_streams_that_come_and_go_on_three_cores(self):
        script = self.folder / "call.script"
        script.write_text(SCRIPT)
        self.assert_same_audio(program.example("desk"), "--script", script)

    def test_production_topologies(self):
        for topology in program.production_topologies():
            with self.subTest(topology):
                self.assert_same_audio(topology, "--seconds", "0.02")

    def test_heaps_that_all_cores_share(self):
        for policy in ("slots", "single"):
            with self.subTest(policy):
                data, text, _ = self.play(program.example("desk"), "--coherence-check", "--policy", policy,
                                          "--platform", "lnl")
                self.assert_clean(data, text, policy)


class MistakeTest(CoherenceTest):
    def find(self, mistake, status=1):
        data, text, _ = self.play(program.example("desk"), "--module", program.test_module("incoherent"),
                                  "--coherence-check", "--seconds", "0.05", status=status, env=os.environ | {"INCOHERENT": mistake})
        return data, text

    def assert_found(self, mistake, kind, call, also=None):
        data, text = self.find(mistake)
        findings = data["coherence"]["findings"]
        # A read of what was not written back is a stale one as well, once the line was evicted.
        self.assertLessEqual({finding["kind"] for finding in findings}, {kind, also}, text)
        of_kind = [finding for finding in findings if finding["kind"] == kind]
        self.assertTrue(of_kind, text)
        for finding in of_kind:
            self.assertRegex(finding["site"], r"\Alibincoherent\.so\+0x[0-9a-f]+\Z")
            self.assertIn(finding["site"], text)
            self.assertIn(call, finding["advice"])
            self.assertIn(finding["advice"], text)
            self.assertGreater(finding["count"], 0)
        return of_kind

    def test_a_missing_write_back(self):
        for finding in self.assert_found("keeps", "missing write-back", "dcache_writeback_region()", "stale read"):
            self.assertNotEqual(finding["core"], finding["other_core"])

    def test_a_stale_read(self):
        self.assert_found("rereads", "stale read", "dcache_invalidate_region()")

    def test_a_line_of_two_cores(self):
        for finding in self.assert_found("mixes", "shared line", "its own lines"):
            self.assertNotEqual(finding["core"], finding["other_core"])

    def test_correct_modules(self):
        for how in ("", "coherent"):
            data, text = self.find(how, status=0)
            self.assert_clean(data, text, how)


class RefusalTest(CoherenceTest):
    def test_bad_arguments(self):
        echo = program.example("echo")
        self.assert_refused(["run", echo, "--coherence-check=x"], "--coherence-check")
        self.assert_refused(["run", echo, "--coherence-check", "--platform", "mcu"], "mcu")
        self.assert_refused(["run", echo, "--coherence-check", "--fail-each"], "--coherence-check")


if __name__ == "__main__":
    program.main()
