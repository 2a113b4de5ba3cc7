#!/usr/bin/python3
"""Files of a command line that are each other, that have no end, or that can't be written; and what
is left where a command ends before its time."""

import json
import os
import pathlib
import resource
import signal
import subprocess
import time

from testing import program

TRACES = pathlib.Path(__file__).resolve().parents[1] / "examples" / "traces"


class FilesTestCase(program.TestCase):
    def setUp(self):
        super().setUp()
        self.rows = self.folder / "rows.csv"
        self.rows.write_bytes((TRACES / "mixer.csv").read_bytes())

    def record(self, name="trace"):
        self.run_topology(program.example("passthrough"), "--seconds", "0.01", "--trace", self.folder / name)
        return self.folder / name

    def contents(self):
        return {path: path.read_bytes() for path in self.folder.rglob("*") if path.is_file()}


class SameFileTest(FilesTestCase):
    def assert_nothing_is_written(self, *commands):
        before = self.contents()
        for command, *names in commands:
            self.assert_refused(command, *names)
            self.assertEqual(self.contents(), before, command)

    def test_what_is_read_is_not_written(self):
        rows, trace = self.rows, self.record()
        link, hard = self.folder / "link", self.folder / "hard.csv"
        link.symlink_to("rows.csv")
        hard.hardlink_to(rows)
        budget, table, topology = (self.folder / name for name in ("budget.toml", "table.toml", "a.tplg"))
        budget.write_text("")
        table.write_text("")
        topology.write_bytes(pathlib.Path(program.example("passthrough")).read_bytes())
        for output in (rows, link, hard, f"{self.folder}/../{self.folder.name}/rows.csv"):
            self.assert_nothing_is_written(
                (("report", rows, "-o", output), "--output", output),
                (("compose", rows, "-o", output), "--output", output),
                (("tune", rows, "-o", output), "--output", output),
                (("tune", rows, "--json", output), "--json", output),
                (("replay", rows, "--json", output), "--json", output),
                (("diff", rows, rows, "--json", output), "--json", output),
                (("convert", rows, output), "TO", output))
        self.assert_nothing_is_written(
            (("diff", rows, rows, "--budget", budget, "--json", budget), "--json", "--budget"),
            (("plan", topology, "--json", topology), "--json", "TOPOLOGY"),
            (("plan", topology, "--footprints", table, "--json", table), "--json", "--footprints"),
            (("run", topology, "--in", self.audio, "--json", topology), "--json", "TOPOLOGY"),
            (("run", topology, "--in", self.audio, "--out", topology), "--out", "TOPOLOGY"),
            (("run", topology, "--in", self.audio, "--record-trace", self.audio), "--record-trace", "--in"),
            (("run", topology, "--in", self.audio, "--out", self.audio, "--json", self.audio), "--json", "--out"),
            (("profile", trace, "--all", "--topology", topology, "-o", topology), "--output", "--topology"))

    def test_nothing_is_written_into_a_trace_that_is_read(self):
        trace = self.record()
        for name in ("core-0", "metadata", "new", "topology/run.toml"):
            output = trace / name
            self.assert_nothing_is_written(
                (("convert", trace, output), "TO", "trace"),
                (("report", trace, "-o", output), "--output", "trace"),
                (("replay", trace, "--json", output), "--json", "trace"),
                (("compose", trace, "-o", output), "--output", "trace"),
                (("profile", trace, "--all", "-o", output), "--output", "trace"))

    def test_two_outputs_are_two_files(self):
        one, topology = self.folder / "one", program.example("passthrough")
        (self.folder / "link").symlink_to("one")  # to nothing
        for other in (one, self.folder / "link", f"{self.folder}/./one"):
            self.assert_nothing_is_written(
                (("tune", self.rows, "-o", one, "--json", other), "--json", "--output"),
                (("run", topology, "--out", one, "--json", other), "--json", "--out"),
                (("run", topology, "--json", one, "--record-trace", other), "--record-trace", "--json"),
                (("run", topology, "--out", one, "--trace", other), "--trace", "--out"))
        self.assert_nothing_is_written(
            (("run", topology, "--trace", one, "--json", one / "report.json"), "--json", "--trace"),
            (("run", topology, "--trace", one, "--out", f"{one}/"), "--trace", "--out"))

    def test_pipes_and_devices_may_be_named_twice(self):
        result = program.run("tune", self.rows, "-o", "/dev/null", "--json", "/dev/null")
        self.assertEqual((result.status, result.err), (0, ""))

    def test_a_trace_may_lie_in_the_folder_of_the_audio(self):
        out = self.folder / "out"
        out.mkdir()
        self.run_topology(program.example("passthrough"), "--out", f"{out}/", "--trace", out / "trace",
                          "--record-trace", out / "rows.csv")
        self.assertEqual(len(os.listdir(out)), 3)


