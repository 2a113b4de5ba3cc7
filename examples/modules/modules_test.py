#!/usr/bin/python3
"""The example modules as they sound, and the one that docs/modules.md writes."""

import array
import math
import pathlib
import re
import subprocess
import sys
import wave

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT / "tools"))

from testing import program  # pylint: disable=wrong-import-position

DOCS = (ROOT / "docs" / "modules.md").read_text(encoding="utf-8")
RATE = 48000


def write_stereo(file, left, right):
    samples = array.array("h", (sample for frame in zip(left, right) for sample in frame))
    with wave.open(str(file), "wb") as output:
        output.setparams((2, 2, RATE, len(left), "NONE", ""))
        output.writeframes(samples.tobytes())


def read_stereo(file):
    """Both channels, as full-scale values of 16 bits."""
    with wave.open(str(file), "rb") as audio:
        width = audio.getsampwidth()
        samples = array.array({2: "h", 4: "i"}[width], audio.readframes(audio.getnframes()))
    scale = 1 << (8 * width - 16)
    return [sample / scale for sample in samples[0::2]], [sample / scale for sample in samples[1::2]]


class ExampleTestCase(program.TestCase):
    def play(self, topology, module, *arguments):
        """Plays the audio through the module; returns the report and both channels."""
        out = self.folder / "out.wav"
        report = self.run_topology(program.example(topology), "--module", program.module(module),
                                   "--out", out, *arguments)
        self.assertEqual((report["leaks"], report["audio"]["xruns"]), ([], 0))
        return report, read_stereo(out)


