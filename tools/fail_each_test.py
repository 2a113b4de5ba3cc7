#!/usr/bin/python3
"""modmem run --fail-each: every failure that a run may meet, and modules that do not expect them."""

import os
import pathlib
import signal
import subprocess
import time

from testing import program

WIDGET = "echo.1.1"
# Small enough for builds that check everything after every call.
EXAMPLES = ("capture", "echo", "opus", "passthrough", "playback-and-capture", "playback-mixer")


class FailEachTest(program.TestCase):
    def sweep(self, topology, *arguments, status=0, **options):
        """The report as data, and as text."""
        report = self.folder / "sweep.json"
        result = program.run("run", topology, "--in", self.audio, "--fail-each", "--json", report, *arguments,
                             **options)
        self.assertEqual(result.status, status, result)
        data = program.load_json(report)
        self.assertEqual(data["failed"], status == 1)
        if data["plays"]:
            self.assertEqual(len(data["plays"]), sum(data["counts"].values()))
            self.assertIn("Failed, each once: {allocations} allocation".format(**data["counts"]), result.out)
        return data, result.out

    def sweep_careless(self, fault, status=1, options=()):
        return self.sweep(program.example("echo"), "--module", program.test_module("careless"), *options,
                          status=status, env=os.environ | {"CARELESS": fault})

    def assert_found(self, fault, kind, *words):
        """The one problem of the plays in which the module's last allocation fails."""
        data, text = self.sweep_careless(fault)
        wrong = [play for play in data["plays"] if play["problems"]]
        for play in wrong:
            self.assertEqual(play["kind"], "allocation")
            self.assertRegex(play["site"], r"\Alibcareless\.so\+0x[0-9a-f]+\Z")
            self.assertEqual(play["bytes"], 64)
            self.assertEqual(play["owner"], WIDGET)
            self.assertEqual([problem["kind"] for problem in play["problems"]], [kind], play)
            problem = play["problems"][0]
            for word in words:
                self.assertIn(word, problem["text"])
            self.assertIn(problem["text"], text)
            self.assertIn(problem["to_do"], text)
        # A set-up in each of two cycles.
        self.assertEqual(len(wrong), 2, text)
        self.assertIn("and 1 other time" if kind != "processing" else "20 times", text)
        # What comes after a problem is swept all the same.
        self.assertEqual(data["plays"][-1]["kind"], "power-up")
        self.assertTrue(all(play["ended"] for play in data["plays"]))
        return wrong, text


class GoodTest(FailEachTest):
    def test_examples(self):
        total = 0
        for name in EXAMPLES:
            data, text = self.sweep(program.example(name))
            self.assertEqual([play for play in data["plays"] if play["problems"]], [], name)
            self.assertIn("Problems: none", text)
            # Both set-ups are swept; each has several modules, pages, and the first bank.
            self.assertGreater(data["counts"]["allocations"], 20, name)
            self.assertGreater(data["counts"]["mappings"], 0, name)
            self.assertGreater(data["counts"]["power_ups"], 0, name)
            ends = {play["ended"].split(":")[0] for play in data["plays"]}
            self.assertIn("out of memory", ends, name)
            self.assertLessEqual(ends, {"out of memory", "coped"}, name)
            total += len(data["plays"])
        print(f"{total} failures injected")

    def test_modules_in_domains(self):
        for name in EXAMPLES:
            data, text = self.sweep(program.example(name), "--isolate")
            self.assertEqual([play for play in data["plays"] if play["problems"]], [], name)
            self.assertIn("Problems: none", text)

    def test_every_policy(self):
        for policy in ("elastic", "module-heaps", "single", "slots", "slots-modules", "slots-all"):
            self.sweep(program.example("playback-mixer"), "--policy", policy, "--seconds", "0.003")

    def test_production_topologies(self):
        topologies = program.production_topologies()
        if not topologies:
            self.skipTest("no production topologies")
        total = 0
        for topology in topologies:
            with self.subTest(topology=pathlib.Path(topology).name):
                data, _ = self.sweep(topology, "--seconds", "0.002", "--cycles", "1")
                total += len(data["plays"])
        print(f"{total} failures injected")

    def test_each_allocation_fails_once(self):
        data, _ = self.sweep(program.example("passthrough"))
        for kind, count in (("allocation", "allocations"), ("mapping", "mappings"), ("power-up", "power_ups")):
            numbers = [play["number"] for play in data["plays"] if play["kind"] == kind]
            self.assertEqual(numbers, list(range(1, data["counts"][count] + 1)))
        for play in data["plays"]:
            if play["kind"] == "allocation":
                self.assertRegex(play["site"], r"\.[ch]pp:\d+\Z")
                self.assertNotEqual(play["owner"], "")

    def test_loaded_modules(self):
        data, _ = self.sweep(program.example("echo"), "--module", program.module("echo"))
        sites = {play["site"] for play in data["plays"]}
        self.assertTrue(any(site.startswith("libecho.so+0x") for site in sites), sites)
        data, _ = self.sweep_careless("", status=0)
        self.assertEqual({play["ended"] for play in data["plays"] if play["site"].startswith("libcareless")},
                         {f"out of memory: creating {WIDGET}"})

    def test_script(self):
        script = self.folder / "two.script"
        script.write_text("start Speaker playback\nwait 3\nstop Speaker playback\n", encoding="utf-8")
        data, _ = self.sweep(program.example("passthrough"), "--script", script)
        self.assertGreater(data["counts"]["allocations"], 10)


