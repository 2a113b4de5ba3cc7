#!/usr/bin/python3
"""`modmem replay` and `modmem compose` from outside: their figures, files and refusals."""

import collections
import csv
import json
import os
import pathlib
import pty
import random
import signal
import subprocess
import time

from testing import program

HEADER = "time_us,op,id,bytes,alignment,flags,caller\n"
OWNERS_HEADER = HEADER.rstrip() + ",owner\n"
FIELDS = ("trace policy allocations frees failures peak_live_bytes peak_mapped_bytes metadata_bytes "
          "mapped_over_live_peak mapped_over_live_mean banks_on_mean banks_lower_bound_mean "
          "min_arena_bytes ns_per_operation").split()
SMALL = HEADER + ("0,rzalloc,0,144,0,272,init<main\n"
                  "5,sof_heap_alloc,1,3000,64,256,new<main\n"
                  "9,rballoc,2,9000,0,0,buffer<main\n"
                  "90,free,1,,,,delete<main\n")
OTHER = HEADER + ("3,rmalloc,1,40,0,0,a\n"
                  "4,free,1,,,,b\n"
                  "7,mod_zalloc,1,500,0,256,c\n")
PAGE = 4096
BANK = 128 * 1024


class TraceTestCase(program.TestCase):
    def write(self, name, text):
        path = self.folder / name
        path.write_text(text, encoding="utf-8")
        return path

    def replay(self, *arguments):
        result = program.run("replay", *arguments, "--json", "-")
        self.assertEqual(result.status, 0, result.err)
        return json.loads(result.out)

    def compose(self, *arguments):
        result = program.run("compose", *arguments, "-o", "-")
        self.assertEqual((result.status, result.err), (0, ""))
        return result.out


class ReplayTest(TraceTestCase):
    def test_figures_of_a_small_trace(self):
        trace = self.write("small.csv", SMALL)
        [figures] = self.replay(trace)
        self.assertEqual(list(figures), FIELDS)
        self.assertEqual(list(figures["ns_per_operation"]), ["p50", "p99", "max"])
        self.assertEqual(figures["trace"], str(trace))
        self.assertEqual(figures["policy"], "elastic")
        self.assertEqual((figures["allocations"], figures["frees"], figures["failures"]), (3, 1, 0))
        self.assertEqual(figures["peak_live_bytes"], 12144)
        self.assertGreaterEqual(figures["peak_mapped_bytes"], 3 * PAGE)
        self.assertEqual(figures["peak_mapped_bytes"] % PAGE, 0)
        self.assertEqual(figures["mapped_over_live_peak"], figures["peak_mapped_bytes"] / 12144)
        # One bank after the last allocation, and nothing when the stream has stopped.
        self.assertEqual(figures["banks_lower_bound_mean"], 0.5)
        self.assertIsNone(figures["min_arena_bytes"])
        self.assertGreater(figures["metadata_bytes"], 0)
        timing = figures["ns_per_operation"]
        self.assertTrue(0 <= timing["p50"] <= timing["p99"] <= timing["max"], timing)

    def test_owners_and_their_release(self):
        trace = self.write("owners.csv", OWNERS_HEADER + (
            f"0,rmalloc,1,{2 * BANK},0,0,a,left\n"
            f"1,rmalloc,2,{BANK + 1},0,0,a,right\n"
            "2,rmalloc,3,100,0,0,a,\n"  # nobody's: the system's, and no stream
            "3,release,,,,,,left\n"
            "4,rmalloc,1,50,0,0,a,left\n"  # ids and names may be used again
            "5,release,,,,,,right\n"
            "6,release,,,,,,left\n"))
        [figures] = self.replay(trace)
        self.assertEqual((figures["allocations"], figures["frees"]), (4, 0))
        self.assertEqual(figures["peak_live_bytes"], 3 * BANK + 101)
        # Starts: 2, 4 and 2 banks at least; stops: 2, 1 and 1.
        self.assertEqual(figures["banks_lower_bound_mean"], (2 + 4 + 2 + 2 + 1 + 1) / 6)

    def test_several_traces_and_policies_in_one_go(self):
        traces = [self.write("a.csv", SMALL), self.write("b.csv", OTHER)]
        result = self.replay(*traces, "--policy", "elastic,single,slots-all")
        self.assertEqual([(one["trace"], one["policy"]) for one in result],
                         [(str(trace), policy) for trace in traces
                          for policy in ("elastic", "single", "slots-all")])
        for one in result:
            self.assertEqual(one["failures"], 0)
        self.assertEqual(len({one["peak_live_bytes"] for one in result[:3]}), 1)

    def test_the_table_is_the_default(self):
        trace = self.write("small.csv", SMALL)
        result = program.run("replay", trace, "--policy", "elastic,slots")
        self.assertEqual((result.status, result.err), (0, ""))
        lines = result.out.splitlines()
        self.assertEqual(lines[0], str(trace))
        self.assertTrue(lines[1].startswith("policy "))
        self.assertEqual([line.split()[0] for line in lines[2:]], ["elastic", "slots"])

    def test_json_goes_to_a_file(self):
        trace = self.write("small.csv", SMALL)
        out = self.folder / "out.json"
        result = program.run("replay", trace, "--json", out)
        self.assertEqual(result.status, 0)
        self.assertIn("elastic", result.out)
        self.assertEqual(program.load_json(out)[0]["allocations"], 3)

    def test_from_standard_input(self):
        process = subprocess.run([program.path(), "replay", "-", "--json", "-"], input=SMALL,
                                 capture_output=True, text=True, check=True,
                                 timeout=program.TIMEOUT_SECONDS)
        self.assertEqual(json.loads(process.stdout)[0]["peak_live_bytes"], 12144)

    def test_on_the_simulator_and_on_other_platforms(self):
        trace = self.write("small.csv", SMALL)
        [plain] = self.replay(trace)
        [simulated] = self.replay(trace, "--simulate")
        for name in ("peak_mapped_bytes", "banks_on_mean", "metadata_bytes"):
            self.assertEqual(plain[name], simulated[name], name)
        self.assertEqual(self.replay(trace, "--platform", "mcu")[0]["failures"], 0)

    def test_failures_are_figures(self):
        trace = self.write("large.csv", HEADER + "0,rmalloc,0,100000000,0,0,a\n1,free,0,,,,a\n")
        [figures] = self.replay(trace)
        self.assertEqual((figures["allocations"], figures["frees"], figures["failures"]), (1, 0, 1))
        self.assertIsNone(figures["mapped_over_live_peak"])

    def test_an_empty_trace(self):
        [figures] = self.replay(self.write("empty.csv", HEADER), "--min-arena")
        self.assertEqual((figures["allocations"], figures["peak_live_bytes"]), (0, 0))
        self.assertIsNone(figures["banks_on_mean"])


