"""`modmem run --trace`: what happened to memory, as a trace that babeltrace2 reads."""

import csv
import json
import pathlib
import random
import re
import shutil
import struct
import subprocess

from testing import program

SCRIPTS = pathlib.Path(__file__).resolve().parents[1] / "examples" / "scripts"
TRACES = SCRIPTS.parent / "traces"

EVENT = re.compile(r"\[(\d+):(\d+):(\d+)\.(\d{6})\d*\] \(\S+\) "
                   r"(\w+): \{ cpu_id = (\d+), .*?\}, \{ (.*) \}$")
FIELD = re.compile(r'(\w+) = (\([^)]*\)|"[^"]*"|[^,]+)')


def fields(text):
    return {name: value.strip('"') for name, value in FIELD.findall(text)}


class TraceTest(program.TestCase):
    def trace(self, topology, *arguments, statuses=(0,)):
        """The events of a run, as babeltrace2 prints them without a warning, and its report."""
        directory = self.folder / "trace"
        report = self.run_topology(topology, "--trace", directory, *arguments, statuses=statuses)
        result = subprocess.run(["babeltrace2", directory], capture_output=True, text=True, check=False)
        self.assertEqual(result.stderr, "")
        self.assertEqual(result.returncode, 0)
        events = []
        for line in result.stdout.splitlines():
            match = EVENT.match(line)
            self.assertTrue(match, line)
            hours, minutes, seconds, micros, name, core, rest = match.groups()
            time_us = ((int(hours) * 60 + int(minutes)) * 60 + int(seconds)) * 10**6 + int(micros)
            events.append((time_us, name, int(core), fields(rest)))
        self.assertEqual(report["trace"],
                         {"events": sum(event[1] != "anchor" for event in events), "lost": 0})
        return events, report

    def names(self, events):
        return [event[1] for event in events]

    def test_a_run_from_its_first_owner_to_its_shutdown(self):
        events, report = self.trace(program.example("playback-and-capture"), "--seconds", "0.05")
        names = self.names(events)
        self.assertEqual(names[:3], ["anchor", "owner_name", "owner_begin"])
        self.assertEqual(events[1][3]["name"], "system")
        self.assertIn("shutdown", " ".join(event[3].get("what", "") for event in events))
        self.assertEqual(names.count("period"), 50)
        self.assertEqual(names.count("allocate"), names.count("free"))
        self.assertEqual(names.count("map"), names.count("unmap"))
        self.assertEqual([event[0] for event in events if event[1] == "period"],
                         [1000 * (i + 1) for i in range(50)])
        running = [event for event in events if event[1] == "pipeline" and event[3]["state"] == "3"]
        self.assertEqual(len(running), len(report["pipelines"]))

    def test_pipelines_come_and_go_a_state_at_a_time(self):
        events, report = self.trace(program.example("playback-and-capture"), "--seconds", "0.01")
        for pipeline in report["pipelines"]:
            states = [event["state"] for _, name, _, event in events
                      if name == "pipeline" and int(event["pipeline"]) == int(pipeline["id"], 16)]
            self.assertEqual(states, ["1", "2", "3", "0"])
        # Modules are made before they are prepared.
        names = [(name, event) for _, name, _, event in events if name in ("owner_begin", "pipeline")]
        first = next(i for i, (name, _) in enumerate(names) if name == "pipeline")
        self.assertTrue(all(name == "pipeline" for name, _ in names[first:]))

    def test_the_topology_is_kept_beside_the_trace(self):
        topology = program.example("playback-and-capture")
        self.trace(topology, "--seconds", "0.01")
        kept = self.folder / "trace" / "topology"
        self.assertEqual((kept / "running.tplg").read_bytes(), pathlib.Path(topology).read_bytes())
        self.assertIn('format = "48000:2:s16"', (kept / "run.toml").read_text())

    def test_blocks_explain_themselves(self):
        events, _ = self.trace(program.example("playback-and-capture"), "--seconds", "0.01")
        owners, sites, live = {}, {}, {}
        for _, name, _, event in events:
            if name == "owner_name":
                owners[event["owner"]] = event["name"]
            elif name == "site_name":
                sites[event["site"]] = event["name"]
            elif name == "allocate":
                self.assertIn(event["owner"], owners)
                self.assertIn(event["site"], sites)
                self.assertNotIn(event["place"], live)
                live[event["place"]] = event["bytes"]
            elif name == "free":
                self.assertEqual(live.pop(event["place"]), event["bytes"])
        self.assertEqual(live, {})
        self.assertTrue(any(site.endswith("stream_buffer.cpp") for site in sites.values()), sites)

    def test_every_core_has_a_stream(self):
        events, _ = self.trace(program.example("desk"), "--script", SCRIPTS / "call.script")
        self.assertGreater(len({event[2] for event in events}), 1)
        # Anchors say where each core's events belong: together they count all of them.
        counts, number = {}, {}
        for _, name, core, event in events:
            if name == "anchor":
                number[core] = int(event["first"])
            else:
                counts[number[core]] = counts.get(number[core], 0) + 1
                number[core] += 1
        self.assertEqual(sorted(counts), list(range(len(counts))))
        self.assertEqual(set(counts.values()), {1})

    def test_header_says_what_it_was_recorded_on(self):
        self.trace(program.example("passthrough"), "--seconds", "0.01", "--platform", "tgl",
                   "--policy", "single")
        metadata = (self.folder / "trace" / "metadata").read_text()
        for line in ('platform = "tgl";', 'policy = "single";', "retained_pages = ", "bank_hold_us = "):
            self.assertIn(line, metadata)

    def test_a_directory_that_cannot_be(self):
        for directory, reason in ((self.folder / "no" / "such", "No such file or directory"),
                                  (self.folder, "is not empty")):
            (self.folder / "something").touch()
            result = program.run("run", program.example("passthrough"), "--trace", directory,
                                 "--in", self.audio)
            self.assertEqual(result.status, 2)
            self.assertIn(reason, result.err)