class BadTest(FailEachTest):
    def test_leak(self):
        wrong, _ = self.assert_found("leaks", "leak", "left 1 block behind (256 B)", "libcareless.so+0x")
        self.assertEqual({play["ended"] for play in wrong}, {f"out of memory: creating {WIDGET}"})

    def test_crash(self):
        wrong, _ = self.assert_found("crashes", "crash", "the run ")
        # Sanitizers end the program themselves.
        for play in wrong:
            self.assertRegex(play["ended"],
                             r"\A(crashed: (Segmentation fault|Aborted)|ended the program with status \d+)\Z")
        self.assertEqual({play["problems"][0]["owner"] for play in wrong}, {WIDGET})

    def test_crash_in_a_domain(self):
        data, text = self.sweep_careless("crashes", options=("--isolate",))
        wrong = [play for play in data["plays"] if play["problems"]]
        self.assertEqual(len(wrong), 2, text)
        for play in wrong:
            self.assertEqual(play["ended"], "coped")
            # What it had taken by no module's name goes with its domain.
            [problem] = play["problems"]
            self.assertEqual((problem["kind"], problem["owner"]), ("stray access", WIDGET))
            self.assertRegex(problem["text"], r"\Awrote to what is not its own \(in no heap\), by code at "
                                              r"libcareless\.so\+0x[0-9a-f]+\Z")
            self.assertIn(problem["text"], text)

    def test_end_of_program(self):
        self.assert_found("ends the program", "crash", "ended the program with status 3")

    def test_another_error(self):
        self.assert_found("says another error", "wrong answer", WIDGET, "Invalid argument")

    def test_second_free(self):
        self.assert_found("frees twice", "wrong free")

    def test_no_error(self):
        self.assert_found("goes on", "processing", "failed to process")

    def test_wrong_without_any_failure(self):
        data, text = self.sweep(program.example("echo"), "--module", program.test_module("faulty"), status=1,
                                env=os.environ | {"FAULTY": "keeps what no module is named for"})
        self.assertEqual(data["plays"], [])
        self.assertEqual([problem["kind"] for problem in data["undisturbed"]["problems"]], ["leak"])
        self.assertIn("Wrong before anything was made to fail", text)

    def test_bad_input(self):
        echo = program.example("echo")
        self.assert_refused(["run", "nowhere.tplg", "--fail-each"], "nowhere.tplg")
        self.assert_refused(["run", echo, "--fail-each", "--in", "nowhere.wav"], "nowhere.wav")
        self.assert_refused(["run", echo, "--fail-each", "--module", "nowhere.so"], "nowhere.so")
        for option in ("--out", "--trace", "--record-trace"):
            self.assert_refused(["run", echo, "--fail-each", option, self.folder / "x"], option)
        self.assertEqual(self.entries(), ["in.wav"])


class InterruptedTest(FailEachTest):
    def test_interruption_ends_it_and_its_processes(self):
        process = subprocess.Popen([program.path(), "run", program.example("desk"), "--fail-each", "--json",
                                    self.folder / "x.json"], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        children = pathlib.Path(f"/proc/{process.pid}/task/{process.pid}/children")
        # Not a limit on how long it may take: until there is a child.
        while process.poll() is None and not children.read_text().split():
            time.sleep(0.01)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=program.TIMEOUT_SECONDS)
        self.assertEqual((process.returncode, out, err), (-signal.SIGINT, b"", b""))
        self.assertEqual(self.entries(), ["in.wav"])


if __name__ == "__main__":
    program.main()
