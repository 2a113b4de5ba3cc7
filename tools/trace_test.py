"""`modmem run --trace`: what happened to memory, as a trace that babeltrace2 reads."""

import pathlib
import re
import shutil
import subprocess

from testing import program

SCRIPTS = pathlib.Path(__file__).resolve().parents[1] / "examples" / "scripts"

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


if __name__ == "__main__":
    if shutil.which("babeltrace2") is None:
        print("SKIPPED: there is no babeltrace2 here")
        raise SystemExit(program.SKIPPED)
    program.main()