class MinArenaTest(TraceTestCase):
    def test_least_memory(self):
        trace = self.write("blocks.csv", HEADER + "".join(
            f"{i},rmalloc,{i},{PAGE},0,0,a\n" for i in range(100)))
        [figures] = self.replay(trace, "--min-arena")
        least = figures["min_arena_bytes"]
        self.assertGreater(least, 100 * PAGE)
        self.assertLess(least, 100 * PAGE + 40000)  # with all metadata
        self.assertLessEqual(least, figures["peak_mapped_bytes"] + figures["metadata_bytes"])

    def test_none_where_a_table_has_too_few_slots(self):
        trace = self.write("slots.csv", HEADER + "".join(
            f"{i},rballoc,{i},60000,0,0,a\n" for i in range(10)))
        elastic, slots = self.replay(trace, "--policy", "elastic,slots", "--min-arena")
        self.assertGreater(elastic["min_arena_bytes"], 600000)
        self.assertGreater(slots["failures"], 0)
        self.assertIsNone(slots["min_arena_bytes"])

    def test_more_than_the_platform_has(self):
        trace = self.write("large.csv", HEADER + "0,rmalloc,0,3000000,0,0,a\n")
        [figures] = self.replay(trace, "--min-arena")
        self.assertEqual(figures["failures"], 1)
        self.assertGreater(figures["min_arena_bytes"], 3000000)

    def test_a_pipe_can_not_be_read_twice_where_that_is_needed(self):
        # A short trace is kept, so a pipe will do.
        process = subprocess.run([program.path(), "replay", "-", "--min-arena", "--json", "-"],
                                 input=SMALL, capture_output=True, text=True, check=True,
                                 timeout=program.TIMEOUT_SECONDS)
        self.assertGreater(json.loads(process.stdout)[0]["min_arena_bytes"], 12144)