class ReplayTest(program.TestCase):
    """Recorded runs, made again and turned into rows."""

    def record(self, topology, *arguments, statuses=(0,)):
        directory = self.folder / "trace"
        report = self.run_topology(topology, "--trace", directory, *arguments, statuses=statuses)
        return directory, report

    def replay(self, *arguments, status=0):
        figures = self.folder / "figures.json"
        result = program.run("replay", *arguments, "--json", figures)
        self.assertEqual(result.status, status, result.err)
        return json.loads(figures.read_text()), result.err

    def assert_same(self, report, figures):
        self.assertEqual((figures["recorded"]["lost"], figures["recorded"]["differs"]), (0, 0))
        self.assertEqual(figures["peak_mapped_bytes"], report["pool"]["peak_mapped_bytes"])
        self.assertEqual(figures["failures"], sum(heap["failures"] for heap in report["heaps"]))

    def test_a_replay_has_the_figures_of_the_run(self):
        for policy in ("elastic", "module-heaps", "single", "slots"):
            for topology in ("playback-and-capture", "desk"):
                with self.subTest(policy=policy, topology=topology):
                    directory, report = self.record(program.example(topology), "--seconds", "0.02",
                                                    "--policy", policy)
                    figures = self.replay(directory)[0]
                    self.assertEqual(figures[0]["policy"], policy)
                    self.assert_same(report, figures[0])
                    shutil.rmtree(directory)

    def test_so_has_that_of_streams_that_come_and_go_on_several_cores(self):
        directory, report = self.record(program.example("desk"), "--script", SCRIPTS / "call.script")
        self.assert_same(report, self.replay(directory)[0][0])

    def test_so_has_that_of_a_run_that_fails(self):
        directory, report = self.record(program.example("desk"), "--script", SCRIPTS / "call.script",
                                        "--policy", "slots-all", statuses=(1,))
        figures = self.replay(directory)[0][0]
        self.assertGreater(figures["failures"], 0)
        self.assert_same(report, figures)

    def test_another_policy_or_platform_is_a_question(self):
        directory, _ = self.record(program.example("playback-and-capture"), "--seconds", "0.01")
        figures = self.replay(directory, "--policy", "elastic,single")[0]
        self.assertEqual([figure["policy"] for figure in figures], ["elastic", "single"])
        self.assertEqual(figures[0]["recorded"]["differs"], 0)
        self.assertGreater(figures[1]["recorded"]["differs"], 0)
        self.assertEqual(figures[0]["peak_live_bytes"], figures[1]["peak_live_bytes"])
        self.replay(directory, "--platform", "tgl")

    def test_rows_of_a_recording_are_its_blocks(self):
        directory, _ = self.record(program.example("playback-and-capture"), "--seconds", "0.01")
        rows = self.folder / "rows.csv"
        self.assertEqual(program.run("convert", directory, rows).status, 0)
        recorded, converted = (self.replay(path)[0][0] for path in (directory, rows))
        for figure in ("allocations", "failures", "peak_live_bytes"):
            self.assertEqual(recorded[figure], converted[figure])
        with open(rows, newline="", encoding="utf-8") as file:
            owners = {row["owner"].split("/")[0] for row in csv.DictReader(file)}
        self.assertIn("pipeline.1", owners)

    def test_rows_before_one_that_does_not_hold_become_a_trace(self):
        good = "time_us,op,id,bytes,alignment,flags,caller\n" + "".join(
            f"{i},alloc,{i},{100 + i},8,0,a.c:1\n" for i in range(20))
        rows, directory = self.folder / "rows.csv", self.folder / "converted"
        rows.write_text(good + "20,alloc,20,many,8,0,a.c:1\n", encoding="utf-8")
        result = program.run("convert", rows, directory)
        self.assertEqual(result.status, 2)
        self.assertIn(f"{rows}:22: ", result.err)
        self.assertEqual(self.replay(directory)[0][0]["allocations"], 20)

    def test_rows_do_not_become_a_trace_on_standard_output(self):
        result = program.run("convert", TRACES / "capture.csv", "-", cwd=self.folder)
        self.assertEqual(result.status, 2)
        self.assertEqual(result.err.count("\n"), 1)
        self.assertFalse((self.folder / "-").exists())

    def test_rows_become_a_trace_and_rows_again(self):
        for trace in sorted(TRACES.glob("*.csv")):
            with self.subTest(trace=trace.name):
                directory, rows = self.folder / "converted", self.folder / "rows.csv"
                self.assertEqual(program.run("convert", trace, directory).status, 0)
                result = subprocess.run(["babeltrace2", directory], capture_output=True, text=True,
                                        check=False)
                self.assertEqual((result.returncode, result.stderr), (0, ""))
                self.assertEqual(program.run("convert", directory, rows).status, 0)
                every = [self.replay(path, "--policy", "elastic,slots")[0]
                         for path in (trace, directory, rows)]
                for figures in every:
                    for figure in figures:
                        del figure["trace"], figure["ns_per_operation"]
                self.assertEqual(every[0], every[1])
                self.assertEqual(every[0], every[2])
                shutil.rmtree(directory)

    def test_days_are_composed_of_recordings(self):
        directory, _ = self.record(program.example("passthrough"), "--seconds", "0.01")
        day = self.folder / "day.csv"
        self.assertEqual(program.run("compose", directory, "--events", "50", "-o", day).status, 0)
        self.assertGreater(self.replay(day)[0][0]["allocations"], 0)

    def test_of_a_trace_that_is_cut_off_the_rest_is_used(self):
        directory, _ = self.record(program.example("playback-and-capture"), "--seconds", "0.01")
        whole = (directory / "core-0").read_bytes()
        (directory / "core-0").write_bytes(whole[:5001])
        figures, err = self.replay(directory, status=2)
        self.assertGreater(figures[0]["allocations"], 10)
        self.assertEqual(figures[0]["recorded"]["differs"], 0)
        self.assertRegex(err, r"core-0: at byte 4\d\d\d: the packet is cut off here\n$")
        for command in (("convert", directory, self.folder / "rows.csv"),
                        ("compose", directory, "--events", "10", "-o", self.folder / "day.csv")):
            result = program.run(*command)
            self.assertEqual(result.status, 2)
            self.assertIn("cut off here", result.err)
        self.assertGreater((self.folder / "rows.csv").stat().st_size, 1000)

    def test_events_that_are_missing_are_counted(self):
        directory, report = self.record(program.example("desk"), "--seconds", "0.005", "--cycles",
                                        "20")
        stream = directory / "core-0"
        whole = stream.read_bytes()
        sizes = []  # of packets
        while sum(sizes) < len(whole):
            sizes.append(struct.unpack_from("<Q", whole, sum(sizes) + 48)[0] // 8)
        self.assertGreater(len(sizes), 3)
        stream.write_bytes(whole[:sizes[0]] + whole[sizes[0] + sizes[1]:])
        figures = self.folder / "figures.json"
        result = program.run("replay", directory, "--json", figures)
        self.assertEqual((result.status, result.err), (0, ""))
        lost = json.loads(figures.read_text())[0]["recorded"]["lost"]
        self.assertIn(f"  {lost} events are missing in this trace\n", result.out)
        left = subprocess.run(["babeltrace2", directory], capture_output=True, text=True, check=False)
        anchors = left.stdout.count(" anchor: ")
        self.assertEqual(left.stdout.count("\n") - anchors + lost, report["trace"]["events"])
        result = program.run("report", directory, "-o", self.folder / "report.html")
        self.assertIn(f"{lost} events are missing", result.err)

    def test_damaged_traces_never_crash(self):
        directory, _ = self.record(program.example("playback-and-capture"), "--seconds", "0.01")
        whole = (directory / "core-0").read_bytes()
        generator = random.Random(7)
        for _ in range(40):
            data = bytearray(whole)
            for _ in range(generator.choice((1, 2, 20))):
                data[generator.randrange(len(data))] = generator.randrange(256)
            (directory / "core-0").write_bytes(data[:generator.randrange(1, 2 * len(data))])
            for command in (("replay", directory), ("convert", directory, self.folder / "rows.csv")):
                result = program.run(*command)
                self.assertIn(result.status, (0, 2))
                if result.status == 2:
                    self.assertRegex(result.err, r"\A(modmem: [^\n]{8,}\n)+\Z")

    def test_nor_do_events_that_say_what_can_not_be(self):
        generator = random.Random(8)
        for policy in ("elastic", "slots"):
            directory, _ = self.record(program.example("desk"), "--seconds", "0.005", "--policy",
                                       policy)
            streams = {path: path.read_bytes() for path in sorted(directory.glob("core-*"))}
            for _ in range(25):
                stream = generator.choice(sorted(streams))
                data = bytearray(streams[stream])
                for _ in range(generator.choice((1, 5, 40))):
                    # Kinds and times lie in the first bytes of a slot: those stay.
                    at = generator.randrange(80, len(data) - 16) // 16 * 16
                    data[at + generator.randrange(4, 16)] = generator.choice((0, 1, 255))
                stream.write_bytes(data)
                for command in (("replay", directory, "--policy", "elastic,slots"),
                                ("diff", directory, directory)):
                    self.assertIn(program.run(*command).status, (0, 2))
                stream.write_bytes(streams[stream])
            shutil.rmtree(directory)

    def test_what_is_no_trace_is_refused(self):
        directory, _ = self.record(program.example("passthrough"), "--seconds", "0.01")
        (directory / "core-0").write_bytes(b"")
        result = program.run("replay", directory)
        self.assertEqual((result.status, result.err.count("\n")), (2, 1))
        self.assertIn("has no events", result.err)
        (directory / "metadata").unlink()
        result = program.run("replay", directory)
        self.assertEqual(result.status, 2)
        self.assertIn("it has no file metadata", result.err)


if __name__ == "__main__":
    if shutil.which("babeltrace2") is None:
        print("SKIPPED: there is no babeltrace2 here")
        raise SystemExit(program.SKIPPED)
    program.main()