class EchoTest(ExampleTestCase):
    def impulse(self, frames):
        left, right = [0] * frames, [0] * frames
        left[10], right[20] = 20000, -10000
        write_stereo(self.audio, left, right)

    def assert_impulses(self, channel, expected):
        found = {at: value for at, value in enumerate(channel) if value != 0}
        self.assertEqual(sorted(found), sorted(expected))
        for at, value in expected.items():
            self.assertAlmostEqual(found[at], value, delta=1)

    def test_repeats_what_was_heard(self):
        self.impulse(RATE // 4)
        report, (left, right) = self.play("echo", "echo")
        feedback = 0x3333 / 0x8000
        self.assert_impulses(left, {10: 20000, 10 + 4800: 10000, 10 + 9600: 10000 * feedback})
        self.assert_impulses(right, {20: -10000, 20 + 4800: -5000, 20 + 9600: -5000 * feedback})
        echo = next(module for module in report["modules"] if module["name"] == "echo.1.1")
        self.assertGreater(echo["live_bytes"], 4800 * 2 * 4)
        self.assertLess(echo["live_bytes"], 4800 * 2 * 4 + 1000)

    def script(self, *lines):
        file = self.folder / "test.script"
        file.write_text("\n".join(lines) + "\n", encoding="ascii")
        return file

    def blob(self, name, *values):
        (self.folder / name).write_bytes(array.array("i", values).tobytes())

    def test_takes_another_configuration(self):
        self.impulse(RATE // 4)
        self.blob("short", 20, 0, 0x8000)
        for lines in (('set "Speaker Playback Echo" blob short', "start Speaker playback"),
                      ("start Speaker playback", 'set "Speaker Playback Echo" blob short')):
            script = self.script(*lines, "wait 250", "stop Speaker playback")
            self.run_topology(program.example("echo"), "--module", program.module("echo"), "--script",
                              script, "--out", self.folder / "out")
            left, _ = read_stereo(next((self.folder / "out").glob("*.wav")))
            self.assert_impulses(left, {10: 20000, 10 + 960: 20000})

    def test_refuses_what_makes_no_sense(self):
        for values in ((0, 0, 0), (2001, 0, 0), (100, 0x8000, 0), (100, 0, 0x8001), (100,),
                       (100, 0, 0, 0)):
            self.blob("wrong", *values)
            script = self.script("start Speaker playback", "wait 5",
                                 'set "Speaker Playback Echo" blob wrong')
            self.assert_refused(["run", program.example("echo"), "--in", self.audio, "--module",
                                 program.module("echo"), "--script", script], f"{script}:3",
                                "Speaker Playback Echo", "echo.1.1")


class OpusTest(ExampleTestCase):
    # A block of 20 ms for each module, and what Opus itself looks ahead.
    DELAY = 2 * 960 + 312
    FRAMES = RATE

    def sweep(self):
        """From 200 Hz to 4 kHz, and half as loud upside down on the right."""
        phase = 0
        left = []
        for i in range(self.FRAMES):
            phase += 2 * math.pi * 200 * 20 ** (i / self.FRAMES) / RATE
            left.append(round(8000 * math.sin(phase)))
        return left, [-value // 2 for value in left]

    def test_what_comes_back_is_what_went_in(self):
        signal = self.sweep()
        write_stereo(self.audio, *signal)
        report, heard = self.play("opus", "opus_codec", "--seconds", "1.06")
        self.assertEqual(report["audio"]["frames_out"], 1060 * RATE // 1000)
        for sent, received in zip(signal, heard):
            # Silence while it waits for the first packet.
            self.assertEqual(set(received[:2 * 960]), {0})
            part = range(RATE // 10, RATE // 10 + 4000)
            best = max(range(self.DELAY - 40, self.DELAY + 40),
                       key=lambda delay: sum(sent[i] * received[i + delay] for i in part))
            self.assertEqual(best, self.DELAY)
            # Not the same: a codec was there.
            self.assertNotEqual(sent[:RATE - 2000], received[best:best + RATE - 2000])
            for start in range(0, RATE - 2000, RATE // 10):
                frames = range(start, min(start + RATE // 10, RATE - 2000))
                power = sum(sent[i] ** 2 for i in frames)
                noise = sum((sent[i] - received[i + best]) ** 2 for i in frames)
                self.assertGreater(power, 100 * noise, f"from frame {start} on")  # 20 dB

    def test_silence_stays_silent(self):
        write_stereo(self.audio, [0] * 9600, [0] * 9600)
        _, (left, right) = self.play("opus", "opus_codec")
        self.assertEqual((max(map(abs, left)), max(map(abs, right))), (0, 0))

    def test_streams_of_any_length(self):
        for frames in (1, 47, 959, 960, 961, 2000):
            write_stereo(self.audio, [1000] * frames, [1000] * frames)
            report, _ = self.play("opus", "opus_codec", "--cycles", "2")
            self.assertEqual(report["audio"]["frames_out"], frames)

    def test_on_every_policy(self):
        for policy in ("elastic", "module-heaps", "single", "slots", "slots-modules", "slots-all"):
            self.play("opus", "opus_codec", "--policy", policy)


class DocumentedTest(program.TestCase):
    def test_the_module_of_the_documentation(self):
        code = re.findall(r"^```c\n(.*?)^```$", DOCS, re.DOTALL | re.MULTILINE)
        self.assertEqual(len(code), 1)
        (self.folder / "half.c").write_text(code[0], encoding="utf-8")
        for compiler in ("cc", "gcc", "clang"):
            if compiler == "clang" and not pathlib.Path("/usr/bin/clang").exists():
                continue
            compile_ = subprocess.run(
                [compiler, "-std=c11", "-Wall", "-Wextra", "-Wpedantic", "-Wconversion", "-Wshadow",
                 "-Werror", "-shared", "-fPIC", "-I", ROOT / "capi/include", "half.c", "-o",
                 "libhalf.so"], cwd=self.folder, capture_output=True, text=True, check=False)
            self.assertEqual((compile_.returncode, compile_.stderr), (0, ""))
            out = self.folder / "half.wav"
            result = program.run("run", "--module", "./libhalf.so", "--in", self.audio, "--out", out,
                                 cwd=self.folder)
            self.assertEqual((result.status, result.err), (0, ""))
            self.assertEqual(result.out.count("is loaded from ./libhalf.so\n"), 4)
            self.assertIn("Leaks: none\n", result.out)

    def test_the_leaks_of_the_documentation(self):
        code = re.findall(r"^```c\n(.*?)^```$", DOCS, re.DOTALL | re.MULTILINE)[0]
        leaky = "".join(line for line in code.splitlines(True) if "half_free" not in line)
        self.assertNotEqual(leaky, code)
        (self.folder / "half.c").write_text(leaky, encoding="utf-8")
        subprocess.run(["cc", "-shared", "-fPIC", "-I", ROOT / "capi/include", "half.c", "-o",
                        "libhalf.so"], cwd=self.folder, check=True)
        result = program.run("run", "--module", "./libhalf.so", "--in", self.audio, cwd=self.folder)
        self.assertEqual(result.status, 1)
        shown = re.findall(r"^```text\n(Leaks:.*?)^```$", DOCS, re.DOTALL | re.MULTILINE)
        self.assertEqual(len(shown), 1)
        site = re.search(r"libhalf\.so\+(0x[0-9a-f]+)", result.out)
        self.assertIsNotNone(site, result.out)
        self.assertIn(shown[0].replace("0x1234", site[1]), result.out)


if __name__ == "__main__":
    program.main()
