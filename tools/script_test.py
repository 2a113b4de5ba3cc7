"""`modmem run --script`: streams that come and go, from a file of commands to its report."""

import json
import pathlib

from testing import program

SCRIPTS = pathlib.Path(__file__).resolve().parents[1] / "examples" / "scripts"

# Which example topology each example script is for.
EXAMPLES = {"call": "desk", "deep-buffer": "desk-deep", "key-phrase": "desk"}


class ScriptTest(program.TestCase):
    def write(self, *commands):
        script = self.folder / "my.script"
        script.write_text("\n".join(commands) + "\n")
        return script

    def play(self, topology, *commands, arguments=(), statuses=(0,)):
        return self.run_topology(topology, "--script", self.write(*commands), *arguments,
                                 statuses=statuses)

    def test_streams_come_and_go(self):
        report = self.play(program.example("playback-and-capture"),
                           "start Music playback", "wait 10", "start Notification playback",
                           "wait 5", "stop Music playback", "wait 5")
        self.assertEqual(report["script"], {"commands": 6, "periods": 20, "streams_started": 2,
                                            "streams_failed": 0, "failures": 0})
        self.assertEqual(report["audio"]["xruns"], 0)
        self.assertEqual(report["pool"]["mapped_bytes"], report["pool"]["boot_mapped_bytes"])
        self.assertEqual([pipeline["id"] for pipeline in report["pipelines"]],
                         ["0x00000001", "0x00000002", "0x00000003"])
        gone = [module for module in report["modules"] if module["pipeline"] == "0x00000001"]
        self.assertEqual([module["live_bytes"] for module in gone], [0, 0, 0])
        self.assertTrue(all(module["peak_live_bytes"] for module in gone))

    def test_a_plain_run_has_no_script(self):
        self.assertNotIn("script", self.run_topology(program.example("passthrough")))

    def test_the_text_says_what_became_of_the_commands(self):
        script = self.write("start Music playback", "wait 3")
        result = program.run("run", program.example("playback-and-capture"), "--script", script,
                             "--in", self.audio)
        self.assertEqual(result.status, 0, result.err)
        self.assertIn("as my.script says\n", result.out)
        self.assertRegex(result.out, r"\nAudio: 3 periods of 1 ms, 144 frames in")
        self.assertRegex(result.out, r"\nScript: 2 commands, 1 streams started, 0 failed; "
                                     r"\d+ times real time\n")
        self.assertNotIn("Out of memory", result.out)

    def test_every_sink_that_ran_gets_a_file(self):
        folder = self.folder / "audio"
        self.play(program.test_topology("exact"), "start First playback", "wait 10",
                  "start Second playback", "wait 10", "stop First playback", "wait 10",
                  arguments=("--out", folder))
        self.assertEqual([file.name for file in folder.iterdir()],
                         ["dai-copier.SSP.Double.playback.wav"])
        self.assertEqual(len(program.read_wav(folder / "dai-copier.SSP.Double.playback.wav")),
                         30 * 48 * 4)

    def test_what_does_not_fit_ends_with_one_and_its_line(self):
        topology = program.test_topology("two-sizes")
        script = self.write("start Small playback", "wait 5", "start Large playback", "wait 5",
                            "stop Large playback", "start Large playback", "wait 5")
        result = program.run("run", topology, "--script", script, "--in", self.audio, "--platform",
                             "mcu", "--json", self.folder / "report.json")
        self.assertEqual(result.status, 1, result.err)
        self.assertRegex(result.out, r"my\.script:3: creating stand-in\.2\.1\n")
        self.assertIn("and 1 more of the script's commands\n", result.out)
        report = json.loads((self.folder / "report.json").read_text())
        self.assertEqual(report["script"], {"commands": 7, "periods": 15, "streams_started": 1,
                                            "streams_failed": 2, "failures": 2})
        self.assertEqual(report["failure"]["owner"], "stand-in.2.1")
        self.assertEqual(report["leaks"], [])
        self.assertEqual(report["pool"]["mapped_bytes"], report["pool"]["boot_mapped_bytes"])

    def test_what_makes_no_sense_is_refused_with_its_line(self):
        topology = program.example("playback-and-capture")
        for commands, line, words in (
                (["start Musik playback"], 1, "Musik"),
                (["wait 5", "stop Music playback"], 2, "Music"),
                (["start Music playback", "start Music playback"], 2, "running already"),
                (["start Music playback missing.wav"], 1, "missing.wav"),
                (["set Loudness 3"], 1, "Loudness"),
                (["trigger gain.1.1"], 1, "gain.1.1"),
                (["play Music"], 1, "play")):
            script = self.write(*commands)
            arguments = ("run", topology, "--in", self.audio, "--script", script)
            if "missing.wav" in words:
                self.assert_refused(arguments, words)
            else:
                self.assert_refused(arguments, f"{script}:{line}: ", words)
        self.assert_refused(("run", topology, "--script", self.folder / "none"), "none")

    def test_what_a_script_says_itself_is_refused_beside_it(self):
        script = self.write("wait 1")
        for option, value in (("--seconds", 1), ("--cycles", 2), ("--pipelines", "all")):
            self.assert_refused(("run", "--script", script, option, value), option)
        file = self.folder / "out.wav"
        file.write_text("")
        self.assert_refused(("run", "--script", script, "--out", file), file)
        self.assertEqual(file.read_text(), "")

    def test_the_desk_is_what_scripts_play_by_default(self):
        script = self.write('start "Key Phrase" capture', "wait 5")
        result = program.run("run", "--script", script, "--in", self.audio)
        self.assertEqual(result.status, 0, result.err)

    def test_examples_play_without_a_hitch(self):
        for name, topology in EXAMPLES.items():
            result = program.run("run", program.example(topology), "--script",
                                 SCRIPTS / f"{name}.script", "--json", "-")
            self.assertEqual(result.status, 0, f"{name}: {result.err}")
            report = json.loads(result.out)
            self.assertEqual(report["script"]["failures"], 0, name)
            self.assertEqual(report["audio"]["xruns"], 0, name)
            self.assertEqual(report["leaks"], [], name)


if __name__ == "__main__":
    program.main()