class ComposeTest(TraceTestCase):
    def streams(self):
        return self.write("one.csv", SMALL), self.write("two.csv", OTHER)

    def test_days_hold_together(self):
        for load, events, streams in (("day", 300, 3), ("busy", 301, 8), ("busy", 50, 1)):
            text = self.compose(*self.streams(), "--streams", streams, "--events", events,
                                "--seed", 5, "--load", load)
            live, blocks, seen, last = {}, {}, set(), 0
            starts = stops = 0
            for row in csv.DictReader(text.splitlines()):
                owner = row["owner"]
                self.assertGreaterEqual(int(row["time_us"]), last)
                last = int(row["time_us"])
                if row["op"] == "release":
                    self.assertEqual(live.pop(owner), 0, "all is freed before")
                    stops += 1
                elif row["op"] == "free":
                    self.assertEqual(blocks.pop(row["id"]), owner)
                    live[owner] -= 1
                else:
                    if owner not in live:
                        self.assertNotIn(owner, seen)
                        seen.add(owner)
                        live[owner] = 0
                        starts += 1
                    self.assertNotIn(row["id"], blocks)
                    blocks[row["id"]] = owner
                    live[owner] += 1
                self.assertLessEqual(len(live), streams)
            self.assertEqual(starts + stops, events)

    def test_the_seed_decides(self):
        streams = self.streams()
        one = self.compose(*streams, "--events", 100, "--seed", 1)
        self.assertEqual(one, self.compose(*streams, "--events", 100, "--seed", 1))
        self.assertNotEqual(one, self.compose(*streams, "--events", 100, "--seed", 2))
        self.assertNotEqual(one, self.compose(*streams, "--events", 100, "--seed", 1, "--load", "busy"))

    def test_what_is_composed_can_be_replayed(self):
        day = self.folder / "day.csv"
        result = program.run("compose", *self.streams(), "--streams", 4, "--events", 500, "--seed", 3,
                             "--load", "busy", "-o", day)
        self.assertEqual(result, (0, "", ""))
        for figures in self.replay(day, "--policy", "elastic,module-heaps,single,slots,slots-all",
                                   "--min-arena"):
            self.assertEqual(figures["failures"], 0)
            self.assertGreater(figures["min_arena_bytes"], figures["peak_live_bytes"])
            self.assertGreaterEqual(figures["banks_on_mean"], figures["banks_lower_bound_mean"])
            self.assertEqual(figures["allocations"] - figures["frees"], sum(
                1 for row in csv.DictReader(day.read_text().splitlines())
                if row["op"] not in ("free", "release")) - sum(
                    1 for row in csv.DictReader(day.read_text().splitlines()) if row["op"] == "free"))

    def test_a_whole_day(self):
        """8 streams, 20,000 starts and stops: all of it is served, by every row's count."""
        traces = sorted((pathlib.Path(__file__).resolve().parents[1] / "examples/traces").glob("*.csv"))
        day = self.folder / "day.csv"
        self.assertEqual(program.run("compose", *traces, "--streams", 8, "--events", 20_000, "--seed", 1,
                                     "-o", day), (0, "", ""))
        rows, first, last = collections.Counter(), set(), set()
        with open(day, encoding="utf-8") as file:
            for row in csv.reader(file):
                kind = "free" if row[1].endswith("free") else row[1]
                rows[kind if kind in ("op", "free", "release") else "allocate"] += 1
                first.add(row[7])
                if row[1] == "release":
                    last.add(row[7])
        starts = len(first) - 1  # without the header's
        self.assertEqual(starts + len(last), 20_000)
        [figures] = self.replay(day, "--no-payload")
        self.assertEqual((figures["allocations"], figures["frees"], figures["failures"]),
                         (rows["allocate"], rows["free"], 0))
        self.assertGreaterEqual(figures["peak_mapped_bytes"], figures["peak_live_bytes"])
        self.assertLessEqual(figures["banks_lower_bound_mean"], figures["banks_on_mean"])

    def test_production_recordings(self):
        shared = pathlib.Path(os.environ.get(
            "MODMEM_SHARED", pathlib.Path(__file__).resolve().parents[2] / "shared"))
        traces = sorted((shared / "traces").glob("*.csv"))
        if not traces:
            self.skipTest("no recorded traces: set MODMEM_SHARED")
        for figures in self.replay(*traces):
            rows = list(csv.DictReader(pathlib.Path(figures["trace"]).read_text().splitlines()))
            sizes, live, peak = {}, 0, 0
            for row in rows:
                if row["op"] == "free":
                    live -= sizes.pop(row["id"])
                else:
                    sizes[row["id"]] = int(row["bytes"])
                    live += sizes[row["id"]]
                    peak = max(peak, live)
            frees = sum(row["op"] == "free" for row in rows)
            self.assertEqual((figures["allocations"], figures["frees"], figures["failures"],
                              figures["peak_live_bytes"]), (len(rows) - frees, frees, 0, peak))
        day = self.folder / "day.csv"
        self.assertEqual(program.run("compose", *traces, "--streams", 8, "--events", 400, "--seed", 1,
                                     "-o", day), (0, "", ""))
        [figures] = self.replay(day, "--min-arena")
        self.assertEqual(figures["failures"], 0)