class OutputTest(FilesTestCase):
    def test_a_link_to_nothing_is_written_through(self):
        link = self.folder / "link.html"
        link.symlink_to("report.html")
        result = program.run("report", self.rows, "-o", link)
        self.assertEqual((result.status, result.err), (0, ""))
        self.assertTrue(link.is_symlink())
        self.assertIn("<html", (self.folder / "report.html").read_text(encoding="utf-8"))

    def test_a_run_that_can_not_begin_leaves_no_trace(self):
        for arguments in (("--out", self.folder / "no" / "out.wav"), ("--module", self.folder / "none.so"),
                          ("--out", self.folder / "no" / "out.wav", "--cycles", "2")):
            before = self.entries()
            self.assert_refused(["run", program.example("passthrough"), "--in", self.audio, "--trace",
                                 self.folder / "trace", *arguments])
            self.assertEqual(self.entries(), before)

    def test_help_that_goes_nowhere_is_an_error(self):
        for arguments in (("--help",), ("run", "--help")):
            with open("/dev/full", "wb") as full:
                process = subprocess.run([program.path(), *arguments], stdout=full, stderr=subprocess.PIPE,
                                         check=False)
            self.assertEqual(process.returncode, 2)
            self.assertIn(b"standard output", process.stderr)
        self.assertIn("Usage", program.run("run", "--help").out)


class InputTest(FilesTestCase):
    def test_reports_without_an_end(self):
        self.assert_refused(["diff", "/dev/zero", self.rows], "/dev/zero")
        report = self.folder / "report.json"
        with open(report, "wb") as file:
            file.write(b"{")
            file.truncate(2**40)  # takes no room
        self.assert_refused(["diff", self.rows, report], report, "too long for a report")

    def test_rows_may_be_longer_than_a_report(self):
        with open(self.rows, "a", encoding="ascii") as file:
            for _ in range(17):
                file.write("0,rmalloc,1000000,8,0,0," + "x" * 1_000_000 + "\n0,free,1000000,,,,\n")
        result = program.run("diff", self.rows, self.rows)
        self.assertEqual((result.status, result.err), (0, ""))

    def test_what_the_machine_refuses_says_whose_it_was(self):
        if program.has_sanitizer():
            self.skipTest("sanitizers have limits of their own")

        def run(kind, soft, hard, *arguments):
            return self.assert_refused(arguments, preexec_fn=lambda: resource.setrlimit(kind, (soft, hard)))
        with open(self.rows, "w", encoding="ascii") as file:
            file.write("op,id,bytes\n" + "".join(f"rmalloc,{i},64\n" for i in range(400_000)))
        memory = 150 << 20
        self.assertIn("rows.csv: ", run(resource.RLIMIT_AS, memory, memory, "compose", self.rows, "-o",
                                        self.folder / "day.csv"))
        # Stacks of threads are as large as this says, and none is as large as a PiB.
        self.assertIn("core 1: ", run(resource.RLIMIT_STACK, 1 << 50, resource.RLIM_INFINITY, "run",
                                      program.example("desk"), "--in", self.audio))

    def test_profiles_of_what_is_not_there(self):
        self.assert_refused(["profile", self.folder / "missing"], "missing: ", "No such file")
        self.assert_refused(["profile", self.rows], "rows.csv: is no directory")


class InterruptionTest(FilesTestCase):
    def interrupted(self, *arguments, begun):
        """Sends ^C when `begun` says so, and waits for the end."""
        with subprocess.Popen([program.path(), *map(str, arguments)], stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE) as process:
            while not begun() and process.poll() is None:
                time.sleep(0.001)
            process.send_signal(signal.SIGINT)
            _, errors = process.communicate(timeout=program.TIMEOUT_SECONDS)
        self.assertEqual((process.returncode, errors), (-signal.SIGINT, b""))

    def test_a_trace_without_an_end_can_be_interrupted(self):
        """It is read for as long as there are rows: only the signal ends that."""
        for arguments in (("tune", "-"), ("compose", "-", "-o", self.folder / "day.csv"), ("diff", "-", self.rows)):
            before = self.entries()
            with subprocess.Popen([program.path(), *map(str, arguments)], stdin=subprocess.PIPE,
                                  stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, bufsize=0) as process:
                process.stdin.write(b"op,id,bytes\n")
                try:
                    for number in range(3000):  # as good as without an end
                        process.stdin.write(b"rmalloc,1,64\nfree,1,\n" * 1000)
                        if number == 20:  # more than a pipe holds: it reads
                            process.send_signal(signal.SIGINT)
                except BrokenPipeError:
                    pass
                process.kill()  # if it is still there
                self.assertEqual((process.wait(), process.stderr.read()), (-signal.SIGINT, b""), arguments)
            self.assertEqual(self.entries(), before)

    def test_half_a_conversion_is_none(self):
        with open(self.rows, "w", encoding="ascii") as file:
            file.write("op,id,bytes\n" + "rmalloc,1,64\nfree,1,\n" * 1_000_000)
        stream = self.folder / "trace" / "core-0"
        before = self.entries()
        self.interrupted("convert", self.rows, self.folder / "trace",
                         begun=lambda: stream.exists() and stream.stat().st_size != 0)
        self.assertEqual(self.entries(), before)

    def test_the_trace_of_a_run_ends_with_it(self):
        trace = self.folder / "trace"
        self.interrupted("run", program.example("passthrough"), "--in", self.audio, "--seconds", "86400", "--trace",
                         trace, begun=(trace / "core-0").exists)
        result = subprocess.run(["babeltrace2", trace], capture_output=True, text=True, check=False)
        self.assertEqual((result.returncode, result.stderr), (0, ""))
        self.assertIn("shutdown", result.stdout)
        figures = program.run("replay", trace, "--json", "-")
        self.assertEqual((figures.status, figures.err.startswith("modmem:")), (0, False))
        [figures] = json.loads(figures.out)
        self.assertEqual((figures["failures"], figures["recorded"]["lost"]), (0, 0))


if __name__ == "__main__":
    program.main()
