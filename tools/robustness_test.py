#!/usr/bin/python3
"""Damaged files, interruptions and several runs at once."""

import os
import pty
import random
import signal
import subprocess
import time

from testing import program


class AudioTest(program.TestCase):
    def test_what_goes_in_comes_out(self):
        for frames in (1, 47, 48, 960):
            samples = program.write_wav(self.audio, frames)
            out = self.folder / "out.wav"
            result = program.run("run", program.example("passthrough"), "--in", self.audio, "--out",
                                 out)
            self.assertEqual((result.status, result.err), (0, ""))
            self.assertEqual(program.read_wav(out), samples)

    def test_the_input_may_be_the_output(self):
        result = program.run("run", program.example("passthrough"), "--in", self.audio, "--out",
                             self.audio)
        self.assertEqual(result.status, 0)
        self.assertEqual(program.read_wav(self.audio), self.samples)

    def test_an_existing_file_is_replaced(self):
        out = self.folder / "out.wav"
        out.write_bytes(b"x" * 100_000)
        result = program.run("run", program.example("passthrough"), "--in", self.audio, "--out",
                             out)
        self.assertEqual(result.status, 0)
        self.assertEqual(program.read_wav(out), self.samples)

    def test_a_folder_takes_all(self):
        for _ in range(2):
            result = program.run("run", "--in", self.audio, "--out", f"{self.folder}/all/")
            self.assertEqual(result.status, 0)
            self.assertEqual(sorted(os.listdir(self.folder / "all")),
                             ["dai-copier.SSP.Speaker.playback.wav", "host-copier.2.capture.wav"])


class DamagedTopologyTest(program.TestCase):
    """The loader's own tests cut at every length; here a sample goes through the whole program."""

    def assert_survives(self, data, what):
        file = self.folder / "damaged.tplg"
        file.write_bytes(data)
        result = program.run("run", file, "--in", self.audio, "--seconds", "0.003", "--out",
                             self.folder / "out.wav", "--platform", "mcu")
        self.assertIn(result.status, (0, 1, 2), f"{what}: {result.err}")
        if result.status == 2:
            self.assertEqual(result.out, "", what)
            self.assertRegex(result.err, r"\Amodmem: [^\n]*damaged\.tplg: [^\n]+\n\Z", what)
        else:
            self.assertEqual(result.err, "", what)
        self.assertEqual(set(self.entries()) - {"out.wav"}, {"damaged.tplg", "in.wav"}, what)
        return result.status

    def subjects(self):
        yield program.example("playback-and-capture"), 40
        production = program.production_topologies()
        if production:
            yield production[len(production) // 2], 30

    def test_cut_off(self):
        generator = random.Random(1)
        for topology, count in self.subjects():
            with open(topology, "rb") as file:
                whole = file.read()
            for length in {0, 1, 35, 36, len(whole) - 1, *generator.choices(range(len(whole)), k=count)}:
                self.assertEqual(self.assert_survives(whole[:length], f"{topology}, {length}"), 2)

    def test_flipped(self):
        generator = random.Random(2)
        for topology, count in self.subjects():
            with open(topology, "rb") as file:
                whole = file.read()
            for number in range(count):
                data = bytearray(whole)
                for _ in range(1 + number % 3):
                    data[generator.randrange(len(data))] ^= 1 << generator.randrange(8)
                self.assert_survives(data, f"{topology}, number {number}")


class SeveralRunsTest(program.TestCase):
    def test_they_do_not_meet(self):
        count = 4
        outputs = [self.folder / f"out-{i}.wav" for i in range(count)] + [self.folder / "same.wav"] * count
        processes = [subprocess.Popen([program.path(), "run", program.example("passthrough"), "--in",
                                       self.audio, "--out", out], stdout=subprocess.PIPE,
                                      stderr=subprocess.PIPE) for out in outputs]
        for process in processes:
            _, errors = process.communicate(timeout=program.TIMEOUT_SECONDS)
            self.assertEqual((process.returncode, errors), (0, b""))
        for out in outputs:
            self.assertEqual(program.read_wav(out), self.samples)
        self.assertEqual(len(self.entries()), 1 + count + 1)


class StandardStreamsTest(program.TestCase):
    def test_progress_is_shown_on_a_terminal_and_wiped(self):
        terminal, end = pty.openpty()
        with subprocess.Popen([program.path(), "run", "--in", self.audio, "--seconds", "2"],
                              stdout=subprocess.PIPE, stderr=end) as process:
            os.close(end)
            out, _ = process.communicate(timeout=program.TIMEOUT_SECONDS)
        shown = b""
        try:
            while data := os.read(terminal, 4096):
                shown += data
        except OSError:
            pass  # a terminal ends with an error
        os.close(terminal)
        self.assertEqual(process.returncode, 0)
        self.assertRegex(shown, rb"\A(\r\[[#.]{40}\] [ 0-9]{3} %  [0-9.]+ of 2\.000 s)+\r\x1b\[K\Z")
        self.assertNotIn(b"%", out)

    def test_a_stream_that_is_closed_is_no_other_file(self):
        report = self.folder / "report.json"
        for closed in ("<&-", ">&-", "2>&-", "<&- >&- 2>&-"):
            process = subprocess.run(["/bin/sh", "-c", f'"$0" run --in "$1" --json "$2" {closed}',
                                      program.path(), self.audio, report], capture_output=True,
                                     timeout=program.TIMEOUT_SECONDS, check=False)
            # Without standard output the text has nowhere to go.
            fails = ">&-" in closed.replace("2>&-", "")
            self.assertEqual(process.returncode, 2 if fails else 0, closed)
            if fails:
                self.assertFalse(report.exists())
            else:
                self.assertTrue(report.read_bytes().startswith(b"{"), closed)
                report.unlink()


class InterruptionTest(program.TestCase):
    def interrupted(self, number, *arguments):
        """Starts a run of an hour, and sends it the signal when it has begun to write."""
        before = set(self.entries())
        with subprocess.Popen([program.path(), "run", program.example("passthrough"), "--in",
                               self.audio, "--seconds", "3600", *arguments],
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
            while set(self.entries()) == before and process.poll() is None:
                time.sleep(0.001)
            # Handlers are there before the files: no need to wait any longer.
            process.send_signal(number)
            out, errors = process.communicate(timeout=program.TIMEOUT_SECONDS)
        self.assertEqual(process.returncode, -number, errors)
        self.assertEqual((out, errors), (b"", b""))

    def test_nothing_is_left_behind(self):
        out = self.folder / "out.wav"
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            self.interrupted(number, "--out", out)
            self.assertEqual(self.entries(), ["in.wav"])
            self.interrupted(number, "--json", self.folder / "report.json")
            self.assertEqual(self.entries(), ["in.wav"])

    def test_what_was_there_stays(self):
        out = self.folder / "out.wav"
        out.write_text("as it was", encoding="ascii")
        self.interrupted(signal.SIGINT, "--out", out)
        self.assertEqual(out.read_text(encoding="ascii"), "as it was")
        self.assertEqual(self.entries(), ["in.wav", "out.wav"])

    def test_a_signal_that_is_ignored_stays_so(self):
        process = subprocess.run([program.path(), "run", "--in", self.audio],
                                 preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN),
                                 capture_output=True, timeout=program.TIMEOUT_SECONDS, check=False)
        self.assertEqual(process.returncode, 0)


if __name__ == "__main__":
    program.main()