class RecordTest(TraceTestCase):
    def test_what_is_recorded_can_be_replayed(self):
        trace = self.folder / "trace.csv"
        report = self.run_topology(program.example("playback-mixer"), "--record-trace", trace)
        rows = list(csv.DictReader(trace.read_text().splitlines()))
        allocations = sum(row["op"] == "sof_heap_alloc" for row in rows)
        self.assertEqual(allocations, sum(row["op"] == "sof_heap_free" for row in rows))
        self.assertGreaterEqual(allocations, sum(module["allocations"] for module in report["modules"]))
        [figures] = self.replay(trace)
        self.assertEqual((figures["allocations"], figures["frees"]), (allocations, allocations))
        self.assertGreaterEqual(figures["peak_live_bytes"], max(
            pipeline["peak_live_bytes"] for pipeline in report["pipelines"]))

    def test_it_needs_a_file(self):
        self.assert_refused(("run", program.example("passthrough"), "--in", self.audio,
                             "--record-trace", "-"), "--record-trace")

    def test_our_recordings(self):
        traces = sorted((pathlib.Path(__file__).resolve().parents[1] / "examples/traces").glob("*.csv"))
        self.assertGreaterEqual(len(traces), 10)
        for figures in self.replay(*traces):
            self.assertEqual(figures["failures"], 0, figures["trace"])
            self.assertEqual(figures["allocations"], figures["frees"], figures["trace"])
        day = self.folder / "day.csv"
        self.assertEqual(program.run("compose", *traces, "--streams", 6, "--events", 300, "-o", day),
                         (0, "", ""))
        [figures] = self.replay(day, "--min-arena")
        self.assertEqual(figures["failures"], 0)


class RefusalTest(TraceTestCase):
    def test_damaged_rows_are_named(self):
        for row, reason in (
                ("1,rmalloc,1,abc,0,0,a", "bytes \"abc\" is not a whole number"),
                ("1,rmalloc,1,-5,0,0,a", "bytes \"-5\""),
                ("1,rmalloc,1,0,0,0,a", "bytes \"0\" is not from 1 to 4294967295"),
                ("1,rmalloc,1,99999999999999999999999,0,0,a", "bytes \"99999999999999999999999\""),
                ("1,rmalloc,1,10,3,0,a", "alignment 3 is no power of two"),
                ("1,rmalloc,,10,0,0,a", "id is missing"),
                ("1,rmalloc,x,10,0,0,a", "id \"x\""),
                ("1,rmalloc,1,10,0,z,a", "flags \"z\""),
                ("?,rmalloc,1,10,0,0,a", "time_us \"?\""),
                ("1,,1,10,0,0,a", "op is missing"),
                ("1,rmalloc,1,10,0,0", "6 fields, the header 7"),
                ("1,rmalloc,1,10,0,0,a,b", "8 fields, the header 7"),
                ("1,free,99,,,,a", "id 99 is freed, and does not live"),
                ("1,free,,,,,a", "id is missing"),
                ("1,rmalloc,7,10,0,0,a", "id 7 is allocated, and lives already"),
                ("1,rmalloc,1,10,0,0,\"a", "quote"),
                ("1,rmalloc,1,10,0,0,a\"b", "quote")):
            trace = self.write("bad.csv", HEADER + "0,rmalloc,7,10,0,0,a\n" + row + "\n")
            # What stands before it is used.
            for arguments, expected in ((("replay", trace), r"\nelastic +1 "),
                                        (("compose", trace, "--events", 2, "-o", "-"),
                                         r"\A[^\n]+\n0,rmalloc,0,10,[^\n]+,1\n\d+,free,0,[^\n]+,1\n\d+,release,[^\n]+,1\n\Z")):
                result = program.run(*arguments)
                self.assertEqual(result.status, 2)
                self.assertRegex(result.out, expected)
                self.assertRegex(result.err, r"\Amodmem: [^\n]{8,}\n\Z")
                self.assertIn(f"{trace}:3: ", result.err)
                self.assertIn(reason, result.err)

    def program_refuses(self, command, *names):
        self.assert_refused(command, *names)
        self.assertNotIn("day.csv", self.entries())

    def test_bad_headers(self):
        for text, reason in (("", "empty"), ("\n\n", "empty"), ("a,b\n", "column op is missing"),
                             ("op,id\n", "column bytes is missing"),
                             ("op,id,bytes,id\n", "column id is there twice")):
            self.program_refuses(("replay", self.write("bad.csv", text)), "bad.csv", reason)

    def test_release_of_strangers(self):
        trace = self.write("bad.csv", OWNERS_HEADER + "0,release,,,,,,x\n")
        self.program_refuses(("replay", trace), "bad.csv:2", "owner x")

    def test_files_that_are_none(self):
        for path in (self.folder / "none.csv", self.folder):
            self.program_refuses(("replay", path), path)
            self.program_refuses(("compose", path, "-o", self.folder / "day.csv"), path)
        self.program_refuses(("compose", self.write("empty.csv", HEADER), "-o",
                              self.folder / "day.csv"), "empty.csv", "nothing is allocated")
        self.program_refuses(("compose", self.write("s.csv", SMALL), "-o", self.folder / "no/day.csv"),
                             "no/day.csv")

    def test_arguments(self):
        trace = self.write("s.csv", SMALL)
        for arguments, *names in (
                (("replay",), "TRACE"), (("replay", ""), "TRACE"),
                (("replay", trace, "--policy", "best"), "best", "elastic"),
                (("replay", trace, "--policy", "elastic,"), "policy"),
                (("replay", trace, "--platform", "moon"), "moon", "mtl"),
                (("replay", trace, "--platform", "mcu", "--policy", "slots"), "mcu", "slots"),
                (("replay", trace, "--json", ""), "--json"),
                (("compose", trace), "--output"),
                (("compose", "-o", "x"), "TRACE"),
                (("compose", trace, "-o", "-", "--streams", "0"), "--streams 0"),
                (("compose", trace, "-o", "-", "--events", "x"), "--events x"),
                (("compose", trace, "-o", "-", "--seed", "-1"), "--seed"),
                (("compose", trace, "-o", "-", "--load", "night"), "--load night")):
            self.assert_refused(arguments, *names)

    def test_damaged_files_never_crash(self):
        generator = random.Random(4)
        alphabet = b'0123456789,,,,""\r\n\0\xffaflrmcose-'
        for _ in range(60):
            data = bytearray(SMALL.encode())
            for _ in range(generator.randrange(1, 8)):
                at = generator.randrange(len(data))
                data[at:at + generator.randrange(4)] = bytes(generator.choices(alphabet, k=2))
            path = self.folder / "damaged.csv"
            path.write_bytes(data)
            result = program.run("replay", path, "--json", "-")
            self.assertIn(result.status, (0, 2), data)
            if result.status == 2:
                self.assertRegex(result.err, r"(\A|\n)modmem: [^\n]{8,}\n\Z", data)


class LongRunTest(TraceTestCase):
    def start(self, *arguments, **options):
        return subprocess.Popen([program.path(), *map(str, arguments)], stdout=subprocess.DEVNULL,
                                **options)

    def test_an_interrupted_day_leaves_no_file(self):
        trace = self.write("s.csv", SMALL)
        before = set(self.entries())
        with self.start("compose", trace, "--events", 10 ** 9, "-o", self.folder / "day.csv",
                        stderr=subprocess.PIPE) as process:
            while set(self.entries()) == before and process.poll() is None:
                time.sleep(0.001)
            process.send_signal(signal.SIGINT)
            _, errors = process.communicate(timeout=program.TIMEOUT_SECONDS)
        self.assertEqual((process.returncode, errors), (-signal.SIGINT, b""))
        self.assertEqual(set(self.entries()), before)

    def test_the_time_left_is_shown_on_a_terminal(self):
        trace = self.write("s.csv", SMALL)
        terminal, end = pty.openpty()
        with self.start("compose", trace, "--events", 10 ** 9, "-o", self.folder / "day.csv",
                        stderr=end) as process:
            os.close(end)
            shown = b""
            while b" left" not in shown:
                shown += os.read(terminal, 4096)
            process.send_signal(signal.SIGINT)
            process.wait(timeout=program.TIMEOUT_SECONDS)
        os.close(terminal)
        self.assertRegex(shown, rb"compose \[[#.]{40}\] +[0-9]+ %.*[0-9]+:[0-9]{2}:[0-9]{2} left")


if __name__ == "__main__":
    program.main()
